//! IAM as leases need it: the calls, and what their failures mean.

mod attachments;
mod calls;
mod outcome;

use rolecall_sts::QueryClient;

pub(crate) use attachments::Attachment;
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
}
