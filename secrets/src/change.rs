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
    /// Taking it back failed; to be tried again at this time.
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
/// that of whoever asks.
///
/// # Errors
/// Why that cannot happen to a lease in its state, for people.
pub fn change(lease: &Lease, what: &Change, now: SystemTime) -> Result<Lease, String> {
    use LeaseState::{Active, Expired, Failed, Forgotten, Intent, Revoked, Revoking};
    let mut next = lease.clone();
    next.claimed_until = None;
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
        (Active, Change::Renew(end)) if lease.expires_at <= now => {
            return Err(format!("the lease has expired; it cannot be renewed to {end:?}"));
        }
        (Active, Change::Renew(end)) => {
            next.expires_at = *end.min(&lease.max_expires_at);
            next.due_at = Some(next.expires_at);
        }
        (Intent | Active | Revoking, Change::Revoke) => {
            // Whoever says so goes on with it.
            next.claimed_until = lease.claimed_until;
            next.state = Revoking;
            next.due_at = Some(now);
            next.sealed = None;
        }
        (Revoking, Change::Retry { failure, at }) => {
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
            due_at: Some(now + INTENT_LIMIT),
            attempts: 0,
            failure: None,
            fence: 1,
            claimed_until: Some(now + claimant.hold),
        }
    }
}
