//! What tokens answer, as errors.

use cryptoki::error::{Error, RvError};
use rolecall_core::{CredentialsError, ErrorKind};

use super::PROVIDER;

/// An error of `kind`.
pub(super) fn fail(kind: ErrorKind, message: impl Into<String>) -> CredentialsError {
    CredentialsError::new(kind, PROVIDER, message)
}

pub(super) fn invalid(message: impl Into<String>) -> CredentialsError {
    fail(ErrorKind::InvalidConfiguration, message)
}

/// What a call to `place` (a token, a module) failed with while it was to do `what`.
pub(super) fn token_failed(what: &str, place: &str, error: Error) -> CredentialsError {
    let code = code(&error);
    let (kind, reason) = match code {
        Some(
            RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::SlotIdInvalid
            | RvError::SessionHandleInvalid
            | RvError::SessionClosed,
        ) => (ErrorKind::Unavailable, "the token was removed".to_owned()),
        Some(RvError::TokenNotRecognized) => {
            (ErrorKind::InvalidConfiguration, "the token is of an unknown kind".to_owned())
        }
        Some(RvError::UserNotLoggedIn) => {
            (ErrorKind::Denied, "the token asks for a login".to_owned())
        }
        Some(RvError::KeyFunctionNotPermitted) => {
            (ErrorKind::Denied, "the key may not be used to sign (CKA_SIGN is false)".to_owned())
        }
        Some(RvError::FunctionCanceled | RvError::Cancel | RvError::FunctionRejected) => {
            (ErrorKind::Denied, "it was cancelled at the token".to_owned())
        }
        Some(RvError::SessionCount) => {
            (ErrorKind::Unavailable, "the token has no session left for another program".to_owned())
        }
        _ => (ErrorKind::Unavailable, error.to_string()),
    };
    fail(kind, format!("{place}: cannot {what}: {reason}")).with_source(error)
}

/// The token's own code, if it was the token that failed.
pub(super) fn code(error: &Error) -> Option<&RvError> {
    match error {
        Error::Pkcs11(code, _) => Some(code),
        _ => None,
    }
}

/// Whether the session may work again when it is opened anew: the token was taken out and put back,
/// another program logged it out, or this process was forked.
pub(super) fn is_gone(error: &Error) -> bool {
    matches!(
        code(error),
        Some(
            RvError::SessionHandleInvalid
                | RvError::SessionClosed
                | RvError::UserNotLoggedIn
                | RvError::DeviceRemoved
                | RvError::DeviceError
                | RvError::TokenNotPresent
                | RvError::SlotIdInvalid
                | RvError::CryptokiNotInitialized
                | RvError::KeyHandleInvalid
                | RvError::ObjectHandleInvalid
                | RvError::OperationActive
        )
    )
}
