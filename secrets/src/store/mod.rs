//! Where definitions, leases and the audit log are kept.

mod auth;
mod guard;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;
mod step;

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rolecall_core::{CredentialsError, ErrorKind, Result};

use crate::audit::{AuditEntry, Record, TrailFlaw};
use crate::change::Change;
use crate::definition::DynamicSecret;
use crate::lease::{Lease, LeaseId, LeaseState, NewLease};

pub use auth::AuthStore;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresOptions, PostgresStore};
pub use sqlite::SqliteStore;

/// What errors call a store.
const PROVIDER: &str = "lease store";

/// The subject of what is logged about the store itself: no definition can have this name.
pub const STORE_SUBJECT: &str = "@store";

/// Which store it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreInfo {
    /// Tells its users in IAM from those of other stores: 12 of `a-z 0-9`, part of their paths.
    pub id: String,
    /// Counts the restorations that were accepted, from 1.
    pub epoch: u64,
    /// Why it may be a copy from the past, whose leases must not be revoked unasked: they may have
    /// been renewed since. Until [`Store::accept_restored`].
    pub doubt: Option<Doubt>,
}

/// Why a store may be a copy from the past. What speaks for it is in `docs/leases-store.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// This machine has seen more in it than is in it now.
    Restored,
    /// This machine has never seen it: it was moved or restored here.
    NeverSeen,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restored => "the store has gone back in time: it was restored from a backup",
            Self::NeverSeen => "the store is new to this machine: it was moved or restored here",
        })
    }
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
    /// `user@host`, for people: workers of one name are still others to each other.
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
    /// There is a lease of that id.
    LeaseExists,
    /// Somebody else has claimed the lease since.
    FenceLost,
    /// The lease's state does not allow it.
    WrongState,
    /// There is an auth method of that name, or there is or was one of that access id.
    MethodExists,
    /// There is no such auth method.
    NoSuchMethod,
    /// It was changed since it was read.
    MethodChanged,
}

impl Conflict {
    /// The conflict underneath `error`, if it is one.
    pub fn of(error: &CredentialsError) -> Option<Self> {
        let first = std::error::Error::source(error);
        std::iter::successors(first, |&error| error.source())
            .find_map(|error| error.downcast_ref().copied())
    }
}

impl Conflict {
    /// The error that tells of it, with what it is about.
    fn error(self, about: impl fmt::Display) -> CredentialsError {
        let kind = match self {
            Self::SecretExists
            | Self::NoSuchSecret
            | Self::NoSuchLease
            | Self::LeaseExists
            | Self::MethodExists
            | Self::NoSuchMethod => ErrorKind::InvalidConfiguration,
            Self::SecretInUse | Self::WrongState => ErrorKind::Denied,
            Self::SecretChanged | Self::MethodChanged | Self::FenceLost => ErrorKind::Unavailable,
        };
        let error = CredentialsError::new(kind, PROVIDER, format!("{about}: {self}"));
        let error = match self {
            Self::SecretExists | Self::MethodExists => {
                error.with_help("choose another name, or update that one")
            }
            Self::NoSuchSecret | Self::NoSuchLease | Self::NoSuchMethod => {
                error.with_help("list what there is")
            }
            Self::SecretChanged | Self::MethodChanged => {
                error.with_help("read it again and repeat the change")
            }
            Self::SecretInUse => error.with_help("revoke its leases first"),
            Self::LeaseExists | Self::FenceLost | Self::WrongState => error,
        };
        error.with_source(self)
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
            Self::LeaseExists => "there is a lease of that id",
            Self::FenceLost => "somebody else works on the lease now",
            Self::WrongState => "the lease's state does not allow it",
            Self::MethodExists => {
                "there is an auth method of that name, or there was one of that access id"
            }
            Self::NoSuchMethod => "there is no such auth method",
            Self::MethodChanged => "the auth method was changed meanwhile",
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

    /// Whether [`Self::now`] is this machine's clock, which may be wrong.
    fn has_machines_clock(&self) -> bool;

    /// Says that the store is what it should be though it may be a copy from the past: a new epoch
    /// begins, and what is due will be taken back. Changes nothing if there is no doubt.
    async fn accept_restored(&self, record: &Record) -> Result<StoreInfo>;

    /// Adds a definition, as version 1; as the version after its last if there was one of that name.
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

    /// Writes down a lease before AWS is asked for anything, claimed by `claimant`. Refused unless
    /// its definition is in use.
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

    /// Writes down that a lease is to be taken back and claims it for that, whoever's claim holds:
    /// what they write after is refused. `None` if somebody is taking it back already.
    async fn seize(
        &self,
        id: LeaseId,
        claimant: &Claimant,
        record: &Record,
    ) -> Result<Option<Lease>>;

    /// Claims up to `limit` leases that are due, those first that could have been claimed longest,
    /// but no users in the accounts `except`. One that cannot be read is left to others.
    async fn claim_due(
        &self,
        claimant: &Claimant,
        limit: u32,
        except: &[String],
    ) -> Result<Vec<Lease>>;

    /// When the next lease can be claimed as due, if that is so `within` some time from now: it is
    /// due and nobody's claim holds any longer. Users in the accounts `except` do not count.
    async fn next_due(&self, within: Duration, except: &[String]) -> Result<Option<SystemTime>>;

    /// Adds a line to the audit log of a lease (its id), a definition (its name) or the store itself
    /// ([`STORE_SUBJECT`]), which nothing else is changed by.
    async fn note(&self, subject: &str, record: &Record) -> Result<()>;

    /// The audit log of a lease (its id), a definition (its name), an auth method (`@method/NAME`)
    /// or the store itself ([`STORE_SUBJECT`]), oldest first; empty if there is none.
    async fn trail(&self, subject: &str) -> Result<Vec<AuditEntry>>;

    /// What is wrong with the audit log of a subject, by [`crate::verify_trail`].
    async fn verify(&self, subject: &str) -> Result<Option<TrailFlaw>>;

    /// The auth methods beside the leases, if this store keeps any.
    fn auth(&self) -> Option<&dyn AuthStore> {
        None
    }
}
