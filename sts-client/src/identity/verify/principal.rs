//! Who STS says it is, checked: account, ARN and user id must tell one story.

use rolecall_core::endpoint::by_id;
use serde_json::{Map, Value};

use crate::identity::refusal::{Check, Refusal};

/// An identity that STS has vouched for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallerIdentity {
    /// The partition: `aws`.
    pub partition: String,
    /// The account: 12 digits. Names of roles and users mean something only together with it and
    /// the partition.
    pub account: String,
    /// The ARN as STS gave it.
    pub arn: String,
    /// The user id as STS gave it.
    pub user_id: String,
    /// Who it is.
    pub principal: Principal,
}

/// The kinds of principal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Principal {
    /// The account's root user.
    Root,
    /// An IAM user.
    User {
        /// `/` or `/division/team/`.
        path: String,
        /// Its name.
        name: String,
        /// `AIDA…`: a user made again under its name has another.
        id: String,
    },
    /// A role's session.
    AssumedRole {
        /// The role's name. AWS does not say its path.
        role_name: String,
        /// `AROA…`: a role made again under its name has another.
        role_id: String,
        /// The session's name, **which the caller chose**.
        session_name: String,
    },
    /// A federated user, **whose name the caller of GetFederationToken chose**.
    FederatedUser {
        /// Its name.
        name: String,
    },
}

impl Principal {
    /// The kind's name: `assumed-role`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::User { .. } => "user",
            Self::AssumedRole { .. } => "assumed-role",
            Self::FederatedUser { .. } => "federated-user",
        }
    }
}

impl CallerIdentity {
    /// Reads what GetCallerIdentity answered.
    ///
    /// # Errors
    /// If the three do not fit each other, or one is nothing that AWS gives out.
    pub fn new(account: &str, arn: &str, user_id: &str) -> Result<Self, Refusal> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, service, "", arn_account, resource] = parts[..] else {
            return Err(refuse(
                "arn-malformed",
                "the ARN has not the six parts of IAM's and STS's",
            ));
        };
        if by_id(partition).is_none() {
            return Err(refuse("arn-partition", "the ARN's partition is not one of AWS's"));
        }
        if !is_account(arn_account) || !is_account(account) {
            return Err(refuse("account-malformed", "an account is not twelve digits"));
        }
        if account != arn_account {
            return Err(refuse("account-differs", "Account is not the ARN's account"));
        }
        let principal = principal(service, resource, account, user_id)?;
        Ok(Self {
            partition: partition.to_owned(),
            account: account.to_owned(),
            arn: arn.to_owned(),
            user_id: user_id.to_owned(),
            principal,
        })
    }

    /// The ARN without what the caller chose: `arn:aws:iam::123456789012:role/Deploy` for each of
    /// the role's sessions (without its path, which AWS does not say).
    pub fn principal_arn(&self) -> String {
        match &self.principal {
            Principal::AssumedRole { role_name, .. } => {
                format!("arn:{}:iam::{}:role/{role_name}", self.partition, self.account)
            }
            _ => self.arn.clone(),
        }
    }

    /// The same as JSON; what the caller chose is called so.
    pub fn to_json(&self) -> Value {
        let mut json = Map::new();
        let mut put = |key: &str, value: &str| json.insert(key.to_owned(), value.into());
        put("kind", self.principal.kind());
        put("partition", &self.partition);
        put("account", &self.account);
        put("arn", &self.arn);
        put("user_id", &self.user_id);
        match &self.principal {
            Principal::Root => {}
            Principal::User { name, .. } => {
                put("user_name", name);
            }
            Principal::AssumedRole { role_name, role_id, session_name } => {
                put("role_name", role_name);
                put("role_id", role_id);
                put("session_name_caller_chosen", session_name);
            }
            Principal::FederatedUser { name } => {
                put("federated_name_caller_chosen", name);
            }
        }
        Value::Object(json)
    }
}

fn principal(
    service: &str,
    resource: &str,
    account: &str,
    user_id: &str,
) -> Result<Principal, Refusal> {
    let unfit = || refuse("user-id-differs", "UserId is not that of the ARN's kind of principal");
    match (service, resource.split_once('/')) {
        ("iam", None) if resource == "root" => {
            if user_id != account {
                return Err(unfit());
            }
            Ok(Principal::Root)
        }
        ("iam", Some(("user", rest))) => {
            let (path, name) =
                rest.rsplit_once('/').map_or(("", rest), |(path, name)| (path, name));
            let path_fits = path.len() <= 510 && path.bytes().all(|b| b.is_ascii_graphic());
            if !is_name(name, 64) || !path_fits {
                return Err(refuse("arn-name", "the ARN's user is not one that AWS names"));
            }
            if !is_id(user_id, "AIDA") {
                return Err(unfit());
            }
            let path = if path.is_empty() { "/".to_owned() } else { format!("/{path}/") };
            Ok(Principal::User { path, name: name.to_owned(), id: user_id.to_owned() })
        }
        ("sts", Some(("assumed-role", rest))) => {
            let (role, session) = rest.split_once('/').unwrap_or_default();
            if !is_name(role, 64) || !is_name(session, 64) {
                return Err(refuse("arn-name", "the ARN's role or session is not one of AWS's"));
            }
            let (id, id_session) = user_id.split_once(':').ok_or_else(unfit)?;
            if !is_id(id, "AROA") {
                return Err(unfit());
            }
            if id_session != session {
                return Err(refuse("session-differs", "UserId's session is not the ARN's"));
            }
            Ok(Principal::AssumedRole {
                role_name: role.to_owned(),
                role_id: id.to_owned(),
                session_name: session.to_owned(),
            })
        }
        ("sts", Some(("federated-user", name))) => {
            if !is_name(name, 64) {
                return Err(refuse("arn-name", "the ARN's federated user is not one of AWS's"));
            }
            if user_id.split_once(':') != Some((account, name)) {
                return Err(unfit());
            }
            Ok(Principal::FederatedUser { name: name.to_owned() })
        }
        _ => Err(refuse("arn-kind", "the ARN is of no kind of principal that AWS has")),
    }
}

/// `A-Za-z0-9+=,.@_-`, as IAM and STS have it for names.
pub(super) fn is_name(text: &str, longest: usize) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
    !text.is_empty() && text.len() <= longest && text.bytes().all(fits)
}

pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

pub(super) fn is_id(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix);
    let fits = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    text.len() <= 128 && rest.is_some_and(fits)
}

fn refuse(code: &'static str, message: &str) -> Refusal {
    Refusal::new(Check::Identity, code, message)
}
