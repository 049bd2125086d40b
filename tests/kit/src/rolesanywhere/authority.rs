//! The kit's own authorities, and how they issue: good certificates, and such as must be refused.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};

use super::certificate::{Authority, CertificateFault, Issued, KeyType, NewCertificate};
use super::der::{self, Content, Usage};
use super::signing::{Digest, PrivateKey};
use crate::secret::Secret;
use crate::{clock, doors};

/// The authorities' certificates: what the default world's trust anchor holds. Good from 2000 to
/// 2049, because tests move the clock.
pub(crate) const AUTHORITIES: &str = include_str!("../keys/rolesanywhere/ca.pem");

impl Authority {
    fn name(self) -> Vec<u8> {
        let name = match self {
            Self::P256 => "rolecall-kit Roles Anywhere P256",
            Self::P384 => "rolecall-kit Roles Anywhere P384",
            Self::Rsa => "rolecall-kit Roles Anywhere RSA",
        };
        der::name(&[(der::ORGANIZATION, "rolecall-kit"), (der::COMMON_NAME, name)])
    }

    fn key(self) -> PrivateKey {
        match self {
            Self::P256 => {
                PrivateKey::p256(include_bytes!("../keys/rolesanywhere/ca-p256-test.der"))
            }
            Self::P384 => {
                PrivateKey::p384(include_bytes!("../keys/rolesanywhere/ca-p384-test.der"))
            }
            Self::Rsa => PrivateKey::rsa(include_bytes!("../keys/rolesanywhere/ca-rsa-test.der")),
        }
    }
}

impl KeyType {
    fn key(self) -> PrivateKey {
        match self {
            Self::P256 => PrivateKey::new_p256(),
            Self::P384 => PrivateKey::new_p384(),
            Self::P521 => PrivateKey::new_p521(),
            Self::Rsa2048 => {
                PrivateKey::rsa(include_bytes!("../keys/rolesanywhere/rsa2048-test.der"))
            }
            Self::Rsa3072 => {
                PrivateKey::rsa(include_bytes!("../keys/rolesanywhere/rsa3072-test.der"))
            }
            Self::Rsa4096 => {
                PrivateKey::rsa(include_bytes!("../keys/rolesanywhere/rsa4096-test.der"))
            }
        }
    }
}

impl NewCertificate {
    /// Issues the certificate at a time in seconds since 1970.
    ///
    /// # Errors
    /// What cannot be written into a certificate.
    pub(crate) fn issue(&self, now: i64) -> Result<Issued, String> {
        let (key, public_key) = self.leaf_key()?;
        let serial = match &self.serial {
            None => random_serial(),
            Some(text) => {
                let padded = if text.len() % 2 == 1 { format!("0{text}") } else { text.clone() };
                let serial = hex::decode(padded).ok();
                let serial = serial.filter(|serial| (1..=20).contains(&serial.len()));
                serial.ok_or("serial is not hex of 1 to 20 bytes")?
            }
        };
        if !self.dns.iter().chain(&self.uris).all(|name| name.is_ascii()) {
            return Err("dns and uris are ASCII".into());
        }
        if self.intermediates > 16 {
            return Err("there are no more than 16 intermediates".into());
        }
        let (mut issuer, mut issuer_key, digest) = self.issuer();
        let mut chain = Vec::new();
        for number in 1..=self.intermediates() {
            let next = PrivateKey::new_p256();
            let content = self.intermediate(number, issuer, next.public_key(), now);
            issuer = content.subject.clone();
            chain.insert(0, pem("CERTIFICATE", &content.sign(&issuer_key, Digest::Sha256)));
            issuer_key = next;
        }
        let content = self.leaf(issuer, public_key, serial, now);
        let serial = minimal(&content.serial);
        Ok(Issued {
            certificate: pem("CERTIFICATE", &content.sign(&issuer_key, digest)),
            chain: chain.concat(),
            private_key: key.as_ref().map(|key| Secret::new(pem("PRIVATE KEY", key.pkcs8()))),
            serial: decimal(serial),
            serial_hex: hex::encode(serial),
            not_after: clock::extended(content.not_after),
            key: key.map(Arc::new),
        })
    }
}

impl NewCertificate {
    fn intermediates(&self) -> u8 {
        let needed = match self.fault {
            Some(CertificateFault::Sha1) => return 0,
            Some(
                CertificateFault::ExpiredIntermediate
                | CertificateFault::IntermediateNotCa
                | CertificateFault::IntermediateNoCertSign,
            ) => 1,
            Some(CertificateFault::PathTooLong) => 2,
            _ => 0,
        };
        self.intermediates.max(needed)
    }

    /// The key, unless it is elsewhere, and the public key.
    fn leaf_key(&self) -> Result<(Option<PrivateKey>, Vec<u8>), String> {
        let Some(given) = &self.public_key else {
            let key = self.key.key();
            let public_key = key.public_key();
            return Ok((Some(key), public_key));
        };
        let pem = Pem::iter_from_buffer(given.as_bytes()).next();
        let der = pem.and_then(Result::ok).filter(|pem| pem.label == "PUBLIC KEY");
        let der = der.ok_or("public_key is not PEM with BEGIN PUBLIC KEY")?.contents;
        match SubjectPublicKeyInfo::from_der(&der) {
            Ok(([], _)) => Ok((None, der)),
            _ => Err("public_key is not a SubjectPublicKeyInfo".into()),
        }
    }

