//! What lies in the cache that AWS CLI shares.

use rolecall_core::cache::{CacheFolder, CachedEntry};
use rolecall_core::profile::aws_folder;
use rolecall_core::{Context, CredentialsError, ErrorKind, Result, timestamp};
use serde_json::{Value, json};

/// The credentials in `~/.aws/cli/cache`, those of AWS CLI included.
///
/// # Errors
/// `InvalidConfiguration` without a home folder; `Internal` if the folder cannot be read.
pub fn cached_credentials(context: &Context) -> Result<Vec<CachedEntry>> {
    folder(context)?.list(&context.fs).map_err(unusable)
}

/// [`cached_credentials`] as JSON, without the secrets: `{"entries": [{"name", "role_arn",
/// "access_key_id", "account_id", "expiration"}]}`.
///
/// # Errors
/// As [`cached_credentials`].
pub fn cached_credentials_json(context: &Context) -> Result<Value> {
    let entries = cached_credentials(context)?;
    let entries = entries.iter().map(|entry| {
        json!({
            "name": entry.name,
            "role_arn": entry.about,
            "access_key_id": entry.access_key_id,
            "account_id": entry.account_id,
            "expiration": entry.expires_at.map(timestamp::format),
        })
    });
    Ok(json!({"entries": entries.collect::<Vec<_>>()}))
}

/// Removes the credentials in `~/.aws/cli/cache`, those of AWS CLI included, and gives their
/// number.
///
/// # Errors
/// As [`cached_credentials`]; `Internal` if one cannot be removed.
pub fn clear_cached_credentials(context: &Context) -> Result<usize> {
    folder(context)?.clear(&context.fs).map_err(unusable)
}

fn folder(context: &Context) -> Result<CacheFolder> {
    aws_folder(&context.env).map(|folder| CacheFolder::below(&folder)).ok_or_else(|| {
        CredentialsError::new(ErrorKind::InvalidConfiguration, "cache", "HOME is not set")
            .with_help("the cache lies in ~/.aws/cli/cache")
    })
}

fn unusable(error: std::io::Error) -> CredentialsError {
    let message = format!("~/.aws/cli/cache cannot be used: {error}");
    CredentialsError::new(ErrorKind::Internal, "cache", message)
        .with_help("check the permissions of the folder")
        .with_source(error)
}
