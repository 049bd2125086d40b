use rolecall_core::{Credentials, Result, Secret};
use serde::Deserialize;
use serde_json::Value;

use super::common::{self, AssumedRoleUser, Json, WireCredentials};
use super::limits::Limits;
use crate::StsClient;
use crate::form::Params;

const ACTION: &str = "AssumeRoleWithSAML";

/// What AssumeRoleWithSAML takes; [`Self::new`] takes what is required.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct AssumeRoleWithSaml {
    /// The role: 20 to 2048 characters.
    pub role_arn: String,
    /// The SAML provider in IAM: 20 to 2048 characters.
    pub principal_arn: String,
    /// The identity provider's response in base64: 4 to 100000 characters.
    #[serde(rename = "SAMLAssertion")]
    pub saml_assertion: Secret,
    /// Managed policies that narrow the session: at most 10.
    #[serde(default, deserialize_with = "common::arns")]
    pub policy_arns: Vec<String>,
    /// A policy in JSON that narrows the session: with the ARNs at most 2048 characters.
    pub policy: Option<String>,
    /// 900 to 43200 seconds, at most the role's maximum. AWS's default is 3600.
    pub duration_seconds: Option<u32>,
}

impl AssumeRoleWithSaml {
    /// Nothing but what is required.
    pub fn new(
        role_arn: impl Into<String>,
        principal_arn: impl Into<String>,
        saml_assertion: Secret,
    ) -> Self {
        Self {
            role_arn: role_arn.into(),
            principal_arn: principal_arn.into(),
            saml_assertion,
            policy_arns: Vec::new(),
            policy: None,
            duration_seconds: None,
        }
    }

    fn params(&self) -> Result<Params> {
        let limits = Limits(ACTION);
        limits.arn("RoleArn", &self.role_arn)?;
        limits.arn("PrincipalArn", &self.principal_arn)?;
        limits.text("SAMLAssertion", self.saml_assertion.expose(), 4..=100_000)?;
        limits.policies(self.policy.as_deref(), &self.policy_arns)?;
        limits.seconds("DurationSeconds", self.duration_seconds, 900..=43_200)?;

        let mut params = Params::new();
        params.add("RoleArn", &self.role_arn);
        params.add("PrincipalArn", &self.principal_arn);
        params.add("SAMLAssertion", &self.saml_assertion);
        common::add_policies(&mut params, self.policy.as_ref(), &self.policy_arns);
        params.add_if("DurationSeconds", self.duration_seconds);
        Ok(params)
    }
}

/// What AssumeRoleWithSAML gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRoleWithSamlOutput {
    /// The session's credentials, with the account of the role.
    pub credentials: Credentials,
    /// Who the session is.
    pub assumed_role_user: AssumedRoleUser,
    /// How much of AWS's limit the packed policies take, in percent.
    pub packed_policy_size: Option<u32>,
    /// The assertion's `NameID`.
    pub subject: Option<String>,
    /// The format of the `NameID`: `persistent`, `transient` or a URI.
    pub subject_type: Option<String>,
    /// The assertion's `Issuer`.
    pub issuer: Option<String>,
    /// The assertion's `Recipient`.
    pub audience: Option<String>,
    /// A hash of issuer, account and provider; with the subject it names a user.
    pub name_qualifier: Option<String>,
    /// The source identity that the assertion sets.
    pub source_identity: Option<String>,
}

