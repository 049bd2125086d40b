use std::time::SystemTime;

use async_trait::async_trait;
use rolecall_core::{
    Clock, Credentials, CredentialsError, ErrorKind, ProvideCredentials, Result, SharedProvider,
    timestamp,
};

/// A provider of the caller's own as a session's source: what it gives must not have ended.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) provider: SharedProvider,
    pub(crate) clock: Clock,
}

impl Given {
    /// When these ended, if they have.
    fn ended(&self, credentials: &Credentials) -> Option<SystemTime> {
        credentials.expires_at().filter(|end| *end <= self.clock.now())
    }
}

#[async_trait]
impl ProvideCredentials for Given {
    fn ready(&self) -> Option<Credentials> {
        self.provider.ready().filter(|given| self.ended(given).is_none())
    }

    async fn provide_credentials(&self) -> Result<Credentials> {
        let given = self.provider.provide_credentials().await?;
        match self.ended(&given) {
            None => Ok(given),
            Some(end) => {
                let message =
                    format!("it gave credentials that ended at {}", timestamp::format(end));
                Err(CredentialsError::new(ErrorKind::Denied, given.provider().to_owned(), message)
                    .with_help("let the provider get new ones each time it is asked"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rolecall_core::Context;

    use super::*;

    #[tokio::test]
    async fn what_has_ended_is_refused() {
        let clock = Context::fake().clock;
        let keys = |end| Credentials::new("AKIA", "secret", "mine").with_expires_at(end);
        let ask = async |end| {
            let given = Given { provider: Arc::new(keys(end)), clock: clock.clone() };
            given.provide_credentials().await
        };
        assert!(ask(None).await.is_ok());
        assert!(ask(Some(clock.now() + Duration::from_secs(1))).await.is_ok());
        let error = ask(Some(clock.now())).await.unwrap_err();
        assert_eq!((error.kind(), error.provider()), (ErrorKind::Denied, "mine"));
        assert!(error.message().contains("ended at 2026-01-01T00:00:00Z"), "{error}");
    }
}
