//! The limits of the AWS STS API Reference, checked before the network. Errors name the field, its
//! limit and the length that was given, never the value.

use std::ops::RangeInclusive;

use rolecall_core::{CredentialsError, ErrorKind, Result};

use super::{ProvidedContext, Tag};
use crate::client;

/// Session policies as plain text, policy ARNs included.
const POLICY_TEXT: usize = 2048;

/// Checks the fields of one operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits(pub(super) &'static str);

/// The characters that a field may hold.
pub(super) struct Alphabet {
    punctuation: &'static str,
}

/// `[\w+=,.@-]`: names of sessions, source identities, federated users.
pub(super) const NAME: Alphabet = Alphabet { punctuation: "_+=,.@-" };
/// `[\w+=,.@:/-]`.
pub(super) const EXTERNAL_ID: Alphabet = Alphabet { punctuation: "_+=,.@:/-" };
/// `[\w+=/:,.@-]`: serial numbers and ARNs of MFA devices.
pub(super) const SERIAL: Alphabet = Alphabet { punctuation: "_+=/:,.@-" };
/// `\w`.
pub(super) const WORD: Alphabet = Alphabet { punctuation: "_" };

impl Limits {
    /// Text of so many characters.
    pub(super) fn text(self, field: &str, value: &str, range: RangeInclusive<usize>) -> Result<()> {
        let length = value.chars().count();
        if range.contains(&length) {
            return Ok(());
        }
        let limit = if range.start() == range.end() {
            format!("{}", range.start())
        } else {
            format!("{} to {}", range.start(), range.end())
        };
        Err(self.refuse(format!("{field} must have {limit} characters; it has {length}")))
    }

    /// Text of so many characters of an alphabet.
    pub(super) fn word(
        self,
        field: &str,
        value: &str,
        range: RangeInclusive<usize>,
        alphabet: &Alphabet,
    ) -> Result<()> {
        self.text(field, value, range)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || alphabet.punctuation.contains(c);
        if value.chars().all(fits) {
            return Ok(());
        }
        Err(self.refuse(format!(
            "{field} may hold ASCII letters, digits and {} only (length {})",
            alphabet.punctuation,
            value.chars().count()
        )))
    }

    /// An ARN: of a role, a provider or a policy.
    pub(super) fn arn(self, field: &str, value: &str) -> Result<()> {
        self.text(field, value, 20..=2048)
    }

    /// A number, where it is given.
    pub(super) fn seconds(
        self,
        field: &str,
        value: Option<u32>,
        range: RangeInclusive<u32>,
    ) -> Result<()> {
        match value {
            Some(value) if !range.contains(&value) => {
                let (least, most) = (range.start(), range.end());
                Err(self.refuse(format!("{field} must be {least} to {most}; it is {value}")))
            }
            _ => Ok(()),
        }
    }

    /// How many a list has.
    pub(super) fn count(
        self,
        field: &str,
        count: usize,
        range: RangeInclusive<usize>,
    ) -> Result<()> {
        if range.contains(&count) {
            return Ok(());
        }
        let limit = match (range.start(), range.end()) {
            (0, most) => format!("at most {most}"),
            (least, most) => format!("{least} to {most}"),
        };
        Err(self.refuse(format!("{field} must have {limit} members; it has {count}")))
    }

