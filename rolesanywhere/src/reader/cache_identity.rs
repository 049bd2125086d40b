//! Whose session it is, for the cache.

use std::collections::BTreeSet;

use ring::digest::{Context as Hash, SHA256, digest};
use rolecall_core::{PathKind, SecretInput};

use super::IdentityReader;
use crate::Certificate;
use crate::material::{Input, Material, without_pin};

/// What the certificate's input tells of who asks.
struct Holders {
    text: String,
    /// Whether it can be but one, whatever the key.
    is_one: bool,
}

impl IdentityReader {
    /// A text that stays the same for one identity, also when its certificate is renewed, and needs
    /// neither the key nor a password: it names in the cache whose session it is. `None` if that
    /// cannot be told beforehand: of standard input and pipes, which can be read but once, and of
    /// what cannot be read or makes no sense.
    ///
    /// It tells identities apart by who their certificates are for: subject, issuer and alternative
    /// names. So a renewed certificate goes on with the session that the one before it got, and
    /// another identity at the same path does not. Where that cannot be seen without a password or
    /// a PIN (PKCS#12, a token), it is the file's contents or the URI. Where it may be one of
    /// several, it is also the place of the key, which tells which.
    pub fn cache_identity(&self) -> Option<String> {
        let source = &self.source;
        let Holders { mut text, is_one } =
            self.holders(source.certificate.as_ref().or(source.private_key.as_ref())?)?;
        if let (Some(_), Some(key), false) = (&source.certificate, &source.private_key, is_one) {
            text += &format!(" {}", self.key_identity(key)?);
        }
        if let Some(selector) = &source.selector {
            text += &format!(" {selector}");
        }
        Some(text)
    }

    fn holders(&self, input: &SecretInput) -> Option<Holders> {
        let bytes = match input {
            // It is for the call itself.
            SecretInput::Stdin => return None,
            SecretInput::File(path) if !self.is_plain_file(path) => return None,
            _ => match Input::read(input, &self.context).ok()? {
                Input::Bytes(bytes) => bytes,
                Input::Token(uri) => {
                    return Some(Holders {
                        text: self.token_identity(uri.expose()),
                        is_one: false,
                    });
                }
            },
        };
        let material = Material::read(&bytes, "").ok()?;
        let all_are_authorities = material.certificates.iter().all(Certificate::is_ca);
        let leaves = material.certificates.iter().filter(|c| all_are_authorities || !c.is_ca());
        let holders: BTreeSet<_> = leaves.map(Certificate::holder).collect();
        if holders.is_empty() && material.pkcs12.is_none() {
            return None;
        }
        let mut hash = Hash::new(&SHA256);
        let mut add = |part: &[u8]| {
            hash.update(&part.len().to_be_bytes());
            hash.update(part);
        };
        let is_one = holders.len() == 1 && material.pkcs12.is_none();
        holders.into_iter().flatten().for_each(&mut add);
        // The key, which would tell which of them it is, lies among them.
        if material.pkcs12.is_some() || (!is_one && !material.keys.is_empty()) {
            add(digest(&SHA256, &bytes).as_ref());
        }
        Some(Holders { text: hex::encode(&hash.finish().as_ref()[..16]), is_one })
    }

    /// The place of the key, which is not opened for that; a text itself, as a digest.
    fn key_identity(&self, key: &SecretInput) -> Option<String> {
        let facts = |path| self.context.fs.facts(path).ok().flatten();
        match key {
            SecretInput::Stdin => None,
            SecretInput::File(path) if facts(path).is_some_and(|f| f.kind == PathKind::Other) => {
                None
            }
            SecretInput::File(path) => Some(format!("{:?}", self.context.fs.absolute(path).ok()?)),
            SecretInput::Env(_) | SecretInput::Literal(_) => {
                Some(match Input::read(key, &self.context).ok()? {
                    Input::Token(uri) => self.token_identity(uri.expose()),
                    Input::Bytes(bytes) => hex::encode(&digest(&SHA256, &bytes).as_ref()[..16]),
                })
            }
        }
    }

    /// The URI without its PIN, and the module.
    fn token_identity(&self, uri: &str) -> String {
        format!("{} {:?}", without_pin(uri), self.source.pkcs11_module)
    }
}
