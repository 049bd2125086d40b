use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rolecall_core::{Clock, CredentialsError, ErrorKind};

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(300);

/// Accounts that are left alone for a while: where one lease finds no way in, the others would not
/// either, and each try costs time and calls.
#[derive(Debug)]
pub(super) struct Pauses {
    clock: Clock,
    accounts: Mutex<HashMap<String, Pause>>,
}

#[derive(Debug)]
struct Pause {
    failures: u32,
    until: SystemTime,
    why: String,
}

impl Pauses {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, accounts: Mutex::default() }
    }

    /// Until when the account is left alone, and why.
    pub(super) fn of(&self, account_id: &str) -> Option<(SystemTime, String)> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = accounts.get(account_id).filter(|pause| pause.until > self.clock.now())?;
        Some((pause.until, pause.why.clone()))
    }

    pub(super) fn failed(&self, account_id: &str, error: &CredentialsError) {
        let is_about_account = matches!(
            error.kind(),
            ErrorKind::Unavailable | ErrorKind::TimedOut | ErrorKind::NotConfigured
        );
        if !is_about_account {
            return;
        }
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let pause = accounts.entry(account_id.to_owned()).or_insert_with(|| Pause {
            failures: 0,
            until: now,
            why: String::new(),
        });
        // Those that were under way together count as one.
        if pause.until <= now {
            pause.until = now + FIRST.saturating_mul(1 << pause.failures.min(8)).min(LONGEST);
            pause.failures = pause.failures.saturating_add(1);
            pause.why = format!("account {account_id} is left alone for a while: {error}");
        }
    }

    pub(super) fn succeeded(&self, account_id: &str) {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).remove(account_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_with_a_success() {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH);
        let pauses = Pauses::new(clock.clone());
        let error = CredentialsError::new(ErrorKind::Unavailable, "IAM", "no route");
        let left = || pauses.of("1").map(|(until, _)| until.duration_since(clock.now()).unwrap());
        pauses.failed("1", &error);
        pauses.failed("1", &error);
        assert_eq!(left(), Some(FIRST), "two at once are one failure");
        assert!(pauses.of("1").unwrap().1.contains("no route"));
        assert_eq!(pauses.of("2"), None);
        clock.advance(FIRST);
        assert_eq!(left(), None);
        pauses.failed("1", &error);
        assert_eq!(left(), Some(FIRST * 2));
        pauses.succeeded("1");
        assert_eq!(left(), None);
        pauses.failed("1", &CredentialsError::new(ErrorKind::Denied, "IAM", "DeleteUser"));
        assert_eq!(left(), None, "one user's trouble is not the account's");
    }
}