    /// An MFA device and its code. The code is a secret.
    pub(super) fn mfa(self, serial: Option<&str>, code: Option<&str>) -> Result<()> {
        if let Some(serial) = serial {
            self.word("SerialNumber", serial, 9..=256, &SERIAL)?;
        }
        match code {
            Some(code) if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) => {
                Err(self
                    .refuse("TokenCode must have 6 digits and nothing else")
                    .with_help("type the 6 digits that the MFA device shows now"))
            }
            _ => Ok(()),
        }
    }

    /// Session policies, one by one and together.
    pub(super) fn policies(self, policy: Option<&str>, arns: &[String]) -> Result<()> {
        self.count("PolicyArns", arns.len(), 0..=10)?;
        for (index, arn) in arns.iter().enumerate() {
            self.arn(&format!("PolicyArns[{index}]"), arn)?;
        }
        if let Some(policy) = policy {
            self.text("Policy", policy, 1..=POLICY_TEXT)?;
            let allowed = |c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}');
            if !policy.chars().all(allowed) {
                return Err(self.refuse("Policy may hold Latin-1 characters only"));
            }
        }
        let lengths = policy.into_iter().chain(arns.iter().map(String::as_str));
        let total: usize = lengths.map(|text| text.chars().count()).sum();
        if total > POLICY_TEXT {
            return Err(self.refuse(format!(
                "Policy and PolicyArns together must have at most {POLICY_TEXT} characters; they \
                 have {total}"
            )));
        }
        Ok(())
    }

    /// Session tags.
    pub(super) fn tags(self, tags: &[Tag]) -> Result<()> {
        self.count("Tags", tags.len(), 0..=50)?;
        for (index, tag) in tags.iter().enumerate() {
            self.text(&format!("Tags[{index}].Key"), &tag.key, 1..=128)?;
            self.text(&format!("Tags[{index}].Value"), &tag.value, 0..=256)?;
        }
        Ok(())
    }

    /// Context assertions; none is fine.
    pub(super) fn contexts(self, contexts: &[ProvidedContext]) -> Result<()> {
        self.count("ProvidedContexts", contexts.len(), 0..=5)?;
        for (index, context) in contexts.iter().enumerate() {
            let field = |name| format!("ProvidedContexts[{index}].{name}");
            self.arn(&field("ProviderArn"), &context.provider_arn)?;
            self.text(&field("ContextAssertion"), context.context_assertion.expose(), 4..=2048)?;
        }
        Ok(())
    }

    fn refuse(self, message: impl Into<String>) -> CredentialsError {
        client::error(ErrorKind::InvalidConfiguration, self.0, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits("AssumeRole");

    #[test]
    fn both_ends_of_a_range_are_allowed_and_one_more_is_not() {
        for (length, fits) in [(1, false), (2, true), (4, true), (5, false)] {
            assert_eq!(LIMITS.text("F", &"é".repeat(length), 2..=4).is_ok(), fits, "{length}");
        }
        for (value, fits) in [(899, false), (900, true), (43_200, true), (43_201, false)] {
            assert_eq!(LIMITS.seconds("F", Some(value), 900..=43_200).is_ok(), fits, "{value}");
        }
        assert!(LIMITS.seconds("F", None, 900..=43_200).is_ok());
    }

    #[test]
    fn errors_name_field_limit_and_length_and_never_the_value() {
        let error = LIMITS.text("RoleArn", "hunter2", 20..=2048).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert_eq!(
            error.to_string(),
            "STS AssumeRole: RoleArn must have 20 to 2048 characters; it has 7"
        );
        let error = LIMITS.word("ExternalId", "hunter 2", 2..=1224, &EXTERNAL_ID).unwrap_err();
        assert!(error.to_string().contains("ExternalId"), "{error}");
        assert!(!error.to_string().contains("hunter"), "{error}");
        for code in ["12345a", "1234567", "１２３４５６"] {
            let error = LIMITS.mfa(None, Some(code)).unwrap_err();
            assert!(error.message().starts_with("TokenCode"), "{error}");
            assert!(!error.to_string().contains(code), "{error}");
        }
    }

    #[test]
    fn policies_count_together() {
        let arn = "arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned();
        let policy = "x".repeat(2048 - arn.len());
        assert!(LIMITS.policies(Some(&policy), std::slice::from_ref(&arn)).is_ok());
        let error = LIMITS.policies(Some(&(policy + "x")), std::slice::from_ref(&arn)).unwrap_err();
        assert!(error.message().contains("they have 2049"), "{error}");
        assert!(LIMITS.policies(Some("\u{100}"), &[]).is_err());
        assert!(LIMITS.policies(None, &vec![arn; 11]).is_err());
    }

    #[test]
    fn tags_and_contexts_are_checked_one_by_one() {
        let tag = |key: usize, value: usize| Tag { key: "k".repeat(key), value: "v".repeat(value) };
        assert!(LIMITS.tags(&vec![tag(128, 256); 50]).is_ok());
        for tags in [vec![tag(1, 1); 51], vec![tag(0, 1)], vec![tag(129, 1)], vec![tag(1, 257)]] {
            assert!(LIMITS.tags(&tags).is_err());
        }
        let context = |length: usize| ProvidedContext {
            provider_arn: "arn:aws:iam::aws:contextProvider/IdentityCenter".to_owned(),
            context_assertion: "a".repeat(length).into(),
        };
        assert!(LIMITS.contexts(&[context(4)]).is_ok());
        assert!(LIMITS.contexts(&[context(3)]).is_err());
        assert!(LIMITS.contexts(&vec![context(4); 6]).is_err());
    }
}
