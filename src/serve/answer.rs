//! What is answered, secrets and errors among it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use rolecall_core::{Credentials, CredentialsError, ErrorKind, timestamp};
use serde_json::json;
use zeroize::Zeroizing;

use crate::export::push_json_string;

pub(super) type Answer = Response<Full<Bytes>>;

/// A text.
pub(super) fn text(body: impl Into<Bytes>) -> Answer {
    answer(StatusCode::OK, "text/plain", body.into())
}

/// Prometheus's text format.
#[cfg(feature = "leases")]
pub(super) fn metrics(text: String) -> Answer {
    answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text.into())
}

/// A JSON document without secrets.
pub(super) fn json(document: &serde_json::Value) -> Answer {
    answer(StatusCode::OK, "application/json", document.to_string().into())
}

/// Fields of credentials, in their order. The buffer is zeroed when it has been sent.
pub(super) fn secrets(fields: &[(&str, &str)]) -> Answer {
    // Room for quoting, so that the text does not grow and leave unzeroed copies behind.
    let room = fields.iter().map(|(name, value)| 16 + name.len() + 6 * value.len()).sum();
    let mut body = Zeroizing::new(String::with_capacity(room));
    for (number, (name, value)) in fields.iter().enumerate() {
        body.push(if number == 0 { '{' } else { ',' });
        push_json_string(&mut body, name);
        body.push(':');
        push_json_string(&mut body, value);
    }
    body.push('}');
    answer(StatusCode::OK, "application/json", Bytes::from_owner(body))
}

/// How long clients are to go on with keys that do not end.
const KEYS: Duration = Duration::from_secs(60 * 60);
/// How long with a session whose end is not known. Most SDKs come back when 5 to 15 minutes are
/// left: until then they do not see what another program has written in its place.
const SESSION: Duration = Duration::from_secs(20 * 60);

/// The fields that both endpoints give. SDKs want all four: keys that have no token are given an
/// empty one, and what has no end one that is not far.
pub(super) fn fields(credentials: &Credentials, now: SystemTime) -> Fields<'_> {
    let lasts = credentials.session_token().map_or(KEYS, |_| SESSION);
    let end = credentials.expires_at().unwrap_or(now + lasts);
    Fields { credentials, expiration: timestamp::format(end) }
}

pub(super) struct Fields<'a> {
    credentials: &'a Credentials,
    expiration: String,
}

impl Fields<'_> {
    pub(super) fn list(&self) -> Vec<(&'static str, &str)> {
        let credentials = self.credentials;
        let token = credentials.session_token().map_or("", |token| token.expose());
        let mut fields = vec![
            ("AccessKeyId", credentials.access_key_id()),
            ("SecretAccessKey", credentials.secret_access_key().expose()),
            ("Token", token),
            ("Expiration", self.expiration.as_str()),
        ];
        fields.extend(credentials.account_id().map(|account| ("AccountId", account)));
        fields
    }
}

/// Why there are no credentials. Clients take any status but 200 for a failure.
pub(super) fn failure(error: &CredentialsError) -> Answer {
    let status = match error.kind() {
        ErrorKind::Denied | ErrorKind::Unavailable | ErrorKind::Malformed => {
            StatusCode::BAD_GATEWAY
        }
        ErrorKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    explained(status, error.kind().name(), &error.to_string())
}

/// A request that is not served.
pub(super) fn refused(status: StatusCode, message: &str) -> Answer {
    let code: String = status.canonical_reason().unwrap_or("Refused").split(' ').collect();
    explained(status, &code, message)
}

/// A path that is served to `GET` or `PUT` and to nothing else.
pub(super) fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer = refused(StatusCode::METHOD_NOT_ALLOWED, "the method is not for this path");
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn explained(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = json!({"Code": code, "Message": message}).to_string();
    answer(status, "application/json", body.into())
}

fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
