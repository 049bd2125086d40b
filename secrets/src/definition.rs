use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::auth::Access;

/// A named definition of what is leased.
///
/// A change to it counts for new leases and for renewals; it never moves the end of a lease that
/// runs.
// Unknown fields end up in the kind, which denies them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynamicSecret {
    /// Its name: 1 to 128 of `A-Z a-z 0-9 . _ / -`.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// How to reach AWS.
    pub connection: Connection,
    /// What is made there.
    #[serde(flatten)]
    pub kind: SecretKind,
    /// The region, which decides the partition, above the connection's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Who may take a lease, by the sessions of auth methods: one must fit. Empty: whoever can open
    /// the store.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<Access>,
    /// How long a lease lasts if nobody says; a minute to ten years.
    #[serde(rename = "default_ttl_seconds", with = "seconds")]
    pub default_ttl: Duration,
    /// How long a lease may last in all, renewals included.
    #[serde(rename = "max_ttl_seconds", with = "seconds")]
    pub max_ttl: Duration,
}

/// Whose credentials make and remove what is leased. Secrets are named, never held: they lie in
/// profiles, files and variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Connection {
    /// The default chain of the machine that works on the lease.
    Default,
    /// A profile.
    Profile(String),
    /// An access key whose secret lies in a variable or a file of the machine that works on it.
    AccessKey {
        /// The access key id.
        access_key_id: String,
        /// `env:NAME` or `file://PATH`.
        secret_access_key: String,
    },
    /// A role assumed from another connection.
    AssumeRole {
        /// The role.
        role_arn: String,
        /// `ExternalId`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_id: Option<String>,
        /// What assumes it.
        source: Box<Connection>,
    },
    /// A role for a token in a file: IRSA and other OIDC issuers.
    WebIdentity {
        /// The role.
        role_arn: String,
        /// The file of the token.
        token_file: PathBuf,
    },
    /// A provider that the library's user brings under this name.
    Custom(String),
}

/// What is made in AWS for a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SecretKind {
    /// An IAM user with an access key; removed when the lease ends.
    IamUser(IamUser),
    /// A session of a role. It cannot be revoked.
    AssumedRole(AssumedRole),
    /// A session of `GetFederationToken`. It cannot be revoked.
    FederationToken(FederationToken),
    /// A session of `GetSessionToken`. It cannot be revoked.
    SessionToken(SessionToken),
}

/// An IAM user to make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IamUser {
    /// The path above ours: the user's is this, `rolecall` and the store's id. `/` if empty.
    pub path: String,
    /// The ARN of the permissions boundary.
    pub permissions_boundary: Option<String>,
    /// Groups it joins, at most 10.
    pub groups: Vec<String>,
    /// ARNs of managed policies, at most 10.
    pub policy_arns: Vec<String>,
    /// An inline policy: JSON.
    pub policy_document: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// The template of its name; 32 random characters without one.
    pub username_template: Option<String>,
}

/// A role's session to make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AssumedRole {
    /// The role.
    pub role_arn: String,
    /// `ExternalId`.
    pub external_id: Option<String>,
    /// Session policies by ARN.
    pub policy_arns: Vec<String>,
    /// A session policy: JSON.
    pub policy_document: Option<String>,
    /// Session tags.
    pub tags: BTreeMap<String, String>,
    /// The template of the session's name.
    pub username_template: Option<String>,
}

/// A federated session to make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FederationToken {
    /// Session policies by ARN.
    pub policy_arns: Vec<String>,
    /// A session policy: JSON.
    pub policy_document: Option<String>,
    /// Session tags.
    pub tags: BTreeMap<String, String>,
    /// The template of the federated user's name, 2 to 32 characters.
    pub username_template: Option<String>,
}

/// A session of the connection's own user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionToken {
    /// The MFA device, if the session is to be one with MFA.
    pub mfa_serial: Option<String>,
}

impl SecretKind {
    /// The name of the kind, as on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::IamUser(_) => "iam-user",
            Self::AssumedRole(_) => "assumed-role",
            Self::FederationToken(_) => "federation-token",
            Self::SessionToken(_) => "session-token",
        }
    }

    /// Whether what is leased can be taken back before its end.
    pub fn is_revocable(&self) -> bool {
        matches!(self, Self::IamUser(_))
    }
}

pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(ttl: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(ttl.as_secs())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_and_unknown_fields_are_refused() {
        let kinds = [
            SecretKind::IamUser(IamUser::default()),
            SecretKind::AssumedRole(AssumedRole::default()),
            SecretKind::FederationToken(FederationToken::default()),
            SecretKind::SessionToken(SessionToken::default()),
        ];
        for kind in kinds {
            let secret = DynamicSecret {
                name: "a".to_owned(),
                description: String::new(),
                connection: Connection::Profile("p".to_owned()),
                kind,
                region: Some("eu-west-1".to_owned()),
                access: Vec::new(),
                default_ttl: Duration::from_secs(60),
                max_ttl: Duration::from_secs(3600),
            };
            let mut json = serde_json::to_value(&secret).unwrap();
            assert_eq!(serde_json::from_value::<DynamicSecret>(json.clone()).unwrap(), secret);
            json["tgas"] = serde_json::json!({});
            let error = serde_json::from_value::<DynamicSecret>(json).unwrap_err();
            assert!(error.to_string().contains("tgas"), "{error}");
        }
    }
}
