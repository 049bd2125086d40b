//! Dynamic secrets: IAM users and STS sessions on lease, with nothing left behind.
//!
//! - A [`DynamicSecret`] is a named definition: how to reach AWS, what to make there, for how long.
//! - A [`Lease`] is one user or session made from it. Its states and what leads from one to the
//!   next are data ([`Change`]), so that every store keeps the same rules.
//! - A [`Store`] keeps definitions, leases and their audit log.
//! - An [`AuthMethod`] says who may log in with a token of cloud identity; [`Auth`] gives them
//!   sessions, which definitions can ask for.

#![warn(missing_docs)]

mod audit;
mod auth;
mod change;
mod check;
mod connect;
mod connection;
mod dated;
mod definition;
mod iam;
mod lease;
mod leases;
mod make;
mod naming;
mod policy;
mod seal;
mod store;
mod template;
mod worker;

pub use audit::{AuditEntry, AuditHead, Outcome, Record, TrailFlaw, verify_trail};
pub use auth::{
    Access, Auth, AuthMethod, AuthOptions, AuthSession, Login, SessionClaims, StoredKey,
    StoredMethod, replay_guard,
};
pub use change::{Change, change};
pub use connect::{Connect, Reached};
pub use definition::{
    AssumedRole, Connection, DynamicSecret, FederationToken, IamUser, SecretKind, SessionToken,
};
pub use lease::{Lease, LeaseId, LeaseState, NewLease, Principal};
pub use leases::{
    Fate, Identity, Issued, LeaseOptions, LeaseRequest, Leases, Orphan, Probe, ReapOptions, Reaped,
};
pub use seal::SealingKey;
pub use store::{
    AuthStore, Claimant, Conflict, Doubt, LeaseFilter, STORE_SUBJECT, SqliteStore, Store,
    StoreInfo, StoredSecret,
};
#[cfg(feature = "postgres")]
pub use store::{PostgresOptions, PostgresStore};
pub use worker::{Metrics, Worker, WorkerOptions};

/// What the fuzz targets need and nobody else.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    use rolecall_core::{Context, Result};

    use crate::template::{NameFacts, NameTemplate};

    /// What a template makes for somebody of this name.
    pub fn render(template: &str, name: &str) -> Result<String> {
        let facts = NameFacts { identity_name: name, secret_name: name, ..NameFacts::default() };
        let context = Context::fake();
        NameTemplate::parse(template)?.render(&facts, context.clock.now(), &context.random)
    }
}
