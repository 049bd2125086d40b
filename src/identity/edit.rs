//! Bounds and auth methods from parts.

use rolecall_core::Result;
use rolecall_sts::identity::{Bounds, SubClaim};
#[cfg(all(unix, feature = "leases"))]
use {rolecall_secrets::AuthMethod, rolecall_sts::identity::TokenFormat, std::time::Duration};

/// What to set in bounds. What is `None` stays; an empty text or list clears what it is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoundsEdit {
    /// Accounts.
    pub account_ids: Option<Vec<String>>,
    /// ARNs, with `*` and `?`.
    pub arns: Option<Vec<String>>,
    /// Names of roles.
    pub role_names: Option<Vec<String>>,
    /// Ids of roles.
    pub role_ids: Option<Vec<String>>,
    /// Names of users.
    pub user_names: Option<Vec<String>>,
    /// Ids of users.
    pub user_ids: Option<Vec<String>>,
    /// Names of sessions, which callers choose.
    pub session_names: Option<Vec<String>>,
    /// What names the identity: `role_id`.
    pub unique_identifier: Option<String>,
    /// The STS to ask.
    pub sts_url: Option<String>,
    /// The partition; an empty text is `aws`.
    pub partition: Option<String>,
}

impl BoundsEdit {
    /// Changes bounds.
    ///
    /// # Errors
    /// `InvalidConfiguration` for a unique identifier that there is not. [`Bounds::lint`] says what
    /// else is wrong.
    pub fn apply(self, bounds: &mut Bounds) -> Result<()> {
        for (list, value) in [
            (&mut bounds.account_ids, self.account_ids),
            (&mut bounds.arns, self.arns),
            (&mut bounds.role_names, self.role_names),
            (&mut bounds.role_ids, self.role_ids),
            (&mut bounds.user_names, self.user_names),
            (&mut bounds.user_ids, self.user_ids),
            (&mut bounds.session_names, self.session_names),
        ] {
            if let Some(value) = value {
                *list = value.into_iter().filter(|text| !text.is_empty()).collect();
            }
        }
        match self.unique_identifier.as_deref() {
            None => {}
            Some("") => bounds.unique_identifier = None,
            Some(name) => bounds.unique_identifier = Some(SubClaim::parse(name)?),
        }
        if let Some(url) = self.sts_url {
            bounds.sts_url = Some(url).filter(|url| !url.is_empty());
        }
        if let Some(partition) = self.partition {
            let given = Some(partition).filter(|partition| !partition.is_empty());
            bounds.partition = given.unwrap_or_else(|| Bounds::default().partition);
        }
        Ok(())
    }
}

/// What to set in an auth method. What is `None` stays; an empty text or list clears what it is of.
#[cfg(all(unix, feature = "leases"))]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MethodEdit {
    /// For people.
    pub description: Option<String>,
    /// Whom it lets in.
    pub bounds: BoundsEdit,
    /// The dialects that it takes.
    pub formats: Option<Vec<TokenFormat>>,
    /// This server's name, for tokens of Vault.
    pub server_id: Option<String>,
    /// The cluster, for tokens of EKS.
    pub cluster: Option<String>,
    /// This server's name, for rolecall's own tokens.
    pub audience: Option<String>,
    /// How long a session lasts.
    pub jwt_ttl: Option<Duration>,
    /// From when on nobody comes in, in seconds since 1970; 0 is never.
    pub access_expires: Option<u64>,
    /// Whether it is protected from deletion.
    pub delete_protection: Option<bool>,
}

#[cfg(all(unix, feature = "leases"))]
impl MethodEdit {
    /// Changes a method.
    ///
    /// # Errors
    /// As [`BoundsEdit::apply`]. The rest is checked when it is kept.
    pub fn apply(self, method: &mut AuthMethod) -> Result<()> {
        let put = |place: &mut Option<String>, value: Option<String>| {
            if let Some(value) = value {
                *place = Some(value).filter(|text| !text.is_empty());
            }
        };
        self.bounds.apply(&mut method.bounds)?;
        put(&mut method.server_id, self.server_id);
        put(&mut method.cluster, self.cluster);
        put(&mut method.audience, self.audience);
        if let Some(description) = self.description {
            method.description = description;
        }
        if let Some(formats) = self.formats {
            method.formats = formats;
        }
        if let Some(jwt_ttl) = self.jwt_ttl {
            method.jwt_ttl = jwt_ttl;
        }
        if let Some(end) = self.access_expires {
            method.access_expires = Some(end).filter(|end| *end > 0);
        }
        if let Some(protection) = self.delete_protection {
            method.delete_protection = protection;
        }
        Ok(())
    }
}
