use std::fmt;
use std::str::FromStr;

use super::refused;
use crate::profile::FileKind;
use crate::profile::merge::{self, Kind, NAME_RULE, is_valid_name};
use crate::profile::parse::{COMMENT, WHITE, comment_start};
use crate::{CredentialsError, Result, Secret};

/// A section by what it is; its header differs between the two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionName {
    kind: SectionKind,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SectionKind {
    Profile,
    SsoSession,
    Services,
    /// `[name]` in the config file: a section that only AWS CLI reads.
    AwsCli,
}

impl SectionName {
    /// A profile.
    ///
    /// # Errors
    /// `InvalidConfiguration` for a name that the SDKs' grammar does not allow.
    pub fn profile(name: &str) -> Result<Self> {
        Self::new(SectionKind::Profile, name)
    }

    /// An SSO session.
    ///
    /// # Errors
    /// As [`Self::profile`].
    pub fn sso_session(name: &str) -> Result<Self> {
        Self::new(SectionKind::SsoSession, name)
    }

    /// A set of services.
    ///
    /// # Errors
    /// As [`Self::profile`].
    pub fn services(name: &str) -> Result<Self> {
        Self::new(SectionKind::Services, name)
    }

    /// A section of the config file that only AWS CLI reads: `plugins`.
    ///
    /// # Errors
    /// As [`Self::profile`].
    pub fn of_aws_cli(name: &str) -> Result<Self> {
        Self::new(SectionKind::AwsCli, name)
    }

    fn new(kind: SectionKind, name: &str) -> Result<Self> {
        if !is_valid_name(name) {
            return Err(refused(format!("{name:?} cannot be the name of a section"))
                .with_help(format!("{NAME_RULE}; others are read by AWS CLI alone")));
        }
        Ok(Self { kind, name: name.to_owned() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands between the brackets when it is written anew.
    pub(super) fn header(&self, file: FileKind) -> String {
        let name = &self.name;
        match self.kind {
            SectionKind::Profile if file == FileKind::Credentials || name == "default" => {
                name.clone()
            }
            SectionKind::Profile => format!("profile {name}"),
            SectionKind::SsoSession => format!("sso-session {name}"),
            SectionKind::Services => format!("services {name}"),
            SectionKind::AwsCli => name.clone(),
        }
    }

    /// Whether `header` of a file is this section's. `Some(false)`: it is, unless one is there of
    /// which `Some(true)` is said, as `[profile default]` replaces `[default]`.
    pub(super) fn matches(&self, file: FileKind, header: &str) -> Option<bool> {
        let is_ours = |name: &str| name == self.name;
        match (self.kind, merge::classify(file, header)) {
            (SectionKind::Profile, Ok((Kind::Profile, name)))
            | (SectionKind::SsoSession, Ok((Kind::SsoSession, name)))
            | (SectionKind::Services, Ok((Kind::Services, name))) => is_ours(name).then_some(true),
            (SectionKind::Profile, Ok((Kind::PlainDefault, name))) => {
                is_ours(name).then_some(false)
            }
            (SectionKind::AwsCli, Err(_)) => is_ours(header.trim_matches(WHITE)).then_some(true),
            _ => None,
        }
    }

    /// Whether AWS CLI alone would take `header` for this section's, as it reads quotes.
    pub(super) fn is_quoted_in(&self, header: &str) -> bool {
        let words = shlex::split(header).unwrap_or_default();
        let prefix = match self.kind {
            SectionKind::Profile => "profile",
            SectionKind::SsoSession => "sso-session",
            SectionKind::Services => "services",
            SectionKind::AwsCli => return false,
        };
        matches!(&words[..], [first, name] if first == prefix && *name == self.name)
    }
}

/// The name of a property, or of a property among those of another: `s3.addressing_style`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingKey {
    name: String,
    sub: Option<String>,
}

impl SettingKey {
    /// A property, and where it holds others, one of them.
    ///
    /// # Errors
    /// `InvalidConfiguration` for a name that the grammar does not allow.
    pub fn new(name: &str, sub: Option<&str>) -> Result<Self> {
        // AWS CLI ends a name at a ':'.
        let wrong =
            [Some(name), sub].into_iter().flatten().find(|n| !is_valid_name(n) || n.contains(':'));
        match wrong {
            None => Ok(Self { name: name.to_owned(), sub: sub.map(str::to_owned) }),
            Some(name) => Err(refused(format!("{name:?} cannot be the name of a setting"))
                .with_help("a name has letters, digits and _ - / . % @ + only")),
        }
    }

    /// The property.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The property inside it.
    pub fn sub(&self) -> Option<&str> {
        self.sub.as_deref()
    }
}

impl FromStr for SettingKey {
    type Err = CredentialsError;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('.') {
            None => Self::new(text, None),
            Some((_, sub)) if sub.contains('.') => {
                Err(refused(format!("{text:?} has more than one '.'"))
                    .with_help("write NAME, or NAME.NAME for a setting inside another"))
            }
            Some((name, sub)) => Self::new(name, Some(sub)),
        }
    }
}

impl fmt::Display for SettingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        self.sub.as_ref().map_or(Ok(()), |sub| write!(f, ".{sub}"))
    }
}

