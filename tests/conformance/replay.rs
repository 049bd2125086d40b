//! AWS, played from a record: each request must be the recorded one.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use rolecall::core::http::{HttpClient, HttpError, HttpFailure, Request, Response};
use serde_json::Value;
use url::form_urlencoded;

use crate::{Outcome, tables};

/// The headers that matter. Others say who asks, or follow from the rest.
const HEADERS: [&str; 4] = [
    "content-type",
    "x-amz-sso_bearer_token",
    "x-aws-ec2-metadata-token",
    "x-aws-ec2-metadata-token-ttl-seconds",
];

/// A recorded request with its answer.
pub(crate) struct Exchange {
    pub(crate) request: Request,
    pub(crate) answer: Response,
}

impl Exchange {
    /// The exchanges of a http-traffic.json, in the order of their requests.
    pub(crate) fn read_all(record: &Value) -> Outcome<Vec<Self>> {
        let mut exchanges: Vec<(&Value, Self)> = Vec::new();
        for event in record["events"].as_array().ok_or("the record has no events")? {
            let (id, action) = (&event["connection_id"], &event["action"]);
            let open = exchanges.iter_mut().find(|(open, _)| *open == id).map(|(_, open)| open);
            match (kind(action), open) {
                ("Request", None) => {
                    let request = read_request(&action["Request"]["request"])?;
                    exchanges.push((id, Self { request, answer: Response::default() }));
                }
                ("Response", Some(exchange)) => {
                    read_answer(&action["Response"]["response"]["Ok"], &mut exchange.answer)?;
                }
                ("Data", Some(exchange)) => {
                    let data = action["Data"]["data"]["Utf8"].as_str().ok_or("data is no text")?;
                    let body = match action["Data"]["direction"].as_str() {
                        Some("Request") => exchange.request.body_mut(),
                        _ => exchange.answer.body_mut(),
                    };
                    body.extend_from_slice(data.as_bytes());
                }
                ("Eof", Some(_)) => {}
                _ => return Err(format!("the record has a new kind of event: {event}")),
            }
        }
        Ok(exchanges.into_iter().map(|(_, exchange)| exchange).collect())
    }

    /// The texts in the answer, whether it is JSON or XML.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        std::str::from_utf8(self.answer.body()).unwrap_or_default().split(['"', '<', '>'])
    }
}

fn kind(action: &Value) -> &str {
    let kinds = action.as_object().into_iter().flatten();
    kinds.map(|(kind, _)| kind.as_str()).next().unwrap_or_default()
}

fn read_request(recorded: &Value) -> Outcome<Request> {
    let mut request = http::Request::builder()
        .method(recorded["method"].as_str().ok_or("a request has no method")?)
        .uri(recorded["uri"].as_str().ok_or("a request has no URI")?);
    for (name, value) in headers(recorded) {
        request = request.header(name, value);
    }
    request.body(Vec::new().into()).map_err(|e| e.to_string())
}

fn read_answer(recorded: &Value, answer: &mut Response) -> Outcome {
    let status = recorded["status"].as_u64().ok_or("an answer has no status")?;
    let status = u16::try_from(status).map_err(|e| e.to_string())?;
    let mut head = http::Response::builder().status(status);
    for (name, value) in headers(recorded) {
        head = head.header(name, value);
    }
    *answer = head.body(std::mem::take(answer.body_mut())).map_err(|e| e.to_string())?;
    Ok(())
}

fn headers(recorded: &Value) -> impl Iterator<Item = (&str, &str)> {
    recorded["headers"].as_object().into_iter().flatten().flat_map(|(name, values)| {
        let values = values.as_array().into_iter().flatten().filter_map(Value::as_str);
        values.map(move |value| (name.as_str(), value))
    })
}

/// What a request says, piece by piece.
type Facts = BTreeMap<String, String>;

