//! Changes to profile files that leave every other byte as it is.
//!
//! [`Document`] changes a text; [`edit_files`] changes the files, each as a whole or not at all, and
//! one process after the other.

mod document;
mod layout;
mod name;
#[cfg(test)]
mod properties;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use document::Document;
pub use name::{SectionName, SettingKey, SettingValue};

use super::location::{FileLocations, aws_folder};
use super::set::{MAX_FILE_BYTES, is_missing, unreadable};
use super::{FileKind, Origin};
use crate::{Context, CredentialsError, ErrorKind, FileLock, Result};

/// How long to wait for others who edit. They need milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
const SHORTEST_POLL: Duration = Duration::from_millis(2);
const LONGEST_POLL: Duration = Duration::from_millis(50);

/// One change to one section of one file.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The file.
    pub file: FileKind,
    /// The section, which is added if it is not there.
    pub section: SectionName,
    /// What to change in it.
    pub change: Change,
}

/// What an [`Edit`] does to its section.
#[derive(Clone, Debug)]
pub enum Change {
    /// Sets a property.
    Set(SettingKey, SettingValue),
    /// Removes a property if it is there.
    Remove(SettingKey),
    /// Sees to it that the section is there.
    AddSection,
}

/// Makes all `edits`, in order, where the environment says the files are; a file that is missing is
/// made. What is as it should be is not written.
///
/// Each file is replaced as a whole: a reader sees the old or the new one, and so does the next
/// start after a crash. A file of credentials ends up its owner's alone (0600, or less), as a new
/// file does; a config file keeps its permissions. Writers of rolecall wait for each other, with a
/// lock in `~/.aws/rolecall/locks`; AWS CLI knows of no locks.
///
/// # Errors
/// `InvalidConfiguration` for a file that cannot be understood or may not be written, `Unavailable`
/// if another process holds the lock for long, `Internal` if the disk is full. What is then not yet
/// written stays as it was; the credentials file is written first.
pub async fn edit_files(context: &Context, edits: &[Edit]) -> Result<()> {
    let locations = FileLocations::from_env(&context.env)?;
    let _lock = lock(context, &locations).await?;
    let files = [
        (FileKind::Credentials, &locations.credentials, 0o600),
        (FileKind::Config, &locations.config, 0o777),
    ];
    // All of it is worked out before anything is written.
    let mut changed = Vec::with_capacity(files.len());
    for (kind, path, widest) in files {
        let mut edits = edits.iter().filter(|edit| edit.file == kind).peekable();
        if edits.peek().is_none() {
            continue;
        }
        let mut document = read(context, kind, path)?;
        let mut has_changed = false;
        for edit in edits {
            has_changed |= match &edit.change {
                Change::Set(key, value) => document.set(&edit.section, key, value)?,
                Change::Remove(key) => document.remove(&edit.section, key)?,
                Change::AddSection => document.add_section(&edit.section)?,
            };
        }
        if has_changed {
            changed.push((document, path, widest));
        }
    }
    for (document, path, widest) in changed {
        write(context, &document, path, widest)?;
    }
    Ok(())
}

/// The value of one property in the text of one file; what other files say does not count.
///
/// # Errors
/// `InvalidConfiguration` for a file that cannot be read or understood.
pub fn read_setting(
    context: &Context,
    file: FileKind,
    section: &SectionName,
    key: &SettingKey,
) -> Result<Option<crate::Secret>> {
    let locations = FileLocations::from_env(&context.env)?;
    let path = match file {
        FileKind::Config => &locations.config,
        FileKind::Credentials => &locations.credentials,
    };
    read(context, file, path)?.get(section, key)
}

fn read(context: &Context, kind: FileKind, path: &Path) -> Result<Document> {
    match context.fs.read(path, MAX_FILE_BYTES) {
        Ok(bytes) => Document::parse(kind, path, &bytes),
        Err(error) if is_missing(&error) => Document::parse(kind, path, b""),
        Err(error) => Err(unreadable(path, error)),
    }
}

