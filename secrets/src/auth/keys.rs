//! The keys that sign sessions: Ed25519 (RFC 8037). What signs lies sealed in the store, or in a
//! file of this machine that is its owner's alone; what verifies lies in the store.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use rolecall_core::profile::aws_folder;
use rolecall_core::{Context, CredentialsError, ErrorKind, Result};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::seal::SealingKey;
use crate::store::AuthStore;

const SEED: usize = 32;
const FILE_LIMIT: u64 = 1024;

/// A key that sessions are signed with, as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// Its id: the thumbprint of RFC 7638.
    pub id: String,
    /// What verifies.
    pub public: Vec<u8>,
    /// What signs, sealed; `None` if it lies in a file.
    pub sealed: Option<Vec<u8>>,
}

impl StoredKey {
    /// As a JSON Web Key.
    pub(super) fn to_jwk(&self) -> Value {
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "x": URL_SAFE_NO_PAD.encode(&self.public),
            "kid": self.id,
            "alg": "EdDSA",
            "use": "sig",
        })
    }
}

/// Signs sessions.
pub(super) struct SigningKey {
    pub(super) id: String,
    pub(super) pair: Ed25519KeyPair,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// The key of this store, made if there is none yet.
    pub(super) async fn load(
        context: &Context,
        store: &dyn AuthStore,
        store_id: &str,
        sealing: Option<&SealingKey>,
    ) -> Result<Self> {
        match sealing {
            Some(sealing) => Self::sealed(store, sealing).await,
            None => Self::of_file(context, store, store_id).await,
        }
    }

    async fn sealed(store: &dyn AuthStore, sealing: &SealingKey) -> Result<Self> {
        for kept in store.signing_keys().await? {
            let sealed = kept.sealed.as_deref();
            let seed = sealed.and_then(|sealed| sealing.open_bytes(kept.id.as_bytes(), sealed));
            if let Some(seed) = seed {
                return Self::of(&seed);
            }
        }
        let seed = new_seed()?;
        let key = Self::of(&*seed)?;
        let sealed = sealing.seal_bytes(key.id.as_bytes(), Zeroizing::new(seed.to_vec()))?;
        store.keep_signing_key(&key.stored(Some(sealed))).await?;
        Ok(key)
    }

    async fn of_file(context: &Context, store: &dyn AuthStore, store_id: &str) -> Result<Self> {
        let path = path(context, store_id)?;
        let fs = &context.fs;
        let known = store.signing_keys().await?;
        let facts = fs.facts(&path).map_err(|error| failed(&path, "read", error))?;
        let key = match facts {
            Some(facts) => {
                if facts.mode & 0o077 != 0 || facts.foreign_owner.is_some() {
                    let message =
                        format!("the signing key {} is not this user's alone", path.display());
                    return Err(error_of(message).with_help(
                        "see who could read it; if anybody could, drop it for all (`rolecall identity \
                         jwks` names it, --remove KID drops it) and delete it, so that a new one is \
                         made",
                    ));
                }
                let text =
                    fs.read(&path, FILE_LIMIT).map_err(|error| failed(&path, "read", error))?;
                let mut seed = Zeroizing::new([0; SEED]);
                hex::decode_to_slice(text.trim_ascii(), &mut *seed).map_err(|_| {
                    error_of(format!("{} holds no signing key", path.display()))
                        .with_help("delete it, so that a new one is made")
                })?;
                Self::of(&*seed)?
            }
            None if known.iter().any(|key| key.sealed.is_some()) => {
                let message = "the signing key of this store is sealed".to_owned();
                return Err(error_of(message).with_help("give --seal-key"));
            }
            None => Self::in_new_file(context, &path)?,
        };
        if Self::is_kept(store, &key).await? {
            return Ok(key);
        }
        // It was dropped: nobody trusts what it signs.
        let key = Self::in_new_file(context, &path)?;
        Self::is_kept(store, &key).await?;
        Ok(key)
    }

    /// Keeps what verifies, if it is not there; gives whether it is trusted then.
    async fn is_kept(store: &dyn AuthStore, key: &Self) -> Result<bool> {
        store.keep_signing_key(&key.stored(None)).await?;
        Ok(store.signing_keys().await?.iter().any(|kept| kept.id == key.id))
    }

    fn in_new_file(context: &Context, path: &Path) -> Result<Self> {
        let seed = new_seed()?;
        let mut text = Zeroizing::new(vec![0; SEED * 2]);
        // Twice as long as what it stands for.
        let _ = hex::encode_to_slice(seed.as_slice(), &mut text);
        let folder = path.parent().map_or(Ok(()), |folder| context.fs.create_folder(folder));
        let written = folder.and_then(|()| context.fs.write(path, &text));
        written.map_err(|error| failed(path, "written", error))?;
        Self::of(&*seed)
    }

    fn of(seed: &[u8]) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| error_of("a signing key is damaged".to_owned()))?;
        let id = thumbprint(pair.public_key().as_ref());
        Ok(Self { id, pair })
    }

    fn stored(&self, sealed: Option<Vec<u8>>) -> StoredKey {
        let public = self.pair.public_key().as_ref().to_vec();
        StoredKey { id: self.id.clone(), public, sealed }
    }
}

/// RFC 7638, section 3, with the members of RFC 8037.
fn thumbprint(public: &[u8]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public);
    let text = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

fn new_seed() -> Result<Zeroizing<[u8; SEED]>> {
    let mut seed = Zeroizing::new([0; SEED]);
    SystemRandom::new().fill(&mut *seed).map_err(|_| {
        CredentialsError::new(ErrorKind::Internal, "auth", "this machine gives no random numbers")
    })?;
    Ok(seed)
}

fn path(context: &Context, store_id: &str) -> Result<PathBuf> {
    let folder = aws_folder(&context.env).ok_or_else(|| {
        error_of("HOME is not set, and no key is given to seal the signing key under".to_owned())
            .with_help("give --seal-key")
    })?;
    Ok(folder.join("rolecall/keys").join(format!("{store_id}.key")))
}

fn failed(path: &Path, what: &str, error: io::Error) -> CredentialsError {
    error_of(format!("the signing key {} cannot be {what}: {error}", path.display()))
        .with_source(error)
}

fn error_of(message: String) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "auth", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_thumbprint_of_rfc_8037() {
        // RFC 8037, appendices A.1 to A.3.
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let key = SigningKey::of(&hex::decode(seed).unwrap()).unwrap();
        assert_eq!(key.id, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let jwk = key.stored(None).to_jwk();
        assert_eq!(jwk["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    }
}
