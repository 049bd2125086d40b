use rolecall_core::{Credentials, Result, Secret};
use serde::Deserialize;
use serde_json::Value;

use super::common::{self, Json, WireCredentials};
use super::limits::Limits;
use crate::StsClient;
use crate::form::Params;

const ACTION: &str = "GetSessionToken";

/// What GetSessionToken takes; nothing is required.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct GetSessionToken {
    /// 900 to 129600 seconds; 3600 at most for the root user. AWS's default is 43200.
    pub duration_seconds: Option<u32>,
    /// The MFA device, a serial number or an ARN: 9 to 256 of `[\w+=/:,.@-]`.
    pub serial_number: Option<String>,
    /// The device's code: 6 digits.
    pub token_code: Option<Secret>,
}

impl GetSessionToken {
    fn params(&self) -> Result<Params> {
        let limits = Limits(ACTION);
        limits.seconds("DurationSeconds", self.duration_seconds, 900..=129_600)?;
        limits.mfa(self.serial_number.as_deref(), self.token_code.as_ref().map(Secret::expose))?;

        let mut params = Params::new();
        params.add_if("DurationSeconds", self.duration_seconds);
        params.add_if("SerialNumber", self.serial_number.as_ref());
        params.add_if("TokenCode", self.token_code.as_ref());
        Ok(params)
    }
}

/// What GetSessionToken gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetSessionTokenOutput {
    /// The session's credentials. The answer does not name the account.
    pub credentials: Credentials,
}

impl GetSessionTokenOutput {
    /// What `aws sts get-session-token` prints. **Exposes the secrets.**
    pub fn to_json(&self) -> Value {
        Json::new().put("Credentials", common::credentials_json(&self.credentials)).done()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    credentials: WireCredentials,
}

impl StsClient {
    /// Gets a session of the calling user, as policies that ask for MFA want it.
    ///
    /// # Errors
    /// `InvalidConfiguration` if `input` is beyond a limit; else as [`crate::QueryClient::call`].
    pub async fn get_session_token(
        &self,
        input: &GetSessionToken,
    ) -> Result<GetSessionTokenOutput> {
        let wire: Wire = self.signed(ACTION, input.params()?).await?;
        let credentials = wire.credentials.check(ACTION, ACTION.to_owned(), None)?;
        Ok(GetSessionTokenOutput { credentials })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, CREDENTIALS};

    #[tokio::test]
    async fn sends_the_mfa_code_and_reads_the_session() {
        let (sts, http) = testing::client([testing::success(ACTION, CREDENTIALS)]);
        let input = GetSessionToken {
            duration_seconds: Some(129_600),
            serial_number: Some("GAHT12345678".to_owned()),
            token_code: Some("123456".into()),
        };
        let output = sts.get_session_token(&input).await.unwrap();
        assert_eq!(
            http.take_bodies(),
            ["Action=GetSessionToken&Version=2011-06-15&DurationSeconds=129600\
              &SerialNumber=GAHT12345678&TokenCode=123456"]
        );
        assert_eq!(
            output.to_json().to_string(),
            "{\"Credentials\":{\"AccessKeyId\":\"ASIANEWKEYEXAMPLE000\",\
             \"SecretAccessKey\":\"new/secret+key\",\"SessionToken\":\"new-session-token==\",\
             \"Expiration\":\"2026-01-01T01:00:00+00:00\"}}"
        );
    }

    #[tokio::test]
    async fn limits_are_checked() {
        for (input, field) in [
            (GetSessionToken { duration_seconds: Some(129_601), ..Default::default() }, "Duration"),
            (GetSessionToken { serial_number: Some("x".into()), ..Default::default() }, "Serial"),
            (GetSessionToken { token_code: Some("x".into()), ..Default::default() }, "TokenCode"),
        ] {
            let (sts, http) = testing::client([]);
            let error = sts.get_session_token(&input).await.unwrap_err();
            assert!(error.message().starts_with(field), "{error}");
            assert!(http.take_bodies().is_empty());
        }
    }
}
