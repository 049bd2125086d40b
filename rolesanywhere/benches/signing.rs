//! The `Authorization` of a call, beside the bare signature in it.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has no figures")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::SystemTime;

use criterion::{Criterion, criterion_group, criterion_main};
use p384::ecdsa::signature::hazmat::PrehashSigner;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rolecall_kit::rolesanywhere::{KeyType, NewCertificate};
use rolecall_kit::{Kit, World};
use rolecall_rolesanywhere::{Certificate, Identity, PrivateKey, SessionCall};

/// About as long as a string to sign.
const MESSAGE: [u8; 160] = [7; 160];

type Bare = Box<dyn Fn() -> Vec<u8>>;

fn signing(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let kit = Kit::start(World::default());
    for (name, key) in
        [("RSA 2048", KeyType::Rsa2048), ("P-256", KeyType::P256), ("P-384", KeyType::P384)]
    {
        let new = NewCertificate { key, ..NewCertificate::default() };
        let issued = kit.issue(&new);
        let leaf = Certificate::from_der(&issued.ders()[0]).unwrap();
        let der = key_der(issued.private_key.as_ref().unwrap().expose());
        let signer = Arc::new(PrivateKey::from_der(&der).unwrap());
        let identity = Identity::new(signer, vec![leaf], SystemTime::UNIX_EPOCH).unwrap();
        let call = SessionCall {
            host: "rolesanywhere.eu-west-1.amazonaws.com",
            region: "eu-west-1",
            query: "profileArn=a&roleArn=b&trustAnchorArn=c",
            body: br#"{"durationSeconds":3600}"#,
            time: SystemTime::UNIX_EPOCH,
        };
        let bare = bare(key, &der);
        criterion.bench_function(&format!("{name}, bare signature"), |b| b.iter(&bare));
        criterion.bench_function(&format!("{name}, whole Authorization"), |b| {
            b.to_async(&runtime).iter(|| async { black_box(call.authorization(&identity).await) });
        });
    }
}

/// A signature by the crypto library alone.
fn bare(key: KeyType, der: &[u8]) -> Bare {
    let chance = SystemRandom::new();
    match key {
        KeyType::Rsa2048 => {
            let pair = RsaKeyPair::from_pkcs8(der).unwrap();
            Box::new(move || {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &chance, &MESSAGE, &mut signature).unwrap();
                signature
            })
        }
        KeyType::P256 => {
            let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, der, &chance).unwrap();
            Box::new(move || pair.sign(&chance, &MESSAGE).unwrap().as_ref().to_vec())
        }
        _ => {
            use p384::pkcs8::DecodePrivateKey;
            let pair = p384::ecdsa::SigningKey::from_pkcs8_der(der).unwrap();
            Box::new(move || {
                let hash = digest(&SHA256, &MESSAGE);
                let signature: p384::ecdsa::Signature = pair.sign_prehash(hash.as_ref()).unwrap();
                signature.to_der().as_bytes().to_vec()
            })
        }
    }
}

fn key_der(pem: &str) -> Vec<u8> {
    use base64::Engine;
    let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

criterion_group!(benches, signing);
criterion_main!(benches);
