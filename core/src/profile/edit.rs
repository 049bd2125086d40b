//! Changes to profile files that leave every other byte as it is.
//!
//! [`Document`] changes a text; [`edit_files`] changes the files, each as a whole or not at all, and
//! one process after the other.

mod document;
mod layout;
mod name;
#[cfg(test)]
mod properties;

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

pub use document::Document;
pub use name::{SectionName, SettingKey, SettingValue};

use super::location::FileLocations;
use super::set::{MAX_FILE_BYTES, is_missing, unreadable};
use super::{FileKind, Origin};
use crate::{
    Context, CredentialsError, ErrorKind, FileLock, PathKind, Replacement, Result, Waited,
};

/// How long to wait for others who edit. They need milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

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
/// lock beside each file for as long as it takes; AWS CLI knows of no locks.
///
/// # Errors
/// `InvalidConfiguration` for a file that cannot be understood or may not be written, `Unavailable`
/// if another process holds the lock for long, `Internal` if the disk is full. Nothing is then
/// changed, in neither file; should that fail too, the error says so. A crash between the two
/// leaves the credentials file new and the config file old.
pub async fn edit_files(context: &Context, edits: &[Edit]) -> Result<()> {
    edit_files_if(context, edits, |_, _| Ok(())).await
}

/// [`edit_files`], if `allows` has nothing against what the files hold before the change. It is
/// asked with the locks held, so nobody of rolecall's comes in between; not for files that stay as
/// they are.
///
/// # Errors
/// As [`edit_files`], and those of `allows`; nothing is then changed.
pub async fn edit_files_if(
    context: &Context,
    edits: &[Edit],
    allows: impl Fn(FileKind, &Document) -> Result<()>,
) -> Result<()> {
    let locations = FileLocations::from_env(&context.env)?;
    let files = [
        (FileKind::Credentials, &*locations.credentials, 0o600),
        (FileKind::Config, &*locations.config, 0o777),
    ];
    // A file that is right already may lie where nobody can write, also no lock.
    if changes(context, files, edits, &allows)?.is_empty() {
        return Ok(());
    }
    let edited = files.into_iter().filter(|(kind, ..)| edits.iter().any(|e| e.file == *kind));
    let _locks = lock(context, edited.map(|(_, path, _)| path).collect()).await?;
    write(context, &changes(context, files, edits, &allows)?)
}

/// What a file is to hold.
struct Changed<'a> {
    path: &'a Path,
    /// The file that `path` stands for, links followed.
    target: PathBuf,
    /// Its bytes before; `None` if there is no such file.
    old: Option<Zeroizing<Vec<u8>>>,
    new: Document,
    widest: u32,
}

/// The files that `edits` change, worked out from what they hold now.
fn changes<'a>(
    context: &Context,
    files: [(FileKind, &'a Path, u32); 2],
    edits: &[Edit],
    allows: &impl Fn(FileKind, &Document) -> Result<()>,
) -> Result<Vec<Changed<'a>>> {
    let mut changed = Vec::with_capacity(files.len());
    for (kind, path, widest) in files {
        let mut edits = edits.iter().filter(|edit| edit.file == kind).peekable();
        if edits.peek().is_none() {
            continue;
        }
        let old = bytes_of(context, path)?;
        let bytes: &[u8] = old.as_ref().map_or(b"", |bytes| bytes);
        let mut document = Document::parse(kind, path, bytes)?;
        let allowed = allows(kind, &document);
        let mut has_changed = false;
        for edit in edits {
            has_changed |= match &edit.change {
                Change::Set(key, value) => document.set(&edit.section, key, value)?,
                Change::Remove(key) => document.remove(&edit.section, key)?,
                Change::AddSection => document.add_section(&edit.section)?,
            };
        }
        if has_changed {
            allowed?;
            let target = context.fs.resolve(path).map_err(|error| unwritable(path, error))?;
            changed.push(Changed { path, target, old, new: document, widest });
        }
    }
    Ok(changed)
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
    let bytes = bytes_of(context, path)?;
    Document::parse(kind, path, bytes.as_ref().map_or(b"", |bytes| bytes))
}

