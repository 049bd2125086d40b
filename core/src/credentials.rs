use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::Secret;

/// AWS credentials: an access key id, its secret, and for short-lived ones a session token and the
/// moment they end. Cheap to clone; the secrets are zeroed when the last clone is dropped.
///
/// ```
/// use rolecall_core::Credentials;
/// let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI", "example");
/// assert_eq!(credentials.access_key_id(), "AKIAIOSFODNN7EXAMPLE");
/// assert!(credentials.expires_at().is_none());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(Arc<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<Secret>,
    expires_at: Option<SystemTime>,
    account_id: Option<String>,
    provider: Cow<'static, str>,
}

impl Credentials {
    /// Long-lived credentials; `provider` says where they came from, for messages.
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<Secret>,
        provider: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Arc::new(Inner {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
            expires_at: None,
            account_id: None,
            provider: provider.into(),
        }))
    }

    /// With a session token, as every credential of STS has one. `None` leaves them as they are.
    #[must_use]
    pub fn with_session_token(mut self, token: Option<Secret>) -> Self {
        Arc::make_mut(&mut self.0).session_token = token;
        self
    }

    /// With the moment (UTC) from which AWS refuses them. `None`: they do not end.
    #[must_use]
    pub fn with_expires_at(mut self, expires_at: Option<SystemTime>) -> Self {
        Arc::make_mut(&mut self.0).expires_at = expires_at;
        self
    }

    /// With the account they belong to: 12 digits.
    #[must_use]
    pub fn with_account_id(mut self, account_id: Option<String>) -> Self {
        Arc::make_mut(&mut self.0).account_id = account_id;
        self
    }

    /// The access key id. Not a secret: it shows in every request and in CloudTrail.
    pub fn access_key_id(&self) -> &str {
        &self.0.access_key_id
    }

    /// The secret access key.
    pub fn secret_access_key(&self) -> &Secret {
        &self.0.secret_access_key
    }

    /// The session token, where there is one.
    pub fn session_token(&self) -> Option<&Secret> {
        self.0.session_token.as_ref()
    }

    /// When they end (UTC); `None` if they do not.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.expires_at
    }

    /// How long they are still good at `now`: zero if they have ended, `None` if they never do.
    pub fn time_left(&self, now: SystemTime) -> Option<Duration> {
        self.0.expires_at.map(|end| end.duration_since(now).unwrap_or_default())
    }

    /// The account they belong to, where known.
    pub fn account_id(&self) -> Option<&str> {
        self.0.account_id.as_deref()
    }

    /// The provider they came from.
    pub fn provider(&self) -> &str {
        &self.0.provider
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.0.access_key_id)
            .field("secret_access_key", &self.0.secret_access_key)
            .field("session_token", &self.0.session_token)
            .field("expires_at", &self.0.expires_at.map(crate::timestamp::format))
            .field("account_id", &self.0.account_id)
            .field("provider", &self.0.provider)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_redacts_both_secrets() {
        let credentials =
            Credentials::new("AKID", "sekrit", "test").with_session_token(Some("tokken".into()));
        let shown = format!("{credentials:?}");
        assert!(shown.contains("AKID"));
        assert!(!shown.contains("sekrit") && !shown.contains("tokken"), "{shown}");
    }

    #[test]
    fn ended_credentials_have_no_time_left() {
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let credentials = Credentials::new("AKID", "s", "test").with_expires_at(Some(end));
        assert_eq!(credentials.time_left(end + Duration::from_secs(1)), Some(Duration::ZERO));
        assert_eq!(
            credentials.time_left(end - Duration::from_secs(7)),
            Some(Duration::from_secs(7))
        );
    }
}
