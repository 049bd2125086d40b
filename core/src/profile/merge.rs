//! From sections as written to named profiles: whose names count, and what wins.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;

use super::parse::{Parsed, Section};
use super::{FileKind, Origin, Profile, Property, Warning, WarningKind};
use crate::Secret;

pub(super) type Table = IndexMap<String, Profile>;

/// What the files say together. Add the config file before the credentials file: the later wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) profiles: Table,
    pub(super) sso_sessions: Table,
    pub(super) services: Table,
    pub(super) warnings: Vec<Warning>,
    /// What looks like profiles and was skipped.
    pub(super) skipped: Vec<Skipped>,
}

/// A section that is no profile, and may have been meant as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Skipped {
    /// The profile its writer may have meant.
    pub(super) name: String,
    /// What to write in its place.
    pub(super) help: String,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Profile,
    /// `[default]` in the config file, which `[profile default]` replaces.
    PlainDefault,
    SsoSession,
    Services,
}

pub(super) struct Skip {
    kind: WarningKind,
    message: String,
    /// The profile its writer may have meant.
    name: Option<String>,
}

impl Merged {
    pub(super) fn add(&mut self, file_kind: FileKind, file: &Arc<Path>, parsed: Parsed<'_>) {
        let origin = |line| Origin { file: Arc::clone(file), line };
        for (line, message) in parsed.differences {
            self.warn(WarningKind::DiffersFromAwsCli, origin(line), message.to_owned());
        }
        let named: Vec<_> = parsed.sections.iter().map(|s| classify(file_kind, s.header)).collect();
        let default = |kind| move |name: &Result<(Kind, &str), Skip>| matches!(name, Ok((k, "default")) if *k == kind);
        let last_prefixed = named.iter().rposition(default(Kind::Profile));
        let mut seen = HashSet::with_capacity(parsed.sections.len());
        for (at, (section, name)) in parsed.sections.iter().zip(named).enumerate() {
            let here = origin(section.line);
            if !seen.insert(section.header) {
                let message = "this section is written a second time and merged; AWS CLI refuses \
                               the whole file";
                self.warn(WarningKind::DiffersFromAwsCli, here.clone(), message.to_owned());
            }
            match name {
                Ok((Kind::PlainDefault, _)) if last_prefixed.is_some_and(|last| last < at) => {
                    let message = "[profile default] replaces this section; AWS CLI takes this one, \
                                   the later of the two";
                    self.warn(WarningKind::DiffersFromAwsCli, here, message.to_owned());
                }
                Ok((Kind::PlainDefault, _)) if last_prefixed.is_some() => {
                    let message = "[profile default] replaces this section";
                    self.warn(WarningKind::Skipped, here, message.to_owned());
                }
                Ok((kind, name)) => self.section(kind, name, section, here),
                Err(Skip { kind, message, name }) => {
                    self.skipped.extend(name.map(|name| Skipped {
                        help: instead(file_kind, section.header, &name, &here),
                        name,
                    }));
                    self.warn(kind, here, message);
                }
            }
        }
    }

    fn section(&mut self, kind: Kind, name: &str, section: &Section<'_>, origin: Origin) {
        let table = match kind {
            Kind::Profile | Kind::PlainDefault => &mut self.profiles,
            Kind::SsoSession => &mut self.sso_sessions,
            Kind::Services => &mut self.services,
        };
        let file = &origin.file;
        if !table.contains_key(name) {
            let properties = IndexMap::with_capacity(section.properties.len());
            let profile = Profile { name: name.to_owned(), properties, origin: origin.clone() };
            table.insert(name.to_owned(), profile);
        }
        let Some(profile) = table.get_mut(name) else { return };
        for raw in &section.properties {
            let here = Origin { file: Arc::clone(file), line: raw.line };
            let mut warn = |kind, message: &str| {
                let (origin, message) = (here.clone(), message.to_owned());
                self.warnings.push(Warning { kind, origin, message });
            };
            if !is_valid_name(raw.key) {
                warn(
                    WarningKind::DiffersFromAwsCli,
                    "the property is skipped: its name has characters other than letters, digits \
                     and _ - / . % @ : +; AWS CLI reads it",
                );
                continue;
            }
            let value = Secret::from(raw.value());
            let property = Property { value, origin: here.clone() };
            let old = profile.properties.insert(raw.key.to_ascii_lowercase(), property);
            if old.is_some_and(|old| old.origin.file == *file && old.origin.line > origin.line) {
                warn(
                    WarningKind::DiffersFromAwsCli,
                    "the property is written a second time in its section and the last counts; AWS \
                     CLI refuses the whole file",
                );
            }
        }
    }

