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
mod tests;
