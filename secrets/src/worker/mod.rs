//! Does what is due: ends leases whose time is up, and what failed before.

mod metrics;
mod pauses;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rolecall_core::{Context, CredentialsError, ErrorKind, Result};
use tokio::task::JoinSet;

use crate::lease::{Lease, LeaseState};
use crate::leases::{Leases, Worked};
use crate::store::Conflict;

pub use metrics::Metrics;
use pauses::Pauses;

/// A lease lasts a minute at least, so nothing that is made meanwhile ends before this has passed:
/// there is no need to look more often.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// While the store cannot be reached.
const STORE_WAIT: Duration = Duration::from_secs(5);
/// How long work under way may take once the worker is to stop.
const LAST_WORK: Duration = Duration::from_secs(60);

/// How long to wait at least where somebody else has what is due.
const SHORTEST_SLEEP: Duration = Duration::from_millis(250);
/// How many leases it works on at once, whatever is asked for.
const MOST: usize = 256;

/// How a worker works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerOptions {
    /// How many leases it works on at once: 1 to 256. Fewer in an account whose calls are few.
    pub concurrency: usize,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { concurrency: 16 }
    }
}

/// Works on the leases of one store. Any number of workers may work on one store; each lease is
/// claimed by one of them. Killing one loses nothing: what it had claimed is free again when the
/// claim runs out.
#[derive(Clone, Debug)]
pub struct Worker {
    leases: Leases,
    concurrency: usize,
    metrics: Arc<Metrics>,
}

impl Worker {
    /// A worker on `leases`.
    pub fn new(leases: Leases, options: WorkerOptions) -> Self {
        let metrics = Arc::new(Metrics::new(leases.context().clock.clone()));
        Self { leases, concurrency: options.concurrency.clamp(1, MOST), metrics }
    }

    /// What it counts.
    pub fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    /// Works until `stop` ends, then finishes what is under way, for a minute at most.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut work = self.begin();
        loop {
            let wait = match self.take_up(&mut work).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(%error, "the store cannot be worked on");
                    self.metrics.store_failed(&error);
                    STORE_WAIT
                }
            };
            tokio::select! {
                () = &mut stop => break,
                Some(_) = work.tasks.join_next() => {}
                () = self.context().clock.sleep(wait), if work.tasks.len() < self.concurrency => {}
            }
        }
        let rest = async { while work.tasks.join_next().await.is_some() {} };
        if self.context().clock.timeout(LAST_WORK, rest).await.is_none() {
            tracing::warn!("leases under way are left to other workers");
        }
    }

    /// Does what is due now, and gives how many leases that was. What has been begun is finished,
    /// also if more cannot be taken up.
    ///
    /// # Errors
    /// The store's; `InvalidConfiguration` while it may be a copy from the past.
    pub async fn run_once(&self) -> Result<usize> {
        let mut work = self.begin();
        let mut done = 0;
        loop {
            let taken_up = self.take_up(&mut work).await;
            if taken_up.is_err() {
                while work.tasks.join_next().await.is_some() {}
            }
            taken_up?;
            if work.tasks.join_next().await.is_none() {
                return Ok(done);
            }
            done += 1;
        }
    }

    fn begin(&self) -> Work {
        let pauses = Arc::new(Pauses::new(self.context().clock.clone()));
        Work { tasks: JoinSet::new(), pauses, accounts: Arc::default() }
    }

    /// Begins with as many leases as are due and there is room for; how long to wait for the next.
    async fn take_up(&self, work: &mut Work) -> Result<Duration> {
        self.check_doubt().await?;
        let store = self.leases.store();
        let paused = work.pauses.now();
        let mut is_idle = true;
        let (is_full, except) = loop {
            let mut except: Vec<String> = paused.iter().map(|(id, ..)| id.clone()).collect();
            except.extend(work.full(&self.leases));
            let room = self.concurrency.saturating_sub(work.tasks.len());
            if room == 0 {
                break (true, except);
            }
            // All that is claimed at once may be of one account.
            let most = room.min(work.least_spare(&self.leases));
            let limit = u32::try_from(most).unwrap_or(u32::MAX);
            let due = store.claim_due(self.leases.claimant(), limit, &except).await?;
            let is_all = due.len() < most;
            is_idle &= due.is_empty();
            for lease in due {
                let (worker, pauses) = (self.clone(), work.pauses.clone());
                let place = Place::take(&work.accounts, &lease);
                work.tasks.spawn(async move {
                    worker.work_on(lease, &pauses).await;
                    drop(place);
                });
            }
            if is_all {
                break (false, except);
            }
        };
        let now = store.now().await?;
        let waiting = store.next_due(LONGEST_SLEEP, &[]).await?;
        let overdue = waiting.and_then(|due| now.duration_since(due).ok()).unwrap_or_default();
        self.metrics.looked(work.tasks.len(), overdue, &paused);
        if is_full {
            // There may be more; some of these have to end first.
            return Ok(LONGEST_SLEEP);
        }
        let next = match except.is_empty() {
            true => waiting,
            false => store.next_due(LONGEST_SLEEP, &except).await?,
        };
        let wait = next.map_or(LONGEST_SLEEP, |due| due.duration_since(now).unwrap_or_default());
        // What is due and could not be claimed is in others' hands.
        let wait = if is_idle { wait.max(SHORTEST_SLEEP) } else { wait };
        let pause = paused.iter().map(|(_, left, _)| *left).min();
        Ok(wait.min(pause.unwrap_or(LONGEST_SLEEP)).min(LONGEST_SLEEP))
    }

    /// Leases may have been renewed since the copy was made that this store perhaps is.
    async fn check_doubt(&self) -> Result<()> {
        let Some(doubt) = self.leases.store().info().await?.doubt else { return Ok(()) };
        let message =
            format!("{doubt}; nothing is taken back until somebody says that it is right");
        Err(CredentialsError::new(ErrorKind::InvalidConfiguration, "lease worker", message)
            .with_help("look at its leases, then run `rolecall lease store --accept-restored`"))
    }

    async fn work_on(&self, lease: Lease, pauses: &Pauses) {
        let (id, account_id) = (lease.id, lease.principal.account_id.clone());
        // Sessions end without AWS: they say nothing of the account.
        let asks_aws = lease.principal.is_revocable();
        match self.leases.work_on(lease).await {
            Ok(Worked { failure: Some(error), is_held: true, .. }) => {
                tracing::warn!(lease = %id, %error, "held");
                self.metrics.held();
            }
            Ok(Worked { failure: Some(error), .. }) => {
                tracing::warn!(lease = %id, %error, "to be tried again");
                if asks_aws {
                    pauses.failed(&account_id, &error);
                }
                self.metrics.failed(id, &error);
            }
            Ok(Worked { lease, .. }) => {
                if asks_aws {
                    pauses.succeeded(&account_id);
                }
                self.metrics.settled(id);
                match lease.state {
                    LeaseState::Revoked => self.metrics.revoked(),
                    LeaseState::Expired => self.metrics.expired(),
                    _ => {}
                }
                tracing::info!(lease = %id, state = lease.state.name(), "worked on");
            }
            // Somebody else went on with it.
            Err(error) if Conflict::of(&error) == Some(Conflict::FenceLost) => {
                self.metrics.settled(id);
            }
            Err(error) => {
                tracing::warn!(lease = %id, %error, "the store cannot be written");
                self.metrics.store_failed(&error);
            }
        }
    }

    fn context(&self) -> &Context {
        self.leases.context()
    }
}

