use std::io;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::location::{Place, Platform};
use super::merge::{Merged, Table};
use super::parse::{Parsed, parse};
use super::suggest::suggest;
use super::{FileKind, FileLocations, Origin, Profile, Warning, WarningKind};
use crate::{CredentialsError, Env, ErrorKind, Fs, Result};

/// The most bytes a profile file may have.
pub const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

pub(super) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// All that the profile files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileSet {
    merged: Merged,
    locations: Option<FileLocations>,
}

impl ProfileSet {
    /// Reads the files where `env` says they are. A missing file is as good as an empty one; one
    /// that `env` names is worth a warning. Without a home folder there may be none to read.
    ///
    /// # Errors
    /// `InvalidConfiguration`, with the file and mostly the line: a file that cannot be read, is
    /// too large, is not UTF-8 or breaks the grammar.
    pub fn load(env: &Env, fs: &Fs) -> Result<Self> {
        Self::read(env, |path| fs.read_also_pipe(path, MAX_FILE_BYTES))
    }

    /// [`Self::load`] for another time: a pipe has given what it held, and is as good as empty.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_again(env: &Env, fs: &Fs) -> Result<Self> {
        Self::read(env, |path| match fs.read(path, MAX_FILE_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(Zeroizing::default()),
            read => read,
        })
    }

    fn read(env: &Env, read: impl Fn(&Path) -> io::Result<Zeroizing<Vec<u8>>>) -> Result<Self> {
        let mut set = Self { locations: FileLocations::from_env(env).ok(), ..Self::default() };
        let places = Place::both(Platform::CURRENT, env);
        for (kind, place) in [FileKind::Config, FileKind::Credentials].into_iter().zip(places) {
            let Some(place) = place else { continue };
            match read(&place.path) {
                Ok(bytes) => set.add(kind, &place.path, &bytes)?,
                Err(error) if is_missing(&error) && !place.is_explicit => {}
                Err(error) if is_missing(&error) => {
                    let message = match kind {
                        FileKind::Config => "AWS_CONFIG_FILE names this file, which does not exist",
                        FileKind::Credentials => {
                            "AWS_SHARED_CREDENTIALS_FILE names this file, which does not exist"
                        }
                    };
                    let origin = Origin { file: place.path.into(), line: 0 };
                    set.merged.warn(WarningKind::Skipped, origin, message.to_owned());
                }
                Err(error) => return Err(unreadable(&place.path, error)),
            }
        }
        Ok(set)
    }

    /// Reads files that are at hand. Whatever their order, credentials files override config files.
    ///
    /// # Errors
    /// As [`Self::load`], but for reading.
    pub fn parse(files: &[(FileKind, &Path, &[u8])]) -> Result<Self> {
        let mut set = Self::default();
        for kind in [FileKind::Config, FileKind::Credentials] {
            for (_, path, bytes) in files.iter().filter(|file| file.0 == kind) {
                set.add(kind, path, bytes)?;
            }
        }
        Ok(set)
    }

    fn add(&mut self, kind: FileKind, path: &Path, bytes: &[u8]) -> Result<()> {
        let file: Arc<Path> = path.into();
        let text = text_of(&file, bytes)?;
        let text = match text.strip_prefix(BYTE_ORDER_MARK) {
            None => text,
            Some(rest) => {
                let origin = Origin { file: Arc::clone(&file), line: 1 };
                let message = "the file begins with a byte order mark; AWS CLI refuses it";
                self.merged.warn(WarningKind::DiffersFromAwsCli, origin, message.to_owned());
                rest
            }
        };
        self.merged.add(kind, &file, parsed(&file, text)?);
        Ok(())
    }

    /// The profile `name`.
    pub fn get(&self, name: &str) -> Option<&Profile> {
        self.merged.profiles.get(name)
    }

    /// Forgets the keys of profile `name` if they are a session's, and gives where they stand. Keys
    /// of a user (`AKIA…`) stay, also beside a token that was left there.
    pub fn forget_session_keys(&mut self, name: &str) -> Option<Origin> {
        const KEYS: [&str; 3] = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];
        let profile = self.merged.profiles.get_mut(name)?;
        let [id, _, token] = KEYS.map(|key| profile.filled(key));
        let (id, token) = id.zip(token)?;
        let is_session = !id.text().starts_with("AKIA") && id.origin.file == token.origin.file;
        let origin = is_session.then(|| id.origin.clone())?;
        for key in KEYS {
            profile.properties.shift_remove(key);
        }
        Some(origin)
    }

    /// All profiles, in the order of the files.
    pub fn profiles(&self) -> impl ExactSizeIterator<Item = &Profile> {
        values(&self.merged.profiles)
    }

    /// The section `[sso-session name]`.
    pub fn sso_session(&self, name: &str) -> Option<&Profile> {
        self.merged.sso_sessions.get(name)
    }

    /// All `[sso-session …]` sections.
    pub fn sso_sessions(&self) -> impl ExactSizeIterator<Item = &Profile> {
        values(&self.merged.sso_sessions)
    }

    /// The section `[services name]`.
    pub fn services(&self, name: &str) -> Option<&Profile> {
        self.merged.services.get(name)
    }

    /// All `[services …]` sections.
    pub fn all_services(&self) -> impl ExactSizeIterator<Item = &Profile> {
        values(&self.merged.services)
    }

    /// What the writer of the files should know of.
    pub fn warnings(&self) -> &[Warning] {
        &self.merged.warnings
    }

    /// Where the files are, if [`Self::load`] read them and both had a place.
    pub fn locations(&self) -> Option<&FileLocations> {
        self.locations.as_ref()
    }

    /// The profile that `env` selects: `AWS_PROFILE`, `AWS_DEFAULT_PROFILE`, or `default`.
    pub fn selected_name(env: &Env) -> String {
        env.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]).unwrap_or_else(|| "default".to_owned())
    }

    /// What to tell someone who asked for a profile that is not there.
    pub(super) fn suggestion(&self, wanted: &str) -> String {
        let skipped = self.merged.skipped.iter().find(|skipped| skipped.name == wanted);
        match (skipped, &self.locations) {
            (Some(skipped), _) => skipped.help.clone(),
            (None, Some(places)) if self.profiles().len() == 0 => format!(
                "there are no profiles in {} and {}",
                places.config.display(),
                places.credentials.display()
            ),
            _ => suggest(wanted, self.merged.profiles.keys().map(String::as_str)),
        }
    }
}

