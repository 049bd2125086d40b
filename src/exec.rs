//! The environment of a program that is to use given credentials.

use std::error::Error;
use std::io;

use rolecall_core::{Context, Credentials, CredentialsError, ErrorKind};

use crate::export;

/// Variables that would make an SDK look elsewhere, or that belong to other credentials.
const STALE: [&str; 15] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ACCOUNT_ID",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// Variables to set, or with `None` to remove.
pub type Changes = Vec<(String, Option<String>)>;

/// The changes to make to an environment: a value to set, or `None` to remove. The list holds the
/// secrets.
pub fn environment(context: &Context, credentials: &Credentials, region: Option<&str>) -> Changes {
    let mut changes = cleared_environment(context, region);
    for (name, value) in export::variables(credentials) {
        set(&mut changes, name, &value);
    }
    if let Some(account_id) = credentials.account_id() {
        set(&mut changes, "AWS_ACCOUNT_ID", account_id);
    }
    changes
}

/// The exit code for an error of running a command with credentials, as shells and `env` have it:
/// 127 if there is no such command, 126 if it cannot be run. What fails before that has the code of
/// its kind.
pub fn exit_code(error: &CredentialsError) -> u8 {
    let is_of_command =
        error.provider() == "exec" && error.kind() == ErrorKind::InvalidConfiguration;
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause.filter(|_| is_of_command).map(io::Error::kind) {
        Some(io::ErrorKind::NotFound) => 127,
        Some(_) => 126,
        None => error.kind().exit_code(),
    }
}

/// The changes that leave a region and no credentials.
pub(crate) fn cleared_environment(context: &Context, region: Option<&str>) -> Changes {
    let mut changes: Vec<_> = STALE.iter().map(|name| ((*name).to_owned(), None)).collect();
    if let Some(region) = region {
        // Some SDKs read the one, some the other.
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            if context.env.get(name).as_deref() != Some(region) {
                set(&mut changes, name, region);
            }
        }
    }
    changes
}

/// Sets a variable in the changes to make.
pub(crate) fn set(changes: &mut Changes, name: &str, value: &str) {
    match changes.iter_mut().find(|(n, _)| n == name) {
        Some((_, change)) => *change = Some(value.to_owned()),
        None => changes.push((name.to_owned(), Some(value.to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_the_credentials_and_removes_what_would_compete() {
        let credentials = Credentials::new("AKID", "secret", "test");
        let changes = environment(&Context::real(), &credentials, Some("xx-test-1"));
        let find = |name: &str| changes.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_deref());
        assert_eq!(find("AWS_ACCESS_KEY_ID"), Some(Some("AKID")));
        assert_eq!(find("AWS_REGION"), Some(Some("xx-test-1")));
        for gone in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONTAINER_CREDENTIALS_FULL_URI"] {
            assert_eq!(find(gone), Some(None), "{gone}");
        }
    }
}
