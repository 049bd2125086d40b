//! Who may come in: bounds as Akeyless has them.

use std::collections::HashSet;

use rolecall_core::{CredentialsError, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::pattern::Pattern;
use super::principal::{CallerIdentity, Principal, is_account, is_name};
use crate::identity::refusal::{Check, Refusal};

/// Whom a policy lets in. Of each kind that is not empty one must fit (OR), and all kinds must
/// (AND).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// The partition; `aws` unless somebody says otherwise.
    pub partition: String,
    /// Accounts: twelve digits each. Required.
    pub account_ids: Vec<String>,
    /// ARNs of users, roles, sessions of roles, federated users and root users. `*` (any number of
    /// characters) and `?` (one) may stand in names. For a role, `…:iam::A:role/NAME` and
    /// `…:sts::A:assumed-role/NAME` take any session of it, `…assumed-role/NAME/SESSION` a named
    /// one, which the caller chose. In the names of roles and sessions a `*` ends at the next `/`.
    pub arns: Vec<String>,
    /// Names of roles.
    pub role_names: Vec<String>,
    /// Ids of roles: `AROA…`.
    pub role_ids: Vec<String>,
    /// Names of users, without their path.
    pub user_names: Vec<String>,
    /// Ids of users: `AIDA…`.
    pub user_ids: Vec<String>,
    /// Names of sessions, with `*` and `?`. **The caller chooses them**, unless the trust policy of
    /// the role restricts `sts:RoleSessionName`.
    pub session_names: Vec<String>,
    /// What of the identity names it to those who use it.
    pub unique_identifier: Option<SubClaim>,
    /// The STS to ask instead of AWS's own hosts: `https://vpce-….sts.us-east-1.vpce.amazonaws.com`.
    /// Tokens for another are refused.
    pub sts_url: Option<String>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            partition: "aws".to_owned(),
            account_ids: Vec::new(),
            arns: Vec::new(),
            role_names: Vec::new(),
            role_ids: Vec::new(),
            user_names: Vec::new(),
            user_ids: Vec::new(),
            session_names: Vec::new(),
            unique_identifier: None,
            sts_url: None,
        }
    }
}

/// A part of an identity that the caller did not choose, and that can name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SubClaim {
    /// The account.
    AccountId,
    /// The ARN without a session's name.
    PrincipalArn,
    /// The role's name.
    RoleName,
    /// The role's id.
    RoleId,
    /// The user's name.
    UserName,
    /// The user's id.
    UserId,
}

impl SubClaim {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::AccountId,
        Self::PrincipalArn,
        Self::RoleName,
        Self::RoleId,
        Self::UserName,
        Self::UserId,
    ];

    /// Its name: `role_id`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccountId => "account_id",
            Self::PrincipalArn => "principal_arn",
            Self::RoleName => "role_name",
            Self::RoleId => "role_id",
            Self::UserName => "user_name",
            Self::UserId => "user_id",
        }
    }

    /// The one called `name`.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is none, or if the caller chooses what is called so.
    pub fn parse(name: &str) -> Result<Self> {
        let message = match name {
            "" => "the unique identifier is empty".to_owned(),
            "arn" | "session_name" | "federated_name" => {
                format!("the unique identifier {name} holds what the caller chooses")
            }
            _ => match Self::ALL.into_iter().find(|claim| claim.name() == name) {
                Some(claim) => return Ok(claim),
                None => {
                    let shown = rolecall_core::printable(name, 40);
                    format!("there is no unique identifier called {shown}")
                }
            },
        };
        let names = Self::ALL.map(Self::name).join(", ");
        Err(CredentialsError::new(ErrorKind::InvalidConfiguration, "bounds", message)
            .with_help(format!("take one of {names}")))
    }

    /// What it is of this identity.
    pub fn of(self, identity: &CallerIdentity) -> Option<String> {
        match (self, &identity.principal) {
            (Self::AccountId, _) => Some(identity.account.clone()),
            // The name of a federated user is chosen by the caller too.
            (Self::PrincipalArn, Principal::FederatedUser { .. }) => None,
            (Self::PrincipalArn, _) => Some(identity.principal_arn()),
            (Self::RoleName, Principal::AssumedRole { role_name, .. }) => Some(role_name.clone()),
            (Self::RoleId, Principal::AssumedRole { role_id, .. }) => Some(role_id.clone()),
            (Self::UserName, Principal::User { name, .. }) => Some(name.clone()),
            (Self::UserId, Principal::User { id, .. }) => Some(id.clone()),
            _ => None,
        }
    }
}

