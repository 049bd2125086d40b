//! Settings in the profile files, read and written as `aws configure` does.

mod ask;
mod path;
#[cfg(feature = "roles-anywhere")]
mod roles_anywhere;

use rolecall_core::endpoint::{Region, partition_with};
use rolecall_core::profile::edit::{
    Change, Edit, SectionName, SettingKey, SettingValue, edit_files, read_setting,
};
use rolecall_core::profile::{FileKind, Profile, ProfileSet, Warning, WarningKind};
use rolecall_core::{Context, CredentialsError, ErrorKind, Result, Secret, SecretInput};

pub use path::SettingPath;

/// The settings that AWS CLI keeps in the credentials file.
const IN_CREDENTIALS_FILE: [&str; 4] =
    ["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token"];

/// The settings of one profile, and by their full names of all.
#[derive(Clone, Debug)]
pub struct Settings {
    context: Context,
    /// The profile that was asked for, if one was.
    named: Option<String>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// A value, possibly empty, possibly secret.
    Value(Secret),
    /// Settings inside it, and no value.
    Group,
}

/// A setting and where its value comes from.
#[derive(Clone, Debug)]
pub struct Assignment {
    path: SettingPath,
    value: SecretInput,
}

impl Assignment {
    /// Gives the setting `path` the value `text`. For a secret, `text` may also be `file://PATH`,
    /// `-` or `env:NAME`.
    pub fn new(path: SettingPath, text: &str) -> Self {
        let value = match text.parse() {
            Ok(input) if path.is_secret() => input,
            _ => SecretInput::Literal(text.into()),
        };
        Self { path, value }
    }

    /// Reads `KEY=VALUE`.
    ///
    /// # Errors
    /// `InvalidConfiguration`; the text, which may hold a secret, is not shown.
    pub fn parse(text: &str) -> Result<Self> {
        let Some((path, value)) = text.split_once('=') else {
            return Err(invalid("a setting to set needs a '='").with_help("write KEY=VALUE"));
        };
        Ok(Self::new(path.parse()?, value))
    }

    /// The setting, if its value is a secret that stands in the open.
    pub fn exposed(&self) -> Option<&SettingPath> {
        let is_open = matches!(self.value, SecretInput::Literal(_)) && self.path.is_secret();
        is_open.then_some(&self.path)
    }

    fn value(&self, context: &Context) -> Result<SettingValue> {
        let value = match &self.value {
            SecretInput::Literal(text) => text.clone(),
            input => input.read(context)?,
        };
        SettingValue::new(value).map_err(|error| error.with_place(self.path.to_string()))
    }
}

impl Settings {
    /// The settings on this machine; `profile` as the command line names it, else the one of
    /// `AWS_PROFILE`, else `default`.
    pub fn new(context: Context, profile: Option<String>) -> Self {
        let named = profile.or_else(|| context.env.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]));
        Self { context, named }
    }

    fn profile(&self) -> &str {
        self.named.as_deref().unwrap_or("default")
    }

    fn load(&self) -> Result<ProfileSet> {
        ProfileSet::load(&self.context.env, &self.context.fs)
    }

    /// What `path` is set to.
    ///
    /// # Errors
    /// `InvalidConfiguration` for files that make no sense, for a name with too many parts, and for
    /// a profile that was asked for and is not there.
    pub fn get(&self, path: &SettingPath) -> Result<Option<Setting>> {
        let set = self.load()?;
        if let Some((section, key)) = path.in_section_of_aws_cli() {
            let (section, key) = (SectionName::of_aws_cli(section)?, SettingKey::new(key, None)?);
            if let Some(value) = read_setting(&self.context, FileKind::Config, &section, &key)? {
                return Ok(Some(Setting::Value(value)));
            }
        }
        let is_profile = |name: &str| set.get(name).is_some();
        let (profile, name, sub) = path.to_read(self.profile(), is_profile)?;
        let Some(profile) = set.get(profile) else {
            return match &self.named {
                // A full name may well lead nowhere; the profile asked for may not.
                Some(missing) if path.is_short() => Err(CredentialsError::new(
                    ErrorKind::InvalidConfiguration,
                    format!("profile {missing}"),
                    "there is no such profile",
                )
                .with_help("see `rolecall configure list-profiles`")),
                _ => Ok(None),
            };
        };
        Ok(setting(profile, name, sub))
    }

    /// Makes all `assignments` at once, or none. Gives what stands in their way: settings that win
    /// over those just set.
    ///
    /// # Errors
    /// `InvalidConfiguration` for a name or value that the files cannot hold; as
    /// [`edit_files`].
    pub async fn set(&self, assignments: &[Assignment]) -> Result<Vec<Warning>> {
        let mut edits = Vec::with_capacity(assignments.len());
        for assignment in assignments {
            let (section, key) = assignment.path.to_write(self.profile())?;
            let file = file_of(&key);
            let change = Change::Set(key, assignment.value(&self.context)?);
            edits.push(Edit { file, section, change });
        }
        self.write(&edits).await
    }

    async fn write(&self, edits: &[Edit]) -> Result<Vec<Warning>> {
        edit_files(&self.context, edits).await?;
        let set = self.load()?;
        let Some(places) = set.locations() else { return Ok(Vec::new()) };
        let in_config = edits.iter().filter(|edit| edit.file == FileKind::Config);
        let warnings = in_config.filter_map(|edit| {
            let Change::Set(key, value) = &edit.change else { return None };
            let property = set.get(edit.section.name())?.property(key.name())?;
            let message = if *property.origin.file == *places.credentials {
                format!("{key} is set here too, and wins over the config file")
            } else if is_region(key) && !may_be_region(value.expose()) {
                format!("{key} is the name of no region of AWS: write it as in us-east-1")
            } else {
                return None;
            };
            let (kind, origin) = (WarningKind::Skipped, property.origin.clone());
            Some(Warning { kind, origin, message })
        });
        Ok(warnings.collect())
    }
}

fn setting(profile: &Profile, name: &str, sub: Option<&str>) -> Option<Setting> {
    let value = profile.get(name)?;
    let mut subs = profile.sub_properties(name).peekable();
    match sub {
        Some(sub) => subs
            .filter(|(name, _)| *name == sub)
            .last()
            .map(|(_, value)| Setting::Value(value.into())),
        None if subs.peek().is_some() => Some(Setting::Group),
        None => Some(Setting::Value(value.into())),
    }
}

fn is_region(key: &SettingKey) -> bool {
    key.sub().is_none() && ["region", "sso_region"].contains(&key.name())
}

/// Whether a region, today's or tomorrow's, may be called so; an empty value takes one away.
fn may_be_region(value: &str) -> bool {
    let Ok(region) = Region::parse(value.trim(), "it") else { return value.trim().is_empty() };
    let (plain, _) = region.split_fips();
    plain.as_str().ends_with("-global") || partition_with(&plain).is_some()
}

/// Where AWS CLI keeps a setting.
fn file_of(key: &SettingKey) -> FileKind {
    let is_secret = key.sub().is_none() && IN_CREDENTIALS_FILE.contains(&key.name());
    if is_secret { FileKind::Credentials } else { FileKind::Config }
}

fn invalid(message: impl Into<String>) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "configure", message)
}

#[cfg(test)]
mod tests;
