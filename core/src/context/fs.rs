mod ownership;
mod reading;
mod replacement;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

use self::ownership::link_target;
use self::reading::{Bounded, expect_file, read_up_to, without_waiting};
pub use self::replacement::Replacement;
use super::lock::is_at;
use super::{FileFacts, FileLock, Random};

/// Files: the machine's, or those below one folder.
///
/// Calls block: the files of this field are small and local.
#[derive(Clone)]
pub struct Fs {
    root: Option<Arc<Path>>,
    /// How many more calls to the file system succeed: a test's way to kill us at each of them.
    calls_left: Option<Arc<AtomicU64>>,
    /// Whether only the one call after those fails.
    fails_once: bool,
    random: Random,
}

impl Fs {
    /// The files of this machine.
    pub fn real() -> Self {
        Self { root: None, calls_left: None, fails_once: false, random: Random::real() }
    }

    /// The files below `root`: `/home/.aws` is `root/home/.aws`.
    pub fn rooted(root: impl Into<PathBuf>) -> Self {
        Self { root: Some(root.into().into()), ..Self::real() }
    }

    /// The same files, as a process sees them that dies after `calls` more calls: each later call
    /// fails and changes nothing.
    #[must_use]
    pub fn dying_after(mut self, calls: u64) -> Self {
        self.calls_left = Some(Arc::new(AtomicU64::new(calls)));
        self
    }

    /// The same files, where one call fails and changes nothing: the one after `calls` others.
    #[must_use]
    pub fn failing_once_after(self, calls: u64) -> Self {
        Self { fails_once: true, ..self.dying_after(calls) }
    }

    /// Whether a process of [`Self::dying_after`] has died, or the call of
    /// [`Self::failing_once_after`] come.
    pub fn is_dead(&self) -> bool {
        let reached = if self.fails_once { u64::MAX } else { 0 };
        self.calls_left.as_ref().is_some_and(|left| left.load(Ordering::SeqCst) == reached)
    }

    /// Reads a file of at most `limit` bytes, without waiting for anyone. What is neither a file nor
    /// a device such as `/dev/null` is not opened: a pipe may be silent, and what is in it is
    /// somebody else's.
    ///
    /// # Errors
    /// As the system says; `FileTooLarge` past the limit, `InvalidInput` for a pipe and the like.
    pub fn read(&self, path: &Path, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
        let place = self.place(path);
        expect_file(&self.call(|| place.metadata())?)?;
        let mut file = self.call(|| without_waiting(OpenOptions::new().read(true)).open(&place))?;
        // Something else may have come in its place.
        let metadata = self.call(|| file.metadata())?;
        expect_file(&metadata)?;
        let expected = if metadata.is_file() { metadata.len() } else { limit };
        self.call(|| read_up_to(&mut file, expected, limit))
    }

    /// Reads as [`Self::read`] does, and also a pipe or a terminal, where a person says what is to
    /// be read: `<(…)` of a shell is a pipe. Each byte is waited for two minutes at most.
    ///
    /// # Errors
    /// As [`Self::read`]; `TimedOut` if nothing comes.
    pub fn read_also_pipe(&self, path: &Path, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
        let place = self.place(path);
        let metadata = self.call(|| place.metadata())?;
        if metadata.is_file() || metadata.is_dir() {
            return self.read(path, limit);
        }
        let file = self.call(|| without_waiting(OpenOptions::new().read(true)).open(&place))?;
        self.call(|| read_up_to(&mut Bounded::without_blocking(&file), limit, limit))
    }

    /// Reads standard input to its end: at most `limit` bytes, each within two minutes.
    ///
    /// # Errors
    /// As the system says; `FileTooLarge` past the limit, `TimedOut` if nothing comes.
    pub fn read_stdin(&self, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
        read_up_to(&mut Bounded::new(io::stdin()), limit, limit)
    }