/// An ARN of [`Bounds::arns`], read.
#[derive(Clone, Debug)]
pub(super) struct ArnBound {
    pub(super) partition: String,
    pub(super) account: String,
    pub(super) resource: Resource,
}

#[derive(Clone, Debug)]
pub(super) enum Resource {
    Root,
    /// Path and name: paths are the administrator's, so a star may reach across them.
    User(Pattern),
    /// A role by its name; `has_path`: AWS does not say paths, so that one never fits.
    Role {
        name: Pattern,
        session: Option<Pattern>,
        has_path: bool,
    },
    FederatedUser(Pattern),
}

impl ArnBound {
    /// Reads a bound; the error is what is wrong with it, by code and text.
    pub(super) fn parse(text: &str) -> Result<Self, (&'static str, &'static str)> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, service, "", account, resource] = parts[..] else {
            return Err(("arn-malformed", "it has not the six parts of an ARN of IAM or STS"));
        };
        if account.contains(['*', '?']) {
            let message = "it has a wildcard for an account, and names mean nothing without one";
            return Err(("arn-wildcard-account", message));
        }
        if !is_account(account) {
            return Err(("arn-account", "its account is not twelve digits"));
        }
        let (kind, rest) = resource.split_once('/').unwrap_or((resource, ""));
        if [partition, service, kind].iter().any(|part| part.contains(['*', '?'])) {
            let message = "it has a wildcard for a partition, a service or a kind of principal";
            return Err(("arn-wildcard-kind", message));
        }
        let pattern = |text: &str| {
            let pattern = Pattern::new(text).filter(|_| !text.is_empty());
            pattern.ok_or(("arn-name", "a name in it is empty, not ASCII, or too long for its ?"))
        };
        let resource = match (service, kind) {
            ("iam", "root") if resource == "root" => Resource::Root,
            ("iam", "user") => Resource::User(pattern(rest)?),
            ("iam", "role") => {
                let name = rest.rsplit_once('/').map_or(rest, |(_, name)| name);
                let has_path = rest.contains('/');
                Resource::Role { name: pattern(name)?, session: None, has_path }
            }
            ("sts", "assumed-role") => {
                let (name, session) = match rest.split_once('/') {
                    Some((name, session)) => (name, Some(pattern(session)?)),
                    None => (rest, None),
                };
                Resource::Role { name: pattern(name)?, session, has_path: false }
            }
            ("sts", "federated-user") => Resource::FederatedUser(pattern(rest)?),
            _ => return Err(("arn-kind", "it is of no kind of principal that AWS has")),
        };
        Ok(Self { partition: partition.to_owned(), account: account.to_owned(), resource })
    }

    fn matches(&self, identity: &CallerIdentity) -> bool {
        if self.partition != identity.partition || self.account != identity.account {
            return false;
        }
        match (&self.resource, &identity.principal) {
            (Resource::Root, Principal::Root) => true,
            (Resource::User(pattern), Principal::User { .. }) => {
                identity.arn.split_once(":user/").is_some_and(|(_, rest)| pattern.matches(rest))
            }
            (Resource::FederatedUser(pattern), Principal::FederatedUser { name }) => {
                pattern.matches(name)
            }
            (
                Resource::Role { name, session, has_path: false },
                Principal::AssumedRole { role_name, session_name, .. },
            ) => {
                name.matches(role_name)
                    && session.as_ref().is_none_or(|session| session.matches(session_name))
            }
            _ => false,
        }
    }

    /// The one ARN that it fits, if it has no wildcard: of the session if it names one, else of the
    /// role.
    fn literal(&self) -> Option<String> {
        let Self { partition, account, resource } = self;
        match resource {
            Resource::Role { name, session: None, has_path: false } if name.is_literal() => {
                Some(format!("arn:{partition}:iam::{account}:role/{}", name.text()))
            }
            Resource::User(name) if name.is_literal() => {
                Some(format!("arn:{partition}:iam::{account}:user/{}", name.text()))
            }
            _ => None,
        }
    }
}

/// Bounds, ready to be asked: ten thousand names cost what one does, and each wildcard one look.
#[derive(Debug)]
pub(super) struct Compiled {
    accounts: HashSet<String>,
    arns: Option<(HashSet<String>, Vec<ArnBound>)>,
    role_names: HashSet<String>,
    role_ids: HashSet<String>,
    user_names: HashSet<String>,
    user_ids: HashSet<String>,
    session_names: Vec<Pattern>,
    sub_claim: Option<SubClaim>,
}

