//! Group commit: whoever asks first leads. The leader takes all that has gathered, does it in one
//! transaction with one write to the disk, and goes on until nothing is left.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rolecall_core::{CredentialsError, ErrorKind, Result};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::super::PROVIDER;

/// How many operations share one transaction at most: others wait for the file meanwhile.
const BATCH: usize = 256;

/// Whether an operation writes. Those that only read need not wait for other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// One operation, and who waits for it.
pub(super) trait Job: Send {
    fn access(&self) -> Access;

    /// Does it, within a transaction; again if that transaction was undone. What a failed one did is
    /// not to be kept.
    ///
    /// # Errors
    /// What the caller will be told.
    fn run(&mut self, connection: &Connection) -> Result<()>;

    /// Tells what came of it; `error` if the transaction came to nothing.
    fn answer(self: Box<Self>, error: Option<&CredentialsError>);
}

struct Task<T, F> {
    access: Access,
    work: F,
    outcome: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: Fn(&Connection) -> Result<T> + Send,
{
    fn access(&self) -> Access {
        self.access
    }

    fn run(&mut self, connection: &Connection) -> Result<()> {
        let outcome = (self.work)(connection);
        let done = outcome.as_ref().map(drop).map_err(Clone::clone);
        self.outcome = Some(outcome);
        done
    }

    fn answer(self: Box<Self>, error: Option<&CredentialsError>) {
        let outcome = match error {
            Some(error) => Err(error.clone()),
            None => self.outcome.unwrap_or_else(|| Err(lost())),
        };
        // Whoever asked may have gone.
        let _ = self.answer.send(outcome);
    }
}

/// How long the end of a store waits for what is being done.
const LAST_WORK: Duration = Duration::from_secs(5);

/// What waits to be done.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    idle: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: Vec<Box<dyn Job>>,
    has_leader: bool,
    /// Leaders that still hold what they work with, the one before among them.
    leaders: usize,
}

impl Queue {
    /// Does `work` within a transaction of `run`, which does a batch and answers all of it. Once
    /// asked for it is done, also if the caller does not wait.
    pub(super) async fn submit<T: Send + 'static>(
        self: &Arc<Self>,
        access: Access,
        work: impl Fn(&Connection) -> Result<T> + Send + 'static,
        run: impl Fn(Vec<Box<dyn Job>>) + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job = Task { access, work, outcome: None, answer };
        let leads = {
            let mut waiting = self.waiting();
            waiting.jobs.push(Box::new(job));
            let leads = !std::mem::replace(&mut waiting.has_leader, true);
            waiting.leaders += usize::from(leads);
            leads
        };
        if leads {
            let mut leader = Leader { queue: self.clone(), leads: true };
            let runtime = tokio::runtime::Handle::try_current().map_err(|_| {
                let message = "the store was used outside an asynchronous runtime";
                CredentialsError::new(ErrorKind::Internal, PROVIDER, message)
            })?;
            runtime.spawn_blocking(move || {
                while let Some(batch) = leader.next() {
                    // Those of the batch whose answer was lost by a panic are told so.
                    let _ = catch_unwind(AssertUnwindSafe(|| run(batch)));
                }
                // First what it works with, then the word that it is done.
                drop(run);
                drop(leader);
            });
        }
        answered.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Waits until nothing is being done any more, for a bounded time: a process that ends at once
    /// would leave the file open, and its log beside it.
    pub(super) fn finish(&self) {
        let waiting = self.waiting();
        let is_busy = |waiting: &mut Waiting| waiting.leaders > 0;
        let _ = self.idle.wait_timeout_while(waiting, LAST_WORK, is_busy);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever leads. If that ends with the runtime, nobody is left waiting and another can lead.
struct Leader {
    queue: Arc<Queue>,
    leads: bool,
}

impl Leader {
    /// The next batch; `None` ends the leading.
    fn next(&mut self) -> Option<Vec<Box<dyn Job>>> {
        let mut waiting = self.queue.waiting();
        if waiting.jobs.is_empty() {
            waiting.has_leader = false;
            self.leads = false;
            return None;
        }
        let count = waiting.jobs.len().min(BATCH);
        Some(waiting.jobs.drain(..count).collect())
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.leads {
            let abandoned = {
                let mut waiting = self.queue.waiting();
                waiting.has_leader = false;
                std::mem::take(&mut waiting.jobs)
            };
            drop(abandoned);
        }
        self.queue.waiting().leaders -= 1;
        self.queue.idle.notify_all();
    }
}

fn lost() -> CredentialsError {
    let message = "the operation was given up half-way; look what came of it before repeating it";
    CredentialsError::new(ErrorKind::Unavailable, PROVIDER, message)
}
