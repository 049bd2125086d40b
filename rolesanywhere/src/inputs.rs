//! What can be said of the inputs of an identity without using them.

use rolecall_core::{Context, PathKind, SecretInput};

use crate::IdentitySource;
use crate::key::Form;
use crate::material::{Input, place_of, token_uri};

impl IdentitySource {
    /// Where the certificate comes from, or the key if none is named; no secret.
    pub fn place(&self) -> Option<String> {
        self.certificate.as_ref().or(self.private_key.as_ref()).map(place_of)
    }

    /// Whether a person may be asked for a password or a PIN. What cannot be read asks nobody.
    pub fn may_ask(&self, context: &Context) -> bool {
        let key = self.private_key.as_ref().or(self.certificate.as_ref());
        if !self.reuse_pin && key.is_some_and(|key| token_of(key).is_some()) {
            // It may ask at each signature, for a PIN of its own.
            return true;
        }
        if self.password.is_some() {
            return false;
        }
        let inputs = [&self.certificate, &self.private_key];
        inputs.into_iter().flatten().any(|input| match token_of(input) {
            Some(uri) => !["pin-value=", "pin-source="].iter().any(|pin| uri.contains(pin)),
            None if !is_at_rest(input, context) => false,
            None => match Input::read(input, context) {
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

/// What follows the scheme of a PKCS#11 URI.
fn token_of(input: &SecretInput) -> Option<&str> {
    match input {
        SecretInput::Literal(text) => token_uri(text.expose()),
        _ => None,
    }
}

/// See [`IdentitySource::is_at_rest`].
pub(crate) fn is_at_rest(input: &SecretInput, context: &Context) -> bool {
    match input {
        SecretInput::Stdin => false,
        SecretInput::Literal(_) => token_of(input).is_none(),
        SecretInput::Env(_) => true,
        // A pipe can be read but once. What is not there is at rest, too.
        SecretInput::File(path) => !matches!(
            context.fs.facts(path),
            Ok(Some(facts)) if facts.kind == PathKind::Other
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_token_may_ask_unless_it_gets_the_pin_that_is_given() {
        let (open, with_pin) = ("pkcs11:object=a", "PKCS11:object=a?pin-source=/p");
        for (certificate, key, password, reuse_pin, may_ask) in [
            (None, Some(open), false, false, true),
            (None, Some(open), true, false, true),
            (Some("/c"), Some(with_pin), false, false, true),
            (Some(with_pin), None, true, false, true),
            (None, Some(open), false, true, true),
            (None, Some(open), true, true, false),
            (Some("/c"), Some(with_pin), false, true, false),
            // Certificates sign nothing.
            (Some(with_pin), Some("/k"), false, false, false),
            (Some(open), Some("/k"), true, false, false),
            (Some("/c"), Some("/k"), false, false, false),
        ] {
            let source = IdentitySource {
                certificate: certificate.map(IdentitySource::locate),
                private_key: key.map(IdentitySource::locate),
                password: password.then(|| SecretInput::Env("PIN".to_owned())),
                reuse_pin,
                ..IdentitySource::default()
            };
            let what = (certificate, key, password, reuse_pin);
            assert_eq!(source.may_ask(&Context::fake()), may_ask, "{what:?}");
        }
    }
}
