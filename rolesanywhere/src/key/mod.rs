//! Private keys in memory, and the files that hold them.

mod ec;
pub(crate) mod encrypted;
mod form;
pub(crate) mod pkcs12;
mod rsa;
pub(crate) mod spki;
mod work;

use std::fmt;

use async_trait::async_trait;
use pkcs8::der::Decode;
use pkcs8::der::asn1::AnyRef;
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use rolecall_core::{CredentialsError, ErrorKind, Result};

use self::ec::EcKey;
pub(crate) use self::form::Form;
use self::rsa::RsaKey;
use self::spki::{EC, RSA, spki};
use crate::unsupported::not_supported;
use crate::{Digest, KeyKind, Signer};

/// As errors name what fails here.
pub(crate) const PROVIDER: &str = "private key";
/// What can be used, for messages about what cannot.
pub(crate) const SUPPORTED: &str =
    "use an RSA key of 2048 to 4096 bits or an EC key on P-256, P-384 or P-521";

/// A private key in memory: RSA of 2048 to 4096 bits, or EC on P-256, P-384 or P-521.
///
/// ```
/// use rolecall_rolesanywhere::{Digest, KeyKind, PrivateKey, Signer};
/// # fn main() -> rolecall_core::Result<()> {
/// # let der = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_der();
/// let key = PrivateKey::from_der(&der)?;
/// assert_eq!(key.kind(), KeyKind::P256);
/// let signature = key.sign_now(Digest::Sha256, b"text")?;
/// # assert_eq!(signature[0], 0x30);
/// # Ok(())
/// # }
/// ```
pub struct PrivateKey {
    key: Key,
    public_key: Vec<u8>,
}

enum Key {
    Rsa(Box<RsaKey>),
    Ec(EcKey),
}

impl PrivateKey {
    /// Reads DER in PKCS#8 (RFC 5958), PKCS#1 (RFC 8017) or SEC 1 (RFC 5915), unencrypted.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it is no such key, or of a kind that cannot be used here.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let key = match Form::of(der) {
            Some(Form::Pkcs8) => Self::from_pkcs8(der)?,
            Some(Form::Pkcs1) => Key::Rsa(Box::new(RsaKey::from_pkcs1(der)?)),
            Some(Form::Sec1) => Key::Ec(EcKey::from_sec1(der)?),
            Some(other) => {
                return Err(refuse(format!(
                    "there is {} where a private key belongs",
                    other.name()
                )));
            }
            None => return Err(refuse("this is no private key in DER")),
        };
        let public_key = match &key {
            Key::Rsa(key) => spki(RSA, AnyRef::NULL, key.public_key()),
            Key::Ec(key) => spki(EC, AnyRef::from(&key.curve()), &key.public_point()),
        };
        let public_key = public_key.map_err(|flaw| {
            let message = "its public key cannot be written";
            CredentialsError::new(ErrorKind::Internal, PROVIDER, message).with_source(flaw)
        })?;
        Ok(Self { key, public_key })
    }

    fn from_pkcs8(der: &[u8]) -> Result<Key> {
        let info = PrivateKeyInfoRef::from_der(der)
            .map_err(|flaw| refuse(format!("it is broken: {flaw}")))?;
        match info.algorithm.oid {
            RSA => Ok(Key::Rsa(Box::new(RsaKey::from_pkcs1(info.private_key.as_bytes())?))),
            EC => Ok(Key::Ec(EcKey::from_pkcs8(&info)?)),
            other => Err(unsupported(other)),
        }
    }

    /// Signs at once; see [`Signer::sign`].
    ///
    /// # Errors
    /// `Internal` if signing fails.
    pub fn sign_now(&self, digest: Digest, message: &[u8]) -> Result<Vec<u8>> {
        match &self.key {
            Key::Rsa(key) => key.sign(digest, message),
            Key::Ec(key) => key.sign(digest, message),
        }
    }
}

#[async_trait]
impl Signer for PrivateKey {
    fn kind(&self) -> KeyKind {
        match &self.key {
            Key::Rsa(key) => KeyKind::Rsa { bits: key.bits() },
            Key::Ec(key) => key.kind(),
        }
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    async fn sign(&self, digest: Digest, message: &[u8]) -> Result<Vec<u8>> {
        self.sign_now(digest, message)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

/// A key of a kind that is known but cannot be used.
fn unsupported(algorithm: ObjectIdentifier) -> CredentialsError {
    let name = match algorithm.to_string().as_str() {
        "1.3.101.112" => "an Ed25519 key".to_owned(),
        "1.3.101.113" => "an Ed448 key".to_owned(),
        "1.3.101.110" | "1.3.101.111" => "a key for key agreement".to_owned(),
        "1.2.840.113549.1.1.10" => "an RSA key for PSS alone".to_owned(),
        "1.2.840.10040.4.1" => "a DSA key".to_owned(),
        "2.16.840.1.101.3.4.3.17" => "an ML-DSA-44 key".to_owned(),
        "2.16.840.1.101.3.4.3.18" => "an ML-DSA-65 key".to_owned(),
        "2.16.840.1.101.3.4.3.19" => "an ML-DSA-87 key".to_owned(),
        other => format!("a key of the algorithm {other}"),
    };
    let error = match name.contains("ML-DSA") {
        true => not_supported(refuse(format!("it is {name}, which is not supported yet"))),
        false => refuse(format!("it is {name}")),
    };
    error.with_help(SUPPORTED)
}

pub(crate) fn refuse(message: impl Into<String>) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
}

/// A signature that could not be made.
fn failed(kind: &str) -> CredentialsError {
    let message = format!("signing with the {kind} key failed");
    CredentialsError::new(ErrorKind::Internal, PROVIDER, message)
}

#[cfg(test)]
mod tests;
