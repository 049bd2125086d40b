//! The world as data: accounts, users, roles and identity providers.
//!
//! Everything here reads from and writes to JSON (`POST /_kit/world`, `--world FILE`), so every
//! field but names has a default.

mod default;
mod eks;
mod hints;
mod iam;
mod metadata;
mod roles_anywhere;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::secret::Secret;

pub use default::names;
pub use eks::EksCluster;
pub use hints::Hints;
pub use iam::{
    Attachment, Group, LastUsed, LoginProfile, ManagedPolicy, Policies, Quotas, RoleIam,
    UnassignedMfa, UserIam,
};
pub use metadata::{Container, Imds, ImdsTokens};
pub use roles_anywhere::{RolesAnywhereProfile, TrustAnchor};

/// Everything that exists before the first call.
#[derive(Clone, Debug, Serialize, Deserialize)]
// In JSON, a part left out is an empty part: `World::default()` is not what is missing.
#[serde(default = "World::empty", deny_unknown_fields)]
pub struct World {
    /// Accounts.
    pub accounts: Vec<Account>,
    /// IAM users.
    pub users: Vec<User>,
    /// IAM roles.
    pub roles: Vec<Role>,
    /// IAM groups.
    pub groups: Vec<Group>,
    /// Managed policies of customers.
    pub policies: Vec<ManagedPolicy>,
    /// Virtual MFA devices that no user has.
    pub unassigned_mfa: Vec<UnassignedMfa>,
    /// OpenID Connect providers.
    pub oidc_providers: Vec<OidcProvider>,
    /// SAML providers.
    pub saml_providers: Vec<SamlProvider>,
    /// Users of IAM Identity Center.
    pub sso_users: Vec<SsoUser>,
    /// Trust anchors of IAM Roles Anywhere.
    pub trust_anchors: Vec<TrustAnchor>,
    /// Profiles of IAM Roles Anywhere.
    pub roles_anywhere_profiles: Vec<RolesAnywhereProfile>,
    /// Clusters of EKS.
    pub eks_clusters: Vec<EksCluster>,
    /// The one region that STS signatures may be scoped to; `None` takes any.
    pub sts_region: Option<String>,
    /// The metadata service of an instance.
    pub imds: Imds,
    /// The endpoints of containers.
    pub container: Container,
    /// Where users were last found.
    #[serde(skip)]
    pub hints: Hints,
}

/// An AWS account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// `aws`, `aws-cn`, …
    #[serde(default = "aws")]
    pub partition: String,
    /// The account whose users may call `AssumeRoot` on this one.
    #[serde(default)]
    pub root_managed_by: Option<String>,
    /// IAM's limits.
    #[serde(default)]
    pub quotas: Quotas,
}

/// An IAM user.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The account it lives in.
    pub account: String,
    /// Its name; `root` with `root: true` is the account's root user.
    pub name: String,
    /// Its path.
    #[serde(default = "slash")]
    pub path: String,
    /// `AIDA…`; made from account and name if empty.
    #[serde(default)]
    pub id: String,
    /// Long-term access keys.
    #[serde(default)]
    pub access_keys: Vec<AccessKey>,
    /// MFA devices.
    #[serde(default)]
    pub mfa_devices: Vec<MfaDevice>,
    /// Actions an explicit deny forbids, e.g. `sts:AssumeRole`, `sts:*`.
    #[serde(default)]
    pub denied_actions: Vec<String>,
    /// The account's root user.
    #[serde(default)]
    pub root: bool,
    /// What IAM knows of it besides.
    #[serde(default)]
    pub iam: UserIam,
}

/// A long-term access key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKey {
    /// `AKIA…`.
    pub id: String,
    /// Secret access key.
    pub secret: Secret,
    /// An inactive key is answered like an unknown one.
    #[serde(default = "yes")]
    pub active: bool,
    /// When it was made, in seconds since 1970.
    #[serde(default)]
    pub created: i64,
    /// When it last signed a request that was accepted.
    #[serde(default)]
    pub last_used: Option<LastUsed>,
}

/// A virtual MFA device. Its codes do not depend on the time: each listed code is taken once, in
/// any order, like a code of a real device, unless `reusable`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MfaDevice {
    /// ARN or serial number.
    pub serial: String,
    /// Codes of six digits that it will show.
    pub codes: Vec<Secret>,
    /// Takes a code any number of times.
    #[serde(default)]
    pub reusable: bool,
}

/// An IAM role.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// The account it lives in.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Its path.
    #[serde(default = "slash")]
    pub path: String,
    /// `AROA…`; made from account and name if empty.
    #[serde(default)]
    pub id: String,
    /// Longest session in seconds, 3600 to 43200.
    #[serde(default = "hour")]
    pub max_session_duration: u32,
    /// Who may assume it.
    #[serde(default)]
    pub trust: Trust,
    /// Actions an explicit deny forbids its sessions.
    #[serde(default)]
    pub denied_actions: Vec<String>,
    /// What its sessions may do.
    #[serde(default)]
    pub iam: RoleIam,
}

