mod ownership;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

use self::ownership::{Ownership, link_target};
use super::{FileFacts, Random};

/// Files: the machine's, or those below one folder.
///
/// Calls block: the files of this field are small and local.
#[derive(Clone)]
pub struct Fs {
    root: Option<Arc<Path>>,
    /// How many more calls to the file system succeed: a test's way to kill us at each of them.
    calls_left: Option<Arc<AtomicU64>>,
    random: Random,
}

/// How long to wait for the next bytes of a pipe.
#[cfg(unix)]
const PATIENCE_SECONDS: i64 = 120;

/// A lock that other processes see too. Ends when dropped, and with the process however it ends.
#[derive(Debug)]
pub struct FileLock(File);

impl FileLock {
    /// What was last written into the lock file, at most 16 KiB of it. It need not be whole.
    pub fn note(&self) -> Vec<u8> {
        let mut note = Vec::new();
        // A note that cannot be read is none.
        let _ = (&self.0).seek(SeekFrom::Start(0));
        let _ = (&self.0).take(16 * 1024).read_to_end(&mut note);
        note
    }

    /// Writes into the lock file for whoever has the lock next. It is gone after a crash at the
    /// wrong moment, and must be no secret.
    pub fn write_note(&self, note: &[u8]) {
        let written = self.0.set_len(0).and_then(|()| {
            (&self.0).seek(SeekFrom::Start(0))?;
            (&self.0).write_all(note)
        });
        if let Err(error) = written {
            tracing::debug!(%error, "the lock file could not be written");
        }
    }
}

impl Fs {
    /// The files of this machine.
    pub fn real() -> Self {
        Self { root: None, calls_left: None, random: Random::real() }
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

    /// Whether a process of [`Self::dying_after`] has died.
    pub fn is_dead(&self) -> bool {
        self.calls_left.as_ref().is_some_and(|left| left.load(Ordering::SeqCst) == 0)
    }

    /// Reads a file of at most `limit` bytes. A pipe is waited for, two minutes at most.
    ///
    /// # Errors
    /// As the system says; `FileTooLarge` past the limit, `TimedOut` if nothing comes.
    pub fn read(&self, path: &Path, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut file =
            self.call(|| patient(OpenOptions::new().read(true)).open(self.place(path)))?;
        let metadata = self.call(|| file.metadata())?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if metadata.is_file() {
            return self.call(|| read_up_to(&mut file, metadata.len(), limit));
        }
        self.call(|| read_up_to(&mut Bounded::without_blocking(&file), limit, limit))
    }

    /// Reads standard input to its end: at most `limit` bytes, each within two minutes.
    ///
    /// # Errors
    /// As the system says; `FileTooLarge` past the limit, `TimedOut` if nothing comes.
    pub fn read_stdin(&self, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
        read_up_to(&mut Bounded::new(io::stdin()), limit, limit)
    }

    /// Replaces a file as a whole, readable by its owner alone: a reader sees the old bytes or the
    /// new ones, also after a crash. A symbolic link keeps pointing where it does.
    ///
    /// # Errors
    /// As the system says; the old file is then untouched.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let target = self.call(|| link_target(&self.place(path)))?;
        self.replace(&target, bytes, &Ownership::default())
    }

    /// Replaces, as [`Self::write`] does, a file that people and other programs edit too. What its
    /// owner has decided stays: owner, group and permissions, but for the bits outside `widest`
    /// (0o600 for a file of secrets). A new file is its owner's alone.
    ///
    /// # Errors
    /// As the system says; the old file is then untouched. `PermissionDenied` if the file is
    /// read-only (the folder's permissions alone would let it be replaced), or is somebody else's
    /// and would become ours.
    pub fn rewrite(&self, path: &Path, bytes: &[u8], widest: u32) -> io::Result<()> {
        let target = self.call(|| link_target(&self.place(path)))?;
        let ownership = match self.call(|| target.metadata()) {
            Ok(metadata) => Ownership::of(&metadata, widest)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ownership::default(),
            Err(error) => return Err(error),
        };
        self.replace(&target, bytes, &ownership)
    }

