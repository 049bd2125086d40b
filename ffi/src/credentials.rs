//! Credentials as C reads them.

use std::ffi::{CStr, CString, c_char};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rolecall::export::{self, ExportFormat};
use rolecall::{Context, Credentials, CredentialsError, ErrorKind, Secret, exec};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::answer::rolecall_answer;
use crate::boundary::{
    Failure, Outcome, Place, c_text, given, guard, seconds, shielded, text, text_of, text_or_null,
    value_of,
};
use crate::error::rolecall_error;
use crate::status::rolecall_status;

/// AWS credentials: they do not change, and any number of threads may read them at the same time.
/// Each is yours: free it with `rolecall_credentials_free`. The secrets are zeroed when the last
/// that has them is freed.
pub struct rolecall_credentials {
    pub(crate) inner: Credentials,
    access_key_id: CString,
    secret_access_key: SecretText,
    session_token: Option<SecretText>,
    account_id: Option<CString>,
    provider: CString,
}

/// A text for C that is zeroed at its end.
struct SecretText(Zeroizing<Vec<u8>>);

impl SecretText {
    fn new(secret: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(secret.len() + 1));
        bytes.extend_from_slice(secret.as_bytes());
        bytes.push(0);
        CStr::from_bytes_with_nul(&bytes).is_ok().then(|| Self(bytes))
    }

    fn as_c(&self) -> Option<&CStr> {
        CStr::from_bytes_with_nul(&self.0).ok()
    }
}

impl rolecall_credentials {
    pub(crate) fn new(inner: Credentials) -> Result<Arc<Self>, CredentialsError> {
        let secret = |secret: &Secret| {
            SecretText::new(secret.expose()).ok_or_else(|| {
                let message = "a secret of the credentials has a NUL in it";
                CredentialsError::new(ErrorKind::Malformed, inner.provider().to_owned(), message)
            })
        };
        Ok(Arc::new(Self {
            access_key_id: c_text(inner.access_key_id()),
            secret_access_key: secret(inner.secret_access_key())?,
            session_token: inner.session_token().map(secret).transpose()?,
            account_id: inner.account_id().map(c_text),
            provider: c_text(inner.provider()),
            inner,
        }))
    }
}

/// Makes credentials, for a provider of yours to give. `session_token` may be NULL: long-lived keys
/// have none; `account_id` may be NULL. `expires_at` is the moment from which AWS refuses them, in
/// seconds since 1970 (UTC); 0 if they do not end. `provider` says where they came from, for
/// messages.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_credentials_new(
    access_key_id: *const c_char,
    secret_access_key: *const c_char,
    session_token: *const c_char,
    expires_at: i64,
    account_id: *const c_char,
    provider: *const c_char,
    credentials: *mut *const rolecall_credentials,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let credentials = Place::at(credentials, "credentials")?;
        let access_key_id = text(access_key_id, "access_key_id")?;
        let secret_access_key = text(secret_access_key, "secret_access_key")?;
        let session_token = text_or_null(session_token, "session_token")?;
        let account_id = text_or_null(account_id, "account_id")?;
        let provider = text(provider, "provider")?;
        let made = Credentials::new(access_key_id, secret_access_key, provider.to_owned())
            .with_session_token(session_token.map(Secret::from))
            .with_expires_at(moment(expires_at)?)
            .with_account_id(account_id.map(str::to_owned));
        credentials.share(rolecall_credentials::new(made)?);
        Ok(())
    })
}

fn moment(seconds: i64) -> Outcome<Option<SystemTime>> {
    let wrong = || Failure::Argument("expires_at is no moment in time".to_owned());
    let seconds = u64::try_from(seconds).map_err(|_| wrong())?;
    let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).ok_or_else(wrong)?;
    Ok(Some(end).filter(|_| seconds != 0))
}

/// The access key id, which is no secret. Borrowed from the credentials, as all their texts; NULL
/// for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_credentials_access_key_id(
    credentials: *const rolecall_credentials,
) -> *const c_char {
    text_of(credentials, |credentials| Some(&credentials.access_key_id))
}

/// The secret access key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_credentials_secret_access_key(
    credentials: *const rolecall_credentials,
) -> *const c_char {
    text_of(credentials, |credentials| credentials.secret_access_key.as_c())
}

/// The session token; NULL if they have none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_credentials_session_token(
    credentials: *const rolecall_credentials,
) -> *const c_char {
    text_of(credentials, |credentials| credentials.session_token.as_ref()?.as_c())
}

/// The moment from which AWS refuses them, in seconds since 1970 (UTC); 0 if they do not end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_credentials_expires_at(
    credentials: *const rolecall_credentials,
) -> i64 {
    value_of(credentials, 0, |credentials| seconds(credentials.inner.expires_at()))
}

/// The account they belong to, 12 digits; NULL if that is not known.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_credentials_account_id(
    credentials: *const rolecall_credentials,
) -> *const c_char {
    text_of(credentials, |credentials| credentials.account_id.as_deref())
}

/// Where they came from, for people.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_credentials_provider(
    credentials: *const rolecall_credentials,
) -> *const c_char {
    text_of(credentials, |credentials| Some(&credentials.provider))
}

/// Writes them as text: `format` is `process` (JSON for `credential_process`), `env`,
/// `env-no-export`, `fish`, `powershell` or `windows-cmd`. The answer holds the secrets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_credentials_export(
    credentials: *const rolecall_credentials,
    format: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let credentials = given(credentials, "credentials")?;
        let format: ExportFormat = text(format, "format")?.parse()?;
        let written = export::format(&credentials.inner, format)?;
        answer.hand_over(rolecall_answer::secret(&written)?);
        Ok(())
    })
}

/// The changes that make a program's environment one of these credentials: a JSON object of variables,
/// with the value to set, or null for one to remove, as it would compete. `region` is set as well;
/// `region` may be NULL: as it is. The answer holds the secrets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_credentials_environment(
    credentials: *const rolecall_credentials,
    region: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let credentials = given(credentials, "credentials")?;
        let region = text_or_null(region, "region")?;
        let changes = exec::environment(&Context::real(), &credentials.inner, region);
        let changes = changes.into_iter().map(|(name, value)| (name, Value::from(value)));
        answer.hand_over(rolecall_answer::json(&Value::Object(changes.collect()))?);
        Ok(())
    })
}

/// The credentials in `~/.aws/cli/cache`, those of AWS CLI included, without their secrets: the
/// JSON of `rolecall cache list --json`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_cached_credentials(
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let cached = rolecall::cached_credentials_json(&Context::real())?;
        answer.hand_over(rolecall_answer::json(&cached)?);
        Ok(())
    })
}

/// Removes the credentials in `~/.aws/cli/cache`, those of AWS CLI included, and puts their number
/// into `removed`. What sessions have in memory stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_clear_cached_credentials(
    removed: *mut u64,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let removed = Place::at(removed, "removed")?;
        removed.put(rolecall::clear_cached_credentials(&Context::real())? as u64);
        Ok(())
    })
}

/// Frees credentials and their texts; `credentials` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_credentials_free(credentials: *const rolecall_credentials) {
    shielded((), || {
        if !credentials.is_null() {
            // SAFETY: it was handed over by `share`, and the caller does not use it any more.
            drop(unsafe { Arc::from_raw(credentials) });
        }
    });
}