/// Who may assume a role. Every condition that is set must hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trust {
    /// ARNs that may call `AssumeRole`: a user, a role (for its sessions), a session, an account's
    /// root (for everyone in it); a `*` at the end takes anything from there.
    pub principals: Vec<String>,
    /// The `ExternalId` that must be given.
    pub external_id: Option<String>,
    /// The caller must prove an MFA device, now or when its session was made.
    pub mfa: bool,
    /// Who may come with a web identity token.
    pub web_identity: Option<WebTrust>,
    /// ARN of the SAML provider whose assertions are taken.
    pub saml_provider: Option<String>,
    /// A trust policy as IAM takes it, for services: its statements for
    /// `rolesanywhere.amazonaws.com` say who may come with a certificate.
    pub policy: Option<Value>,
}

/// Which web identity tokens a role takes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebTrust {
    /// Issuer of the token: the `url` of one of the world's providers.
    pub provider: String,
    /// Audiences; empty takes any that the provider knows.
    pub audiences: Vec<String>,
    /// Subjects; a `*` at the end takes anything from there; empty takes all.
    pub subjects: Vec<String>,
}

/// An OpenID Connect provider of an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcProvider {
    /// The account that knows it.
    pub account: String,
    /// Issuer, e.g. `https://oidc.example.com`.
    pub url: String,
    /// Audiences (client ids) it is registered with.
    pub audiences: Vec<String>,
    /// Key of the HS256 signature of its tokens.
    pub hs256_key: Secret,
    /// Takes tokens whatever their signature.
    #[serde(default)]
    pub accept_unsigned: bool,
}

/// A SAML provider of an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamlProvider {
    /// `arn:aws:iam::ACCOUNT:saml-provider/NAME`.
    pub arn: String,
    /// Entity id of the identity provider, the assertion's `Issuer`.
    pub issuer: String,
    /// Key of the kit's own signature over its assertions.
    pub key: Secret,
    /// Takes assertions whatever their signature.
    #[serde(default)]
    pub accept_unsigned: bool,
}

/// A user of IAM Identity Center, whom `POST /_kit/sso-login` signs in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SsoUser {
    /// The name, which its role sessions bear.
    pub name: String,
    /// What it may have credentials of.
    #[serde(default)]
    pub assignments: Vec<SsoAssignment>,
}

/// A permission set in an account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SsoAssignment {
    /// The account.
    pub account: String,
    /// The permission set: `sso_role_name`.
    pub role: String,
}

impl World {
    /// A world with nothing in it.
    pub fn empty() -> World {
        World {
            accounts: Vec::new(),
            users: Vec::new(),
            roles: Vec::new(),
            groups: Vec::new(),
            policies: Vec::new(),
            unassigned_mfa: Vec::new(),
            oidc_providers: Vec::new(),
            saml_providers: Vec::new(),
            sso_users: Vec::new(),
            trust_anchors: Vec::new(),
            roles_anywhere_profiles: Vec::new(),
            eks_clusters: Vec::new(),
            sts_region: None,
            imds: Imds::default(),
            container: Container::default(),
            hints: Hints::default(),
        }
    }

    /// Adds everything of another world; what has the same name is replaced. The metadata service
    /// and the containers' endpoint stay as they are.
    pub fn merge(&mut self, other: World) {
        put(&mut self.accounts, other.accounts, |a, b| a.id == b.id);
        put(&mut self.users, other.users, |a, b| a.account == b.account && a.name == b.name);
        put(&mut self.roles, other.roles, |a, b| a.account == b.account && a.name == b.name);
        put(&mut self.groups, other.groups, |a, b| a.account == b.account && a.name == b.name);
        put(&mut self.policies, other.policies, |a, b| a.account == b.account && a.name == b.name);
        put(&mut self.unassigned_mfa, other.unassigned_mfa, |a, b| a.serial == b.serial);
        put(&mut self.oidc_providers, other.oidc_providers, |a, b| {
            a.account == b.account && a.url == b.url
        });
        put(&mut self.saml_providers, other.saml_providers, |a, b| a.arn == b.arn);
        put(&mut self.sso_users, other.sso_users, |a, b| a.name == b.name);
        put(&mut self.trust_anchors, other.trust_anchors, |a, b| a.arn == b.arn);
        put(&mut self.roles_anywhere_profiles, other.roles_anywhere_profiles, |a, b| {
            a.arn == b.arn
        });
        put(&mut self.eks_clusters, other.eks_clusters, |a, b| {
            (&a.name, &a.account, &a.region) == (&b.name, &b.account, &b.region)
        });
        if other.sts_region.is_some() {
            self.sts_region = other.sts_region;
        }
    }

    /// ARN of an account's OpenID Connect provider.
    pub fn oidc_arn(&self, provider: &OidcProvider) -> String {
        let host = provider.url.trim_start_matches("https://");
        let partition = self.partition(&provider.account);
        format!("arn:{partition}:iam::{}:oidc-provider/{host}", provider.account)
    }

