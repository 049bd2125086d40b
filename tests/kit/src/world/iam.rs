//! What IAM knows of users and roles besides their names and keys, its groups and its policies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AccessKey, User, World, slash, stable_id};

/// What is attached to a user, and since when it exists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserIam {
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Its policies say what it may ask of STS, as they say it of IAM. A user that is neither
    /// `governed` nor has a policy may ask STS for everything that nothing denies, so that a world
    /// can be written without policies. Users made by CreateUser are governed.
    pub governed: bool,
    /// Tags, by key.
    pub tags: BTreeMap<String, String>,
    /// ARN of the permissions boundary.
    pub permissions_boundary: Option<String>,
    /// Names of the groups it is in.
    pub groups: Vec<String>,
    /// What it may do.
    pub policies: Policies,
    /// Password for the console.
    pub login_profile: Option<LoginProfile>,
    /// X.509 signing certificates.
    pub signing_certificates: Vec<Attachment>,
    /// SSH keys of CodeCommit.
    pub ssh_public_keys: Vec<Attachment>,
    /// Passwords of CodeCommit, Keyspaces and Bedrock.
    pub service_specific_credentials: Vec<Attachment>,
}

/// What limits and allows a role's sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoleIam {
    /// As for users.
    pub governed: bool,
    /// ARN of the permissions boundary.
    pub permissions_boundary: Option<String>,
    /// What its sessions may do.
    pub policies: Policies,
}

/// Identity-based policies of a user, a group or a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policies {
    /// ARNs of managed policies.
    pub attached: Vec<String>,
    /// Documents of inline policies, by name.
    pub inline: BTreeMap<String, String>,
}

impl Policies {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.attached.is_empty() && self.inline.is_empty()
    }
}

/// A console password, which the kit does not keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoginProfile {
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// It must be changed at the next sign-in.
    pub password_reset_required: bool,
}

/// A certificate, SSH key or service's password of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attachment {
    /// Its id, by which it is deleted.
    pub id: String,
    /// When it was added, in seconds since 1970.
    pub created: i64,
    /// Service of a service-specific credential, e.g. `codecommit.amazonaws.com`.
    pub service: String,
}

/// A group of users.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The account it lives in.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Its path.
    #[serde(default = "slash")]
    pub path: String,
    /// When it was made, in seconds since 1970.
    #[serde(default)]
    pub created: i64,
    /// What its members may do.
    #[serde(default)]
    pub policies: Policies,
}

/// A managed policy of a customer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedPolicy {
    /// The account it lives in.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Its path.
    #[serde(default = "slash")]
    pub path: String,
    /// Its document.
    pub document: String,
}

/// A virtual MFA device that no user has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnassignedMfa {
    /// The account it lives in.
    pub account: String,
    /// Its ARN.
    pub serial: String,
}

/// When and where an access key was last used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastUsed {
    /// Seconds since 1970.
    pub at: i64,
    /// e.g. `sts`.
    pub service: String,
    /// Region that the request was signed for.
    pub region: String,
}

/// How much of everything an account may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Users.
    pub users: usize,
    /// Groups.
    pub groups: usize,
    /// Groups that a user may be in.
    pub groups_per_user: usize,
    /// Managed policies of a user.
    pub attached_policies_per_user: usize,
    /// Access keys of a user, the inactive ones too.
    pub access_keys_per_user: usize,
    /// Letters of all inline policies of a user, without white space.
    pub user_policy_size: usize,
}

impl Default for Quotas {
    fn default() -> Quotas {
        Quotas {
            users: 5000,
            groups: 300,
            groups_per_user: 10,
            attached_policies_per_user: 10,
            access_keys_per_user: 2,
            user_policy_size: 2048,
        }
    }
}

impl Group {
    /// `AGPA…`.
    pub fn unique_id(&self) -> String {
        stable_id("AGPA", &self.account, &self.name)
    }
}

impl ManagedPolicy {
    /// `ANPA…`.
    pub fn unique_id(&self) -> String {
        stable_id("ANPA", &self.account, &self.name)
    }
}

impl World {
    /// ARN of a group, with its path.
    pub fn group_arn(&self, group: &Group) -> String {
        let partition = self.partition(&group.account);
        format!("arn:{partition}:iam::{}:group{}{}", group.account, group.path, group.name)
    }

    /// ARN of a customer's managed policy, with its path.
    pub fn policy_arn(&self, policy: &ManagedPolicy) -> String {
        let partition = self.partition(&policy.account);
        format!("arn:{partition}:iam::{}:policy{}{}", policy.account, policy.path, policy.name)
    }

    /// Where an IAM user of an account stands in `users`; names are compared exactly.
    pub(crate) fn user_index(&self, account: &str, name: &str) -> Option<usize> {
        let is_it = |user: &User| user.name == name && user.account == account && !user.root;
        self.hints.find(
            (account, name),
            |at| self.users.get(at).is_some_and(is_it),
            || self.users.iter().position(is_it),
        )
    }

    /// Where the user with an ARN stands in `users`. Reads the ARN instead of writing every user's.
    pub(crate) fn user_index_of_arn(&self, arn: &str) -> Option<usize> {
        let mut parts = arn.splitn(6, ':').skip(4);
        let (account, rest) = (parts.next()?, parts.next()?);
        if rest == "root" {
            return self.users.iter().position(|user| user.root && user.account == account);
        }
        let name = rest.rsplit('/').next()?;
        let at = self.user_index(account, name)?;
        (self.user_arn(&self.users[at]) == arn).then_some(at)
    }

    /// Where the user of an access key, active or not, stands in `users`.
    pub(crate) fn user_index_of_key(&self, access_key_id: &str) -> Option<usize> {
        let has_it = |user: &User| user.access_keys.iter().any(|key| key.id == access_key_id);
        self.hints.find(
            ("", access_key_id),
            |at| self.users.get(at).is_some_and(has_it),
            || self.users.iter().position(has_it),
        )
    }

    pub(crate) fn access_key_mut(&mut self, access_key_id: &str) -> Option<&mut AccessKey> {
        let at = self.user_index_of_key(access_key_id)?;
        self.users[at].access_keys.iter_mut().find(|key| key.id == access_key_id)
    }

    /// IAM's limits in an account.
    pub(crate) fn quotas(&self, account: &str) -> Quotas {
        let known = self.accounts.iter().find(|known| known.id == account);
        known.map(|account| account.quotas.clone()).unwrap_or_default()
    }

    /// A group of an account.
    pub(crate) fn group(&self, account: &str, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.account == account && group.name == name)
    }
}
