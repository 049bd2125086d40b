//! What AWS says when it says no: read strictly, shown safely.

mod help;
mod kind;

use std::fmt;

use rolecall_core::http::{Response, no_answer_to, no_error_of_aws, printable_request_id};
use rolecall_core::{CredentialsError, Secret, ServiceError};
use serde::Deserialize;

use crate::query::QueryApi;
use crate::xml::{self, Shape};

pub(crate) use kind::{is_clock_skew, is_retryable, is_retryable_status};

/// The call that failed, for messages and advice.
pub(crate) struct FailedCall<'a> {
    /// The service's name.
    pub service: &'static str,
    pub action: &'a str,
    /// Where the signing credentials came from.
    pub credentials: Option<&'a str>,
    /// What the request held that must not be seen.
    pub secrets: &'a [Secret],
}

impl FailedCall<'_> {
    fn name(&self) -> String {
        format!("{} {}", self.service, self.action)
    }

    /// The error for an answer of `api` whose status is not a success.
    pub(crate) fn explain(&self, api: &QueryApi, answer: &Response) -> CredentialsError {
        self.explain_wire(answer, read(api, answer.body()))
    }

    /// The error for an answer whose status is not a success, as its protocol reads it.
    pub(crate) fn explain_wire(&self, answer: &Response, wire: Option<Wire>) -> CredentialsError {
        let Some(wire) = wire else {
            return no_error_of_aws(self.name(), answer);
        };
        let message = redact(&wire.message, self.secrets);
        let service = ServiceError::new(answer, wire.code, &message, wire.request_id);
        let kind = kind::of(service.status, &service.code);
        let help = help::of(self, &service);
        service.into_error(kind, self.name(), help)
    }

    /// The error for a success that makes no sense.
    pub(crate) fn malformed(&self, answer: &Response, flaw: &dyn fmt::Display) -> CredentialsError {
        no_answer_to(self.action, self.name(), answer, &flaw.to_string())
    }
}

/// The code of an error, if `answer` is one of AWS's.
pub(crate) fn code(api: &QueryApi, answer: &Response) -> Option<String> {
    read(api, answer.body()).map(|wire| wire.code)
}

/// An error as it came.
pub(crate) struct Wire {
    pub(crate) code: String,
    message: String,
    request_id: Option<String>,
}

impl Wire {
    /// `None` if no service of AWS has such a code.
    pub(crate) fn new(code: &str, message: String, request_id: Option<String>) -> Option<Self> {
        if !ServiceError::is_code(code) {
            return None;
        }
        Some(Self { code: code.to_owned(), message, request_id })
    }
}

fn read(api: &QueryApi, body: &[u8]) -> Option<Wire> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Error {
        code: String,
        #[serde(default)]
        message: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Errors {
        error: Error,
    }

    let shape = |child| Shape {
        root: "ErrorResponse",
        namespace: api.namespace,
        namespace_optional: true,
        child,
    };
    let Error { code, message } = match xml::read(body, shape("Error")) {
        Ok(error) => error,
        // EC2 wraps its errors once more, and so does moto those of every service.
        Err(_) => xml::read::<Errors>(body, shape("Errors")).ok()?.error,
    };
    let id = xml::read_text(body, shape("RequestId")).and_then(|id| printable_request_id(&id));
    Wire::new(&code, message, id)
}

/// Takes out what the request held: AWS quotes values that it refuses, and for a wrong signature
/// the whole canonical request with its session token.
fn redact(message: &str, secrets: &[Secret]) -> String {
    const TELLING: usize = 8;
    let whole = secrets.iter().filter(|secret| !secret.expose().is_empty());
    let message = whole
        .fold(message.to_owned(), |message, secret| message.replace(secret.expose(), "[redacted]"));
    // A quotation may be cut off.
    let part = |word: &&str| {
        word.len() >= TELLING && secrets.iter().any(|secret| secret.expose().contains(*word))
    };
    let separator = |c: char| c.is_whitespace() || "'\":,;".contains(c);
    let quoted: Vec<String> =
        message.split(separator).filter(part).map(ToOwned::to_owned).collect();
    quoted.iter().fold(message, |message, word| message.replace(word, "[redacted]"))
}

#[cfg(test)]
mod tests {
    use rolecall_core::ErrorKind;
    use rolecall_core::http::ScriptedHttp;

    use super::*;
    use crate::query::STS;
    use crate::testing;