    /// Makes a folder and those above it, open to its owner alone.
    ///
    /// # Errors
    /// As the system says.
    pub fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        self.call(|| builder.create(self.place(path)))
    }

    /// The names in a folder, sorted; empty if there is no such folder.
    ///
    /// # Errors
    /// As the system says.
    pub fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let entries = match self.call(|| std::fs::read_dir(self.place(path))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let names = entries.map(|e| Ok(e?.file_name().to_string_lossy().into_owned()));
        let mut names = names.collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    /// What the system says of a path, without opening it; `None` if nothing is there.
    ///
    /// # Errors
    /// As the system says.
    pub fn facts(&self, path: &Path) -> io::Result<Option<FileFacts>> {
        self.call(|| FileFacts::of(&self.place(path)))
    }

    /// The path of a file that is there, with its symbolic links resolved, for a library that opens
    /// files by itself.
    ///
    /// # Errors
    /// As the system says.
    pub fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        self.call(|| self.place(path).canonicalize())
    }

    /// Removes a file; no such file is fine.
    ///
    /// # Errors
    /// As the system says.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        match self.call(|| remove(&self.place(path))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Takes the lock file `path` if no other process and no one else in this one has it. The file
    /// is made, and goes when the lock is given back.
    ///
    /// # Errors
    /// As the system says.
    pub fn try_lock(&self, path: &Path) -> io::Result<Option<FileLock>> {
        let place = self.place(path);
        let open = || {
            if let Ok(metadata) = place.metadata() {
                expect_file(&metadata)?;
            }
            private(OpenOptions::new().read(true).write(true).create(true).truncate(false))
                .open(&place)
        };
        let file = match self.call(open) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create_folder(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
                self.call(open)?
            }
            file => file?,
        };
        match self.call(|| Ok(file.try_lock()))? {
            // It may have been given back and removed since it was opened: others lock the next.
            Ok(()) if !is_at(&file, &place)? => Ok(None),
            Ok(()) => Ok(Some(FileLock { file, place, fs: self.clone() })),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// The file that `path` stands for, links followed, also if it is yet to be made.
    ///
    /// # Errors
    /// As the system says; links that go round are one.
    pub fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        let target = self.call(|| link_target(&self.place(path)))?;
        let Some(root) = &self.root else { return Ok(target) };
        let below = target.strip_prefix(root.canonicalize()?).or(target.strip_prefix(root));
        Ok(below.map_or(target.clone(), |below| Path::new("/").join(below)))
    }

    /// `path` from the root, without a look at what is there.
    ///
    /// # Errors
    /// As the system says, where it does not know the current folder.
    pub fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        match self.root {
            Some(_) => Ok(Path::new("/").join(path)),
            None => std::path::absolute(path),
        }
    }

    fn place(&self, path: &Path) -> PathBuf {
        match &self.root {
            None => path.to_owned(),
            Some(root) => root.join(
                path.components()
                    .filter(|part| matches!(part, Component::Normal(_)))
                    .collect::<PathBuf>(),
            ),
        }
    }

    pub(super) fn call<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if let Some(left) = &self.calls_left {
            // Past the one that fails, the count never gets down to nothing again.
            let spend = |left: u64| left.checked_sub(1).filter(|_| left != u64::MAX);
            if self.fails_once && left.load(Ordering::SeqCst) == u64::MAX {
                return call();
            }
            if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend).is_err() {
                if self.fails_once {
                    left.store(u64::MAX, Ordering::SeqCst);
                }
                return Err(io::Error::other("the process was killed here"));
            }
        }
        call()
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Windows has no such thing.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

