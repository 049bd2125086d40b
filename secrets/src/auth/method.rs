use std::time::{Duration, SystemTime};

use rolecall_core::{Context, CredentialsError, ErrorKind, Result};
use rolecall_sts::identity::{Binding, Bounds, Policy, TokenFormat};
use serde::{Deserialize, Serialize};

/// What access ids begin with.
const ACCESS_ID: &str = "p-";
const SHORTEST_SESSION: Duration = Duration::from_secs(60);
const LONGEST_SESSION: Duration = Duration::from_secs(7 * 86_400);

/// A named way to log in with an IAM identity, as Akeyless has them: whom it lets in, with which
/// tokens, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthMethod {
    /// Its name: 1 to 128 of `A-Z a-z 0-9 . _ / -`.
    pub name: String,
    /// `p-` and 14 of `a-z 0-9`: what logins and [`super::Access`] name. Never used again.
    pub access_id: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Whom it lets in.
    pub bounds: Bounds,
    /// The dialects that it takes.
    pub formats: Vec<TokenFormat>,
    /// This server's name, that tokens of Vault must be bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<String>,
    /// The cluster that tokens of EKS must be for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// This server's name, that rolecall's own tokens must be for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// How long a session lasts: a minute to a week.
    #[serde(rename = "jwt_ttl_seconds", with = "crate::definition::seconds")]
    pub jwt_ttl: Duration,
    /// From when on nobody comes in, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_expires: Option<u64>,
    /// Whether it can be deleted only after this was taken off.
    #[serde(default)]
    pub delete_protection: bool,
}

/// A method as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMethod {
    /// The method.
    pub method: AuthMethod,
    /// 1, 2, 3 … with each change.
    pub version: u32,
    /// When this version was written.
    pub changed_at: SystemTime,
}

impl AuthMethod {
    /// How long a session lasts unless somebody says otherwise.
    pub const JWT_TTL: Duration = Duration::from_secs(3600);

    /// A method that lets nobody in yet, with an access id of its own. It takes Akeyless's tokens
    /// and sessions last an hour.
    pub fn new(context: &Context, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            access_id: new_access_id(context),
            description: String::new(),
            bounds: Bounds::default(),
            formats: vec![TokenFormat::Akeyless],
            server_id: None,
            cluster: None,
            audience: None,
            jwt_ttl: Self::JWT_TTL,
            access_expires: None,
            delete_protection: false,
        }
    }

    /// Checks all of it, and makes the policy that tokens are checked against.
    ///
    /// # Errors
    /// `InvalidConfiguration` for what is wrong.
    pub fn policy(&self) -> Result<Policy> {
        if !crate::check::is_secret_name(&self.name) || self.name.starts_with(ACCESS_ID) {
            return Err(self.wrong(
                "its name must have 1 to 128 of A-Z a-z 0-9 . _ - / and not begin with p- or a \
                 slash",
            ));
        }
        let id = self.access_id.strip_prefix(ACCESS_ID).unwrap_or_default();
        if id.len() < 8 || id.len() > 64 || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(self.wrong("its access id must be p- and 8 to 64 letters and digits"));
        }
        if self.description.chars().count() > 1000 {
            return Err(self.wrong("its description has more than 1000 characters"));
        }
        if !(SHORTEST_SESSION..=LONGEST_SESSION).contains(&self.jwt_ttl) {
            return Err(self.wrong("sessions last a minute to a week"));
        }
        let binding = Binding {
            server_id: self.server_id.clone(),
            cluster: self.cluster.clone(),
            audience: self.audience.clone(),
            challenges: None,
        };
        Policy::new(&self.bounds, &self.formats, binding)
            .map_err(|error| error.with_place(format!("auth method {}", self.name)))
    }

    /// When its time is over, if ever.
    pub(super) fn end(&self) -> Option<SystemTime> {
        let since = self.access_expires.map(Duration::from_secs)?;
        SystemTime::UNIX_EPOCH.checked_add(since)
    }

    /// Refuses it if its time is over at `now`.
    ///
    /// # Errors
    /// `Denied`.
    pub fn check_time(&self, now: SystemTime) -> Result<()> {
        if self.end().is_none_or(|end| now < end) {
            return Ok(());
        }
        let message = format!("the auth method {} has ended", self.name);
        Err(CredentialsError::new(ErrorKind::Denied, "auth method", message)
            .with_help("give it another --access-expires"))
    }

    fn wrong(&self, message: &str) -> CredentialsError {
        CredentialsError::new(ErrorKind::InvalidConfiguration, "auth method", message)
            .with_place(rolecall_core::printable(&self.name, 128))
    }
}

fn new_access_id(context: &Context) -> String {
    const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut bits = u128::from(context.random.bits()) << 64 | u128::from(context.random.bits());
    let mut id = ACCESS_ID.to_owned();
    for _ in 0..14 {
        id.push(char::from(DIGITS[(bits % 36) as usize]));
        bits /= 36;
    }
    id
}