    /// Name and key of who issues, and the digest that it signs the certificate with.
    fn issuer(&self) -> (Vec<u8>, PrivateKey, Digest) {
        let fresh = PrivateKey::new_p256;
        match self.fault {
            Some(CertificateFault::Sha1) => {
                (Authority::P384.name(), Authority::P384.key(), Digest::Sha1)
            }
            Some(CertificateFault::ForgedCa) => (self.authority.name(), fresh(), Digest::Sha256),
            Some(CertificateFault::UnknownCa) => {
                let name = der::name(&[(der::COMMON_NAME, "Nobody's authority")]);
                (name, fresh(), Digest::Sha256)
            }
            _ => (self.authority.name(), self.authority.key(), Digest::Sha256),
        }
    }

    fn intermediate(&self, number: u8, issuer: Vec<u8>, public_key: Vec<u8>, now: i64) -> Content {
        let fault = self.fault.filter(|_| number == 1);
        let common_name = format!("rolecall-kit intermediate {number}");
        let expired = fault == Some(CertificateFault::ExpiredIntermediate);
        let no_cert_sign = fault == Some(CertificateFault::IntermediateNoCertSign);
        Content {
            v1: false,
            serial: random_serial(),
            issuer,
            subject: der::name(&[
                (der::ORGANIZATION, "rolecall-kit"),
                (der::COMMON_NAME, &common_name),
            ]),
            not_before: now - 365 * 24 * 3600,
            not_after: if expired { now - 3600 } else { now + 365 * 24 * 3600 },
            public_key,
            authority: fault != Some(CertificateFault::IntermediateNotCa),
            path_length: (fault == Some(CertificateFault::PathTooLong)).then_some(0),
            usage: vec![if no_cert_sign { Usage::DigitalSignature } else { Usage::CertSign }],
            dns: Vec::new(),
            uris: Vec::new(),
        }
    }

    fn leaf(&self, issuer: Vec<u8>, public_key: Vec<u8>, serial: Vec<u8>, now: i64) -> Content {
        let mut subject = Vec::new();
        subject.extend(self.organization.as_deref().map(|name| (der::ORGANIZATION, name)));
        let units = self.organizational_units.iter();
        subject.extend(units.map(|unit| (der::ORGANIZATIONAL_UNIT, unit.as_str())));
        if !self.common_name.is_empty() {
            subject.push((der::COMMON_NAME, &self.common_name));
        }
        let (not_before, not_after) = match self.fault {
            Some(CertificateFault::Expired) => (-24 * 3600, -3600),
            Some(CertificateFault::NotYetValid) => (3600, 24 * 3600),
            _ => (self.not_before, self.not_after),
        };
        Content {
            v1: self.fault == Some(CertificateFault::Version1),
            serial,
            issuer,
            subject: der::name(&subject),
            not_before: now.saturating_add(not_before),
            not_after: now.saturating_add(not_after),
            public_key,
            authority: self.fault == Some(CertificateFault::Ca),
            path_length: None,
            usage: match self.fault {
                Some(CertificateFault::NoDigitalSignature) => vec![Usage::KeyEncipherment],
                Some(CertificateFault::NoKeyUsage) => Vec::new(),
                Some(CertificateFault::Ca) => vec![Usage::DigitalSignature, Usage::CertSign],
                _ => vec![Usage::DigitalSignature],
            },
            dns: self.dns.clone(),
            uris: self.uris.clone(),
        }
    }
}

/// 16 bytes, of which the first is neither zero nor negative.
fn random_serial() -> Vec<u8> {
    let mut bytes = doors::random::<16>();
    bytes[0] = (bytes[0] & 0x3f) | 0x40;
    bytes.to_vec()
}

/// Without leading zeros, but for a lone one.
fn minimal(mut serial: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = serial
        && !rest.is_empty()
    {
        serial = rest;
    }
    serial
}

/// A big-endian number in decimal.
fn decimal(bytes: &[u8]) -> String {
    let mut digits: Vec<u8> = vec![0];
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            let value = u32::from(*digit) * 256 + carry;
            *digit = u8::try_from(value % 10).unwrap_or_default();
            carry = value / 10;
        }
        while carry > 0 {
            digits.push(u8::try_from(carry % 10).unwrap_or_default());
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_decimal() {
        for (bytes, text) in [
            (&[0][..], "0"),
            (&[21], "21"),
            (&[1, 0], "256"),
            (&[0xff; 16], "340282366920938463463374607431768211455"),
        ] {
            assert_eq!(decimal(bytes), text);
        }
        assert_eq!(minimal(&[0, 0, 1, 0]), [1, 0]);
        assert_eq!(minimal(&[0, 0]), [0]);
    }
}
