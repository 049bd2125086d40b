mod name;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pkcs8::ObjectIdentifier;
use rolecall_core::{CredentialsError, ErrorKind, Result, timestamp};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::SignatureAlgorithm;
use x509_parser::time::ASN1Time;
use x509_parser::x509::AlgorithmIdentifier;

pub(crate) use self::name::ATTRIBUTES;
use crate::KeyKind;
use crate::key::spki::kind_on;

const PROVIDER: &str = "certificate";

/// An X.509 certificate. Cheap to clone.
///
/// ```
/// use rolecall_rolesanywhere::Certificate;
/// # fn main() -> rolecall_core::Result<()> {
/// # let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
/// # let mut params = rcgen::CertificateParams::default();
/// # params.distinguished_name = rcgen::DistinguishedName::new();
/// # params.distinguished_name.push(rcgen::DnType::OrganizationName, "Example");
/// # params.distinguished_name.push(rcgen::DnType::CommonName, "alice");
/// # let der = params.self_signed(&key).unwrap().der().to_vec();
/// let certificate = Certificate::from_der(&der)?;
/// assert_eq!(certificate.subject(), "CN=alice,O=Example");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate(Arc<Inner>);

#[derive(PartialEq, Eq)]
struct Inner {
    der: Vec<u8>,
    version: u32,
    serial: String,
    serial_hex: String,
    subject: String,
    issuer: String,
    subject_der: Vec<u8>,
    issuer_der: Vec<u8>,
    alternative_names: Vec<u8>,
    not_before: SystemTime,
    not_after: SystemTime,
    public_key: Vec<u8>,
    key_algorithm: String,
    key_kind: Option<KeyKind>,
    signature: SignatureHash,
    /// `None` without the extension.
    digital_signature: Option<bool>,
    is_ca: bool,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
}

/// What a certificate was signed with, as far as it matters whether AWS takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureHash {
    /// MD2, MD4, MD5 or SHA-1; its name.
    Broken(&'static str),
    /// Anything else.
    Other,
}

impl Certificate {
    /// Reads one certificate in DER.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it is none.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let refuse =
            |what: String| CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, what);
        let (rest, parsed) = X509Certificate::from_der(der)
            .map_err(|flaw| refuse(format!("this is no X.509 certificate: {}", short(&flaw))))?;
        if !rest.is_empty() {
            return Err(refuse(format!("{} bytes follow the certificate", rest.len())));
        }
        let mut key_usage = None;
        let mut is_ca = false;
        let (mut subject_key_id, mut authority_key_id) = (None, None);
        let mut alternative_names = Vec::new();
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::KeyUsage(usage) => key_usage = Some(usage.digital_signature()),
                ParsedExtension::BasicConstraints(constraints) => is_ca = constraints.ca,
                ParsedExtension::SubjectKeyIdentifier(id) => subject_key_id = Some(id.0.to_vec()),
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    authority_key_id = id.key_identifier.as_ref().map(|id| id.0.to_vec());
                }
                _ => {}
            }
            if extension.oid == OID_X509_EXT_SUBJECT_ALT_NAME {
                alternative_names = extension.value.to_vec();
            }
        }
        let bad_time = || refuse("its validity is no time".to_owned());
        Ok(Self(Arc::new(Inner {
            der: der.to_vec(),
            version: parsed.version().0 + 1,
            serial: decimal(parsed.raw_serial()),
            serial_hex: hexadecimal(parsed.raw_serial()),
            subject: name::to_text(parsed.subject()),
            issuer: name::to_text(parsed.issuer()),
            subject_der: parsed.subject().as_raw().to_vec(),
            issuer_der: parsed.issuer().as_raw().to_vec(),
            alternative_names,
            not_before: time(parsed.validity().not_before).ok_or_else(bad_time)?,
            not_after: time(parsed.validity().not_after).ok_or_else(bad_time)?,
            public_key: parsed.public_key().raw.to_vec(),
            key_algorithm: parsed.public_key().algorithm.algorithm.to_id_string(),
            key_kind: key_kind(&parsed),
            signature: signature_hash(&parsed.signature_algorithm),
            digital_signature: key_usage,
            is_ca,
            subject_key_id,
            authority_key_id,
        })))
    }

    /// The certificate itself.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The X.509 version: 1, 2 or 3.
    pub fn version(&self) -> u32 {
        self.0.version
    }

    /// The serial number, decimal.
    pub fn serial(&self) -> &str {
        &self.0.serial
    }

    /// The serial number in upper-case hexadecimal without leading zeros.
    pub fn serial_hex(&self) -> &str {
        &self.0.serial_hex
    }

    /// The subject, as AWS's helper prints and selects it: much like RFC 2253, `CN=…,OU=…,O=…,C=…`
    /// in this order, whatever their order in the certificate.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The issuer, in the form of [`Self::subject`].
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// From when on it is valid.
    pub fn not_before(&self) -> SystemTime {
        self.0.not_before
    }

    /// Until when it is valid, inclusive.
    pub fn not_after(&self) -> SystemTime {
        self.0.not_after
    }

    /// Whether it is valid at `now`.
    pub fn is_valid_at(&self, now: SystemTime) -> bool {
        (self.0.not_before..=self.0.not_after).contains(&now)
    }

    /// The public key as a DER `SubjectPublicKeyInfo`.
    pub fn public_key(&self) -> &[u8] {
        &self.0.public_key
    }

    /// The OID of its key's algorithm.
    pub(crate) fn key_algorithm(&self) -> &str {
        &self.0.key_algorithm
    }

    /// What kind of key it holds, if it is one that can be used here.
    pub fn key_kind(&self) -> Option<KeyKind> {
        self.0.key_kind
    }

    /// Whether it is a certificate authority's (basic constraints).
    pub fn is_ca(&self) -> bool {
        self.0.is_ca
    }

    /// Whether its key usage has digitalSignature; `None` without that extension.
    pub fn digital_signature(&self) -> Option<bool> {
        self.0.digital_signature
    }

    pub(crate) fn signature_hash(&self) -> SignatureHash {
        self.0.signature
    }

    /// Whether subject and issuer are the same, as those of a root are.
    pub fn is_self_issued(&self) -> bool {
        self.0.subject_der == self.0.issuer_der
    }

    /// Whether it may have issued itself: a root has, an authority's certificate for its next key
    /// has not.
    pub(crate) fn is_root(&self) -> bool {
        self.may_be_issued_by(self)
    }

    /// Whether `issuer` may have issued it, by names and key identifiers. No signature is checked:
    /// that is for AWS.
    pub fn may_be_issued_by(&self, issuer: &Self) -> bool {
        let ids_fit = match (&self.0.authority_key_id, &issuer.0.subject_key_id) {
            (Some(wanted), Some(found)) => wanted == found,
            _ => true,
        };
        self.0.issuer_der == issuer.0.subject_der && ids_fit
    }

    /// Who it is for and who says so: subject, issuer and alternative names in DER. A renewed
    /// certificate keeps them.
    pub(crate) fn holder(&self) -> [&[u8]; 3] {
        [&self.0.subject_der, &self.0.issuer_der, &self.0.alternative_names]
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.0.subject)
            .field("issuer", &self.0.issuer)
            .field("serial", &self.0.serial)
            .field("not_after", &timestamp::format(self.0.not_after))
            .finish_non_exhaustive()
    }
}

