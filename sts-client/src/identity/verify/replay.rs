//! What has been used, and must not be used again.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use ring::digest;
use rolecall_core::{CredentialsError, ErrorKind, Result};

/// What is remembered of a token or a challenge: a hash. Nothing can be made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplayKey(pub [u8; 32]);

impl ReplayKey {
    /// The key of the signature of a token: however the token around it is written, it is the same.
    pub(super) fn of_signature(signature: &[u8; 32]) -> Self {
        Self::of(&[b"signature", signature])
    }

    pub(super) fn of_challenge(challenge: &str) -> Self {
        Self::of(&[b"challenge", challenge.as_bytes()])
    }

    fn of(parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        parts.iter().for_each(|part| context.update(part));
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        Self(key)
    }
}

/// Remembers what has been used. All processes that take the same tokens must share one.
#[async_trait]
pub trait ReplayGuard: Debug + Send + Sync {
    /// Whether `key` has been spent, for turning a replay away before STS is asked.
    ///
    /// # Errors
    /// If it cannot be told: the token is refused.
    async fn is_spent(&self, key: ReplayKey, now: SystemTime) -> Result<bool>;

    /// Spends `key`, and remembers it until `until` at least. One step: of all who spend the same
    /// key, also in other processes, one is told `true`.
    ///
    /// # Errors
    /// If it cannot be kept: the token is refused.
    async fn spend(&self, key: ReplayKey, until: SystemTime, now: SystemTime) -> Result<bool>;
}

/// Remembers in memory: for one process, and until it ends.
#[derive(Debug)]
pub struct MemoryReplayGuard {
    capacity: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    keys: HashSet<ReplayKey>,
    ends: BinaryHeap<Reverse<(SystemTime, ReplayKey)>>,
    /// What ended before this may have been forgotten. Should the clock be set back, such a token
    /// would look fresh again.
    forgotten: Option<SystemTime>,
}

impl MemoryReplayGuard {
    /// Room for 200,000 keys, which is some 25 MB when full: 550 logins a second.
    pub const CAPACITY: usize = 200_000;

    /// A guard that keeps at most `capacity` keys. When it is full of keys that have not ended, it
    /// refuses all others: it never forgets one early.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, kept: Mutex::default() }
    }

    fn kept(&self, now: SystemTime) -> std::sync::MutexGuard<'_, Kept> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(&Reverse((end, key))) = kept.ends.peek()
            && end < now
        {
            kept.ends.pop();
            kept.keys.remove(&key);
            kept.forgotten = kept.forgotten.max(Some(end));
        }
        kept
    }
}

impl Default for MemoryReplayGuard {
    fn default() -> Self {
        Self::new(Self::CAPACITY)
    }
}

#[async_trait]
impl ReplayGuard for MemoryReplayGuard {
    async fn is_spent(&self, key: ReplayKey, now: SystemTime) -> Result<bool> {
        Ok(self.kept(now).keys.contains(&key))
    }

    async fn spend(&self, key: ReplayKey, until: SystemTime, now: SystemTime) -> Result<bool> {
        let mut kept = self.kept(now);
        if kept.keys.contains(&key) || kept.forgotten.is_some_and(|forgotten| until <= forgotten) {
            return Ok(false);
        }
        if kept.keys.len() >= self.capacity {
            let message = format!("{} logins are remembered, and there is no room", self.capacity);
            return Err(CredentialsError::new(ErrorKind::Unavailable, "replay guard", message)
                .with_help("give the guard a larger capacity, or tokens a shorter maximum age"));
        }
        kept.keys.insert(key);
        kept.ends.push(Reverse((until, key)));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(number: u8) -> ReplayKey {
        ReplayKey([number; 32])
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[tokio::test]
    async fn a_key_is_spent_once_until_it_ends_and_its_end_is_inside() {
        let guard = MemoryReplayGuard::default();
        assert!(guard.spend(key(1), at(100), at(0)).await.unwrap());
        assert!(!guard.spend(key(1), at(100), at(100)).await.unwrap());
        assert!(guard.is_spent(key(1), at(100)).await.unwrap());
        assert!(!guard.is_spent(key(1), at(101)).await.unwrap());
        assert!(guard.kept.lock().unwrap().ends.is_empty());
    }

    #[tokio::test]
    async fn what_was_forgotten_is_not_taken_when_the_clock_is_set_back() {
        let guard = MemoryReplayGuard::default();
        guard.spend(key(1), at(100), at(0)).await.unwrap();
        assert!(!guard.is_spent(key(1), at(101)).await.unwrap());
        assert!(!guard.spend(key(1), at(100), at(50)).await.unwrap());
        assert!(guard.spend(key(2), at(101), at(50)).await.unwrap());
    }

    #[tokio::test]
    async fn a_full_guard_refuses_and_forgets_nothing_early() {
        let guard = MemoryReplayGuard::new(2);
        assert!(guard.spend(key(1), at(100), at(0)).await.unwrap());
        assert!(guard.spend(key(2), at(200), at(0)).await.unwrap());
        let error = guard.spend(key(3), at(300), at(0)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(!guard.spend(key(1), at(100), at(0)).await.unwrap());
        assert!(guard.spend(key(3), at(300), at(101)).await.unwrap());
    }
}
