//! Functions of the caller's that rolecall calls.

use std::ffi::{CStr, CString, c_char, c_void};
use std::fmt;
use std::ptr;
use std::sync::Arc;

use async_trait::async_trait;
use rolecall::{
    Credentials, CredentialsError, ErrorKind, Prompt, ProvideCredentials, Result, Secret,
};
use zeroize::Zeroizing;

use crate::credentials::rolecall_credentials;
use crate::error::rolecall_error;
use crate::status::{ROLECALL_OK, kind_of, rolecall_status};

/// The longest answer to a question, with its NUL.
const ANSWER_ROOM: usize = 4096;

/// Answers a question, such as one for an MFA code or the password of a key: writes the answer with
/// its NUL into `answer`, which has room for `room` bytes, and gives `ROLECALL_OK`; or the code of
/// why there is none. It may be called by any thread of the library's, and may block as a person
/// may. It must not return by `longjmp` or an exception, nor use the handle that asks.
pub type rolecall_ask = Option<
    unsafe extern "C" fn(
        data: *mut c_void,
        question: *const c_char,
        answer: *mut c_char,
        room: usize,
    ) -> rolecall_status,
>;

/// Gives credentials: puts them into `credentials` and gives `ROLECALL_OK`, or gives the code of why
/// there are none, `ROLECALL_NOT_CONFIGURED` if the next provider of the chain is to be asked, and
/// may put an error made with `rolecall_error_new` into `error`. The library takes over both. It may
/// be called by any thread of the library's, by one at a time for each session, and may block. It
/// must not return by `longjmp` or an exception, nor use the session that asks; other sessions it
/// may use.
pub type rolecall_provide = Option<
    unsafe extern "C" fn(
        data: *mut c_void,
        credentials: *mut *const rolecall_credentials,
        error: *mut *mut rolecall_error,
    ) -> rolecall_status,
>;

/// Called once, when nothing of the library will use `data` any more.
pub type rolecall_release = Option<unsafe extern "C" fn(data: *mut c_void)>;

type Ask = unsafe extern "C" fn(*mut c_void, *const c_char, *mut c_char, usize) -> rolecall_status;
type Provide = unsafe extern "C" fn(
    *mut c_void,
    *mut *const rolecall_credentials,
    *mut *mut rolecall_error,
) -> rolecall_status;

/// The caller's own, which is given back at the end.
pub(crate) struct Data {
    pointer: *mut c_void,
    release: rolecall_release,
}

// SAFETY: the header says that callbacks come from any thread; what `data` is, is the caller's.
unsafe impl Send for Data {}
// SAFETY: as above.
unsafe impl Sync for Data {}

impl Data {
    pub(crate) fn new(pointer: *mut c_void, release: rolecall_release) -> Self {
        Self { pointer, release }
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the caller's own function, with what it was given for it, once.
            unsafe { release(self.pointer) };
        }
    }
}

/// Who is asked, as rolecall knows it.
pub(crate) fn prompt(ask: Ask, data: Data) -> Prompt {
    Prompt::from_fn(move |question| answer(ask, &data, question))
}

fn answer(ask: Ask, data: &Data, question: &str) -> Result<Secret> {
    let question = CString::new(question.replace('\0', " ")).unwrap_or_default();
    let mut answer = Zeroizing::new(vec![0_u8; ANSWER_ROOM]);
    let room = answer.len();
    // SAFETY: the caller's own function; both buffers live longer than the call.
    let status = unsafe { ask(data.pointer, question.as_ptr(), answer.as_mut_ptr().cast(), room) };
    if status != ROLECALL_OK {
        return Err(refused(status, "prompt", "the program gave no answer"));
    }
    let text = CStr::from_bytes_until_nul(&answer).ok().and_then(|text| text.to_str().ok());
    let text = text.ok_or_else(|| {
        let message = "the program's answer is not UTF-8, or has no end";
        CredentialsError::new(ErrorKind::InvalidConfiguration, "prompt", message)
    })?;
    Ok(Secret::from(text))
}

/// A refusal of a callback's; `NotConfigured` is no answer to a question.
fn refused(status: rolecall_status, provider: &'static str, message: &str) -> CredentialsError {
    let kind = match kind_of(status) {
        ErrorKind::NotConfigured => ErrorKind::InvalidConfiguration,
        kind => kind,
    };
    CredentialsError::new(kind, provider, message)
}

/// A provider of the caller's.
pub(crate) struct Callback {
    name: String,
    provide: Provide,
    data: Arc<Data>,
}

impl Callback {
    pub(crate) fn new(name: &str, provide: Provide, data: Data) -> Self {
        Self { name: name.to_owned(), provide, data: Arc::new(data) }
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Callback").field(&self.name).finish()
    }
}

#[async_trait]
impl ProvideCredentials for Callback {
    async fn provide_credentials(&self) -> Result<Credentials> {
        let (name, provide, data) = (self.name.clone(), self.provide, self.data.clone());
        // A thread where it may block, and where it may wait for other sessions.
        let asked = tokio::task::spawn_blocking(move || call(&name, provide, &data));
        asked.await.unwrap_or_else(|error| {
            let message = "the provider was not asked";
            Err(CredentialsError::new(ErrorKind::Internal, self.name.clone(), message)
                .with_source(error))
        })
    }
}

fn call(name: &str, provide: Provide, data: &Data) -> Result<Credentials> {
    let (mut given, mut error) = (ptr::null(), ptr::null_mut());
    // SAFETY: the caller's own function; both places live longer than the call.
    let status = unsafe { provide(data.pointer, &raw mut given, &raw mut error) };
    // SAFETY: NULL, or what a function of this library has made and the callback handed over.
    let given = (!given.is_null()).then(|| unsafe { Arc::from_raw(given) });
    // SAFETY: as above.
    let error = (!error.is_null()).then(|| unsafe { Box::from_raw(error) });
    let wrong = |kind, message: &str| CredentialsError::new(kind, name.to_owned(), message);
    match (status, given, error) {
        (ROLECALL_OK, Some(credentials), _) => Ok(credentials.inner.clone()),
        (ROLECALL_OK, None, _) => {
            Err(wrong(ErrorKind::Malformed, "the provider gave no credentials and no error"))
        }
        (status, _, Some(error)) => Err(error.to_error(kind_of(status))),
        (status, _, None) => Err(wrong(kind_of(status), "the provider gave no credentials")),
    }
}
