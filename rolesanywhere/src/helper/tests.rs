use std::sync::Arc;

use ring::signature::{RSA_PKCS1_2048_8192_SHA384, UnparsedPublicKey};

use super::*;
use crate::PrivateKey;
use crate::testing::{self, Issued, openssl};

#[test]
fn certificate_data_is_what_the_helper_prints() {
    let capture = &testing::captures()[0];
    let der = testing::base64(&capture["leaf_der_base64"]);
    let data = read_certificate_data(&Certificate::from_der(&der).unwrap());
    assert_eq!(
        serde_json::to_string(&data).unwrap(),
        format!(
            "{{\"keyType\":\"RSA\",\"certificateData\":{},\"serialNumber\":\"21\",\
             \"supportedAlgorithms\":[\"RSASHA256\",\"RSASHA384\",\"RSASHA512\"]}}",
            capture["leaf_der_base64"]
        )
    );
    let ec = read_certificate_data(&Issued::new("me", None, &|_| {}).certificate());
    assert_eq!((ec.key_type.as_str(), ec.supported_algorithms[2].as_str()), ("EC", "ECSHA512"));
}

/// The text by its definition, with the public key as openssl writes it.
fn expected(public: &[u8]) -> Vec<u8> {
    let mut hash = Hash::new(&SHA256);
    hash.update(b"IAM RA");
    hash.update(public);
    let mut text = b"AWS Roles Anywhere Credential Helper Signing Test1".to_vec();
    text.extend_from_slice(hash.finish().as_ref());
    text
}

#[tokio::test]
async fn the_fixed_text_holds_a_digest_of_the_public_key() {
    let der = openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER", b"");
    let rsa = PrivateKey::from_der(&der).unwrap();
    let public = openssl("rsa -inform DER -RSAPublicKey_out -outform DER", &der);
    let text = expected(&public);
    assert_eq!(text.len(), 82);
    assert_eq!(string_to_sign(&rsa).unwrap(), text);
    let signature = sign_string(&rsa, Digest::Sha384).await.unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA384, &public).verify(&text, &signature).unwrap();
    let ec = Issued::new("me", None, &|_| {});
    let point = ec.key.public_key_raw();
    assert_eq!(string_to_sign(&*ec.signer()).unwrap(), expected(point));
}

#[derive(Debug)]
struct Broken;

#[async_trait::async_trait]
impl Signer for Broken {
    fn kind(&self) -> crate::KeyKind {
        crate::KeyKind::P256
    }

    fn public_key(&self) -> &[u8] {
        b"nothing"
    }

    async fn sign(&self, _: Digest, _: &[u8]) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_signer_of_others_that_is_wrong_is_an_error() {
    let error = sign_string(&*Arc::new(Broken), Digest::Sha256).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}