    fn replace(&self, target: &Path, bytes: &[u8], ownership: &Ownership) -> io::Result<()> {
        // A rename would put a file in the place of a device: of /dev/null, for one.
        if self.call(|| Ok(target.metadata().is_ok_and(|there| !there.is_file())))? {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let folder = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
        let temporary = folder.join(format!(".{name}.{:016x}.tmp", self.random.bits()));
        let written = self.write_through(&temporary, target, bytes, ownership);
        if written.is_err() {
            // Best effort: what could not be written may not be removable either.
            let _ = self.call(|| remove(&temporary));
        }
        written
    }

    fn write_through(
        &self,
        temporary: &Path,
        target: &Path,
        bytes: &[u8],
        ownership: &Ownership,
    ) -> io::Result<()> {
        let folder = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let mut file =
            self.call(|| private(OpenOptions::new().write(true).create_new(true)).open(temporary))?;
        self.call(|| file.write_all(bytes))?;
        self.call(|| ownership.give_to(&file))?;
        self.call(|| file.sync_all())?;
        self.call(|| rename(temporary, target))?;
        // The new file is in place: that its name may not outlive a power cut is no failure.
        let _ = self.call(|| sync_folder(folder));
        Ok(())
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
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
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
    pub fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
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

    /// Takes the lock file `path` if no other process and no one else in this one has it. Lock
    /// files stay: removing one that somebody waits for would give two the lock.
    ///
    /// # Errors
    /// As the system says.
    pub fn try_lock(&self, path: &Path) -> io::Result<Option<FileLock>> {
        let open = || {
            private(OpenOptions::new().read(true).write(true).create(true).truncate(false))
                .open(self.place(path))
        };
        let file = match self.call(open) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create_folder(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
                self.call(open)?
            }
            file => file?,
        };
        match self.call(|| Ok(file.try_lock()))? {
            Ok(()) => Ok(Some(FileLock(file))),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
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

    fn call<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if let Some(left) = &self.calls_left {
            let spend = |left: u64| left.checked_sub(1);
            if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend).is_err() {
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

#[expect(clippy::disallowed_methods, reason = "this is the door")]
fn remove(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)
}

#[expect(clippy::disallowed_methods, reason = "this is the door")]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "this is the door")]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Windows has no such thing.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens a pipe that nobody writes to without waiting for a writer.
fn patient(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        options,
        rustix::fs::OFlags::NONBLOCK.bits().cast_signed(),
    );
    options
}

/// Reads to the end, with room for all of it at once: a buffer that grows leaves copies of secrets
/// behind.
fn read_up_to(source: &mut dyn Read, expected: u64, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let room = usize::try_from(expected.min(limit) + 1).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    source.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Reads what may never come, and gives up in time.
struct Bounded<T> {
    source: T,
    /// Whether a read may block, so that it must be known first that there is something.
    blocks: bool,
}

impl<T> Bounded<T> {
    fn new(source: T) -> Self {
        Self { source, blocks: true }
    }

    /// For a pipe opened so: if nobody writes to it, it is at its end.
    fn without_blocking(source: T) -> Self {
        Self { source, blocks: false }
    }
}

#[cfg(unix)]
impl<T: std::os::fd::AsFd> Bounded<T> {
    fn wait(&self) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let limit = Timespec { tv_sec: PATIENCE_SECONDS, tv_nsec: 0 };
        match poll(&mut [PollFd::new(&self.source, PollFlags::IN)], Some(&limit))? {
            0 => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(unix)]
impl<T: std::os::fd::AsFd> Read for Bounded<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.blocks {
            self.wait()?;
        }
        loop {
            match rustix::io::read(&self.source, &mut *buffer) {
                Err(rustix::io::Errno::AGAIN) => self.wait()?,
                outcome => return Ok(outcome?),
            }
        }
    }
}

#[cfg(not(unix))]
impl<T: Read> Read for Bounded<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read(buffer)
    }
}

impl fmt::Debug for Fs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fs").field("root", &self.root).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder() -> (tempfile::TempDir, Fs) {
        let folder = tempfile::tempdir().unwrap();
        let fs = Fs::rooted(folder.path());
        (folder, fs)
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
    fn a_pipe_is_read_and_one_without_a_writer_does_not_hang() {
        let (folder, fs) = folder();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        assert!(fs.read(Path::new("/pipe"), 9).unwrap().is_empty());
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"token").unwrap();
        drop(writer);
        let number = std::os::fd::AsRawFd::as_raw_fd(&reader);
        let place = format!("/proc/self/fd/{number}");
        assert_eq!(Fs::real().read(Path::new(&place), 9).unwrap().as_slice(), b"token");
    }

    #[test]
    fn a_note_in_the_lock_is_there_for_the_next_holder() {
        let (_folder, fs) = folder();
        let path = Path::new("/lock");
        for (before, after) in [("", "a long note"), ("a long note", "short"), ("short", "")] {
            let lock = fs.try_lock(path).unwrap().unwrap();
            assert_eq!(lock.note(), before.as_bytes());
            lock.write_note(after.as_bytes());
        }
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
    fn a_lock_excludes_until_dropped() {
        let (_folder, fs) = folder();
        let path = Path::new("/locks/a");
        let lock = fs.try_lock(path).unwrap().unwrap();
        assert!(fs.try_lock(path).unwrap().is_none());
        drop(lock);
        assert!(fs.try_lock(path).unwrap().is_some());
    }

    #[test]
    fn a_rooted_file_system_cannot_be_left() {
        let (folder, fs) = folder();
        fs.write(Path::new("/../../escaped"), b"x").unwrap();
        assert!(folder.path().join("escaped").exists());
    }
}
