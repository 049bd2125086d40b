//! Connections as one line of text, for command lines and files.

use std::fmt;
use std::str::FromStr;

use rolecall_core::{CredentialsError, ErrorKind, SecretInput};

use crate::definition::Connection;

const FORMS: &str = "write default, profile:NAME, access-key:ID=env:NAME or =file://PATH, \
                     role:ARN[,external-id=ID][,source=CONNECTION] or web-identity:ARN=FILE";

impl FromStr for Connection {
    type Err = CredentialsError;

    /// Reads the forms that `Display` writes. What they hold is checked with the definition.
    fn from_str(text: &str) -> Result<Self, CredentialsError> {
        if text == "default" {
            return Ok(Self::Default);
        }
        let (form, rest) = text.split_once(':').ok_or_else(|| wrong("it has no known form"))?;
        match form {
            "profile" => Ok(Self::Profile(rest.to_owned())),
            "custom" => Ok(Self::Custom(rest.to_owned())),
            "access-key" => access_key(rest),
            "role" => role(rest),
            "web-identity" => {
                // A role's path and name may hold an equals sign; the file's path begins with `/`.
                let (role_arn, file) = rest.split_once("=/").ok_or_else(|| {
                    wrong("a web identity needs the absolute path of its token's file")
                })?;
                let token_file = format!("/{file}").into();
                Ok(Self::WebIdentity { role_arn: role_arn.to_owned(), token_file })
            }
            // The text may hold a secret: it is not shown.
            _ => Err(wrong("it has no known form")),
        }
    }
}

fn access_key(text: &str) -> Result<Connection, CredentialsError> {
    let (id, secret) = text.split_once('=').unwrap_or((text, ""));
    match secret.parse() {
        Ok(SecretInput::Env(_) | SecretInput::File(_)) => Ok(Connection::AccessKey {
            access_key_id: id.to_owned(),
            secret_access_key: secret.to_owned(),
        }),
        _ => Err(wrong("the secret access key must be named as env:NAME or file://PATH")),
    }
}

fn role(text: &str) -> Result<Connection, CredentialsError> {
    // What comes after `source=` is a connection, with commas of its own.
    let (text, source) = match text.split_once(",source=") {
        Some((text, source)) => (text, source.parse()?),
        None => (text, Connection::Default),
    };
    let (role_arn, external_id) = match text.split_once(",external-id=") {
        Some((role_arn, id)) => (role_arn, Some(id.to_owned())),
        None => (text, None),
    };
    Ok(Connection::AssumeRole {
        role_arn: role_arn.to_owned(),
        external_id,
        source: Box::new(source),
    })
}

fn wrong(flaw: &str) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "connection", flaw).with_help(FORMS)
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Profile(name) => write!(f, "profile:{name}"),
            Self::Custom(name) => write!(f, "custom:{name}"),
            Self::AccessKey { access_key_id, secret_access_key } => {
                write!(f, "access-key:{access_key_id}={secret_access_key}")
            }
            Self::AssumeRole { role_arn, external_id, source } => {
                write!(f, "role:{role_arn}")?;
                if let Some(id) = external_id {
                    write!(f, ",external-id={id}")?;
                }
                match source.as_ref() {
                    Self::Default => Ok(()),
                    source => write!(f, ",source={source}"),
                }
            }
            Self::WebIdentity { role_arn, token_file } => {
                write!(f, "web-identity:{role_arn}={}", token_file.display())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_back() {
        for text in [
            "default",
            "profile:my admin",
            "custom:vault",
            "access-key:AKIAIOSFODNN7EXAMPLE=env:SECRET",
            "access-key:AKIAIOSFODNN7EXAMPLE=file:///run/a=b",
            "role:arn:aws:iam::123456789012:role/R",
            "role:arn:aws:iam::123456789012:role/a,b=c,external-id=x,y=z",
            "role:arn:aws:iam::123456789012:role/R,source=profile:p",
            "role:arn:aws:iam::1:role/R,external-id=x,source=role:arn:aws:iam::2:role/S,external-id=y,source=profile:p",
            "web-identity:arn:aws:iam::123456789012:role/a=b=/var/run/token=1",
        ] {
            let connection: Connection = text.parse().unwrap();
            assert_eq!(connection.to_string(), text);
        }
        let explicit: Connection = "role:arn,source=default".parse().unwrap();
        assert_eq!(explicit.to_string(), "role:arn");
    }

    #[test]
    fn other_forms_are_refused_and_never_shown() {
        for text in [
            "",
            "hunter2",
            "profile",
            "access-key:AKIAIOSFODNN7EXAMPLE=hunter2",
            "access-key:AKIAIOSFODNN7EXAMPLE",
            "access-key:AKIAIOSFODNN7EXAMPLE=-",
            "web-identity:arn=token",
            "vault:hunter2",
            "role:arn,source=hunter2",
        ] {
            let error = text.parse::<Connection>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{text}");
            assert!(error.help().is_some() && !format!("{error:?}").contains("hunter2"), "{text}");
        }
    }
}
