//! HTTPS on loopback: an authority of the kit's own, and a certificate by it.

use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    KeyUsagePurpose,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Names that a client may think it is talking to. AWS's own are there for tests that send them to
/// loopback by a resolver of their own.
const NAMES: [&str; 7] = [
    "localhost",
    "127.0.0.1",
    "::1",
    "*.amazonaws.com",
    "*.us-east-1.amazonaws.com",
    "*.eu-central-1.amazonaws.com",
    "*.us-east-1.api.aws",
];

/// What a listener needs, and the authority that clients must trust.
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) ca_pem: String,
}

pub(crate) fn make() -> io::Result<Tls> {
    build().map_err(io::Error::other)
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// The PEM of a certificate for `name`, of its key, and of the authority that vouches for it.
pub(crate) fn certificate(name: &str) -> Result<(String, String, String), Failed> {
    let (key, certificate, authority) = issue(vec![name.to_owned()])?;
    Ok((certificate.pem(), key.serialize_pem(), authority))
}

fn issue(names: Vec<String>) -> Result<(KeyPair, Certificate, String), Failed> {
    let mut authority = CertificateParams::default();
    // Its own name: an issuer called like its subject is refused by some verifiers.
    authority.distinguished_name.push(DnType::CommonName, "rolecall-kit authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let key = KeyPair::generate()?;
    let mut leaf = CertificateParams::new(names)?;
    leaf.distinguished_name.push(DnType::CommonName, "rolecall-kit");
    leaf.use_authority_key_identifier_extension = true;
    leaf.insert_extended_key_usage(rcgen::ExtendedKeyUsagePurpose::ServerAuth);
    let certificate = leaf.signed_by(&key, &authority)?;
    Ok((key, certificate, authority.pem()))
}

fn build() -> Result<Tls, Failed> {
    let (key, certificate, ca_pem) = issue(NAMES.map(str::to_owned).to_vec())?;
    let private = PrivateKeyDer::try_from(key.serialize_der())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), ca_pem })
}