fn write(context: &Context, document: &Document, path: &Path, widest: u32) -> Result<()> {
    let bytes = document.bytes();
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(unreadable(path, io::ErrorKind::FileTooLarge.into()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), |folder| context.fs.create_folder(folder));
    made.and_then(|()| context.fs.rewrite(path, bytes, widest)).map_err(|e| unwritable(path, e))
}

async fn lock(context: &Context, locations: &FileLocations) -> Result<FileLock> {
    // Without a home folder both files are named, and the lock lies beside them.
    let beside = || locations.credentials.parent().map(PathBuf::from).unwrap_or_default();
    let folder = aws_folder(&context.env).unwrap_or_else(beside);
    let path = folder.join("rolecall").join("locks").join("profiles.lock");
    let mut waited = Duration::ZERO;
    let mut poll = SHORTEST_POLL;
    loop {
        if let Some(lock) = context.fs.try_lock(&path).map_err(|e| unwritable(&path, e))? {
            return Ok(lock);
        }
        if waited >= PATIENCE {
            let message =
                format!("another process has held {} for {} s", path.display(), PATIENCE.as_secs());
            return Err(CredentialsError::new(ErrorKind::Unavailable, "profile files", message)
                .with_help("see which process has it open, and try again"));
        }
        let wait = poll / 2 + context.random.up_to(poll / 2);
        context.clock.sleep(wait).await;
        waited += wait;
        poll = (poll * 2).min(LONGEST_POLL);
    }
}

fn unwritable(path: &Path, error: io::Error) -> CredentialsError {
    use io::ErrorKind as Io;
    let (kind, help) = match error.kind() {
        Io::PermissionDenied | Io::ReadOnlyFilesystem => (
            ErrorKind::InvalidConfiguration,
            "make the file and its folder your own and writable (chmod u+w)",
        ),
        Io::ResourceBusy => (
            ErrorKind::InvalidConfiguration,
            "a file that is a mount of its own cannot be replaced; mount the folder it is in",
        ),
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => {
            (ErrorKind::Internal, "nothing was changed; make room on the disk")
        }
        _ => (ErrorKind::Internal, "the file is as it was; check the folder it is in"),
    };
    let message = format!("cannot write {}: {error}", path.display());
    CredentialsError::new(kind, "profile files", message).with_help(help).with_source(error)
}

/// An error in what is to be written.
fn refused(message: impl Into<String>) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "profile files", message)
}

