//! Policies: what a document may hold, and what it says about a request.

mod condition;
mod document;
mod matching;

use std::collections::BTreeMap;

pub(crate) use document::Document;

/// Values of condition keys, by the key in lower case.
pub(crate) type Context = BTreeMap<String, Vec<String>>;

/// What is asked of the policies.
pub(crate) struct Question<'a> {
    /// `iam:CreateUser`.
    pub(crate) action: &'a str,
    /// ARN, or `*`.
    pub(crate) resource: &'a str,
    pub(crate) context: &'a Context,
}

/// What a set of policies says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow,
    /// A statement denies it.
    ExplicitDeny,
    /// No statement allows it.
    NoAllow,
}

/// What the policies say together: any denial wins.
pub(crate) fn judge<'a>(
    documents: impl IntoIterator<Item = &'a Document>,
    question: &Question<'_>,
) -> Verdict {
    let mut verdict = Verdict::NoAllow;
    for document in documents {
        match document.judge(question) {
            Verdict::ExplicitDeny => return Verdict::ExplicitDeny,
            Verdict::Allow => verdict = Verdict::Allow,
            Verdict::NoAllow => {}
        }
    }
    verdict
}

#[cfg(test)]
mod tests;
