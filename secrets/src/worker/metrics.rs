use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rolecall_core::{Clock, CredentialsError};

use crate::lease::LeaseId;

/// A worker that has not reached its store for so long is not well.
const WELL_WITHIN: Duration = Duration::from_secs(90);
/// A lease is tried at least once an hour: one that this worker has not seen for longer is in others'
/// hands.
const FAILS_FOR: Duration = Duration::from_secs(2 * 3600);

/// What a worker counts, and whether it is well.
#[derive(Debug)]
pub struct Metrics {
    clock: Clock,
    revoked: AtomicU64,
    expired: AtomicU64,
    failed: AtomicU64,
    held: AtomicU64,
    store_failures: AtomicU64,
    in_flight: AtomicU64,
    /// Seconds since 1970.
    looked_at: AtomicU64,
    /// How long the first lease that is due has waited, in seconds.
    overdue: AtomicU64,
    paused: AtomicU64,
    seen: Mutex<Seen>,
    /// Leases whose last try failed.
    failing: Mutex<HashMap<LeaseId, Failing>>,
}

/// A lease that cannot be taken back, by what has passed.
#[derive(Debug)]
struct Failing {
    since: Duration,
    last: Duration,
    why: String,
}

/// What people want to know of the last look.
#[derive(Debug, Default)]
struct Seen {
    /// When that was, by what has passed.
    at: Duration,
    store_failure: Option<String>,
    /// Accounts that are left alone, with how long, and why.
    paused: Vec<(String, Duration, String)>,
}

impl Metrics {
    pub(super) fn new(clock: Clock) -> Self {
        let looked_at = AtomicU64::new(seconds(clock.now()));
        let at = clock.elapsed();
        Self {
            clock,
            revoked: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            held: AtomicU64::new(0),
            store_failures: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            looked_at,
            overdue: AtomicU64::new(0),
            paused: AtomicU64::new(0),
            seen: Mutex::new(Seen { at, ..Seen::default() }),
            failing: Mutex::default(),
        }
    }

    pub(super) fn revoked(&self) {
        self.revoked.fetch_add(1, Relaxed);
    }

    pub(super) fn expired(&self) {
        self.expired.fetch_add(1, Relaxed);
    }

    pub(super) fn failed(&self, id: LeaseId, error: &CredentialsError) {
        self.failed.fetch_add(1, Relaxed);
        let now = self.clock.elapsed();
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let since = failing.get(&id).map_or(now, |lease| lease.since);
        failing.insert(id, Failing { since, last: now, why: error.to_string() });
    }

    /// A lease went well, or is somebody else's.
    pub(super) fn settled(&self, id: LeaseId) {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Those whose last try failed, as far as this worker knows.
    fn failing(&self) -> MutexGuard<'_, HashMap<LeaseId, Failing>> {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.elapsed();
        failing.retain(|_, lease| now.saturating_sub(lease.last) <= FAILS_FOR);
        failing
    }

    pub(super) fn held(&self) {
        self.held.fetch_add(1, Relaxed);
    }

    pub(super) fn store_failed(&self, error: &CredentialsError) {
        self.store_failures.fetch_add(1, Relaxed);
        self.seen().store_failure = Some(error.to_string());
    }

