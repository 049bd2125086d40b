use std::fmt;
use std::str::FromStr;

use rolecall_core::profile::edit::{SectionName, SettingKey};
use rolecall_core::{CredentialsError, Result};

use super::invalid;

/// The sections of its own that AWS CLI knows.
const OF_AWS_CLI: [&str; 2] = ["plugins", "preview"];

/// A setting as `aws configure get` and `set` name it: `region`, `s3.addressing_style`,
/// `default.region`, `profile.NAME.region`, `profile.NAME.s3.addressing_style`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingPath(Vec<String>);

/// A profile, a setting in it, and a setting inside that.
type Place<'a> = (&'a str, &'a str, Option<&'a str>);

impl SettingPath {
    fn parts(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }

    /// Whether it is a setting's own name.
    pub(super) fn is_short(&self) -> bool {
        self.0.len() == 1
    }

    /// Whether its value is a secret.
    pub(super) fn is_secret(&self) -> bool {
        const SECRETS: [&str; 3] =
            ["aws_secret_access_key", "aws_session_token", "aws_security_token"];
        self.0.last().is_some_and(|name| SECRETS.contains(&name.as_str()))
    }

    /// The section and the setting, if it is one of AWS CLI's own sections.
    pub(super) fn in_section_of_aws_cli(&self) -> Option<(&str, &str)> {
        match self.parts()[..] {
            [section, key] if OF_AWS_CLI.contains(&section) => Some((section, key)),
            _ => None,
        }
    }

    /// Where to read it. The name of a profile may come first, without `profile.`.
    pub(super) fn to_read<'a>(
        &'a self,
        current: &'a str,
        is_profile: impl Fn(&str) -> bool,
    ) -> Result<Place<'a>> {
        match self.parts()[..] {
            [name, ref rest @ ..] if !rest.is_empty() && is_profile(name) && name != "profile" => {
                self.inside(name, rest)
            }
            _ => self.place(current),
        }
    }

    /// Where to write it.
    pub(super) fn to_write(&self, current: &str) -> Result<(SectionName, SettingKey)> {
        if let Some((section, key)) = self.in_section_of_aws_cli() {
            return Ok((SectionName::of_aws_cli(section)?, SettingKey::new(key, None)?));
        }
        let (profile, name, sub) = self.place(current)?;
        Ok((SectionName::profile(profile)?, SettingKey::new(name, sub)?))
    }

    fn place<'a>(&'a self, current: &'a str) -> Result<Place<'a>> {
        match self.parts()[..] {
            ["profile", profile, ref rest @ ..] => self.inside(profile, rest),
            ["default", ref rest @ ..] if !rest.is_empty() => self.inside("default", rest),
            ref rest => self.inside(current, rest),
        }
    }

    fn inside<'a>(&self, profile: &'a str, rest: &[&'a str]) -> Result<Place<'a>> {
        match *rest {
            [name] => Ok((profile, name, None)),
            [name, sub] => Ok((profile, name, Some(sub))),
            _ => Err(self.wrong()),
        }
    }

    fn wrong(&self) -> CredentialsError {
        invalid(format!("{self} does not name a setting"))
            .with_help("write NAME, NAME.NAME, default.NAME or profile.PROFILE.NAME")
    }
}

impl FromStr for SettingPath {
    type Err = CredentialsError;

    fn from_str(text: &str) -> Result<Self> {
        let path = Self(text.split('.').map(str::to_owned).collect());
        let is_whole = match path.parts()[..] {
            ["profile", _] => false,
            ref parts => parts.iter().all(|part| !part.is_empty()),
        };
        if is_whole { Ok(path) } else { Err(path.wrong()) }
    }
}

impl fmt::Display for SettingPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}