impl Compiled {
    /// Of bounds in which `lint` has found no error.
    pub(super) fn new(bounds: &Bounds) -> Self {
        let set = |list: &[String]| list.iter().cloned().collect();
        let arns = bounds.arns.iter().filter_map(|arn| ArnBound::parse(arn).ok());
        let (mut literals, mut patterns) = (HashSet::new(), Vec::new());
        for arn in arns {
            match arn.literal() {
                Some(literal) => drop(literals.insert(literal)),
                None => patterns.push(arn),
            }
        }
        Self {
            accounts: set(&bounds.account_ids),
            arns: (!bounds.arns.is_empty()).then_some((literals, patterns)),
            role_names: set(&bounds.role_names),
            role_ids: set(&bounds.role_ids),
            user_names: set(&bounds.user_names),
            user_ids: set(&bounds.user_ids),
            session_names: bounds.session_names.iter().filter_map(|p| Pattern::new(p)).collect(),
            sub_claim: bounds.unique_identifier,
        }
    }

    /// Asks each kind in order; `note` is told of each that fits, and whether it was asked at all.
    /// Gives the value of the unique identifier.
    pub(super) fn check(
        &self,
        identity: &CallerIdentity,
        mut note: impl FnMut(Check, bool),
    ) -> Result<Option<String>, Refusal> {
        let account = &identity.account;
        bound(self.accounts.contains(account), Check::Account, "account-not-bound", || {
            format!("the account {account}")
        })?;
        note(Check::Account, true);
        if let Some((literals, patterns)) = &self.arns {
            let fits = (!literals.is_empty() && literals.contains(&identity.principal_arn()))
                || patterns.iter().any(|pattern| pattern.matches(identity));
            bound(fits, Check::Arn, "arn-not-bound", || format!("the ARN {}", identity.arn))?;
        }
        note(Check::Arn, self.arns.is_some());
        let (role, user) = match &identity.principal {
            Principal::AssumedRole { role_name, role_id, session_name } => {
                (Some((role_name, role_id, session_name)), None)
            }
            Principal::User { name, id, .. } => (None, Some((name, id))),
            _ => (None, None),
        };
        let (role_name, role_id) = (role.map(|role| role.0), role.map(|role| role.1));
        let (user_name, user_id) = (user.map(|user| user.0), user.map(|user| user.1));
        for (check, code, what, set, value) in [
            (Check::RoleName, "role-name-not-bound", "role's name", &self.role_names, role_name),
            (Check::RoleId, "role-id-not-bound", "role's id", &self.role_ids, role_id),
            (Check::UserName, "user-name-not-bound", "user's name", &self.user_names, user_name),
            (Check::UserId, "user-id-not-bound", "user's id", &self.user_ids, user_id),
        ] {
            if !set.is_empty() {
                let fits = value.is_some_and(|value| set.contains(value));
                bound(fits, check, code, || match value {
                    Some(value) => format!("the {what} {value}"),
                    None => {
                        let kind = identity.principal.kind();
                        format!("an identity of the kind {kind} has no {what}, which")
                    }
                })?;
            }
            note(check, !set.is_empty());
        }
        if !self.session_names.is_empty() {
            let fits = role.is_some_and(|role| {
                self.session_names.iter().any(|pattern| pattern.matches(role.2))
            });
            bound(fits, Check::SessionName, "session-name-not-bound", || {
                "the session's name, which the caller chose,".to_owned()
            })?;
        }
        note(Check::SessionName, !self.session_names.is_empty());
        let Some(claim) = self.sub_claim else {
            note(Check::SubClaim, false);
            return Ok(None);
        };
        let value = claim.of(identity).ok_or_else(|| {
            let (kind, claim) = (identity.principal.kind(), claim.name());
            let message = format!("an identity of the kind {kind} has no {claim}");
            Refusal::new(Check::SubClaim, "sub-claim-missing", message)
        })?;
        note(Check::SubClaim, true);
        Ok(Some(value))
    }
}

/// Refuses what does not fit; only then is it told in words.
fn bound(
    fits: bool,
    check: Check,
    code: &'static str,
    what: impl FnOnce() -> String,
) -> Result<(), Refusal> {
    if fits {
        return Ok(());
    }
    let message = format!("{} is not among those that are bound", what());
    Err(Refusal::new(check, code, message))
}

/// Whether `text` can be the name of a role or user at all.
pub(super) fn is_bound_name(text: &str) -> bool {
    is_name(text, 64)
}
