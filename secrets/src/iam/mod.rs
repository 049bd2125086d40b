//! IAM as leases need it: the calls, and what their failures mean.

mod attachments;
mod attempts;
mod budget;
mod calls;
mod outcome;

use std::sync::Arc;
use std::time::Duration;

use rolecall_core::{Context, Result};
use rolecall_sts::{Params, QueryClient};
use serde::de::DeserializeOwned;

use crate::make::Deadline;
use attempts::Attempts;

pub(crate) use attachments::Attachment;
pub(crate) use budget::Budget;
pub(crate) use calls::{AccessKey, NewUser, User};
pub(crate) use outcome::{Certainty, NotSent, certainty, has_code, has_source};

/// Lists are read in pages of this many.
const PAGE: u32 = 1000;
/// No list has more pages: one that has is not IAM's.
const PAGES: usize = 10_000;
/// How long calls that are for no claimed lease wait for their turn.
const PATIENCE: Duration = Duration::from_secs(600);

/// IAM in one account.
#[derive(Clone, Debug)]
pub(crate) struct Iam {
    /// The protocol underneath.
    pub(crate) query: QueryClient,
    /// How many calls it gets.
    pub(crate) budget: Arc<Budget>,
    /// Until when calls may be made, if they are for a claimed lease.
    pub(crate) deadline: Option<Deadline>,
}

impl Iam {
    /// For a lease that was claimed: no call is waited for longer than until `deadline`.
    pub(crate) fn within(&self, deadline: Deadline) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// # Errors
    /// `TimedOut` once no call may be made any more.
    pub(crate) fn check_time(&self) -> Result<()> {
        self.deadline.as_ref().map_or(Ok(()), Deadline::check)
    }

    async fn call<T: DeserializeOwned>(&self, action: &str, params: Params) -> Result<T> {
        self.in_turn(async |query| query.call(action, params).await).await
    }

    async fn call_once<T: DeserializeOwned>(&self, action: &str, params: Params) -> Result<T> {
        self.in_turn(async |query| query.call_once(action, params).await).await
    }

    async fn command(&self, action: &str, params: Params) -> Result<()> {
        self.in_turn(async |query| query.command(action, params).await).await
    }

    async fn in_turn<T>(&self, call: impl AsyncFnOnce(QueryClient) -> Result<T>) -> Result<T> {
        let patience = self.deadline.as_ref().map_or(PATIENCE, Deadline::left);
        if !self.budget.turn(patience).await {
            return Err(Deadline::passed("IAM's turn of this account did not come in time"));
        }
        let http = Attempts::of_one_call(self.query.context.http.clone(), self.budget.clone());
        let context = Context { http: Arc::new(http), ..self.query.context.clone() };
        let call = call(QueryClient { context, ..self.query.clone() });
        match &self.deadline {
            Some(deadline) => deadline.bound(call).await,
            None => call.await,
        }
    }
}
