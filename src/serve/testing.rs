//! What the tests of this module share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::Request;
use http_body_util::BodyExt;
use rolecall_core::endpoint::Region;
use rolecall_core::{
    Context, Credentials, CredentialsError, ErrorKind, ProvideCredentials, Result,
};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::connection::Answers;
use super::router::Router;
use super::{ServeOptions, ServedProfile};

pub(super) const ROLE: &str = "arn:aws:iam::123456789012:role/team/Deploy";
pub(super) const SECRET: &str = "s3cret/+key\"with\\quotes";
pub(super) const TOKEN: &str = "session/token";
pub(super) const AUTHORIZATION: &str = "let-me-in";
pub(super) const PORT: u16 = 9911;

/// 2026-01-01T00:00:00Z.
pub(super) fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

pub(super) fn context() -> Context {
    Context::fake()
}

/// Answers from a script, each answer released by the test.
#[derive(Debug)]
pub(super) struct Scripted {
    script: Mutex<VecDeque<Result<Credentials>>>,
    pub(super) calls: AtomicUsize,
    pub(super) gate: Semaphore,
}

impl Scripted {
    pub(super) fn new(script: Vec<Result<Credentials>>, released: usize) -> Arc<Self> {
        let (script, calls) = (Mutex::new(script.into()), AtomicUsize::new(0));
        Arc::new(Self { script, calls, gate: Semaphore::new(released) })
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl ProvideCredentials for Scripted {
    async fn provide_credentials(&self) -> Result<Credentials> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        self.script.lock().unwrap().pop_front().unwrap()
    }
}

pub(super) fn session(id: &str, seconds: u64) -> Result<Credentials> {
    Ok(Credentials::new(id, SECRET, "test")
        .with_session_token(Some(TOKEN.into()))
        .with_account_id(Some("123456789012".to_owned()))
        .with_expires_at(Some(start() + Duration::from_secs(seconds))))
}

pub(super) fn failed(kind: ErrorKind) -> Result<Credentials> {
    Err(CredentialsError::new(kind, "test", "it said no").with_help("ask another"))
}

pub(super) fn profile(context: &Context, name: &str, provider: Arc<Scripted>) -> ServedProfile {
    let region = Region::parse("eu-west-1", "test").ok();
    ServedProfile::from_provider(context, name, Some(ROLE.to_owned()), region, provider)
}

/// Profile `deploy` of [`ROLE`], `plain` without one, and `broken`.
pub(super) fn profiles(context: &Context) -> Vec<ServedProfile> {
    let plain = Credentials::new("AKIAPLAIN", SECRET, "test");
    let plain = Scripted::new(vec![Ok(plain)], 1);
    let plain = ServedProfile::from_provider(context, "plain one", None, None, plain);
    let deploy = Scripted::new(vec![session("ASIADEPLOY", 3600)], 1);
    let broken = Scripted::new(vec![failed(ErrorKind::Denied)], 1);
    let broken = ServedProfile::from_provider(context, "broken", None, None, broken);
    vec![profile(context, "deploy", deploy), plain, broken]
}

pub(super) fn router(context: &Context) -> Router {
    let authorization = Some(AUTHORIZATION.into());
    let options = ServeOptions { authorization, ..ServeOptions::default() };
    Router::new(context, profiles(context), &options, PORT).unwrap()
}

/// An answer: status, headers, text.
pub(super) struct Seen {
    pub(super) status: u16,
    pub(super) headers: http::HeaderMap,
    pub(super) text: String,
}

impl Seen {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

/// Sends `METHOD PATH` with headers.
pub(super) async fn ask(router: &Router, line: &str, headers: &[(&str, &str)]) -> Seen {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost:9911");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = router.answer(&request.body(()).unwrap().into_parts().0).await;
    let (head, body) = answer.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Seen { status: head.status.as_u16(), headers: head.headers, text }
}
