//! Locks that other processes see too, and the wait for them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Context, Fs};

const SHORTEST_POLL: Duration = Duration::from_millis(2);
const LONGEST_POLL: Duration = Duration::from_millis(100);

/// A lock that other processes see too. Ends when dropped, and with the process however it ends.
///
/// Its file goes with it, unless a note is in it.
#[derive(Debug)]
pub struct FileLock {
    pub(super) file: File,
    /// Where the file is, and the files it is among.
    pub(super) place: PathBuf,
    pub(super) fs: Fs,
}

/// What came of waiting for a lock.
#[derive(Debug)]
pub enum Waited<T> {
    /// Something that made it unnecessary.
    Found(T),
    /// The lock.
    Locked(FileLock),
    /// Others had it for all of the time.
    TimedOut,
}

impl FileLock {
    /// What was last written into the lock file, at most 16 KiB of it. It need not be whole.
    pub fn note(&self) -> Vec<u8> {
        let mut note = Vec::new();
        // A note that cannot be read is none.
        let _ = (&self.file).seek(SeekFrom::Start(0));
        let _ = (&self.file).take(16 * 1024).read_to_end(&mut note);
        note
    }

    /// Writes into the lock file for whoever has the lock next, in place of what was there; an
    /// empty note is none. It is gone after a crash at the wrong moment, and must be no secret.
    pub fn write_note(&self, note: &[u8]) {
        let written = self.file.set_len(0).and_then(|()| {
            (&self.file).seek(SeekFrom::Start(0))?;
            (&self.file).write_all(note)
        });
        if let Err(error) = written {
            tracing::debug!(%error, "the lock file could not be written");
        }
    }
}

#[cfg(unix)]
impl Drop for FileLock {
    /// Whoever opened the file before it went and locks it now finds that it is no longer there,
    /// and opens the next one: see [`Fs::try_lock`].
    fn drop(&mut self) {
        let is_empty = self.file.metadata().is_ok_and(|facts| facts.len() == 0);
        if is_empty && is_at(&self.file, &self.place).unwrap_or(false) {
            // An empty file that stays does no harm.
            let _ = self.fs.call(|| super::fs::remove(&self.place));
        }
        // Closing the file would not do: a child that was forked meanwhile has it open too.
        let _ = self.file.unlock();
    }
}

