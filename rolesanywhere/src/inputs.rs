//! What can be said of the inputs of an identity without using them.

use rolecall_core::{Context, PathKind, SecretInput};

use crate::IdentitySource;
use crate::key::Form;
use crate::material::{Input, place_of};

impl IdentitySource {
    /// Where the certificate comes from, or the key if none is named; no secret.
    pub fn place(&self) -> Option<String> {
        self.certificate.as_ref().or(self.private_key.as_ref()).map(place_of)
    }

    /// Whether a person may be asked for a password or a PIN. What cannot be read asks nobody.
    pub fn may_ask(&self, context: &Context) -> bool {
        if self.password.is_some() {
            return false;
        }
        let inputs = [&self.certificate, &self.private_key];
        inputs.into_iter().flatten().any(|input| match input {
            SecretInput::Literal(text) if text.expose().starts_with("pkcs11:") => {
                !["pin-value=", "pin-source="].iter().any(|pin| text.expose().contains(pin))
            }
            _ if !is_at_rest(input, context) => false,
            _ => match Input::read(input, context) {
                // In PEM it says so; PKCS#12 nearly always is.
                Ok(Input::Bytes(bytes)) => {
                    let says_so = b"ENCRYPTED PRIVATE KEY-----";
                    bytes.windows(says_so.len()).any(|window| window == says_so)
                        || matches!(Form::of(&bytes), Some(Form::EncryptedPkcs8 | Form::Pkcs12))
                }
                Ok(Input::Token(_)) | Err(_) => false,
            },
        })
    }

    /// Whether all of it is in files, variables or texts: it can be read again and again, and
    /// nobody notices.
    pub fn is_at_rest(&self, context: &Context) -> bool {
        let Self { certificate, private_key, intermediates, password, .. } = self;
        let mut inputs = [certificate, private_key, intermediates, password].into_iter().flatten();
        inputs.all(|input| is_at_rest(input, context))
    }
}

fn is_at_rest(input: &SecretInput, context: &Context) -> bool {
    match input {
        SecretInput::Stdin => false,
        SecretInput::Literal(text) => !text.expose().starts_with("pkcs11:"),
        SecretInput::Env(_) => true,
        // A pipe can be read but once. What is not there is at rest, too.
        SecretInput::File(path) => !matches!(
            context.fs.facts(path),
            Ok(Some(facts)) if facts.kind == PathKind::Other
        ),
    }
}
