use zeroize::Zeroizing;

use super::presented::{self, Credential};
use crate::identity::ALGORITHM;
use crate::identity::amz_date::AmzDate;
use crate::identity::refusal::{Check, Refusal};

/// The header `Authorization`.
pub(super) struct Authorization<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    pub(super) signature: Zeroizing<[u8; 32]>,
}

impl<'a> Authorization<'a> {
    /// Three parts, each once, with one or two spaces between them.
    pub(super) fn parse(text: &'a str) -> Result<Self, Refusal> {
        let rest = text.strip_prefix(ALGORITHM).and_then(|rest| rest.strip_prefix(' '));
        let rest = rest.ok_or_else(|| {
            refuse("authorization-algorithm", "Authorization is not of AWS4-HMAC-SHA256")
        })?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for (index, part) in rest.split(',').enumerate() {
            let part = if index == 0 { part } else { unspaced(part)? };
            let (name, value) = part.split_once('=').ok_or_else(malformed)?;
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(malformed()),
            };
            if slot.replace(value).is_some() {
                let message = "Authorization names a part twice";
                return Err(refuse("authorization-duplicate", message));
            }
        }
        let (Some(credential), Some(signed_headers), Some(signature)) =
            (credential, signed_headers, signature)
        else {
            let message = "Authorization lacks Credential, SignedHeaders or Signature";
            return Err(refuse("authorization-incomplete", message));
        };
        check_sorted(signed_headers)?;
        Ok(Self { credential, signed_headers, signature: presented::signature(signature)? })
    }

    /// Whether the signature covers this header.
    pub(super) fn signs(&self, name: &str) -> bool {
        self.names().any(|signed| signed == name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.signed_headers.split(';')
    }

    pub(super) fn credential(&self, date: &AmzDate) -> Result<Credential, Refusal> {
        Credential::parse(self.credential, date)
    }
}

/// Without the one or two spaces that may follow a comma.
fn unspaced(part: &str) -> Result<&str, Refusal> {
    let rest = part.strip_prefix(' ').unwrap_or(part);
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    if rest.starts_with(' ') { Err(malformed()) } else { Ok(rest) }
}

/// A list in any other order, or with a name twice, is not what was signed.
pub(super) fn check_sorted(names: &str) -> Result<(), Refusal> {
    let mut before = "";
    for name in names.split(';') {
        if name <= before {
            let message = "the signed headers are not sorted, or one is named twice";
            return Err(refuse("signed-headers-unsorted", message));
        }
        before = name;
    }
    Ok(())
}

fn malformed() -> Refusal {
    refuse("authorization-malformed", "Authorization is not Credential, SignedHeaders, Signature")
}

fn refuse(code: &'static str, message: &str) -> Refusal {
    Refusal::new(Check::Authorization, code, message)
}
