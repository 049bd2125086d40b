//! What Roles Anywhere says when it says no.

use rolecall_core::http::{Response, Verdict, no_answer_to, no_error_of_aws};
use rolecall_core::{CredentialsError, ErrorKind, ServiceError};
use serde::Deserialize;

pub(crate) const CALL: &str = "Roles Anywhere CreateSession";

/// The error of an answer, if it is one of AWS's. Source: Smithy, "AWS restJson1 protocol",
/// "Operation error serialization".
fn read(answer: &Response) -> Option<ServiceError> {
    #[derive(Default, Deserialize)]
    struct Body {
        #[serde(rename = "__type")]
        kind: Option<String>,
        code: Option<String>,
        #[serde(alias = "Message")]
        message: Option<String>,
    }
    let header = answer.headers().get("x-amzn-errortype").and_then(|kind| kind.to_str().ok());
    let body: Option<Body> = serde_json::from_slice(answer.body()).ok();
    // A header of AWS's is enough: some of its front ends send no body.
    let body = match (body, header) {
        (Some(body), _) => body,
        (None, Some(_)) if answer.body().is_empty() => Body::default(),
        (None, _) => return None,
    };
    let code = header.or(body.kind.as_deref()).or(body.code.as_deref())?;
    let code = ServiceError::rest_code(code);
    if !ServiceError::is_code(code) {
        return None;
    }
    let message = body.message.unwrap_or_default();
    Some(ServiceError::new(answer, code.to_owned(), &message, None))
}

fn is_passing(error: &ServiceError) -> bool {
    const PASSING: [&str; 8] = [
        "InternalServerException",
        "RequestThrottledException",
        "RequestTimeoutException",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    ];
    PASSING.contains(&error.code.as_str()) || is_passing_status(error.status)
}

fn is_about_time(error: &ServiceError) -> bool {
    const SKEW: [&str; 5] = [
        "InvalidSignatureException",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    ];
    SKEW.contains(&error.code.as_str()) || is_denied(error)
}

fn is_denied(error: &ServiceError) -> bool {
    error.code.starts_with("AccessDenied")
}

fn kind_of(error: &ServiceError) -> ErrorKind {
    if is_passing(error) {
        ErrorKind::Unavailable
    } else if is_about_time(error) || matches!(error.status, 401 | 403) {
        ErrorKind::Denied
    } else {
        ErrorKind::InvalidConfiguration
    }
}

/// What the call was about, for advice.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) role_arn: &'a str,
    pub(crate) profile_arn: &'a str,
    pub(crate) trust_anchor_arn: &'a str,
    pub(crate) region: &'a str,
    pub(crate) issuer: &'a str,
    pub(crate) sends_chain: bool,
    /// What looked odd before the call.
    pub(crate) oddity: Option<&'a str>,
}

/// Whether an answer is final.
pub(crate) fn judge(answer: &Response) -> Verdict {
    if answer.status().is_success() {
        return Verdict::Final;
    }
    let status = answer.status().as_u16();
    match read(answer) {
        Some(error) if is_passing(&error) => Verdict::Transient(error.code),
        // A signature of another time is refused like any other; whether the clock is wrong, the
        // answer's date tells.
        Some(error) if is_about_time(&error) => Verdict::ClockSkew,
        None if is_passing_status(status) => Verdict::Transient(format!("HTTP status {status}")),
        _ => Verdict::Final,
    }
}

fn is_passing_status(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

/// The error for an answer whose status is not a success.
pub(crate) fn explain(answer: &Response, asked: Asked<'_>) -> CredentialsError {
    let Some(service) = read(answer) else {
        return no_error_of_aws(CALL, answer);
    };
    let help = help(&service, asked);
    let kind = kind_of(&service);
    service.into_error(kind, CALL, help)
}

/// The error for a success that makes no sense.
pub(crate) fn malformed(answer: &Response, flaw: &str) -> CredentialsError {
    no_answer_to("CreateSession", CALL, answer, flaw)
}

fn help(error: &ServiceError, asked: Asked<'_>) -> Option<String> {
    let Asked { role_arn, profile_arn, trust_anchor_arn, region, issuer, .. } = asked;
    let said = error.message.to_ascii_lowercase();
    let text = match error.code.as_str() {
        _ if is_denied(error) && said.contains("untrusted") => {
            let chain = match asked.sends_chain {
                true => "the intermediates that were sent must lead up to it",
                false => "if it is not that authority itself, give those between (--intermediates)",
            };
            format!(
                "the certificate must come from the trust anchor's authority \
                 ({trust_anchor_arn}); its issuer is {issuer}: {chain}"
            )
        }
        _ if is_denied(error) && said.contains("rolesessionname") => format!(
            "leave the role session name out, or let the profile accept one: aws rolesanywhere \
             update-profile --accept-role-session-name --profile-id {}",
            profile_arn.rsplit('/').next().unwrap_or(profile_arn)
        ),
        _ if is_denied(error) && said.contains("signature") => {
            "the key does not fit the certificate, this machine's clock is wrong, or a proxy \
             changes the request"
                .to_owned()
        }
        _ if is_denied(error) && (said.contains("expired") || said.contains("not yet valid")) => {
            "renew the certificate, and check this machine's clock".to_owned()
        }
        _ if is_denied(error) && said.contains("revoked") => {
            "the certificate is on a revocation list that was imported: get a new one".to_owned()
        }
        _ if is_denied(error)
            && (said.contains("insufficient") || said.contains("certificate")) =>
        {
            "the certificate must be X.509 version 3, no authority's, have the key usage \
             digitalSignature, and be signed with SHA-256 or better"
                .to_owned()
        }
        _ if is_denied(error) => format!(
            "the profile must be enabled and list the role {role_arn}; the role's trust policy \
             must let rolesanywhere.amazonaws.com do sts:AssumeRole, sts:TagSession and \
             sts:SetSourceIdentity, and its conditions must fit the certificate: compare it with \
             `rolecall configure roles-anywhere --print-trust-policy --certificate CERTIFICATE \
             --trust-anchor-arn {trust_anchor_arn}`{}",
            asked.oddity.map(|oddity| format!("; {oddity}")).unwrap_or_default()
        ),
        "ResourceNotFoundException" => format!(
            "check that both exist in {region} and are enabled: {trust_anchor_arn} and {profile_arn}"
        ),
        "ValidationException" if said.contains("duration") => {
            "ask for no longer than the profile's and the role's maximum session duration"
                .to_owned()
        }
        "ValidationException" => {
            "check the ARNs, the duration and the role session name".to_owned()
        }
        "ThrottlingException" | "TooManyRequestsException" => {
            "AWS takes 10 of these calls a second in a region: keep sessions in the cache"
                .to_owned()
        }
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => {
            "set this machine's clock".to_owned()
        }
        "UnknownOperationException" | "InvalidAction" => {
            "the endpoint URL is that of another service".to_owned()
        }
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests;
