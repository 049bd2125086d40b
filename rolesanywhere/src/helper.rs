//! What AWS's helper does to show that key and certificate can be used.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pkcs8::ObjectIdentifier;
use ring::digest::{Context as Hash, SHA256};
use rolecall_core::{CredentialsError, ErrorKind, Result};
use serde::Serialize;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::key::spki::{EC, RSA};
use crate::{Certificate, Digest, Signer};

/// What the helper's `read-certificate-data` prints as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CertificateData {
    /// `RSA` or `EC`; empty for another key.
    #[serde(rename = "keyType")]
    pub key_type: String,
    /// The certificate: DER in base64.
    #[serde(rename = "certificateData")]
    pub certificate_data: String,
    /// The serial number, decimal.
    #[serde(rename = "serialNumber")]
    pub serial_number: String,
    /// `RSASHA256`, `RSASHA384`, `RSASHA512`.
    #[serde(rename = "supportedAlgorithms")]
    pub supported_algorithms: Vec<String>,
}

/// What `read-certificate-data` shows of a certificate.
pub fn read_certificate_data(certificate: &Certificate) -> CertificateData {
    let key_type = match ObjectIdentifier::new(certificate.key_algorithm()) {
        // As Go's crypto/x509 knows them.
        Ok(RSA) => "RSA",
        Ok(EC) => "EC",
        _ => "",
    };
    CertificateData {
        key_type: key_type.to_owned(),
        certificate_data: STANDARD.encode(certificate.der()),
        serial_number: certificate.serial().to_owned(),
        supported_algorithms: ["SHA256", "SHA384", "SHA512"]
            .map(|digest| format!("{key_type}{digest}"))
            .to_vec(),
    }
}

/// The signature that `sign-string` makes: of a fixed text with a digest of the public key, so that
/// it is of no use to anyone.
///
/// # Errors
/// The signer's.
pub async fn sign_string(signer: &dyn Signer, digest: Digest) -> Result<Vec<u8>> {
    signer.sign(digest, &string_to_sign(signer)?).await
}

/// The helper's `getFixedStringToSign`: a text, its version, and SHA-256 over `IAM RA` and the
/// public key: for RSA as PKCS#1, for EC the uncompressed point.
fn string_to_sign(signer: &dyn Signer) -> Result<Vec<u8>> {
    let (_, key) = SubjectPublicKeyInfo::from_der(signer.public_key()).map_err(|_| {
        let message = "the signer's public key is no SubjectPublicKeyInfo";
        CredentialsError::new(ErrorKind::Internal, "private key", message)
    })?;
    let mut hash = Hash::new(&SHA256);
    hash.update(b"IAM RA");
    hash.update(&key.subject_public_key.data);
    let mut text = b"AWS Roles Anywhere Credential Helper Signing Test1".to_vec();
    text.extend_from_slice(hash.finish().as_ref());
    Ok(text)
}

#[cfg(test)]
mod tests;
