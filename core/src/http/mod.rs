//! HTTP as AWS's protocols need it: bounded in time and size, retried, never redirected.

mod answer;
mod any_name;
mod client;
mod options;
mod retry;
mod scripted;

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use zeroize::Zeroizing;

pub use answer::{date_of, no_answer_to, no_error_of_aws, printable_request_id, request_id};
pub use any_name::AnyName;
pub use client::{WebClient, WebSettings};
pub use options::{Direct, Pinned, TimeLimit};
pub use retry::{Exchange, RetryPolicy, RetryQuota, Verdict, send};
pub use scripted::ScriptedHttp;

/// A request; its body is zeroed on drop, as tokens travel in bodies.
pub type Request = http::Request<Zeroizing<Vec<u8>>>;

/// An answer; its body is zeroed on drop, as credentials travel in bodies.
pub type Response = http::Response<Zeroizing<Vec<u8>>>;

/// The largest answer that is read, in bytes. Those of STS are a few thousand.
pub const ANSWER_LIMIT: usize = 1024 * 1024;

/// Sends one request and reads its answer. The only trait among the seams: the real one holds TLS
/// and sockets, those of tests replay.
#[async_trait]
pub trait HttpClient: fmt::Debug + Send + Sync {
    /// Sends `request` once: no retry, no redirect, answers up to [`ANSWER_LIMIT`]. Honours
    /// [`Direct`], [`TimeLimit`] and [`Pinned`] among the request's extensions.
    ///
    /// # Errors
    /// If there is no whole answer. A status of 4xx or 5xx is an answer.
    async fn send(&self, request: Request) -> Result<Response, HttpError>;

    /// The addresses of `host`, a name or an address itself. How long that may take is for the
    /// caller to bound.
    ///
    /// # Errors
    /// `Connect` if there is no such name.
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<IpAddr>, HttpError> {
        let found = tokio::net::lookup_host((host, port)).await;
        let found = found.map_err(|e| HttpError::new(HttpFailure::Connect, e.to_string()))?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpFailure {
    /// No connection: refused, no route, no such name.
    Connect,
    /// Connected, but the peer's certificate is not to be trusted.
    Tls,
    /// No answer in time.
    TimedOut,
    /// The connection broke before the answer was whole.
    Interrupted,
    /// The answer is larger than [`ANSWER_LIMIT`].
    TooLarge,
    /// The request or the settings (proxy, CA file) cannot be used.
    Unusable,
}

/// An error of the transport. It never holds the URL's query, a header or a body.
#[derive(Clone, Debug)]
pub struct HttpError {
    /// What kind of failure.
    pub failure: HttpFailure,
    /// Details, for people.
    pub message: String,
}

impl HttpError {
    /// An error with its details.
    pub fn new(failure: HttpFailure, message: impl Into<String>) -> Self {
        Self { failure, message: message.into() }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for HttpError {}
