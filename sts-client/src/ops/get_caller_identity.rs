use rolecall_core::Result;
use serde::Deserialize;
use serde_json::Value;

use super::common::Json;
use crate::StsClient;
use crate::form::Params;

const ACTION: &str = "GetCallerIdentity";

/// What GetCallerIdentity gives.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetCallerIdentityOutput {
    /// The caller's unique id: `AIDA…`, or `AROA…:session`.
    pub user_id: String,
    /// The caller's account: 12 digits.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
}

impl GetCallerIdentityOutput {
    /// What `aws sts get-caller-identity` prints.
    pub fn to_json(&self) -> Value {
        Json::new()
            .put("UserId", self.user_id.as_str())
            .put("Account", self.account.as_str())
            .put("Arn", self.arn.as_str())
            .done()
    }
}

impl StsClient {
    /// Says whose credentials these are. No permission is needed for it.
    ///
    /// # Errors
    /// As [`crate::QueryClient::call`].
    pub async fn get_caller_identity(&self) -> Result<GetCallerIdentityOutput> {
        self.signed(ACTION, Params::new()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn tells_who_calls() {
        let result = "<Arn>arn:aws:iam::123456789012:user/me</Arn><UserId>AIDAEXAMPLE</UserId>\
                      <Account>123456789012</Account>";
        let (sts, http) = testing::client([testing::success(ACTION, result)]);
        let output = sts.get_caller_identity().await.unwrap();
        assert_eq!(http.take_bodies(), ["Action=GetCallerIdentity&Version=2011-06-15"]);
        assert_eq!(
            output.to_json().to_string(),
            "{\"UserId\":\"AIDAEXAMPLE\",\"Account\":\"123456789012\",\
             \"Arn\":\"arn:aws:iam::123456789012:user/me\"}"
        );
    }
}
