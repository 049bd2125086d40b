//! What a session is for.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

use rolecall::{Chain, SecretInput, SessionOptions, SharedProvider};

use crate::boundary::{
    Failure, Outcome, free, given, given_mut, guard, shielded, text, text_or_null,
};
use crate::callback::{self, Callback, Data, rolecall_ask, rolecall_provide, rolecall_release};
use crate::error::rolecall_error;
use crate::roles_anywhere::rolecall_roles_anywhere;
use crate::session::rolecall_session;
use crate::status::rolecall_status;

/// What a session is for: which profile, where, and who is asked. One thread at a time may change
/// it; it may be freed once what was made of it is made. Free it with
/// `rolecall_session_options_free`.
#[derive(Default)]
pub struct rolecall_session_options {
    inner: SessionOptions,
    providers: Vec<(String, SharedProvider)>,
}

impl rolecall_session_options {
    pub(crate) fn to_inner(&self) -> SessionOptions {
        let mut options = self.inner.clone();
        if !self.providers.is_empty() {
            options.provider = Some(Arc::new(Chain::new(self.providers.clone())));
        }
        options
    }
}

/// The options at a pointer, the default ones for NULL.
pub(crate) fn options_or_default(options: *const rolecall_session_options) -> SessionOptions {
    given(options, "options").map(rolecall_session_options::to_inner).unwrap_or_default()
}

/// Options that say nothing: the default chain of this machine.
#[unsafe(no_mangle)]
pub extern "C" fn rolecall_session_options_new() -> *mut rolecall_session_options {
    shielded(std::ptr::null_mut(), || Box::into_raw(Box::default()))
}

fn set(
    options: *mut rolecall_session_options,
    error: *mut *mut rolecall_error,
    change: impl FnOnce(&mut rolecall_session_options) -> Outcome<()>,
) -> rolecall_status {
    guard(error, || change(given_mut(options, "options")?))
}

/// A profile, used alone. Without one: the environment's keys, else the profile that `AWS_PROFILE`
/// names, else what else is set up. `profile` may be NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_session_options_set_profile(
    options: *mut rolecall_session_options,
    profile: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        options.inner.profile = text_or_null(profile, "profile")?.map(str::to_owned);
        Ok(())
    })
}

/// The region, above `AWS_REGION` and the profile's. `region` may be NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_session_options_set_region(
    options: *mut rolecall_session_options,
    region: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        options.inner.region = text_or_null(region, "region")?.map(str::to_owned);
        Ok(())
    })
}

/// The URL of STS, above `AWS_ENDPOINT_URL_STS` and the profile's. `url` may be NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_session_options_set_endpoint_url(
    options: *mut rolecall_session_options,
    url: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        options.inner.endpoint_url = text_or_null(url, "url")?.map(str::to_owned);
        Ok(())
    })
}

/// Where an MFA code comes from: `file://PATH`, `-` (standard input), `env:NAME` or the code itself.
/// Without one the profile's `mfa_process` is asked, else the terminal. `source` may be NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_session_options_set_mfa_code(
    options: *mut rolecall_session_options,
    source: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        options.inner.mfa_code = text_or_null(source, "source")?.map(secret_input);
        Ok(())
    })
}

/// Who is asked for MFA codes and for passwords of keys, above `rolecall_session_options_set_mfa_code`
/// and the terminal. `ask` gets `data`, and `data` may be NULL. `release` is called when that is not
/// needed any more; `release` may be NULL. If this fails, it is not called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_session_options_set_prompt(
    options: *mut rolecall_session_options,
    ask: rolecall_ask,
    data: *mut c_void,
    release: rolecall_release,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        let ask = ask.ok_or_else(|| Failure::Argument("ask is NULL".to_owned()))?;
        options.inner.prompt = Some(callback::prompt(ask, Data::new(data, release)));
        Ok(())
    })
}

/// Adds a provider of yours, which takes the place of all profiles as the source. Several are a
/// chain: the first is asked, and the next only if that one is not configured. What they give is
/// kept in memory until it nears its end. `name` stands for it in messages. `provide` gets
/// `data`, and `data` may be NULL. `release` is called when that is not needed any more; `release` may
/// be NULL. If this fails, it is not called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_session_options_add_provider(
    options: *mut rolecall_session_options,
    name: *const c_char,
    provide: rolecall_provide,
    data: *mut c_void,
    release: rolecall_release,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        let name = text(name, "name")?;
        let provide = provide.ok_or_else(|| Failure::Argument("provide is NULL".to_owned()))?;
        let provider = Callback::new(name, provide, Data::new(data, release));
        options.providers.push((name.to_owned(), Arc::new(provider)));
        Ok(())
    })
}

/// Adds a session to the chain of providers, such as one of a profile behind a provider of yours.
/// The session may be freed before what is made of the options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_session_options_add_session(
    options: *mut rolecall_session_options,
    name: *const c_char,
    session: *const rolecall_session,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        let name = text(name, "name")?;
        let provider = given(session, "session")?.provider(name);
        options.providers.push((name.to_owned(), provider));
        Ok(())
    })
}

/// How long a program of a profile may take (`credential_process`, `mfa_process`, `saml_process`),
/// in seconds; 0 is the default, 60.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_session_options_set_process_timeout(
    options: *mut rolecall_session_options,
    seconds: u32,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        let timeout = Some(seconds).filter(|seconds| *seconds != 0);
        options.inner.process_timeout = timeout.map(|seconds| Duration::from_secs(seconds.into()));
        Ok(())
    })
}

/// Whether the cache in `~/.aws/cli/cache` is used, which AWS CLI shares. It is, unless this says no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_session_options_set_disk_cache(
    options: *mut rolecall_session_options,
    is_used: bool,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        options.inner.no_disk_cache = !is_used;
        Ok(())
    })
}

/// A certificate for IAM Roles Anywhere, which takes the place of all profiles as the source.
/// It is copied; `certificate` may be NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_session_options_set_roles_anywhere(
    options: *mut rolecall_session_options,
    certificate: *const rolecall_roles_anywhere,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        let certificate = given(certificate, "certificate").ok();
        options.inner.roles_anywhere = certificate.map(|certificate| certificate.inner.clone());
        Ok(())
    })
}

/// Frees options; `options` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_session_options_free(options: *mut rolecall_session_options) {
    free(options);
}

/// Where a secret comes from: any text says one.
pub(crate) fn secret_input(text: &str) -> SecretInput {
    text.parse().unwrap_or_else(|never| match never {})
}
