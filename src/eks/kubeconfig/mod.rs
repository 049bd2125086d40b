//! Kubeconfig files: which one is meant, and how it is changed.

mod document;
mod edit;
mod value;
mod yaml;

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rolecall_core::profile::aws_folder;
use rolecall_core::{Context, CredentialsError, ErrorKind, Result, Waited};
use zeroize::Zeroizing;

use document::Document;
pub(super) use document::Entries;
pub(super) use value::Value;
use yaml::Flaw;

/// The largest file that is read, in bytes: room for a thousand clusters.
const LARGEST: u64 = 4 << 20;
/// How long to wait for others of rolecall who edit. They need milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The files that may be meant.
#[derive(Clone, Debug)]
pub(super) struct Kubeconfigs<'c> {
    context: &'c Context,
    paths: Vec<PathBuf>,
}

/// A kubeconfig as it was chosen, and what of it had to be passed over.
pub(super) struct Chosen {
    pub(super) path: PathBuf,
    /// Whether it has the cluster already.
    pub(super) has_cluster: bool,
    /// The files before it that cannot be understood.
    pub(super) warnings: Vec<CredentialsError>,
    /// The first file before it with a current context, if that is another than is to be.
    pub(super) overruled_by: Option<PathBuf>,
}

impl<'c> Kubeconfigs<'c> {
    /// `path` alone, else those of `KUBECONFIG`, else `~/.kube/config`.
    ///
    /// # Errors
    /// `InvalidConfiguration` without a home folder where one is needed.
    pub(super) fn of(context: &'c Context, path: Option<&Path>) -> Result<Self> {
        let separator = if cfg!(windows) { ';' } else { ':' };
        let listed = context.env.get("KUBECONFIG").unwrap_or_default();
        let mut paths: Vec<PathBuf> = match path {
            Some(path) => vec![path.to_owned()],
            None => {
                let paths = listed.split(separator).filter(|path| !path.trim().is_empty());
                paths.map(PathBuf::from).collect()
            }
        };
        if paths.is_empty() {
            paths.push(PathBuf::from("~/.kube/config"));
        }
        let paths = paths.into_iter().map(|path| absolute(context, &path));
        Ok(Self { context, paths: paths.collect::<Result<_>>()? })
    }

    /// The first file that has the cluster, else the first of all. A file that is not there is an
    /// empty one.
    ///
    /// # Errors
    /// `InvalidConfiguration` if the one that is left cannot be read or understood.
    pub(super) fn choose(&self, cluster: &str, current: &str) -> Result<Chosen> {
        let (mut warnings, mut believed) = (Vec::new(), None);
        for path in &self.paths {
            match look(self.context, path, cluster) {
                Ok((true, _)) => {
                    let other = believed.filter(|(_, named)| named != current);
                    return Ok(Chosen {
                        path: path.clone(),
                        has_cluster: true,
                        warnings,
                        overruled_by: other.map(|(path, _)| path),
                    });
                }
                Ok((false, named)) => {
                    believed = believed.or_else(|| Some((path.clone(), named?)));
                }
                Err(error) => warnings.push(error),
            }
        }
        let path = self.paths.first().cloned().unwrap_or_default();
        look(self.context, &path, cluster)?;
        Ok(Chosen { path, has_cluster: false, warnings, overruled_by: None })
    }
}

/// Whether a file has the cluster, and which context it says is the current one.
fn look(context: &Context, path: &Path, cluster: &str) -> Result<(bool, Option<String>)> {
    let text = read(context, path)?;
    let document = Document::parse(&text).map_err(|flaw| corrupted(path, &flaw))?;
    Ok((document.has_cluster(cluster), document.current_context().map(str::to_owned)))
}

/// What the file is to hold; nothing is written.
///
/// # Errors
/// `InvalidConfiguration` if it cannot be read, understood or changed safely.
pub(super) fn with(context: &Context, path: &Path, entries: &Entries) -> Result<Zeroizing<String>> {
    let text = read(context, path)?;
    let document = Document::parse(&text).map_err(|flaw| corrupted(path, &flaw))?;
    document.with(entries).map(Zeroizing::new).map_err(|flaw| unchangeable(path, &flaw))
}

