//! What lies between C and Rust: pointers in, results out, and panics nowhere.

use std::any::Any;
use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::SystemTime;

use rolecall::{CredentialsError, ErrorKind};

use crate::error::rolecall_error;
use crate::status::{ROLECALL_INVALID_ARGUMENT, ROLECALL_OK, rolecall_status, status_of};

/// What a function could not do.
pub(crate) enum Failure {
    /// The caller's mistake.
    Argument(String),
    /// rolecall's own word.
    Error(CredentialsError),
}

pub(crate) type Outcome<T> = Result<T, Failure>;

impl From<CredentialsError> for Failure {
    fn from(error: CredentialsError) -> Self {
        Self::Error(error)
    }
}

impl Failure {
    /// As an error object, with its status.
    pub(crate) fn into_error(self) -> (rolecall_status, rolecall_error) {
        match self {
            Self::Error(error) => {
                let status = status_of(error.kind());
                (status, rolecall_error::new(status, &error))
            }
            Self::Argument(message) => {
                let error = CredentialsError::new(ErrorKind::Internal, "argument", message);
                let error = rolecall_error::new(ROLECALL_INVALID_ARGUMENT, &error);
                (ROLECALL_INVALID_ARGUMENT, error)
            }
        }
    }
}

/// Does the work of a function that may fail.
pub(crate) fn guard(
    error: *mut *mut rolecall_error,
    work: impl FnOnce() -> Outcome<()>,
) -> rolecall_status {
    let outcome = catch_unwind(AssertUnwindSafe(work));
    let failure = match outcome {
        Ok(Ok(())) => return ROLECALL_OK,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::Error(panicked(panic)),
    };
    let (status, object) = failure.into_error();
    if let Some(error) = NonNull::new(error) {
        // SAFETY: the caller gives a place for a pointer, or NULL, which was ruled out.
        unsafe { error.write(Box::into_raw(Box::new(object))) };
    }
    status
}

/// Does the work of a function that cannot fail but by a mistake of ours.
pub(crate) fn shielded<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        std::mem::forget(panic);
        otherwise
    })
}

fn panicked(panic: Box<dyn Any + Send>) -> CredentialsError {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    // Its own end could panic again.
    std::mem::forget(panic);
    let message = format!("a fault of rolecall: {text}");
    CredentialsError::new(ErrorKind::Internal, "librolecall", message)
}

fn is_null(name: &str) -> Failure {
    Failure::Argument(format!("{name} is NULL"))
}

/// What a handle points to.
pub(crate) fn given<'a, T>(pointer: *const T, name: &str) -> Outcome<&'a T> {
    // SAFETY: the caller gives NULL, or a handle that lives longer than the call.
    unsafe { pointer.as_ref() }.ok_or_else(|| is_null(name))
}

/// What a handle points to that only this thread uses now.
pub(crate) fn given_mut<'a, T>(pointer: *mut T, name: &str) -> Outcome<&'a mut T> {
    // SAFETY: the caller gives NULL, or an options handle that no other thread uses meanwhile.
    unsafe { pointer.as_mut() }.ok_or_else(|| is_null(name))
}

/// A text, if there is one.
pub(crate) fn text_or_null<'a>(pointer: *const c_char, name: &str) -> Outcome<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller gives a text that ends in NUL and lives longer than the call.
    let text = unsafe { CStr::from_ptr(pointer) };
    // What it says is not shown: it may be a secret.
    let text = text.to_str().map_err(|_| Failure::Argument(format!("{name} is not UTF-8")))?;
    Ok(Some(text))
}

/// A text.
pub(crate) fn text<'a>(pointer: *const c_char, name: &str) -> Outcome<&'a str> {
    text_or_null(pointer, name)?.ok_or_else(|| is_null(name))
}

/// Bytes.
pub(crate) fn bytes<'a>(pointer: *const u8, length: usize, name: &str) -> Outcome<&'a [u8]> {
    let pointer = NonNull::new(pointer.cast_mut()).ok_or_else(|| is_null(name))?;
    if isize::try_from(length).is_err() {
        return Err(Failure::Argument(format!("{name} is longer than memory")));
    }
    // SAFETY: the caller gives `length` bytes that nobody changes during the call.
    Ok(unsafe { std::slice::from_raw_parts(pointer.as_ptr(), length) })
}

/// A place for something that is handed over.
pub(crate) struct Place<T>(NonNull<T>);

impl<T> Place<T> {
    /// The place at `pointer`. To be asked for before anything is done.
    pub(crate) fn at(pointer: *mut T, name: &str) -> Outcome<Self> {
        NonNull::new(pointer).map(Self).ok_or_else(|| is_null(name))
    }

    /// Puts a plain value there.
    pub(crate) fn put(self, value: T) {
        // SAFETY: the caller gives a place for a value of this type.
        unsafe { self.0.write(value) };
    }
}

impl<T> Place<*mut T> {
    /// Hands over an object, which the caller frees.
    pub(crate) fn hand_over(self, object: T) {
        self.put(Box::into_raw(Box::new(object)));
    }
}

impl<T> Place<*const T> {
    /// Hands over a share of an object, which the caller frees.
    pub(crate) fn share(self, object: Arc<T>) {
        self.put(Arc::into_raw(object));
    }
}

/// Ends an object that was handed over; NULL is none.
pub(crate) fn free<T>(pointer: *mut T) {
    shielded((), || {
        if !pointer.is_null() {
            // SAFETY: it was handed over by `hand_over` and is not used any more.
            drop(unsafe { Box::from_raw(pointer) });
        }
    });
}

/// The text for C, up to a NUL in it.
pub(crate) fn c_text(text: &str) -> CString {
    let text = text.split('\0').next().unwrap_or_default();
    CString::new(text).unwrap_or_default()
}

/// What can be read off a handle; `otherwise` for NULL.
pub(crate) fn value_of<T, R>(handle: *const T, otherwise: R, value: impl FnOnce(&T) -> R) -> R {
    // SAFETY: the caller gives NULL, or a handle that lives longer than the call.
    let Some(handle) = (unsafe { handle.as_ref() }) else { return otherwise };
    shielded(otherwise, || value(handle))
}

/// A moment for C, in seconds since 1970; 0 if there is none.
pub(crate) fn seconds(moment: Option<SystemTime>) -> i64 {
    let since = moment.and_then(|moment| moment.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(0)
}

/// A text of a handle, which lives as long as that; NULL if there is none.
pub(crate) fn text_of<T>(
    handle: *const T,
    text: impl FnOnce(&T) -> Option<&CStr>,
) -> *const c_char {
    value_of(handle, std::ptr::null(), |handle| text(handle).map_or(std::ptr::null(), CStr::as_ptr))
}
