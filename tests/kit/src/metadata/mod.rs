//! What gives machines their credentials: the metadata service and the containers' endpoints.

mod container;
mod imds;

use std::collections::HashMap;

use crate::principal::Session;
use crate::secret::Secret;
use crate::server::{Reply, request_id};
use crate::state::State;
use crate::{clock, sts};

pub(crate) use container::{answer as answer_container, operation_of as container_operation_of};
pub(crate) use imds::{answer as answer_imds, operation_of as imds_operation_of};

/// What these endpoints remember.
#[derive(Default)]
pub(crate) struct Memory {
    /// Tokens of the metadata service, and when each ends.
    tokens: HashMap<String, i64>,
    /// The access key id that each role has now.
    current: HashMap<String, String>,
}

impl Memory {
    /// Lets every token end.
    pub(crate) fn expire_tokens(&mut self) {
        self.tokens.clear();
    }

    pub(crate) fn secrets(&self) -> impl Iterator<Item = Secret> {
        self.tokens.keys().map(|token| Secret::new(token.as_str()))
    }
}

/// An answer, and what else there is to it.
pub(crate) struct Answered {
    pub(crate) reply: Reply,
    pub(crate) headers: Vec<(String, String)>,
    /// It does not get as far as the caller.
    pub(crate) lost: bool,
}

impl From<Reply> for Answered {
    fn from(reply: Reply) -> Answered {
        Answered { reply, headers: Vec::new(), lost: false }
    }
}

fn reply(status: u16, content_type: &str, body: String) -> Reply {
    Reply {
        status,
        content_type: content_type.to_owned(),
        body: body.into(),
        request_id: request_id(),
        error: None,
    }
}

/// The credentials of a role, replaced well before they end: all who ask meanwhile get the same.
fn credentials(
    state: &mut State,
    role_arn: &str,
    session_name: &str,
    lifetime: i64,
) -> Option<Session> {
    let margin = 300.min(lifetime / 2);
    let good_until = state.clock.now() + margin;
    let current = state.metadata.current.get(role_arn);
    let current = current.and_then(|id| state.sessions.get(id));
    if let Some(session) = current.filter(|session| session.expires > good_until) {
        return Some(session.clone());
    }
    let session = sts::issue_role_session(state, role_arn, session_name, lifetime)?;
    state.metadata.current.insert(role_arn.to_owned(), session.access_key_id.clone());
    Some(session)
}

fn expiration(session: &Session) -> String {
    clock::extended(session.expires)
}
