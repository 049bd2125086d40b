//! IAM Roles Anywhere: `POST /sessions` gives a role's session to whoever signs with the key of a
//! certificate that a trust anchor vouches for.
//!
//! A request is refused in AWS's words where they are known. Those tell little (`Invalid signature`
//! is the answer to a wrong clock, too), so the record of the call says more: its parameter
//! `refused_because`.

mod attributes;
mod authority;
mod certificate;
mod chain;
mod der;
mod keys;
mod policy;
mod presented;
mod session;
mod signing;
mod verify;

use serde_json::json;

use crate::calls::Call;
use crate::error::AwsError;
use crate::server::Reply;
use crate::sigv4::SignedRequest;
use crate::state::State;

pub(crate) use authority::AUTHORITIES;
pub use certificate::{Authority, CertificateFault, Issued, KeyType, NewCertificate};
pub use chain::check_chain;
pub use verify::{Verified, verify};

const OPERATION: &str = "CreateSession";

/// Why a request was refused: what AWS answers, and what it keeps to itself.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The answer.
    pub error: AwsError,
    /// What was wrong, for those who look into the kit's record.
    pub reason: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
        let message = message.into();
        Refusal { reason: message.clone(), error: AwsError::new(status, code, message) }
    }

    /// 403 `AccessDeniedException`.
    pub(crate) fn denied(message: impl Into<String>) -> Refusal {
        Refusal::new(403, "AccessDeniedException", message)
    }

    fn signature(reason: String) -> Refusal {
        Refusal::denied("Invalid signature").because(reason)
    }

    pub(crate) fn because(self, reason: impl Into<String>) -> Refusal {
        Refusal { reason: reason.into(), ..self }
    }
}

/// The operation of this service that a request asks for, if it is at its path.
pub(crate) fn operation_of(request: &SignedRequest<'_>) -> Option<&'static str> {
    (request.path == "/sessions").then_some(OPERATION)
}

/// Answers a request to this service's path.
pub(crate) fn answer(state: &mut State, request: &SignedRequest<'_>, call: &mut Call) -> Reply {
    match session::create(state, request, call) {
        Ok(value) => Reply::json(201, &value, None),
        Err(refusal) => {
            call.params.insert("refused_because".to_owned(), refusal.reason);
            failure(&refusal.error)
        }
    }
}

/// An error in this service's form.
pub(crate) fn failure(error: &AwsError) -> Reply {
    // The code that STS throttles with has another name in services that speak JSON.
    let code = match error.code.as_ref() {
        "Throttling" => "ThrottlingException",
        code => code,
    };
    Reply::json(error.status, &json!({"message": error.message}), Some(code.to_owned()))
}
