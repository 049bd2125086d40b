use pkcs8::der::asn1::AnyRef;
use pkcs8::der::{Decode, Reader, SliceReader, Tag, Tagged};

/// What a DER file holds, judged by its outermost elements: labels and file names lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `PrivateKeyInfo` (RFC 5958).
    Pkcs8,
    /// `EncryptedPrivateKeyInfo` (RFC 5958).
    EncryptedPkcs8,
    /// `RSAPrivateKey` (RFC 8017).
    Pkcs1,
    /// `ECPrivateKey` (RFC 5915).
    Sec1,
    /// `Certificate` (RFC 5280), or what has its form: a request or a CRL.
    Certificate,
    /// `SubjectPublicKeyInfo`.
    PublicKey,
    /// `PFX` (RFC 7292).
    Pkcs12,
    /// `ContentInfo` (RFC 2315, 5652).
    Pkcs7,
}

/// More outermost elements than any of these has.
const MOST_ELEMENTS: usize = 16;

impl Form {
    /// The form of `der`, which must be one whole element; `None` if it is none of these.
    pub(crate) fn of(der: &[u8]) -> Option<Self> {
        // Of the forms here only PKCS#12 is written in BER: a length that is told by its end.
        if der.starts_with(&[0x30, 0x80, 0x02, 0x01, 0x03, 0x30]) {
            return Some(Self::Pkcs12);
        }
        let elements = elements(der)?;
        let tags: Vec<Tag> = elements.iter().map(Tagged::tag).collect();
        let version = elements.first().map(|first| first.value());
        Some(match (tags.as_slice(), version) {
            ([Tag::Integer, Tag::Sequence, Tag::OctetString, ..], _) => Self::Pkcs8,
            ([Tag::Integer, Tag::OctetString, ..], Some([1])) => Self::Sec1,
            ([Tag::Integer, Tag::Sequence, ..], Some([3])) => Self::Pkcs12,
            ([Tag::Sequence, Tag::OctetString], _) => Self::EncryptedPkcs8,
            ([Tag::Sequence, Tag::Sequence, Tag::BitString], _) => Self::Certificate,
            ([Tag::Sequence, Tag::BitString], _) => Self::PublicKey,
            ([Tag::ObjectIdentifier, ..], _) => Self::Pkcs7,
            (tags, _) if tags.len() >= 9 && tags[..9].iter().all(|t| *t == Tag::Integer) => {
                Self::Pkcs1
            }
            _ => return None,
        })
    }

    /// What it is, for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pkcs8 => "a private key",
            Self::EncryptedPkcs8 => "an encrypted private key",
            Self::Pkcs1 => "an RSA private key",
            Self::Sec1 => "an EC private key",
            Self::Certificate => "a certificate",
            Self::PublicKey => "a public key",
            Self::Pkcs12 => "a PKCS#12 file",
            Self::Pkcs7 => "a PKCS#7 file",
        }
    }
}

/// The elements of a sequence; `None` if `der` is no whole sequence.
pub(super) fn elements(der: &[u8]) -> Option<Vec<AnyRef<'_>>> {
    let outer = AnyRef::from_der(der).ok().filter(|outer| outer.tag() == Tag::Sequence)?;
    let mut content = outer.value();
    let mut found = Vec::new();
    while !content.is_empty() && found.len() < MOST_ELEMENTS {
        let mut reader = SliceReader::new(content).ok()?;
        found.push(AnyRef::decode(&mut reader).ok()?);
        content = content.get(usize::try_from(reader.position()).ok()?..)?;
    }
    Some(found)
}