/// What is under way.
struct Work {
    tasks: JoinSet<()>,
    pauses: Arc<Pauses>,
    accounts: Arc<InAccounts>,
}

/// How many users are worked on in each account.
type InAccounts = Mutex<HashMap<String, usize>>;

impl Work {
    /// Accounts where no more leases would get their calls in time.
    fn full(&self, leases: &Leases) -> Vec<String> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let full = accounts.iter().filter(|(id, count)| **count >= leases.room(id));
        full.map(|(id, _)| id.clone()).collect()
    }

    /// How many more leases get their calls in time in whatever account they are, if it is not
    /// full; at least 1.
    fn least_spare(&self, leases: &Leases) -> usize {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = |(id, room): (String, usize)| {
            room.checked_sub(accounts.get(&id).copied().unwrap_or_default())
        };
        let known = leases.rooms().into_iter().filter_map(spare).filter(|spare| *spare > 0);
        // Those of which nothing is known yet may have begun too.
        let unknown = leases.room("");
        let begun = accounts.iter().map(|(id, count)| leases.room(id).saturating_sub(*count));
        known.chain(begun.filter(|spare| *spare > 0)).fold(unknown, usize::min).max(1)
    }
}

/// One of those that are worked on in an account, until it is dropped.
struct Place {
    accounts: Arc<InAccounts>,
    account_id: String,
}

impl Place {
    fn take(accounts: &Arc<InAccounts>, lease: &Lease) -> Option<Self> {
        let account_id = lease.principal.account_id.clone();
        if !lease.principal.is_revocable() {
            return None;
        }
        let mut counts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(account_id.clone()).or_default() += 1;
        Some(Self { accounts: accounts.clone(), account_id })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.account_id) {
            *count -= 1;
        }
        counts.retain(|_, count| *count > 0);
    }
}
