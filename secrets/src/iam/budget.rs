use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rolecall_core::Clock;

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
    at: SystemTime,
}

impl Budget {
    pub(crate) fn new(clock: Clock, calls_per_second: u32) -> Self {
        let most = f64::from(calls_per_second.max(1));
        let state = State { rate: most, tokens: most, at: clock.now() };
        Self { clock, most, state: Mutex::new(state) }
    }

    /// Waits for the turn of one call.
    pub(crate) async fn turn(&self) {
        let wait = self.take();
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
    }

    /// IAM has throttled a call.
    pub(crate) fn throttled(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.rate = (state.rate / 2.0).max(0.5);
        state.tokens = state.tokens.min(0.0);
    }

    /// Takes a token, on credit if there is none: how long to wait until it is there.
    fn take(&self) -> Duration {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.duration_since(state.at).unwrap_or_default().as_secs_f64();
        state.at = now;
        state.tokens = (state.tokens + passed * state.rate).min(self.most);
        state.rate = (state.rate + passed * self.most / 10.0).min(self.most);
        state.tokens -= 1.0;
        Duration::from_secs_f64((-state.tokens / state.rate).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_keep_to_the_rate_and_a_throttled_account_gets_fewer() {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH);
        let budget = Budget::new(clock.clone(), 10);
        let spent = async |calls: u32| {
            let start = clock.now();
            for _ in 0..calls {
                budget.turn().await;
            }
            clock.now().duration_since(start).unwrap().as_secs_f64()
        };
        assert!(spent(10).await < 0.01, "what was saved up is free");
        let usual = spent(20).await;
        assert!((1.9..2.2).contains(&usual), "{usual}");
        budget.throttled();
        let slow = spent(5).await;
        assert!((0.6..1.3).contains(&slow), "{slow}");
        clock.advance(Duration::from_secs(60));
        assert!(spent(10).await < 0.01, "a minute later all is forgotten");
    }
}