fn at(file: &Arc<Path>, line: usize) -> Origin {
    Origin { file: Arc::clone(file), line: u32::try_from(line + 1).unwrap_or(u32::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Env, Fs};

    struct Machine {
        folder: tempfile::TempDir,
        context: Context,
    }

    impl Machine {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let context = Context {
                fs: Fs::rooted(folder.path()),
                env: Env::from_pairs([("HOME", "/home")]),
                ..Context::fake()
            };
            Self { folder, context }
        }

        fn write(&self, name: &str, text: &str) {
            self.context.fs.create_folder(Path::new("/home/.aws")).unwrap();
            self.context.fs.write(&Path::new("/home/.aws").join(name), text.as_bytes()).unwrap();
        }

        fn read(&self, name: &str) -> String {
            let bytes = self.context.fs.read(&Path::new("/home/.aws").join(name), 1 << 20);
            String::from_utf8(bytes.unwrap().to_vec()).unwrap()
        }

        fn mode(&self, path: &str) -> u32 {
            use std::os::unix::fs::PermissionsExt;
            self.folder.path().join(path).metadata().unwrap().permissions().mode() & 0o777
        }

        fn chmod(&self, path: &str, mode: u32) {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(self.folder.path().join(path), mode).unwrap();
        }
    }

    fn set(file: FileKind, key: &str, value: &str) -> Edit {
        let section = SectionName::profile("x").unwrap();
        let change = Change::Set(key.parse().unwrap(), SettingValue::new(value.into()).unwrap());
        Edit { file, section, change }
    }

    fn both() -> [Edit; 2] {
        [set(FileKind::Config, "region", "r"), set(FileKind::Credentials, "key", "k")]
    }

    #[tokio::test]
    async fn what_is_missing_is_made_for_its_owner_alone() {
        let machine = Machine::new();
        edit_files(&machine.context, &both()).await.unwrap();
        assert_eq!(machine.read("config"), "[profile x]\nregion = r\n");
        assert_eq!(machine.read("credentials"), "[x]\nkey = k\n");
        let modes = ["home/.aws", "home/.aws/config", "home/.aws/credentials"];
        assert_eq!(modes.map(|path| machine.mode(path)), [0o700, 0o600, 0o600]);
    }

    #[tokio::test]
    async fn the_config_file_keeps_its_permissions_and_the_credentials_file_gets_no_wider() {
        let machine = Machine::new();
        for name in ["config", "credentials"] {
            machine.write(name, "");
            machine.chmod(&format!("home/.aws/{name}"), 0o644);
        }
        edit_files(&machine.context, &both()).await.unwrap();
        let modes = ["home/.aws/config", "home/.aws/credentials"];
        assert_eq!(modes.map(|path| machine.mode(path)), [0o644, 0o600]);
    }

    #[tokio::test]
    async fn a_file_that_is_right_already_is_not_written() {
        let machine = Machine::new();
        machine.write("config", "[profile x]\nregion=r # mine\n");
        machine.chmod("home/.aws/config", 0o444);
        edit_files(&machine.context, &[set(FileKind::Config, "region", "r")]).await.unwrap();
        let error = edit_files(&machine.context, &[set(FileKind::Config, "region", "s")]).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.to_string().contains("/home/.aws/config: it is read-only"), "{error}");
    }

    #[tokio::test]
    async fn nothing_is_written_if_either_file_makes_no_sense() {
        let machine = Machine::new();
        machine.write("config", "[profile x]\nnonsense\n");
        let error = edit_files(&machine.context, &both()).await.unwrap_err();
        assert!(error.to_string().contains("config:2: "), "{error}");
        assert!(machine.context.fs.read(Path::new("/home/.aws/credentials"), 9).is_err());
    }

    #[tokio::test]
    async fn a_death_at_any_call_leaves_old_files_or_new_ones() {
        let (old, new) = ("[profile x]\nregion = old\n", "[profile x]\nregion = r\n");
        let (old_keys, new_keys) = ("[x]\nkey = old\n", "[x]\nkey = k\n");
        for calls in 0.. {
            let machine = Machine::new();
            machine.write("config", old);
            machine.write("credentials", old_keys);
            let mut dying = machine.context.clone();
            dying.fs = machine.context.fs.clone().dying_after(calls);
            let edited = edit_files(&dying, &both()).await;
            let (config, keys) = (machine.read("config"), machine.read("credentials"));
            assert!([old, new].contains(&config.as_str()), "{config}");
            assert!([old_keys, new_keys].contains(&keys.as_str()), "{keys}");
            if edited.is_ok() {
                assert_eq!((config.as_str(), keys.as_str()), (new, new_keys));
                assert!(calls > 10, "every step must go through the seam: {calls}");
                break;
            }
        }
    }

    #[tokio::test]
    async fn a_lock_that_is_never_given_back_is_named_in_the_end() {
        let machine = Machine::new();
        let path = Path::new("/home/.aws/rolecall/locks/profiles.lock");
        let held = machine.context.fs.try_lock(path).unwrap();
        let error = edit_files(&machine.context, &both()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("profiles.lock"), "{error}");
        drop(held);
        edit_files(&machine.context, &both()).await.unwrap();
    }

    #[tokio::test]
    async fn files_that_are_named_need_no_home() {
        let mut machine = Machine::new();
        machine.context.env = Env::from_pairs([
            ("AWS_CONFIG_FILE", "/other/a"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/other/b"),
        ]);
        edit_files(&machine.context, &both()).await.unwrap();
        assert_eq!(machine.mode("other"), 0o700);
        assert_eq!(machine.mode("other/b"), 0o600);
    }
}