fn bytes_of(context: &Context, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    match context.fs.read(path, MAX_FILE_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(unreadable(path, error)),
    }
}

/// Writes all files or none, as far as the system allows: the new ones are whole on the disk before
/// the first takes its place.
fn write(context: &Context, files: &[Changed<'_>]) -> Result<()> {
    let mut prepared = Vec::with_capacity(files.len());
    for file in files {
        prepared.push(prepare(context, file).map_err(|error| unwritable(file.path, error))?);
    }
    for (number, replacement) in prepared.into_iter().enumerate() {
        if let Err(error) = replacement.put_in_place() {
            let error = unwritable(files[number].path, error);
            return Err(take_back(context, &files[..number], error));
        }
    }
    Ok(())
}

fn prepare(context: &Context, file: &Changed<'_>) -> io::Result<Replacement> {
    let bytes = file.new.bytes();
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it would be larger than 4 MiB"));
    }
    let folder = file.target.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), |folder| context.fs.create_folder(folder))?;
    context.fs.prepare(&file.target, bytes, file.widest)
}

/// Puts back what `written` files held, as another could not be written; gives the error to tell.
fn take_back(
    context: &Context,
    written: &[Changed<'_>],
    error: CredentialsError,
) -> CredentialsError {
    for file in written {
        let taken_back = match &file.old {
            Some(old) => context.fs.rewrite(&file.target, old, file.widest),
            // A link that led to nothing stays one.
            None => context.fs.remove(&file.target),
        };
        if let Err(second) = taken_back {
            let path = file.path.display();
            let message = format!("{}; {path} is changed already", error.message());
            let help = format!("set again what was to be set: {path} could not be put back");
            return CredentialsError::new(error.kind(), "profile files", message)
                .with_help(help)
                .with_source(second);
        }
    }
    error
}

/// The locks of the files at `paths`, wherever links lead: they lie beside the files, so that
/// whoever means the same file means the same lock.
async fn lock(context: &Context, paths: Vec<&Path>) -> Result<Vec<FileLock>> {
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let file = context.fs.resolve(path).map_err(|error| unwritable(path, error))?;
        if files.iter().any(|(other, _)| *other == file) {
            return Err(refused(format!(
                "{} is the config and the credentials file",
                path.display()
            ))
            .with_help("name two files in AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE"));
        }
        let facts = context.fs.facts(&file).map_err(|error| unwritable(path, error))?;
        if facts.is_some_and(|facts| facts.kind == PathKind::Other) {
            let message =
                format!("{} is not a regular file and cannot be replaced", path.display());
            return Err(refused(message).with_help(
                "nothing was changed; name a file in AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE",
            ));
        }
        files.push((file, path));
    }
    // In one order for all, or two could wait for each other.
    files.sort();
    let mut locks = Vec::with_capacity(files.len());
    for (file, path) in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let beside = file.with_file_name(format!(".{name}.lock"));
        let waited = context.wait_for_lock(&beside, PATIENCE, |_| None::<Infallible>).await;
        match waited.map_err(|error| unlockable(path, &beside, error))? {
            Waited::Locked(lock) => locks.push(lock),
            Waited::Found(nothing) => match nothing {},
            Waited::TimedOut => {
                let (lock, seconds) = (beside.display(), PATIENCE.as_secs());
                let message = format!("another process has held {lock} for {seconds} s");
                let kind = ErrorKind::Unavailable;
                return Err(CredentialsError::new(kind, "profile files", message)
                    .with_help("see which process has it open, and try again"));
            }
        }
    }
    Ok(locks)
}

