//! Private keys: those of the kit's authorities, and those that it hands out with certificates.

use p384::ecdsa::signature::hazmat::PrehashSigner;
use p384::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ring::digest;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};

use super::der;
use crate::doors;

const NOT_A_KEY: &str = "the key is one that was made here";

/// A private key that can sign.
pub(super) enum PrivateKey {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// Which digest is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    /// Too weak, for those who must refuse it; P-384 keys alone sign it.
    Sha1,
    Sha256,
}

impl PrivateKey {
    /// A key in PKCS#8, of the kit's own files or just made.
    pub(super) fn rsa(pkcs8: &[u8]) -> PrivateKey {
        PrivateKey::Rsa(RsaKeyPair::from_pkcs8(pkcs8).expect(NOT_A_KEY))
    }

    /// The same for P-256.
    pub(super) fn p256(pkcs8: &[u8]) -> PrivateKey {
        let rng = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &rng);
        PrivateKey::P256(key.expect(NOT_A_KEY))
    }

    /// The same for P-384.
    pub(super) fn p384(pkcs8: &[u8]) -> PrivateKey {
        PrivateKey::P384(p384::ecdsa::SigningKey::from_pkcs8_der(pkcs8).expect(NOT_A_KEY))
    }

    /// The same for P-521.
    pub(super) fn p521(pkcs8: &[u8]) -> PrivateKey {
        PrivateKey::P521(p521::ecdsa::SigningKey::from_pkcs8_der(pkcs8).expect(NOT_A_KEY))
    }

    /// The public key as `SubjectPublicKeyInfo`.
    pub(super) fn public_key(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => der::rsa_public_key(key.public_key().as_ref()),
            Self::P256(key) => der::ec_public_key(der::P256, key.public_key().as_ref()),
            Self::P384(key) => {
                der::ec_public_key(der::P384, key.verifying_key().to_sec1_point(false).as_bytes())
            }
            Self::P521(key) => {
                der::ec_public_key(der::P521, key.verifying_key().to_sec1_point(false).as_bytes())
            }
        }
    }

    /// Signs: PKCS#1 v1.5 for RSA, DER for the others.
    pub(super) fn sign(&self, digest: Digest, message: &[u8]) -> Vec<u8> {
        let rng = SystemRandom::new();
        let hash = digest::digest(
            match digest {
                Digest::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
                Digest::Sha256 => &digest::SHA256,
            },
            message,
        );
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &rng, message, &mut signature).expect("RSA signs");
                signature
            }
            Self::P256(key) => key.sign(&rng, message).expect("P-256 signs").as_ref().to_vec(),
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature =
                    key.sign_prehash(hash.as_ref()).expect("P-384 signs");
                signature.to_der().as_bytes().to_vec()
            }
            Self::P521(key) => {
                let signature: p521::ecdsa::Signature =
                    key.sign_prehash(hash.as_ref()).expect("P-521 signs");
                signature.to_der().as_bytes().to_vec()
            }
        }
    }
}

/// A new P-256 key in PKCS#8.
pub(super) fn new_p256() -> Vec<u8> {
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
        .expect("the system has random bytes")
        .as_ref()
        .to_vec()
}

/// A new P-384 key in PKCS#8.
pub(super) fn new_p384() -> Vec<u8> {
    loop {
        // Hardly ever beyond the group's order.
        if let Ok(key) = p384::SecretKey::from_slice(&doors::random::<48>()) {
            return key.to_pkcs8_der().expect("a key can be written").as_bytes().to_vec();
        }
    }
}

/// A new P-521 key in PKCS#8.
pub(super) fn new_p521() -> Vec<u8> {
    loop {
        let mut bytes = doors::random::<66>();
        bytes[0] &= 1;
        if let Ok(key) = p521::SecretKey::from_slice(&bytes) {
            return key.to_pkcs8_der().expect("a key can be written").as_bytes().to_vec();
        }
    }
}
