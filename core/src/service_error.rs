use std::borrow::Cow;
use std::fmt;

use crate::http::{Response, request_id};
use crate::{CredentialsError, ErrorKind, printable};

const LONGEST_CODE: usize = 128;
const LONGEST_MESSAGE: usize = 500;

/// An error that an AWS service answered with: the source of a [`CredentialsError`], for those who
/// must act on its code.
///
/// All texts are printable, limited in length and without the secrets that the request held.
///
/// Source: AWS STS API Reference, "Common Error Types".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceError {
    /// The HTTP status.
    pub status: u16,
    /// The code: `AccessDenied`.
    pub code: String,
    /// AWS's explanation; may be empty.
    pub message: String,
    /// The id by which AWS's support finds the request.
    pub request_id: Option<String>,
}

impl ServiceError {
    /// The error in `answer`, whose body says `code`, `message` and perhaps the request's id; else
    /// that is in a header.
    pub fn new(answer: &Response, code: String, message: &str, id: Option<String>) -> Self {
        Self {
            status: answer.status().as_u16(),
            code,
            message: printable(message, LONGEST_MESSAGE),
            request_id: id.or_else(|| request_id(answer)),
        }
    }

    /// The service's error underneath `error`, if it came from a service.
    pub fn of(error: &CredentialsError) -> Option<&Self> {
        let first = std::error::Error::source(error);
        std::iter::successors(first, |&error| error.source()).find_map(|e| e.downcast_ref())
    }

    /// Whether a service of AWS may have such a code.
    pub fn is_code(text: &str) -> bool {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
        !text.is_empty() && text.len() <= LONGEST_CODE && text.chars().all(fits)
    }

    /// The code in `namespace#Code:http://…`. Source: Smithy, "AWS restJson1 protocol", "Operation
    /// error serialization".
    pub fn rest_code(text: &str) -> &str {
        let code = text.split(':').next().unwrap_or_default();
        code.rsplit('#').next().unwrap_or_default()
    }

    /// The error of `call` that has this one underneath.
    pub fn into_error(
        self,
        kind: ErrorKind,
        call: impl Into<Cow<'static, str>>,
        help: Option<String>,
    ) -> CredentialsError {
        let mut text = self.code.clone();
        if !self.message.is_empty() {
            text = format!("{text}: {}", self.message);
        }
        if let Some(id) = &self.request_id {
            text = format!("{text} (request id {id})");
        }
        let error = CredentialsError::new(kind, call, text);
        let error = match help {
            Some(help) => error.with_help(help),
            None => error,
        };
        error.with_source(self)
    }
}

// The error above it has the message; this line is what it leaves out.
impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the service answered with HTTP status {} and code {}", self.status, self.code)
    }
}

impl std::error::Error for ServiceError {}
