use async_trait::async_trait;

use crate::{
    Clock, Context, Credentials, CredentialsError, Env, ErrorKind, ProvideCredentials, Result,
    timestamp,
};

const PROVIDER: &str = "environment";

/// The variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`,
/// `AWS_CREDENTIAL_EXPIRATION` (RFC 3339) and `AWS_ACCOUNT_ID`.
#[derive(Debug)]
pub struct EnvironmentProvider {
    env: Env,
    clock: Clock,
}

impl EnvironmentProvider {
    /// Reads the environment of `context`, anew each time.
    pub fn new(context: &Context) -> Self {
        Self { env: context.env.clone(), clock: context.clock.clone() }
    }

    /// The credentials as the variables are now.
    ///
    /// # Errors
    /// `NotConfigured` without them, `InvalidConfiguration` with one half or a nonsensical end,
    /// `Denied` past the end.
    pub fn read(&self) -> Result<Credentials> {
        let fail = |kind, message: String| CredentialsError::new(kind, PROVIDER, message);
        let required = |name: &str, other: &str| {
            self.env.get(name).ok_or_else(|| match self.env.get(other) {
                None => fail(ErrorKind::NotConfigured, "AWS_ACCESS_KEY_ID is not set".to_owned()),
                Some(_) => fail(
                    ErrorKind::InvalidConfiguration,
                    format!("{other} is set but {name} is not"),
                )
                .with_help(format!("set {name}, or unset {other}")),
            })
        };
        let id = required("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")?;
        let secret = required("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")?;
        let expires_at = match self.env.get("AWS_CREDENTIAL_EXPIRATION") {
            None => None,
            Some(text) => Some(timestamp::parse(&text).ok_or_else(|| {
                fail(
                    ErrorKind::InvalidConfiguration,
                    "AWS_CREDENTIAL_EXPIRATION is not a time such as 2026-01-02T03:04:05Z"
                        .to_owned(),
                )
            })?),
        };
        if let Some(end) = expires_at.filter(|end| *end <= self.clock.now()) {
            return Err(fail(
                ErrorKind::Denied,
                format!("the credentials of the environment ended at {}", timestamp::format(end)),
            )
            .with_help("get new ones, or unset AWS_ACCESS_KEY_ID and its companions"));
        }
        Ok(Credentials::new(id, secret, PROVIDER)
            .with_session_token(self.env.get("AWS_SESSION_TOKEN").map(Into::into))
            .with_expires_at(expires_at)
            .with_account_id(self.env.get("AWS_ACCOUNT_ID")))
    }
}

#[async_trait]
impl ProvideCredentials for EnvironmentProvider {
    async fn provide_credentials(&self) -> Result<Credentials> {
        self.read()
    }

    fn ready(&self) -> Option<Credentials> {
        self.read().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Credentials> {
        let env = Env::from_pairs(pairs.iter().copied());
        EnvironmentProvider::new(&Context { env, ..Context::fake() }).read()
    }

    const ID: (&str, &str) = ("AWS_ACCESS_KEY_ID", "AKID");
    const SECRET: (&str, &str) = ("AWS_SECRET_ACCESS_KEY", "hunter2");

    #[test]
    fn reads_every_variable() {
        let end = "2026-01-01T01:00:00Z";
        let found = read(&[
            ID,
            SECRET,
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_CREDENTIAL_EXPIRATION", end),
            ("AWS_ACCOUNT_ID", "123456789012"),
        ])
        .unwrap();
        assert_eq!(found.access_key_id(), "AKID");
        assert_eq!(found.session_token().unwrap().expose(), "token");
        assert_eq!(found.expires_at(), timestamp::parse(end));
        assert_eq!(found.account_id(), Some("123456789012"));
    }

    #[test]
    fn half_of_a_pair_is_an_error_that_names_the_other_half() {
        for (set, missing) in [(ID, SECRET.0), (SECRET, ID.0)] {
            let error = read(&[set]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.help().unwrap().contains(missing), "{error}");
        }
        assert_eq!(read(&[]).unwrap_err().kind(), ErrorKind::NotConfigured);
    }

    #[test]
    fn ended_and_nonsensical_expiry_are_told_apart() {
        let with = |end| read(&[ID, SECRET, ("AWS_CREDENTIAL_EXPIRATION", end)]).unwrap_err();
        assert_eq!(with("2025-12-31T23:59:59Z").kind(), ErrorKind::Denied);
        assert_eq!(with("tomorrow").kind(), ErrorKind::InvalidConfiguration);
    }
}