impl fmt::Debug for Fs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fs").field("root", &self.root).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn folder() -> (tempfile::TempDir, Fs) {
        let folder = tempfile::tempdir().unwrap();
        let fs = Fs::rooted(folder.path());
        (folder, fs)
    }

    fn make_pipe(path: &Path) {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
    }

    #[test]
    fn files_and_folders_are_their_owners_alone() {
        let (folder, fs) = folder();
        fs.create_folder(Path::new("/a/b")).unwrap();
        fs.write(Path::new("/a/b/c"), b"x").unwrap();
        let mode = |path| {
            let metadata = folder.path().join(path).metadata().unwrap();
            metadata.permissions().mode() & 0o777
        };
        assert_eq!((mode("a/b"), mode("a/b/c")), (0o700, 0o600));
        assert_eq!(fs.list(Path::new("/a/b")).unwrap(), ["c"]);
    }

    #[test]
    fn a_death_at_any_call_leaves_the_old_bytes_or_the_new() {
        let (_folder, fs) = folder();
        let path = Path::new("/file");
        fs.write(path, b"old").unwrap();
        let mut deaths = 0;
        for calls in 0.. {
            let dying = fs.clone().dying_after(calls);
            let written = dying.write(path, b"new");
            let found = fs.read(path, 100).unwrap();
            assert!(matches!(found.as_slice(), b"old" | b"new"), "after {calls} calls");
            if written.is_ok() {
                assert_eq!(found.as_slice(), b"new");
                break;
            }
            deaths += 1;
        }
        assert!(deaths >= 5, "every step of the write must go through the seam: {deaths}");
    }

    #[test]
    fn what_is_no_regular_file_is_not_replaced() {
        let (folder, fs) = folder();
        std::os::unix::fs::symlink("/dev/null", folder.path().join("null")).unwrap();
        assert!(fs.write(Path::new("/null"), b"new").is_err());
        assert!(fs.rewrite(Path::new("/null"), b"new", 0o600).is_err());
    }

    #[test]
    fn a_symbolic_link_stays_one() {
        let (folder, fs) = folder();
        fs.write(Path::new("/real"), b"old").unwrap();
        std::os::unix::fs::symlink("real", folder.path().join("link")).unwrap();
        fs.write(Path::new("/link"), b"new").unwrap();
        assert_eq!(fs.read(Path::new("/real"), 9).unwrap().as_slice(), b"new");
        assert!(folder.path().join("link").is_symlink());
    }

    #[test]
    fn a_pipe_is_read_where_one_may_be_and_one_without_a_writer_does_not_hang() {
        let (folder, fs) = folder();
        make_pipe(&folder.path().join("pipe"));
        assert!(fs.read_also_pipe(Path::new("/pipe"), 9).unwrap().is_empty());
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"token").unwrap();
        drop(writer);
        let number = std::os::fd::AsRawFd::as_raw_fd(&reader);
        let place = format!("/proc/self/fd/{number}");
        assert_eq!(Fs::real().read_also_pipe(Path::new(&place), 9).unwrap().as_slice(), b"token");
        fs.write(Path::new("/file"), b"x").unwrap();
        assert_eq!(fs.read_also_pipe(Path::new("/file"), 9).unwrap().as_slice(), b"x");
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_not_touched() {
        let (folder, fs) = folder();
        make_pipe(&folder.path().join("pipe"));
        // Held open for both ways, as by two other programs.
        let mut held =
            OpenOptions::new().read(true).write(true).open(folder.path().join("pipe")).unwrap();
        held.write_all(b"theirs").unwrap();
        let error = fs.read(Path::new("/pipe"), 9).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("pipe"), "{error}");
        assert!(fs.try_lock(Path::new("/pipe")).is_err());
        let mut theirs = [0; 6];
        held.read_exact(&mut theirs).unwrap();
        assert_eq!(&theirs, b"theirs");
    }

    #[test]
    fn a_device_is_read_as_far_as_it_has_something() {
        assert!(Fs::real().read(Path::new("/dev/null"), 9).unwrap().is_empty());
        let error = Fs::real().read(Path::new("/dev/zero"), 9).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_link_to_a_file_that_is_yet_to_be_made_is_followed() {
        let (folder, fs) = folder();
        std::os::unix::fs::symlink("second", folder.path().join("first")).unwrap();
        std::os::unix::fs::symlink("real", folder.path().join("second")).unwrap();
        fs.rewrite(Path::new("/first"), b"new", 0o777).unwrap();
        assert_eq!(fs.read(Path::new("/real"), 9).unwrap().as_slice(), b"new");
        assert!(folder.path().join("second").is_symlink());
        std::os::unix::fs::symlink("round", folder.path().join("round")).unwrap();
        assert!(fs.write(Path::new("/round"), b"new").is_err());
    }

    #[test]
    fn rewriting_keeps_the_permissions_within_the_widest() {
        let (folder, fs) = folder();
        let place = folder.path().join("file");
        let rewritten = |old: u32, widest| {
            fs.rewrite(Path::new("/file"), b"old", 0o600).unwrap();
            std::fs::set_permissions(&place, PermissionsExt::from_mode(old)).unwrap();
            let written = fs.rewrite(Path::new("/file"), b"new", widest);
            let mode = place.metadata().unwrap().permissions().mode() & 0o777;
            std::fs::set_permissions(&place, PermissionsExt::from_mode(0o600)).unwrap();
            (mode, written.map_err(|error| error.kind()))
        };
        assert_eq!(rewritten(0o644, 0o777), (0o644, Ok(())));
        assert_eq!(rewritten(0o644, 0o600), (0o600, Ok(())));
        let refused = Err(io::ErrorKind::PermissionDenied);
        assert_eq!(rewritten(0o444, 0o777), (0o444, refused));
        assert_eq!(fs.list(Path::new("/")).unwrap(), ["file"]);
    }

    #[test]
    fn reading_is_limited() {
        let (_folder, fs) = folder();
        fs.write(Path::new("/big"), &[b'x'; 100]).unwrap();
        assert_eq!(fs.read(Path::new("/big"), 100).unwrap().len(), 100);
        let error = fs.read(Path::new("/big"), 99).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_rooted_file_system_cannot_be_left() {
        let (folder, fs) = folder();
        fs.write(Path::new("/../../escaped"), b"x").unwrap();
        assert!(folder.path().join("escaped").exists());
    }
}
