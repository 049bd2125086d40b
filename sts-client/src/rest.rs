//! Calls in AWS's REST JSON protocol, as IAM Identity Center and EKS speak it.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use rolecall_core::http::{Exchange, Request, Response, RetryPolicy, Verdict, request_id, send};
use rolecall_core::{
    Context, CredentialsError, ErrorKind, Result, Secret, ServiceError, SharedProvider,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{self, FailedCall, Wire};
use crate::query::{QueryEndpoint, bad_url, check_url};
use crate::sign::{SigningScope, sign};

/// What is called, for messages.
#[derive(Clone, Copy)]
pub(crate) struct CallName {
    pub(crate) service: &'static str,
    pub(crate) action: &'static str,
}

impl CallName {
    /// The error for an answer that makes no sense.
    pub(crate) fn malformed(self, message: impl Into<String>) -> CredentialsError {
        CredentialsError::new(ErrorKind::Malformed, self.to_string(), message)
    }
}

impl fmt::Display for CallName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.service, self.action)
    }
}

/// One call.
pub(crate) struct RestCall<'a> {
    pub(crate) context: &'a Context,
    pub(crate) retry: RetryPolicy,
    pub(crate) name: CallName,
    /// What the request holds that must not be seen.
    pub(crate) secrets: &'a [Secret],
    /// Makes the request anew for each attempt.
    pub(crate) make: &'a (dyn Fn() -> Result<Request> + Send + Sync),
    /// Who signs, for which endpoint; `None` sends it unsigned.
    pub(crate) signed: Option<(&'a SharedProvider, &'a QueryEndpoint)>,
    /// Whose credentials signed the last attempt, and their session token.
    pub(crate) sent: Mutex<(Option<String>, Vec<Secret>)>,
}

impl RestCall<'_> {
    /// Carries it out and reads the answer.
    ///
    /// # Errors
    /// Those of [`send`]; `Malformed` if the answer is not what the service documents; else by the
    /// service's code.
    pub(crate) async fn answer<T: DeserializeOwned>(&self) -> Result<T> {
        let answer = send(self.context, self.retry, self).await?;
        tracing::debug!(
            call = %self.name,
            status = answer.status().as_u16(),
            request_id = request_id(&answer),
            "answered"
        );
        let (signer, token) = &*self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let secrets = [self.secrets, token].concat();
        let failed = FailedCall {
            service: self.name.service,
            action: self.name.action,
            credentials: signer.as_deref(),
            secrets: &secrets,
        };
        if !answer.status().is_success() {
            return Err(failed.explain_wire(&answer, read(&answer)));
        }
        serde_json::from_slice(answer.body()).map_err(|flaw| {
            // serde_json's text may quote the answer; its position does not.
            let place = format!("it breaks off at line {}, column {}", flaw.line(), flaw.column());
            failed.malformed(&answer, &place)
        })
    }
}

#[async_trait]
impl Exchange for RestCall<'_> {
    fn name(&self) -> String {
        self.name.to_string()
    }

    async fn request(&self) -> Result<Request> {
        let request = (self.make)()?;
        let Some((credentials, endpoint)) = self.signed else { return Ok(request) };
        let credentials = credentials.provide_credentials().await?;
        let scope = SigningScope {
            region: &endpoint.signing_region,
            service: &endpoint.signing_name,
            time: self.context.clock.now(),
        };
        let token = credentials.session_token().cloned().into_iter().collect();
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner) =
            (Some(credentials.provider().to_owned()), token);
        sign(request, &credentials, &scope)
    }

    fn judge(&self, answer: &Response) -> Verdict {
        if answer.status().is_success() {
            return Verdict::Final;
        }
        let status = answer.status().as_u16();
        match read(answer).map(|wire| wire.code) {
            Some(code) if error::is_retryable(&code) => Verdict::Transient(code),
            _ if error::is_retryable_status(status) || status == 429 => {
                Verdict::Transient(format!("HTTP status {status}"))
            }
            Some(code) if self.signed.is_some() && error::is_clock_skew(&code) => {
                Verdict::ClockSkew
            }
            _ => Verdict::Final,
        }
    }
}

/// The error in an answer, if it is one of AWS's. Source: Smithy, "AWS restJson1 protocol",
/// "Operation error serialization".
fn read(answer: &Response) -> Option<Wire> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "__type")]
        kind: Option<String>,
        code: Option<String>,
        /// OAuth's code.
        error: Option<String>,
        #[serde(alias = "Message", alias = "error_description")]
        message: Option<String>,
    }
    let body: Body = serde_json::from_slice(answer.body()).ok()?;
    let header = answer.headers().get("x-amzn-errortype").and_then(|kind| kind.to_str().ok());
    let code =
        header.or(body.kind.as_deref()).or(body.code.as_deref()).or(body.error.as_deref())?;
    Wire::new(ServiceError::rest_code(code), body.message.unwrap_or_default(), None)
}

/// The URL of `path` at an endpoint, whose own path is kept.
///
/// # Errors
/// `InvalidConfiguration` if the endpoint's URL makes no sense.
pub(crate) fn url(service: &'static str, endpoint: &str, path: &str) -> Result<http::Uri> {
    let bad = |flaw: &str| -> CredentialsError { bad_url(service, flaw) };
    let base = check_url(endpoint).map_err(bad)?;
    let text = format!("{}{path}", base.as_str().trim_end_matches('/'));
    text.parse().map_err(|_| bad("is not a URL"))
}

#[cfg(test)]
mod tests {
    use rolecall_core::http::ScriptedHttp;

    use super::*;

    #[test]
    fn errors_are_read_in_each_of_their_forms() {
        for (header, body, code) in [
            (Some("UnauthorizedException:http://x"), "{}", Some("UnauthorizedException")),
            (None, r#"{"__type":"com.amazonaws#ForbiddenException"}"#, Some("ForbiddenException")),
            (None, r#"{"code":"A","message":"m"}"#, Some("A")),
            (None, r#"{"error":"invalid_grant","error_description":"m"}"#, Some("invalid_grant")),
            (None, r#"{"message":"m"}"#, None),
            (Some("A"), "<html>", None),
        ] {
            let mut answer = ScriptedHttp::answer(400, body);
            if let Some(header) = header {
                answer.headers_mut().insert("x-amzn-errortype", header.parse().unwrap());
            }
            assert_eq!(read(&answer).map(|wire| wire.code).as_deref(), code, "{body}");
        }
    }

    #[test]
    fn a_path_of_the_endpoint_is_kept() {
        let of = |endpoint| url("SSO", endpoint, "/a?b=c").map(|url| url.to_string());
        assert_eq!(of("https://x.test").unwrap(), "https://x.test/a?b=c");
        assert_eq!(of("http://x.test/base/").unwrap(), "http://x.test/base/a?b=c");
        assert!(of("ftp://x.test").is_err() && of("https://me:pw@x.test").is_err());
    }
}
