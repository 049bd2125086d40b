//! Signatures of certificates and requests, checked with a public key.

use p384::ecdsa::signature::hazmat::PrehashVerifier;
use ring::{digest, signature};
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

const RSA: &str = "1.2.840.113549.1.1.1";
const EC: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const P521: &str = "1.3.132.0.35";

/// A digest of those that are strong enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn of(self, message: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, message)
    }
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// PKCS#1 v1.5.
    Rsa,
    /// Signatures are DER.
    Ecdsa,
}

/// The algorithm of a certificate's signature; `None` for those that are too weak, and for those
/// that the kit does not know.
pub(super) fn signature_algorithm(identifier: &AlgorithmIdentifier<'_>) -> Option<(Family, Hash)> {
    Some(match identifier.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.11" => (Family::Rsa, Hash::Sha256),
        "1.2.840.113549.1.1.12" => (Family::Rsa, Hash::Sha384),
        "1.2.840.113549.1.1.13" => (Family::Rsa, Hash::Sha512),
        "1.2.840.10045.4.3.2" => (Family::Ecdsa, Hash::Sha256),
        "1.2.840.10045.4.3.3" => (Family::Ecdsa, Hash::Sha384),
        "1.2.840.10045.4.3.4" => (Family::Ecdsa, Hash::Sha512),
        _ => return None,
    })
}

/// Whether a signature is right.
pub(super) fn verifies(
    key: &SubjectPublicKeyInfo<'_>,
    family: Family,
    hash: Hash,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let bytes: &[u8] = &key.subject_public_key.data;
    let curve = || key.algorithm.parameters.as_ref()?.as_oid().ok().map(|oid| oid.to_id_string());
    let by_ring = |algorithm: &'static dyn signature::VerificationAlgorithm| {
        signature::UnparsedPublicKey::new(algorithm, bytes).verify(message, signature).is_ok()
    };
    match (key.algorithm.algorithm.to_id_string().as_str(), family) {
        (RSA, Family::Rsa) => by_ring(match hash {
            Hash::Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Hash::Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Hash::Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        }),
        (EC, Family::Ecdsa) => match (curve().as_deref(), hash) {
            (Some(P256), Hash::Sha256) => by_ring(&signature::ECDSA_P256_SHA256_ASN1),
            (Some(P256), Hash::Sha384) => by_ring(&signature::ECDSA_P256_SHA384_ASN1),
            (Some(P384), Hash::Sha256) => by_ring(&signature::ECDSA_P384_SHA256_ASN1),
            (Some(P384), Hash::Sha384) => by_ring(&signature::ECDSA_P384_SHA384_ASN1),
            (Some(P384), Hash::Sha512) => p384_verifies(bytes, hash.of(message), signature),
            (Some(P521), _) => p521_verifies(bytes, hash.of(message), signature),
            _ => false,
        },
        _ => false,
    }
}

fn p384_verifies(point: &[u8], digest: digest::Digest, signature: &[u8]) -> bool {
    use p384::ecdsa::{Signature, VerifyingKey};
    let key = VerifyingKey::from_sec1_bytes(point).ok();
    let signature = Signature::from_der(signature).ok();
    key.zip(signature)
        .is_some_and(|(key, signature)| key.verify_prehash(digest.as_ref(), &signature).is_ok())
}

fn p521_verifies(point: &[u8], digest: digest::Digest, signature: &[u8]) -> bool {
    use p521::ecdsa::{Signature, VerifyingKey};
    let key = VerifyingKey::from_sec1_bytes(point).ok();
    let signature = Signature::from_der(signature).ok();
    key.zip(signature)
        .is_some_and(|(key, signature)| key.verify_prehash(digest.as_ref(), &signature).is_ok())
}
