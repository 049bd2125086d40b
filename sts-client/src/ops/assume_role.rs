use rolecall_core::{Credentials, Result, Secret};
use serde::Deserialize;
use serde_json::Value;

use super::common::{self, AssumedRoleUser, Json, ProvidedContext, Tag, WireCredentials};
use super::limits::{EXTERNAL_ID, Limits, NAME};
use crate::StsClient;
use crate::form::Params;

const ACTION: &str = "AssumeRole";

/// What AssumeRole takes. `role_arn` and `role_session_name` are required.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct AssumeRole {
    /// The role: 20 to 2048 characters.
    pub role_arn: String,
    /// The session's name, which CloudTrail shows: 2 to 64 of `[\w+=,.@-]`.
    pub role_session_name: String,
    /// Managed policies that narrow the session: at most 10.
    #[serde(deserialize_with = "common::arns")]
    pub policy_arns: Vec<String>,
    /// A policy in JSON that narrows the session: with the ARNs at most 2048 characters.
    pub policy: Option<String>,
    /// 900 to 43200 seconds, at most the role's maximum, and at most 3600 for a role assumed from
    /// a role. AWS's default is 3600.
    pub duration_seconds: Option<u32>,
    /// Session tags: at most 50.
    pub tags: Vec<Tag>,
    /// Keys of tags that go on to roles assumed from this session: at most 50.
    pub transitive_tag_keys: Vec<String>,
    /// What the role's trust policy asks of third parties: 2 to 1224 of `[\w+=,.@:/-]`.
    pub external_id: Option<String>,
    /// The MFA device, a serial number or an ARN: 9 to 256 of `[\w+=/:,.@-]`.
    pub serial_number: Option<String>,
    /// The device's code: 6 digits.
    pub token_code: Option<Secret>,
    /// Who is behind the session, for CloudTrail: 2 to 64 of `[\w+=,.@-]`.
    pub source_identity: Option<String>,
    /// Trusted context assertions: at most 5.
    pub provided_contexts: Vec<ProvidedContext>,
}

impl AssumeRole {
    fn params(&self) -> Result<Params> {
        let limits = Limits(ACTION);
        limits.arn("RoleArn", &self.role_arn)?;
        limits.word("RoleSessionName", &self.role_session_name, 2..=64, &NAME)?;
        limits.policies(self.policy.as_deref(), &self.policy_arns)?;
        limits.seconds("DurationSeconds", self.duration_seconds, 900..=43_200)?;
        limits.tags(&self.tags)?;
        limits.count("TransitiveTagKeys", self.transitive_tag_keys.len(), 0..=50)?;
        for (index, key) in self.transitive_tag_keys.iter().enumerate() {
            limits.text(&format!("TransitiveTagKeys[{index}]"), key, 1..=128)?;
        }
        if let Some(id) = &self.external_id {
            limits.word("ExternalId", id, 2..=1224, &EXTERNAL_ID)?;
        }
        limits.mfa(self.serial_number.as_deref(), self.token_code.as_ref().map(Secret::expose))?;
        if let Some(identity) = &self.source_identity {
            limits.word("SourceIdentity", identity, 2..=64, &NAME)?;
        }
        limits.contexts(&self.provided_contexts)?;

        let mut params = Params::new();
        params.add("RoleArn", &self.role_arn);
        params.add("RoleSessionName", &self.role_session_name);
        common::add_policies(&mut params, self.policy.as_ref(), &self.policy_arns);
        params.add_if("DurationSeconds", self.duration_seconds);
        common::add_tags(&mut params, &self.tags);
        params.add_list("TransitiveTagKeys", "", &self.transitive_tag_keys);
        params.add_if("ExternalId", self.external_id.as_ref());
        params.add_if("SerialNumber", self.serial_number.as_ref());
        params.add_if("TokenCode", self.token_code.as_ref());
        params.add_if("SourceIdentity", self.source_identity.as_ref());
        let contexts = self.provided_contexts.iter();
        params.add_pairs(
            "ProvidedContexts",
            ("ProviderArn", "ContextAssertion"),
            contexts.map(|context| (&context.provider_arn, &context.context_assertion)),
        );
        Ok(params)
    }
}

/// What AssumeRole gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRoleOutput {
    /// The session's credentials, with the account of the role.
    pub credentials: Credentials,
    /// Who the session is.
    pub assumed_role_user: AssumedRoleUser,
    /// How much of AWS's limit the packed policies and tags take, in percent.
    pub packed_policy_size: Option<u32>,
    /// The source identity that was set.
    pub source_identity: Option<String>,
}

