use rolecall_core::{Credentials, Result, Secret};
use serde::Deserialize;
use serde_json::Value;

use super::common::{self, Json, WireCredentials};
use super::limits::Limits;
use crate::StsClient;
use crate::form::Params;

const ACTION: &str = "GetDelegatedAccessToken";

/// What GetDelegatedAccessToken takes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct GetDelegatedAccessToken {
    /// The token that a customer's approval of a delegation request gave; must not be empty.
    pub trade_in_token: Secret,
}

/// What GetDelegatedAccessToken gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetDelegatedAccessTokenOutput {
    /// The session's credentials, with the account of the principal.
    pub credentials: Credentials,
    /// How much of AWS's limit the packed policies take, in percent.
    pub packed_policy_size: Option<u32>,
    /// The ARN of the principal that was delegated.
    pub assumed_principal: Option<String>,
}

impl GetDelegatedAccessTokenOutput {
    /// What `aws sts get-delegated-access-token` prints. **Exposes the secrets.**
    pub fn to_json(&self) -> Value {
        Json::new()
            .put("Credentials", common::credentials_json(&self.credentials))
            .put_if("PackedPolicySize", self.packed_policy_size)
            .put_if("AssumedPrincipal", self.assumed_principal.as_deref())
            .done()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    credentials: WireCredentials,
    packed_policy_size: Option<u32>,
    assumed_principal: Option<String>,
}

impl StsClient {
    /// Trades in a token for temporary access to a customer's account.
    ///
    /// # Errors
    /// `InvalidConfiguration` if the token is empty; else as [`crate::QueryClient::call`].
    pub async fn get_delegated_access_token(
        &self,
        input: &GetDelegatedAccessToken,
    ) -> Result<GetDelegatedAccessTokenOutput> {
        // AWS gives no upper limit.
        let token = &input.trade_in_token;
        Limits(ACTION).text("TradeInToken", token.expose(), 1..=usize::MAX)?;
        let mut params = Params::new();
        params.add("TradeInToken", token);
        let wire: Wire = self.signed(ACTION, params).await?;
        let account = wire.assumed_principal.as_deref().and_then(common::account_of);
        let account = account.map(ToOwned::to_owned);
        Ok(GetDelegatedAccessTokenOutput {
            credentials: wire.credentials.check(ACTION, ACTION.to_owned(), account)?,
            packed_policy_size: wire.packed_policy_size,
            assumed_principal: wire.assumed_principal,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, CREDENTIALS};

    #[tokio::test]
    async fn trades_the_token_in() {
        let principal = "arn:aws:sts::123456789012:assumed-role/R/s";
        let result = format!("{CREDENTIALS}<AssumedPrincipal>{principal}</AssumedPrincipal>");
        let (sts, http) = testing::client([testing::success(ACTION, &result)]);
        let input = GetDelegatedAccessToken { trade_in_token: "hunter2".into() };
        let output = sts.get_delegated_access_token(&input).await.unwrap();
        assert_eq!(
            http.take_bodies(),
            ["Action=GetDelegatedAccessToken&Version=2011-06-15&TradeInToken=hunter2"]
        );
        assert_eq!(output.credentials.account_id(), Some("123456789012"));
        assert_eq!(output.to_json()["AssumedPrincipal"], principal);
        assert!(!format!("{input:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn an_empty_token_is_refused() {
        let (sts, http) = testing::client([]);
        let input = GetDelegatedAccessToken { trade_in_token: "".into() };
        let error = sts.get_delegated_access_token(&input).await.unwrap_err();
        assert!(error.message().starts_with("TradeInToken must have 1"), "{error}");
        assert!(http.take_bodies().is_empty());
    }
}
