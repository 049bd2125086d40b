//! Does what is due: ends leases whose time is up, and what failed before.

mod metrics;
mod pauses;

use std::sync::Arc;
use std::time::Duration;

use rolecall_core::{Context, CredentialsError, ErrorKind, Result};
use tokio::task::JoinSet;

use crate::lease::{Lease, LeaseState};
use crate::leases::{Leases, Worked};
use crate::store::Conflict;

pub use metrics::Metrics;
use pauses::Pauses;

/// A lease lasts a minute at least, so nothing that is made meanwhile is due before this has
/// passed: there is no need to look more often.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// While the store cannot be reached.
const STORE_WAIT: Duration = Duration::from_secs(5);
/// How long work under way may take once the worker is to stop.
const LAST_WORK: Duration = Duration::from_secs(60);

/// How a worker works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerOptions {
    /// How many leases it works on at once.
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
    options: WorkerOptions,
    metrics: Arc<Metrics>,
}

impl Worker {
    /// A worker on `leases`.
    pub fn new(leases: Leases, options: WorkerOptions) -> Self {
        let metrics = Arc::new(Metrics::new(leases.context().clock.clone()));
        Self { leases, options, metrics }
    }

    /// What it counts.
    pub fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    /// Works until `stop` ends, then finishes what is under way, for a minute at most.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut work = JoinSet::new();
        let pauses = Arc::new(Pauses::new(self.context().clock.clone()));
        loop {
            let wait = match self.take_up(&mut work, &pauses).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(%error, "the store cannot be worked on");
                    self.metrics.store_failed();
                    STORE_WAIT
                }
            };
            tokio::select! {
                () = &mut stop => break,
                Some(_) = work.join_next() => {}
                () = self.context().clock.sleep(wait), if work.len() < self.options.concurrency => {}
            }
        }
        let rest = async { while work.join_next().await.is_some() {} };
        if self.context().clock.timeout(LAST_WORK, rest).await.is_none() {
            tracing::warn!("leases under way are left to other workers");
        }
    }

    /// Does what is due now, and gives how many leases that was.
    ///
    /// # Errors
    /// The store's; `InvalidConfiguration` while it may be a copy from the past.
    pub async fn run_once(&self) -> Result<usize> {
        let mut work = JoinSet::new();
        let pauses = Arc::new(Pauses::new(self.context().clock.clone()));
        let mut done = 0;
        loop {
            self.take_up(&mut work, &pauses).await?;
            if work.join_next().await.is_none() {
                return Ok(done);
            }
            done += 1;
        }
    }

    /// Begins with as many leases as are due and there is room for; how long to wait for the next.
    async fn take_up(&self, work: &mut JoinSet<()>, pauses: &Arc<Pauses>) -> Result<Duration> {
        self.check_doubt().await?;
        let room = self.options.concurrency.max(1).saturating_sub(work.len());
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        let store = self.leases.store();
        let due = match limit {
            0 => Vec::new(),
            _ => store.claim_due(self.leases.claimant(), limit).await?,
        };
        let is_full = due.len() == room;
        for lease in due {
            let (worker, pauses) = (self.clone(), pauses.clone());
            work.spawn(async move { worker.work_on(lease, &pauses).await });
        }
        self.metrics.looked(work.len());
        if is_full {
            // There may be more; some of these have to end first.
            return Ok(LONGEST_SLEEP);
        }
        let now = store.now().await?;
        let next = store.next_due().await?;
        let wait = next.map_or(LONGEST_SLEEP, |due| due.duration_since(now).unwrap_or_default());
        Ok(wait.min(LONGEST_SLEEP))
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
        if let Some((until, why)) = pauses.of(&account_id) {
            if let Err(error) = self.leases.put_off(lease, &why, until).await {
                tracing::warn!(lease = %id, %error, "cannot be put off");
            }
            return;
        }
        match self.leases.work_on(lease).await {
            Ok(Worked { failure: Some(error), is_held: true, .. }) => {
                tracing::warn!(lease = %id, %error, "held");
                self.metrics.held();
            }
            Ok(Worked { failure: Some(error), .. }) => {
                tracing::warn!(lease = %id, %error, "to be tried again");
                pauses.failed(&account_id, &error);
                self.metrics.failed();
            }
            Ok(Worked { lease, .. }) => {
                pauses.succeeded(&account_id);
                match lease.state {
                    LeaseState::Revoked => self.metrics.revoked(),
                    LeaseState::Expired => self.metrics.expired(),
                    _ => {}
                }
                tracing::info!(lease = %id, state = lease.state.name(), "done");
            }
            // Somebody else went on with it.
            Err(error) if Conflict::of(&error) == Some(Conflict::FenceLost) => {}
            Err(error) => {
                tracing::warn!(lease = %id, %error, "the store cannot be written");
                self.metrics.store_failed();
            }
        }
    }

    fn context(&self) -> &Context {
        self.leases.context()
    }
}
