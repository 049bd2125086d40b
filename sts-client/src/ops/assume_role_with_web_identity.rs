use rolecall_core::{Credentials, Result, Secret};
use serde::Deserialize;
use serde_json::Value;

use super::common::{self, AssumedRoleUser, Json, WireCredentials};
use super::limits::{Limits, NAME};
use crate::StsClient;
use crate::form::Params;

const ACTION: &str = "AssumeRoleWithWebIdentity";

/// What AssumeRoleWithWebIdentity takes; [`Self::new`] takes what is required.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct AssumeRoleWithWebIdentity {
    /// The role: 20 to 2048 characters.
    pub role_arn: String,
    /// The session's name, which CloudTrail shows: 2 to 64 of `[\w+=,.@-]`.
    pub role_session_name: String,
    /// The identity provider's token: 4 to 20000 characters.
    pub web_identity_token: Secret,
    /// For OAuth 2.0 access tokens only, `www.amazon.com` or `graph.facebook.com`: 4 to 2048
    /// characters.
    pub provider_id: Option<String>,
    /// Managed policies that narrow the session: at most 10.
    #[serde(default, deserialize_with = "common::arns")]
    pub policy_arns: Vec<String>,
    /// A policy in JSON that narrows the session: with the ARNs at most 2048 characters.
    pub policy: Option<String>,
    /// 900 to 43200 seconds, at most the role's maximum. AWS's default is 3600.
    pub duration_seconds: Option<u32>,
}

impl AssumeRoleWithWebIdentity {
    /// Nothing but what is required.
    pub fn new(
        role_arn: impl Into<String>,
        role_session_name: impl Into<String>,
        web_identity_token: Secret,
    ) -> Self {
        Self {
            role_arn: role_arn.into(),
            role_session_name: role_session_name.into(),
            web_identity_token,
            provider_id: None,
            policy_arns: Vec::new(),
            policy: None,
            duration_seconds: None,
        }
    }

    fn params(&self) -> Result<Params> {
        let limits = Limits(ACTION);
        limits.arn("RoleArn", &self.role_arn)?;
        limits.word("RoleSessionName", &self.role_session_name, 2..=64, &NAME)?;
        limits.text("WebIdentityToken", self.web_identity_token.expose(), 4..=20_000)?;
        if let Some(id) = &self.provider_id {
            limits.text("ProviderId", id, 4..=2048)?;
        }
        limits.policies(self.policy.as_deref(), &self.policy_arns)?;
        limits.seconds("DurationSeconds", self.duration_seconds, 900..=43_200)?;

        let mut params = Params::new();
        params.add("RoleArn", &self.role_arn);
        params.add("RoleSessionName", &self.role_session_name);
        params.add("WebIdentityToken", &self.web_identity_token);
        params.add_if("ProviderId", self.provider_id.as_ref());
        common::add_policies(&mut params, self.policy.as_ref(), &self.policy_arns);
        params.add_if("DurationSeconds", self.duration_seconds);
        Ok(params)
    }
}

/// What AssumeRoleWithWebIdentity gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRoleWithWebIdentityOutput {
    /// The session's credentials, with the account of the role.
    pub credentials: Credentials,
    /// The token's `sub`.
    pub subject_from_web_identity_token: Option<String>,
    /// Who the session is.
    pub assumed_role_user: AssumedRoleUser,
    /// How much of AWS's limit the packed policies and tags take, in percent.
    pub packed_policy_size: Option<u32>,
    /// The token's `iss`, or the provider id.
    pub provider: Option<String>,
    /// The token's `aud` or `azp`.
    pub audience: Option<String>,
    /// The source identity that the token sets.
    pub source_identity: Option<String>,
}

impl AssumeRoleWithWebIdentityOutput {
    /// What `aws sts assume-role-with-web-identity` prints. **Exposes the secrets.**
    pub fn to_json(&self) -> Value {
        let subject = self.subject_from_web_identity_token.as_deref();
        Json::new()
            .put("Credentials", common::credentials_json(&self.credentials))
            .put_if("SubjectFromWebIdentityToken", subject)
            .put("AssumedRoleUser", self.assumed_role_user.to_json())
            .put_if("PackedPolicySize", self.packed_policy_size)
            .put_if("Provider", self.provider.as_deref())
            .put_if("Audience", self.audience.as_deref())
            .put_if("SourceIdentity", self.source_identity.as_deref())
            .done()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    credentials: WireCredentials,
    subject_from_web_identity_token: Option<String>,
    assumed_role_user: AssumedRoleUser,
    packed_policy_size: Option<u32>,
    provider: Option<String>,
    audience: Option<String>,
    source_identity: Option<String>,
}

impl StsClient {
    /// Assumes a role with a token of an identity provider. Unsigned.
    ///
    /// # Errors
    /// `InvalidConfiguration` if `input` is beyond a limit; else as [`crate::QueryClient::call`].
    pub async fn assume_role_with_web_identity(
        &self,
        input: &AssumeRoleWithWebIdentity,
    ) -> Result<AssumeRoleWithWebIdentityOutput> {
        self.assume_role_with_fresh_token(&input.role_arn, &|| Ok(input.clone())).await
    }

