//! Errors as objects.

use std::ffi::{CString, c_char};

use rolecall::{CredentialsError, ErrorKind};

use crate::boundary::{Place, c_text, free, guard, text, text_of, text_or_null, value_of};
use crate::status::{self, ROLECALL_INVALID_ARGUMENT, rolecall_status};

/// Why something failed: which part of rolecall, what happened, where it is configured, what to do
/// next. There is no secret in it. Free it with `rolecall_error_free`.
pub struct rolecall_error {
    pub(crate) status: rolecall_status,
    provider: CString,
    message: CString,
    place: Option<CString>,
    help: Option<CString>,
    text: CString,
}

impl rolecall_error {
    pub(crate) fn new(status: rolecall_status, error: &CredentialsError) -> Self {
        Self {
            status,
            provider: c_text(error.provider()),
            message: c_text(error.message()),
            place: error.place().map(c_text),
            help: error.help().map(c_text),
            text: c_text(&error.to_string()),
        }
    }

    /// What a callback says went wrong, in the library's own terms. Its code says the kind: that of
    /// the error may be another's, which the callback passes on.
    pub(crate) fn to_error(&self, kind: ErrorKind) -> CredentialsError {
        let shown = |text: &CString| text.to_string_lossy().into_owned();
        let mut error = CredentialsError::new(kind, shown(&self.provider), shown(&self.message));
        if let Some(place) = &self.place {
            error = error.with_place(shown(place));
        }
        if let Some(help) = &self.help {
            error = error.with_help(shown(help));
        }
        error
    }
}

/// Makes an error, for a callback of yours to give: `status` says its kind, `provider` is the short
/// name of what failed. `help` says what to do about it, one sentence without a full stop; `help`
/// may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_error_new(
    status: rolecall_status,
    provider: *const c_char,
    message: *const c_char,
    help: *const c_char,
    made: *mut *mut rolecall_error,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let made = Place::at(made, "made")?;
        let (provider, message) = (text(provider, "provider")?, text(message, "message")?);
        let help = text_or_null(help, "help")?;
        let kind = status::kind_of(status);
        let mut new = CredentialsError::new(kind, provider.to_owned(), message);
        if let Some(help) = help {
            new = new.with_help(help);
        }
        made.hand_over(rolecall_error::new(status::status_of(kind), &new));
        Ok(())
    })
}

/// Its code, which is never `ROLECALL_OK`; `ROLECALL_INVALID_ARGUMENT` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_error_status(error: *const rolecall_error) -> rolecall_status {
    value_of(error, ROLECALL_INVALID_ARGUMENT, |error| error.status)
}

/// What failed. Borrowed from the error, as all its texts; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_error_message(error: *const rolecall_error) -> *const c_char {
    text_of(error, |error| Some(&error.message))
}

/// The part of rolecall that failed: `profile prod`, `STS AssumeRole`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_error_provider(error: *const rolecall_error) -> *const c_char {
    text_of(error, |error| Some(&error.provider))
}

/// Where it is configured: `profile prod (/home/me/.aws/config:7)`; NULL if that is not known.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_error_place(error: *const rolecall_error) -> *const c_char {
    text_of(error, |error| error.place.as_deref())
}

/// What to do next; NULL if there is nothing to say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_error_help(error: *const rolecall_error) -> *const c_char {
    text_of(error, |error| error.help.as_deref())
}

/// All of it in one line, for a log: place, provider, message and help.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_error_text(error: *const rolecall_error) -> *const c_char {
    text_of(error, |error| Some(&error.text))
}

/// Frees an error and its texts; `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_error_free(error: *mut rolecall_error) {
    free(error);
}
