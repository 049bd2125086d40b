//! Whether a signature is right, now, for this service, by a key we know.

use http::HeaderMap;

use super::canonical::{
    Rules, SignedRequest, canonical_request, hex_sha256, signature, string_to_sign,
};
use super::presented::{Form, Presented};
use crate::clock;
use crate::error::AwsError;
use crate::secret::Secret;

/// How far X-Amz-Date may be from the clock.
const WINDOW: i64 = 15 * 60;

/// What a service asks of a signature.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The service's signing name.
    pub service: &'a str,
    /// Its region; `None` takes any.
    pub region: Option<&'a str>,
    /// How requests are made canonical.
    pub rules: Rules,
    /// How long a presigned request lives.
    pub presigned: PresignedLife,
}

impl<'a> Expected<'a> {
    /// A service that is not S3, in any region.
    pub fn service(service: &'a str) -> Expected<'a> {
        Expected {
            service,
            region: None,
            rules: Rules::STANDARD,
            presigned: PresignedLife::AsSigned,
        }
    }
}

/// How long a presigned request lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresignedLife {
    /// `X-Amz-Expires` seconds from `X-Amz-Date`.
    AsSigned,
    /// 15 minutes from `X-Amz-Date` whatever `X-Amz-Expires` says, as STS does it: it is why EKS
    /// tokens, signed for 60 s, work for a quarter of an hour.
    FifteenMinutes,
}

/// A key as the world knows it.
#[derive(Clone, Debug)]
pub struct Key {
    /// The secret that belongs to the access key id.
    pub secret: Secret,
    /// The session token that must come with it.
    pub token: Option<Secret>,
    /// When the session ends, in seconds since 1970.
    pub expires: Option<i64>,
}

/// A request whose signature is right.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Whose key signed it.
    pub access_key_id: String,
    /// The region it was signed for.
    pub region: String,
    /// Header or query.
    pub form: Form,
    /// Header names that the signature covers.
    pub signed_headers: Vec<String>,
}

/// Verifies the signature of a request.
///
/// # Errors
/// What AWS answers: `MissingAuthenticationToken`, `IncompleteSignature`, `InvalidClientTokenId`,
/// `ExpiredToken` or `SignatureDoesNotMatch`.
pub fn verify(
    request: &SignedRequest<'_>,
    expected: &Expected<'_>,
    now: i64,
    lookup: impl FnOnce(&str) -> Option<Key>,
) -> Result<Verified, AwsError> {
    let presented = Presented::of(request)?.ok_or_else(|| {
        AwsError::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    })?;
    check_scope(&presented, expected)?;
    check_signed_headers(&presented, request.headers)?;

    let invalid = || {
        AwsError::new(
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        )
    };
    let key = lookup(&presented.access_key_id).ok_or_else(invalid)?;
    let tokens = (key.token.as_ref().map(Secret::expose), presented.token.as_deref());
    if tokens.0 != tokens.1 {
        return Err(invalid());
    }
    if key.expires.is_some_and(|expires| expires <= now) {
        return Err(AwsError::new(
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
        ));
    }

    check_date(&presented, expected, now)?;
    let payload_hash = check_payload(request)?;
    let canonical =
        canonical_request(request, expected.rules, &presented.signed_headers, &payload_hash);
    let to_sign = string_to_sign(&presented.amz_date, &presented.scope, &canonical);
    if signature(key.secret.expose(), &presented.scope, &to_sign) != presented.signature {
        return Err(mismatch(
            "The request signature we calculated does not match the signature you provided. Check \
             your AWS Secret Access Key and signing method. Consult the service documentation for \
             details.",
        ));
    }
    Ok(Verified {
        access_key_id: presented.access_key_id,
        region: presented.scope.region,
        form: presented.form,
        signed_headers: presented.signed_headers,
    })
}

fn check_scope(presented: &Presented, expected: &Expected<'_>) -> Result<(), AwsError> {
    let scope = &presented.scope;
    if clock::parse_basic(&presented.amz_date).is_none() {
        return Err(AwsError::new(
            400,
            "IncompleteSignature",
            format!("Date must be in ISO-8601 'basic format'. Got '{}'.", presented.amz_date),
        ));
    }
    let day = &presented.amz_date[..8];
    if scope.date != day {
        return Err(mismatch(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{}' != '{day}', from '{}'.",
            scope.date, presented.amz_date
        )));
    }
    if let Some(region) = expected.region.filter(|region| *region != scope.region) {
        return Err(mismatch(format!(
            "Credential should be scoped to a valid region, not '{}'. (expected '{region}')",
            scope.region
        )));
    }
    if scope.service != expected.service {
        return Err(mismatch(format!(
            "Credential should be scoped to correct service: '{}'.",
            expected.service
        )));
    }
    Ok(())
}

fn check_signed_headers(presented: &Presented, headers: &HeaderMap) -> Result<(), AwsError> {
    let signed = |name: &str| presented.signed_headers.iter().any(|header| header == name);
    if !signed("host") {
        return Err(mismatch(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        ));
    }
    // Whatever belongs to the signature and travels as a header must be covered by it.
    for name in ["x-amz-date", "x-amz-security-token", "x-amz-content-sha256"] {
        let required = presented.form == Form::Header || name == "x-amz-security-token";
        if required && headers.contains_key(name) && !signed(name) {
            return Err(mismatch(format!(
                "'{name}' must be a 'SignedHeader' in the AWS Authorization."
            )));
        }
    }
    if let Some(missing) = presented.signed_headers.iter().find(|name| !headers.contains_key(*name))
    {
        return Err(mismatch(format!("The signed header '{missing}' is not in the request.")));
    }
    Ok(())
}

fn check_date(presented: &Presented, expected: &Expected<'_>, now: i64) -> Result<(), AwsError> {
    let Some(signed_at) = clock::parse_basic(&presented.amz_date) else {
        return Err(mismatch("no date"));
    };
    let date = &presented.amz_date;
    if signed_at > now + WINDOW {
        return Err(mismatch(format!(
            "Signature not yet current: {date} is still later than {} ({} + 15 min.)",
            clock::basic(now + WINDOW),
            clock::basic(now)
        )));
    }
    let presigned = presented.form == Form::Query && expected.presigned == PresignedLife::AsSigned;
    if !presigned {
        if signed_at < now - WINDOW {
            return Err(mismatch(format!(
                "Signature expired: {date} is now earlier than {} ({} - 15 min.)",
                clock::basic(now - WINDOW),
                clock::basic(now)
            )));
        }
        return Ok(());
    }
    let Some(life) = presented.expires else {
        return Err(AwsError::new(
            400,
            "IncompleteSignature",
            "AWS query-string parameters must include 'X-Amz-Expires'",
        ));
    };
    if now >= signed_at + i64::from(life) {
        return Err(mismatch(format!(
            "Signature expired: {date} is now earlier than {} ({} - {life} s)",
            clock::basic(now - i64::from(life)),
            clock::basic(now)
        )));
    }
    Ok(())
}

/// The body's hash; if the request states one too, it must be that.
fn check_payload(request: &SignedRequest<'_>) -> Result<String, AwsError> {
    let hash = hex_sha256(request.body);
    let mut stated = request.headers.get_all("x-amz-content-sha256").iter();
    if stated.any(|stated| stated.as_bytes() != hash.as_bytes()) {
        return Err(mismatch(
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ));
    }
    Ok(hash)
}

fn mismatch(message: impl Into<String>) -> AwsError {
    AwsError::new(403, "SignatureDoesNotMatch", message)
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
