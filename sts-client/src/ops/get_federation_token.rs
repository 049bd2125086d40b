use rolecall_core::{Credentials, Result};
use serde::Deserialize;
use serde_json::Value;

use super::common::{self, Json, Tag, WireCredentials};
use super::limits::{Limits, NAME};
use crate::StsClient;
use crate::form::Params;

const ACTION: &str = "GetFederationToken";

/// What GetFederationToken takes; `name` is required. Without a policy the session may do nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct GetFederationToken {
    /// The federated user's name: 2 to 32 of `[\w+=,.@-]`.
    pub name: String,
    /// A policy in JSON: with the ARNs at most 2048 characters.
    pub policy: Option<String>,
    /// Managed policies: at most 10.
    #[serde(deserialize_with = "common::arns")]
    pub policy_arns: Vec<String>,
    /// 900 to 129600 seconds; 3600 at most for the root user. AWS's default is 43200.
    pub duration_seconds: Option<u32>,
    /// Session tags: at most 50.
    pub tags: Vec<Tag>,
}

impl GetFederationToken {
    fn params(&self) -> Result<Params> {
        let limits = Limits(ACTION);
        limits.word("Name", &self.name, 2..=32, &NAME)?;
        limits.policies(self.policy.as_deref(), &self.policy_arns)?;
        limits.seconds("DurationSeconds", self.duration_seconds, 900..=129_600)?;
        limits.tags(&self.tags)?;

        let mut params = Params::new();
        params.add("Name", &self.name);
        common::add_policies(&mut params, self.policy.as_ref(), &self.policy_arns);
        params.add_if("DurationSeconds", self.duration_seconds);
        common::add_tags(&mut params, &self.tags);
        Ok(params)
    }
}

/// Who a session of GetFederationToken is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FederatedUser {
    /// The account and the name: `123456789012:me`.
    pub federated_user_id: String,
    /// `arn:aws:sts::123456789012:federated-user/me`.
    pub arn: String,
}

/// What GetFederationToken gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetFederationTokenOutput {
    /// The session's credentials, with the caller's account.
    pub credentials: Credentials,
    /// Who the session is.
    pub federated_user: FederatedUser,
    /// How much of AWS's limit the packed policies and tags take, in percent.
    pub packed_policy_size: Option<u32>,
}

impl GetFederationTokenOutput {
    /// What `aws sts get-federation-token` prints. **Exposes the secrets.**
    pub fn to_json(&self) -> Value {
        let user = Json::new()
            .put("FederatedUserId", self.federated_user.federated_user_id.as_str())
            .put("Arn", self.federated_user.arn.as_str())
            .done();
        Json::new()
            .put("Credentials", common::credentials_json(&self.credentials))
            .put("FederatedUser", user)
            .put_if("PackedPolicySize", self.packed_policy_size)
            .done()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    credentials: WireCredentials,
    federated_user: FederatedUser,
    packed_policy_size: Option<u32>,
}

impl StsClient {
    /// Gets a session of a federated user, with what both the caller and the policies allow.
    ///
    /// # Errors
    /// `InvalidConfiguration` if `input` is beyond a limit; else as [`crate::QueryClient::call`].
    pub async fn get_federation_token(
        &self,
        input: &GetFederationToken,
    ) -> Result<GetFederationTokenOutput> {
        let wire: Wire = self.signed(ACTION, input.params()?).await?;
        let account = common::account_of(&wire.federated_user.arn).map(ToOwned::to_owned);
        let provider = format!("{ACTION} {}", input.name);
        Ok(GetFederationTokenOutput {
            credentials: wire.credentials.check(ACTION, provider, account)?,
            federated_user: wire.federated_user,
            packed_policy_size: wire.packed_policy_size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, CREDENTIALS};

    #[tokio::test]
    async fn sends_name_policy_and_tags_and_reads_the_user() {
        let result = format!(
            "{CREDENTIALS}<FederatedUser><Arn>arn:aws:sts::123456789012:federated-user/me</Arn>\
             <FederatedUserId>123456789012:me</FederatedUserId></FederatedUser>\
             <PackedPolicySize>8</PackedPolicySize>"
        );
        let (sts, http) = testing::client([testing::success(ACTION, &result)]);
        let input = GetFederationToken {
            name: "me".to_owned(),
            policy: Some("{}".to_owned()),
            policy_arns: vec!["arn:aws:iam::aws:policy/A".to_owned()],
            duration_seconds: Some(900),
            tags: vec![Tag { key: "k".to_owned(), value: "v".to_owned() }],
        };
        let output = sts.get_federation_token(&input).await.unwrap();
        assert_eq!(
            http.take_bodies(),
            ["Action=GetFederationToken&Version=2011-06-15&Name=me\
              &PolicyArns.member.1.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FA&Policy=%7B%7D\
              &DurationSeconds=900&Tags.member.1.Key=k&Tags.member.1.Value=v"]
        );
        assert_eq!(output.credentials.account_id(), Some("123456789012"));
        let json = output.to_json().to_string();
        assert!(
            json.ends_with(
                "\"FederatedUser\":{\"FederatedUserId\":\"123456789012:me\",\
                 \"Arn\":\"arn:aws:sts::123456789012:federated-user/me\"},\"PackedPolicySize\":8}"
            ),
            "{json}"
        );
    }

    #[tokio::test]
    async fn limits_are_checked() {
        let named = |name: &str| GetFederationToken { name: name.to_owned(), ..Default::default() };
        for (input, field) in [
            (named("m"), "Name"),
            (named(&"m".repeat(33)), "Name"),
            (named("m/e"), "Name"),
            (GetFederationToken { duration_seconds: Some(1), ..named("me") }, "DurationSeconds"),
            (GetFederationToken { policy: Some("x".repeat(2049)), ..named("me") }, "Policy"),
            (GetFederationToken { tags: vec![Tag::default(); 51], ..named("me") }, "Tags"),
        ] {
            let (sts, http) = testing::client([]);
            let error = sts.get_federation_token(&input).await.unwrap_err();
            assert!(error.message().starts_with(field), "{error}");
            assert!(http.take_bodies().is_empty());
        }
    }
}
