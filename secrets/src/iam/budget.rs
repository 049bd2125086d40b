use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rolecall_core::Clock;

/// What a lease that is taken back needs of IAM: calls, and half of the time that there is for it.
const CALLS: f64 = 10.0;
const SECONDS: f64 = 30.0;

/// How many calls of IAM one account gets from this process: IAM throttles by account, and does not
/// say at what rate. Throttled calls halve the rate; each second without one wins a tenth back.
#[derive(Debug)]
pub(crate) struct Budget {
    clock: Clock,
    most: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Calls a second.
    rate: f64,
    /// Calls that may be made at once.
    tokens: f64,
    /// When that was, by what has passed.
    at: Duration,
}

impl Budget {
    pub(crate) fn new(clock: Clock, calls_per_second: u32) -> Self {
        let most = f64::from(calls_per_second.max(1));
        let state = State { rate: most, tokens: most, at: clock.elapsed() };
        Self { clock, most, state: Mutex::new(state) }
    }

    /// Waits for the turn of one call; `false` at once if it would not come within `patience`.
    pub(crate) async fn turn(&self, patience: Duration) -> bool {
        let Some(wait) = self.take(patience) else { return false };
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
        true
    }

    /// A call is made once more. It is not made to wait, as it is signed and has waited already: the
    /// next calls are.
    pub(super) fn repeated(&self) {
        self.take(Duration::MAX);
    }

    /// How many leases can be worked on at once so that each gets its calls in time.
    pub(crate) fn room(&self) -> usize {
        room_at(self.state.lock().unwrap_or_else(PoisonError::into_inner).rate)
    }

    /// The same of an account that gets so many calls and was not throttled yet.
    pub(crate) fn most_room(calls_per_second: u32) -> usize {
        room_at(f64::from(calls_per_second.max(1)))
    }

    /// IAM has throttled a call.
    pub(crate) fn throttled(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.rate = (state.rate / 2.0).max(0.5);
        state.tokens = state.tokens.min(0.0);
    }

    /// Takes a token, on credit if there is none: how long to wait until it is there. None is taken
    /// if that is too long.
    fn take(&self, patience: Duration) -> Option<Duration> {
        let now = self.clock.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_sub(state.at).as_secs_f64();
        state.at = now;
        state.tokens = (state.tokens + passed * state.rate).min(self.most);
        state.rate = (state.rate + passed * self.most / 10.0).min(self.most);
        let wait = Duration::from_secs_f64(((1.0 - state.tokens) / state.rate).max(0.0));
        if wait > patience {
            return None;
        }
        state.tokens -= 1.0;
        Some(wait)
    }
}

fn room_at(rate: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is small")]
    let room = (rate * SECONDS / CALLS) as usize;
    room.max(1)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[tokio::test]
    async fn calls_keep_to_the_rate_and_a_throttled_account_gets_fewer() {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH);
        let budget = Budget::new(clock.clone(), 10);
        let spent = async |calls: u32| {
            let start = clock.elapsed();
            for _ in 0..calls {
                assert!(budget.turn(Duration::MAX).await);
            }
            (clock.elapsed() - start).as_secs_f64()
        };
        assert!(spent(10).await < 0.01, "what was saved up is free");
        let usual = spent(20).await;
        assert!((1.9..2.2).contains(&usual), "{usual}");
        budget.throttled();
        let slow = spent(5).await;
        assert!((0.6..1.3).contains(&slow), "{slow}");
        clock.advance(Duration::from_secs(60));
        assert!(spent(10).await < 0.01, "a minute later all is forgotten");
        clock.set_back(Duration::from_secs(3600));
        let usual = spent(20).await;
        assert!((1.9..2.2).contains(&usual), "the hands do not count: {usual}");
    }

    #[tokio::test]
    async fn a_call_that_is_repeated_takes_the_turns_of_others() {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH);
        let budget = Budget::new(clock.clone(), 2);
        assert!(budget.turn(Duration::ZERO).await);
        (0..5).for_each(|_| budget.repeated());
        assert_eq!(clock.elapsed(), Duration::ZERO);
        assert!(!budget.turn(Duration::from_secs(2)).await);
        assert!(budget.turn(Duration::from_secs(3)).await);
    }

    #[test]
    fn the_room_follows_the_rate() {
        let budget = Budget::new(Clock::manual(SystemTime::UNIX_EPOCH), 20);
        assert_eq!(budget.room(), 60);
        budget.throttled();
        assert_eq!(budget.room(), 30);
        (0..20).for_each(|_| budget.throttled());
        assert_eq!(budget.room(), 1);
    }

    #[tokio::test]
    async fn who_cannot_wait_is_told_so_at_once_and_takes_nobodys_place() {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH);
        let budget = Budget::new(clock.clone(), 1);
        assert!(budget.turn(Duration::ZERO).await);
        for _ in 0..100 {
            assert!(!budget.turn(Duration::from_millis(900)).await);
        }
        assert_eq!(clock.elapsed(), Duration::ZERO);
        assert!(budget.turn(Duration::from_secs(1)).await);
        assert_eq!(clock.elapsed(), Duration::from_secs(1));
    }
}
