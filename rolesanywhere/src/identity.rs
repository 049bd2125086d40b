use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rolecall_core::{CredentialsError, ErrorKind, Result};

use crate::{Certificate, KeyKind, SharedSigner, chain};

/// A key, the certificate that belongs to it, and the certificates above that one as far as they
/// are sent: all that Roles Anywhere judges a caller by. Cheap to clone.
///
/// ```
/// use std::sync::Arc;
/// use std::time::SystemTime;
/// use rolecall_rolesanywhere::{Certificate, Identity, PrivateKey};
/// # fn main() -> rolecall_core::Result<()> {
/// # let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
/// # let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap().der().to_vec();
/// # let key = key.serialize_der();
/// # let now = SystemTime::UNIX_EPOCH;
/// let certificates = vec![Certificate::from_der(&certificate)?];
/// // Or a signer of yours: a KMS, an agent.
/// let signer = Arc::new(PrivateKey::from_der(&key)?);
/// let identity = Identity::new(signer, certificates, now)?;
/// assert!(identity.chain().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Identity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    signer: SharedSigner,
    leaf: Certificate,
    chain: Vec<Certificate>,
    certificate_header: String,
    chain_header: Option<String>,
}

impl Identity {
    /// Puts the identity together: the leaf is the certificate with the signer's public key (of
    /// several, the one that is valid at `now` longest); the chain is what stands above it among
    /// the others, in order, all ways of cross-signed authorities, without a root. Certificates that do not belong are left out.
    ///
    /// # Errors
    /// `InvalidConfiguration` if no certificate belongs to the key.
    pub fn new(
        signer: SharedSigner,
        certificates: Vec<Certificate>,
        now: SystemTime,
    ) -> Result<Self> {
        Self::with_leaf_among(signer, &certificates, &certificates, now)
    }

    /// The same, with the leaf among `candidates` and the rest of the chain among `pool`.
    pub(crate) fn with_leaf_among(
        signer: SharedSigner,
        candidates: &[Certificate],
        pool: &[Certificate],
        now: SystemTime,
    ) -> Result<Self> {
        let leaf = candidates
            .iter()
            .filter(|certificate| certificate.public_key() == signer.public_key())
            .max_by_key(|certificate| (certificate.is_valid_at(now), certificate.not_after()));
        let leaf = leaf.ok_or_else(|| mismatch(signer.kind(), candidates))?.clone();
        let chain = chain::above(&leaf, pool, now);
        let chain_header = (!chain.is_empty()).then(|| {
            let encoded: Vec<String> = chain.iter().map(|c| STANDARD.encode(c.der())).collect();
            encoded.join(",")
        });
        let certificate_header = STANDARD.encode(leaf.der());
        Ok(Self(Arc::new(Inner { signer, leaf, chain, certificate_header, chain_header })))
    }

    /// What signs.
    pub fn signer(&self) -> &SharedSigner {
        &self.0.signer
    }

    /// The certificate of the key.
    pub fn leaf(&self) -> &Certificate {
        &self.0.leaf
    }

    /// The certificates above it, each the issuer of the one before; then those of other ways up.
    pub fn chain(&self) -> &[Certificate] {
        &self.0.chain
    }

    /// The value of the `X-Amz-X509` header.
    pub fn certificate_header(&self) -> &str {
        &self.0.certificate_header
    }

    /// The value of the `X-Amz-X509-Chain` header, if it is sent.
    pub fn chain_header(&self) -> Option<&str> {
        self.0.chain_header.as_deref()
    }
}

fn mismatch(key: KeyKind, certificates: &[Certificate]) -> CredentialsError {
    const SHOWN: usize = 5;
    let refuse = |message: String| {
        CredentialsError::new(ErrorKind::InvalidConfiguration, "Roles Anywhere identity", message)
    };
    if certificates.is_empty() {
        return refuse("there is a private key, but no certificate".to_owned())
            .with_help("give the certificate that was issued for the key (--certificate)");
    }
    let mut shown: Vec<String> = certificates
        .iter()
        .take(SHOWN)
        .map(|c| match c.key_kind() {
            Some(kind) => format!("{c}, {kind}"),
            None => format!("{c}, another kind of key"),
        })
        .collect();
    if certificates.len() > SHOWN {
        shown.push(format!("and {} more", certificates.len() - SHOWN));
    }
    refuse(format!(
        "the private key ({key}) and the certificate do not belong together; there is: {}",
        shown.join("; ")
    ))
    .with_help(
        "compare the public keys: openssl pkey -in KEY -pubout, openssl x509 -in CERTIFICATE \
         -pubkey -noout",
    )
}
