use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// What is written down of one act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who: `user@host`, or what the program that does it goes by.
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

/// Where a log ends. Stores keep it apart from the log, so that a tail that was cut off shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// The last line's number.
    pub sequence: u32,
    /// The last line's digest.
    pub digest: String,
}

/// What is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrailFlaw {
    /// This line is not where it should be: it was left out or put elsewhere.
    Missing(u32),
    /// This line was changed, or it belongs to another subject or another past.
    Changed(u32),
    /// The log should end with this line, which was written, and ends before.
    CutOff(u32),
    /// The log goes on after this line, which was the last that was written.
    Longer(u32),
    /// There is a log, and nothing says where it ends.
    NoEnd,
}

impl fmt::Display for TrailFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(line) => write!(f, "line {line} is missing or out of place"),
            Self::Changed(line) => write!(f, "line {line} is not what was written"),
            Self::CutOff(line) => write!(f, "the log was cut off: line {line} was its last"),
            Self::Longer(line) => write!(f, "line {line} was the last, and more follow"),
            Self::NoEnd => f.write_str("where the log ends is no longer written anywhere"),
        }
    }
}

impl std::error::Error for TrailFlaw {}

/// Whether `entries` are the whole log of one subject as it was written, up to `head`.
///
/// This shows what was changed by whoever does not also write every later digest and the head anew.
/// Against them, keep the heads elsewhere too.
///
/// # Errors
/// The first flaw.
pub fn verify_trail(entries: &[AuditEntry], head: Option<&AuditHead>) -> Result<(), TrailFlaw> {
    let mut digest = "";
    let subject = entries.first().map(|entry| &entry.subject);
    for (entry, sequence) in entries.iter().zip(1..) {
        if entry.sequence != sequence {
            return Err(TrailFlaw::Missing(sequence));
        }
        if Some(&entry.subject) != subject || entry.digest != entry.digest_after(digest) {
            return Err(TrailFlaw::Changed(sequence));
        }
        digest = &entry.digest;
    }
    let last = entries.last().map_or(0, |entry| entry.sequence);
    match head {
        None if entries.is_empty() => Ok(()),
        None => Err(TrailFlaw::NoEnd),
        Some(head) if last < head.sequence => Err(TrailFlaw::CutOff(head.sequence)),
        Some(head) if last > head.sequence => Err(TrailFlaw::Longer(head.sequence)),
        Some(head) if head.digest != digest => Err(TrailFlaw::Changed(last)),
        Some(_) => Ok(()),
    }
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Begun, Self::Done, Self::Refused, Self::Failed];

    /// The name, as stores and the command line have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// The outcome of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
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
    pub fn after(&self, last: Option<&AuditHead>, subject: &str, now: SystemTime) -> AuditEntry {
        let (sequence, digest) =
            last.map_or((1, ""), |last| (last.sequence.saturating_add(1), &last.digest));
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
    /// Where the log ends if this is its last line.
    pub fn head(&self) -> AuditHead {
        AuditHead { sequence: self.sequence, digest: self.digest.clone() }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    type Edit = fn(&mut Vec<AuditEntry>);

    fn log() -> Vec<AuditEntry> {
        let record = |action| Record::new("me", action, Outcome::Done, "detail");
        let mut entries = Vec::<AuditEntry>::new();
        for action in ["create", "renew", "revoke"] {
            let head = entries.last().map(AuditEntry::head);
            entries.push(record(action).after(head.as_ref(), "lease", SystemTime::UNIX_EPOCH));
        }
        entries
    }

    #[test]
    fn whatever_was_done_to_a_log_shows() {
        let head = log()[2].head();
        assert_eq!(verify_trail(&log(), Some(&head)), Ok(()));
        assert_eq!(verify_trail(&[], None), Ok(()));
        let edits: &[(&str, Edit, TrailFlaw)] = &[
            ("subject", |log| log[1].subject.push('x'), TrailFlaw::Changed(2)),
            (
                "every subject",
                |log| log.iter_mut().for_each(|line| line.subject.push('x')),
                TrailFlaw::Changed(1),
            ),
            ("sequence", |log| log[1].sequence = 7, TrailFlaw::Missing(2)),
            ("time", |log| log[1].at_millis += 1, TrailFlaw::Changed(2)),
            ("actor", |log| log[0].actor.push('x'), TrailFlaw::Changed(1)),
            ("action", |log| log[2].action.clear(), TrailFlaw::Changed(3)),
            ("outcome", |log| log[1].outcome = Outcome::Failed, TrailFlaw::Changed(2)),
            ("detail", |log| log[1].detail.clear(), TrailFlaw::Changed(2)),
            ("digest", |log| log[1].digest.clear(), TrailFlaw::Changed(2)),
            (
                "a line changed with its digest",
                |log| {
                    log[1].actor = "other".to_owned();
                    log[1].digest = log[1].digest_after(&log[0].digest.clone());
                },
                TrailFlaw::Changed(3),
            ),
            (
                "the last line changed with its digest",
                |log| {
                    log[2].actor = "other".to_owned();
                    log[2].digest = log[2].digest_after(&log[1].digest.clone());
                },
                TrailFlaw::Changed(3),
            ),
            (
                "the first left out",
                |log| {
                    log.remove(0);
                },
                TrailFlaw::Missing(1),
            ),
            (
                "one left out",
                |log| {
                    log.remove(1);
                },
                TrailFlaw::Missing(2),
            ),
            ("two exchanged", |log| log.swap(0, 1), TrailFlaw::Missing(1)),
            ("the tail cut off", |log| log.truncate(2), TrailFlaw::CutOff(3)),
            ("all cut off", Vec::clear, TrailFlaw::CutOff(3)),
            (
                "a line added",
                |log| {
                    let more = Record::new("me", "renew", Outcome::Done, "");
                    log.push(more.after(Some(&log[2].head()), "lease", SystemTime::UNIX_EPOCH));
                },
                TrailFlaw::Longer(3),
            ),
        ];
        for (what, edit, flaw) in edits {
            let mut log = log();
            edit(&mut log);
            assert_eq!(verify_trail(&log, Some(&head)), Err(*flaw), "{what}");
        }
        assert_eq!(verify_trail(&log(), None), Err(TrailFlaw::NoEnd));
    }
}
