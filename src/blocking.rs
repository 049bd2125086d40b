//! Waiting for a future from code that is not asynchronous.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rolecall_core::{CredentialsError, ErrorKind, Made, PerProcess, Result};
use tokio::runtime::Runtime;

/// How long what must be brought to its end is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs `future` to its end on this thread, in a runtime that is made for it and ends with it. A
/// renewal of an SSO token that is under way is waited for, at most five seconds.
///
/// # Errors
/// `Internal` if the system has no means for a runtime.
///
/// # Panics
/// Inside an asynchronous runtime, where the future is to be awaited instead.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T> {
    let runtime = new_runtime()?;
    let output = to_the_end(&runtime, future);
    // A question to a person may still hold a thread: it must not hold the process.
    runtime.shutdown_background();
    Ok(output)
}

type Make<T> = dyn Fn(&Waiting) -> Result<T> + Send + Sync;

/// Something with a runtime to wait in, for any number of threads that block. It keeps connections
/// from one wait to the next. No thread is started before there is something to wait for. The child
/// of a fork makes it anew, once [`crate::forked`] was called there.
///
/// ```
/// use rolecall::core::Context;
/// use rolecall::Blocking;
///
/// let context = Blocking::new(|_| Ok(Context::real()))?;
/// let slept = context.wait(async |context| context.clock.sleep(std::time::Duration::ZERO).await);
/// assert!(slept.is_ok());
/// # Ok::<(), rolecall::CredentialsError>(())
/// ```
pub struct Blocking<T> {
    make: Box<Make<T>>,
    // First the value, which may need the runtime at its end.
    live: PerProcess<(T, Waiting)>,
}

/// A runtime that is made when something is waited for.
#[derive(Default)]
pub struct Waiting(OnceLock<Runtime>);

impl<T> Blocking<T> {
    /// Makes it, now and in each forked process that uses it.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn new(make: impl Fn(&Waiting) -> Result<T> + Send + Sync + 'static) -> Result<Self> {
        let new = Self { make: Box::new(make), live: PerProcess::empty() };
        new.live()?;
        Ok(new)
    }

    /// Looks at it, without waiting.
    ///
    /// # Errors
    /// Those of making it anew in a forked process.
    pub fn look<R>(&self, look: impl Fn(&T) -> R) -> Result<R> {
        match self.live.look(|(value, _)| look(value)) {
            Some(found) => Ok(found),
            None => Ok(look(&self.live()?.0)),
        }
    }

    /// Waits for what is to be done with it. Threads that wait at once work in one runtime.
    ///
    /// # Errors
    /// As [`Self::look`]; `Internal` if the system has no means for a runtime.
    ///
    /// # Panics
    /// Inside an asynchronous runtime.
    pub fn wait<R>(&self, work: impl AsyncFnOnce(&T) -> R) -> Result<R> {
        let live = self.live()?;
        let (value, waiting) = &**live;
        waiting.wait(work(value))
    }

    fn live(&self) -> Result<Arc<Made<(T, Waiting)>>> {
        self.live.get_or_try_make(|| {
            let waiting = Waiting::default();
            Ok(((self.make)(&waiting)?, waiting))
        })
    }
}

impl Waiting {
    /// Runs `future` to its end on this thread, as [`block_on`] does.
    ///
    /// # Errors
    /// `Internal` if the system has no means for a runtime.
    ///
    /// # Panics
    /// Inside an asynchronous runtime.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T> {
        if self.0.get().is_none() {
            let runtime = new_runtime()?;
            // Another thread may have been faster.
            if let Err(spare) = self.0.set(runtime) {
                spare.shutdown_background();
            }
        }
        let runtime = self.0.get().ok_or_else(|| no_runtime("it is gone"))?;
        Ok(to_the_end(runtime, future))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl<T> fmt::Debug for Blocking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking").finish_non_exhaustive()
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}

fn new_runtime() -> Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| no_runtime(&error.to_string()).with_source(error))
}

fn no_runtime(why: &str) -> CredentialsError {
    CredentialsError::new(ErrorKind::Internal, "runtime", format!("cannot start: {why}"))
}

fn to_the_end<T>(runtime: &Runtime, future: impl Future<Output = T>) -> T {
    runtime.block_on(async {
        let output = future.await;
        rolecall_sts::finish_renewals(PATIENCE).await;
        output
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rolecall_core::forked;

    use super::*;

    /// Both in one test: the count of forks is the process's.
    #[test]
    fn it_is_made_once_a_process_and_threads_share_its_runtime() {
        let made = Arc::new(AtomicUsize::new(0));
        let count = made.clone();
        let shared = Blocking::new(move |waiting| {
            waiting.wait(async {})?;
            Ok(count.fetch_add(1, Ordering::SeqCst))
        });
        let shared = shared.unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let number = shared.wait(async |number| {
                            tokio::task::yield_now().await;
                            *number
                        });
                        assert_eq!(number.unwrap(), 0);
                    }
                });
            }
        });
        assert_eq!(made.load(Ordering::SeqCst), 1);
        forked();
        assert_eq!(shared.look(|number| *number).unwrap(), 1);
        assert_eq!(shared.wait(async |number| *number).unwrap(), 1);
        assert_eq!(made.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn what_cannot_be_made_is_an_error() {
        let refused = Blocking::<()>::new(|_| Err(no_runtime("test")));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Internal);
    }
}
