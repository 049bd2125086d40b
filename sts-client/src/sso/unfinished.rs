//! Renewals that are under way: their runtime must not end before them.

use std::sync::LazyLock;
use std::time::Duration;

use rolecall_core::Clock;
use tokio::sync::watch;

/// How many there are, in all runtimes of this process.
static RENEWALS: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));

/// A renewal, for as long as it lives.
pub(super) struct Renewal(());

impl Renewal {
    pub(super) fn begin() -> Self {
        RENEWALS.send_modify(|renewals| *renewals += 1);
        Self(())
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        RENEWALS.send_modify(|renewals| *renewals -= 1);
    }
}

/// Waits for renewals of SSO tokens that nobody waits for any more, at most for `patience`. A
/// refresh token is good once: one that was sent and whose successor is not written is lost, and a
/// person must sign in again. [`crate::SsoProvider`] renews in a task, which ends with its runtime:
/// before a runtime of your own ends, await this in it.
pub async fn finish_renewals(patience: Duration) {
    let mut renewals = RENEWALS.subscribe();
    let finished = renewals.wait_for(|renewals| *renewals == 0);
    if Clock::real().timeout(patience, finished).await.is_none() {
        tracing::warn!("the renewal of an SSO token is broken off; it may be used up");
    }
}