    /// The partition of an account.
    pub fn partition(&self, account: &str) -> &str {
        self.accounts
            .iter()
            .find(|known| known.id == account)
            .map_or("aws", |account| account.partition.as_str())
    }

    /// ARN of a user, with its path.
    pub fn user_arn(&self, user: &User) -> String {
        let partition = self.partition(&user.account);
        if user.root {
            return format!("arn:{partition}:iam::{}:root", user.account);
        }
        format!("arn:{partition}:iam::{}:user{}{}", user.account, user.path, user.name)
    }

    /// ARN of a role, with its path.
    pub fn role_arn(&self, role: &Role) -> String {
        let partition = self.partition(&role.account);
        format!("arn:{partition}:iam::{}:role{}{}", role.account, role.path, role.name)
    }

    /// The role with an ARN.
    pub fn role(&self, arn: &str) -> Option<&Role> {
        self.roles.iter().find(|role| self.role_arn(role) == arn)
    }

    /// The same, to be changed.
    pub fn role_mut(&mut self, arn: &str) -> Option<&mut Role> {
        let at = self.roles.iter().position(|role| self.role_arn(role) == arn)?;
        self.roles.get_mut(at)
    }

    /// The user of an active access key, and its secret.
    pub fn user_of_key(&self, access_key_id: &str) -> Option<(&User, &AccessKey)> {
        let user = &self.users[self.user_index_of_key(access_key_id)?];
        let key = user.access_keys.iter().find(|key| key.id == access_key_id && key.active)?;
        Some((user, key))
    }

    /// Every secret the world starts with.
    pub fn secrets(&self) -> Vec<Secret> {
        let keys = self.users.iter().flat_map(|user| &user.access_keys).map(|key| &key.secret);
        let codes =
            self.users.iter().flat_map(|user| &user.mfa_devices).flat_map(|device| &device.codes);
        let oidc = self.oidc_providers.iter().map(|provider| &provider.hs256_key);
        let saml = self.saml_providers.iter().map(|provider| &provider.key);
        let pods = &self.container.pod_tokens;
        keys.chain(codes).chain(oidc).chain(saml).chain(pods).cloned().collect()
    }
}

fn put<T>(into: &mut Vec<T>, new: Vec<T>, same: impl Fn(&T, &T) -> bool) {
    for item in new {
        match into.iter_mut().find(|old| same(old, &item)) {
            Some(old) => *old = item,
            None => into.push(item),
        }
    }
}

/// An id in AWS's form that is always the same for the same thing: `AIDA` + 17 letters.
pub(crate) fn stable_id(prefix: &str, account: &str, name: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let text = format!("{prefix}/{account}/{name}");
    let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let letters = hash.as_ref().iter().take(17).map(|byte| LETTERS[usize::from(byte & 31)]);
    prefix.chars().chain(letters.map(char::from)).collect()
}

impl User {
    /// `AIDA…`, or the account's id for its root user.
    pub fn unique_id(&self) -> String {
        match (self.root, self.id.as_str()) {
            (true, _) => self.account.clone(),
            (false, "") => stable_id("AIDA", &self.account, &self.name),
            (false, id) => id.to_owned(),
        }
    }
}

impl Role {
    /// `AROA…`.
    pub fn unique_id(&self) -> String {
        match self.id.as_str() {
            "" => stable_id("AROA", &self.account, &self.name),
            id => id.to_owned(),
        }
    }
}

/// Whether a pattern that may end in `*` takes a text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => pattern == text,
    }
}

/// Whether a list of denied actions (`sts:AssumeRole`, `sts:*`, `*`) holds an action.
pub(crate) fn denies(denied: &[String], action: &str) -> bool {
    denied.iter().any(|pattern| matches(pattern, action))
}

fn aws() -> String {
    "aws".to_owned()
}

fn slash() -> String {
    "/".to_owned()
}

fn hour() -> u32 {
    3600
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_world_survives_json() {
        let json = serde_json::to_string(&World::default()).unwrap();
        let back: World = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), json);
    }

    #[test]
    fn a_partial_json_world_starts_from_the_named_parts_only() {
        let text = r#"{"roles":[{"account":"111111111111","name":"New"}]}"#;
        let mut world = World::default();
        let users = world.users.len();
        world.merge(serde_json::from_str(text).unwrap());
        assert_eq!(world.users.len(), users);
        assert!(world.role("arn:aws:iam::111111111111:role/New").is_some());
    }

    #[test]
    fn only_a_star_at_the_end_is_a_wildcard() {
        assert!(matches("arn:aws:iam::1:role/*", "arn:aws:iam::1:role/x"));
        assert!(!matches("arn:aws:iam::1:role/x", "arn:aws:iam::1:role/xy"));
        assert!(!matches("a*b", "aXb"));
    }
}