fn values(table: &Table) -> impl ExactSizeIterator<Item = &Profile> {
    table.values()
}

/// What `file` holds as text, its byte order mark included.
pub(super) fn text_of<'a>(file: &Arc<Path>, bytes: &'a [u8]) -> Result<&'a str> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(unreadable(file, io::ErrorKind::FileTooLarge.into()));
    }
    std::str::from_utf8(bytes).map_err(|error| not_utf8(file, bytes, error))
}

/// The sections of the text of `file`, or an error with the line.
pub(super) fn parsed<'a>(file: &Arc<Path>, text: &'a str) -> Result<Parsed<'a>> {
    parse(text).map_err(|malformed| {
        let origin = Origin { file: Arc::clone(file), line: malformed.line };
        invalid(format!("{origin}: {}", malformed.message)).with_help(malformed.help)
    })
}

/// A file is as missing below something that is no folder: `HOME=/dev/null` is common.
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn invalid(message: String) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "profile files", message)
}

pub(super) fn unreadable(path: &Path, error: io::Error) -> CredentialsError {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::FileTooLarge => invalid(format!(
            "{path} is larger than {} MiB, more than any profile file",
            MAX_FILE_BYTES / 1024 / 1024
        ))
        .with_help("check AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE"),
        io::ErrorKind::IsADirectory => invalid(format!("{path} is a folder, not a file"))
            .with_help("name the file, not the folder that holds it"),
        _ => invalid(format!("cannot read {path}: {error}"))
            .with_help("check the permissions of the file and of the folders above it")
            .with_source(error),
    }
}

