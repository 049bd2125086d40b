//! Operations by their names, with JSON in and out: for runtimes that know no types of Rust.

use rolecall_core::{Credentials, ErrorKind, Result, json};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{StsClient, client};

/// What an operation gives.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What AWS CLI prints. **It may hold secrets.**
    pub json: Value,
    /// The credentials in it, if the operation gives some.
    pub credentials: Option<Credentials>,
}

impl StsClient {
    /// Calls the operation of this name (`AssumeRole`) with `input` in the JSON of AWS's API, as
    /// `aws sts assume-role --cli-input-json` takes it; `{}` where nothing is required.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is no such operation, or `input` is not its; else as the
    /// operation's method.
    pub async fn call_by_name(&self, operation: &str, input: &str) -> Result<Answer> {
        macro_rules! answer {
            ($method:ident) => {{
                let output = self.$method(&read(operation, input)?).await?;
                Answer { json: output.to_json(), credentials: Some(output.credentials) }
            }};
            ($method:ident, no credentials) => {{
                let output = self.$method(&read(operation, input)?).await?;
                Answer { json: output.to_json(), credentials: None }
            }};
        }
        Ok(match operation {
            "AssumeRole" => answer!(assume_role),
            "AssumeRoleWithSAML" => answer!(assume_role_with_saml),
            "AssumeRoleWithWebIdentity" => answer!(assume_role_with_web_identity),
            "AssumeRoot" => answer!(assume_root),
            "DecodeAuthorizationMessage" => {
                answer!(decode_authorization_message, no credentials)
            }
            "GetAccessKeyInfo" => answer!(get_access_key_info, no credentials),
            "GetCallerIdentity" => {
                read::<Nothing>(operation, input)?;
                let output = self.get_caller_identity().await?;
                Answer { json: output.to_json(), credentials: None }
            }
            "GetDelegatedAccessToken" => answer!(get_delegated_access_token),
            "GetFederationToken" => answer!(get_federation_token),
            "GetSessionToken" => answer!(get_session_token),
            "GetWebIdentityToken" => answer!(get_web_identity_token, no credentials),
            _ => {
                let message = format!("STS has no operation {operation:?}");
                return Err(client::error(ErrorKind::InvalidConfiguration, "call", message)
                    .with_help("names are AWS's, such as AssumeRole"));
            }
        })
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

fn read<T: DeserializeOwned>(operation: &str, input: &str) -> Result<T> {
    json::read(&format!("STS {operation}"), input).map_err(|error| {
        error.with_help("write it as `aws sts OPERATION --generate-cli-skeleton` shows it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, CREDENTIALS, USER};

    const ROLE: &str = "arn:aws:iam::123456789012:role/R";

    #[tokio::test]
    async fn the_input_is_that_of_awss_api() {
        let input = format!(
            r#"{{"RoleArn": "{ROLE}", "RoleSessionName": "me", "DurationSeconds": 900,
            "PolicyArns": [{{"arn": "arn:aws:iam::aws:policy/A"}}],
            "Tags": [{{"Key": "k", "Value": "v"}}], "SerialNumber": "GAHT12345678",
            "TokenCode": "123456", "ProvidedContexts": [{{
            "ProviderArn": "arn:aws:iam::aws:contextProvider/I", "ContextAssertion": "assertion"}}]}}"#
        );
        let (sts, http) =
            testing::client([testing::success("AssumeRole", &format!("{USER}{CREDENTIALS}"))]);
        let answer = sts.call_by_name("AssumeRole", &input).await.unwrap();
        assert_eq!(answer.credentials.unwrap().access_key_id(), "ASIANEWKEYEXAMPLE000");
        assert_eq!(answer.json["AssumedRoleUser"]["AssumedRoleId"], "AROAEXAMPLE:me");
        let sent = http.take_bodies().remove(0);
        for part in ["PolicyArns.member.1.arn=arn", "Tags.member.1.Value=v", "TokenCode=123456"] {
            assert!(sent.contains(part), "{part}: {sent}");
        }
    }

    #[tokio::test]
    async fn the_least_input_of_each_reaches_the_limits_or_aws() {
        for (operation, input) in [
            ("AssumeRole", r#"{"RoleArn": "r"}"#),
            (
                "AssumeRoleWithSAML",
                r#"{"RoleArn": "r", "PrincipalArn": "p", "SAMLAssertion": "YWJj"}"#,
            ),
            (
                "AssumeRoleWithWebIdentity",
                r#"{"RoleArn": "r", "RoleSessionName": "s", "WebIdentityToken": "t"}"#,
            ),
            ("AssumeRoot", r#"{"TargetPrincipal": "x", "TaskPolicyArn": {"arn": "a"}}"#),
            ("DecodeAuthorizationMessage", r#"{"EncodedMessage": ""}"#),
            ("GetAccessKeyInfo", r#"{"AccessKeyId": "A"}"#),
            ("GetDelegatedAccessToken", r#"{"TradeInToken": ""}"#),
            ("GetFederationToken", r#"{"Name": "n"}"#),
            ("GetSessionToken", r#"{"DurationSeconds": 1}"#),
            ("GetWebIdentityToken", r#"{"Audience": [], "SigningAlgorithm": "ES384"}"#),
        ] {
            let (sts, _) = testing::client([]);
            let error = sts.call_by_name(operation, input).await.unwrap_err();
            // The limits' word, not the reader's.
            assert!(!error.message().contains("input"), "{operation}: {error}");
        }
    }

    #[tokio::test]
    async fn what_is_wrong_with_the_input_is_told_without_its_values() {
        let (sts, _) = testing::client([]);
        for (operation, input, part) in [
            ("AssumeRoles", "{}", "no operation"),
            ("GetCallerIdentity", r#"{"Name": "n"}"#, "unknown field `Name`"),
            ("AssumeRole", r#"{"RoleARN": "r"}"#, "unknown field `RoleARN`"),
            ("GetDelegatedAccessToken", "{}", "missing field `TradeInToken`"),
            ("GetSessionToken", r#"{"TokenCode": 123456}"#, "wrong type"),
            ("GetSessionToken", r#"{"TokenCode": "123456""#, "no JSON"),
            ("GetSessionToken", "", "no JSON"),
        ] {
            let error = sts.call_by_name(operation, input).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{input}");
            assert!(error.message().contains(part), "{error}");
            assert!(!error.to_string().contains("123456"), "{error}");
        }
    }
}
