//! A profile that trades a SAML assertion for its role, by rolecall's own keys.

use super::{Planner, owned, title};
use crate::profile::plan::{SamlAssertion, Source};
use crate::profile::{Profile, Property};
use crate::{Result, SecretInput};

/// Whether the profile's role is assumed with an assertion.
pub(super) fn is_set(profile: &Profile) -> bool {
    ["saml_assertion", "saml_process"].iter().any(|key| profile.filled(key).is_some())
}

impl Planner<'_> {
    pub(super) fn saml(&self, profile: &Profile) -> Result<Option<Source>> {
        let assertion = profile.filled("saml_assertion");
        let process = profile.filled("saml_process");
        let (key, property, assertion) = match (assertion, process) {
            (None, None) => return Ok(None),
            (Some(input), None) => ("saml_assertion", input, self.saml_input(input)?),
            (None, Some(command)) => {
                ("saml_process", command, SamlAssertion::Process(command.value.clone()))
            }
            (Some(input), Some(command)) => {
                return Err(self
                    .invalid(format!(
                        "{} has both saml_assertion ({}) and saml_process ({})",
                        title(profile),
                        input.origin,
                        command.origin
                    ))
                    .with_help("keep one of the two"));
            }
        };
        for other in ["source_profile", "credential_source", "web_identity_token_file"] {
            if let Some(other_property) = profile.filled(other) {
                return Err(self
                    .invalid(format!(
                        "{} has both {key} ({}) and {other} ({})",
                        title(profile),
                        property.origin,
                        other_property.origin
                    ))
                    .with_help(
                        "keep one of the two: the assertion is what the role is asked with",
                    ));
            }
        }
        let Some(role_arn) = profile.filled("role_arn") else {
            return Err(self
                .invalid(format!(
                    "{} has {key} ({}) but no role_arn",
                    title(profile),
                    property.origin
                ))
                .with_help("add role_arn with the role that the assertion is traded for"));
        };
        Ok(Some(Source::Saml {
            profile: profile.name.clone(),
            assertion,
            role_arn: role_arn.text().to_owned(),
            principal_arn: owned(profile, "saml_principal_arn"),
            duration_seconds: self.duration(profile)?,
            origin: role_arn.origin.clone(),
        }))
    }

    fn saml_input(&self, property: &Property) -> Result<SamlAssertion> {
        // The parser knows no error.
        match property.text().parse() {
            Ok(SecretInput::Literal(_)) | Err(_) => Err(self
                .invalid(format!(
                    "saml_assertion ({}) does not say where the assertion is",
                    property.origin
                ))
                .with_help("write file://PATH, - for standard input, or env:NAME")),
            Ok(input) => Ok(SamlAssertion::Input(input)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::testing::config;
    use crate::profile::{Plan, plan_profile};
    use crate::{Env, ErrorKind, Secret};

    const ROLE: &str = "role_arn = arn:aws:iam::123456789012:role/R\n";

    fn plan(keys: &str) -> Result<Plan> {
        let set = config(&format!("[profile a]\n{keys}"));
        plan_profile(&set, "a", &Env::from_pairs::<&str, &str>([]))
    }

    #[test]
    fn an_assertion_comes_from_a_place_or_a_program() {
        for (line, expected) in [
            ("saml_assertion = -", SamlAssertion::Input(SecretInput::Stdin)),
            ("saml_assertion = env:SAML", SamlAssertion::Input(SecretInput::Env("SAML".into()))),
            ("saml_assertion = file:///x", SamlAssertion::Input(SecretInput::File("/x".into()))),
            ("saml_process = idp login", SamlAssertion::Process(Secret::from("idp login"))),
        ] {
            let plan = plan(&format!("{ROLE}{line}\nduration_seconds = 7200")).unwrap();
            assert!(plan.hops.is_empty());
            let Source::Saml { assertion, role_arn, duration_seconds, .. } = plan.source else {
                panic!("{line}")
            };
            assert_eq!(assertion, expected);
            assert!(role_arn.ends_with("role/R") && duration_seconds == Some(7200));
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused_and_an_assertion_in_the_file_never_shown() {
        for (keys, says) in [
            ("saml_process = idp", "no role_arn"),
            (&format!("{ROLE}saml_process = idp\nsaml_assertion = -"), "both"),
            (&format!("{ROLE}saml_process = idp\nsource_profile = a"), "source_profile"),
            (&format!("{ROLE}saml_assertion = PHNhbWw+hunter2"), "does not say where"),
        ] {
            let error = plan(keys).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(says) && !shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn a_role_after_it_is_chained() {
        let next = "[profile b]\nrole_arn = arn:aws:iam::123456789012:role/B\nsource_profile = a\n";
        let set =
            |more: &str| config(&format!("[profile a]\n{ROLE}saml_process = idp\n{next}{more}"));
        let env = Env::from_pairs::<&str, &str>([]);
        let plan = plan_profile(&set(""), "b", &env).unwrap();
        assert!(matches!(plan.source, Source::Saml { .. }) && plan.hops.len() == 1);
        assert!(plan_profile(&set("duration_seconds = 7200"), "b", &env).is_err());
    }
}
