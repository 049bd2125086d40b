//! Who a caller is, and the sessions that STS hands out.

use serde::Serialize;

use crate::secret::Secret;

/// Who signed a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Principal {
    /// An IAM user.
    User {
        /// Its ARN.
        arn: String,
        /// `AIDA…`.
        id: String,
    },
    /// An account's root user.
    Root {
        /// `arn:aws:iam::ACCOUNT:root`.
        arn: String,
        /// The account.
        account: String,
    },
    /// A role's session.
    AssumedRole {
        /// The role's ARN, with its path.
        role_arn: String,
        /// `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`, without the path.
        arn: String,
        /// `AROA…:SESSION`.
        id: String,
    },
    /// A federated user.
    Federated {
        /// `arn:aws:sts::ACCOUNT:federated-user/NAME`.
        arn: String,
        /// `ACCOUNT:NAME`.
        id: String,
    },
}

impl Principal {
    /// The ARN that GetCallerIdentity shows.
    pub fn arn(&self) -> &str {
        match self {
            Principal::User { arn, .. }
            | Principal::Root { arn, .. }
            | Principal::AssumedRole { arn, .. }
            | Principal::Federated { arn, .. } => arn,
        }
    }

    /// The id that GetCallerIdentity shows.
    pub fn id(&self) -> &str {
        match self {
            Principal::User { id, .. }
            | Principal::AssumedRole { id, .. }
            | Principal::Federated { id, .. } => id,
            Principal::Root { account, .. } => account,
        }
    }

    /// The account.
    pub fn account(&self) -> &str {
        self.arn().split(':').nth(4).unwrap_or_default()
    }

    /// The partition.
    pub fn partition(&self) -> &str {
        self.arn().split(':').nth(1).unwrap_or_default()
    }

    /// Whether a trust policy's principal names this caller: itself, the role behind its session,
    /// or its whole account.
    pub(crate) fn is_named_by(&self, pattern: &str) -> bool {
        let root = format!("arn:{}:iam::{}:root", self.partition(), self.account());
        let role = match self {
            Principal::AssumedRole { role_arn, .. } => role_arn.as_str(),
            _ => self.arn(),
        };
        pattern == self.account()
            || [self.arn(), role, &root].iter().any(|arn| crate::world::matches(pattern, arn))
    }
}

/// A session that STS handed out.
#[derive(Clone, Debug, Serialize)]
pub struct Session {
    /// `ASIA…`.
    pub access_key_id: String,
    /// Secret access key.
    #[serde(skip)]
    pub secret: Secret,
    /// Session token.
    #[serde(skip)]
    pub token: Secret,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    /// Whose session it is.
    pub principal: Principal,
    /// Made with a proven MFA device.
    pub mfa: bool,
    /// Session policy.
    pub policy: Option<String>,
    /// Managed policies given as session policies.
    pub policy_arns: Vec<String>,
    /// Session tags.
    pub tags: Vec<(String, String)>,
    /// Those tag keys that go on to the next role.
    pub transitive_tag_keys: Vec<String>,
    /// Source identity, which goes on to every next role.
    pub source_identity: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_session_is_named_by_its_role_itself_or_its_account() {
        let session = Principal::AssumedRole {
            role_arn: "arn:aws:iam::111111111111:role/p/R".into(),
            arn: "arn:aws:sts::111111111111:assumed-role/R/s".into(),
            id: "AROAX:s".into(),
        };
        for yes in [
            "arn:aws:iam::111111111111:role/p/R",
            "arn:aws:sts::111111111111:assumed-role/R/s",
            "arn:aws:iam::111111111111:root",
            "111111111111",
            "arn:aws:iam::111111111111:role/*",
            "*",
        ] {
            assert!(session.is_named_by(yes), "{yes}");
        }
        for no in [
            "arn:aws:iam::222222222222:role/p/R",
            "arn:aws:iam::111111111111:role/R",
            "arn:aws:sts::111111111111:assumed-role/R/s2",
            "222222222222",
        ] {
            assert!(!session.is_named_by(no), "{no}");
        }
    }
}
