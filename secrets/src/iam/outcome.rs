use std::fmt;

use rolecall_core::http::{HttpError, HttpFailure};
use rolecall_core::{CredentialsError, ErrorKind};
use rolecall_sts::ServiceError;

/// What a failed call says of what was to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certainty {
    /// It certainly was not done.
    Refused,
    /// It may have been done, or may yet be.
    Unknown,
}

/// Whether a call that must not be repeated and failed with `error` was certainly not carried out.
pub(crate) fn certainty(error: &CredentialsError) -> Certainty {
    if let Some(answer) = ServiceError::of(error) {
        let is_refusal = (400..500).contains(&answer.status);
        return if is_refusal { Certainty::Refused } else { Certainty::Unknown };
    }
    if has_source::<NotSent>(error) {
        return Certainty::Refused;
    }
    match (failure(error), error.kind()) {
        (Some(HttpFailure::Connect | HttpFailure::Tls | HttpFailure::Unusable), _) => {
            Certainty::Refused
        }
        (Some(_), _) => Certainty::Unknown,
        // Nothing was sent: there were no credentials to sign with, or the input is wrong.
        (None, ErrorKind::NotConfigured | ErrorKind::InvalidConfiguration | ErrorKind::Denied) => {
            Certainty::Refused
        }
        (None, _) => Certainty::Unknown,
    }
}

/// Whether IAM answered with this code.
pub(crate) fn has_code(error: &CredentialsError, code: &str) -> bool {
    ServiceError::of(error).is_some_and(|answer| answer.code == code)
}

/// Nothing was sent, as there was no time left for it: the source of an error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotSent;

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was sent")
    }
}

impl std::error::Error for NotSent {}

fn failure(error: &CredentialsError) -> Option<HttpFailure> {
    source::<HttpError>(error).map(|error| error.failure)
}

/// Whether an error of that type is underneath `error`.
pub(crate) fn has_source<T: std::error::Error + 'static>(error: &CredentialsError) -> bool {
    source::<T>(error).is_some()
}

fn source<T: std::error::Error + 'static>(error: &CredentialsError) -> Option<&T> {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |&error| error.source()).find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> CredentialsError {
        let answer = ServiceError {
            status,
            code: "Some".to_owned(),
            message: String::new(),
            request_id: None,
        };
        CredentialsError::new(ErrorKind::Unavailable, "IAM CreateUser", "m").with_source(answer)
    }

    fn broken(failure: HttpFailure) -> CredentialsError {
        CredentialsError::new(ErrorKind::Unavailable, "IAM CreateUser", "m")
            .with_source(HttpError::new(failure, "m"))
    }

    #[test]
    fn only_a_refusal_or_a_call_that_never_left_is_certain() {
        for status in [400, 403, 404, 409, 429] {
            assert_eq!(certainty(&answered(status)), Certainty::Refused, "{status}");
        }
        for status in [200, 302, 500, 502, 503] {
            assert_eq!(certainty(&answered(status)), Certainty::Unknown, "{status}");
        }
        assert_eq!(certainty(&broken(HttpFailure::Connect)), Certainty::Refused);
        for failure in [HttpFailure::TimedOut, HttpFailure::Interrupted, HttpFailure::TooLarge] {
            assert_eq!(certainty(&broken(failure)), Certainty::Unknown, "{failure:?}");
        }
        let bare = |kind| certainty(&CredentialsError::new(kind, "p", "m"));
        assert_eq!(bare(ErrorKind::NotConfigured), Certainty::Refused);
        assert_eq!(bare(ErrorKind::Malformed), Certainty::Unknown);
        assert_eq!(bare(ErrorKind::TimedOut), Certainty::Unknown);
    }
}
