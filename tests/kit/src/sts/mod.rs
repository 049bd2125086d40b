//! STS: the Query protocol, the shape of every call, and what each operation does.

mod federated;
mod issue;
mod messages;
mod outbound;
mod roles;
mod table;
mod tokens;

use crate::caller::Caller;
use crate::calls::Call;
use crate::error::AwsError;
use crate::iam;
use crate::principal::Principal;
use crate::query::{self, Params};
use crate::server::Reply;
use crate::sigv4::{Expected, PresignedLife, SignedRequest};
use crate::state::State;
use crate::world::denies;
use crate::xml::Element;

pub(crate) use issue::{issue_role_session, issue_unasked, letters};
pub(crate) use messages::encode as encode_authorization_message;
use table::Operation;

pub(crate) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const VERSION: &str = "2011-06-15";

/// What an operation works with.
struct Work<'a> {
    state: &'a mut State,
    /// `None` for the operations that are not signed.
    caller: Option<&'a Caller>,
    params: &'a Params,
    now: i64,
    host: &'a str,
}

impl<'a> Work<'a> {
    /// The caller of a signed operation.
    fn signed_caller(&self) -> Result<&'a Caller, AwsError> {
        self.caller
            .ok_or_else(|| AwsError::new(500, "InternalFailure", "the operation is not signed"))
    }
}

/// Answers a request: the document, or the error as STS writes it.
pub(crate) fn answer(state: &mut State, request: &SignedRequest<'_>, call: &mut Call) -> Reply {
    let json = request
        .headers
        .get(http::header::ACCEPT)
        .is_some_and(|accept| accept == "application/json");
    match attempt(state, request, call) {
        Ok((operation, elements)) => {
            query::success(operation.response, Some(operation.result), elements, NAMESPACE, json)
        }
        Err(error) => failure(&error, json),
    }
}

fn attempt(
    state: &mut State,
    request: &SignedRequest<'_>,
    call: &mut Call,
) -> Result<(&'static Operation, Vec<Element>), AwsError> {
    let values = query::parse(request)?;
    let (action, version) = query::action(&values)?;
    let operation = table::find(action)
        .filter(|_| version == VERSION)
        .ok_or_else(|| query::unknown_action(action, version))?;
    let arguments = query::arguments(&values);
    call.params = query::redacted(operation.params, &arguments);

    let now = state.clock.now();
    let caller = if operation.signed { Some(authenticate(state, request, call)?) } else { None };
    let params = query::check(operation.name, operation.params, arguments)?;
    if let Some(caller) = &caller {
        authorize(state, caller, operation, &params)?;
    }
    let host = request.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let mut work = Work { state, caller: caller.as_ref(), params: &params, now, host };
    (operation.run)(&mut work).map(|elements| (operation, elements))
}

fn authenticate(
    state: &mut State,
    request: &SignedRequest<'_>,
    call: &mut Call,
) -> Result<Caller, AwsError> {
    let region = state.world.sts_region.clone();
    let expected = Expected {
        region: region.as_deref(),
        presigned: PresignedLife::FifteenMinutes,
        ..Expected::service("sts")
    };
    Caller::authenticate(state, request, &expected, call)
}

/// Explicit denies, what kinds of session may not call, and the caller's policies.
fn authorize(
    state: &State,
    caller: &Caller,
    operation: &Operation,
    params: &Params,
) -> Result<(), AwsError> {
    // GetCallerIdentity works even under an explicit deny.
    if operation.name == "GetCallerIdentity" {
        return Ok(());
    }
    let action = format!("sts:{}", operation.name);
    let denied = match &caller.principal {
        Principal::User { arn, .. } => state
            .world
            .user_index_of_arn(arn)
            .is_some_and(|at| denies(&state.world.users[at].denied_actions, &action)),
        Principal::AssumedRole { role_arn, .. } => {
            state.world.role(role_arn).is_some_and(|role| denies(&role.denied_actions, &action))
        }
        // A federated user may ask who it is and nothing else of STS.
        Principal::Federated { .. } => true,
        Principal::Root { .. } => false,
    };
    if denied {
        return Err(AwsError::access_denied(format!(
            "User: {} is not authorized to perform: {action} with an explicit deny in an identity-based policy",
            caller.principal.arn()
        )));
    }
    iam::authorize_sts(state, caller, operation.name, params)
}

/// The operation that a request names, without believing anything else about it.
pub(crate) fn operation_of(request: &SignedRequest<'_>) -> String {
    let body = std::str::from_utf8(request.body).unwrap_or_default();
    let mut pairs = request.query.split('&').chain(body.split('&'));
    pairs.find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default().to_owned()
}

/// An error of STS, also used for injected faults.
pub(crate) fn failure(error: &AwsError, json: bool) -> Reply {
    query::failure(error, NAMESPACE, json)
}

#[cfg(test)]
pub(crate) fn params_of(operation: &str) -> &'static [query::Param] {
    table::find(operation).map_or(&[], |operation| operation.params)
}
