use std::time::Duration;

use rolecall_core::{CredentialsError, ErrorKind, Result};

use super::{HOLD, Leases};
use crate::audit::Outcome;
use crate::change::Change;
use crate::lease::{Lease, LeaseId, LeaseState};
use crate::make::{Deadline, Removal, UserMaker};
use crate::store::Conflict;

const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

impl Leases {
    /// Takes a lease back now. Once this has been asked for it is tried until it is done, also if
    /// the first try fails; then the lease is still [`LeaseState::Revoking`] and says why.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it is a session, which nobody can take back, or over already; else
    /// the store's.
    pub async fn revoke(&self, id: LeaseId) -> Result<Lease> {
        let lease = self.lease(id).await?;
        if lease.state.is_over() {
            return Err(wrong(format!("lease {id} is {} already", lease.state.name()))
                .with_source(Conflict::WrongState));
        }
        if lease.principal.kind != "iam-user" {
            return Err(wrong(format!(
                "lease {id} is a session, which cannot be taken back before its end"
            ))
            .with_help("deny its role by a policy on aws:TokenIssueTime, or forget the lease"));
        }
        let lease = self.claimed(id).await?;
        self.take_back(lease).await
    }

    /// Stops caring for a lease, whatever AWS still holds of it.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it is over already; else the store's.
    pub async fn forget(&self, id: LeaseId) -> Result<Lease> {
        let lease = self.claimed(id).await?;
        let detail = format!("AWS may still hold {}", lease.principal.name);
        let record = self.record("forget", Outcome::Done, detail);
        self.store.advance(id, lease.fence, &Change::Forget, &record).await
    }

    /// Does what is due for a lease that was claimed.
    pub(crate) async fn work_on(&self, lease: Lease) -> Result<Lease> {
        let is_session = lease.principal.kind != "iam-user";
        match lease.state {
            LeaseState::Active if is_session => {
                let record = self.record("expire", Outcome::Done, "");
                self.store.advance(lease.id, lease.fence, &Change::Expire, &record).await
            }
            // Whoever asked for it died before AWS answered, and nobody has the session.
            LeaseState::Intent if is_session => {
                let change = Change::Refuse("whoever asked for it is gone".to_owned());
                let record = self.record("create", Outcome::Failed, "never handed out");
                self.store.advance(lease.id, lease.fence, &change, &record).await
            }
            _ => self.take_back(lease).await,
        }
    }

    /// Takes back a lease that was claimed, and writes down how it went.
    async fn take_back(&self, lease: Lease) -> Result<Lease> {
        let lease = if lease.state == LeaseState::Revoking {
            lease
        } else {
            let record = self.record("revoke", Outcome::Begun, "");
            self.store.advance(lease.id, lease.fence, &Change::Revoke, &record).await?
        };
        let (change, record) = match self.remove(&lease).await {
            Ok(Removal::Gone) => (Change::Removed, self.record("revoke", Outcome::Done, "")),
            Ok(Removal::Foreign) => {
                let detail = "a user of that name is not ours and was left alone";
                (Change::Removed, self.record("revoke", Outcome::Done, detail))
            }
            Ok(Removal::NotSeen { until }) => {
                let failure = "IAM does not show the user, and may only not show it yet";
                (
                    Change::Retry { failure: failure.to_owned(), at: until },
                    self.record("revoke", Outcome::Failed, failure),
                )
            }
            Err(error) => {
                let failure = error.to_string();
                let at = self.store.now().await? + self.wait(lease.attempts);
                let record = self.record("revoke", Outcome::Failed, failure.as_str());
                (Change::Retry { failure, at }, record)
            }
        };
        self.store.advance(lease.id, lease.fence, &change, &record).await
    }

    async fn remove(&self, lease: &Lease) -> Result<Removal> {
        let secret = self.definition_of(lease).await?;
        let account = self.account_of(lease, &secret).await?;
        let store_id = self.store.info().await?.id;
        let deadline = Deadline::of(&self.context, HOLD);
        let (context, iam) = (&self.context, &account.iam);
        UserMaker { context, iam, store_id: &store_id, lease, deadline }.remove().await
    }

    /// Longer with each failure, up to an hour; never given up.
    fn wait(&self, failures: u32) -> Duration {
        let wait = FIRST_WAIT.saturating_mul(1 << failures.min(12)).min(LONGEST_WAIT);
        wait / 2 + self.context.random.up_to(wait / 2)
    }
}

fn wrong(message: String) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "leases", message)
}
