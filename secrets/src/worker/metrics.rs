use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use rolecall_core::Clock;

/// A worker that has not reached its store for so long is not well.
const WELL_WITHIN: Duration = Duration::from_secs(90);

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
}

impl Metrics {
    pub(super) fn new(clock: Clock) -> Self {
        let looked_at = AtomicU64::new(seconds(clock.now()));
        Self {
            clock,
            revoked: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            held: AtomicU64::new(0),
            store_failures: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            looked_at,
        }
    }

    pub(super) fn revoked(&self) {
        self.revoked.fetch_add(1, Relaxed);
    }

    pub(super) fn expired(&self) {
        self.expired.fetch_add(1, Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    pub(super) fn held(&self) {
        self.held.fetch_add(1, Relaxed);
    }

    pub(super) fn store_failed(&self) {
        self.store_failures.fetch_add(1, Relaxed);
    }

    pub(super) fn looked(&self, in_flight: usize) {
        self.in_flight.store(in_flight as u64, Relaxed);
        self.looked_at.store(seconds(self.clock.now()), Relaxed);
    }

    /// Whether the worker has reached its store lately.
    pub fn is_well(&self) -> bool {
        let since = seconds(self.clock.now()).saturating_sub(self.looked_at.load(Relaxed));
        since <= WELL_WITHIN.as_secs()
    }

    /// In Prometheus's text format, version 0.0.4.
    pub fn text(&self) -> String {
        let rows = [
            ("revoked_total", "counter", "Leases taken back.", &self.revoked),
            ("expired_total", "counter", "Sessions that have ended.", &self.expired),
            ("failures_total", "counter", "Tries to take a lease back that failed.", &self.failed),
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
        metrics.looked(0);
        assert!(metrics.is_well());
    }
}
