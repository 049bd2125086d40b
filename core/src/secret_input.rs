use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use crate::{Context, CredentialsError, ErrorKind, Result, Secret};

const LIMIT: u64 = 1024 * 1024;

/// Where a secret comes from that a flag asks for: `file://PATH`, `-` (standard input),
/// `env:NAME`, or the text itself, which every user of the machine can see in the list of
/// processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretInput {
    /// The text itself.
    Literal(Secret),
    /// A file's contents.
    File(PathBuf),
    /// Standard input, up to its end.
    Stdin,
    /// An environment variable.
    Env(String),
}

impl FromStr for SecretInput {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "-" {
            Self::Stdin
        } else if let Some(path) = text.strip_prefix("file://") {
            Self::File(path.into())
        } else if let Some(name) = text.strip_prefix("env:") {
            Self::Env(name.to_owned())
        } else {
            Self::Literal(text.into())
        })
    }
}

impl SecretInput {
    /// Reads the secret, without white space around it.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it cannot be read, is not UTF-8 or is empty.
    pub fn read(&self, context: &Context) -> Result<Secret> {
        let secret = match self {
            Self::Literal(text) => text.trimmed(),
            Self::Env(name) => {
                let text = context.env.get(name);
                Secret::from(text.ok_or_else(|| self.error("the variable is not set"))?).trimmed()
            }
            Self::File(_) | Self::Stdin => {
                let bytes = match self {
                    Self::File(path) => context.fs.read_also_pipe(path, LIMIT),
                    _ => context.fs.read_stdin(LIMIT),
                };
                let mut bytes = bytes.map_err(|e| self.error(&e.to_string()).with_source(e))?;
                let text = Secret::from_utf8(std::mem::take(&mut *bytes));
                text.ok_or_else(|| self.error("it is not UTF-8"))?.trimmed()
            }
        };
        if secret.expose().is_empty() {
            return Err(self.error("it is empty"));
        }
        Ok(secret)
    }

    fn error(&self, what: &str) -> CredentialsError {
        let place = match self {
            Self::Literal(_) => "the given text".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
            Self::Env(name) => format!("environment variable {name}"),
        };
        let message = format!("cannot read a secret from {place}: {what}");
        CredentialsError::new(ErrorKind::InvalidConfiguration, "secret", message)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Env, Fs};

    fn read(text: &str) -> Result<Secret> {
        let folder = tempfile::tempdir().unwrap();
        let context = Context {
            fs: Fs::rooted(folder.path()),
            env: Env::from_pairs([("CODE", "123456")]),
            ..Context::fake()
        };
        context.fs.write(Path::new("/code"), b" 654321\n").unwrap();
        context.fs.write(Path::new("/empty"), b"\n").unwrap();
        context.fs.write(Path::new("/binary"), b"\xff").unwrap();
        text.parse::<SecretInput>().unwrap().read(&context)
    }

    #[test]
    fn every_form_is_read_without_white_space_around_it() {
        for (input, expected) in
            [("file:///code", "654321"), ("env:CODE", "123456"), (" literal ", "literal")]
        {
            assert_eq!(read(input).unwrap().expose(), expected);
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (input, says) in [
            ("file:///missing", "/missing"),
            ("file:///empty", "is empty"),
            ("file:///binary", "not UTF-8"),
            ("env:NONE", "environment variable NONE"),
            ("", "is empty"),
        ] {
            let error = read(input).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
