use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use rolecall_core::Clock;
use rolecall_core::http::{HttpClient, HttpError, Request, Response, date_of};

/// Carries calls, and notes what time AWS says it is.
#[derive(Debug)]
pub(crate) struct Dated {
    inner: Arc<dyn HttpClient>,
    clock: Clock,
    last: Mutex<Option<Reading>>,
}

/// Two clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// AWS's, by the `Date` of an answer.
    pub(crate) aws: SystemTime,
    /// This machine's, as it stands.
    pub(crate) machine: SystemTime,
}

impl Dated {
    pub(crate) fn new(inner: Arc<dyn HttpClient>, clock: Clock) -> Self {
        Self { inner, clock, last: Mutex::default() }
    }

    /// At the last answer that had a date.
    pub(crate) fn last(&self) -> Option<Reading> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HttpClient for Dated {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        let answer = self.inner.send(request).await?;
        if let Some(aws) = date_of(&answer) {
            let reading = Reading { aws, machine: self.clock.local_now() };
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
        }
        Ok(answer)
    }

    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<std::net::IpAddr>, HttpError> {
        self.inner.resolve(host, port).await
    }
}