impl AssumeRoleOutput {
    /// What `aws sts assume-role` prints. **Exposes the secrets.**
    pub fn to_json(&self) -> Value {
        Json::new()
            .put("Credentials", common::credentials_json(&self.credentials))
            .put("AssumedRoleUser", self.assumed_role_user.to_json())
            .put_if("PackedPolicySize", self.packed_policy_size)
            .put_if("SourceIdentity", self.source_identity.as_deref())
            .done()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    credentials: WireCredentials,
    assumed_role_user: AssumedRoleUser,
    packed_policy_size: Option<u32>,
    source_identity: Option<String>,
}

impl StsClient {
    /// Assumes a role.
    ///
    /// # Errors
    /// `InvalidConfiguration` if `input` is beyond a limit; else as [`crate::QueryClient::call`].
    pub async fn assume_role(&self, input: &AssumeRole) -> Result<AssumeRoleOutput> {
        let wire: Wire = self.signed(ACTION, input.params()?).await?;
        let account = wire.assumed_role_user.account_id().map(ToOwned::to_owned);
        let provider = format!("{ACTION} {}", input.role_arn);
        Ok(AssumeRoleOutput {
            credentials: wire.credentials.check(ACTION, provider, account)?,
            assumed_role_user: wire.assumed_role_user,
            packed_policy_size: wire.packed_policy_size,
            source_identity: wire.source_identity,
        })
    }
}

#[cfg(test)]
mod tests {
    use rolecall_core::ErrorKind;

    use super::*;
    use crate::testing::{self, CREDENTIALS, NEW_SECRET, NEW_TOKEN, USER};

    fn role() -> AssumeRole {
        AssumeRole {
            role_arn: "arn:aws:iam::123456789012:role/R".to_owned(),
            role_session_name: "me".to_owned(),
            ..AssumeRole::default()
        }
    }

    #[tokio::test]
    async fn sends_every_parameter() {
        let result = format!("{CREDENTIALS}{USER}");
        let (sts, http) = testing::client([testing::success(ACTION, &result)]);
        let input = AssumeRole {
            policy_arns: vec!["arn:aws:iam::aws:policy/A".to_owned()],
            policy: Some("{}".to_owned()),
            duration_seconds: Some(900),
            tags: vec![Tag { key: "k".to_owned(), value: String::new() }],
            transitive_tag_keys: vec!["k".to_owned()],
            external_id: Some("a/b:c".to_owned()),
            serial_number: Some("arn:aws:iam::123456789012:mfa/me".to_owned()),
            token_code: Some("123456".into()),
            source_identity: Some("alice".to_owned()),
            provided_contexts: vec![ProvidedContext {
                provider_arn: "arn:aws:iam::aws:contextProvider/I".to_owned(),
                context_assertion: "assertion".into(),
            }],
            ..role()
        };
        sts.assume_role(&input).await.unwrap();
        assert_eq!(
            http.take_bodies(),
            ["Action=AssumeRole&Version=2011-06-15\
              &RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2FR&RoleSessionName=me\
              &PolicyArns.member.1.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FA&Policy=%7B%7D\
              &DurationSeconds=900&Tags.member.1.Key=k&Tags.member.1.Value=\
              &TransitiveTagKeys.member.1=k&ExternalId=a%2Fb%3Ac\
              &SerialNumber=arn%3Aaws%3Aiam%3A%3A123456789012%3Amfa%2Fme&TokenCode=123456\
              &SourceIdentity=alice\
              &ProvidedContexts.member.1.ProviderArn=arn%3Aaws%3Aiam%3A%3Aaws%3AcontextProvider%2FI\
              &ProvidedContexts.member.1.ContextAssertion=assertion"]
        );
        let shown = format!("{input:?}");
        assert!(!shown.contains("123456,") && !shown.contains("assertion\""), "{shown}");
    }