fn facts(request: &Request) -> Facts {
    let uri = request.uri();
    let scheme = uri.scheme_str().unwrap_or_default();
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let mut facts = Facts::new();
    facts.insert("method".to_owned(), request.method().to_string());
    facts.insert("URI".to_owned(), format!("{scheme}://{authority}{}", uri.path()));
    let mut add_all = |place: &str, form: &[u8]| {
        for (name, value) in form_urlencoded::parse(form) {
            // One that comes twice is not lost.
            let known = facts.entry(format!("{place} {name}")).or_default();
            *known += if known.is_empty() { "" } else { ", " };
            *known += &value;
        }
    };
    add_all("query", uri.query().unwrap_or_default().as_bytes());
    add_all("body", request.body());
    for name in HEADERS {
        if let Some(value) = request.headers().get(name).and_then(|value| value.to_str().ok()) {
            let value = if name == CONTENT_TYPE { before(value, ';') } else { value };
            facts.insert(format!("header {name}"), value.to_owned());
        }
    }
    let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(authorization) = authorization {
        match authorization.strip_prefix("AWS4-HMAC-SHA256 Credential=") {
            Some(scope) => facts.insert("signed by".to_owned(), before(scope, '/').to_owned()),
            None => facts.insert("header authorization".to_owned(), authorization.to_owned()),
        };
    }
    if request.headers().contains_key("x-amz-security-token") {
        facts.insert("session token".to_owned(), "there is one".to_owned());
    }
    facts
}

fn before(text: &str, end: char) -> &str {
    text.split(end).next().unwrap_or_default()
}

/// Answers the recorded requests, each once and in their order.
pub(crate) struct Replay {
    names_sessions: bool,
    left: Mutex<VecDeque<(Facts, Response)>>,
    faults: Mutex<Vec<String>>,
}

impl Replay {
    /// `names_sessions`: whether sessions must have the recorded names.
    pub(crate) fn new(case: &str, exchanges: &[Exchange], names_sessions: bool) -> Outcome<Self> {
        let mut left: VecDeque<_> =
            exchanges.iter().map(|e| (facts(&e.request), e.answer.clone())).collect();
        for (_, number, what, right) in tables::CORRECTIONS.iter().filter(|row| row.0 == case) {
            let (facts, _) = left.get_mut(*number).ok_or("CORRECTIONS has a request too many")?;
            if facts.insert((*what).to_owned(), (*right).to_owned()).as_deref() == Some(*right) {
                return Err(format!("{what} of request {number} is right: not in CORRECTIONS"));
            }
        }
        Ok(Self { names_sessions, left: Mutex::new(left), faults: Mutex::default() })
    }

    fn answer(&self, request: &Request) -> Outcome<Response> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sent = facts(request);
        let (mut expected, answer) =
            left.pop_front().ok_or_else(|| format!("an unexpected request: {sent:?}"))?;
        if !self.names_sessions {
            let name = "body RoleSessionName";
            let made_up = sent.get(name).is_some_and(|name| is_session_name(name));
            if made_up && expected.contains_key(name) {
                sent.remove(name);
                expected.remove(name);
            }
        }
        if sent == expected {
            return Ok(answer);
        }
        expected.retain(|name, value| match sent.get(name) {
            Some(sent_value) if sent_value == value => sent.remove(name).is_none(),
            _ => true,
        });
        Err(format!("a request that differs: expected {expected:?}, sent {sent:?}"))
    }

    /// Whether everything went as recorded, to the end.
    pub(crate) fn finish(&self) -> Outcome {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        faults.extend(left.iter().map(|(facts, _)| format!("a request is missing: {facts:?}")));
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
    }
}

/// Source: STS API Reference, AssumeRole, RoleSessionName.
fn is_session_name(name: &str) -> bool {
    let is_of = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    (2..=64).contains(&name.len()) && name.chars().all(is_of)
}

#[async_trait]
impl HttpClient for Replay {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        self.answer(&request).map_err(|fault| {
            self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
            HttpError::new(HttpFailure::Unusable, "this is not as recorded")
        })
    }
}

// It holds secrets, and it is part of what is searched for them.
impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Replay")
    }
}
