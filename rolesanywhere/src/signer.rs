use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use rolecall_core::Result;

/// What kind of key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// RSA; signatures are PKCS#1 v1.5 (RFC 8017, 8.2).
    Rsa {
        /// The length of the modulus in bits.
        bits: u32,
    },
    /// ECDSA on NIST P-256; signatures are DER (RFC 3279, 2.2.3), as on the other curves.
    P256,
    /// ECDSA on NIST P-384.
    P384,
    /// ECDSA on NIST P-521.
    P521,
}

/// `RSA 2048`, `EC P-256`.
impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
            Self::P256 => f.write_str("EC P-256"),
            Self::P384 => f.write_str("EC P-384"),
            Self::P521 => f.write_str("EC P-521"),
        }
    }
}

/// The digest that is signed. Roles Anywhere takes SHA-256 alone, whatever the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// Signs with a private key, wherever that lies.
#[async_trait]
pub trait Signer: Debug + Send + Sync {
    /// What kind of key it is.
    fn kind(&self) -> KeyKind;

    /// The public key as a DER `SubjectPublicKeyInfo` (RFC 5280, 4.1.2.7). The leaf certificate is
    /// found by it.
    fn public_key(&self) -> &[u8];

    /// The signature of `message`: PKCS#1 v1.5 for RSA, DER for ECDSA.
    ///
    /// # Errors
    /// `Denied` if the key may not be used (a wrong PIN), `Unavailable` if it is out of reach,
    /// `Internal` if signing fails.
    async fn sign(&self, digest: Digest, message: &[u8]) -> Result<Vec<u8>>;
}

/// A signer that can be shared.
pub type SharedSigner = Arc<dyn Signer>;