/// A value that a profile file can hold, and gives back as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingValue(Secret);

impl SettingValue {
    /// Takes a value that fits on its line; an empty one will do.
    ///
    /// # Errors
    /// `InvalidConfiguration` for what a reader would not give back. The value is not shown.
    pub fn new(value: Secret) -> Result<Self> {
        let text = value.expose();
        let wrong = if text.contains(['\n', '\r']) {
            "it has more than one line"
        } else if text.contains(|c: char| c.is_control() && c != '\t') {
            "it has a control character"
        } else if text.trim_matches(WHITE) != text {
            "it begins or ends with white space, which no reader keeps"
        } else if text.starts_with(COMMENT) || comment_start(text).is_some() {
            "a '#' or ';' at its start or after white space begins a comment"
        } else {
            return Ok(Self(value));
        };
        Err(refused(format!("the value cannot be written to a profile file: {wrong}"))
            .with_help("leave that out; there is no way to quote it"))
    }

    /// The value. It may be a secret.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_the_file_is_refused() {
        for name in ["", "a b", "a]", "a\nb", "[a", "#a", "ä", "\"a\""] {
            assert!(SectionName::profile(name).is_err(), "{name:?}");
            assert!(SettingKey::new(name, None).is_err(), "{name:?}");
            assert!(SettingKey::new("s3", Some(name)).is_err(), "{name:?}");
        }
        for key in ["a:b", "a=b", "a.b.c", ".a", "a."] {
            assert!(key.parse::<SettingKey>().is_err(), "{key:?}");
        }
        for (before, after) in [
            ("", "\nb"),
            ("", "\r"),
            ("", "\0"),
            (" ", ""),
            ("", "\t"),
            ("#", ""),
            (";", ""),
            ("", " # b"),
            ("", "\t;b"),
            ("", "\u{3000}#"),
        ] {
            let value = format!("{before}hunter2{after}");
            let error = SettingValue::new(value.as_str().into()).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        for value in ["", "a#b", "a;b", "=", "a = b", "[a]", "a\tb", "ä b"] {
            assert!(SettingValue::new(value.into()).is_ok(), "{value:?}");
        }
    }

    #[test]
    fn headers_follow_the_file() {
        let name = |name: &str| SectionName::profile(name).unwrap();
        assert_eq!(name("x").header(FileKind::Config), "profile x");
        assert_eq!(name("x").header(FileKind::Credentials), "x");
        assert_eq!(name("default").header(FileKind::Config), "default");
        let sso = SectionName::sso_session("x").unwrap();
        assert_eq!(sso.header(FileKind::Config), "sso-session x");
    }
}
