use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Credentials, CredentialsError, ErrorKind, Result};

/// Anything that gives credentials.
#[async_trait]
pub trait ProvideCredentials: Debug + Send + Sync {
    /// Gives credentials that are good now, fetching them if it must.
    ///
    /// # Errors
    /// [`ErrorKind::NotConfigured`] if this provider is not set up here, so that a [`Chain`] may go
    /// on; any other kind ends a chain.
    async fn provide_credentials(&self) -> Result<Credentials>;

    /// Credentials that are at hand without waiting: no network, no other process, no runtime.
    ///
    /// This is the warm path. `None` says only that [`Self::provide_credentials`] is needed.
    fn ready(&self) -> Option<Credentials> {
        None
    }
}

/// A provider that can be shared.
pub type SharedProvider = Arc<dyn ProvideCredentials>;

/// Asks one provider after the other until one is configured.
///
/// Only [`ErrorKind::NotConfigured`] lets it go on: a provider that is configured and fails is an
/// answer, and hiding it behind the next one's credentials would be worse.
#[derive(Debug)]
pub struct Chain {
    links: Vec<(String, SharedProvider)>,
}

impl Chain {
    /// A chain of named providers, in order.
    pub fn new(links: Vec<(String, SharedProvider)>) -> Self {
        Self { links }
    }
}

#[async_trait]
impl ProvideCredentials for Chain {
    async fn provide_credentials(&self) -> Result<Credentials> {
        let mut passed_over = Vec::with_capacity(self.links.len());
        for (name, provider) in &self.links {
            match provider.provide_credentials().await {
                Ok(credentials) => {
                    tracing::debug!(provider = name, "credentials found");
                    return Ok(credentials);
                }
                Err(error) if error.kind() == ErrorKind::NotConfigured => {
                    tracing::debug!(provider = name, reason = error.message(), "passed over");
                    passed_over.push(format!("{name}: {}", error.message()));
                }
                Err(error) => return Err(error),
            }
        }
        Err(CredentialsError::new(
            ErrorKind::NotConfigured,
            "credential chain",
            format!("no credentials found. Tried {}", passed_over.join("; ")),
        )
        .with_help("name a profile with --profile or AWS_PROFILE, or set AWS_ACCESS_KEY_ID"))
    }

    fn ready(&self) -> Option<Credentials> {
        // Only the first link may answer: whether a later one may depends on asking the earlier.
        self.links.first()?.1.ready()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fixed(Result<Credentials>);

    #[async_trait]
    impl ProvideCredentials for Fixed {
        async fn provide_credentials(&self) -> Result<Credentials> {
            self.0.clone()
        }
    }

    fn failing(kind: ErrorKind, message: &str) -> SharedProvider {
        Arc::new(Fixed(Err(CredentialsError::new(kind, "test", message))))
    }

    fn giving(id: &str) -> SharedProvider {
        Arc::new(Fixed(Ok(Credentials::new(id, "secret", "test"))))
    }

    async fn run(links: Vec<SharedProvider>) -> Result<Credentials> {
        let links = links.into_iter().enumerate().map(|(i, p)| (format!("link {i}"), p)).collect();
        Chain::new(links).provide_credentials().await
    }

    #[tokio::test]
    async fn goes_on_only_past_what_is_not_configured() {
        let found = run(vec![failing(ErrorKind::NotConfigured, "unset"), giving("B")]).await;
        assert_eq!(found.unwrap().access_key_id(), "B");
        for kind in ErrorKind::ALL.into_iter().filter(|k| *k != ErrorKind::NotConfigured) {
            let stopped = run(vec![failing(kind, "broken"), giving("B")]).await;
            assert_eq!(stopped.unwrap_err().kind(), kind);
        }
    }

    #[tokio::test]
    async fn final_error_names_every_provider_and_why_it_was_passed_over() {
        let error = run(vec![
            failing(ErrorKind::NotConfigured, "no variable"),
            failing(ErrorKind::NotConfigured, "no file"),
        ])
        .await
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConfigured);
        assert!(error.message().contains("link 0: no variable; link 1: no file"), "{error}");
    }
}
