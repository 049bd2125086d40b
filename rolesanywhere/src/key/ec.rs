use p384::ecdsa::signature::hazmat::PrehashSigner;
use pkcs8::der::{Decode, Tag, TagNumber, Tagged};
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rolecall_core::{CredentialsError, Result};
use zeroize::Zeroizing;

use super::form::elements;
use super::spki::{P256, P384, P521};
use super::{SUPPORTED, failed, refuse};
use crate::{Digest, KeyKind};

/// ring signs faster, but P-256 with SHA-256 and P-384 with SHA-384 alone, and it wants the public
/// key to come with the private one.
pub(super) enum EcKey {
    P256(Box<P256Key>),
    P384(Box<p384::ecdsa::SigningKey>),
    P521(Box<p521::ecdsa::SigningKey>),
}

pub(super) struct P256Key {
    fast: EcdsaKeyPair,
    random: SystemRandom,
    slow: p256::ecdsa::SigningKey,
}

impl EcKey {
    pub(super) fn from_pkcs8(info: &PrivateKeyInfoRef<'_>) -> Result<Self> {
        let curve = info.algorithm.parameters_oid();
        let curve = curve.map_err(|_| refuse("the EC key names no curve").with_help(SUPPORTED))?;
        Self::new(
            curve,
            || p256::SecretKey::try_from(info.clone()).ok(),
            || p384::SecretKey::try_from(info.clone()).ok(),
            || p521::SecretKey::try_from(info.clone()).ok(),
        )
    }

    pub(super) fn from_sec1(der: &[u8]) -> Result<Self> {
        // Source: RFC 5915, 3: `parameters [0] ECParameters OPTIONAL`, here always a named curve.
        let parameters = elements(der).into_iter().flatten().find(|element| {
            matches!(element.tag(), Tag::ContextSpecific { number: TagNumber(0), .. })
        });
        let curve = parameters.and_then(|found| ObjectIdentifier::from_der(found.value()).ok());
        let curve = curve.ok_or_else(|| {
            refuse("the EC key names no curve")
                .with_help("convert it where it was made: openssl pkcs8 -topk8 -nodes -in KEY")
        })?;
        Self::new(
            curve,
            || p256::SecretKey::from_sec1_der(der).ok(),
            || p384::SecretKey::from_sec1_der(der).ok(),
            || p521::SecretKey::from_sec1_der(der).ok(),
        )
    }

    fn new(
        curve: ObjectIdentifier,
        p256: impl FnOnce() -> Option<p256::SecretKey>,
        p384: impl FnOnce() -> Option<p384::SecretKey>,
        p521: impl FnOnce() -> Option<p521::SecretKey>,
    ) -> Result<Self> {
        let broken = || refuse("the EC key is broken: its parts do not fit its curve");
        Ok(match curve {
            P256 => Self::P256(Box::new(P256Key::new(&p256().ok_or_else(broken)?)?)),
            P384 => Self::P384(Box::new(p384().ok_or_else(broken)?.into())),
            P521 => Self::P521(Box::new(p521().ok_or_else(broken)?.into())),
            other => return Err(unsupported(other)),
        })
    }

    pub(super) fn curve(&self) -> ObjectIdentifier {
        match self {
            Self::P256(_) => P256,
            Self::P384(_) => P384,
            Self::P521(_) => P521,
        }
    }

    pub(super) fn kind(&self) -> KeyKind {
        match self {
            Self::P256(_) => KeyKind::P256,
            Self::P384(_) => KeyKind::P384,
            Self::P521(_) => KeyKind::P521,
        }
    }

    /// The public key as an uncompressed point (SEC 1, 2.3.3).
    pub(super) fn public_point(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => key.slow.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::P384(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::P521(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
        }
    }

    pub(super) fn sign(&self, digest: Digest, message: &[u8]) -> Result<Vec<u8>> {
        if let (Self::P256(key), Digest::Sha256) = (self, digest) {
            let signature = key.fast.sign(&key.random, message).map_err(|_| failed("EC"))?;
            return Ok(signature.as_ref().to_vec());
        }
        let algorithm = match digest {
            Digest::Sha256 => &ring::digest::SHA256,
            Digest::Sha384 => &ring::digest::SHA384,
            Digest::Sha512 => &ring::digest::SHA512,
        };
        let hash = ring::digest::digest(algorithm, message);
        let signature = match self {
            Self::P256(key) => key.slow.sign_prehash(hash.as_ref()).map(der_of_p256),
            Self::P384(key) => key.sign_prehash(hash.as_ref()).map(der_of_p384),
            Self::P521(key) => key.sign_prehash(hash.as_ref()).map(der_of_p521),
        };
        signature.map_err(|_| failed("EC"))
    }
}

impl P256Key {
    fn new(key: &p256::SecretKey) -> Result<Self> {
        let scalar = Zeroizing::new(key.to_bytes());
        let slow = p256::ecdsa::SigningKey::from(key);
        let point = slow.verifying_key().to_sec1_point(false);
        let random = SystemRandom::new();
        let fast = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            scalar.as_slice(),
            point.as_bytes(),
            &random,
        );
        let fast = fast.map_err(|flaw| refuse(format!("the EC key cannot be used: {flaw}")))?;
        Ok(Self { fast, random, slow })
    }
}

fn der_of_p256(signature: p256::ecdsa::Signature) -> Vec<u8> {
    signature.to_der().as_bytes().to_vec()
}

fn der_of_p384(signature: p384::ecdsa::Signature) -> Vec<u8> {
    signature.to_der().as_bytes().to_vec()
}

fn der_of_p521(signature: p521::ecdsa::Signature) -> Vec<u8> {
    signature.to_der().as_bytes().to_vec()
}

fn unsupported(curve: ObjectIdentifier) -> CredentialsError {
    let name = match curve.to_string().as_str() {
        "1.3.132.0.10" => "secp256k1".to_owned(),
        "1.3.132.0.33" => "P-224".to_owned(),
        "1.2.840.10045.3.1.1" => "P-192".to_owned(),
        "1.3.36.3.3.2.8.1.1.7" => "brainpoolP256r1".to_owned(),
        "1.3.36.3.3.2.8.1.1.11" => "brainpoolP384r1".to_owned(),
        "1.3.36.3.3.2.8.1.1.13" => "brainpoolP512r1".to_owned(),
        other => other.to_owned(),
    };
    refuse(format!("it is an EC key on the curve {name}")).with_help(SUPPORTED)
}
