use rolecall_core::{Credentials, Result};
use serde::Deserialize;
use serde_json::Value;

use super::common::{self, Json, WireCredentials};
use super::limits::Limits;
use crate::StsClient;
use crate::form::Params;

const ACTION: &str = "AssumeRoot";

/// What AssumeRoot takes; the first two are required.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct AssumeRoot {
    /// The member account, its id or its root user's ARN: 12 to 2048 characters.
    pub target_principal: String,
    /// The task that the session may do, `arn:aws:iam::aws:policy/root-task/…`: 20 to 2048
    /// characters.
    #[serde(deserialize_with = "common::arn")]
    pub task_policy_arn: String,
    /// 0 to 900 seconds; AWS's default is 900.
    pub duration_seconds: Option<u32>,
}

/// What AssumeRoot gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRootOutput {
    /// The session's credentials, with the member account.
    pub credentials: Credentials,
    /// The source identity of the caller.
    pub source_identity: Option<String>,
}

impl AssumeRootOutput {
    /// What `aws sts assume-root` prints. **Exposes the secrets.**
    pub fn to_json(&self) -> Value {
        Json::new()
            .put("Credentials", common::credentials_json(&self.credentials))
            .put_if("SourceIdentity", self.source_identity.as_deref())
            .done()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    credentials: WireCredentials,
    source_identity: Option<String>,
}

impl StsClient {
    /// Gets a session of a member account's root user, for one task. Works at regional endpoints
    /// only.
    ///
    /// # Errors
    /// `InvalidConfiguration` if `input` is beyond a limit; else as [`crate::QueryClient::call`].
    pub async fn assume_root(&self, input: &AssumeRoot) -> Result<AssumeRootOutput> {
        let limits = Limits(ACTION);
        limits.text("TargetPrincipal", &input.target_principal, 12..=2048)?;
        limits.arn("TaskPolicyArn", &input.task_policy_arn)?;
        limits.seconds("DurationSeconds", input.duration_seconds, 0..=900)?;

        let mut params = Params::new();
        params.add("TargetPrincipal", &input.target_principal);
        params.add("TaskPolicyArn.arn", &input.task_policy_arn);
        params.add_if("DurationSeconds", input.duration_seconds);
        let wire: Wire = self.signed(ACTION, params).await?;
        let target = &input.target_principal;
        let id = target.len() == 12 && target.bytes().all(|byte| byte.is_ascii_digit());
        let account = if id { Some(target.as_str()) } else { common::account_of(target) };
        let account = account.map(ToOwned::to_owned);
        Ok(AssumeRootOutput {
            credentials: wire.credentials.check(ACTION, format!("{ACTION} {target}"), account)?,
            source_identity: wire.source_identity,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, CREDENTIALS};

    fn input() -> AssumeRoot {
        AssumeRoot {
            target_principal: "123456789012".to_owned(),
            task_policy_arn: "arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy".to_owned(),
            duration_seconds: None,
        }
    }

    #[tokio::test]
    async fn sends_the_task_and_knows_the_account() {
        let result = format!("{CREDENTIALS}<SourceIdentity>alice</SourceIdentity>");
        let (sts, http) = testing::client([testing::success(ACTION, &result)]);
        let input = AssumeRoot { duration_seconds: Some(900), ..input() };
        let output = sts.assume_root(&input).await.unwrap();
        assert_eq!(
            http.take_bodies(),
            ["Action=AssumeRoot&Version=2011-06-15&TargetPrincipal=123456789012\
              &TaskPolicyArn.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2Froot-task%2F\
              S3UnlockBucketPolicy&DurationSeconds=900"]
        );
        assert_eq!(output.credentials.account_id(), Some("123456789012"));
        let json = output.to_json();
        let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["Credentials", "SourceIdentity"]);
    }

    #[tokio::test]
    async fn limits_are_checked() {
        for (input, field) in [
            (AssumeRoot { target_principal: "1".to_owned(), ..input() }, "TargetPrincipal"),
            (AssumeRoot { task_policy_arn: "common::arn".to_owned(), ..input() }, "TaskPolicyArn"),
            (AssumeRoot { duration_seconds: Some(901), ..input() }, "DurationSeconds"),
        ] {
            let (sts, http) = testing::client([]);
            let error = sts.assume_root(&input).await.unwrap_err();
            assert!(error.message().starts_with(field), "{error}");
            assert!(http.take_bodies().is_empty());
        }
    }
}
