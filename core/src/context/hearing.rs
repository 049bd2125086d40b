//! Which signals of this process are heard. Signals are the whole process's, so this alone is kept
//! for all of it: once a signal has been heard it never again does by itself what it did before.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signal_hook::SigId;
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::{flag, low_level};

use super::Fs;

/// What ends a process that does not hear it.
pub(super) const ENDING: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

static HEARD: Mutex<BTreeMap<i32, Heard>> = Mutex::new(BTreeMap::new());

struct Heard {
    hearers: usize,
    /// Whether the signal is to do what it does by itself: set while nobody hears it. `None` if it
    /// was ignored when it was first heard, or somebody else's handler had it.
    by_itself: Option<Arc<AtomicBool>>,
}

/// Says that signals are heard, for as long as it lives.
#[derive(Debug)]
pub(super) struct Hearing(Vec<i32>);

impl Hearing {
    /// Before whoever is to hear them is registered.
    pub(super) fn of(numbers: &[i32]) -> io::Result<Self> {
        let mut hearing = Self(Vec::with_capacity(numbers.len()));
        let mut heard = heard();
        for number in numbers {
            let entry = match heard.entry(*number) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    let by_itself = Arc::new(AtomicBool::new(false));
                    let is_default = is_default(&Fs::real(), *number);
                    if is_default {
                        flag::register_conditional_default(*number, by_itself.clone())?;
                    }
                    let by_itself = is_default.then_some(by_itself);
                    entry.insert(Heard { hearers: 0, by_itself })
                }
            };
            entry.hearers += 1;
            entry.set();
            hearing.0.push(*number);
        }
        Ok(hearing)
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        let mut heard = heard();
        for number in &self.0 {
            if let Some(entry) = heard.get_mut(number) {
                entry.hearers -= 1;
                entry.set();
            }
        }
    }
}

impl Heard {
    fn set(&self) {
        if let Some(by_itself) = &self.by_itself {
            by_itself.store(self.hearers == 0, Ordering::SeqCst);
        }
    }
}

fn heard() -> MutexGuard<'static, BTreeMap<i32, Heard>> {
    // Each entry is changed in one step: a panic cannot leave half of it.
    HEARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hears what would end the process, so that something can be put right first.
#[derive(Debug)]
pub(super) struct Interruption {
    came: Arc<AtomicUsize>,
    wake: UnixStream,
    ids: Vec<SigId>,
    hearing: Option<Hearing>,
}

impl Interruption {
    /// From here on. What this process was started to ignore stays ignored.
    ///
    /// # Errors
    /// `Unsupported` where the system does not say what is ignored or handled already: a signal
    /// that is heard once could not be left to do again what it did before.
    pub(super) fn listen() -> io::Result<Self> {
        let ignored = signals_in(&Fs::real(), "SigIgn:").ok_or(io::ErrorKind::Unsupported)?;
        let numbers = ENDING.into_iter().filter(|number| !has(ignored, *number));
        Self::listen_to(&numbers.collect::<Vec<_>>())
    }

    fn listen_to(numbers: &[i32]) -> io::Result<Self> {
        let (wake, sender) = UnixStream::pair()?;
        let came = Arc::new(AtomicUsize::new(0));
        let hearing = Some(Hearing::of(numbers)?);
        let mut this = Self { came, wake, ids: Vec::new(), hearing };
        for number in numbers {
            let value = usize::try_from(*number).unwrap_or_default();
            this.ids.push(flag::register_usize(*number, this.came.clone(), value)?);
            this.ids.push(low_level::pipe::register(*number, sender.try_clone()?)?);
        }
        Ok(this)
    }

    /// Can be read from once a signal has come.
    pub(super) fn wake(&self) -> &UnixStream {
        &self.wake
    }

    /// Ends the process by the signal that came, if one did and nobody else hears it. All must have
    /// been put right by then. Gives the name of one that others hear.
    pub(super) fn end(mut self) -> Option<&'static str> {
        let number = i32::try_from(self.came.load(Ordering::SeqCst)).unwrap_or_default();
        if number == 0 {
            return None;
        }
        drop(self.hearing.take());
        let is_ours = heard().get(&number).and_then(|heard| heard.by_itself.clone());
        if is_ours.is_some_and(|by_itself| by_itself.load(Ordering::SeqCst)) {
            // Comes back only for a signal that ends nothing.
            let _ = low_level::emulate_default_handler(number);
        }
        Some(low_level::signal_name(number).unwrap_or("a signal"))
    }
}

impl Drop for Interruption {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            low_level::unregister(id);
        }
    }
}

/// Whether the signal is known to do what it does by itself: it is neither ignored nor in anybody's
/// hands.
fn is_default(fs: &Fs, number: i32) -> bool {
    let sets = signals_in(fs, "SigIgn:").zip(signals_in(fs, "SigCgt:"));
    sets.is_some_and(|(ignored, caught)| !has(ignored | caught, number))
}

/// Whether a set of signals has one.
pub(super) fn has(signals: u64, number: i32) -> bool {
    signals & (1 << (number - 1)) != 0
}

/// A set of signals of this process, one bit each. Linux says so in a file; elsewhere it is not
/// known.
pub(super) fn signals_in(fs: &Fs, name: &str) -> Option<u64> {
    let status = fs.read(Path::new("/proc/self/status"), 64 * 1024).ok();
    let status = status.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok());
    let line = status.and_then(|text| text.lines().find_map(|line| line.strip_prefix(name)));
    line.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{Signal, getpid, kill_process};
    use signal_hook::consts::signal::SIGUSR2;

    use super::*;

    // One test: signals go to the whole process.
    #[test]
    fn an_interruption_is_told_and_does_not_end_what_others_hear() {
        let others = Hearing::of(&[SIGUSR2]).unwrap();
        let by_itself = || heard()[&SIGUSR2].by_itself.as_ref().unwrap().load(Ordering::SeqCst);
        let none = Interruption::listen_to(&[SIGUSR2]).unwrap();
        assert_eq!(none.end(), None);
        let one = Interruption::listen_to(&[SIGUSR2]).unwrap();
        kill_process(getpid(), Signal::USR2).unwrap();
        let limit = Timespec { tv_sec: 30, tv_nsec: 0 };
        let ready = poll(&mut [PollFd::new(one.wake(), PollFlags::IN)], Some(&limit));
        assert_eq!(ready, Ok(1));
        // It would have ended this very test.
        assert_eq!(one.end(), Some("SIGUSR2"));
        assert!(!by_itself());
        drop(others);
        assert!(by_itself(), "nobody hears it, and it does nothing");
    }

    #[test]
    fn what_is_ignored_or_caught_is_read_from_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let fs = Fs::rooted(folder.path());
        assert_eq!(signals_in(&fs, "SigIgn:"), None);
        // Where nothing is known, nobody's handler may be passed by.
        assert!(!is_default(&fs, SIGHUP));
        fs.create_folder(Path::new("/proc/self")).unwrap();
        let status = b"Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        fs.write(Path::new("/proc/self/status"), status).unwrap();
        assert_eq!(signals_in(&fs, "SigIgn:"), Some(0x1001));
        let by_themselves = ENDING.map(|number| is_default(&fs, number));
        assert_eq!(by_themselves, [false, false, true, true]);
    }
}
