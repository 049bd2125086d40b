//! IAM Roles Anywhere: whose certificates are believed, and what for.

use serde::{Deserialize, Serialize};

use super::{hour, yes};

/// A trust anchor: the authorities whose certificates are believed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustAnchor {
    /// `arn:aws:rolesanywhere:REGION:ACCOUNT:trust-anchor/ID`.
    pub arn: String,
    /// The authorities' certificates in PEM.
    pub certificates: String,
    /// A disabled anchor vouches for nobody.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// A profile of Roles Anywhere: which roles may be asked for through it, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolesAnywhereProfile {
    /// `arn:aws:rolesanywhere:REGION:ACCOUNT:profile/ID`.
    pub arn: String,
    /// ARNs of the roles.
    pub role_arns: Vec<String>,
    /// A disabled profile is answered like a missing one.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Longest session in seconds, 900 to 43200; a request for more gets this.
    #[serde(default = "hour")]
    pub duration_seconds: u32,
    /// Takes `roleSessionName`.
    #[serde(default)]
    pub accept_role_session_name: bool,
    /// Session policy of every session.
    #[serde(default)]
    pub session_policy: Option<String>,
}