    /// The same, with a token that is read anew for each attempt.
    pub(crate) async fn assume_role_with_fresh_token(
        &self,
        role_arn: &str,
        input: &(dyn Fn() -> Result<AssumeRoleWithWebIdentity> + Send + Sync),
    ) -> Result<AssumeRoleWithWebIdentityOutput> {
        let wire: Wire = self.unsigned(ACTION, &|| input()?.params()).await?;
        let account = wire.assumed_role_user.account_id().map(ToOwned::to_owned);
        let provider = format!("{ACTION} {role_arn}");
        Ok(AssumeRoleWithWebIdentityOutput {
            credentials: wire.credentials.check(ACTION, provider, account)?,
            subject_from_web_identity_token: wire.subject_from_web_identity_token,
            assumed_role_user: wire.assumed_role_user,
            packed_policy_size: wire.packed_policy_size,
            provider: wire.provider,
            audience: wire.audience,
            source_identity: wire.source_identity,
        })
    }
}

#[cfg(test)]
mod tests {
    use rolecall_core::ErrorKind;

    use super::*;
    use crate::testing::{self, CREDENTIALS, USER};

    fn input(token: &str) -> AssumeRoleWithWebIdentity {
        AssumeRoleWithWebIdentity::new("arn:aws:iam::123456789012:role/R", "me", token.into())
    }

    #[tokio::test]
    async fn goes_unsigned_and_reads_all_of_the_answer() {
        let result = format!(
            "<SubjectFromWebIdentityToken>system:sa</SubjectFromWebIdentityToken>\
             <Audience>sts.amazonaws.com</Audience>{USER}{CREDENTIALS}\
             <Provider>https://oidc.eks</Provider><PackedPolicySize>1</PackedPolicySize>\
             <SourceIdentity>alice</SourceIdentity>"
        );
        let (sts, http) = testing::client([testing::success(ACTION, &result)]);
        let input = AssumeRoleWithWebIdentity {
            provider_id: Some("www.amazon.com".to_owned()),
            ..input("ey.J.x")
        };
        let output = sts.assume_role_with_web_identity(&input).await.unwrap();
        let requests = http.take_requests();
        assert!(!requests[0].headers().contains_key("authorization"));
        assert_eq!(
            String::from_utf8_lossy(requests[0].body()),
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15\
              &RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2FR&RoleSessionName=me\
              &WebIdentityToken=ey.J.x&ProviderId=www.amazon.com"
        );
        let json = output.to_json();
        let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = [
            "Credentials",
            "SubjectFromWebIdentityToken",
            "AssumedRoleUser",
            "PackedPolicySize",
            "Provider",
            "Audience",
            "SourceIdentity",
        ];
        assert_eq!(keys, expected);
    }

    #[tokio::test]
    async fn limits_are_checked_and_the_token_is_never_shown() {
        let long = "hunter2".repeat(3000);
        let short = |provider_id| AssumeRoleWithWebIdentity { provider_id, ..input("abcd") };
        for (input, field) in [
            (input("abc"), "WebIdentityToken"),
            (input(&long), "WebIdentityToken"),
            (short(Some("abc".to_owned())), "ProviderId"),
        ] {
            let (sts, http) = testing::client([]);
            let error = sts.assume_role_with_web_identity(&input).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.message().starts_with(field), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(http.take_bodies().is_empty());
        }
        assert!(!format!("{:?}", input("hunter2")).contains("hunter2"));
    }

    #[tokio::test]
    async fn a_refusal_that_quotes_the_token_does_not_show_it() {
        let message = "Value 'hunter2-token' at 'webIdentityToken' failed";
        let (sts, _) = testing::client([testing::refusal(400, "ValidationError", message)]);
        let error = sts.assume_role_with_web_identity(&input("hunter2-token")).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("'[redacted]'") && !shown.contains("hunter2"), "{shown}");
    }
}
