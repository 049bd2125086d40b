use rolecall_core::http::RetryPolicy;
use rolecall_core::{Context, CredentialsError, ErrorKind, Result, SharedProvider};
use serde::de::DeserializeOwned;

use crate::form::Params;
use crate::query::{QueryClient, QueryEndpoint, STS};

/// AWS Security Token Service: a method for each of its operations.
///
/// Inputs are checked against the limits of the AWS STS API Reference before anything is sent.
#[derive(Clone, Debug)]
pub struct StsClient {
    /// The client underneath; its `api` is [`STS`].
    pub query: QueryClient,
}

impl StsClient {
    /// A client at `endpoint`, with the retries of [`RetryPolicy::default`]. `credentials` may be
    /// missing where only operations are called that are not signed: `assume_role_with_saml` and
    /// `assume_role_with_web_identity`.
    pub fn new(
        context: Context,
        endpoint: QueryEndpoint,
        credentials: Option<SharedProvider>,
    ) -> Self {
        let retry = RetryPolicy::default();
        Self { query: QueryClient { context, api: STS, endpoint, credentials, retry } }
    }

    /// Calls an operation that AWS wants signed.
    pub(crate) async fn signed<T: DeserializeOwned>(
        &self,
        action: &'static str,
        params: Params,
    ) -> Result<T> {
        if self.query.credentials.is_none() {
            let message = "this operation must be signed, and there are no credentials";
            return Err(error(ErrorKind::InvalidConfiguration, action, message));
        }
        self.query.call(action, params).await
    }

    /// Calls an operation whose proof of identity is among its parameters.
    pub(crate) async fn unsigned<T: DeserializeOwned>(
        &self,
        action: &'static str,
        make: &(dyn Fn() -> Result<Params> + Send + Sync),
    ) -> Result<T> {
        self.query.call_making(action, None, make).await
    }
}

/// An error of the operation `action`.
pub(crate) fn error(kind: ErrorKind, action: &str, message: impl Into<String>) -> CredentialsError {
    CredentialsError::new(kind, format!("STS {action}"), message)
}
