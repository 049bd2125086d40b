//! The one call to STS: a request of our own with the token's signature, and what may come of it.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};
use ring::digest;
use rolecall_core::http::{HttpError, HttpFailure, Request, Response, TimeLimit};
use rolecall_core::{Context, ErrorKind};
use zeroize::Zeroizing;

use super::answer;
use super::presented::Presented;
use super::principal::CallerIdentity;
use crate::form;
use crate::identity::refusal::{Check, Refusal};
use crate::identity::token::TokenFormat;
use crate::identity::{ALGORITHM, BODY};

/// A call, ready to be made.
pub(super) struct Call<'a> {
    pub(super) presented: &'a Presented,
    /// `https://sts.amazonaws.com/`.
    pub(super) url: String,
    /// For EKS: the cluster that the token must be for.
    pub(super) cluster: &'a str,
}

impl Call<'_> {
    /// A hash of everything that is sent, and so of the partition, of the key and thereby the
    /// account: what two equal calls have in common and no others.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let found = self.presented;
        let token = found.session_token.as_ref().map_or("", |token| token.as_str());
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [
            found.format.name(),
            &self.url,
            self.cluster,
            &found.region,
            &found.access_key_id,
            found.date.text(),
            found.content_type.unwrap_or_default(),
            if found.content_length { "43" } else { "" },
            found.binding.as_deref().unwrap_or_default(),
            found.challenge.as_deref().unwrap_or_default(),
            token,
        ] {
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        context.update(&found.expires.unwrap_or(u32::MAX).to_be_bytes());
        context.update(&*found.signature);
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(context.finish().as_ref());
        fingerprint
    }

    /// Asks STS once, at most for `limit`.
    pub(super) async fn make(
        &self,
        context: &Context,
        limit: Duration,
    ) -> Result<CallerIdentity, Refusal> {
        let mut request = self.request().ok_or_else(|| {
            Refusal::new(Check::Sts, "unsendable", "the request to STS cannot be made")
        })?;
        request.extensions_mut().insert(TimeLimit(limit));
        let answer = context.clock.timeout(limit, context.http.send(request)).await;
        let answer = answer.ok_or_else(timed_out)?.map_err(|error| explain(&error))?;
        judge(&answer)
    }

    /// Built from what was read, header by header. Nothing is passed on as it came.
    pub(super) fn request(&self) -> Option<Request> {
        let found = self.presented;
        if found.format == TokenFormat::Eks {
            let mut request = Request::default();
            *request.uri_mut() = format!("{}?{}", self.url, self.query().as_str()).parse().ok()?;
            request.headers_mut().insert("x-k8s-aws-id", value(self.cluster)?);
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/xml"));
            return Some(request);
        }
        let mut request = Request::new(Zeroizing::new(BODY.as_bytes().to_vec()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.parse().ok()?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("text/xml"));
        // Unsigned it may be anything: STS reads forms whatever it says.
        headers.insert(CONTENT_TYPE, value(found.content_type.unwrap_or(crate::identity::FORM))?);
        headers.insert("x-amz-date", value(found.date.text())?);
        if let Some(token) = &found.session_token {
            headers.insert("x-amz-security-token", secret(token)?);
        }
        let lifetime = found.expires.map(|seconds| seconds.to_string());
        let bindings = match found.format {
            TokenFormat::Vault => {
                [("x-vault-aws-iam-server-id", found.binding.as_deref()), ("", None), ("", None)]
            }
            _ => [
                ("x-rolecall-audience", found.binding.as_deref()),
                ("x-rolecall-challenge", found.challenge.as_deref()),
                ("x-rolecall-lifetime", lifetime.as_deref()),
            ],
        };
        for (name, text) in bindings {
            if let Some(text) = text {
                headers.insert(HeaderName::from_static(name), value(text)?);
            }
        }
        headers.insert(AUTHORIZATION, secret(&self.authorization())?);
        Some(request)
    }

    fn authorization(&self) -> Zeroizing<String> {
        let found = self.presented;
        let mut names = String::with_capacity(160);
        for name in found.signed_headers() {
            names.push_str(if names.is_empty() { "" } else { ";" });
            names.push_str(name);
        }
        let signature = Zeroizing::new(hex::encode(*found.signature));
        let (key, day, region) = (&found.access_key_id, found.date.day(), &found.region);
        Zeroizing::new(format!(
            "{ALGORITHM} Credential={key}/{day}/{region}/sts/aws4_request, \
             SignedHeaders={names}, Signature={}",
            signature.as_str()
        ))
    }

    fn query(&self) -> Zeroizing<String> {
        let found = self.presented;
        let (key, day, region) = (&found.access_key_id, found.date.day(), &found.region);
        let room = 512 + found.session_token.as_ref().map_or(0, |token| token.len() * 3);
        let mut query = Zeroizing::new(String::with_capacity(room));
        query.push_str("Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=");
        query.push_str(ALGORITHM);
        query.push_str("&X-Amz-Credential=");
        query.extend(form::encode(&format!("{key}/{day}/{region}/sts/aws4_request")));
        query.push_str("&X-Amz-Date=");
        query.push_str(found.date.text());
        query.push_str("&X-Amz-Expires=");
        query.push_str(&found.expires.unwrap_or_default().to_string());
        if let Some(token) = &found.session_token {
            query.push_str("&X-Amz-Security-Token=");
            query.extend(form::encode(token));
        }
        query.push_str("&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=");
        query.push_str(&hex::encode(*found.signature));
        query
    }
}

fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = value(text)?;
    value.set_sensitive(true);
    Some(value)
}

fn judge(answer: &Response) -> Result<CallerIdentity, Refusal> {
    let status = answer.status().as_u16();
    if status == 200 {
        return answer::read(answer.body());
    }
    let code = answer::error_code(answer.body());
    let said = code.map_or_else(String::new, |code| format!(": {code}"));
    let refuse = |name, what: &str, kind| {
        let message = format!("STS {what} (HTTP status {status}{said})");
        Err(Refusal::new(Check::Sts, name, message).with_kind(kind))
    };
    let throttled = code.is_some_and(crate::error::is_retryable);
    match status {
        300..=399 => refuse(
            "sts-redirect",
            "answered with a redirect, which is never followed",
            ErrorKind::Malformed,
        ),
        _ if status == 429 || throttled => {
            refuse("sts-throttled", "is asked too often", ErrorKind::Unavailable)
        }
        400 | 401 | 403 => refuse("sts-denied", "does not accept the signature", ErrorKind::Denied),
        500..=599 => refuse("sts-failed", "cannot answer now", ErrorKind::Unavailable),
        _ => refuse("sts-unexpected", "answered something else", ErrorKind::Malformed),
    }
}

fn timed_out() -> Refusal {
    Refusal::new(Check::Sts, "sts-timed-out", "STS did not answer in time")
        .with_kind(ErrorKind::TimedOut)
}

fn explain(error: &HttpError) -> Refusal {
    let (code, what, kind) = match error.failure {
        HttpFailure::TimedOut => return timed_out(),
        HttpFailure::TooLarge => {
            let message = "the answer is longer than 64 KiB";
            return Refusal::new(Check::Answer, "answer-too-long", message)
                .with_kind(ErrorKind::Malformed);
        }
        HttpFailure::Tls => {
            ("sts-tls", "STS's certificate is not to be trusted", ErrorKind::Unavailable)
        }
        HttpFailure::Connect => {
            ("sts-unreachable", "STS cannot be reached", ErrorKind::Unavailable)
        }
        HttpFailure::Unusable => {
            ("sts-unusable", "STS cannot be asked", ErrorKind::InvalidConfiguration)
        }
        _ => ("sts-interrupted", "the connection to STS broke", ErrorKind::Unavailable),
    };
    Refusal::new(Check::Sts, code, format!("{what}: {}", error.message)).with_kind(kind)
}
