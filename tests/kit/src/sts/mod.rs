//! STS: the Query protocol, the shape of every call, and what each operation does.

mod federated;
mod issue;
mod messages;
mod outbound;
mod params;
mod query;
mod roles;
mod shape;
mod table;
mod tokens;

use std::collections::BTreeMap;

use crate::calls::Call;
use crate::error::AwsError;
use crate::principal::{Principal, Session};
use crate::server::Reply;
use crate::sigv4::{Expected, PresignedLife, SignedRequest, verify};
use crate::state::State;
use crate::world::denies;
use crate::xml::{self, Element};

pub(crate) use issue::{
    ServiceSession, issue_for_service, issue_role_session, issue_unasked, packed_percent,
};
pub(crate) use messages::encode as encode_authorization_message;
use params::Params;
pub(crate) use query::decode as decode_form;
use table::Operation;

pub(crate) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const VERSION: &str = "2011-06-15";

/// Who is calling.
pub(crate) struct Caller {
    principal: Principal,
    session: Option<Session>,
}

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
        Ok((operation, elements)) => success(operation, elements, json),
        Err(error) => failure(&error, json),
    }
}

fn attempt(
    state: &mut State,
    request: &SignedRequest<'_>,
    call: &mut Call,
) -> Result<(&'static Operation, Vec<Element>), AwsError> {
    let values = query::parse(request)?;
    let action = query::only(&values, "Action")?.ok_or_else(|| {
        AwsError::new(
            400,
            "MissingAction",
            "The request is missing an action or a required parameter.",
        )
    })?;
    let version = query::only(&values, "Version")?.unwrap_or("NO_VERSION_SPECIFIED");
    let operation = table::find(action).filter(|_| version == VERSION).ok_or_else(|| {
        AwsError::new(
            400,
            "InvalidAction",
            format!("Could not find operation {action} for version {version}"),
        )
    })?;
    let arguments: Vec<_> =
        values.iter().filter(|(name, _)| name != "Action" && name != "Version").cloned().collect();
    call.params = redacted(operation, &arguments);

    let now = state.clock.now();
    let caller =
        if operation.signed { Some(authenticate(state, request, now, call)?) } else { None };
    let params = shape::check(operation, arguments)?;
    if let Some(caller) = &caller {
        authorize(state, caller, operation)?;
    }
    let host = request.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let mut work = Work { state, caller: caller.as_ref(), params: &params, now, host };
    (operation.run)(&mut work).map(|elements| (operation, elements))
}

fn authenticate(
    state: &State,
    request: &SignedRequest<'_>,
    now: i64,
    call: &mut Call,
) -> Result<Caller, AwsError> {
    let expected = Expected {
        region: state.world.sts_region.as_deref(),
        presigned: PresignedLife::FifteenMinutes,
        ..Expected::service("sts")
    };
    let verified = verify(request, &expected, now, |id| state.key(id))?;
    let principal = state.principal(&verified.access_key_id).ok_or_else(|| {
        AwsError::new(
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        )
    })?;
    call.principal = Some(principal.arn().to_owned());
    let session = state.sessions.get(&verified.access_key_id).cloned();
    Ok(Caller { principal, session })
}

/// Explicit denies, and what kinds of session may not call.
fn authorize(state: &State, caller: &Caller, operation: &Operation) -> Result<(), AwsError> {
    // GetCallerIdentity works even under an explicit deny.
    if operation.name == "GetCallerIdentity" {
        return Ok(());
    }
    let action = format!("sts:{}", operation.name);
    let denied = match &caller.principal {
        Principal::User { arn, .. } => state.world.users.iter().any(|user| {
            state.world.user_arn(user) == *arn && denies(&user.denied_actions, &action)
        }),
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
    Ok(())
}

/// The operation that a request names, without believing anything else about it.
pub(crate) fn operation_of(request: &SignedRequest<'_>) -> String {
    let body = std::str::from_utf8(request.body).unwrap_or_default();
    let mut pairs = request.query.split('&').chain(body.split('&'));
    pairs.find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default().to_owned()
}

/// An error of STS, also used for injected faults.
pub(crate) fn failure(error: &AwsError, json: bool) -> Reply {
    let request_id = crate::server::request_id();
    let details = Element::parent(
        "Error",
        vec![
            Element::text("Type", error.kind()),
            Element::text("Code", error.code.as_ref()),
            Element::text("Message", error.message.as_str()),
        ],
    );
    let elements = [details, Element::text("RequestId", request_id.as_str())];
    Reply {
        error: Some(error.code.to_string()),
        ..document(error.status, "ErrorResponse", &elements, request_id, json)
    }
}

fn success(operation: &Operation, elements: Vec<Element>, json: bool) -> Reply {
    let request_id = crate::server::request_id();
    let metadata = vec![Element::text("RequestId", request_id.as_str())];
    let elements = [
        Element::parent(operation.result, elements),
        Element::parent("ResponseMetadata", metadata),
    ];
    document(200, operation.response, &elements, request_id, json)
}

fn document(
    status: u16,
    root: &str,
    elements: &[Element],
    request_id: String,
    json: bool,
) -> Reply {
    let (content_type, body) = if json {
        ("application/json", xml::json_document(root, elements))
    } else {
        ("text/xml", xml::document(root, NAMESPACE, elements))
    };
    Reply { status, content_type: content_type.into(), body: body.into(), request_id, error: None }
}

fn redacted(operation: &Operation, arguments: &[(String, String)]) -> BTreeMap<String, String> {
    let value = |name: &str, value: &str| {
        let first = name.split('.').next().unwrap_or_default();
        // A parameter that the operation does not have may be anything.
        let shown = operation.params.iter().any(|param| param.name == first && !param.secret);
        if shown { value.to_owned() } else { "[redacted]".to_owned() }
    };
    arguments.iter().map(|(name, text)| (name.clone(), value(name, text))).collect()
}
