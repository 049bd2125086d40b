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

const NOT_A_KEY: &str = "the key is one of the kit's files, or just made";
const WRITTEN: &str = "a key can be written";

/// A private key that can sign.
pub(super) struct PrivateKey {
    pkcs8: Vec<u8>,
    kind: Kind,
}

enum Kind {
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
    /// An RSA key of the kit's own files.
    pub(super) fn rsa(pkcs8: &[u8]) -> PrivateKey {
        let kind = Kind::Rsa(RsaKeyPair::from_pkcs8(pkcs8).expect(NOT_A_KEY));
        PrivateKey { pkcs8: pkcs8.to_vec(), kind }
    }

    /// The same on P-256.
    pub(super) fn p256(pkcs8: &[u8]) -> PrivateKey {
        let rng = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &rng);
        PrivateKey { pkcs8: pkcs8.to_vec(), kind: Kind::P256(key.expect(NOT_A_KEY)) }
    }

    /// The same on P-384.
    pub(super) fn p384(pkcs8: &[u8]) -> PrivateKey {
        let key = p384::ecdsa::SigningKey::from_pkcs8_der(pkcs8).expect(NOT_A_KEY);
        PrivateKey { pkcs8: pkcs8.to_vec(), kind: Kind::P384(key) }
    }

    /// A new key on P-256.
    pub(super) fn new_p256() -> PrivateKey {
        let rng = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &rng);
        PrivateKey::p256(pkcs8.expect("the system has random bytes").as_ref())
    }

    /// A new key on P-384.
    pub(super) fn new_p384() -> PrivateKey {
        loop {
            // Hardly ever beyond the group's order.
            if let Ok(key) = p384::SecretKey::from_slice(&doors::random::<48>()) {
                let pkcs8 = key.to_pkcs8_der().expect(WRITTEN).as_bytes().to_vec();
                return PrivateKey { pkcs8, kind: Kind::P384(key.into()) };
            }
        }
    }

    /// A new key on P-521.
    pub(super) fn new_p521() -> PrivateKey {
        loop {
            let mut bytes = doors::random::<66>();
            bytes[0] &= 1;
            if let Ok(key) = p521::SecretKey::from_slice(&bytes) {
                let pkcs8 = key.to_pkcs8_der().expect(WRITTEN).as_bytes().to_vec();
                return PrivateKey { pkcs8, kind: Kind::P521(key.into()) };
            }
        }
    }

    /// The key in PKCS#8.
    pub(super) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    pub(super) fn is_rsa(&self) -> bool {
        matches!(self.kind, Kind::Rsa(_))
    }

    /// The public key as `SubjectPublicKeyInfo`.
    pub(super) fn public_key(&self) -> Vec<u8> {
        match &self.kind {
            Kind::Rsa(key) => der::rsa_public_key(key.public_key().as_ref()),
            Kind::P256(key) => der::ec_public_key(der::P256, key.public_key().as_ref()),
            Kind::P384(key) => {
                der::ec_public_key(der::P384, key.verifying_key().to_sec1_point(false).as_bytes())
            }
            Kind::P521(key) => {
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
        match &self.kind {
            Kind::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &rng, message, &mut signature).expect("RSA signs");
                signature
            }
            Kind::P256(key) => key.sign(&rng, message).expect("P-256 signs").as_ref().to_vec(),
            Kind::P384(key) => {
                let signature: p384::ecdsa::Signature =
                    key.sign_prehash(hash.as_ref()).expect("P-384 signs");
                signature.to_der().as_bytes().to_vec()
            }
            Kind::P521(key) => {
                let signature: p521::ecdsa::Signature =
                    key.sign_prehash(hash.as_ref()).expect("P-521 signs");
                signature.to_der().as_bytes().to_vec()
            }
        }
    }
}
