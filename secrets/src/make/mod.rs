//! What a lease stands for in AWS: made, prolonged, removed.

mod session;
mod user;

use std::time::{Duration, SystemTime};

use rolecall_core::{Context, CredentialsError, ErrorKind, Result};

pub(crate) use session::make_session;
pub(crate) use user::{
    Removal, TAG_EXPIRES, TAG_LEASE, TAG_NONCE, TAG_STORE, Unmade, UserMaker, our_path,
};

/// Until when calls may be made for a lease: half of the claim, so that nobody else works on it
/// while a call of ours is still under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(pub(crate) SystemTime);

impl Deadline {
    pub(crate) fn of(context: &Context, hold: Duration) -> Self {
        Self(context.clock.now() + hold / 2)
    }

    /// # Errors
    /// `TimedOut` once it has passed.
    pub(crate) fn check(self, context: &Context) -> Result<()> {
        if context.clock.now() < self.0 {
            return Ok(());
        }
        let message = "it took too long, and others may work on the lease now";
        Err(CredentialsError::new(ErrorKind::TimedOut, "IAM", message)
            .with_help("AWS or the network is slow; try again later"))
    }
}
