use rolecall_core::Result;
use serde::Deserialize;
use serde_json::Value;

use super::common::Json;
use super::limits::{Limits, WORD};
use crate::StsClient;
use crate::form::Params;

const ACTION: &str = "GetAccessKeyInfo";

/// What GetAccessKeyInfo takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct GetAccessKeyInfo {
    /// The access key id: 16 to 128 of `\w`.
    pub access_key_id: String,
}

/// What GetAccessKeyInfo gives.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetAccessKeyInfoOutput {
    /// The account the key belongs to: 12 digits.
    pub account: String,
}

impl GetAccessKeyInfoOutput {
    /// What `aws sts get-access-key-info` prints.
    pub fn to_json(&self) -> Value {
        Json::new().put("Account", self.account.as_str()).done()
    }
}

impl StsClient {
    /// Says which account an access key belongs to, whether or not it is active.
    ///
    /// # Errors
    /// `InvalidConfiguration` if `input` is beyond a limit; else as [`crate::QueryClient::call`].
    pub async fn get_access_key_info(
        &self,
        input: &GetAccessKeyInfo,
    ) -> Result<GetAccessKeyInfoOutput> {
        Limits(ACTION).word("AccessKeyId", &input.access_key_id, 16..=128, &WORD)?;
        let mut params = Params::new();
        params.add("AccessKeyId", &input.access_key_id);
        self.signed(ACTION, params).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn tells_the_account() {
        let result = "<Account>123456789012</Account>";
        let (sts, http) = testing::client([testing::success(ACTION, result)]);
        let input = GetAccessKeyInfo { access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned() };
        let output = sts.get_access_key_info(&input).await.unwrap();
        assert_eq!(
            http.take_bodies(),
            ["Action=GetAccessKeyInfo&Version=2011-06-15&AccessKeyId=AKIAIOSFODNN7EXAMPLE"]
        );
        assert_eq!(output.to_json().to_string(), "{\"Account\":\"123456789012\"}");
    }

    #[tokio::test]
    async fn limits_are_checked() {
        for id in ["A".repeat(15), "A".repeat(129), "AKIA-OSFODNN7EXAMPLE".to_owned()] {
            let (sts, http) = testing::client([]);
            let input = GetAccessKeyInfo { access_key_id: id };
            let error = sts.get_access_key_info(&input).await.unwrap_err();
            assert!(error.message().starts_with("AccessKeyId"), "{error}");
            assert!(http.take_bodies().is_empty());
        }
    }
}
