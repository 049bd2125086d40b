//! Forks, of which the runtimes of other languages tell.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::per_process::{Made, PerProcess};

/// How long a fork is held up.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often this process was forked, and those before it.
static FORKS: AtomicU64 = AtomicU64::new(0);

static WORK: PerProcess<Work> = PerProcess::empty();

/// What must be whole when the process forks.
#[derive(Default)]
struct Work {
    under_way: Mutex<UnderWay>,
    changed: Condvar,
}

#[derive(Default)]
struct UnderWay {
    works: usize,
    forks: usize,
}

/// Some work that the child of a fork must not find half done, for as long as this lives: a fork that
/// is told of waits for its end, and new work for the fork, five seconds at most.
pub struct Whole(Arc<Made<Work>>);

impl Whole {
    /// Begins the work.
    pub fn begin() -> Self {
        let work = WORK.get_or_make(Work::default);
        work.wait_while(|under_way| under_way.forks > 0).works += 1;
        Self(work)
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        self.0.under_way().works -= 1;
        self.0.changed.notify_all();
    }
}

impl Work {
    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, is_so: impl Fn(&UnderWay) -> bool) -> MutexGuard<'_, UnderWay> {
        let waited = self
            .changed
            .wait_timeout_while(self.under_way(), PATIENCE, |under_way| is_so(under_way));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Says that this process is about to fork: for libraries of other languages, as [`forked`].
/// [`after_fork`] must follow in this process.
pub fn before_fork() {
    let work = WORK.get_or_make(Work::default);
    work.under_way().forks += 1;
    // What takes longer is not waited for; the child finds it half done.
    drop(work.wait_while(|under_way| under_way.works > 0));
}

/// Says that the fork of [`before_fork`] is done, in the process that was forked.
pub fn after_fork() {
    let work = WORK.get_or_make(Work::default);
    let mut under_way = work.under_way();
    under_way.forks = under_way.forks.saturating_sub(1);
    drop(under_way);
    work.changed.notify_all();
}

/// Says that this process is the child of a fork. For libraries of other languages, in the child and
/// before anything else: every [`PerProcess`] is empty from here on.
pub fn forked() {
    FORKS.fetch_add(1, Ordering::SeqCst);
}

/// How many forks lie between this process and the first of its line that was told of one: another
/// number than the parent's.
pub fn forks() -> u64 {
    FORKS.load(Ordering::SeqCst)
}

/// Held by tests that fork, as they think, while others of the same process look.
#[cfg(test)]
pub(crate) static FORKING: Mutex<()> = Mutex::new(());

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn a_fork_waits_for_work_and_work_for_a_fork_but_not_in_the_child() {
        let _alone = FORKING.lock().unwrap();
        let work = WORK.get_or_make(Work::default);
        let whole = Whole::begin();
        let (tell, told) = channel();
        let forking = thread::spawn(move || {
            before_fork();
            tell.send(()).unwrap();
        });
        while work.under_way().forks == 0 {
            thread::yield_now();
        }
        assert!(told.try_recv().is_err(), "the fork did not wait");
        drop(whole);
        told.recv().unwrap();
        forking.join().unwrap();

        let (tell, told) = channel();
        let working = thread::spawn(move || {
            let _whole = Whole::begin();
            tell.send(()).unwrap();
        });
        assert!(told.try_recv().is_err(), "the work did not wait");
        after_fork();
        told.recv().unwrap();
        working.join().unwrap();

        before_fork();
        forked();
        drop(Whole::begin());
        assert_eq!(work.under_way().forks, 1, "the child looked at its parent's");
    }
}
