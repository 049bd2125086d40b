//! What the tests of this crate share.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::http::{HttpClient, HttpError, HttpFailure, Request, Response};
use crate::{Clock, Context, Env, Fs, Process, Prompt, Random};

/// 2026-01-01T00:00:00Z.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

#[derive(Debug)]
struct NoNetwork;

#[async_trait]
impl HttpClient for NoNetwork {
    async fn send(&self, _: Request) -> Result<Response, HttpError> {
        Err(HttpError::new(HttpFailure::Connect, "there is no network in this test"))
    }
}

/// A machine with nothing on it.
pub(crate) fn context() -> Context {
    Context {
        env: Env::from_pairs::<&str, &str>([]),
        fs: Fs::rooted("/nonexistent"),
        process: Process::fake(|_| Err(std::io::ErrorKind::NotFound.into())),
        clock: Clock::manual(now()),
        random: Random::seeded(1),
        prompt: Prompt::none(),
        http: Arc::new(NoNetwork),
        retry_quota: crate::http::RetryQuota::default(),
    }
}
