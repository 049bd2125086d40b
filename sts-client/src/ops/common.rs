//! What several operations share: parts of requests, parts of answers, AWS CLI's JSON.

use std::time::SystemTime;

use rolecall_core::{Credentials, ErrorKind, Result, Secret, timestamp};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::client;
use crate::form::Params;
use crate::xml;

/// A session tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Tag {
    /// 1 to 128 characters.
    pub key: String,
    /// At most 256 characters.
    pub value: String,
}

/// A context assertion of a trusted token issuer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ProvidedContext {
    /// The context provider: `arn:aws:iam::aws:contextProvider/IdentityCenter`.
    pub provider_arn: String,
    /// The signed assertion: 4 to 2048 characters.
    pub context_assertion: Secret,
}

/// Who a session of a role is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumedRoleUser {
    /// The role's unique id and the session's name: `AROA…:me`.
    pub assumed_role_id: String,
    /// `arn:aws:sts::123456789012:assumed-role/Role/me`.
    pub arn: String,
}

impl AssumedRoleUser {
    /// The account in the ARN, if there is one: 12 digits.
    pub fn account_id(&self) -> Option<&str> {
        account_of(&self.arn)
    }

    pub(super) fn to_json(&self) -> Value {
        Json::new()
            .put("AssumedRoleId", self.assumed_role_id.as_str())
            .put("Arn", self.arn.as_str())
            .done()
    }
}

/// The account in an ARN: 12 digits.
pub(super) fn account_of(arn: &str) -> Option<&str> {
    let account = arn.strip_prefix("arn:")?.split(':').nth(3)?;
    Some(account).filter(|a| a.len() == 12 && a.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Adds the session policies, as all operations take them.
pub(super) fn add_policies(params: &mut Params, policy: Option<&String>, arns: &[String]) {
    params.add_list("PolicyArns", "arn", arns);
    params.add_if("Policy", policy);
}

/// A managed policy as AWS's JSON has it: `{"arn": "arn:…"}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyDescriptor {
    arn: String,
}

/// Reads the ARN of a managed policy.
pub(super) fn arn<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(PolicyDescriptor::deserialize(from)?.arn)
}

/// Reads the ARNs of managed policies.
pub(super) fn arns<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let policies = Vec::<PolicyDescriptor>::deserialize(from)?;
    Ok(policies.into_iter().map(|policy| policy.arn).collect())
}

/// Adds session tags.
pub(super) fn add_tags(params: &mut Params, tags: &[Tag]) {
    let pairs = tags.iter().map(|tag| (&tag.key, &tag.value));
    params.add_pairs("Tags", ("Key", "Value"), pairs);
}

/// `<Credentials>` of an answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireCredentials {
    access_key_id: String,
    #[serde(deserialize_with = "xml::secret")]
    secret_access_key: Secret,
    #[serde(deserialize_with = "xml::secret")]
    session_token: Secret,
    #[serde(deserialize_with = "xml::moment")]
    expiration: SystemTime,
}

impl WireCredentials {
    /// Credentials of `action`, which came from `provider`.
    pub(super) fn check(
        self,
        action: &'static str,
        provider: String,
        account_id: Option<String>,
    ) -> Result<Credentials> {
        for (name, text) in [
            ("AccessKeyId", self.access_key_id.as_str()),
            ("SecretAccessKey", self.secret_access_key.expose()),
            ("SessionToken", self.session_token.expose()),
        ] {
            if !is_visible(text) {
                let message = format!("the answer's {name} is empty or not visible ASCII");
                return Err(client::error(ErrorKind::Malformed, action, message));
            }
        }
        Ok(Credentials::new(self.access_key_id, self.secret_access_key, provider)
            .with_session_token(Some(self.session_token))
            .with_expires_at(Some(self.expiration))
            .with_account_id(account_id))
    }
}

/// Keys and tokens go into headers, variables and files: nothing but visible ASCII belongs there.
pub(crate) fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// JSON with keys in the order in which they are put.
pub(super) struct Json(Map<String, Value>);

impl Json {
    pub(super) fn new() -> Self {
        Self(Map::new())
    }

    pub(super) fn put(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    pub(super) fn put_if(self, key: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.put(key, value),
            None => self,
        }
    }

    pub(super) fn done(self) -> Value {
        Value::Object(self.0)
    }
}

/// `Credentials` as AWS CLI prints them. Exposes the secrets.
pub(super) fn credentials_json(credentials: &Credentials) -> Value {
    Json::new()
        .put("AccessKeyId", credentials.access_key_id())
        .put("SecretAccessKey", credentials.secret_access_key().expose())
        .put_if("SessionToken", credentials.session_token().map(Secret::expose))
        .put_if("Expiration", credentials.expires_at().map(timestamp::format_with_offset))
        .done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_twelve_digits_in_any_partition() {
        for (arn, account) in [
            ("arn:aws:sts::123456789012:assumed-role/R/me", Some("123456789012")),
            ("arn:aws-us-gov:sts::123456789012:assumed-role/R/me", Some("123456789012")),
            ("arn:aws:iam::aws:policy/P", None),
            ("123456789012", None),
            ("", None),
        ] {
            assert_eq!(account_of(arn), account, "{arn}");
        }
    }
}