/// Puts the entries into the file, which is replaced as a whole and keeps its permissions; a new one
/// is its owner's alone. A file that says all of it already is not written: then it gives `false`.
///
/// # Errors
/// As [`with`]; `InvalidConfiguration` if it may not be written, `Unavailable` if another process
/// of rolecall holds its lock for long, `Internal` if the disk is full. The file is then as it was.
pub(super) async fn write(context: &Context, path: &Path, entries: &Entries) -> Result<bool> {
    // A file that is right already may lie where nobody can write, also no lock.
    if *with(context, path, entries)? == *read(context, path)? {
        return Ok(false);
    }
    let target = context.fs.resolve(path).map_err(|error| unwritable(path, error))?;
    if let Some(folder) = target.parent() {
        context.fs.create_folder(folder).map_err(|error| unwritable(path, error))?;
    }
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let beside = target.with_file_name(format!(".{name}.lock"));
    let waited = context.wait_for_lock(&beside, PATIENCE, |_| None::<Infallible>).await;
    let _lock = match waited.map_err(|error| unwritable(path, error))? {
        Waited::Locked(lock) => lock,
        Waited::Found(nothing) => match nothing {},
        Waited::TimedOut => {
            let (lock, seconds) = (beside.display(), PATIENCE.as_secs());
            let message = format!("another process has held {lock} for {seconds} s");
            return Err(CredentialsError::new(ErrorKind::Unavailable, PROVIDER, message)
                .with_help("nothing was changed; see which process has it open, and try again"));
        }
    };
    // Somebody may have written it while the lock was waited for.
    let text = with(context, path, entries)?;
    let written = context.fs.rewrite(&target, text.as_bytes(), 0o777);
    written.map(|()| true).map_err(|error| unwritable(path, error))
}

/// The text of the file; empty if there is none.
fn read(context: &Context, path: &Path) -> Result<Zeroizing<String>> {
    let refused = |message: String, help: &str| invalid(message).with_help(help.to_owned());
    let mut bytes = match context.fs.read(path, LARGEST) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Zeroizing::default()),
        Err(error) => {
            let message = format!("cannot read {}: {error}", path.display());
            let help = match error.kind() {
                io::ErrorKind::FileTooLarge => "a kubeconfig of more than 4 MiB is not read",
                _ => "nothing was changed; check the file, or name another one with --kubeconfig",
            };
            return Err(refused(message, help).with_source(error));
        }
    };
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            drop(Zeroizing::new(error.into_bytes()));
            let message = format!("{} is not UTF-8 at byte {at}", path.display());
            Err(refused(message, "nothing was changed; write the file as UTF-8"))
        }
    }
}

const PROVIDER: &str = "kubeconfig";

fn invalid(message: String) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
}

fn placed(path: &Path, flaw: &Flaw) -> CredentialsError {
    let place = match flaw.line {
        Some(line) => format!("{}:{line}", path.display()),
        None => path.display().to_string(),
    };
    invalid(flaw.message.clone()).with_place(place)
}

fn corrupted(path: &Path, flaw: &Flaw) -> CredentialsError {
    placed(path, flaw).with_help(
        "nothing was changed; mend the file (kubectl config view says if it can read it), or name \
         another one with --kubeconfig",
    )
}

fn unchangeable(path: &Path, flaw: &Flaw) -> CredentialsError {
    placed(path, flaw).with_help(
        "nothing was changed; put the entries in by hand (--dry-run with --kubeconfig and a new \
         file prints them), or name another file with --kubeconfig",
    )
}

fn unwritable(path: &Path, error: io::Error) -> CredentialsError {
    use io::ErrorKind as Io;
    let (kind, help) = match error.kind() {
        Io::PermissionDenied | Io::ReadOnlyFilesystem => (
            ErrorKind::InvalidConfiguration,
            "nothing was changed; make the file and its folder your own and writable (chmod u+w)",
        ),
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => {
            (ErrorKind::Internal, "nothing was changed; make room on the disk")
        }
        Io::ResourceBusy => (
            ErrorKind::InvalidConfiguration,
            "nothing was changed; a file that is a mount of its own cannot be replaced: mount the \
             folder it is in",
        ),
        Io::InvalidInput => (
            ErrorKind::InvalidConfiguration,
            "nothing was changed; name a regular file in KUBECONFIG or --kubeconfig",
        ),
        _ => (ErrorKind::Internal, "nothing was changed; check the folder it is in"),
    };
    let message = format!("cannot write {}: {error}", path.display());
    CredentialsError::new(kind, PROVIDER, message).with_help(help).with_source(error)
}

/// `path` from the root, `~` taken for the home folder.
fn absolute(context: &Context, path: &Path) -> Result<PathBuf> {
    let path = match path.strip_prefix("~") {
        Err(_) => path.to_owned(),
        Ok(rest) => {
            let folder = aws_folder(&context.env);
            let home = folder.as_deref().and_then(Path::parent).ok_or_else(|| {
                invalid(format!("HOME is not set, and {} lies there", path.display()))
                    .with_help("name a file with --kubeconfig or in KUBECONFIG")
            })?;
            home.join(rest)
        }
    };
    context.fs.absolute(&path).map_err(|error| {
        invalid(format!("{} cannot be found: {error}", path.display())).with_source(error)
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
