use std::fmt;

use indexmap::IndexMap;

use super::Origin;
use super::parse::sub_properties;
use crate::Secret;

/// The value of one property. All values are kept as secrets: which of them are is not always
/// known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The value; lines that continue it are joined with `\n`.
    pub value: Secret,
    /// Where it was written.
    pub origin: Origin,
}

impl Property {
    /// The value. It may be a secret, and what shows it answers for that.
    pub fn text(&self) -> &str {
        self.value.expose()
    }
}

/// A named section: a profile, an SSO session or a set of services.
#[derive(Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Its properties in the order of the file, with names in lower case.
    pub properties: IndexMap<String, Property>,
    /// Where it begins; the first place, if it is written in several.
    pub origin: Origin,
}

impl Profile {
    /// The value of `key` (in lower case), empty if it is written without one.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.properties.get(key).map(Property::text)
    }

    /// The property `key`, with its origin.
    pub fn property(&self, key: &str) -> Option<&Property> {
        self.properties.get(key)
    }

    /// The property `key` unless its value is empty, which means unset.
    pub(super) fn filled(&self, key: &str) -> Option<&Property> {
        self.properties.get(key).filter(|property| !property.text().is_empty())
    }

    /// The sub-properties that follow `key =`, as names and values; none if there are none.
    pub fn sub_properties(&self, key: &str) -> impl Iterator<Item = (&str, &str)> {
        self.get(key).into_iter().flat_map(sub_properties)
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Shown<'a>(&'a IndexMap<String, Property>);
        impl fmt::Debug for Shown<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let shown = |key: &str| is_harmless_key(key);
                f.debug_map()
                    .entries(self.0.iter().map(|(key, property)| {
                        (key, if shown(key) { property.text() } else { "[redacted]" })
                    }))
                    .finish()
            }
        }
        f.debug_struct("Profile")
            .field("name", &self.name)
            .field("origin", &format_args!("{}", self.origin))
            .field("properties", &Shown(&self.properties))
            .finish()
    }
}

/// Whether the value of `key` may be shown: it is known, and never a secret. A command line or a
/// URL may hold a password.
pub fn is_harmless_key(key: &str) -> bool {
    matches!(
        key,
        "account_id_endpoint_mode"
            | "aws_access_key_id"
            | "aws_account_id"
            | "ca_bundle"
            | "cli_pager"
            | "credential_source"
            | "duration_seconds"
            | "ec2_instance_profile_name"
            | "ec2_metadata_service_endpoint_mode"
            | "ec2_metadata_v1_disabled"
            | "external_id"
            | "ignore_configured_endpoint_urls"
            | "login_session"
            | "max_attempts"
            | "metadata_service_num_attempts"
            | "metadata_service_timeout"
            | "mfa_serial"
            | "mfa_session"
            | "output"
            | "region"
            | "retry_mode"
            | "role_arn"
            | "role_session_name"
            | "saml_principal_arn"
            | "services"
            | "source_profile"
            | "sso_account_id"
            | "sso_region"
            | "sso_registration_scopes"
            | "sso_role_name"
            | "sso_session"
            | "sso_start_url"
            | "sts_regional_endpoints"
            | "use_dualstack_endpoint"
            | "use_fips_endpoint"
            | "web_identity_token_file"
    )
}
