//! A cache entry's text: AWS CLI's, with one key of our own.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Credentials, Secret, timestamp};

/// An entry as read.
#[derive(Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "Credentials")]
    credentials: EntryCredentials,
    #[serde(rename = "Rolecall")]
    ours: Option<Ours>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EntryCredentials {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Secret,
    expiration: String,
    account_id: Option<String>,
}

/// What AWS CLI does not write: its key leaves out the source and the endpoint.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Ours {
    pub(super) fingerprint: String,
    pub(super) about: String,
}

impl Entry {
    /// Reads an entry. A torn or foreign file is `None`: a miss.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    pub(super) fn ours(&self) -> Option<&Ours> {
        self.ours.as_ref()
    }

    /// The credentials; `None` without a readable end.
    pub(super) fn into_credentials(self) -> Option<Credentials> {
        let from = self.credentials;
        let expires_at = timestamp::parse(&from.expiration)?;
        Some(
            Credentials::new(from.access_key_id, from.secret_access_key, "shared cache")
                .with_session_token(Some(from.session_token))
                .with_expires_at(Some(expires_at))
                .with_account_id(from.account_id),
        )
    }
}

/// Writes an entry. `None` for credentials that AWS CLI could not read: without token or end.
/// The form of the end is the one that AWS CLI writes for that type.
pub(super) fn format(
    credentials: &Credentials,
    ours: &Ours,
    provider_type: Option<&str>,
) -> Option<Zeroizing<Vec<u8>>> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Out<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_type: Option<&'a str>,
        credentials: OutCredentials<'a>,
        rolecall: &'a Ours,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct OutCredentials<'a> {
        access_key_id: &'a str,
        secret_access_key: &'a str,
        session_token: &'a str,
        expiration: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        account_id: Option<&'a str>,
    }
    let session_token = credentials.session_token()?.expose();
    let end = credentials.expires_at()?;
    let out = Out {
        provider_type,
        credentials: OutCredentials {
            access_key_id: credentials.access_key_id(),
            secret_access_key: credentials.secret_access_key().expose(),
            session_token,
            expiration: match provider_type {
                None => timestamp::format_with_offset(end),
                Some(_) => timestamp::format(end),
            },
            account_id: credentials.account_id(),
        },
        rolecall: ours,
    };
    // Room for all of it at once: a buffer that grows leaves unzeroed copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(2 * session_token.len() + 4096));
    serde_json::to_writer(&mut *text, &out).ok()?;
    Some(text)
}
