//! What wide questions are answered with.

use std::ffi::{CStr, c_char};
use std::sync::Arc;
use std::time::SystemTime;

use rolecall::{Credentials, CredentialsError, ErrorKind};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::boundary::{free, seconds, text_of, value_of};
use crate::credentials::rolecall_credentials;

/// An answer: a text, JSON unless its function says otherwise, and for some questions credentials.
/// Free it with `rolecall_answer_free`, which zeroes the text.
pub struct rolecall_answer {
    /// Ends in NUL.
    text: Zeroizing<Vec<u8>>,
    credentials: Option<Arc<rolecall_credentials>>,
    expires_at: Option<SystemTime>,
}

impl rolecall_answer {
    /// A text that may be secret.
    pub(crate) fn secret(text: &str) -> Result<Self, CredentialsError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() + 1));
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
        if CStr::from_bytes_with_nul(&bytes).is_err() {
            let message = "the answer has a NUL in it";
            return Err(CredentialsError::new(ErrorKind::Malformed, "answer", message));
        }
        Ok(Self { text: bytes, credentials: None, expires_at: None })
    }

    /// JSON, which has no NUL.
    pub(crate) fn json(value: &Value) -> Result<Self, CredentialsError> {
        Self::secret(&Zeroizing::new(value.to_string()))
    }

    pub(crate) fn with_expires_at(self, expires_at: SystemTime) -> Self {
        Self { expires_at: Some(expires_at), ..self }
    }

    pub(crate) fn with_credentials(
        mut self,
        credentials: Option<Credentials>,
    ) -> Result<Self, CredentialsError> {
        self.credentials = credentials.map(rolecall_credentials::new).transpose()?;
        Ok(self)
    }
}

/// The text. Borrowed from the answer; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_answer_text(answer: *const rolecall_answer) -> *const c_char {
    text_of(answer, |answer| CStr::from_bytes_with_nul(&answer.text).ok())
}

/// The credentials of the answer; NULL if it has none. Yours to free, also after the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_answer_credentials(
    answer: *const rolecall_answer,
) -> *const rolecall_credentials {
    value_of(answer, std::ptr::null(), |answer| {
        answer.credentials.clone().map_or(std::ptr::null(), Arc::into_raw)
    })
}

/// From when on nobody takes the token that the answer is, in seconds since 1970 (UTC); 0 if it is
/// none of `rolecall_token_source_token`, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_answer_expires_at(answer: *const rolecall_answer) -> i64 {
    value_of(answer, 0, |answer| seconds(answer.expires_at))
}

/// Frees an answer and zeroes its text; `answer` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_answer_free(answer: *mut rolecall_answer) {
    free(answer);
}
