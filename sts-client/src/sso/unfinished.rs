//! Renewals that are under way: their runtime must not end before them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rolecall_core::{Clock, Made, PerProcess};
use tokio::runtime::{Handle, Id};
use tokio::sync::watch;

/// How many there are in each runtime.
type Renewals = watch::Sender<HashMap<Id, usize>>;

/// Those of the process: a child has none of its parent's.
static RENEWALS: PerProcess<Renewals> = PerProcess::empty();

fn renewals() -> Arc<Made<Renewals>> {
    RENEWALS.get_or_make(Renewals::default)
}

/// A renewal in one runtime, for as long as it lives.
pub(super) struct Renewal {
    among: Arc<Made<Renewals>>,
    runtime: Id,
}

impl Renewal {
    /// Begins one in the runtime that is at work.
    pub(super) fn begin() -> Self {
        let begun = Self { among: renewals(), runtime: Handle::current().id() };
        begun.among.send_modify(|all| *all.entry(begun.runtime).or_default() += 1);
        begun
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.among.send_modify(|all| {
            if let Some(count) = all.get_mut(&self.runtime) {
                *count -= 1;
            }
            all.retain(|_, count| *count > 0);
        });
    }
}

/// Waits for renewals of SSO tokens that nobody waits for any more, at most for `patience`. A
/// refresh token is good once: one that was sent and whose successor is not written is lost, and a
/// person must sign in again. [`crate::SsoProvider`] renews in a task, which ends with its runtime:
/// before a runtime of your own ends, await this in it. Renewals in other runtimes are not waited
/// for.
///
/// # Panics
/// Outside an asynchronous runtime.
pub async fn finish_renewals(patience: Duration) {
    let (runtime, mut all) = (Handle::current().id(), renewals().subscribe());
    let finished = all.wait_for(|all| !all.contains_key(&runtime));
    if Clock::real().timeout(patience, finished).await.is_none() {
        tracing::warn!("the renewal of an SSO token is broken off; it may be used up");
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    /// Longer than a test may take.
    const LONG: Duration = Duration::from_secs(600);

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn only_those_of_the_runtime_are_waited_for() {
        let (one, other) = (runtime(), runtime());
        let renewal = one.block_on(async { Renewal::begin() });
        other.block_on(finish_renewals(LONG));
        let late = one.block_on(async {
            let waiting = finish_renewals(Duration::from_millis(20));
            Clock::real().timeout(LONG, waiting).await.unwrap();
            renewals().borrow().len()
        });
        assert_eq!(late, 1, "the one that is under way was not waited for");
        let finishing = std::thread::spawn(move || drop(renewal));
        one.block_on(finish_renewals(LONG));
        finishing.join().unwrap();
        assert!(renewals().borrow().is_empty());
    }
}
