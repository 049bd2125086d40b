use rolecall_core::{CredentialsError, ErrorKind};

/// How bad a [`Finding`] is; the worst come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// There will be no credentials, or they will not be taken.
    Error(ErrorKind),
    /// It works, but not as its owner may think, or not everywhere.
    Warning,
    /// As it is: what was looked at and is well, and what wins.
    Info,
}

impl Severity {
    /// `error`, `warning` or `info`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error(_) => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// One thing that was seen. None of its texts holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at: `clock`, `sts`, `source`, `files` …
    pub check: &'static str,
    /// What is the matter.
    pub what: String,
    /// What shows it: a place, a time, an answer.
    pub evidence: Option<String>,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Finding {
    pub(super) fn new(severity: Severity, check: &'static str, what: impl Into<String>) -> Self {
        Self { severity, check, what: what.into(), evidence: None, fix: None }
    }

    pub(super) fn error(kind: ErrorKind, check: &'static str, what: impl Into<String>) -> Self {
        Self::new(Severity::Error(kind), check, what)
    }

    pub(super) fn warning(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(Severity::Warning, check, what)
    }

    pub(super) fn info(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(Severity::Info, check, what)
    }

    pub(super) fn of_error(check: &'static str, error: &CredentialsError) -> Self {
        let mut finding = Self::error(error.kind(), check, error.message());
        finding.evidence = Some(error.place().unwrap_or(error.provider()).to_owned());
        finding.fix = error.help().map(str::to_owned);
        finding
    }

    pub(super) fn evidence(mut self, evidence: impl Into<String>) -> Self {
        self.evidence = Some(evidence.into());
        self
    }

    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}
