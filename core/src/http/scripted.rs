use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use http::StatusCode;
use zeroize::Zeroizing;

use super::{HttpClient, HttpError, HttpFailure, Request, Response};

/// HTTP for tests, to put into a [`Context::fake`](crate::Context::fake): answers in order, keeps
/// what it was sent, and knows no names but those it was told.
#[derive(Debug, Default)]
pub struct ScriptedHttp {
    script: Mutex<VecDeque<Result<Response, HttpError>>>,
    requests: Mutex<Vec<Request>>,
    names: Mutex<Vec<(String, Vec<IpAddr>)>>,
}

impl ScriptedHttp {
    /// Gives `answers`, one a request; past them every request fails.
    pub fn new(answers: impl IntoIterator<Item = Response>) -> Arc<Self> {
        let client = Self::default();
        client.then(answers.into_iter().map(Ok));
        Arc::new(client)
    }

    /// An answer.
    pub fn answer(status: u16, body: &str) -> Response {
        let mut answer = Response::new(Zeroizing::new(body.as_bytes().to_vec()));
        *answer.status_mut() = StatusCode::from_u16(status).expect("a status has three digits");
        answer
    }

    /// Adds to the end of the script.
    pub fn then(&self, outcomes: impl IntoIterator<Item = Result<Response, HttpError>>) {
        lock(&self.script).extend(outcomes);
    }

    /// Lets `name` stand for `addresses`.
    pub fn knows(&self, name: &str, addresses: Vec<IpAddr>) {
        lock(&self.names).push((name.to_owned(), addresses));
    }

    /// What it was sent since this was last asked.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut lock(&self.requests))
    }

    /// The bodies of the same, where they are text.
    pub fn take_bodies(&self) -> Vec<String> {
        let text = |request: Request| String::from_utf8_lossy(request.body()).into_owned();
        self.take_requests().into_iter().map(text).collect()
    }

    /// Whether all of the script was used.
    pub fn has_ended(&self) -> bool {
        lock(&self.script).is_empty()
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl HttpClient for ScriptedHttp {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        lock(&self.requests).push(request);
        let ended = || Err(HttpError::new(HttpFailure::Unusable, "the script has ended"));
        lock(&self.script).pop_front().unwrap_or_else(ended)
    }

    async fn resolve(&self, host: &str, _: u16) -> Result<Vec<IpAddr>, HttpError> {
        let names = lock(&self.names);
        let found = names.iter().find(|(name, _)| name == host);
        let unknown = || HttpError::new(HttpFailure::Connect, "no such name");
        found.map(|(_, addresses)| addresses.clone()).ok_or_else(unknown)
    }
}