    pub(super) fn warn(&mut self, kind: WarningKind, origin: Origin, message: String) {
        self.warnings.push(Warning { kind, origin, message });
    }
}

pub(super) fn is_valid_name(name: &str) -> bool {
    let is_valid = |b: u8| b.is_ascii_alphanumeric() || b"_-/.%@:+".contains(&b);
    !name.is_empty() && name.bytes().all(is_valid)
}

pub(super) fn classify(file: FileKind, header: &str) -> Result<(Kind, &str), Skip> {
    let header = header.trim_matches([' ', '\t']);
    let (first, rest) = match header.split_once([' ', '\t']) {
        Some((first, rest)) => (first, rest.trim_matches([' ', '\t'])),
        None => (header, ""),
    };
    let prefix = match first {
        "profile" => Some(Kind::Profile),
        "sso-session" => Some(Kind::SsoSession),
        "services" => Some(Kind::Services),
        _ => None,
    }
    .filter(|_| !rest.is_empty());
    match (file, prefix) {
        (FileKind::Config, Some(kind)) if is_valid_name(rest) => Ok((kind, rest)),
        (FileKind::Config, Some(kind)) => Err(bad_name(header, kind)),
        (FileKind::Config, None) if header == "default" => Ok((Kind::PlainDefault, header)),
        (FileKind::Config, None) => Err(Skip {
            kind: WarningKind::Skipped,
            message: format!(
                "[{header}] is skipped: the config file takes [profile NAME], [sso-session NAME], \
                 [services NAME] and [default]"
            ),
            name: Some(header.to_owned()),
        }),
        (FileKind::Credentials, Some(_)) => Err(Skip {
            kind: WarningKind::Skipped,
            message: format!(
                "[{header}] is skipped: the credentials file takes profiles only, as [NAME] without \
                 a word before it"
            ),
            name: Some(rest.to_owned()),
        }),
        (FileKind::Credentials, None) if is_valid_name(header) => Ok((Kind::Profile, header)),
        (FileKind::Credentials, None) => Err(Skip {
            kind: WarningKind::DiffersFromAwsCli,
            message: format!("[{header}] is skipped: {NAME_RULE}; AWS CLI reads it"),
            name: Some(header.to_owned()),
        }),
    }
}

/// What to write where `header` was meant as profile `name`.
fn instead(file: FileKind, header: &str, name: &str, origin: &Origin) -> String {
    let header = header.trim_matches([' ', '\t']);
    match file {
        _ if !is_valid_name(name) => {
            format!("give [{header}] ({origin}) another name: {NAME_RULE}")
        }
        FileKind::Config => format!("write [profile {name}] in place of [{header}] ({origin})"),
        FileKind::Credentials => format!("write [{name}] in place of [{header}] ({origin})"),
    }
}

pub(super) const NAME_RULE: &str = "a name has letters, digits and _ - / . % @ : + only";

