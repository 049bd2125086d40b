//! IAM: users and everything that may be attached to them, as strict as AWS's.
//!
//! Every call is authenticated, takes a token of its account's buckets, is checked against the
//! operation's parameters, and must be allowed by the caller's policies before it does anything.

mod access;
mod account;
mod by_hand;
mod groups;
mod inline;
mod keys;
mod managed;
mod memory;
mod page;
mod policies;
mod policy;
mod simulate;
mod sweep;
mod table;
mod tags;
mod target;
mod users;

use crate::caller::{Caller, invalid_key};
use crate::calls::Call;
use crate::error::AwsError;
use crate::principal::Principal;
use crate::query::{self, Params};
use crate::server::Reply;
use crate::sigv4::{Expected, Presented, SignedRequest};
use crate::state::State;
use crate::world::{User, World};
use crate::xml::Element;

pub(crate) use access::authorize_sts;
pub use by_hand::{ByHand, IamKey, IamUser};
pub(crate) use by_hand::{add as add_by_hand, look as look_at_users};
pub use memory::{IamSettings, Lag, Rate};
pub(crate) use memory::{Memory, New};
use table::Operation;

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const VERSION: &str = "2010-05-08";

/// What an operation works with.
struct Work<'a> {
    state: &'a mut State,
    caller: &'a Caller,
    params: &'a Params,
    operation: &'static str,
    now: i64,
}

type Answer = Result<Vec<Element>, AwsError>;

impl Work<'_> {
    fn world(&self) -> &World {
        &self.state.world
    }

    fn account(&self) -> &str {
        self.caller.principal.account()
    }

    /// `UserName`, or the caller's own name where it may be left out.
    fn user_name(&self) -> Result<&str, AwsError> {
        if let Some(name) = self.params.get("UserName") {
            return Ok(name);
        }
        match &self.caller.principal {
            Principal::User { arn, .. } => Ok(arn.rsplit('/').next().unwrap_or_default()),
            Principal::Root { .. } => Ok("root"),
            _ => Err(AwsError::validation(
                "Must specify userName when calling with non-User credentials",
            )),
        }
    }

    /// Where the user stands in the world's users, unless it is too new to be seen.
    fn user_at(&mut self) -> Result<usize, AwsError> {
        let name = self.user_name()?.to_owned();
        let missing = || no_such(format!("The user with name {name} cannot be found."));
        let itself = self.params.get("UserName").is_none();
        // Only this way is the root user found: it has no name that others could call it by.
        let found = match &self.caller.principal {
            Principal::Root { arn, .. } if itself => self.world().user_index_of_arn(arn),
            principal => self.world().user_index(principal.account(), &name),
        };
        let at = found.ok_or_else(missing)?;
        let id = self.world().users[at].unique_id();
        if !self.takes_away() && self.state.iam.is_unseen(New::User, &id, self.now) {
            return Err(missing());
        }
        Ok(at)
    }

    /// What takes away works on what is there, not on a copy that lags behind.
    fn takes_away(&self) -> bool {
        let verbs = ["Delete", "Detach", "Remove", "Deactivate", "Untag"];
        verbs.iter().any(|verb| self.operation.starts_with(verb))
    }

    /// Whether a user is too new to be seen by this call, which does not count yet.
    fn is_unseen(&self, at: usize) -> bool {
        let id = self.world().users[at].unique_id();
        !self.takes_away() && self.state.iam.would_be_unseen(New::User, &id, self.now)
    }

    fn user(&mut self) -> Result<&User, AwsError> {
        let at = self.user_at()?;
        Ok(&self.state.world.users[at])
    }

    fn user_mut(&mut self) -> Result<&mut User, AwsError> {
        let at = self.user_at()?;
        Ok(&mut self.state.world.users[at])
    }
}

/// Whether a request is for IAM rather than for STS, which has the same door.
pub(crate) fn is_asked(request: &SignedRequest<'_>) -> bool {
    let body = std::str::from_utf8(request.body).unwrap_or_default();
    let mut pairs = request.query.split('&').chain(body.split('&'));
    match pairs.find_map(|pair| pair.strip_prefix("Version=")) {
        Some(version) => version == VERSION,
        None => Presented::of(request)
            .is_ok_and(|presented| presented.is_some_and(|it| it.scope.service == "iam")),
    }
}

/// Answers a request: the document, or the error as IAM writes it.
pub(crate) fn answer(state: &mut State, request: &SignedRequest<'_>, call: &mut Call) -> Reply {
    match attempt(state, request, call) {
        Ok((operation, elements)) => {
            query::success(operation.response, operation.result, elements, NAMESPACE, false)
        }
        Err(error) => failure(&error),
    }
}

/// An error of IAM, also used for injected faults.
pub(crate) fn failure(error: &AwsError) -> Reply {
    query::failure(error, NAMESPACE, false)
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

    let caller = authenticate(state, request, call)?;
    let now = state.clock.now();
    if !state.iam.admits(caller.principal.account(), operation.name, now) {
        return Err(AwsError::new(400, "Throttling", "Rate exceeded"));
    }
    let params = query::check(operation.name, operation.params, arguments)?;
    let name = operation.name;
    let mut work = Work { state, caller: &caller, params: &params, operation: name, now };
    target::authorize(&mut work, operation.target)?;
    (operation.run)(&mut work).map(|elements| (operation, elements))
}

fn authenticate(
    state: &mut State,
    request: &SignedRequest<'_>,
    call: &mut Call,
) -> Result<Caller, AwsError> {
    let presented = Presented::of(request)?;
    let principal = presented.and_then(|presented| state.principal(&presented.access_key_id));
    let region = match principal.as_ref().map_or("aws", Principal::partition) {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        "aws-eusc" => "eusc-de-east-1",
        _ => "us-east-1",
    };
    let expected = Expected { region: Some(region), ..Expected::service("iam") };
    let caller = Caller::authenticate(state, request, &expected, call)?;
    // IAM takes no federated user, and a user's session only if it was made with MFA.
    let takes = match (&caller.principal, &caller.session) {
        (Principal::Federated { .. }, _) => false,
        (Principal::User { .. }, Some(session)) => session.mfa,
        _ => true,
    };
    if takes { Ok(caller) } else { Err(invalid_key()) }
}

/// 404 `NoSuchEntity`.
fn no_such(message: impl Into<String>) -> AwsError {
    AwsError::new(404, "NoSuchEntity", message)
}

/// 409 `EntityAlreadyExists`.
fn already_exists(message: impl Into<String>) -> AwsError {
    AwsError::new(409, "EntityAlreadyExists", message)
}

/// 409 `LimitExceeded`.
fn limit(what: &str, quota: usize) -> AwsError {
    AwsError::new(409, "LimitExceeded", format!("Cannot exceed quota for {what}: {quota}"))
}

/// 409 `DeleteConflict`.
fn delete_conflict(message: impl Into<String>) -> AwsError {
    AwsError::new(409, "DeleteConflict", message)
}

/// 400 `InvalidInput`.
fn invalid_input(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidInput", message)
}
