//! The portal: credentials of a role for an access token.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use rolecall_core::http::{Request, RetryPolicy};
use rolecall_core::{Context, Credentials, CredentialsError, ErrorKind, Result, Secret};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::form::encode;
use crate::ops::is_visible;
use crate::rest::{CallName, RestCall, url};

const CALL: CallName = CallName { service: "SSO", action: "GetRoleCredentials" };

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    role_credentials: RoleCredentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleCredentials {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Secret,
    /// Milliseconds since 1970.
    expiration: u64,
}

/// GetRoleCredentials. Source: IAM Identity Center Portal API Reference.
pub(super) async fn role_credentials(
    context: &Context,
    retry: RetryPolicy,
    endpoint: &str,
    token: &Secret,
    (account_id, role_name): (&str, &str),
) -> Result<Credentials> {
    let path = format!(
        "/federation/credentials?role_name={}&account_id={}",
        encode(role_name),
        encode(account_id)
    );
    let uri = url(CALL.service, endpoint, &path)?;
    let mut header = HeaderValue::from_str(token.expose()).map_err(|_| {
        let message = "the access token in the token file is no token";
        CredentialsError::new(ErrorKind::InvalidConfiguration, CALL.service, message)
    })?;
    header.set_sensitive(true);
    let make = || {
        let mut request = Request::new(Zeroizing::new(Vec::new()));
        *request.uri_mut() = uri.clone();
        request.headers_mut().insert("x-amz-sso_bearer_token", header.clone());
        Ok(request)
    };
    let secrets = [token.clone()];
    let call = RestCall {
        context,
        retry,
        name: CALL,
        secrets: &secrets,
        make: &make,
        signed: None,
        sent: Mutex::default(),
    };
    let Answer { role_credentials: found } = call.answer().await?;
    for (name, text) in [
        ("accessKeyId", found.access_key_id.as_str()),
        ("secretAccessKey", found.secret_access_key.expose()),
        ("sessionToken", found.session_token.expose()),
    ] {
        if !is_visible(text) {
            return Err(
                CALL.malformed(format!("the answer's {name} is empty or not visible ASCII"))
            );
        }
    }
    let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(found.expiration / 1000));
    // A year beyond 9999 has no form in JSON.
    let end = end.filter(|_| found.expiration < 253_402_300_800_000);
    let end = end.ok_or_else(|| CALL.malformed("the answer's expiration is no time"))?;
    let provider = format!("SSO role {role_name} in account {account_id}");
    Ok(Credentials::new(found.access_key_id, found.secret_access_key, provider)
        .with_session_token(Some(found.session_token))
        .with_expires_at(Some(end))
        .with_account_id(Some(account_id.to_owned())))
}
