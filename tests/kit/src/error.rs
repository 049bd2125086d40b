//! AWS's errors: a status, a code that programs act on, and a message that people read.

use std::borrow::Cow;
use std::fmt;

/// An error as AWS answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsError {
    /// HTTP status.
    pub status: u16,
    /// `Code`, e.g. `AccessDenied`.
    pub code: Cow<'static, str>,
    /// `Message`.
    pub message: String,
}

impl AwsError {
    /// Any error.
    pub fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        AwsError { status, code: code.into(), message: message.into() }
    }

    /// 403 `AccessDenied`.
    pub(crate) fn access_denied(message: impl Into<String>) -> Self {
        AwsError::new(403, "AccessDenied", message)
    }

    /// 400 `ValidationError`.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        AwsError::new(400, "ValidationError", message)
    }

    /// `User: ARN is not authorized to perform: ACTION on resource: ARN`.
    pub(crate) fn not_authorized(caller: &str, action: &str, resource: &str) -> Self {
        AwsError::access_denied(format!(
            "User: {caller} is not authorized to perform: {action} on resource: {resource}"
        ))
    }

    /// Who is at fault, in the word of the `Type` element.
    pub fn kind(&self) -> &'static str {
        if self.status >= 500 { "Receiver" } else { "Sender" }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}: {}", self.status, self.code, self.message)
    }
}

impl std::error::Error for AwsError {}
