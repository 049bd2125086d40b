//! Signatures as tokens make them and as X.509 wants them.

use cryptoki::mechanism::{Mechanism, MechanismType};
use pkcs8::der::asn1::{BitStringRef, UintRef};
use pkcs8::der::{Encode, Header, Tag};
use pkcs8::spki::SubjectPublicKeyInfoRef;
use ring::signature as ring_signature;
use rolecall_core::{ErrorKind, Result};

use super::failure::fail;
use crate::{Digest, KeyKind};

/// How a token is asked for a signature.
pub(super) struct Request {
    pub(super) mechanism: Mechanism<'static>,
    /// The message, its digest, or that with its algorithm in front: what the mechanism wants.
    pub(super) data: Vec<u8>,
}

impl Request {
    /// Chooses among the mechanisms that the token has; an empty list is one that it does not tell.
    /// `in_parts`: the call comes in parts (see [`super::signer`]), for which PKCS#11 has defined
    /// only those mechanisms that hash.
    pub(super) fn new(
        kind: KeyKind,
        digest: Digest,
        message: &[u8],
        mechanisms: &[MechanismType],
        in_parts: bool,
    ) -> Self {
        let hash = hash(digest, message);
        let has = |mechanism: &Mechanism<'_>| mechanisms.contains(&mechanism.mechanism_type());
        if let KeyKind::Rsa { .. } = kind {
            let hashing = match digest {
                Digest::Sha256 => Mechanism::Sha256RsaPkcs,
                Digest::Sha384 => Mechanism::Sha384RsaPkcs,
                Digest::Sha512 => Mechanism::Sha512RsaPkcs,
            };
            if has(&hashing) || !has(&Mechanism::RsaPkcs) {
                return Self { mechanism: hashing, data: message.to_vec() };
            }
            let data = [digest_info(digest), hash.as_ref()].concat();
            return Self { mechanism: Mechanism::RsaPkcs, data };
        }
        let hashing = match digest {
            Digest::Sha256 => Mechanism::EcdsaSha256,
            Digest::Sha384 => Mechanism::EcdsaSha384,
            Digest::Sha512 => Mechanism::EcdsaSha512,
        };
        if in_parts && has(&hashing) || has(&hashing) && !has(&Mechanism::Ecdsa) {
            return Self { mechanism: hashing, data: message.to_vec() };
        }
        // The leftmost bits (FIPS 186-5, 6.4.1), which not every token takes by itself.
        let length = hash.as_ref().len().min(order_length(kind));
        Self { mechanism: Mechanism::Ecdsa, data: hash.as_ref()[..length].to_vec() }
    }
}

/// The signature in the form of [`crate::Signer::sign`].
///
/// # Errors
/// `Internal` if it has a length that cannot be.
pub(super) fn finish(kind: KeyKind, raw: Vec<u8>) -> Result<Vec<u8>> {
    if let KeyKind::Rsa { .. } = kind {
        return Ok(raw);
    }
    let half = raw.len() / 2;
    let encoded = (raw.len().is_multiple_of(2) && (1..=order_length(kind)).contains(&half))
        .then(|| ecdsa_der(&raw[..half], &raw[half..]).ok())
        .flatten();
    encoded.ok_or_else(|| {
        let message = format!("the token's signature has {} bytes, as none of this key", raw.len());
        fail(ErrorKind::Internal, message)
    })
}

/// `SEQUENCE { r INTEGER, s INTEGER }` (RFC 3279, 2.2.3).
fn ecdsa_der(r: &[u8], s: &[u8]) -> pkcs8::der::Result<Vec<u8>> {
    let (r, s) = (UintRef::new(r)?, UintRef::new(s)?);
    let mut der = Vec::new();
    Header::new(Tag::Sequence, (r.encoded_len()? + s.encoded_len()?)?).encode_to_vec(&mut der)?;
    r.encode_to_vec(&mut der)?;
    s.encode_to_vec(&mut der)?;
    Ok(der)
}

/// Whether `signature` was made with the key that belongs to `public_key`
/// (`SubjectPublicKeyInfo`).
pub(super) fn verifies(
    kind: KeyKind,
    public_key: &[u8],
    digest: Digest,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let Ok(info) = SubjectPublicKeyInfoRef::try_from(public_key) else { return false };
    let Some(key) = BitStringRef::as_bytes(&info.subject_public_key) else { return false };
    let hash = hash(digest, message);
    let hash = hash.as_ref();
    macro_rules! ecdsa {
        ($curve:ident) => {{
            use $curve::ecdsa::signature::hazmat::PrehashVerifier;
            use $curve::ecdsa::{Signature, VerifyingKey};
            let key = VerifyingKey::from_sec1_bytes(key);
            let signature = Signature::from_der(signature);
            matches!((key, signature), (Ok(key), Ok(signature))
                if key.verify_prehash(hash, &signature).is_ok())
        }};
    }
    match kind {
        KeyKind::P256 => ecdsa!(p256),
        KeyKind::P384 => ecdsa!(p384),
        KeyKind::P521 => ecdsa!(p521),
        KeyKind::Rsa { .. } => {
            let algorithm = match digest {
                Digest::Sha256 => &ring_signature::RSA_PKCS1_2048_8192_SHA256,
                Digest::Sha384 => &ring_signature::RSA_PKCS1_2048_8192_SHA384,
                Digest::Sha512 => &ring_signature::RSA_PKCS1_2048_8192_SHA512,
            };
            let key = ring_signature::UnparsedPublicKey::new(algorithm, key);
            key.verify(message, signature).is_ok()
        }
    }
}

fn hash(digest: Digest, message: &[u8]) -> ring::digest::Digest {
    let algorithm = match digest {
        Digest::Sha256 => &ring::digest::SHA256,
        Digest::Sha384 => &ring::digest::SHA384,
        Digest::Sha512 => &ring::digest::SHA512,
    };
    ring::digest::digest(algorithm, message)
}

/// The start of a `DigestInfo` (RFC 8017, 9.2, note 1).
fn digest_info(digest: Digest) -> &'static [u8] {
    match digest {
        Digest::Sha256 => {
            b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
        }
        Digest::Sha384 => {
            b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"
        }
        Digest::Sha512 => {
            b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
        }
    }
}

/// The length of the curve's order in bytes.
fn order_length(kind: KeyKind) -> usize {
    match kind {
        KeyKind::P256 => 32,
        KeyKind::P384 => 48,
        _ => 66,
    }
}
