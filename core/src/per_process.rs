//! What belongs to one process, and not to the children it forks.

use std::convert::Infallible;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::fork::forks;

/// What holds threads, connections, locks of files or mutexes of one process. The child of a fork
/// finds it empty, and makes its own: to end the parent's would wait for threads that are not there,
/// or end for the parent what both share, so they are left as they are.
///
/// No lock is held meanwhile, so a fork finds none.
pub struct PerProcess<T>(ArcSwapOption<Made<T>>);

/// What was made in one process.
#[derive(Debug)]
pub struct Made<T> {
    /// Those of the process it belongs to.
    forks: u64,
    value: T,
}

impl<T> Made<T> {
    fn is_of_this_process(&self) -> bool {
        self.forks == forks()
    }
}

impl<T> Deref for Made<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> PerProcess<T> {
    /// Nothing yet.
    pub const fn empty() -> Self {
        Self(ArcSwapOption::const_empty())
    }

    /// Looks at what was made in this process, if something was.
    pub fn look<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        let made = self.0.load();
        made.as_ref().filter(|made| made.is_of_this_process()).map(|made| look(&made.value))
    }

    /// What was made in this process, or is made now. If several threads make it at once, all get
    /// what the first has made.
    pub fn get_or_make(&self, make: impl FnOnce() -> T) -> Arc<Made<T>> {
        let made = self.get_or_try_make(|| Ok::<_, Infallible>(make()));
        made.unwrap_or_else(|never| match never {})
    }

    /// As [`Self::get_or_make`], with what may fail.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn get_or_try_make<E>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<Made<T>>, E> {
        let mut seen = self.0.load_full();
        if let Some(made) = seen.take_if(|made| made.is_of_this_process()) {
            return Ok(made);
        }
        // Asked before, so that what is made across a fork is not taken for the child's.
        let forks = forks();
        let made = Arc::new(Made { forks, value: make()? });
        loop {
            let found = self.0.compare_and_swap(&seen, Some(made.clone()));
            match found.as_ref() {
                Some(first) if first.is_of_this_process() => return Ok(first.clone()),
                found if found.map(Arc::as_ptr) == seen.as_ref().map(Arc::as_ptr) => {
                    // It is never ended as long as this share of it is not given back.
                    std::mem::forget(seen);
                    return Ok(made);
                }
                found => seen = found.cloned(),
            }
        }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        if let Some(made) = self.0.swap(None)
            && !made.is_of_this_process()
        {
            std::mem::forget(made);
        }
    }
}

impl<T> fmt::Debug for PerProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerProcess").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::fork::{FORKING, forked};

    /// Counts how often it ends.
    #[derive(Debug)]
    struct Counted(Arc<AtomicUsize>, usize);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn each_process_makes_its_own_and_leaves_its_parents_alone() {
        let _alone = FORKING.lock().unwrap();
        let ended = Arc::new(AtomicUsize::new(0));
        let made = |number| Counted(ended.clone(), number);
        let kept = PerProcess::empty();
        assert!(kept.look(|_: &Counted| ()).is_none());
        assert_eq!(kept.get_or_try_make(|| Err("refused")).unwrap_err(), "refused");
        assert_eq!(kept.get_or_make(|| made(1)).1, 1);
        assert_eq!(kept.get_or_make(|| made(2)).1, 1);
        assert_eq!(kept.look(|kept| kept.1), Some(1));

        forked();
        assert_eq!(kept.look(|kept| kept.1), None);
        assert_eq!(kept.get_or_make(|| made(3)).1, 3);
        assert_eq!(kept.look(|kept| kept.1), Some(3));
        assert_eq!(ended.load(Ordering::SeqCst), 0, "the parent's was ended");
        drop(kept);
        assert_eq!(ended.load(Ordering::SeqCst), 1, "its own was not ended");

        let inherited = PerProcess::empty();
        inherited.get_or_make(|| made(4));
        forked();
        drop(inherited);
        assert_eq!(ended.load(Ordering::SeqCst), 1, "the parent's was ended");

        let across = PerProcess::empty();
        let late = across.get_or_make(|| {
            forked();
            5
        });
        assert_eq!((**late, across.look(|five| *five)), (5, None));

        let (shared, start) = (PerProcess::empty(), Barrier::new(8));
        let numbers: Vec<usize> = std::thread::scope(|scope| {
            let take = |number| {
                let (shared, start) = (&shared, &start);
                move || {
                    start.wait();
                    **shared.get_or_make(|| number)
                }
            };
            let threads: Vec<_> = (0..8).map(|number| scope.spawn(take(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
    }
}