    fn failed<'a>(secrets: &'a [Secret]) -> FailedCall<'a> {
        FailedCall {
            service: "STS",
            action: "AssumeRole",
            credentials: Some("profile dev"),
            secrets,
        }
    }

    fn explain(answer: &Response) -> CredentialsError {
        failed(&[]).explain(&STS, answer)
    }

    #[test]
    fn code_message_and_request_id_are_shown_and_typed() {
        let error = explain(&testing::refusal(403, "AccessDenied", "User: x is not authorized"));
        assert_eq!(error.kind(), ErrorKind::Denied);
        let shown = error.to_string();
        assert!(
            shown.starts_with(
                "STS AssumeRole: AccessDenied: User: x is not authorized (request id req-1); "
            ),
            "{shown}"
        );
        let service = ServiceError::of(&error).unwrap();
        assert_eq!((service.status, service.code.as_str()), (403, "AccessDenied"));
        assert_eq!(service.request_id.as_deref(), Some("req-1"));
    }

    #[test]
    fn a_message_cannot_drive_a_terminal_nor_flood_it() {
        let evil = format!("a&#27;]0;owned&#7;\u{202e}b\nc{}", "d".repeat(5000));
        let error = explain(&testing::refusal(400, "ValidationError", &evil));
        let shown = error.to_string();
        assert!(!shown.contains(|c: char| c.is_control() || c == '\u{202e}'), "{shown:?}");
        assert!(shown.contains("a ]0;owned b cddd") && shown.chars().count() < 1200, "{shown}");
    }

    #[test]
    fn a_code_that_is_not_one_is_not_shown() {
        let error = explain(&testing::refusal(400, "Bad&#10;Code", "x"));
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(!error.to_string().contains("Bad"), "{error}");
    }

    #[test]
    fn a_message_that_quotes_the_request_loses_its_secrets() {
        let secrets = [Secret::from("123456"), Secret::from("FQoGZXIvYXdzEPT+token")];
        let message = "Value '123456' failed; should be 'POST\nx-amz-security-token:FQoGZXIvYXdzEPT+token\n' FQoGZXIvYX";
        let error = failed(&secrets)
            .explain(&STS, &testing::refusal(403, "SignatureDoesNotMatch", message));
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("123456") && !shown.contains("FQoGZX"), "{shown}");
        assert!(shown.contains("Value '[redacted]' failed"), "{shown}");
    }

    #[test]
    fn without_an_error_of_aws_only_status_type_and_length_are_told() {
        for (status, kind) in [
            (404, ErrorKind::Malformed),
            (302, ErrorKind::Malformed),
            (502, ErrorKind::Unavailable),
            (429, ErrorKind::Unavailable),
        ] {
            for body in [
                "",
                "<html>hunter2</html>",
                "{\"hunter2\": 1}",
                "<ErrorResponse><Error/></ErrorResponse>",
                "<!DOCTYPE x><ErrorResponse><Error><Code>hunter2</Code></Error></ErrorResponse>",
                "<ErrorResponse xmlns='urn:x'><Error><Code>hunter2</Code></Error></ErrorResponse>",
                "<ErrorResponse><Error><Code>hunter2</Code>",
                "<Response><Error><Code>hunter2</Code></Error></Response>",
            ] {
                let mut answer = ScriptedHttp::answer(status, body);
                let html = http::HeaderValue::from_static("text/html");
                answer.headers_mut().insert(http::header::CONTENT_TYPE, html);
                let error = explain(&answer);
                assert_eq!(error.kind(), kind, "{status} {body}");
                let shown = error.to_string();
                let said = format!("HTTP {status}, content type text/html, {} bytes", body.len());
                assert!(shown.contains(&said) && shown.contains("proxy"), "{shown}");
                assert!(!shown.contains("hunter2"), "{shown}");
            }
        }
    }

    #[test]
    fn an_error_within_errors_is_read() {
        let error = "<Error><Code>InvalidClientTokenId</Code><Message>m</Message></Error>";
        let body = format!("<ErrorResponse><Errors>{error}</Errors></ErrorResponse>");
        let error = explain(&ScriptedHttp::answer(403, &body));
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.message().starts_with("InvalidClientTokenId: m"), "{error}");
    }

    #[test]
    fn the_request_id_of_the_header_fills_in() {
        let body = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>";
        let mut answer = ScriptedHttp::answer(403, body);
        answer.headers_mut().insert("x-amzn-RequestId", "from-header".parse().unwrap());
        assert!(explain(&answer).message().ends_with("AccessDenied (request id from-header)"));
    }
}
