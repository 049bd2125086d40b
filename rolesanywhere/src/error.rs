//! What Roles Anywhere says when it says no.

use std::fmt;

use rolecall_core::http::{Response, Verdict};
use rolecall_core::{CredentialsError, ErrorKind, printable};
use serde::Deserialize;

pub(crate) const CALL: &str = "Roles Anywhere CreateSession";
const LONGEST_CODE: usize = 128;
const LONGEST_MESSAGE: usize = 500;

/// An error that Roles Anywhere answered with: the source of a [`CredentialsError`], for those who
/// must act on its code. All texts are printable and limited in length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceError {
    /// The HTTP status.
    pub status: u16,
    /// The code: `AccessDeniedException`.
    pub code: String,
    /// AWS's explanation; may be empty.
    pub message: String,
    /// The id by which AWS's support finds the request.
    pub request_id: Option<String>,
}

impl ServiceError {
    /// The service's error underneath `error`, if it came from the service.
    pub fn of(error: &CredentialsError) -> Option<&Self> {
        let first = std::error::Error::source(error);
        std::iter::successors(first, |&error| error.source()).find_map(|e| e.downcast_ref())
    }

    /// Reads the error of an answer, if it is one of AWS's. Source: Smithy, "AWS restJson1
    /// protocol", "Operation error serialization".
    pub(crate) fn read(answer: &Response) -> Option<Self> {
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
        // `namespace#Code:http://…`
        let code = code.split(':').next().unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default();
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if code.is_empty() || code.len() > LONGEST_CODE || !code.chars().all(fits) {
            return None;
        }
        Some(Self {
            status: answer.status().as_u16(),
            code: code.to_owned(),
            message: printable(&body.message.unwrap_or_default(), LONGEST_MESSAGE),
            request_id: request_id(answer),
        })
    }

    fn is_passing(&self) -> bool {
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
        PASSING.contains(&self.code.as_str()) || is_passing(self.status)
    }

    fn is_about_time(&self) -> bool {
        const SKEW: [&str; 5] = [
            "InvalidSignatureException",
            "RequestExpired",
            "RequestInTheFuture",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
        ];
        SKEW.contains(&self.code.as_str()) || self.is_denied()
    }

    fn is_denied(&self) -> bool {
        self.code.starts_with("AccessDenied")
    }

    fn kind(&self) -> ErrorKind {
        if self.is_passing() {
            ErrorKind::Unavailable
        } else if self.is_about_time() || matches!(self.status, 401 | 403) {
            ErrorKind::Denied
        } else {
            ErrorKind::InvalidConfiguration
        }
    }
}

// The error above it has the message; this line is what it leaves out.
impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the service answered with HTTP status {} and code {}", self.status, self.code)
    }
}

impl std::error::Error for ServiceError {}

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
    match ServiceError::read(answer) {
        Some(error) if error.is_passing() => Verdict::Transient(error.code),
        // A signature of another time is refused like any other; whether the clock is wrong, the
        // answer's date tells.
        Some(error) if error.is_about_time() => Verdict::ClockSkew,
        None if is_passing(status) => Verdict::Transient(format!("HTTP status {status}")),
        _ => Verdict::Final,
    }
}

fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

/// The error for an answer whose status is not a success.
pub(crate) fn explain(answer: &Response, asked: Asked<'_>) -> CredentialsError {
    let Some(service) = ServiceError::read(answer) else {
        let passing = is_passing(answer.status().as_u16());
        let kind = if passing { ErrorKind::Unavailable } else { ErrorKind::Malformed };
        return stranger(kind, format!("{}, is no error of AWS's", describe(answer)));
    };
    let mut text = service.code.clone();
    if !service.message.is_empty() {
        text = format!("{text}: {}", service.message);
    }
    if let Some(id) = &service.request_id {
        text = format!("{text} (request id {id})");
    }
    let error = CredentialsError::new(service.kind(), CALL, text);
    let error = match help(&service, asked) {
        Some(help) => error.with_help(help),
        None => error,
    };
    error.with_source(service)
}

/// The error for a success that makes no sense.
pub(crate) fn malformed(answer: &Response, flaw: &str) -> CredentialsError {
    stranger(
        ErrorKind::Malformed,
        format!("{}, is no answer to CreateSession: {flaw}", describe(answer)),
    )
}

fn stranger(kind: ErrorKind, text: String) -> CredentialsError {
    CredentialsError::new(kind, CALL, text)
        .with_help("a proxy or a wrong endpoint URL may have answered")
}

/// Status, type and size of an answer: its text may hold anything, also secrets.
fn describe(answer: &Response) -> String {
    let kind = answer.headers().get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = match kind.map(|kind| printable(kind, 80)) {
        Some(kind) if !kind.is_empty() => format!("content type {kind}"),
        _ => "no content type".to_owned(),
    };
    format!("HTTP {}, {kind}, {} bytes", answer.status().as_u16(), answer.body().len())
}

/// The answer's request id from its header.
pub(crate) fn request_id(answer: &Response) -> Option<String> {
    let value = answer.headers().get("x-amzn-requestid")?.to_str().ok()?;
    Some(printable(value, LONGEST_CODE)).filter(|id| !id.is_empty())
}

fn help(error: &ServiceError, asked: Asked<'_>) -> Option<String> {
    let Asked { role_arn, profile_arn, trust_anchor_arn, region, issuer, .. } = asked;
    let said = error.message.to_ascii_lowercase();
    let text = match error.code.as_str() {
        _ if error.is_denied() && said.contains("untrusted") => {
            let chain = match asked.sends_chain {
                true => "the intermediates that were sent must lead up to it",
                false => "if it is not that authority itself, give those between (--intermediates)",
            };
            format!(
                "the certificate must come from the trust anchor's authority \
                 ({trust_anchor_arn}); its issuer is {issuer}: {chain}"
            )
        }
        _ if error.is_denied() && said.contains("rolesessionname") => format!(
            "leave the role session name out, or let the profile accept one: aws rolesanywhere \
             update-profile --accept-role-session-name --profile-id {}",
            profile_arn.rsplit('/').next().unwrap_or(profile_arn)
        ),
        _ if error.is_denied() && said.contains("signature") => {
            "the key does not fit the certificate, this machine's clock is wrong, or a proxy \
             changes the request"
                .to_owned()
        }
        _ if error.is_denied() && (said.contains("expired") || said.contains("not yet valid")) => {
            "renew the certificate, and check this machine's clock".to_owned()
        }
        _ if error.is_denied() && said.contains("revoked") => {
            "the certificate is on a revocation list that was imported: get a new one".to_owned()
        }
        _ if error.is_denied()
            && (said.contains("insufficient") || said.contains("certificate")) =>
        {
            "the certificate must be X.509 version 3, no authority's, have the key usage \
             digitalSignature, and be signed with SHA-256 or better"
                .to_owned()
        }
        _ if error.is_denied() => format!(
            "the profile must be enabled and list the role {role_arn}; the role's trust policy \
             must let rolesanywhere.amazonaws.com do sts:AssumeRole, sts:TagSession and \
             sts:SetSourceIdentity, and its conditions must fit the certificate: compare it with \
             `rolecall configure roles-anywhere --print-trust-policy --certificate FILE \
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
