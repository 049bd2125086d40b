use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use rolecall_core::http::{HttpClient, HttpError, Request, Response};

use super::Budget;

/// Carries the attempts of one call and tells the account's budget of them: of each repetition, and
/// of each that IAM has throttled.
#[derive(Debug)]
pub(super) struct Attempts {
    inner: Arc<dyn HttpClient>,
    budget: Arc<Budget>,
    is_repeated: AtomicBool,
}

impl Attempts {
    /// Of a call that has waited for its turn.
    pub(super) fn of_one_call(inner: Arc<dyn HttpClient>, budget: Arc<Budget>) -> Self {
        Self { inner, budget, is_repeated: AtomicBool::new(false) }
    }
}

#[async_trait]
impl HttpClient for Attempts {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        if self.is_repeated.swap(true, Ordering::Relaxed) {
            self.budget.repeated();
        }
        let answer = self.inner.send(request).await?;
        if !answer.status().is_success() && is_throttled(answer.body()) {
            self.budget.throttled();
        }
        Ok(answer)
    }

    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<std::net::IpAddr>, HttpError> {
        self.inner.resolve(host, port).await
    }
}

/// `Throttling` or `ThrottlingException`. Source: IAM API Reference, "Common errors".
fn is_throttled(body: &[u8]) -> bool {
    const CODE: &[u8] = b"<Code>Throttling";
    body.windows(CODE.len()).any(|part| part == CODE)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use rolecall_core::Clock;
    use rolecall_core::http::ScriptedHttp;

    use super::*;

    #[tokio::test]
    async fn a_throttled_attempt_counts_though_the_next_succeeds() {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH);
        let budget = Arc::new(Budget::new(clock.clone(), 20));
        let slow = "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>";
        let answers = [(400, slow), (400, slow), (200, "<Code>Throttling")];
        let http =
            ScriptedHttp::new(answers.map(|(status, body)| ScriptedHttp::answer(status, body)));
        let call = Attempts::of_one_call(http, budget.clone());
        assert!(budget.turn(Duration::ZERO).await);
        for (attempt, room) in [(1, 30), (2, 15), (3, 15)] {
            call.send(Request::default()).await.unwrap();
            assert_eq!(budget.room(), room, "attempt {attempt}");
        }
        // Five calls a second are left, and this is the third on credit.
        assert!(!budget.turn(Duration::from_millis(500)).await);
        assert!(budget.turn(Duration::from_millis(700)).await);
    }
}