fn not_utf8(file: &Arc<Path>, bytes: &[u8], error: std::str::Utf8Error) -> CredentialsError {
    let at = error.valid_up_to();
    let line = bytes.iter().take(at).filter(|b| **b == b'\n').count() + 1;
    let origin = Origin { file: Arc::clone(file), line: u32::try_from(line).unwrap_or(u32::MAX) };
    let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let what = if is_utf16 { "the file is UTF-16" } else { "the file is not UTF-8" };
    invalid(format!("{origin}: {what} (byte {})", at + 1)).with_help("save the file as UTF-8")
}

#[cfg(test)]
mod tests {
    use super::super::testing::config;
    use super::*;

    fn parse_error(bytes: &[u8]) -> String {
        let files = [(FileKind::Config, Path::new("/aws/config"), bytes)];
        let error = ProfileSet::parse(&files).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        error.to_string()
    }

    fn machine(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Fs) {
        let folder = tempfile::tempdir().unwrap();
        let fs = Fs::rooted(folder.path());
        fs.create_folder(Path::new("/home/.aws")).unwrap();
        for (path, bytes) in files {
            fs.write(Path::new(path), bytes).unwrap();
        }
        (folder, fs)
    }

    #[test]
    fn bad_bytes_are_named_with_file_line_and_byte() {
        let shown = parse_error(b"[default]\na = \xff");
        assert!(shown.contains("/aws/config:2: the file is not UTF-8 (byte 15)"), "{shown}");
        assert!(parse_error(b"\xff\xfe[\0").contains("UTF-16"));
        let big = vec![b'\n'; usize::try_from(MAX_FILE_BYTES).unwrap() + 1];
        assert!(parse_error(&big).contains("larger than 4 MiB"));
    }

    #[test]
    fn a_bad_line_is_named_and_not_shown() {
        let shown = parse_error(b"[default]\nwJalrXUtnFEMI");
        assert!(shown.contains("/aws/config:2: expected an '=' sign"), "{shown}");
        assert!(!shown.contains("wJalr"));
    }

    #[test]
    fn a_byte_order_mark_is_read_over_with_a_warning() {
        let set = config("\u{feff}[default]\na = b");
        assert_eq!(set.get("default").unwrap().get("a"), Some("b"));
        assert_eq!(set.warnings()[0].kind, WarningKind::DiffersFromAwsCli);
    }

    #[test]
    fn loads_both_files_from_the_home_folder() {
        let (_folder, fs) = machine(&[
            ("/home/.aws/config", b"[profile a]\nx = 1"),
            ("/home/.aws/credentials", b"[a]\ny = 2"),
        ]);
        let set = ProfileSet::load(&Env::from_pairs([("HOME", "/home")]), &fs).unwrap();
        let profile = set.get("a").unwrap();
        assert_eq!((profile.get("x"), profile.get("y")), (Some("1"), Some("2")));
        assert_eq!(set.locations().unwrap().config, Path::new("/home/.aws/config"));
    }

    #[test]
    fn missing_files_are_fine_and_named_ones_worth_a_warning() {
        let (_folder, fs) = machine(&[]);
        let load = |pairs: &[(&str, &str)]| {
            ProfileSet::load(&Env::from_pairs(pairs.iter().copied()), &fs).unwrap()
        };
        assert!(load(&[("HOME", "/home")]).warnings().is_empty());
        assert!(load(&[]).warnings().is_empty());
        let set = load(&[("AWS_CONFIG_FILE", "/no/such")]);
        assert!(set.warnings()[0].to_string().starts_with("/no/such: AWS_CONFIG_FILE"));
    }

    #[test]
    fn a_folder_in_place_of_a_file_is_an_error() {
        let (_folder, fs) = machine(&[]);
        let env = Env::from_pairs([("HOME", "/home"), ("AWS_CONFIG_FILE", "/home")]);
        let error = ProfileSet::load(&env, &fs).unwrap_err();
        assert!(error.message().contains("/home is a folder"), "{error}");
    }

    #[test]
    fn a_file_where_a_folder_should_be_is_a_missing_file() {
        let (_folder, fs) = machine(&[("/null", b"")]);
        assert!(ProfileSet::load(&Env::from_pairs([("HOME", "/null")]), &fs).is_ok());
    }

