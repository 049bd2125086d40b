//! Writes certificates: also such as nobody should, which libraries for it refuse to write.

use ring::digest;
use time::OffsetDateTime;
use yasna::models::{GeneralizedTime, ObjectIdentifier, UTCTime};
use yasna::{DERWriter, Tag, construct_der};

use super::signing::{Digest, PrivateKey};

pub(super) const P256: &[u64] = &[1, 2, 840, 10045, 3, 1, 7];
pub(super) const P384: &[u64] = &[1, 3, 132, 0, 34];
pub(super) const P521: &[u64] = &[1, 3, 132, 0, 35];

/// The last number of an attribute's identifier, 2.5.4.N, and its value.
pub(super) type NamePart<'a> = (u64, &'a str);
pub(super) const COMMON_NAME: u64 = 3;
pub(super) const ORGANIZATION: u64 = 10;
pub(super) const ORGANIZATIONAL_UNIT: u64 = 11;

/// The bits of a key usage that are needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    DigitalSignature,
    KeyEncipherment,
    CertSign,
}

/// What a certificate says.
pub(super) struct Content {
    /// X.509 v1, which has no extensions.
    pub(super) v1: bool,
    /// Big-endian.
    pub(super) serial: Vec<u8>,
    /// A name in DER.
    pub(super) issuer: Vec<u8>,
    /// The same.
    pub(super) subject: Vec<u8>,
    /// Seconds since 1970.
    pub(super) not_before: i64,
    /// The same.
    pub(super) not_after: i64,
    /// `SubjectPublicKeyInfo`.
    pub(super) public_key: Vec<u8>,
    pub(super) authority: bool,
    pub(super) path_length: Option<u8>,
    pub(super) usage: Vec<Usage>,
    pub(super) dns: Vec<String>,
    pub(super) uris: Vec<String>,
}

impl Content {
    /// The certificate, signed.
    pub(super) fn sign(&self, key: &PrivateKey, digest: Digest) -> Vec<u8> {
        let algorithm = signature_algorithm(key, digest);
        let body = self.to_be_signed(&algorithm);
        let signature = key.sign(digest, &body);
        construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_der(&body);
                writer.next().write_der(&algorithm);
                writer.next().write_bitvec_bytes(&signature, signature.len() * 8);
            });
        })
    }

    fn to_be_signed(&self, algorithm: &[u8]) -> Vec<u8> {
        construct_der(|writer| {
            writer.write_sequence(|writer| {
                if !self.v1 {
                    writer.next().write_tagged(Tag::context(0), |writer| writer.write_u8(2));
                }
                writer.next().write_bigint_bytes(&self.serial, true);
                writer.next().write_der(algorithm);
                writer.next().write_der(&self.issuer);
                writer.next().write_sequence(|writer| {
                    write_time(writer.next(), self.not_before);
                    write_time(writer.next(), self.not_after);
                });
                writer.next().write_der(&self.subject);
                writer.next().write_der(&self.public_key);
                if !self.v1 {
                    writer.next().write_tagged(Tag::context(3), |writer| {
                        writer.write_sequence(|writer| {
                            for (oid, critical, value) in self.extensions() {
                                writer.next().write_sequence(|writer| {
                                    writer.next().write_oid(&ObjectIdentifier::from_slice(oid));
                                    if critical {
                                        writer.next().write_bool(true);
                                    }
                                    writer.next().write_bytes(&value);
                                });
                            }
                        });
                    });
                }
            });
        })
    }

    fn extensions(&self) -> Vec<(&'static [u64], bool, Vec<u8>)> {
        let mut extensions: Vec<(&'static [u64], bool, Vec<u8>)> = Vec::new();
        let constraints = construct_der(|writer| {
            writer.write_sequence(|writer| {
                if self.authority {
                    writer.next().write_bool(true);
                    if let Some(length) = self.path_length {
                        writer.next().write_u8(length);
                    }
                }
            });
        });
        extensions.push((&[2, 5, 29, 19], true, constraints));
        if !self.usage.is_empty() {
            extensions.push((&[2, 5, 29, 15], true, key_usage(&self.usage)));
        }
        let key_id = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &self.public_key);
        let key_id = construct_der(|writer| writer.write_bytes(key_id.as_ref()));
        extensions.push((&[2, 5, 29, 14], false, key_id));
        if !self.dns.is_empty() || !self.uris.is_empty() {
            let names = construct_der(|writer| {
                writer.write_sequence(|writer| {
                    for (tag, names) in [(2, &self.dns), (6, &self.uris)] {
                        for name in names {
                            writer.next().write_tagged_implicit(Tag::context(tag), |writer| {
                                writer.write_ia5_string(name);
                            });
                        }
                    }
                });
            });
            extensions.push((&[2, 5, 29, 17], false, names));
        }
        extensions
    }
}

