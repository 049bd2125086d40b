use std::error::Error;
use std::fmt;

use rolecall_core::CredentialsError;

/// Marks the errors of keys that this build cannot use and another program may.
#[derive(Debug)]
struct NotSupported;

impl fmt::Display for NotSupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this kind of key is not supported by this build")
    }
}

impl Error for NotSupported {}

pub(crate) fn not_supported(error: CredentialsError) -> CredentialsError {
    error.with_source(NotSupported)
}

/// Whether `error` says that this build cannot use a kind of key, such as one in a TPM, which AWS's
/// own program may be able to use.
pub fn is_not_supported(error: &CredentialsError) -> bool {
    error.source().is_some_and(|source| source.is::<NotSupported>())
}
