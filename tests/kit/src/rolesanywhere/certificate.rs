//! Certificates to ask the kit for: what they say, what is wrong with them, and what is given.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use x509_parser::pem::Pem;

use super::signing::{Digest, PrivateKey};
use crate::secret::Secret;

/// An authority of the kit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// Signs with ECDSA on P-256 and SHA-256.
    #[default]
    P256,
    /// Signs with ECDSA on P-384 and SHA-256.
    P384,
    /// Signs with RSA and SHA-256.
    Rsa,
}

/// The kind of key that a certificate is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyType {
    /// ECDSA on P-256, a new key each time.
    #[default]
    P256,
    /// ECDSA on P-384, a new key each time.
    P384,
    /// ECDSA on P-521, a new key each time.
    P521,
    /// RSA with 2048 bits, always the same key: making one takes seconds.
    Rsa2048,
    /// RSA with 3072 bits, always the same key.
    Rsa3072,
    /// RSA with 4096 bits, always the same key.
    Rsa4096,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateFault {
    /// It ended an hour ago.
    Expired,
    /// It begins in an hour.
    NotYetValid,
    /// It is an authority's (CA:TRUE).
    Ca,
    /// Its key usage is keyEncipherment alone.
    NoDigitalSignature,
    /// It has no key usage.
    NoKeyUsage,
    /// It is signed with SHA-1 (by the authority on P-384, without intermediates).
    Sha1,
    /// It is X.509 v1.
    Version1,
    /// Its issuer has the name of the kit's authority, but another key.
    ForgedCa,
    /// Its issuer is an authority that nobody knows.
    UnknownCa,
    /// The first of its intermediates ended an hour ago.
    ExpiredIntermediate,
    /// The first of its intermediates is no authority.
    IntermediateNotCa,
    /// The first of its intermediates has no keyCertSign.
    IntermediateNoCertSign,
    /// The first of its intermediates may have no authority below it, but has.
    PathTooLong,
}

/// A certificate to issue; in JSON, everything may be left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewCertificate {
    /// The subject's common name; empty for none.
    pub common_name: String,
    /// The subject's organization.
    pub organization: Option<String>,
    /// The subject's organizational units.
    pub organizational_units: Vec<String>,
    /// DNS names.
    pub dns: Vec<String>,
    /// URIs.
    pub uris: Vec<String>,
    /// The kind of key.
    pub key: KeyType,
    /// A public key (PEM, `BEGIN PUBLIC KEY`) to certify instead: that of a token, or of a program.
    pub public_key: Option<String>,
    /// Serial number in hex; a random one of 16 bytes if left out.
    pub serial: Option<String>,
    /// When it begins, in seconds from the kit's time.
    pub not_before: i64,
    /// When it ends, in seconds from the kit's time.
    pub not_after: i64,
    /// Which authority issues it, or the first intermediate.
    pub authority: Authority,
    /// How many intermediates are between the authority and it; more if the fault needs them.
    pub intermediates: u8,
    /// What is wrong with it.
    pub fault: Option<CertificateFault>,
}

impl Default for NewCertificate {
    fn default() -> NewCertificate {
        NewCertificate {
            common_name: "workload".to_owned(),
            organization: Some("Kit".to_owned()),
            organizational_units: Vec::new(),
            dns: Vec::new(),
            uris: Vec::new(),
            key: KeyType::default(),
            public_key: None,
            serial: None,
            not_before: -3600,
            not_after: 30 * 24 * 3600,
            authority: Authority::default(),
            intermediates: 0,
            fault: None,
        }
    }
}

/// A certificate with its key, in PEM.
#[derive(Clone, Debug, Serialize)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The intermediates, from its issuer upwards; empty if there are none.
    pub chain: String,
    /// The key in PKCS#8; `None` if the public key was given.
    pub private_key: Option<Secret>,
    /// Serial number in decimal, as signatures state it.
    pub serial: String,
    /// Serial number in hex, as sessions are named.
    pub serial_hex: String,
    /// When it ends, `2015-08-30T12:36:00Z`.
    pub not_after: String,
    #[serde(skip)]
    pub(super) key: Option<Arc<PrivateKey>>,
}

impl Issued {
    /// The certificates in DER: the certificate, then the intermediates.
    pub fn ders(&self) -> Vec<Vec<u8>> {
        let pem = format!("{}{}", self.certificate, self.chain);
        Pem::iter_from_buffer(pem.as_bytes()).flatten().map(|pem| pem.contents).collect()
    }

    /// Signs with the key and SHA-256, as Roles Anywhere wants it; `None` if the key is elsewhere.
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.key.as_ref().map(|key| key.sign(Digest::Sha256, message))
    }
}