/// A name of UTF-8 strings.
pub(super) fn name(parts: &[NamePart<'_>]) -> Vec<u8> {
    construct_der(|writer| {
        writer.write_sequence(|writer| {
            for (kind, value) in parts {
                writer.next().write_set(|writer| {
                    writer.next().write_sequence(|writer| {
                        let oid = ObjectIdentifier::from_slice(&[2, 5, 4, *kind]);
                        writer.next().write_oid(&oid);
                        writer.next().write_utf8_string(value);
                    });
                });
            }
        });
    })
}

/// `SubjectPublicKeyInfo` of an RSA key in PKCS#1.
pub(super) fn rsa_public_key(pkcs1: &[u8]) -> Vec<u8> {
    public_key(&[1, 2, 840, 113_549, 1, 1, 1], None, pkcs1)
}

/// `SubjectPublicKeyInfo` of a point on a curve.
pub(super) fn ec_public_key(curve: &[u64], point: &[u8]) -> Vec<u8> {
    public_key(&[1, 2, 840, 10045, 2, 1], Some(curve), point)
}

fn public_key(algorithm: &[u64], curve: Option<&[u64]>, bits: &[u8]) -> Vec<u8> {
    construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_sequence(|writer| {
                writer.next().write_oid(&ObjectIdentifier::from_slice(algorithm));
                match curve {
                    Some(curve) => writer.next().write_oid(&ObjectIdentifier::from_slice(curve)),
                    None => writer.next().write_null(),
                }
            });
            writer.next().write_bitvec_bytes(bits, bits.len() * 8);
        });
    })
}

fn signature_algorithm(key: &PrivateKey, digest: Digest) -> Vec<u8> {
    let rsa = key.is_rsa();
    let oid: &[u64] = match (rsa, digest) {
        (true, _) => &[1, 2, 840, 113_549, 1, 1, 11],
        (false, Digest::Sha1) => &[1, 2, 840, 10045, 4, 1],
        (false, Digest::Sha256) => &[1, 2, 840, 10045, 4, 3, 2],
    };
    construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_oid(&ObjectIdentifier::from_slice(oid));
            if rsa {
                writer.next().write_null();
            }
        });
    })
}

fn key_usage(usage: &[Usage]) -> Vec<u8> {
    let (mut bits, mut length) = (0_u8, 0);
    for usage in usage {
        let bit = match usage {
            Usage::DigitalSignature => 0,
            Usage::KeyEncipherment => 2,
            Usage::CertSign => 5,
        };
        bits |= 0x80 >> bit;
        length = length.max(bit + 1);
    }
    construct_der(|writer| writer.write_bitvec_bytes(&[bits], length))
}

/// UTCTime up to 2049 and GeneralizedTime from there, as RFC 5280 wants it.
fn write_time(writer: DERWriter<'_>, unix_seconds: i64) {
    let at =
        OffsetDateTime::from_unix_timestamp(unix_seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    if (1950..2050).contains(&at.year()) {
        writer.write_utctime(&UTCTime::from_datetime(at));
    } else {
        writer.write_generalized_time(&GeneralizedTime::from_datetime(at));
    }
}
