//! What a lease stands for in AWS: made, prolonged, removed.

mod session;
mod user;

use std::time::{Duration, SystemTime};

use rolecall_core::{Clock, CredentialsError, ErrorKind, Result};

use crate::iam::NotSent;

pub(crate) use session::make_session;
pub(crate) use user::{
    Removal, TAG_EXPIRES, TAG_LEASE, TAG_NONCE, TAG_STORE, Unmade, UserMaker, our_path,
};

/// Until when calls may be made for a lease: half of the claim, so that nobody else works on it
/// while a call of ours is still under way.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    clock: Clock,
    /// By what has passed, as nobody can set that.
    passed: Duration,
    /// By the hands too: where the store judges claims by them, and as time that a machine sleeps
    /// through is seen only there.
    at: SystemTime,
    /// Whether AWS's answers move these hands: they do where they are the store's.
    is_machines: bool,
}

impl Deadline {
    /// The deadline of a claim that was made now; `is_machines` if the store's clock is this
    /// machine's.
    pub(crate) fn of(clock: &Clock, hold: Duration, is_machines: bool) -> Self {
        let (clock, passed) = (clock.clone(), clock.elapsed() + hold / 2);
        let at = Self::hands(&clock, is_machines) + hold / 2;
        Self { clock, passed, at, is_machines }
    }

    fn hands(clock: &Clock, is_machines: bool) -> SystemTime {
        if is_machines { clock.now() } else { clock.local_now() }
    }

    /// How much time is left.
    pub(crate) fn left(&self) -> Duration {
        let left = self.passed.saturating_sub(self.clock.elapsed());
        let now = Self::hands(&self.clock, self.is_machines);
        left.min(self.at.duration_since(now).unwrap_or_default())
    }

    /// # Errors
    /// `TimedOut` once it has passed.
    pub(crate) fn check(&self) -> Result<()> {
        if self.left().is_zero() { Err(Self::passed("it took too long")) } else { Ok(()) }
    }

    /// Makes a call, and waits for its answer as long as there is time.
    ///
    /// # Errors
    /// The call's; `TimedOut` if the answer did not come in time: it may have been carried out.
    pub(crate) async fn bound<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.check()?;
        self.clock.timeout(self.left(), call).await.unwrap_or_else(|| {
            let message = "the answer did not come in time, and others may work on the lease now";
            Err(CredentialsError::new(ErrorKind::TimedOut, "IAM", message)
                .with_help("AWS or the network is slow; try again later"))
        })
    }

    /// The error of a call that was not even sent.
    pub(crate) fn passed(why: &str) -> CredentialsError {
        let message = format!("{why}, and others may work on the lease now");
        CredentialsError::new(ErrorKind::TimedOut, "IAM", message)
            .with_help("AWS or the network is slow; try again later")
            .with_source(NotSent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_deadline_goes_by_what_passed_and_by_the_hands() {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(100_000));
        let minute = Duration::from_secs(60);
        let (database, machine) =
            (Deadline::of(&clock, minute * 2, false), Deadline::of(&clock, minute * 2, true));
        clock.advance(minute / 2);
        assert_eq!((database.left(), machine.left()), (minute / 2, minute / 2));
        clock.set_back(minute * 60);
        assert_eq!((database.left(), machine.left()), (minute / 2, minute / 2));
        // What AWS corrects is no time that has passed, but the store's own clock is corrected too.
        clock.correct(clock.local_now() + minute * 120);
        assert_eq!((database.left(), machine.left()), (minute / 2, Duration::ZERO));
        assert!(machine.check().is_err() && database.check().is_ok());
        // So it is on a machine that has slept.
        let asleep = Deadline::of(&clock, minute * 2, false);
        clock.set_ahead(minute * 120);
        assert!(asleep.check().is_err());
        clock.set_back(minute * 120);
        let never = std::future::pending::<Result<()>>();
        clock.advance(minute / 2 - Duration::from_millis(5));
        let error = database.bound(never).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        clock.advance(minute);
        let error = database.bound(async { Ok(()) }).await.unwrap_err();
        assert_eq!(crate::iam::certainty(&error), crate::iam::Certainty::Refused);
    }
}
