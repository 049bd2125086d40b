//! What lies in the cache that AWS CLI shares.

use std::time::SystemTime;

use pyo3::prelude::*;
use rolecall::Context;
use rolecall::core::cache::CachedEntry;

use crate::record::record;
use crate::runtime::{apart, wait};

record! {
    /// Credentials in the shared cache, without their secrets.
    CachedCredentials in "rolecall" from CachedEntry {
        /// The file's name.
        name: String,
        /// The role's ARN, if rolecall wrote it.
        about: Option<String>,
        /// The access key id.
        access_key_id: String,
        /// The account, where known: 12 digits.
        account_id: Option<String>,
        /// When they end: a `datetime` in UTC.
        expires_at: Option<SystemTime>,
    }
}

/// The credentials in `~/.aws/cli/cache`, those of AWS CLI included, without their secrets.
///
/// Raises `InvalidConfigurationError` without a home folder, `InternalError` if the folder cannot be
/// read.
#[pyfunction]
pub(crate) fn cached_credentials(py: Python<'_>) -> PyResult<Vec<CachedCredentials>> {
    let look = || rolecall::cached_credentials(&Context::real());
    Ok(wait(py, apart(look))?.into_iter().map(CachedCredentials::from).collect())
}

/// Removes the credentials in `~/.aws/cli/cache`, those of AWS CLI included, and gives their number.
///
/// Raises what `cached_credentials` does.
#[pyfunction]
pub(crate) fn clear_cached_credentials(py: Python<'_>) -> PyResult<usize> {
    wait(py, apart(|| rolecall::clear_cached_credentials(&Context::real())))
}
