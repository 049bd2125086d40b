//! Where definitions, leases and the audit log are kept.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rolecall_core::{CredentialsError, Result};

use crate::audit::{AuditEntry, Record};
use crate::change::Change;
use crate::definition::DynamicSecret;
use crate::lease::{Lease, LeaseId, LeaseState, NewLease};

/// Which store it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreInfo {
    /// Tells its users in IAM from those of other stores: 12 of `a-z 0-9`, part of their paths.
    pub id: String,
    /// Counts restorations. One that differs from what was noted elsewhere says that this is a
    /// copy from the past, whose leases must not be revoked unasked.
    pub epoch: u64,
}

/// A definition as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecret {
    /// The definition.
    pub secret: DynamicSecret,
    /// 1, 2, 3 … with each change.
    pub version: u32,
    /// When this version was written.
    pub changed_at: SystemTime,
}

/// Who works on leases, and for how long at most before others may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// `host:pid`, for people.
    pub name: String,
    /// How long a claim holds.
    pub hold: Duration,
}

/// Which leases to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseFilter {
    /// Of this definition.
    pub secret: Option<String>,
    /// In one of these states; empty is every state.
    pub states: Vec<LeaseState>,
    /// For this identity.
    pub identity: Option<String>,
    /// Ending before this time.
    pub expires_before: Option<SystemTime>,
}

/// Why a store did not do what was asked, though it works: the source of a [`CredentialsError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Conflict {
    /// There is a definition of that name.
    SecretExists,
    /// There is no such definition.
    NoSuchSecret,
    /// It was changed since it was read.
    SecretChanged,
    /// Leases of it run.
    SecretInUse,
    /// There is no such lease.
    NoSuchLease,
    /// Somebody else has claimed the lease since.
    FenceLost,
    /// The lease's state does not allow it.
    WrongState,
}

impl Conflict {
    /// The conflict underneath `error`, if it is one.
    pub fn of(error: &CredentialsError) -> Option<Self> {
        let first = std::error::Error::source(error);
        std::iter::successors(first, |&error| error.source())
            .find_map(|error| error.downcast_ref().copied())
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecretExists => "there is a definition of that name",
            Self::NoSuchSecret => "there is no such definition",
            Self::SecretChanged => "the definition was changed meanwhile",
            Self::SecretInUse => "leases of it run",
            Self::NoSuchLease => "there is no such lease",
            Self::FenceLost => "somebody else works on the lease now",
            Self::WrongState => "the lease's state does not allow it",
        })
    }
}

impl std::error::Error for Conflict {}

/// Keeps definitions, leases and the audit log. Every method is one transaction, durable when it
/// returns; a change and its [`Record`] are written together or not at all.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Which store it is.
    async fn info(&self) -> Result<StoreInfo>;

    /// The time that counts: the database's where several machines share it.
    async fn now(&self) -> Result<SystemTime>;

    /// Adds a definition, as version 1.
    async fn create_secret(&self, secret: &DynamicSecret, record: &Record) -> Result<()>;

    /// Writes the version after `version` of a definition.
    async fn update_secret(
        &self,
        secret: &DynamicSecret,
        version: u32,
        record: &Record,
    ) -> Result<()>;

    /// Takes a definition out of use. Refused while leases of it run.
    async fn delete_secret(&self, name: &str, record: &Record) -> Result<()>;

    /// A definition in use: its newest version, or the one asked for, also after it was deleted.
    async fn secret(&self, name: &str, version: Option<u32>) -> Result<Option<StoredSecret>>;

    /// Up to `limit` definitions in the order of their names, those after `after`.
    async fn secrets(&self, after: Option<&str>, limit: u32) -> Result<Vec<StoredSecret>>;

    /// Writes down a lease before AWS is asked for anything, claimed by `claimant`.
    async fn begin(&self, lease: &NewLease, claimant: &Claimant, record: &Record) -> Result<Lease>;

    /// Changes a lease by [`crate::change`], if its fence still is `fence`.
    async fn advance(
        &self,
        id: LeaseId,
        fence: u64,
        what: &Change,
        record: &Record,
    ) -> Result<Lease>;

    /// A lease.
    async fn lease(&self, id: LeaseId) -> Result<Option<Lease>>;

    /// Up to `limit` leases in the order of their ids, those after `after`.
    async fn leases(
        &self,
        filter: &LeaseFilter,
        after: Option<LeaseId>,
        limit: u32,
    ) -> Result<Vec<Lease>>;

    /// Claims one lease, with the next fence; `None` while somebody else's claim holds.
    async fn claim(&self, id: LeaseId, claimant: &Claimant) -> Result<Option<Lease>>;

    /// Claims up to `limit` leases that are due, those first that have been due longest.
    async fn claim_due(&self, claimant: &Claimant, limit: u32) -> Result<Vec<Lease>>;

    /// When the next lease is due that nobody works on.
    async fn next_due(&self) -> Result<Option<SystemTime>>;

    /// The audit log of a lease (its id) or a definition (its name), oldest first.
    async fn trail(&self, subject: &str) -> Result<Vec<AuditEntry>>;
}
