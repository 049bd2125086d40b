use async_trait::async_trait;
use rolecall_core::{CredentialsError, ErrorKind, Result};
use rolecall_sts::identity::ReplayGuard;

use super::PROVIDER;
use super::step::{damaged, time};
use crate::audit::Record;
use crate::auth::{AuthMethod, StoredKey, StoredMethod};

/// What the subjects of the logs of auth methods begin with: `@method/NAME`.
pub(super) const METHOD_SUBJECT: &str = "@method/";

/// How long a key that was spent is remembered at least: a minute longer than STS takes any
/// signature, however old a token may be for who checks it.
pub(super) const REMEMBERED_MILLIS: i64 = 16 * 60 * 1000;

/// Keeps auth methods, the keys that sessions are signed with and the tokens that were used. Every
/// method is one transaction, durable when it returns.
#[async_trait]
pub trait AuthStore: ReplayGuard {
    /// Adds a method, as version 1; as the version after its last if there was one of that name.
    /// Its access id must be new to the store.
    async fn create_method(&self, method: &AuthMethod, record: &Record) -> Result<()>;

    /// Writes the version after `version` of a method. Its access id stays.
    async fn update_method(&self, method: &AuthMethod, version: u32, record: &Record)
    -> Result<()>;

    /// Takes a method out of use.
    async fn delete_method(&self, name: &str, record: &Record) -> Result<()>;

    /// The method in use of this name or access id.
    async fn method(&self, name: &str) -> Result<Option<StoredMethod>>;

    /// Up to `limit` methods in use in the order of their names, those after `after`.
    async fn methods(&self, after: Option<&str>, limit: u32) -> Result<Vec<StoredMethod>>;

    /// All keys that sessions have been signed with, but for those that were dropped.
    async fn signing_keys(&self) -> Result<Vec<StoredKey>>;

    /// Keeps a key, unless there is or was one of its id.
    async fn keep_signing_key(&self, key: &StoredKey) -> Result<()>;

    /// Drops a key for ever; gives whether there was one of that id.
    async fn drop_signing_key(&self, id: &str) -> Result<bool>;
}

/// The subject of a method's log.
pub(super) fn subject(name: &str) -> String {
    format!("{METHOD_SUBJECT}{name}")
}

/// The method as text.
pub(super) fn text_of(method: &AuthMethod) -> Result<String> {
    serde_json::to_string(method).map_err(|error| {
        let message = format!("the auth method {} cannot be written: {error}", method.name);
        CredentialsError::new(ErrorKind::Internal, PROVIDER, message)
    })
}

/// The method of a row: version, when it was written, text.
pub(super) fn stored(version: i64, changed_at: i64, text: &str) -> Result<StoredMethod> {
    let method = serde_json::from_str(text).map_err(|error| {
        damaged(format_args!("an auth method ({error})"))
            .with_help("if a newer rolecall wrote it, use that one")
    })?;
    let version = version.try_into().map_err(|_| damaged("an auth method's version"))?;
    Ok(StoredMethod { method, version, changed_at: time(changed_at) })
}
