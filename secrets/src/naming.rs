//! The name of what is made for a lease.

use std::time::SystemTime;

use rolecall_core::{CredentialsError, ErrorKind, Random, Result};

use crate::definition::SecretKind;
use crate::lease::LeaseId;
use crate::template::{NameFacts, NameTemplate};

/// What a name has where no template is given, as Infisical's has it.
const DEFAULT: &str = "{{randomUsername}}";
/// A hyphen, and ten characters of the lease's id: 50 bits of chance. So no two leases ever want
/// one name, and the name tells whose it is.
const SUFFIX: usize = 11;

impl SecretKind {
    /// How long a name may be: a user's and a session's 64, a federated user's 32.
    fn longest_name(&self) -> usize {
        match self {
            Self::FederationToken(_) => 32,
            _ => 64,
        }
    }

    /// The template of its names, where it has one.
    pub(crate) fn template(&self) -> Option<&str> {
        match self {
            Self::IamUser(user) => user.username_template.as_deref(),
            Self::AssumedRole(role) => role.username_template.as_deref(),
            Self::FederationToken(token) => token.username_template.as_deref(),
            Self::SessionToken(_) => None,
        }
    }
}

/// The name for the lease `id`: what the template gives, cut to fit, and the lease's suffix.
///
/// # Errors
/// `InvalidConfiguration` if the template is wrong or gives characters that AWS refuses.
pub(crate) fn name(
    kind: &SecretKind,
    facts: &NameFacts<'_>,
    id: LeaseId,
    now: SystemTime,
    random: &Random,
) -> Result<String> {
    let template = NameTemplate::parse(kind.template().unwrap_or(DEFAULT))?;
    let text = template.render(facts, now, random)?;
    if let Some(wrong) = text.chars().find(|c| !is_allowed(*c)) {
        return Err(CredentialsError::new(
            ErrorKind::InvalidConfiguration,
            "user name template",
            format!("it gives a name with {wrong:?}, which AWS does not allow"),
        )
        .with_help("names consist of A-Z a-z 0-9 and + = , . @ _ -"));
    }
    let room = kind.longest_name() - SUFFIX;
    // All of it is ASCII.
    let text = &text[..text.len().min(room)];
    Ok(format!("{text}{}", suffix(id)))
}

fn suffix(id: LeaseId) -> String {
    // From the part that is chance; lower case, as AWS tells names apart ignoring case.
    format!("-{}", &id.to_string()[26 - (SUFFIX - 1)..].to_lowercase())
}

/// A character of names of users, groups, roles and sessions: `[\w+=,.@-]`.
pub(crate) fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+=,.@_-".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::definition::{FederationToken, IamUser};

    fn user(template: &str) -> SecretKind {
        SecretKind::IamUser(IamUser {
            username_template: Some(template.to_owned()),
            ..IamUser::default()
        })
    }

    fn made(kind: &SecretKind, identity: &str, id: u128) -> Result<String> {
        let facts = NameFacts { identity_name: identity, ..NameFacts::default() };
        name(kind, &facts, LeaseId(id), SystemTime::UNIX_EPOCH, &Random::seeded(1))
    }

    #[test]
    fn names_end_in_the_leases_suffix() {
        assert_eq!(made(&user("app"), "", 31).unwrap(), "app-000000000z");
        assert_eq!(made(&user(""), "", 0).unwrap(), "-0000000000");
        let default = made(&SecretKind::IamUser(IamUser::default()), "", 0).unwrap();
        assert_eq!(default.len(), 32 + SUFFIX);
    }

    #[test]
    fn characters_that_aws_refuses_are_told() {
        let error = made(&user("a b"), "", 0).unwrap_err();
        assert!(error.to_string().contains("' '"), "{error}");
    }

    proptest! {
        #[test]
        fn a_name_always_fits(identity in ".{0,200}", id in any::<u128>()) {
            let federated = SecretKind::FederationToken(FederationToken {
                username_template: Some("{{identity.name}}".to_owned()),
                ..FederationToken::default()
            });
            let long = user("{{identity.name}}{{identity.name}}");
            prop_assert!(made(&federated, &identity, id).unwrap().len() <= 32);
            prop_assert!(made(&long, &identity, id).unwrap().len() <= 64);
        }
    }
}