    #[tokio::test]
    async fn reads_the_session_and_prints_it_as_aws_cli_does() {
        let result = format!(
            "<SourceIdentity>alice</SourceIdentity>{USER}{CREDENTIALS}\
             <PackedPolicySize>6</PackedPolicySize>"
        );
        let (sts, _) = testing::client([testing::success(ACTION, &result)]);
        let output = sts.assume_role(&role()).await.unwrap();
        assert_eq!(output.credentials.account_id(), Some("123456789012"));
        assert_eq!(output.credentials.secret_access_key().expose(), NEW_SECRET);
        assert_eq!(output.credentials.provider(), "AssumeRole arn:aws:iam::123456789012:role/R");
        assert_eq!(
            output.to_json().to_string(),
            "{\"Credentials\":{\"AccessKeyId\":\"ASIANEWKEYEXAMPLE000\",\
             \"SecretAccessKey\":\"new/secret+key\",\"SessionToken\":\"new-session-token==\",\
             \"Expiration\":\"2026-01-01T01:00:00+00:00\"},\
             \"AssumedRoleUser\":{\"AssumedRoleId\":\"AROAEXAMPLE:me\",\
             \"Arn\":\"arn:aws:sts::123456789012:assumed-role/R/me\"},\
             \"PackedPolicySize\":6,\"SourceIdentity\":\"alice\"}"
        );
        let shown = format!("{output:?}");
        assert!(!shown.contains(NEW_SECRET) && !shown.contains(NEW_TOKEN), "{shown}");
    }

    #[tokio::test]
    async fn each_limit_is_checked_before_the_network() {
        let long = |length| "a".repeat(length);
        for (input, field) in [
            (AssumeRole { role_arn: "arn:short".to_owned(), ..role() }, "RoleArn"),
            (AssumeRole { role_arn: long(2049), ..role() }, "RoleArn"),
            (AssumeRole { role_session_name: "m".to_owned(), ..role() }, "RoleSessionName"),
            (AssumeRole { role_session_name: long(65), ..role() }, "RoleSessionName"),
            (AssumeRole { role_session_name: "a b".to_owned(), ..role() }, "RoleSessionName"),
            (AssumeRole { policy: Some(String::new()), ..role() }, "Policy"),
            (AssumeRole { policy: Some(long(2049)), ..role() }, "Policy"),
            (AssumeRole { policy_arns: vec![long(20); 11], ..role() }, "PolicyArns"),
            (AssumeRole { duration_seconds: Some(899), ..role() }, "DurationSeconds"),
            (AssumeRole { duration_seconds: Some(43_201), ..role() }, "DurationSeconds"),
            (AssumeRole { tags: vec![Tag::default()], ..role() }, "Tags[0].Key"),
            (AssumeRole { transitive_tag_keys: vec![long(1); 51], ..role() }, "TransitiveTagKeys"),
            (AssumeRole { transitive_tag_keys: vec![long(129)], ..role() }, "TransitiveTagKeys[0]"),
            (AssumeRole { external_id: Some(long(1)), ..role() }, "ExternalId"),
            (AssumeRole { external_id: Some("a*b".to_owned()), ..role() }, "ExternalId"),
            (AssumeRole { serial_number: Some(long(8)), ..role() }, "SerialNumber"),
            (AssumeRole { token_code: Some("12345".into()), ..role() }, "TokenCode"),
            (AssumeRole { source_identity: Some(long(65)), ..role() }, "SourceIdentity"),
        ] {
            let (sts, http) = testing::client([]);
            let error = sts.assume_role(&input).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{field}");
            assert!(error.message().starts_with(field), "{field}: {error}");
            assert!(http.take_bodies().is_empty());
        }
    }

    #[tokio::test]
    async fn an_answer_without_what_is_required_is_malformed() {
        let no_secret = CREDENTIALS.replace("new/secret+key", "");
        let strange_key = CREDENTIALS.replace("ASIANEW", "ASIA\u{1b}NEW");
        let bad_time = CREDENTIALS.replace("2026-01-01T", "later ");
        for result in [
            String::new(),
            USER.to_owned(),
            CREDENTIALS.to_owned(),
            format!("{no_secret}{USER}"),
            format!("{strange_key}{USER}"),
            format!("{bad_time}{USER}"),
            format!("{CREDENTIALS}{USER}<PackedPolicySize>{NEW_TOKEN}</PackedPolicySize>"),
        ] {
            let (sts, _) = testing::client([testing::success(ACTION, &result)]);
            let error = sts.assume_role(&role()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{result}");
            let shown = format!("{error} {error:?} {:?}", error.causes());
            assert!(!shown.contains(NEW_TOKEN) && !shown.contains(NEW_SECRET), "{shown}");
        }
    }
}