    pub(super) fn looked(
        &self,
        in_flight: usize,
        overdue: Duration,
        paused: &[(String, Duration, String)],
    ) {
        self.in_flight.store(in_flight as u64, Relaxed);
        self.overdue.store(overdue.as_secs(), Relaxed);
        self.paused.store(paused.len() as u64, Relaxed);
        self.looked_at.store(seconds(self.clock.now()), Relaxed);
        let at = self.clock.elapsed();
        *self.seen() = Seen { at, store_failure: None, paused: paused.to_vec() };
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the worker has reached its store lately.
    pub fn is_well(&self) -> bool {
        self.clock.elapsed().saturating_sub(self.seen().at) <= WELL_WITHIN
    }

    /// How it fares, for people: `well`, or why not; then, line by line, what is odd.
    pub fn health(&self) -> String {
        let is_well = self.is_well();
        let seen = self.seen();
        let mut text = if is_well {
            "well\n".to_owned()
        } else {
            let since = self.clock.elapsed().saturating_sub(seen.at).as_secs();
            format!("the store has not been worked on for {since} s\n")
        };
        if let Some(failure) = &seen.store_failure {
            text += &format!("the store: {failure}\n");
        }
        let overdue = self.overdue.load(Relaxed);
        if overdue > WELL_WITHIN.as_secs() {
            text += &format!("a lease that is due has waited for {overdue} s\n");
        }
        let failing = self.failing();
        if let Some((id, first)) = failing.iter().min_by_key(|(_, lease)| lease.since) {
            let (count, since) = (failing.len(), self.clock.elapsed().saturating_sub(first.since));
            text += &format!(
                "leases that could not be taken back: {count}, the first, {id}, for {} s: {}\n",
                since.as_secs(),
                first.why
            );
        }
        for (id, left, why) in &seen.paused {
            text += &format!("account {id} is left alone for {} s: {why}\n", left.as_secs());
        }
        text
    }

    /// In Prometheus's text format, version 0.0.4.
    pub fn text(&self) -> String {
        let failing = AtomicU64::new(self.failing().len() as u64);
        let rows = [
            ("revoked_total", "counter", "Leases taken back.", &self.revoked),
            ("expired_total", "counter", "Sessions that have ended.", &self.expired),
            ("failures_total", "counter", "Tries to take a lease back that failed.", &self.failed),
            ("failing", "gauge", "Leases whose last try failed.", &failing),
            (
                "held_total",
                "counter",
                "Leases not taken back as the machine's clock is wrong.",
                &self.held,
            ),
            (
                "store_failures_total",
                "counter",
                "Times the store could not be reached.",
                &self.store_failures,
            ),
            ("in_flight", "gauge", "Leases being worked on.", &self.in_flight),
            (
                "overdue_seconds",
                "gauge",
                "How long the first lease that is due has waited.",
                &self.overdue,
            ),
            (
                "paused_accounts",
                "gauge",
                "Accounts that are left alone as they cannot be reached.",
                &self.paused,
            ),
            (
                "last_look_seconds",
                "gauge",
                "When the store was looked at last, in seconds since 1970.",
                &self.looked_at,
            ),
        ];
        rows.into_iter()
            .map(|(name, kind, help, value)| {
                let name = format!("rolecall_leases_{name}");
                let value = value.load(Relaxed);
                format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n")
            })
            .collect()
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_prometheuss_form_and_a_silent_worker_is_not_well() {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH);
        let metrics = Metrics::new(clock.clone());
        metrics.revoked();
        let text = metrics.text();
        assert!(
            text.contains(
                "# TYPE rolecall_leases_revoked_total counter\nrolecall_leases_revoked_total 1\n"
            ),
            "{text}"
        );
        clock.advance(Duration::from_secs(90));
        assert!(metrics.is_well());
        clock.advance(Duration::from_secs(1));
        assert!(!metrics.is_well());
        let error = CredentialsError::new(rolecall_core::ErrorKind::Unavailable, "store", "full");
        metrics.store_failed(&error);
        let text = metrics.health();
        assert!(text.contains("not been worked on for 91 s") && text.contains("full"), "{text}");
        metrics.looked(0, Duration::ZERO, &[]);
        assert!(metrics.is_well());
        assert_eq!(metrics.health(), "well\n");
        metrics.failed(LeaseId(1), &error);
        clock.advance(Duration::from_secs(60));
        metrics.failed(LeaseId(1), &error);
        metrics.failed(LeaseId(2), &error);
        let text = metrics.health();
        assert!(
            text.contains(&format!("back: 2, the first, {}, for 60 s: ", LeaseId(1))),
            "{text}"
        );
        metrics.settled(LeaseId(1));
        assert!(metrics.text().contains("\nrolecall_leases_failing 1\n"));
        // Another worker has it now.
        clock.advance(FAILS_FOR + Duration::from_secs(1));
        assert!(metrics.text().contains("\nrolecall_leases_failing 0\n"));
        let paused = ("1".to_owned(), Duration::from_secs(9), "no route".to_owned());
        metrics.looked(0, Duration::from_secs(91), &[paused]);
        assert_eq!(
            metrics.health(),
            "well\na lease that is due has waited for 91 s\n\
             account 1 is left alone for 9 s: no route\n"
        );
        assert!(metrics.text().contains("rolecall_leases_paused_accounts 1\n"));
    }
}
