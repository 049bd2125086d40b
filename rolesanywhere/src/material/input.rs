use rolecall_core::{Context, CredentialsError, ErrorKind, Result, SecretInput};
use zeroize::Zeroizing;

use super::{PROVIDER, in_tpm};

/// The largest file: a chain, or a store of many certificates, is far smaller.
const LIMIT: u64 = 1024 * 1024;

/// Where key or certificate are.
pub(crate) enum Input {
    /// Here they are.
    Bytes(Zeroizing<Vec<u8>>),
    /// In a PKCS#11 token, at this URI.
    Token(String),
}

impl Input {
    /// Reads what `input` names.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it cannot be read.
    pub(crate) fn read(input: &SecretInput, context: &Context) -> Result<Self> {
        let fail = |what: &str| {
            let message = format!("it cannot be read: {what}");
            CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
                .with_place(place_of(input))
        };
        match input {
            SecretInput::Literal(text) if text.expose().starts_with("pkcs11:") => {
                Ok(Self::Token(text.expose().to_owned()))
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

/// Names an input without showing a secret.
pub(crate) fn place_of(input: &SecretInput) -> String {
    match input {
        SecretInput::Literal(text) if text.expose().starts_with("pkcs11:") => {
            // A URI may hold a PIN in its query.
            let uri = text.expose().split('?').next().unwrap_or_default();
            rolecall_core::printable(uri, 200)
        }
        SecretInput::Literal(_) => "the given text".to_owned(),
        SecretInput::File(path) => path.display().to_string(),
        SecretInput::Stdin => "standard input".to_owned(),
        SecretInput::Env(name) => format!("environment variable {name}"),
    }
}
