//! The environment of a program that is to use given credentials.

use rolecall_core::{Context, Credentials};

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

/// The changes to make to an environment: a value to set, or `None` to remove. The list holds the
/// secrets.
pub fn environment(
    context: &Context,
    credentials: &Credentials,
    region: Option<&str>,
) -> Vec<(String, Option<String>)> {
    let mut changes: Vec<_> = STALE.iter().map(|name| ((*name).to_owned(), None)).collect();
    let mut set = |name: &str, value: &str| match changes.iter_mut().find(|(n, _)| n == name) {
        Some((_, change)) => *change = Some(value.to_owned()),
        None => changes.push((name.to_owned(), Some(value.to_owned()))),
    };
    for (name, value) in export::variables(credentials) {
        set(name, &value);
    }
    if let Some(account_id) = credentials.account_id() {
        set("AWS_ACCOUNT_ID", account_id);
    }
    if let Some(region) = region {
        // Some SDKs read the one, some the other.
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            if context.env.get(name).as_deref() != Some(region) {
                set(name, region);
            }
        }
    }
    changes
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
