use std::io;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Clock, Context, Env, Fs, Process, Prompt, Random};
use crate::http::{HttpClient, HttpError, HttpFailure, Request, Response, RetryQuota};

impl Context {
    /// A machine for tests, with nothing on it: no variables, no files, no programs, nobody to ask
    /// and no network. Its clock stands still at [`Clock::fake_now`] and chance is always the same.
    /// A test says what else there is, [`ScriptedHttp`](crate::http::ScriptedHttp) among it:
    ///
    /// ```
    /// # use rolecall_core::{Context, Env};
    /// let context = Context { env: Env::from_pairs([("HOME", "/home")]), ..Context::fake() };
    /// # assert_eq!(context.env.get("HOME").as_deref(), Some("/home"));
    /// ```
    pub fn fake() -> Self {
        Self {
            env: Env::from_pairs::<&str, &str>([]),
            fs: Fs::rooted("/nonexistent"),
            process: Process::fake(|_| Err(io::ErrorKind::NotFound.into())),
            clock: Clock::manual(Clock::fake_now()),
            random: Random::seeded(1),
            prompt: Prompt::none(),
            http: Arc::new(NoNetwork),
            retry_quota: RetryQuota::default(),
        }
    }
}

#[derive(Debug)]
struct NoNetwork;

#[async_trait]
impl HttpClient for NoNetwork {
    async fn send(&self, _: Request) -> Result<Response, HttpError> {
        Err(HttpError::new(HttpFailure::Connect, "this machine is a fake, without a network"))
    }
}