/// There can be no lock for `path` at `lock`.
fn unlockable(path: &Path, lock: &Path, error: io::Error) -> CredentialsError {
    let message = format!("cannot lock {} with {}: {error}", path.display(), lock.display());
    let (kind, help) = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (
            ErrorKind::InvalidConfiguration,
            "nothing was changed; the folder must be your own and writable (chmod u+w), and so a \
             lock file that was left there",
        ),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::Internal, "nothing was changed; make room on the disk")
        }
        _ => (
            ErrorKind::InvalidConfiguration,
            "nothing was changed; see what lies there: only an empty file or nothing may",
        ),
    };
    CredentialsError::new(kind, "profile files", message).with_help(help).with_source(error)
}

fn unwritable(path: &Path, error: io::Error) -> CredentialsError {
    use io::ErrorKind as Io;
    let (kind, help) = match error.kind() {
        Io::PermissionDenied | Io::ReadOnlyFilesystem => (
            ErrorKind::InvalidConfiguration,
            "nothing was changed; make the file and its folder your own and writable (chmod u+w)",
        ),
        Io::ResourceBusy => (
            ErrorKind::InvalidConfiguration,
            "nothing was changed; a file that is a mount of its own cannot be replaced: mount the \
             folder it is in",
        ),
        Io::StorageFull | Io::QuotaExceeded => {
            (ErrorKind::Internal, "nothing was changed; make room on the disk")
        }
        Io::FileTooLarge => (
            ErrorKind::Internal,
            "nothing was changed; make room on the disk, or raise the limit for files (ulimit -f)",
        ),
        _ => (ErrorKind::Internal, "nothing was changed; check the folder it is in"),
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
            // The config file may name what is in the other: never the other way round.
            assert!((&*config, &*keys) != (new, old_keys), "after {calls} calls");
            if edited.is_ok() {
                assert_eq!((config.as_str(), keys.as_str()), (new, new_keys));
                assert!(calls > 10, "every step must go through the seam: {calls}");
                break;
            }
        }
    }

    #[tokio::test]
    async fn one_call_that_fails_leaves_both_files_as_they_were() {
        let (old, new) = ("[profile x]\nregion = old\n", "[profile x]\nregion = r\n");
        let (old_keys, new_keys) = ("[x]\nkey = old\n", "[x]\nkey = k\n");
        let mut failed = 0;
        for calls in 0.. {
            let machine = Machine::new();
            machine.write("config", old);
            machine.write("credentials", old_keys);
            let mut failing = machine.context.clone();
            failing.fs = machine.context.fs.clone().failing_once_after(calls);
            let edited = edit_files(&failing, &both()).await;
            let (config, keys) = (machine.read("config"), machine.read("credentials"));
            match edited {
                Ok(()) => assert_eq!((&*config, &*keys), (new, new_keys), "call {calls}"),
                Err(error) => {
                    failed += 1;
                    assert_eq!((&*config, &*keys), (old, old_keys), "call {calls}: {error}");
                    assert!(!error.to_string().contains("changed already"), "{error}");
                }
            }
            if !failing.fs.is_dead() {
                break;
            }
        }
        assert!(failed > 10, "every step must go through the seam: {failed}");
    }

    #[tokio::test]
    async fn a_second_rename_that_fails_takes_the_first_back_also_behind_a_link() {
        for was_there in [true, false] {
            let mut failures = 0;
            for calls in 0.. {
                let machine = Machine::new();
                machine.write("config", "");
                let link = machine.folder.path().join("home/.aws/credentials");
                std::os::unix::fs::symlink("keys", &link).unwrap();
                let target = Path::new("/home/.aws/keys");
                if was_there {
                    machine.context.fs.write(target, b"# mine").unwrap();
                }
                let mut failing = machine.context.clone();
                failing.fs = machine.context.fs.clone().failing_once_after(calls);
                let edited = edit_files(&failing, &both()).await;
                assert!(link.is_symlink(), "call {calls}: the link was removed");
                let keys = machine.context.fs.read(target, 99).ok();
                if edited.is_err() {
                    let old: Option<&[u8]> = was_there.then_some(b"# mine");
                    assert_eq!(keys.as_ref().map(|b| b.as_slice()), old, "call {calls}");
                    assert_eq!(machine.read("config"), "", "call {calls}");
                    failures += 1;
                }
                if !failing.fs.is_dead() {
                    assert!(keys.is_some() && failures > 5, "{failures}");
                    break;
                }
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_regular_file_is_told_before_any_lock() {
        let mut machine = Machine::new();
        machine.context.fs = Fs::real();
        machine.context.env =
            Env::from_pairs([("HOME", "/none"), ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")]);
        let error = edit_files(&machine.context, &both()[1..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.message().contains("/dev/null is not a regular file"), "{error}");
        assert!(!Path::new("/dev/.null.lock").exists());
    }

    #[tokio::test]
    async fn a_lock_that_cannot_be_made_is_told_as_such() {
        let machine = Machine::new();
        machine.write("config", "");
        machine.context.fs.create_folder(Path::new("/home/.aws/.config.lock")).unwrap();
        let error = edit_files(&machine.context, &both()[..1]).await.unwrap_err();
        let says = "cannot lock /home/.aws/config with /home/.aws/.config.lock: ";
        assert!(error.message().starts_with(says), "{error}");
    }

    #[test]
    fn each_reason_why_a_file_cannot_be_written_has_its_own_advice() {
        use io::ErrorKind as Io;
        for (reason, kind, advice) in [
            (Io::PermissionDenied, ErrorKind::InvalidConfiguration, "chmod u+w"),
            (Io::ReadOnlyFilesystem, ErrorKind::InvalidConfiguration, "chmod u+w"),
            (Io::ResourceBusy, ErrorKind::InvalidConfiguration, "a mount of its own"),
            (Io::StorageFull, ErrorKind::Internal, "make room on the disk"),
            (Io::QuotaExceeded, ErrorKind::Internal, "make room on the disk"),
            (Io::FileTooLarge, ErrorKind::Internal, "ulimit -f"),
        ] {
            let error = unwritable(Path::new("/file"), reason.into());
            assert_eq!((error.kind(), error.provider()), (kind, "profile files"), "{reason}");
            let help = error.help().unwrap();
            assert!(help.starts_with("nothing was changed; ") && help.contains(advice), "{help}");
        }
    }

    #[tokio::test]
    async fn what_is_not_allowed_is_not_written_and_asked_about_what_is_there() {
        let machine = Machine::new();
        machine.write("credentials", "[x]\nkey = old\n");
        let key: SettingKey = "key".parse().unwrap();
        let section = SectionName::profile("x").unwrap();
        let refuse = |_: FileKind, document: &Document| {
            let old = document.get(&section, &key)?.unwrap();
            Err(refused(format!("there is {}", old.expose())))
        };
        let error = edit_files_if(&machine.context, &both()[1..], refuse).await.unwrap_err();
        assert_eq!(error.message(), "there is old");
        assert_eq!(machine.read("credentials"), "[x]\nkey = old\n");
        let same = [set(FileKind::Credentials, "key", "old")];
        edit_files_if(&machine.context, &same, refuse).await.unwrap();
    }

    #[tokio::test]
    async fn a_lock_that_is_never_given_back_is_named_in_the_end() {
        let machine = Machine::new();
        for name in [".config.lock", ".credentials.lock"] {
            let path = Path::new("/home/.aws").join(name);
            let held = machine.context.fs.try_lock(&path).unwrap();
            let error = edit_files(&machine.context, &both()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.message().contains(name), "{error}");
            drop(held);
        }
        edit_files(&machine.context, &both()).await.unwrap();
        let names = machine.context.fs.list(Path::new("/home/.aws")).unwrap();
        assert_eq!(names, ["config", "credentials"]);
    }

    #[tokio::test]
    async fn the_lock_is_the_files_own_whoever_s_home_it_is() {
        let machine = Machine::new();
        let real = Path::new("/shared/real");
        machine.context.fs.create_folder(Path::new("/shared")).unwrap();
        machine.context.fs.write(real, b"").unwrap();
        std::os::unix::fs::symlink("real", machine.folder.path().join("shared/link")).unwrap();
        let held = machine.context.fs.try_lock(Path::new("/shared/.real.lock")).unwrap();
        for (home, name) in [("/a", "/shared/real"), ("/b", "/shared/link")] {
            let mut other = machine.context.clone();
            other.env = Env::from_pairs([("HOME", home), ("AWS_SHARED_CREDENTIALS_FILE", name)]);
            let edit = [set(FileKind::Credentials, "key", home)];
            let error = edit_files(&other, &edit).await.unwrap_err();
            assert!(error.message().contains("/shared/.real.lock"), "{error}");
        }
        drop(held);
    }

    #[tokio::test]
    async fn what_needs_no_change_needs_no_lock() {
        let machine = Machine::new();
        edit_files(&machine.context, &both()).await.unwrap();
        let _held = machine.context.fs.try_lock(Path::new("/home/.aws/.config.lock")).unwrap();
        edit_files(&machine.context, &both()).await.unwrap();
        assert!(machine.context.clock.sleeps().is_empty());
    }

    #[tokio::test]
    async fn where_one_file_cannot_be_written_neither_is() {
        for (bad, good) in [("config", "credentials"), ("credentials", "config")] {
            let machine = Machine::new();
            machine.write(bad, "");
            machine.chmod(&format!("home/.aws/{bad}"), 0o444);
            let error = edit_files(&machine.context, &both()).await.unwrap_err();
            assert!(error.message().contains(&format!("/home/.aws/{bad}: ")), "{error}");
            assert!(error.help().unwrap().starts_with("nothing was changed"), "{error}");
            let names = machine.context.fs.list(Path::new("/home/.aws")).unwrap();
            assert_eq!(names, [bad], "{good} was made, or something left behind");
        }
    }

    #[test]
    fn what_was_written_is_taken_back_or_told() {
        for old in [Some("old"), None] {
            let machine = Machine::new();
            let path = Path::new("/home/.aws/credentials");
            machine.write("credentials", "new");
            let written = [Changed {
                path,
                target: path.to_owned(),
                old: old.map(|old| old.as_bytes().to_vec().into()),
                new: Document::parse(FileKind::Credentials, path, b"").unwrap(),
                widest: 0o600,
            }];
            let mut dead = machine.context.clone();
            dead.fs = dead.fs.dying_after(0);
            let first = || unwritable(Path::new("/c"), io::ErrorKind::ResourceBusy.into());
            let told = take_back(&dead, &written, first());
            assert!(told.message().contains("credentials is changed already"), "{told}");
            assert!(!told.help().unwrap().contains("nothing was changed"), "{told}");
            assert_eq!(machine.read("credentials"), "new");
            let told = take_back(&machine.context, &written, first());
            assert!(told.help().unwrap().contains("nothing was changed"), "{told}");
            let bytes = machine.context.fs.read(path, 9).ok();
            assert_eq!(bytes.as_ref().map(|b| b.as_slice()), old.map(str::as_bytes));
        }
    }

    #[tokio::test]
    async fn one_file_is_not_both() {
        let mut machine = Machine::new();
        machine.context.env =
            Env::from_pairs([("AWS_CONFIG_FILE", "/one"), ("AWS_SHARED_CREDENTIALS_FILE", "/one")]);
        let error = edit_files(&machine.context, &both()).await.unwrap_err();
        assert!(error.message().contains("/one is the config and"), "{error}");
        edit_files(&machine.context, &both()[..1]).await.unwrap();
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
