//! Algorithms and public keys, as keys, certificates and tokens name and write them.

use pkcs8::ObjectIdentifier;
use pkcs8::der::asn1::{AnyRef, BitStringRef};
use pkcs8::der::{self, Encode};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::KeyKind;

// Source: RFC 8017, A.1, and RFC 5480, 2.1.1.
pub(crate) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(crate) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(crate) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(crate) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
pub(crate) const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// The kind of an EC key on `curve`, if it is one that can be used here.
pub(crate) fn kind_on(curve: ObjectIdentifier) -> Option<KeyKind> {
    match curve {
        P256 => Some(KeyKind::P256),
        P384 => Some(KeyKind::P384),
        P521 => Some(KeyKind::P521),
        _ => None,
    }
}

/// A DER `SubjectPublicKeyInfo` (RFC 5280, 4.1.2.7).
pub(crate) fn spki(
    algorithm: ObjectIdentifier,
    parameters: AnyRef<'_>,
    key: &[u8],
) -> der::Result<Vec<u8>> {
    SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef { oid: algorithm, parameters: Some(parameters) },
        subject_public_key: BitStringRef::from_bytes(key)?,
    }
    .to_der()
}
