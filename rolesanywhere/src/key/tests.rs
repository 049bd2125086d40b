use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};
use tempfile::TempDir;

use super::*;
use crate::testing::{self, openssl};

/// A key that openssl makes; DER in PKCS#8.
fn generate(options: &str) -> Vec<u8> {
    openssl(&format!("genpkey -outform DER {options}"), b"")
}

fn generate_ec(curve: &str) -> Vec<u8> {
    generate(&format!("-algorithm EC -pkeyopt ec_paramgen_curve:{curve}"))
}

fn generate_rsa(bits: u32) -> Vec<u8> {
    generate(&format!("-algorithm RSA -pkeyopt rsa_keygen_bits:{bits}"))
}

/// The same key in PKCS#1 or SEC 1, which openssl writes in PEM alone.
fn traditional(pkcs8: &[u8]) -> Vec<u8> {
    let pem = String::from_utf8(openssl("pkey -inform DER -traditional", pkcs8)).unwrap();
    assert!(pem.contains("BEGIN RSA PRIVATE KEY") || pem.contains("BEGIN EC PRIVATE KEY"));
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = testing::base64(&base64.into());
    assert_ne!(Form::of(&der), Some(Form::Pkcs8));
    der
}

fn public_bits(key: &PrivateKey) -> Vec<u8> {
    let info = pkcs8::spki::SubjectPublicKeyInfoRef::from_der(key.public_key());
    info.unwrap().subject_public_key.raw_bytes().to_vec()
}

fn verifies(key: &PrivateKey, digest: Digest, by: &'static dyn VerificationAlgorithm) {
    let signature = key.sign_now(digest, b"message").unwrap();
    let public = UnparsedPublicKey::new(by, public_bits(key));
    public.verify(b"message", &signature).unwrap();
    assert!(public.verify(b"another", &signature).is_err());
}

/// What openssl says of our signature.
fn openssl_verifies(key: &PrivateKey, digest: Digest, name: &str) {
    let folder = TempDir::new().unwrap();
    let write = |file: &str, bytes: &[u8]| {
        let fs = rolecall_core::Fs::rooted(folder.path());
        fs.write(std::path::Path::new(&format!("/{file}")), bytes).unwrap();
        folder.path().join(file).display().to_string()
    };
    let public = write("public", key.public_key());
    let signature = write("signature", &key.sign_now(digest, b"message").unwrap());
    let said = openssl(
        &format!("dgst -{name} -keyform DER -verify {public} -signature {signature}"),
        b"message",
    );
    assert_eq!(said, b"Verified OK\n");
}

#[test]
fn rsa_keys_sign_with_every_digest_whatever_their_form() {
    let pkcs8 = generate_rsa(2048);
    let key = PrivateKey::from_der(&pkcs8).unwrap();
    assert_eq!(key.kind(), KeyKind::Rsa { bits: 2048 });
    assert_eq!(key.public_key(), openssl("pkey -inform DER -pubout -outform DER", &pkcs8));
    verifies(&key, Digest::Sha256, &RSA_PKCS1_2048_8192_SHA256);
    verifies(&key, Digest::Sha384, &RSA_PKCS1_2048_8192_SHA384);
    verifies(&key, Digest::Sha512, &RSA_PKCS1_2048_8192_SHA512);
    let same = PrivateKey::from_der(&traditional(&pkcs8)).unwrap();
    assert_eq!(same.public_key(), key.public_key());
    let sign = |key: &PrivateKey| key.sign_now(Digest::Sha256, b"message").unwrap();
    assert_eq!(sign(&same), sign(&key));
}

#[test]
fn rsa_keys_of_3072_and_4096_bits_are_taken() {
    for bits in [3072, 4096] {
        let key = PrivateKey::from_der(&generate_rsa(bits)).unwrap();
        assert_eq!(key.kind(), KeyKind::Rsa { bits });
    }
}