/// AWS CLI reads the header as a shell would, so quotes and any characters in them will do.
fn bad_name(header: &str, kind: Kind) -> Skip {
    let words = shlex::split(header).unwrap_or_default();
    let (kind_of_warning, name, end) = match <[String; 2]>::try_from(words) {
        Ok([_, name]) => {
            let end = format!("; AWS CLI reads it as {name:?}");
            (WarningKind::DiffersFromAwsCli, Some(name), end)
        }
        Err(_) => (WarningKind::Skipped, None, String::new()),
    };
    Skip {
        kind: kind_of_warning,
        message: format!("[{header}] is skipped: {NAME_RULE}{end}"),
        name: name.filter(|_| kind == Kind::Profile),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{both, config};
    use super::*;

    fn warnings(text: &str) -> Vec<(WarningKind, u32)> {
        config(text).warnings().iter().map(|w| (w.kind, w.origin.line)).collect()
    }

    #[test]
    fn what_is_skipped_says_so_and_where() {
        use WarningKind::{DiffersFromAwsCli, Skipped};
        for (text, expected) in [
            ("[foo]", vec![(Skipped, 1)]),
            ("\n[profile a b]", vec![(Skipped, 2)]),
            ("[profile \"a b\"]", vec![(DiffersFromAwsCli, 1)]),
            ("[profile 'ab']", vec![(DiffersFromAwsCli, 1)]),
            ("[profile a!]", vec![(DiffersFromAwsCli, 1)]),
            ("[profile a]\nb c = d", vec![(DiffersFromAwsCli, 2)]),
            ("[profile a]\n[profile a]", vec![(DiffersFromAwsCli, 2)]),
            ("[profile a]\nb = 1\nB = 2", vec![(DiffersFromAwsCli, 3)]),
            ("[profile default]\n[default]", vec![(DiffersFromAwsCli, 2)]),
            ("[default]\n[profile default]", vec![(Skipped, 1)]),
            ("[profile a]\nb = 1\n[profile c]\nb = 2", vec![]),
        ] {
            assert_eq!(warnings(text), expected, "{text:?}");
        }
    }

    #[test]
    fn who_asks_for_what_was_skipped_is_told_what_to_write() {
        for (config_text, credentials, name, help) in [
            ("[a]", "", "a", "write [profile a] in place of [a] (/aws/config:1)"),
            ("\n[ a ]", "[b]", "a", "write [profile a] in place of [a] (/aws/config:2)"),
            ("[profile 'ab']", "", "ab", "write [profile ab] in place of [profile 'ab'] ("),
            ("", "[profile a]", "a", "write [a] in place of [profile a] (/aws/credentials:1)"),
            ("[b c]", "", "b c", "give [b c] (/aws/config:1) another name: a name has letters"),
        ] {
            let help_given = both(config_text, credentials).suggestion(name);
            assert!(help_given.starts_with(help), "{help_given}");
        }
    }

    #[test]
    fn a_quoted_name_says_what_aws_cli_would_read() {
        let set = config("[profile \"a b\"]");
        assert!(set.warnings()[0].message.contains("AWS CLI reads it as \"a b\""));
    }

    #[test]
    fn the_credentials_file_wins_and_keeps_the_place_of_the_first() {
        let set = both("[profile a]\nx = 1\ny = 2", "[a]\nX = 3\n[profile b]");
        let profile = set.get("a").unwrap();
        assert_eq!(profile.get("x"), Some("3"));
        assert_eq!(profile.properties.keys().collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(profile.property("x").unwrap().origin.to_string(), "/aws/credentials:2");
        assert_eq!(profile.origin.to_string(), "/aws/config:1");
        assert_eq!(set.warnings().len(), 1);
    }

    #[test]
    fn a_warning_never_shows_a_line() {
        let set =
            both("[default]\nsecret word = hunter2 # hunter2", "[default]\nhunter2:x = hunter2");
        assert!(!format!("{set:?}").contains("= hunter2"));
        for warning in set.warnings() {
            assert!(!warning.to_string().contains("hunter2"), "{warning}");
        }
    }
}