impl AssumeRoleWithSamlOutput {
    /// What `aws sts assume-role-with-saml` prints. **Exposes the secrets.**
    pub fn to_json(&self) -> Value {
        Json::new()
            .put("Credentials", common::credentials_json(&self.credentials))
            .put("AssumedRoleUser", self.assumed_role_user.to_json())
            .put_if("PackedPolicySize", self.packed_policy_size)
            .put_if("Subject", self.subject.as_deref())
            .put_if("SubjectType", self.subject_type.as_deref())
            .put_if("Issuer", self.issuer.as_deref())
            .put_if("Audience", self.audience.as_deref())
            .put_if("NameQualifier", self.name_qualifier.as_deref())
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
    subject: Option<String>,
    subject_type: Option<String>,
    issuer: Option<String>,
    audience: Option<String>,
    name_qualifier: Option<String>,
    source_identity: Option<String>,
}

impl StsClient {
    /// Assumes a role with a SAML response of an identity provider. Unsigned.
    ///
    /// # Errors
    /// `InvalidConfiguration` if `input` is beyond a limit; else as [`crate::QueryClient::call`].
    pub async fn assume_role_with_saml(
        &self,
        input: &AssumeRoleWithSaml,
    ) -> Result<AssumeRoleWithSamlOutput> {
        let wire: Wire = self.unsigned(ACTION, &|| input.params()).await?;
        let account = wire.assumed_role_user.account_id().map(ToOwned::to_owned);
        let provider = format!("{ACTION} {}", input.role_arn);
        Ok(AssumeRoleWithSamlOutput {
            credentials: wire.credentials.check(ACTION, provider, account)?,
            assumed_role_user: wire.assumed_role_user,
            packed_policy_size: wire.packed_policy_size,
            subject: wire.subject,
            subject_type: wire.subject_type,
            issuer: wire.issuer,
            audience: wire.audience,
            name_qualifier: wire.name_qualifier,
            source_identity: wire.source_identity,
        })
    }
}

#[cfg(test)]
mod tests {
    use rolecall_core::ErrorKind;

    use super::*;
    use crate::testing::{self, CREDENTIALS, USER};

    const ROLE: &str = "arn:aws:iam::123456789012:role/R";
    const PROVIDER: &str = "arn:aws:iam::123456789012:saml-provider/P";

    fn input(assertion: &str) -> AssumeRoleWithSaml {
        AssumeRoleWithSaml::new(ROLE, PROVIDER, assertion.into())
    }

    #[tokio::test]
    async fn goes_unsigned_and_reads_all_of_the_answer() {
        let result = format!(
            "<NameQualifier>q=</NameQualifier>{CREDENTIALS}{USER}<Subject>s</Subject>\
             <SubjectType>transient</SubjectType><Issuer>https://idp</Issuer>\
             <Audience>https://signin.aws.amazon.com/saml</Audience>"
        );
        let (sts, http) = testing::client([testing::success(ACTION, &result)]);
        let input = AssumeRoleWithSaml { duration_seconds: Some(3600), ..input("PHNhbWw+") };
        let output = sts.assume_role_with_saml(&input).await.unwrap();
        let requests = http.take_requests();
        assert!(!requests[0].headers().contains_key("authorization"));
        assert_eq!(
            String::from_utf8_lossy(requests[0].body()),
            "Action=AssumeRoleWithSAML&Version=2011-06-15\
              &RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2FR\
              &PrincipalArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Asaml-provider%2FP\
              &SAMLAssertion=PHNhbWw%2B&DurationSeconds=3600"
        );
        let json = output.to_json();
        let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = [
            "Credentials",
            "AssumedRoleUser",
            "Subject",
            "SubjectType",
            "Issuer",
            "Audience",
            "NameQualifier",
        ];
        assert_eq!(keys, expected);
        assert_eq!(output.credentials.account_id(), Some("123456789012"));
    }

    #[tokio::test]
    async fn limits_are_checked_and_the_assertion_is_never_shown() {
        let long = "hunter2".repeat(20_000);
        for (input, field) in [
            (input("abc"), "SAMLAssertion"),
            (input(&long), "SAMLAssertion"),
            (AssumeRoleWithSaml { principal_arn: "p".to_owned(), ..input("abcd") }, "PrincipalArn"),
            (AssumeRoleWithSaml { role_arn: "r".to_owned(), ..input("abcd") }, "RoleArn"),
            (AssumeRoleWithSaml { duration_seconds: Some(60), ..input("abcd") }, "DurationSeconds"),
            (AssumeRoleWithSaml { policy: Some(long.clone()), ..input("abcd") }, "Policy"),
        ] {
            let (sts, _) = testing::client([]);
            let error = sts.assume_role_with_saml(&input).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.message().starts_with(field), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert!(!format!("{:?}", input("hunter2")).contains("hunter2"));
    }
}