#[test]
fn ec_keys_sign_with_every_digest_whatever_their_form() {
    let digests =
        [(Digest::Sha256, "sha256"), (Digest::Sha384, "sha384"), (Digest::Sha512, "sha512")];
    for (curve, kind) in
        [("P-256", KeyKind::P256), ("P-384", KeyKind::P384), ("P-521", KeyKind::P521)]
    {
        let pkcs8 = generate_ec(curve);
        let key = PrivateKey::from_der(&pkcs8).unwrap();
        assert_eq!(key.kind(), kind);
        assert_eq!(key.public_key(), openssl("pkey -inform DER -pubout -outform DER", &pkcs8));
        for (digest, name) in digests {
            openssl_verifies(&key, digest, name);
        }
        let same = PrivateKey::from_der(&traditional(&pkcs8)).unwrap();
        assert_eq!(same.public_key(), key.public_key());
    }
    let p256 = PrivateKey::from_der(&generate_ec("P-256")).unwrap();
    verifies(&p256, Digest::Sha256, &ECDSA_P256_SHA256_ASN1);
    verifies(&p256, Digest::Sha384, &ECDSA_P256_SHA384_ASN1);
    let p384 = PrivateKey::from_der(&generate_ec("P-384")).unwrap();
    verifies(&p384, Digest::Sha256, &ECDSA_P384_SHA256_ASN1);
    verifies(&p384, Digest::Sha384, &ECDSA_P384_SHA384_ASN1);
}

#[test]
fn an_ec_key_without_its_public_half_is_taken() {
    for curve in ["P-256", "P-384", "P-521"] {
        let whole = generate_ec(curve);
        let pem = openssl("ec -inform DER -no_public", &whole);
        let half = openssl("pkey -outform DER", &pem);
        assert!(half.len() < whole.len());
        let key = PrivateKey::from_der(&half).unwrap();
        assert_eq!(key.public_key(), PrivateKey::from_der(&whole).unwrap().public_key());
    }
}

#[test]
fn what_cannot_be_used_is_named_with_what_can() {
    for (der, says) in [
        (generate_rsa(1024), "less than 2048 bits"),
        (generate_ec("secp256k1"), "the curve secp256k1"),
        (traditional(&generate_ec("secp256k1")), "the curve secp256k1"),
        (generate_ec("brainpoolP256r1"), "the curve brainpoolP256r1"),
        (generate("-algorithm ED25519"), "an Ed25519 key"),
        (generate("-algorithm X25519"), "a key for key agreement"),
        (generate("-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048"), "RSA key for PSS alone"),
        (ml_dsa(), "an ML-DSA-65 key, which is not supported yet"),
    ] {
        let error = PrivateKey::from_der(&der).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.message().contains(says), "{error}");
        assert_eq!(error.help(), Some(SUPPORTED), "{error}");
    }
}

/// A PKCS#8 key of ML-DSA-65 as its seed alone (RFC 9881), which this openssl cannot make.
fn ml_dsa() -> Vec<u8> {
    let algorithm = [0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12];
    let mut inner = vec![0x02, 0x01, 0x00];
    inner.extend_from_slice(&algorithm);
    inner.extend_from_slice(&[0x04, 0x22, 0x80, 0x20]);
    inner.extend_from_slice(&[7; 32]);
    let mut der = vec![0x30, u8::try_from(inner.len()).unwrap()];
    der.extend_from_slice(&inner);
    der
}

#[test]
fn something_else_is_named() {
    let key = generate_ec("P-256");
    let public = openssl("pkey -inform DER -pubout -outform DER", &key);
    for (der, says) in [
        (public, "there is a public key where"),
        (b"\x30\x00".to_vec(), "no private key in DER"),
        (b"".to_vec(), "no private key in DER"),
        (key[..key.len() - 1].to_vec(), "no private key in DER"),
    ] {
        let error = PrivateKey::from_der(&der).unwrap_err();
        assert!(error.message().contains(says), "{error}");
    }
}

#[test]
fn no_byte_changed_makes_it_panic() {
    for der in [generate_ec("P-256"), traditional(&generate_ec("P-521")), generate_rsa(2048)] {
        for index in 0..der.len().min(80) {
            for bit in 0..8 {
                let mut changed = der.clone();
                changed[index] ^= 1 << bit;
                let _ = PrivateKey::from_der(&changed);
            }
        }
    }
}

#[test]
fn debug_shows_the_kind_and_no_more() {
    let key = PrivateKey::from_der(&generate_ec("P-256")).unwrap();
    assert_eq!(format!("{key:?}"), "PrivateKey { kind: P256, .. }");
}
