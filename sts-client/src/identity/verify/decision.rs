use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::principal::CallerIdentity;
use crate::identity::refusal::{Check, Refusal};
use crate::identity::token::TokenFormat;

/// What became of a token: each check by name, and why it was refused if it was.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The dialect, as far as it could be told.
    pub format: Option<TokenFormat>,
    /// Who it is, if STS said so. **Not enough to let somebody in**: see [`Self::accepted`].
    pub identity: Option<Arc<CallerIdentity>>,
    /// The value of the bounds' unique identifier.
    pub subject: Option<String>,
    /// Until when this token would be taken, were it not spent.
    pub valid_until: Option<SystemTime>,
    /// Why not.
    pub refusal: Option<Refusal>,
    pub(super) trail: Trail,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// There was nothing to check: the dialect has no such thing, or it is not bound.
    Skipped,
    /// It does not hold.
    Failed,
    /// An earlier one failed.
    NotReached,
}

impl Outcome {
    /// Its name: `not-reached`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::NotReached => "not-reached",
        }
    }
}

/// The checks that were made, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Trail {
    passed: u32,
    skipped: u32,
}

const _: () = assert!(Check::ALL.len() <= 32);

impl Trail {
    pub(super) fn pass(&mut self, check: Check) {
        self.passed |= 1 << check as u32;
    }

    pub(super) fn skip(&mut self, check: Check) {
        self.skipped |= 1 << check as u32;
    }

    /// That it went well, if it was asked for.
    pub(super) fn note(&mut self, check: Check, asked: bool) {
        if asked { self.pass(check) } else { self.skip(check) }
    }

    /// Those of reading that come before `failed`, but for what the dialect does not have.
    pub(super) fn read_until(&mut self, failed: Option<Check>, format: Option<TokenFormat>) {
        let reading = Check::ALL.iter().take_while(|check| **check <= Check::Authorization);
        for check in reading.filter(|check| failed.is_none_or(|failed| **check < failed)) {
            let absent = match format {
                Some(TokenFormat::Eks) => matches!(check, Check::Method | Check::Body),
                Some(TokenFormat::Rolecall) => {
                    matches!(check, Check::Method | Check::Body | Check::Headers)
                }
                _ => false,
            };
            self.note(*check, !absent);
        }
    }
}

impl Decision {
    /// Who may come in, or why not.
    ///
    /// # Errors
    /// The refusal.
    pub fn accepted(&self) -> Result<&CallerIdentity, &Refusal> {
        match (&self.refusal, &self.identity) {
            (None, Some(identity)) => Ok(identity),
            (Some(refusal), _) => Err(refusal),
            (None, None) => Err(&NOBODY),
        }
    }

    /// Every check in order, and how it went.
    pub fn checks(&self) -> impl Iterator<Item = (Check, Outcome)> {
        let failed = self.refusal.as_ref().map(|refusal| refusal.check);
        Check::ALL.iter().map(move |&check| {
            let bit = 1 << check as u32;
            let outcome = if failed == Some(check) {
                Outcome::Failed
            } else if self.trail.passed & bit != 0 {
                Outcome::Passed
            } else if self.trail.skipped & bit != 0 {
                Outcome::Skipped
            } else {
                Outcome::NotReached
            };
            (check, outcome)
        })
    }

    /// The record as JSON. Holds no secret.
    pub fn to_json(&self) -> Value {
        let mut json = Map::new();
        json.insert("accepted".into(), self.accepted().is_ok().into());
        json.insert("format".into(), self.format.map(TokenFormat::name).into());
        if let Some(identity) = &self.identity {
            json.insert("identity".into(), identity.to_json());
        }
        if let Some(subject) = &self.subject {
            json.insert("subject".into(), subject.as_str().into());
        }
        if let Some(Refusal { check, code, message, kind }) = &self.refusal {
            let refusal = json!({
                "check": check.name(), "code": code, "message": message, "kind": kind.name(),
            });
            json.insert("refusal".into(), refusal);
        }
        let checks = self
            .checks()
            .map(|(check, outcome)| json!({"check": check.name(), "outcome": outcome.name()}));
        json.insert("checks".into(), checks.collect());
        Value::Object(json)
    }
}

/// Of a decision that was put together by hand.
static NOBODY: Refusal = Refusal {
    check: Check::Sts,
    code: "nobody",
    message: String::new(),
    kind: rolecall_core::ErrorKind::Internal,
};
