use std::time::{Duration, SystemTime};

use rolecall_core::{CredentialsError, ErrorKind, Result};

use super::Leases;
use crate::audit::Outcome;
use crate::change::Change;
use crate::connect::Account;
use crate::lease::{Lease, LeaseId, LeaseState};
use crate::make::{Deadline, Removal, UserMaker};
use crate::store::Conflict;

const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// While the clock is wrong: once it is right, leases shall not wait for long.
const LONGEST_HOLD: Duration = Duration::from_secs(300);

/// What became of a lease that was due.
#[derive(Debug)]
pub(crate) struct Worked {
    pub(crate) lease: Lease,
    /// Why it has to be tried again.
    pub(crate) failure: Option<CredentialsError>,
    /// Nothing was tried, as the machine's clock is not to be trusted.
    pub(crate) is_held: bool,
}

impl Leases {
    /// Takes a lease back now, also from whoever is working on it. Once this has been asked for it
    /// is tried until it is done, also if the first try fails; then the lease is still
    /// [`LeaseState::Revoking`] and says why. So it is while somebody else is taking it back.
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
        if !lease.principal.is_revocable() {
            return Err(wrong(format!(
                "lease {id} is a session, which cannot be taken back before its end"
            ))
            .with_help("deny its role by a policy on aws:TokenIssueTime, or forget the lease"));
        }
        let record = self.record("revoke", Outcome::Begun, "");
        match self.store.seize(id, &self.claimant, &record).await? {
            Some(lease) => Ok(self.take_back(lease, &self.deadline()).await?.lease),
            None => self.lease(id).await,
        }
    }

    /// Stops caring for a lease, whatever AWS still holds of it.
    ///
    /// # Errors
    /// `Denied` if it is over already; `Unavailable` while somebody works on it; else the store's.
    pub async fn forget(&self, id: LeaseId) -> Result<Lease> {
        // Before it is claimed: a claim on what is over would only run out.
        let state = self.lease(id).await?.state;
        if state.is_over() {
            let message = format!("lease {id} is {} already", state.name());
            return Err(CredentialsError::new(ErrorKind::Denied, "leases", message)
                .with_source(Conflict::WrongState)
                .with_help("there is nothing to forget"));
        }
        let lease = self.claimed(id).await?;
        let detail = format!("AWS may still hold {}", lease.principal.name);
        let record = self.record("forget", Outcome::Done, detail);
        self.store.advance(id, lease.fence, &Change::Forget, &record).await
    }

    /// Does what is due for a lease that was claimed.
    pub(crate) async fn work_on(&self, lease: Lease) -> Result<Worked> {
        let deadline = self.deadline();
        let is_session = !lease.principal.is_revocable();
        let (change, record) = match lease.state {
            LeaseState::Active if is_session => {
                (Change::Expire, self.record("expire", Outcome::Done, ""))
            }
            // Whoever asked for it died before AWS answered, and nobody has the session.
            LeaseState::Intent if is_session => (
                Change::Refuse("whoever asked for it is gone".to_owned()),
                self.record("create", Outcome::Failed, "never handed out"),
            ),
            // It cannot be taken back: it ends by itself.
            LeaseState::Revoking if is_session => {
                let record = self.record("expire", Outcome::Done, "");
                match lease.expires_at > self.store.now().await? {
                    true => {
                        (retry("it is a session, which ends by itself", lease.expires_at), record)
                    }
                    false => (Change::Removed, record),
                }
            }
            LeaseState::Active if self.store.has_machines_clock() => {
                return match self.doubt_about_end(&lease).await {
                    Ok(None) => self.take_back(lease, &deadline).await,
                    Ok(Some(doubt)) => self.hold(lease, doubt, true).await,
                    Err(error) => self.hold(lease, error, false).await,
                };
            }
            _ => return self.take_back(lease, &deadline).await,
        };
        let lease = self.store.advance(lease.id, lease.fence, &change, &record).await?;
        Ok(Worked { lease, failure: None, is_held: false })
    }

    /// Leaves a lease active for a while, though its time seems to be up.
    async fn hold(&self, lease: Lease, why: CredentialsError, is_held: bool) -> Result<Worked> {
        let wait = self.wait(lease.attempts);
        let wait = if is_held { wait.min(LONGEST_HOLD) } else { wait };
        let at = lease.expires_at.max(self.store.now().await? + wait);
        let change = Change::Retry { failure: why.to_string(), at };
        let record = self.record("revoke", Outcome::Failed, why.to_string());
        let lease = self.store.advance(lease.id, lease.fence, &change, &record).await?;
        Ok(Worked { lease, failure: Some(why), is_held })
    }

    /// Takes back a lease that was claimed, and writes down how it went.
    async fn take_back(&self, lease: Lease, deadline: &Deadline) -> Result<Worked> {
        let mut lease = self.begin_revocation(lease).await?;
        let removal = self.remove(&mut lease, deadline).await;
        let (change, record) = match &removal {
            Ok(Removal::Gone) => (Change::Removed, self.record("revoke", Outcome::Done, "")),
            Ok(Removal::Foreign) => {
                let detail = "a user of that name is not ours and was left alone";
                (Change::Removed, self.record("revoke", Outcome::Done, detail))
            }
            Ok(Removal::NotSeen { until }) => {
                let failure = "IAM does not show the user, and may only not show it yet".to_owned();
                let record = self.record("revoke", Outcome::Failed, failure.as_str());
                (Change::Retry { failure, at: *until }, record)
            }
            Err(error) => {
                let failure = error.to_string();
                let at = self.store.now().await? + self.wait(lease.attempts);
                let record = self.record("revoke", Outcome::Failed, failure.as_str());
                (Change::Retry { failure, at }, record)
            }
        };
        let lease = self.store.advance(lease.id, lease.fence, &change, &record).await?;
        Ok(Worked { lease, failure: removal.err(), is_held: false })
    }

    /// Writes down that a claimed lease is to be taken back, if it is not yet.
    async fn begin_revocation(&self, lease: Lease) -> Result<Lease> {
        if lease.state == LeaseState::Revoking {
            return Ok(lease);
        }
        let record = self.record("revoke", Outcome::Begun, "");
        self.store.advance(lease.id, lease.fence, &Change::Revoke, &record).await
    }

    async fn remove(&self, lease: &mut Lease, deadline: &Deadline) -> Result<Removal> {
        let secret = self.definition_of(lease).await?;
        let account = self.account_of(lease, &secret).await?;
        let deadline = self.reclaimed(lease, deadline.clone()).await?;
        let store_id = self.store.info().await?.id;
        let user = self.user(&account, &store_id, lease, &deadline);
        account.noting(self.removed(user, &account).await)
    }

    /// Removes a user. IAM's word that there is none is taken once that has had time to become
    /// known, if the account is still the one it was, and if nobody has the lease's key under
    /// another name. Lease and time are by one clock, the store's: the machine's may differ by more
    /// than IAM needs.
    pub(super) async fn removed(
        &self,
        mut user: UserMaker<'_>,
        account: &Account,
    ) -> Result<Removal> {
        let removal = user.remove().await?;
        match removal {
            Removal::Gone => return Ok(removal),
            Removal::NotSeen { until } if self.store.now().await? < until => return Ok(removal),
            Removal::NotSeen { .. } | Removal::Foreign => {}
        }
        let who = account.sts.get_caller_identity().await?.account;
        let id = &user.lease.principal.account_id;
        if who != *id {
            let message = format!("the connection leads to account {who} now, and not to {id}");
            return Err(
                wrong(message).with_help("give the definition a connection to that account")
            );
        }
        let Some(name) = user.key_owner().await? else {
            return Ok(if removal == Removal::Foreign { removal } else { Removal::Gone });
        };
        user.name = name;
        match user.remove().await? {
            Removal::Gone => Ok(Removal::Gone),
            // A key never changes its user, so whatever its tags say, it is ours.
            Removal::Foreign => Err(user.untagged()),
            Removal::NotSeen { .. } => {
                let message = format!("IAM knows the key of user {}, and no such user", user.name);
                Err(CredentialsError::new(ErrorKind::Unavailable, "IAM", message)
                    .with_help("it may only not show it yet; it is tried again"))
            }
        }
    }

    /// Longer with each failure, up to an hour; never given up.
    fn wait(&self, failures: u32) -> Duration {
        let wait = FIRST_WAIT.saturating_mul(1 << failures.min(12)).min(LONGEST_WAIT);
        wait / 2 + self.context.random.up_to(wait / 2)
    }
}

fn retry(failure: &str, at: SystemTime) -> Change {
    Change::Retry { failure: failure.to_owned(), at }
}

fn wrong(message: String) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "leases", message)
}
