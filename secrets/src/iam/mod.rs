//! IAM as leases need it: the calls, and what their failures mean.

mod attachments;
mod budget;
mod calls;
mod outcome;

use std::sync::Arc;

use rolecall_core::Result;
use rolecall_sts::{Params, QueryClient};
use serde::de::DeserializeOwned;

pub(crate) use attachments::Attachment;
pub(crate) use budget::Budget;
pub(crate) use calls::{AccessKey, NewUser, User};
pub(crate) use outcome::{Certainty, certainty, has_code};

/// Lists are read in pages of this many.
const PAGE: u32 = 1000;
/// No list has more pages: one that has is not IAM's.
const PAGES: usize = 10_000;

/// IAM in one account.
#[derive(Clone, Debug)]
pub(crate) struct Iam {
    /// The protocol underneath.
    pub(crate) query: QueryClient,
    /// How many calls it gets.
    pub(crate) budget: Arc<Budget>,
}

impl Iam {
    async fn call<T: DeserializeOwned>(&self, action: &str, params: Params) -> Result<T> {
        self.budget.turn().await;
        self.watched(self.query.call(action, params).await)
    }

    async fn call_once<T: DeserializeOwned>(&self, action: &str, params: Params) -> Result<T> {
        self.budget.turn().await;
        self.watched(self.query.call_once(action, params).await)
    }

    async fn command(&self, action: &str, params: Params) -> Result<()> {
        self.budget.turn().await;
        self.watched(self.query.command(action, params).await)
    }

    fn watched<T>(&self, result: Result<T>) -> Result<T> {
        let is_throttled =
            |error| has_code(error, "Throttling") || has_code(error, "ThrottlingException");
        if result.as_ref().is_err_and(is_throttled) {
            self.budget.throttled();
        }
        result
    }
}