    #[test]
    fn debug_shows_harmless_values_only() {
        let set = config(
            "[default]\nregion = eu-west-1\naws_secret_access_key = hunter2\n\
             credential_process = tool --password hunter2\nunknown = hunter2",
        );
        let shown = format!("{set:?}");
        assert!(shown.contains("eu-west-1") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn the_keys_of_a_session_are_forgotten_and_those_of_a_user_are_not() {
        let keys = |id: &str, token: &str| {
            format!("[a]\naws_access_key_id={id}\naws_secret_access_key=s\nregion=r\n{token}")
        };
        let token = "aws_session_token = t";
        for (config_text, text, forgets) in [
            ("", keys("ASIA1", token), true),
            ("", keys("AKIA1", token), false),
            ("", keys("ASIA1", ""), false),
            ("[profile a]\naws_session_token = t", keys("ASIA1", ""), false),
            ("", "[a]\nregion = r".to_owned(), false),
        ] {
            let mut set = super::super::testing::both(config_text, &text);
            let before = set.get("a").unwrap().clone();
            assert_eq!(set.forget_session_keys("a").is_some(), forgets, "{text}");
            let after = set.get("a").unwrap();
            assert_eq!(after.get("region"), Some("r"));
            assert_eq!(*after == before, !forgets);
            assert!(!forgets || after.properties.len() == 1);
            assert_eq!(set.forget_session_keys("b"), None);
        }
    }

    #[test]
    fn the_selected_name_is_default_unless_said_otherwise() {
        let name = |pairs: &[(&str, &str)]| {
            ProfileSet::selected_name(&Env::from_pairs(pairs.iter().copied()))
        };
        assert_eq!(name(&[("AWS_PROFILE", " ")]), "default");
        assert_eq!(name(&[("AWS_DEFAULT_PROFILE", "b")]), "b");
        assert_eq!(name(&[("AWS_DEFAULT_PROFILE", "b"), ("AWS_PROFILE", "a")]), "a");
    }
}

#[cfg(test)]
mod properties {
    use super::super::testing::config;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for kind in [FileKind::Config, FileKind::Credentials] {
                let _ = ProfileSet::parse(&[(kind, Path::new("f"), &bytes)]);
            }
        }

        #[test]
        fn no_text_that_looks_like_profiles_makes_it_panic(
            text in "([\\[\\]#;=: \t\r\na\"'é]|profile |default|sso-session ){0,80}",
        ) {
            for kind in [FileKind::Config, FileKind::Credentials] {
                if let Ok(set) = ProfileSet::parse(&[(kind, Path::new("f"), text.as_bytes())]) {
                    for profile in set.profiles() {
                        for key in profile.properties.keys() {
                            profile.sub_properties(key).count();
                        }
                    }
                }
            }
        }

        #[test]
        fn what_is_written_is_read_back(
            profiles in prop::collection::btree_map(
                "[A-Za-z0-9_/.%@:+-]{1,12}",
                prop::collection::btree_map(
                    "[a-z0-9_/.%@:+-]{1,12}",
                    "([!-~é][ -:<-~é]{0,20}[!-~é])?(\n[!-~é]{1,8}){0,2}",
                    0..5,
                ),
                0..5,
            ),
        ) {
            // A white space before a comment character ends a value, and an empty first line makes
            // sub-properties: neither can be written.
            let plain = |value: &str| {
                !value.starts_with('\n') && !value.contains(" #") && !value.contains(" ;")
                    && !value.starts_with(['#', ';'])
            };
            let mut text = String::new();
            for (name, properties) in &profiles {
                text += &format!("[profile {name}]\n");
                for (key, value) in properties.iter().filter(|(_, value)| plain(value)) {
                    text += &format!("{key} = {}\n", value.replace('\n', "\n  "));
                }
            }
            let set = config(&text);
            prop_assert_eq!(set.profiles().len(), profiles.len());
            for (name, properties) in &profiles {
                let profile = set.get(name).unwrap();
                for (key, value) in properties.iter().filter(|(_, value)| plain(value)) {
                    prop_assert_eq!(profile.get(key), Some(value.as_str()));
                }
            }
        }
    }
}
