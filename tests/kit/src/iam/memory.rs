//! How IAM behaves, and what it remembers to behave so: how new things are, and how many calls an
//! account has left.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// How IAM behaves besides its rules. In JSON, a part left out is as usual: no lag, no throttling.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IamSettings {
    /// How long signatures with a new access key are refused everywhere, `InvalidClientTokenId`.
    pub new_keys: Lag,
    /// How long calls that read a new user or attach something to it answer `NoSuchEntity`. Calls
    /// that take something away see it at once.
    pub new_users: Lag,
    /// How long ListUsers and ListAccessKeys leave out what is new.
    pub lists: Lag,
    /// How long a new login profile cannot be deleted, `EntityTemporarilyUnmodifiable`.
    pub new_login_profiles: Lag,
    /// How many calls an account may make: each rate that fits a call must have one left.
    pub rates: Vec<Rate>,
    /// Most items of a page, whatever MaxItems asks for, as AWS reserves for itself.
    pub page_limit: Option<usize>,
}

/// How long something new is not seen: until it was not seen `calls` times, and `seconds` of the
/// kit's clock have passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lag {
    /// Seconds of the kit's clock.
    pub seconds: i64,
    /// Calls.
    pub calls: u32,
}

/// A token bucket that each account has of its own, filled by the kit's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Operation, or `*` for all together.
    #[serde(default = "any")]
    pub operation: String,
    /// Tokens that come in a second.
    pub per_second: f64,
    /// Tokens that it holds, and starts with.
    pub burst: f64,
}

fn any() -> String {
    "*".to_owned()
}

/// What may be new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum New {
    Key,
    User,
    /// A user or a key, for the lists.
    Listed,
    LoginProfile,
}

#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) settings: IamSettings,
    /// What is not seen yet: until when, and how many more times.
    unseen: HashMap<(New, String), (i64, u32)>,
    /// Tokens left and the time they were counted, by account and place in the settings' rates.
    buckets: HashMap<(String, usize), (f64, i64)>,
}

impl Memory {
    pub(crate) fn set(&mut self, settings: IamSettings) {
        self.settings = settings;
        self.buckets.clear();
    }

    /// Something was made.
    pub(crate) fn made(&mut self, what: New, id: &str, now: i64) {
        let lag = match what {
            New::Key => self.settings.new_keys,
            New::User => self.settings.new_users,
            New::Listed => self.settings.lists,
            New::LoginProfile => self.settings.new_login_profiles,
        };
        if lag != Lag::default() {
            let until = now.saturating_add(lag.seconds);
            self.unseen.insert((what, id.to_owned()), (until, lag.calls));
        }
    }

    /// Whether it is too new to be seen.
    pub(crate) fn would_be_unseen(&self, what: New, id: &str, now: i64) -> bool {
        let lag = self.unseen.get(&(what, id.to_owned()));
        lag.is_some_and(|(until, calls)| *calls > 0 || now < *until)
    }

    /// Whether it is too new to be seen; asking counts as a call.
    pub(crate) fn is_unseen(&mut self, what: New, id: &str, now: i64) -> bool {
        if self.unseen.is_empty() {
            return false;
        }
        let key = (what, id.to_owned());
        let Some((until, calls)) = self.unseen.get_mut(&key) else { return false };
        let counted = *calls > 0;
        *calls = calls.saturating_sub(1);
        if counted || now < *until {
            return true;
        }
        self.unseen.remove(&key);
        false
    }

    /// Takes a token for a call; `false` if one of its buckets is empty, and then none is taken.
    pub(crate) fn admits(&mut self, account: &str, operation: &str, now: i64) -> bool {
        let fits = |rate: &Rate| rate.operation == "*" || rate.operation == operation;
        let fitting: Vec<usize> = self
            .settings
            .rates
            .iter()
            .enumerate()
            .filter(|(_, rate)| fits(rate))
            .map(|(place, _)| place)
            .collect();
        let mut left = Vec::new();
        for place in &fitting {
            let rate = &self.settings.rates[*place];
            let bucket =
                self.buckets.entry((account.to_owned(), *place)).or_insert((rate.burst, now));
            // A clock that was put back fills nothing.
            let passed = now.saturating_sub(bucket.1).clamp(0, 1 << 31);
            let filled = f64::from(u32::try_from(passed).unwrap_or(0)) * rate.per_second;
            *bucket = ((bucket.0 + filled).min(rate.burst), now);
            left.push(bucket.0);
        }
        if left.iter().any(|tokens| *tokens < 1.0) {
            return false;
        }
        for place in fitting {
            if let Some(bucket) = self.buckets.get_mut(&(account.to_owned(), place)) {
                bucket.0 -= 1.0;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_fills_by_the_clock_and_each_account_has_its_own() {
        let mut memory = Memory::default();
        let rate = |operation: &str, per_second, burst| Rate {
            operation: operation.to_owned(),
            per_second,
            burst,
        };
        memory.set(IamSettings {
            rates: vec![rate("*", 2.0, 3.0), rate("CreateUser", 0.5, 1.0)],
            ..IamSettings::default()
        });
        let taken = |memory: &mut Memory, operation: &str, now| {
            (0..10).filter(|_| memory.admits("1", operation, now)).count()
        };
        assert_eq!(taken(&mut memory, "CreateUser", 100), 1);
        assert_eq!(taken(&mut memory, "GetUser", 100), 2);
        assert_eq!(taken(&mut memory, "GetUser", 101), 2);
        assert_eq!(taken(&mut memory, "CreateUser", 101), 0);
        assert_eq!(taken(&mut memory, "CreateUser", 102), 1);
        assert!(memory.admits("2", "CreateUser", 102));
        assert_eq!(taken(&mut memory, "GetUser", 50), 1);
        assert_eq!(taken(&mut memory, "GetUser", 1000), 3);
    }

    #[test]
    fn a_lag_wants_both_its_calls_and_its_time() {
        let mut memory = Memory::default();
        memory.settings.new_keys = Lag { seconds: 10, calls: 2 };
        memory.made(New::Key, "a", 100);
        assert!(memory.is_unseen(New::Key, "a", 200));
        assert!(memory.is_unseen(New::Key, "a", 105));
        assert!(memory.is_unseen(New::Key, "a", 105));
        assert!(!memory.is_unseen(New::User, "a", 105));
        assert!(memory.would_be_unseen(New::Key, "a", 109));
        assert!(!memory.would_be_unseen(New::Key, "a", 110));
        assert!(!memory.is_unseen(New::Key, "a", 110));
        assert!(!memory.is_unseen(New::Key, "a", 105));
    }
}
