use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// What is written down of one act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who: a verified identity, `user@host`, `worker host:pid`.
    pub actor: String,
    /// What: `create`, `renew`, `revoke`, `forget`, `reap`.
    pub action: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// More, for people. Never a secret.
    pub detail: String,
}

/// How an act went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// About to be done.
    Begun,
    /// Done.
    Done,
    /// Certainly not done.
    Refused,
    /// Not done, or nobody knows; it will be tried again.
    Failed,
}

/// A line of the audit log. Each names the digest of the one before it for the same lease, so that
/// a line that is changed, left out or put elsewhere shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The lease's id, or the definition's name.
    pub subject: String,
    /// 1, 2, 3 … for each subject.
    pub sequence: u32,
    /// When, in milliseconds since 1970 UTC, by the store's clock.
    pub at_millis: i64,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// How it went.
    pub outcome: Outcome,
    /// More, for people.
    pub detail: String,
    /// SHA-256, hex, over the digest before and this line's other fields.
    pub digest: String,
}

impl Record {
    /// A record of `actor` doing `action`.
    pub fn new(
        actor: impl Into<String>,
        action: &'static str,
        outcome: Outcome,
        detail: impl Into<String>,
    ) -> Self {
        Self { actor: actor.into(), action, outcome, detail: detail.into() }
    }

    /// The line of the log that follows `last`. Stores call it within the transaction of the change
    /// it tells of.
    pub fn after(&self, last: Option<(u32, &str)>, subject: &str, now: SystemTime) -> AuditEntry {
        let (sequence, digest) = last.map_or((1, ""), |(sequence, digest)| (sequence + 1, digest));
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut entry = AuditEntry {
            subject: subject.to_owned(),
            sequence,
            at_millis: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            actor: self.actor.clone(),
            action: self.action.to_owned(),
            outcome: self.outcome,
            detail: self.detail.clone(),
            digest: String::new(),
        };
        entry.digest = entry.digest_after(digest);
        entry
    }
}

impl AuditEntry {
    /// What its digest must be after the digest `before` (empty for the first).
    pub fn digest_after(&self, before: &str) -> String {
        let fields = (
            before,
            &self.subject,
            self.sequence,
            self.at_millis,
            &self.actor,
            &self.action,
            self.outcome,
            &self.detail,
        );
        // A tuple of texts and numbers has always a form in JSON, and only one.
        let text = serde_json::to_vec(&fields).unwrap_or_default();
        hex::encode(ring::digest::digest(&ring::digest::SHA256, &text))
    }
}