/// Whether `file` is what lies at `place`, and not one that was there before.
#[cfg(unix)]
pub(super) fn is_at(file: &File, place: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let identity = |facts: std::fs::Metadata| (facts.dev(), facts.ino());
    match place.symlink_metadata() {
        Ok(there) => Ok(identity(there) == identity(file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Elsewhere lock files stay: an open one cannot be removed.
#[cfg(not(unix))]
pub(super) fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

impl Context {
    /// Waits until `look` finds something or this process has the lock file `path`, at most for
    /// `patience`; ever more seldom, and not at the same moments as others. `look` is shown the
    /// lock once this process has it: whoever had it before may have just left something.
    ///
    /// # Errors
    /// As the system says, where there can be no lock.
    pub async fn wait_for_lock<T>(
        &self,
        path: &Path,
        patience: Duration,
        look: impl Fn(Option<&FileLock>) -> Option<T> + Send,
    ) -> io::Result<Waited<T>> {
        let mut waited = Duration::ZERO;
        let mut poll = SHORTEST_POLL;
        loop {
            let lock = self.fs.try_lock(path)?;
            if let Some(found) = look(lock.as_ref()) {
                return Ok(Waited::Found(found));
            }
            if let Some(lock) = lock {
                return Ok(Waited::Locked(lock));
            }
            if waited >= patience {
                return Ok(Waited::TimedOut);
            }
            let wait = poll / 2 + self.random.up_to(poll / 2);
            self.clock.sleep(wait).await;
            waited += wait;
            poll = (poll * 2).min(LONGEST_POLL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/locks/a";

    fn machine() -> (tempfile::TempDir, Context) {
        let folder = tempfile::tempdir().unwrap();
        let context = Context { fs: Fs::rooted(folder.path()), ..Context::fake() };
        (folder, context)
    }

    fn names(context: &Context) -> Vec<String> {
        context.fs.list(Path::new("/locks")).unwrap()
    }

    #[test]
    fn a_lock_excludes_until_dropped_and_leaves_nothing() {
        let (_folder, context) = machine();
        let lock = context.fs.try_lock(Path::new(PATH)).unwrap().unwrap();
        assert!(context.fs.try_lock(Path::new(PATH)).unwrap().is_none());
        assert_eq!(names(&context), ["a"]);
        drop(lock);
        assert_eq!(names(&context), [""; 0]);
        assert!(context.fs.try_lock(Path::new(PATH)).unwrap().is_some());
    }

    #[test]
    fn a_note_in_the_lock_is_there_for_the_next_holder_and_keeps_the_file() {
        let (_folder, context) = machine();
        for (before, after) in [("", "a long note"), ("a long note", "short"), ("short", "")] {
            let lock = context.fs.try_lock(Path::new(PATH)).unwrap().unwrap();
            assert_eq!(lock.note(), before.as_bytes());
            lock.write_note(after.as_bytes());
            drop(lock);
            assert_eq!(names(&context).is_empty(), after.is_empty());
        }
    }

    #[test]
    fn a_file_that_went_while_it_was_opened_is_no_lock() {
        let (folder, context) = machine();
        let place = folder.path().join("locks/a");
        let old = context.fs.try_lock(Path::new(PATH)).unwrap().unwrap();
        let opened = File::options().write(true).open(&place).unwrap();
        drop(old);
        opened.lock().unwrap();
        assert!(!is_at(&opened, &place).unwrap());
        let new = context.fs.try_lock(Path::new(PATH)).unwrap();
        assert!(new.is_some(), "the file that is gone still counts");
        assert!(!is_at(&opened, &place).unwrap());
        // Somebody else's file is not removed.
        context.fs.remove(Path::new(PATH)).unwrap();
        let other = context.fs.try_lock(Path::new(PATH)).unwrap().unwrap();
        drop(new);
        assert!(is_at(&other.file, &place).unwrap());
    }

    #[test]
    fn many_at_once_have_it_one_after_the_other() {
        let (_folder, context) = machine();
        let (inside, most) = (std::sync::atomic::AtomicUsize::new(0), 50);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut held = 0;
                    while held < most {
                        let Some(_lock) = context.fs.try_lock(Path::new(PATH)).unwrap() else {
                            std::thread::yield_now();
                            continue;
                        };
                        use std::sync::atomic::Ordering::SeqCst;
                        assert_eq!(inside.fetch_add(1, SeqCst), 0, "two had the lock");
                        std::thread::yield_now();
                        inside.fetch_sub(1, SeqCst);
                        held += 1;
                    }
                });
            }
        });
        assert_eq!(names(&context), [""; 0]);
    }

    #[tokio::test]
    async fn the_wait_is_bounded_and_ends_with_what_is_found() {
        let (_folder, context) = machine();
        let patience = Duration::from_secs(10);
        let _held = context.fs.try_lock(Path::new(PATH)).unwrap();
        let wait = |look: fn(Option<&FileLock>) -> Option<u8>| {
            context.wait_for_lock(Path::new(PATH), patience, look)
        };
        assert!(matches!(wait(|_| Some(7)).await.unwrap(), Waited::Found(7)));
        assert!(matches!(wait(|_| None).await.unwrap(), Waited::TimedOut));
        let sleeps = context.clock.sleeps();
        let waited: Duration = sleeps.iter().sum();
        assert!(waited >= patience && waited < patience * 2, "{waited:?}");
        assert!(sleeps.iter().all(|sleep| *sleep <= LONGEST_POLL));
        // No two processes ask at the same moments.
        let late = &sleeps[20..];
        assert!(late.iter().any(|sleep| *sleep != late[0]), "{late:?}");
    }
}
