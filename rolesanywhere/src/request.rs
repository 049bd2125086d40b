/// What is asked of Roles Anywhere: a session of a role, by a profile, for a certificate that a
/// trust anchor vouches for. Source: `CreateSession` in the IAM Roles Anywhere API Reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RolesAnywhere {
    /// The trust anchor; its region is where the request goes.
    pub trust_anchor_arn: String,
    /// The Roles Anywhere profile, of the same region.
    pub profile_arn: String,
    /// The role.
    pub role_arn: String,
    /// How long the session is to last: 900 to 43200 seconds; `None` is 3600.
    pub duration_seconds: Option<u32>,
    /// The session's name; only where the profile accepts one.
    pub role_session_name: Option<String>,
    /// The region, above the trust anchor's.
    pub region: Option<String>,
}
