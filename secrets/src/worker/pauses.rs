use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rolecall_core::http::HttpError;
use rolecall_core::{Clock, CredentialsError, ErrorKind};
use rolecall_sts::ServiceError;

use crate::connect::is_about_credentials;
use crate::iam::has_source;

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(300);
/// So many leases in a row that IAM answered with its own trouble are the account's trouble; so are
/// as many for which this machine has no usable profile, key or file.
const IN_A_ROW: u32 = 8;

/// Accounts that are left alone for a while: where one lease finds no way in, the others would not
/// either, and each try costs time, calls and writing.
#[derive(Debug)]
pub(super) struct Pauses {
    clock: Clock,
    accounts: Mutex<HashMap<String, Trouble>>,
}

/// What has gone wrong in an account since something went well.
#[derive(Debug, Default)]
struct Trouble {
    /// Leases in a row.
    failures: u32,
    /// How often it was left alone.
    pauses: u32,
    /// Until when it is, by what has passed.
    until: Duration,
    why: String,
}

impl Pauses {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, accounts: Mutex::default() }
    }

    /// The accounts that are left alone, for how long yet, and why.
    pub(super) fn now(&self) -> Vec<(String, Duration, String)> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.elapsed();
        let paused = accounts.iter().filter(|(_, trouble)| trouble.until > now);
        paused.map(|(id, it)| (id.clone(), it.until - now, it.why.clone())).collect()
    }

    pub(super) fn failed(&self, account_id: &str, error: &CredentialsError) {
        let is_about_account = cannot_be_reached(error);
        if !is_about_account && !is_in_doubt(error) {
            return;
        }
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.elapsed();
        let trouble = accounts.entry(account_id.to_owned()).or_default();
        // Those that were under way together count as one.
        if trouble.until > now {
            return;
        }
        trouble.failures = trouble.failures.saturating_add(1);
        if is_about_account || trouble.failures >= IN_A_ROW {
            trouble.until = now + FIRST.saturating_mul(1 << trouble.pauses.min(8)).min(LONGEST);
            trouble.pauses = trouble.pauses.saturating_add(1);
            trouble.why = error.to_string();
        }
    }

    pub(super) fn succeeded(&self, account_id: &str) {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).remove(account_id);
    }
}

/// Whether nobody was reached, or nobody who takes these credentials.
fn cannot_be_reached(error: &CredentialsError) -> bool {
    match ServiceError::of(error) {
        Some(_) => is_about_credentials(error),
        None => has_source::<HttpError>(error) || error.kind() == ErrorKind::NotConfigured,
    }
}

/// Whether IAM throttles or fails, or a connection cannot be made here: for one user or definition
/// alone, or for all.
fn is_in_doubt(error: &CredentialsError) -> bool {
    match ServiceError::of(error) {
        Some(_) => error.kind() == ErrorKind::Unavailable,
        None => is_about_credentials(error),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use rolecall_core::http::HttpFailure;

    use super::*;

    fn unreachable() -> CredentialsError {
        CredentialsError::new(ErrorKind::Unavailable, "IAM", "no route")
            .with_source(HttpError::new(HttpFailure::Connect, "no route"))
    }

    fn answer(kind: ErrorKind, code: &str) -> CredentialsError {
        let answer = ServiceError {
            status: 400,
            code: code.to_owned(),
            message: String::new(),
            request_id: None,
        };
        CredentialsError::new(kind, "IAM DeleteUser", code).with_source(answer)
    }

    #[test]
    fn pauses_grow_and_end_with_a_success() {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH);
        let pauses = Pauses::new(clock.clone());
        let left = || pauses.now().first().map(|(_, left, _)| *left);
        pauses.failed("1", &unreachable());
        pauses.failed("1", &unreachable());
        assert_eq!(left(), Some(FIRST), "two at once are one failure");
        assert!(pauses.now()[0].2.contains("no route"));
        clock.set_ahead(FIRST);
        assert_eq!(left(), Some(FIRST), "nobody can set it");
        clock.advance(FIRST);
        assert_eq!(left(), None);
        pauses.failed("1", &unreachable());
        assert_eq!(left(), Some(FIRST * 2));
        pauses.succeeded("1");
        assert_eq!(left(), None);
    }

    #[test]
    fn one_users_trouble_is_not_the_accounts() {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH);
        let pauses = Pauses::new(clock.clone());
        for _ in 0..100 {
            pauses.failed("1", &answer(ErrorKind::Denied, "AccessDenied"));
            pauses.failed("1", &CredentialsError::new(ErrorKind::TimedOut, "IAM", "no turn"));
        }
        for _ in 1..IN_A_ROW {
            pauses.failed("1", &answer(ErrorKind::Unavailable, "Throttling"));
        }
        assert!(pauses.now().is_empty());
        pauses.succeeded("1");
        pauses.failed("1", &answer(ErrorKind::Unavailable, "Throttling"));
        assert!(pauses.now().is_empty(), "not in a row");
        for _ in 1..IN_A_ROW {
            pauses.failed("1", &answer(ErrorKind::Unavailable, "ServiceFailure"));
        }
        assert_eq!(pauses.now().len(), 1);
        pauses.failed("2", &answer(ErrorKind::Denied, "InvalidClientTokenId"));
        assert_eq!(pauses.now().len(), 2);
        let profile = CredentialsError::new(ErrorKind::InvalidConfiguration, "profile x", "none");
        for _ in 1..IN_A_ROW {
            pauses.failed("3", &profile);
        }
        assert_eq!(pauses.now().len(), 2, "another definition may have a profile that is there");
        pauses.failed("3", &profile);
        assert_eq!(pauses.now().len(), 3);
    }
}
