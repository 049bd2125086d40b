//! Leases from end to end: both stores, workers and reaps against the kit's IAM.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken machine fails its test")]
#![expect(clippy::disallowed_methods, reason = "the tests stand outside the seams")]

mod auth;
mod bed;
mod clock;
mod crash;
mod denied;
mod drain;
mod killed;
mod late;
mod moved;
mod probe;
mod renew;
mod stores;
mod told;
mod worker;
