use std::time::{Duration, SystemTime};

use crate::lease::{Lease, LeaseState, NewLease};
use crate::store::Claimant;

/// How long a lease may stay an intent before somebody else clears up behind whoever made it.
const INTENT_LIMIT: Duration = Duration::from_secs(300);

/// What can happen to a lease. [`change`] says when, and what then holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was made and may be handed out.
    Grant {
        /// The access key's id.
        access_key_id: String,
        /// Its end, if AWS gave an earlier one.
        expires_at: SystemTime,
        /// The secret, sealed, if it is to be kept.
        sealed: Option<Vec<u8>>,
    },
    /// It was certainly not made, or all was removed again.
    Refuse(String),
    /// Its end moves.
    Renew(SystemTime),
    /// It is to be taken back, now.
    Revoke,
    /// Taking it back failed, or could not be begun; to be tried again at this time.
    Retry {
        /// Why.
        failure: String,
        /// When.
        at: SystemTime,
    },
    /// Nothing of it is left.
    Removed,
    /// It ended by itself.
    Expire,
    /// Nobody is to care any more.
    Forget,
    /// Whoever claimed it is done with it, and it stays as it is.
    Release,
}

/// What becomes of `lease` by `what` at `now`; the store writes it if the lease's fence still is
/// that of whoever asks. A claim ends with every change but [`Change::Revoke`], after which the work
/// begins.
///
/// # Errors
/// Why that cannot happen to a lease in its state, for people.
pub fn change(lease: &Lease, what: &Change, now: SystemTime) -> Result<Lease, String> {
    use LeaseState::{Active, Expired, Failed, Forgotten, Intent, Revoked, Revoking};
    let mut next = lease.clone();
    if *what != Change::Revoke {
        next.claimed_until = None;
        next.claimed_by = None;
    }
    match (lease.state, what) {
        (Intent, Change::Grant { access_key_id, expires_at, sealed }) => {
            next.state = Active;
            next.access_key_id = Some(access_key_id.clone());
            next.expires_at = *expires_at.min(&lease.expires_at);
            next.sealed.clone_from(sealed);
            next.due_at = Some(next.expires_at);
        }
        (Intent, Change::Refuse(why)) => {
            next.state = Failed;
            next.failure = Some(why.clone());
        }
        (Active, Change::Renew(_)) if lease.expires_at <= now => {
            return Err("the lease has expired and can no longer be renewed".to_owned());
        }
        (Active, Change::Renew(end)) => {
            next.expires_at = *end.min(&lease.max_expires_at);
            next.due_at = Some(next.expires_at);
            next.attempts = 0;
            next.failure = None;
        }
        (Intent | Active | Revoking, Change::Revoke) => {
            next.state = Revoking;
            next.due_at = Some(now);
            next.sealed = None;
        }
        (Active | Revoking, Change::Retry { failure, at }) => {
            next.attempts = lease.attempts.saturating_add(1);
            next.failure = Some(failure.clone());
            next.due_at = Some(*at);
        }
        (Revoking, Change::Removed) => {
            next.state = Revoked;
            next.failure = None;
        }
        (Active, Change::Expire) => next.state = Expired,
        (Intent | Active | Revoking, Change::Forget) => next.state = Forgotten,
        (_, Change::Release) => {}
        (state, _) => return Err(format!("the lease is {}", state.name())),
    }
    if next.state.is_over() {
        next.due_at = None;
        next.sealed = None;
    }
    Ok(next)
}

impl NewLease {
    /// The lease as it is written down at `now`, claimed by `claimant`.
    pub fn begin(&self, claimant: &Claimant, now: SystemTime) -> Lease {
        Lease {
            id: self.id,
            secret: self.secret.clone(),
            secret_version: self.secret_version,
            state: LeaseState::Intent,
            principal: self.principal.clone(),
            identity: self.identity.clone(),
            note: self.note.clone(),
            created_at: now,
            expires_at: self.expires_at,
            max_expires_at: self.max_expires_at,
            access_key_id: None,
            sealed: None,
            due_at: Some(end_of_claim(now, INTENT_LIMIT)),
            attempts: 0,
            failure: None,
            fence: 1,
            claimed_until: Some(end_of_claim(now, claimant.hold)),
            claimed_by: Some(claimant.name.clone()),
        }
    }
}

impl Lease {
    /// The lease as `claimant` claims it at `now`; `None` while a claim holds.
    pub fn claimed(&self, claimant: &Claimant, now: SystemTime) -> Option<Lease> {
        (!self.is_claimed(now)).then(|| self.taken_over(claimant, now))
    }

    /// The lease as `claimant` claims it at `now` to take it back, whoever's claim holds: what they
    /// write after is refused. `None` while somebody is taking it back already.
    ///
    /// # Errors
    /// As [`change`].
    pub fn seized(&self, claimant: &Claimant, now: SystemTime) -> Result<Option<Lease>, String> {
        if self.state == LeaseState::Revoking && self.is_claimed(now) {
            return Ok(None);
        }
        change(&self.taken_over(claimant, now), &Change::Revoke, now).map(Some)
    }

    fn is_claimed(&self, now: SystemTime) -> bool {
        self.claimed_until.is_some_and(|until| until > now)
    }

    fn taken_over(&self, claimant: &Claimant, now: SystemTime) -> Lease {
        let mut next = self.clone();
        next.fence += 1;
        next.claimed_until = Some(end_of_claim(now, claimant.hold));
        next.claimed_by = Some(claimant.name.clone());
        next
    }
}

/// A day at most: a claim that never ends would keep others off for ever.
pub(crate) const LONGEST_CLAIM: Duration = Duration::from_secs(24 * 3600);

fn end_of_claim(now: SystemTime, hold: Duration) -> SystemTime {
    now.checked_add(hold.min(LONGEST_CLAIM)).unwrap_or(now)
}
