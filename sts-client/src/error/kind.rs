//! Codes by what they mean for the caller.

use rolecall_core::ErrorKind;

/// Worth another attempt. Source: AWS SDKs and Tools Reference Guide, "Retry behavior", standard
/// mode, and the errors that STS's model marks so.
const RETRYABLE: [&str; 17] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "IDPCommunicationError",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// Explained by a wrong clock, if the clock is wrong.
const CLOCK_SKEW: [&str; 6] = [
    "AuthFailure",
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];

const DENIED: [&str; 19] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "ExpiredToken",
    "ExpiredTokenException",
    "ExpiredTradeInTokenException",
    "IDPRejectedClaim",
    "IDPRejectedClaimException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidIdentityToken",
    "InvalidIdentityTokenException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "SessionDurationEscalationException",
    "UnrecognizedClientException",
];

const INVALID: [&str; 3] = [
    "OutboundWebIdentityFederationDisabledException",
    "PackedPolicyTooLarge",
    "RegionDisabledException",
];

/// Refused now, for what another caller is doing.
const BUSY: [&str; 2] = ["ConcurrentModification", "EntityTemporarilyUnmodifiable"];

pub(crate) fn is_retryable(code: &str) -> bool {
    RETRYABLE.contains(&code)
}

pub(crate) fn is_retryable_status(status: u16) -> bool {
    matches!(status, 500 | 502 | 503 | 504)
}

pub(crate) fn is_clock_skew(code: &str) -> bool {
    CLOCK_SKEW.contains(&code)
}

pub(super) fn of(status: u16, code: &str) -> ErrorKind {
    if is_retryable(code) || BUSY.contains(&code) || status >= 500 || status == 429 {
        ErrorKind::Unavailable
    } else if DENIED.contains(&code) || is_clock_skew(code) {
        ErrorKind::Denied
    } else if INVALID.contains(&code) {
        ErrorKind::InvalidConfiguration
    } else if matches!(status, 401 | 403) {
        ErrorKind::Denied
    } else {
        ErrorKind::InvalidConfiguration
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_kind_that_callers_act_on() {
        for (status, code, kind) in [
            (403, "AccessDenied", ErrorKind::Denied),
            (403, "ExpiredToken", ErrorKind::Denied),
            (400, "ExpiredTokenException", ErrorKind::Denied),
            (403, "InvalidClientTokenId", ErrorKind::Denied),
            (403, "SignatureDoesNotMatch", ErrorKind::Denied),
            (400, "InvalidIdentityToken", ErrorKind::Denied),
            (403, "IDPRejectedClaim", ErrorKind::Denied),
            (403, "SomethingNew", ErrorKind::Denied),
            (400, "Throttling", ErrorKind::Unavailable),
            (400, "IDPCommunicationError", ErrorKind::Unavailable),
            (500, "InternalFailure", ErrorKind::Unavailable),
            (503, "SomethingNew", ErrorKind::Unavailable),
            (429, "SomethingNew", ErrorKind::Unavailable),
            (409, "ConcurrentModification", ErrorKind::Unavailable),
            (400, "ValidationError", ErrorKind::InvalidConfiguration),
            (400, "MalformedPolicyDocument", ErrorKind::InvalidConfiguration),
            (400, "PackedPolicyTooLarge", ErrorKind::InvalidConfiguration),
            (403, "RegionDisabledException", ErrorKind::InvalidConfiguration),
            (404, "NoSuchEntity", ErrorKind::InvalidConfiguration),
        ] {
            assert_eq!(of(status, code), kind, "{status} {code}");
        }
    }

    #[test]
    fn what_has_ended_is_not_tried_again() {
        for code in ["ExpiredToken", "ExpiredTokenException", "AccessDenied", "ValidationError"] {
            assert!(!is_retryable(code) && !is_clock_skew(code), "{code}");
        }
    }
}
