//! The OIDC service: a new access token for a refresh token.

use std::sync::Mutex;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use rolecall_core::http::{Request, RetryPolicy};
use rolecall_core::{Context, CredentialsError, ErrorKind, Result, Secret};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::token::Renewal;
use crate::ops::is_visible;
use crate::rest::{CallName, RestCall, url};

const CALL: CallName = CallName { service: "SSO OIDC", action: "CreateToken" };

/// What CreateToken gives.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewToken {
    pub(super) access_token: Secret,
    /// Seconds.
    pub(super) expires_in: u64,
    /// The next one; without it the old stays good.
    pub(super) refresh_token: Option<Secret>,
}

/// CreateToken with a refresh token. Source: IAM Identity Center OIDC API Reference.
pub(super) async fn create_token(
    context: &Context,
    retry: RetryPolicy,
    endpoint: &str,
    renewal: &Renewal,
) -> Result<NewToken> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Input<'a> {
        client_id: &'a str,
        client_secret: &'a str,
        grant_type: &'a str,
        refresh_token: &'a str,
    }
    let uri = url(CALL.service, endpoint, "/token")?;
    let (client_secret, refresh_token) =
        (renewal.client_secret.expose(), renewal.refresh_token.expose());
    let input = Input {
        client_id: &renewal.client_id,
        client_secret,
        grant_type: "refresh_token",
        refresh_token,
    };
    let make = || {
        // Room for all of it at once: a buffer that grows leaves unzeroed copies behind.
        let room = 2 * (client_secret.len() + refresh_token.len()) + 1024;
        let mut body = Zeroizing::new(Vec::with_capacity(room));
        serde_json::to_writer(&mut *body, &input).map_err(|error| {
            CredentialsError::new(
                ErrorKind::Internal,
                CALL.service,
                "the request cannot be written",
            )
            .with_source(error)
        })?;
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        Ok(request)
    };
    let secrets = [renewal.client_secret.clone(), renewal.refresh_token.clone()];
    let call = RestCall {
        context,
        retry,
        name: CALL,
        secrets: &secrets,
        make: &make,
        signed: None,
        sent: Mutex::default(),
    };
    let token: NewToken = call.answer().await?;
    let refresh_is_fine = token.refresh_token.as_ref().is_none_or(|t| is_visible(t.expose()));
    // A token of years would be kept for years.
    if is_visible(token.access_token.expose()) && refresh_is_fine && token.expires_in < 1 << 28 {
        return Ok(token);
    }
    let message = "the answer's token is empty, not visible ASCII, or of no sensible lifetime";
    Err(CALL.malformed(message))
}
