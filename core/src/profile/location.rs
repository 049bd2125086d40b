use std::path::PathBuf;

use crate::{CredentialsError, Env, ErrorKind, Result};

/// Whose rules for home folders and paths to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Linux, macOS and the like: `HOME`, `/`.
    Unix,
    /// Windows: also `USERPROFILE`, or `HOMEDRIVE` with `HOMEPATH`; `\`.
    Windows,
}

impl Platform {
    /// The platform this runs on.
    pub const CURRENT: Self = if cfg!(windows) { Self::Windows } else { Self::Unix };

    fn home(self, env: &Env) -> Option<String> {
        let home = env.get("HOME");
        match self {
            Self::Unix => home,
            Self::Windows => home.or_else(|| env.get("USERPROFILE")).or_else(|| {
                let (drive, path) = (env.get("HOMEDRIVE")?, env.get("HOMEPATH")?);
                Some(drive + &path)
            }),
        }
    }

    fn is_separator(self, c: char) -> bool {
        c == '/' || (self == Self::Windows && c == '\\')
    }

    /// Joins by text: `PathBuf` knows the separator of the machine it runs on only.
    fn join(self, folder: &str, parts: &[&str]) -> String {
        let separator = if self == Self::Windows { '\\' } else { '/' };
        let mut path = folder.trim_end_matches(|c| self.is_separator(c)).to_owned();
        for part in parts {
            path.push(separator);
            path.push_str(part);
        }
        path
    }

    /// `~` and `~/rest` in place of the home folder; `~user` is left alone, as AWS's SDKs do.
    fn expand(self, path: String, home: Option<&str>) -> String {
        let (Some(rest), Some(home)) = (path.strip_prefix('~'), home) else { return path };
        match rest.chars().next() {
            None => home.to_owned(),
            Some(first) if self.is_separator(first) => self.join(home, &[&rest[1..]]),
            Some(_) => path,
        }
    }
}

/// Where the two profile files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLocations {
    /// The config file.
    pub config: PathBuf,
    /// Whether `AWS_CONFIG_FILE` named it.
    pub config_is_explicit: bool,
    /// The credentials file.
    pub credentials: PathBuf,
    /// Whether `AWS_SHARED_CREDENTIALS_FILE` named it.
    pub credentials_is_explicit: bool,
}

impl FileLocations {
    /// From `AWS_CONFIG_FILE`, `AWS_SHARED_CREDENTIALS_FILE` and the home folder.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is no home folder to look in and a file is not named.
    pub fn from_env(env: &Env) -> Result<Self> {
        Self::from_env_on(Platform::CURRENT, env)
    }

    /// [`Self::from_env`] by the rules of any platform.
    ///
    /// # Errors
    /// As [`Self::from_env`].
    pub fn from_env_on(platform: Platform, env: &Env) -> Result<Self> {
        match Place::both(platform, env) {
            [Some(config), Some(credentials)] => Ok(Self {
                config: config.path,
                config_is_explicit: config.is_explicit,
                credentials: credentials.path,
                credentials_is_explicit: credentials.is_explicit,
            }),
            [config, _] => {
                let (home, file) = match (platform, config) {
                    (Platform::Unix, None) => ("HOME", "AWS_CONFIG_FILE"),
                    (Platform::Unix, Some(_)) => ("HOME", "AWS_SHARED_CREDENTIALS_FILE"),
                    (Platform::Windows, None) => ("USERPROFILE", "AWS_CONFIG_FILE"),
                    (Platform::Windows, Some(_)) => ("USERPROFILE", "AWS_SHARED_CREDENTIALS_FILE"),
                };
                Err(CredentialsError::new(
                    ErrorKind::InvalidConfiguration,
                    "profile files",
                    format!("no home folder to look for them in: {home} is not set"),
                )
                .with_help(format!("set {home}, or name the file with {file}")))
            }
        }
    }
}

/// Where one file is.
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) is_explicit: bool,
}

impl Place {
    /// The config and the credentials file; `None` for one that has no place without a home.
    pub(super) fn both(platform: Platform, env: &Env) -> [Option<Self>; 2] {
        let home = platform.home(env);
        [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")].map(
            |(variable, name)| {
                let explicit = env.get(variable);
                let is_explicit = explicit.is_some();
                let path = match explicit {
                    Some(path) => platform.expand(path, home.as_deref()),
                    None => platform.join(home.as_deref()?, &[".aws", name]),
                };
                Some(Self { path: path.into(), is_explicit })
            },
        )
    }
}

/// `~/.aws`, the folder of AWS CLI's caches; `None` without a home folder.
pub fn aws_folder(env: &Env) -> Option<PathBuf> {
    let home = Platform::CURRENT.home(env)?;
    Some(Platform::CURRENT.join(&home, &[".aws"]).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn unix(pairs: &[(&str, &str)]) -> Result<FileLocations> {
        FileLocations::from_env_on(Platform::Unix, &Env::from_pairs(pairs.iter().copied()))
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        let found = unix(&[
            ("HOME", "/home/me/"),
            ("AWS_CONFIG_FILE", "~/conf"),
            ("AWS_SHARED_CREDENTIALS_FILE", "~you/creds"),
        ])
        .unwrap();
        assert_eq!(found.config, Path::new("/home/me/conf"));
        assert_eq!(found.credentials, Path::new("~you/creds"));
        assert!(found.config_is_explicit && found.credentials_is_explicit);
    }

    #[test]
    fn windows_has_three_ways_home() {
        let env = Env::from_pairs([("HOMEDRIVE", "C:"), ("HOMEPATH", "\\me")]);
        let found = FileLocations::from_env_on(Platform::Windows, &env).unwrap();
        assert_eq!(found.config, Path::new("C:\\me\\.aws\\config"));
        let env = Env::from_pairs([("USERPROFILE", "D:\\u"), ("AWS_CONFIG_FILE", "~\\x")]);
        let found = FileLocations::from_env_on(Platform::Windows, &env).unwrap();
        assert_eq!(found.config, Path::new("D:\\u\\x"));
    }

    #[test]
    fn without_a_home_both_files_must_be_named() {
        let error = unix(&[("AWS_CONFIG_FILE", "/c")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.help().unwrap().contains("AWS_SHARED_CREDENTIALS_FILE"), "{error}");
        assert!(unix(&[]).unwrap_err().help().unwrap().contains("HOME"));
        assert!(unix(&[("AWS_CONFIG_FILE", "/c"), ("AWS_SHARED_CREDENTIALS_FILE", "/d")]).is_ok());
    }

    #[test]
    fn the_aws_folder_is_in_the_home_folder() {
        let env = Env::from_pairs([("HOME", "/home/me"), ("AWS_CONFIG_FILE", "/c")]);
        assert_eq!(aws_folder(&env).unwrap(), Path::new("/home/me").join(".aws"));
        assert_eq!(aws_folder(&Env::from_pairs::<&str, &str>([])), None);
    }
}
