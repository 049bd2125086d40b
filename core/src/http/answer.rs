//! What an answer tells beside its body.

use std::borrow::Cow;
use std::time::SystemTime;

use http::StatusCode;

use super::Response;
use crate::{CredentialsError, ErrorKind, printable};

const LONGEST_REQUEST_ID: usize = 128;

/// What time the other side says it is: the `Date` of its answer.
pub fn date_of(answer: &Response) -> Option<SystemTime> {
    let date = answer.headers().get(http::header::DATE)?.to_str().ok()?;
    httpdate::parse_http_date(date).ok()
}

/// The id by which AWS's support finds the request, from the answer's header.
pub fn request_id(answer: &Response) -> Option<String> {
    let value = answer.headers().get("x-amzn-requestid")?.to_str().ok()?;
    printable_request_id(value)
}

/// A request id as it may be shown; `None` for an empty one.
pub fn printable_request_id(id: &str) -> Option<String> {
    Some(printable(id, LONGEST_REQUEST_ID)).filter(|id| !id.is_empty())
}

/// The error of `call` for a failure that is none of AWS's.
pub fn no_error_of_aws(call: impl Into<Cow<'static, str>>, answer: &Response) -> CredentialsError {
    let status = answer.status();
    let passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    let kind = if passing { ErrorKind::Unavailable } else { ErrorKind::Malformed };
    stranger(kind, call, format!("{}, is no error of AWS's", describe(answer)))
}

/// The error of `call` for a success that makes no sense, as it is no answer to `action`.
pub fn no_answer_to(
    action: &str,
    call: impl Into<Cow<'static, str>>,
    answer: &Response,
    flaw: &str,
) -> CredentialsError {
    let text = format!("{}, is no answer to {action}: {flaw}", describe(answer));
    stranger(ErrorKind::Malformed, call, text)
}

fn stranger(kind: ErrorKind, call: impl Into<Cow<'static, str>>, text: String) -> CredentialsError {
    CredentialsError::new(kind, call, text)
        .with_help("a proxy or a wrong endpoint URL may have answered")
}

/// Status, type and size of an answer: its text may hold anything, also secrets.
fn describe(answer: &Response) -> String {
    let kind = answer.headers().get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = match kind.map(|kind| printable(kind, 80)) {
        Some(kind) if !kind.is_empty() => format!("content type {kind}"),
        _ => "no content type".to_owned(),
    };
    format!("HTTP {}, {kind}, {} bytes", answer.status().as_u16(), answer.body().len())
}