/// Subject and serial number, decimal and as openssl prints it: `CN=alice (serial 21, hex 15)`.
impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = rolecall_core::printable(&self.0.subject, 200);
        let serial = format!("{}, hex {}", self.0.serial, self.0.serial_hex);
        match subject.is_empty() {
            true => write!(f, "certificate with serial {serial}"),
            false => write!(f, "{subject} (serial {serial})"),
        }
    }
}

/// The parser's errors may hold the bytes that are left over.
fn short(flaw: &x509_parser::nom::Err<x509_parser::error::X509Error>) -> String {
    match flaw {
        x509_parser::nom::Err::Incomplete(_) => "it breaks off".to_owned(),
        x509_parser::nom::Err::Error(flaw) | x509_parser::nom::Err::Failure(flaw) => {
            flaw.to_string()
        }
    }
}

fn time(time: ASN1Time) -> Option<SystemTime> {
    let seconds = time.timestamp();
    let distance = Duration::from_secs(seconds.unsigned_abs());
    match seconds < 0 {
        true => SystemTime::UNIX_EPOCH.checked_sub(distance),
        false => SystemTime::UNIX_EPOCH.checked_add(distance),
    }
}

fn key_kind(certificate: &X509Certificate<'_>) -> Option<KeyKind> {
    let key = certificate.public_key();
    if let Ok(PublicKey::RSA(rsa)) = key.parsed() {
        return Some(KeyKind::Rsa { bits: u32::try_from(rsa.key_size()).ok()? });
    }
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    kind_on(ObjectIdentifier::from_bytes(curve.as_bytes()).ok()?)
}

fn signature_hash(algorithm: &AlgorithmIdentifier<'_>) -> SignatureHash {
    let broken = |oid: &str| match oid {
        "1.2.840.113549.1.1.2" => Some("MD2"),
        "1.2.840.113549.1.1.3" => Some("MD4"),
        "1.2.840.113549.1.1.4" | "1.2.840.113549.2.5" => Some("MD5"),
        "1.2.840.113549.1.1.5"
        | "1.3.14.3.2.29"
        | "1.2.840.10045.4.1"
        | "1.2.840.10040.4.3"
        | "1.3.14.3.2.26" => Some("SHA-1"),
        _ => None,
    };
    let oid = match SignatureAlgorithm::try_from(algorithm) {
        Ok(SignatureAlgorithm::RSASSA_PSS(pss)) => pss.hash_algorithm_oid().to_id_string(),
        _ => algorithm.algorithm.to_id_string(),
    };
    broken(&oid).map_or(SignatureHash::Other, SignatureHash::Broken)
}

/// An unsigned number in decimal.
// `BigUint` does it too, but needs the mathematical library, which every start of the program would
// load.
fn decimal(number: &[u8]) -> String {
    // The last digit first.
    let mut digits = vec![0];
    for byte in number {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 10;
            carry /= 10;
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    }
    digits.into_iter().rev().filter_map(|digit| char::from_digit(digit, 10)).collect()
}

fn hexadecimal(number: &[u8]) -> String {
    let digits = hex::encode_upper(number);
    match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => digits.to_owned(),
    }
}

#[cfg(test)]
mod tests;
