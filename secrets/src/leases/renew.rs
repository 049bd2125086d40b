use std::time::{Duration, SystemTime};

use rolecall_core::{CredentialsError, ErrorKind, Result, Secret};

use super::{Leases, earlier};
use crate::audit::Outcome;
use crate::change::Change;
use crate::definition::DynamicSecret;
use crate::iam::{Certainty, certainty};
use crate::lease::{Lease, LeaseId, LeaseState};
use crate::make::Deadline;
use crate::store::Conflict;

impl Leases {
    /// Moves the end of a lease by `by`; or by the definition's default TTL, or as much of it as
    /// there may be.
    ///
    /// The limit is the lower of the maximum that held when the lease was made and the definition's
    /// maximum now, both counted from when it was made. `session` is one of [`crate::Auth`], where the
    /// definition asks for one now.
    ///
    /// # Errors
    /// `Denied` without a session that the definition asks for; `Unavailable` while somebody else
    /// works on it; `InvalidConfiguration` beyond that limit, by nothing, if it has ended, or if it is
    /// a session, which AWS cannot prolong. Nothing is changed then. Else AWS's or the store's.
    pub async fn renew(
        &self,
        id: LeaseId,
        by: Option<Duration>,
        session: Option<&Secret>,
    ) -> Result<Lease> {
        self.renew_by(id, by, by.is_none(), session).await
    }

    /// [`Self::renew`] by `most`, or as much of it as there may be.
    ///
    /// # Errors
    /// As [`Self::renew`]; `InvalidConfiguration` once the limit is reached.
    pub async fn renew_up_to(
        &self,
        id: LeaseId,
        most: Duration,
        session: Option<&Secret>,
    ) -> Result<Lease> {
        self.renew_by(id, Some(most), true, session).await
    }

    async fn renew_by(
        &self,
        id: LeaseId,
        by: Option<Duration>,
        may_cut: bool,
        session: Option<&Secret>,
    ) -> Result<Lease> {
        if by == Some(Duration::ZERO) {
            return Err(wrong(format!("lease {id} cannot be renewed by 0 s")));
        }
        let mut lease = self.claimed(id).await?;
        let deadline = self.deadline();
        let outcome = match self.admit_to(session, &lease).await {
            Ok(_) => self.renew_claimed(&mut lease, deadline, by, may_cut).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &outcome {
            let outcome = match certainty(error) {
                Certainty::Refused => Outcome::Refused,
                Certainty::Unknown => Outcome::Failed,
            };
            let record = self.record("renew", outcome, error.to_string());
            // The lease stays as it was; the claim runs out by itself if this fails too.
            let _ = self.store.advance(id, lease.fence, &Change::Release, &record).await;
        }
        outcome
    }

    async fn renew_claimed(
        &self,
        lease: &mut Lease,
        deadline: Deadline,
        by: Option<Duration>,
        may_cut: bool,
    ) -> Result<Lease> {
        let (secret, _) = self.renewed_until(lease, by, may_cut).await?;
        let account = self.account_of(lease, &secret).await?;
        let deadline = self.reclaimed(lease, deadline).await?;
        let (_, end) = self.renewed_until(lease, by, may_cut).await?;
        let store_id = self.store.info().await?.id;
        // AWS first: a lease must not promise what its user cannot keep.
        let user = self.user(&account, &store_id, lease, &deadline);
        account.noting(user.prolong(end).await)?;
        let by = end.duration_since(lease.expires_at).unwrap_or_default();
        let record = self.record("renew", Outcome::Done, format!("by {} s", by.as_secs()));
        self.store.advance(lease.id, lease.fence, &Change::Renew(end), &record).await
    }

    /// The definition of a lease that may be renewed, and its new end.
    async fn renewed_until(
        &self,
        lease: &Lease,
        by: Option<Duration>,
        may_cut: bool,
    ) -> Result<(DynamicSecret, SystemTime)> {
        let now = self.store.now().await?;
        if lease.state != LeaseState::Active || lease.expires_at <= now {
            let ended = lease.state == LeaseState::Active;
            let state = if ended { "over" } else { lease.state.name() };
            return Err(wrong(format!("lease {} is {state} and cannot be renewed", lease.id))
                .with_source(Conflict::WrongState)
                .with_help("take a new one"));
        }
        let secret = self.definition_of(lease).await?;
        if !secret.kind.is_revocable() {
            return Err(wrong(format!(
                "lease {} is a session, which ends when AWS said it would",
                lease.id
            ))
            .with_help("take a new one"));
        }
        let newest = self.store.secret(&lease.secret, None).await?;
        let max_ttl = newest.as_ref().map_or(secret.max_ttl, |newest| newest.secret.max_ttl);
        let default_ttl =
            newest.as_ref().map_or(secret.default_ttl, |newest| newest.secret.default_ttl);
        let limit = earlier(lease.max_expires_at, lease.created_at + max_ttl);
        let left = limit.duration_since(lease.expires_at).unwrap_or_default();
        let by = by.unwrap_or(default_ttl);
        let by = if may_cut && !left.is_zero() { by.min(left) } else { by };
        let end = lease.expires_at.checked_add(by);
        let Some(end) = end.filter(|end| *end <= limit) else {
            return Err(wrong(format!(
                "lease {} may be renewed by {} s at most, to its maximum TTL",
                lease.id,
                left.as_secs()
            ))
            .with_help("ask for less, or take a new lease"));
        };
        Ok((secret, end))
    }
}

fn wrong(message: String) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "leases", message)
}
