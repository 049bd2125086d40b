use std::path::Path;

use rolecall_core::{Context, CredentialsError, ErrorKind, Result, Secret, SecretInput};
use zeroize::Zeroizing;

use super::{PROVIDER, in_tpm};

/// The largest file: a chain, or a store of many certificates, is far smaller.
const LIMIT: u64 = 1024 * 1024;

/// Where key or certificate are.
pub(crate) enum Input {
    /// Here they are.
    Bytes(Zeroizing<Vec<u8>>),
    /// In a PKCS#11 token, at this URI, which may hold a PIN.
    Token(Secret),
}

impl Input {
    /// Reads what `input` names.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it cannot be read.
    pub(crate) fn read(input: &SecretInput, context: &Context) -> Result<Self> {
        let fail = |what: &str| {
            let message = format!("it cannot be read: {what}");
            let error = CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
                .with_place(place_of(input));
            match input {
                SecretInput::File(path) if path.starts_with("~") || is_with_variable(path) => {
                    error.with_help("`~` and variables stay as they are here: write the whole path")
                }
                _ => error,
            }
        };
        match input {
            SecretInput::Literal(text) if token_uri(text.expose()).is_some() => {
                Ok(Self::Token(text.clone()))
            }
            SecretInput::Literal(text) if text.expose().starts_with("handle:") => Err(in_tpm()),
            SecretInput::Literal(text) => {
                Ok(Self::Bytes(Zeroizing::new(text.expose().as_bytes().to_vec())))
            }
            SecretInput::Env(name) => match context.env.get(name) {
                Some(text) => Ok(Self::Bytes(Zeroizing::new(text.into_bytes()))),
                None => Err(fail("the variable is not set")),
            },
            SecretInput::File(path) => match context.fs.read_also_pipe(path, LIMIT) {
                Ok(bytes) => Ok(Self::Bytes(bytes)),
                Err(error) => Err(fail(&error.to_string()).with_source(error)),
            },
            SecretInput::Stdin => match context.fs.read_stdin(LIMIT) {
                Ok(bytes) => Ok(Self::Bytes(bytes)),
                Err(error) => Err(fail(&error.to_string()).with_source(error)),
            },
        }
    }
}

/// Whether a shell would put something else there.
fn is_with_variable(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.contains('$'))
}

/// What follows the scheme, if `text` is meant as a PKCS#11 URI.
pub(crate) fn token_uri(text: &str) -> Option<&str> {
    const SCHEME: &str = "pkcs11:";
    let (scheme, rest) = text.trim().split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(rest)
}

/// Whether a text that is given for a key or certificate is a secret, or holds one.
pub(crate) fn is_secret(text: &str) -> bool {
    match token_uri(text) {
        Some(uri) => uri.to_ascii_lowercase().contains("pin-value"),
        None if text.starts_with("handle:") => false,
        None => !text.contains("-----BEGIN ") || text.contains("PRIVATE KEY"),
    }
}

/// The parts of a URI that say which object it is, first those that are shown.
const OBJECT: [&str; 15] = [
    "token",
    "serial",
    "slot-id",
    "object",
    "id",
    "type",
    "manufacturer",
    "model",
    "slot-description",
    "slot-manufacturer",
    "library-description",
    "library-manufacturer",
    "library-version",
    "module-path",
    "module-name",
];

/// How many of them are shown.
const SHOWN: usize = 6;

/// The parts of a PKCS#11 URI that are called as one of `names`. A PIN may stand on either side of
/// the `?`, after any sign, and misspelt: it is none of them.
fn parts_of(uri: &str, names: &[&str]) -> String {
    let is_named =
        |part: &&str| part.split_once('=').is_some_and(|(name, _)| names.contains(&name));
    uri.split([';', '?', '&']).filter(is_named).collect::<Vec<_>>().join(";")
}

/// What a PKCS#11 URI says of the object, without a PIN.
pub(crate) fn without_pin(uri: &str) -> String {
    format!("pkcs11:{}", parts_of(token_uri(uri).unwrap_or(uri), &OBJECT))
}

/// Names an input without showing a secret.
pub(crate) fn place_of(input: &SecretInput) -> String {
    match input {
        SecretInput::Literal(text) => match token_uri(text.expose()) {
            Some(uri) => {
                let shown = parts_of(uri, &OBJECT[..SHOWN]);
                rolecall_core::printable(&format!("pkcs11:{shown}"), 200)
            }
            None => "the given text".to_owned(),
        },
        SecretInput::File(path) => path.display().to_string(),
        SecretInput::Stdin => "standard input".to_owned(),
        SecretInput::Env(name) => format!("environment variable {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_shows_the_object_and_no_pin() {
        for (uri, place) in [
            ("pkcs11:token=a;object=b?pin-value=1234", "pkcs11:token=a;object=b"),
            ("pkcs11:object=a;pin-value=1234", "pkcs11:object=a"),
            ("pkcs11:pin-value=1234;object=a?module-path=/m", "pkcs11:object=a"),
            ("pkcs11:object=a&pin-value=1234", "pkcs11:object=a"),
            ("pkcs11:object=a;pin-value=12;34", "pkcs11:object=a"),
            ("pkcs11:object=a;pin%2dvalue=1234;PIN-VALUE=1234", "pkcs11:object=a"),
            (" PKCS11:object=a?pin-value=1234", "pkcs11:object=a"),
            ("pkcs11:", "pkcs11:"),
        ] {
            assert_eq!(place_of(&SecretInput::Literal(uri.into())), place);
            assert!(matches!(
                Input::read(&SecretInput::Literal(uri.into()), &Context::fake()),
                Ok(Input::Token(_))
            ));
        }
    }

    #[test]
    fn what_names_an_object_in_the_cache_holds_no_pin() {
        for (uri, kept) in [
            (
                "pkcs11:token=a;object=b?pin-value=1234&module-path=/m",
                "token=a;object=b;module-path=/m",
            ),
            ("pkcs11:object=a;pin-value=1234;model=m", "object=a;model=m"),
            ("PKCS11:object=a;PIN-VALUE=1234;pin%2dvalue=1234", "object=a"),
        ] {
            assert_eq!(without_pin(uri), format!("pkcs11:{kept}"));
        }
    }

    #[test]
    fn a_path_for_a_shell_says_what_is_wrong_with_it() {
        for path in ["~/host.key", "$HOME/host.key", "/home/${USER}/host.key"] {
            let input = SecretInput::File(path.into());
            let Err(error) = Input::read(&input, &Context::fake()) else { panic!("{path}") };
            assert_eq!(error.place(), Some(path));
            assert!(error.help().unwrap().contains("write the whole path"), "{error}");
        }
    }

    #[test]
    fn a_text_with_a_pin_or_a_key_is_a_secret() {
        for secret in [
            "pkcs11:object=a?pin-value=1234",
            "PKCS11:object=a;PIN-VALUE=1234",
            "-----BEGIN PRIVATE KEY-----\\nMAA=\\n-----END PRIVATE KEY-----",
            "-----BEGIN CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----\n",
            // DER as base64.
            "MIIEvQ",
        ] {
            assert!(is_secret(secret), "{secret}");
        }
        for open in [
            "pkcs11:object=a?pin-source=/p",
            "handle:0x81000001",
            "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----",
        ] {
            assert!(!is_secret(open), "{open}");
        }
    }
}
