//! What the tests of this crate share.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rolecall_core::http::{HttpClient, HttpError, HttpFailure, Request, Response};
use rolecall_core::{Context, Credentials, ProvideCredentials, Result, SharedProvider};
use zeroize::Zeroizing;

use crate::{QueryEndpoint, StsClient};

pub(crate) const SECRET: &str = "wJalrXUtnFEMI-secret";
pub(crate) const TOKEN: &str = "FQoGZXIvYXdzEPT-token";
/// The answer's secrets, in [`CREDENTIALS`].
pub(crate) const NEW_SECRET: &str = "new/secret+key";
pub(crate) const NEW_TOKEN: &str = "new-session-token==";
pub(crate) const CREDENTIALS: &str = "<Credentials><AccessKeyId>ASIANEWKEYEXAMPLE000</AccessKeyId>\
     <SecretAccessKey>new/secret+key</SecretAccessKey>\
     <SessionToken>new-session-token==</SessionToken>\
     <Expiration>2026-01-01T01:00:00Z</Expiration></Credentials>";
pub(crate) const USER: &str = "<AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:me</AssumedRoleId>\
     <Arn>arn:aws:sts::123456789012:assumed-role/R/me</Arn></AssumedRoleUser>";

/// 2026-01-01T00:00:00Z.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new("AKIDEXAMPLE", SECRET, "test keys").with_session_token(Some(TOKEN.into()))
}

#[derive(Debug)]
pub(crate) struct Fixed(pub(crate) Result<Credentials>);

#[async_trait]
impl ProvideCredentials for Fixed {
    async fn provide_credentials(&self) -> Result<Credentials> {
        self.0.clone()
    }
}

pub(crate) fn source() -> SharedProvider {
    Arc::new(Fixed(Ok(credentials())))
}

/// Answers in order, and keeps what it was sent.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    answers: Mutex<VecDeque<Response>>,
    pub(crate) requests: Mutex<Vec<Request>>,
}

#[async_trait]
impl HttpClient for Scripted {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        self.requests.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front();
        answer.ok_or_else(|| HttpError::new(HttpFailure::Unusable, "the script has ended"))
    }
}

impl Scripted {
    pub(crate) fn new(answers: impl IntoIterator<Item = Response>) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            requests: Mutex::default(),
        })
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|r| String::from_utf8(r.body().to_vec()).unwrap()).collect()
    }
}

pub(crate) fn context(http: Arc<dyn HttpClient>) -> Context {
    Context { http, ..Context::fake() }
}

pub(crate) fn endpoint() -> QueryEndpoint {
    QueryEndpoint {
        url: "https://sts.eu-west-1.amazonaws.com".to_owned(),
        signing_region: "eu-west-1".to_owned(),
        signing_name: "sts".to_owned(),
    }
}

/// A client with credentials, and what it will be answered.
pub(crate) fn client(answers: impl IntoIterator<Item = Response>) -> (StsClient, Arc<Scripted>) {
    let http = Scripted::new(answers);
    (StsClient::new(context(http.clone()), endpoint(), Some(source())), http)
}

pub(crate) fn answer(status: u16, body: &str) -> Response {
    let mut answer = Response::new(Zeroizing::new(body.as_bytes().to_vec()));
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
    answer
}

/// A success of STS.
pub(crate) fn success(action: &str, result: &str) -> Response {
    let body = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  \
         <{action}Result>\n    {result}\n  </{action}Result>\n  <ResponseMetadata>\n    \
         <RequestId>req-1</RequestId>\n  </ResponseMetadata>\n</{action}Response>\n"
    );
    answer(200, &body)
}

/// A refusal of STS; `code` and `message` are XML.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Response {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    \
         <Type>Sender</Type>\n    <Code>{code}</Code>\n    <Message>{message}</Message>\n  \
         </Error>\n  <RequestId>req-1</RequestId>\n</ErrorResponse>\n"
    );
    answer(status, &body)
}
