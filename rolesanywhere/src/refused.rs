use rolecall_core::{CredentialsError, ErrorKind};

use crate::key;

/// Whether `error` says that a key or its token refused a password or PIN, or its use: to try again
/// does not help, and may lock a token.
pub fn is_refused_by_key(error: &CredentialsError) -> bool {
    let is_of_key = [key::PROVIDER, key::pkcs12::PROVIDER].contains(&error.provider());
    #[cfg(feature = "pkcs11")]
    let is_of_key = is_of_key || error.provider() == crate::pkcs11::PROVIDER;
    is_of_key && error.kind() == ErrorKind::Denied
}
