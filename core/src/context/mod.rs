//! The only doors to the outside: every crate reads the machine through a [`Context`].
//!
//! Each seam is a concrete struct over the real thing or a fake one, so that tests need neither
//! generics nor mocks. `clippy.toml` bans the calls behind them everywhere else.

#![expect(clippy::disallowed_methods, reason = "these are the doors")]

#[cfg(all(unix, feature = "children"))]
mod child;
mod clock;
mod env;
mod facts;
mod fake;
mod fs;
#[cfg(unix)]
mod hearing;
mod lock;
mod process;
mod prompt;
mod random;
#[cfg(all(unix, feature = "children"))]
mod signals;

use std::sync::Arc;

#[cfg(all(unix, feature = "children"))]
pub use child::Child;
pub use clock::Clock;
pub use env::Env;
pub use facts::{FileFacts, PathKind};
pub use fs::{Fs, Replacement};
pub use lock::{FileLock, Waited};
pub use process::{Process, ProcessOutput};
pub use prompt::{Echo, Interrupted, Prompt};
pub use random::Random;
#[cfg(all(unix, feature = "children"))]
pub use signals::{Signal, Signals};

use crate::http::{HttpClient, RetryQuota, WebClient, WebSettings};

/// Environment, files, processes, time, chance, the person at the terminal, and HTTP.
///
/// Cheap to clone; clones share the clock's skew and the HTTP client.
#[derive(Clone, Debug)]
pub struct Context {
    /// Environment variables.
    pub env: Env,
    /// Files.
    pub fs: Fs,
    /// Other programs.
    pub process: Process,
    /// Time and timers.
    pub clock: Clock,
    /// Jitter and temporary names.
    pub random: Random,
    /// Questions to a person: MFA codes, settings.
    pub prompt: Prompt,
    /// HTTP.
    pub http: Arc<dyn HttpClient>,
    /// How many retries its calls have left together.
    pub retry_quota: RetryQuota,
}

impl Context {
    /// The machine as it is. Opens nothing: the HTTP client is built at its first request.
    pub fn real() -> Self {
        let env = Env::real();
        let fs = Fs::real();
        let http = Arc::new(WebClient::new(WebSettings::from_env(&env), fs.clone()));
        Self {
            env,
            fs,
            process: Process::real(),
            clock: Clock::real(),
            random: Random::real(),
            prompt: Prompt::terminal(),
            http,
            retry_quota: RetryQuota::default(),
        }
    }
}
