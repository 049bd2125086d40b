use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// By how much the machine's clock may go wrong against the time that has passed before it is taken
/// to have been set. Far below the five minutes from which on a clock is corrected.
const SET_BY: u64 = 30_000;

/// Time: what it is now, corrected by what AWS says, and bounded waits.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Few clocks ever are: the others need no lock.
    is_corrected: AtomicBool,
    correction: Mutex<Correction>,
    began: Instant,
    manual: Option<Manual>,
}

/// Both in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Correction {
    /// To be added to the machine's clock to get AWS's.
    skew: i64,
    /// What the machine's clock showed when this [`Clock`] was made, going back from now by the
    /// time that has passed: another one later means that somebody set the clock.
    origin: i64,
}

#[derive(Debug, Default)]
struct Manual {
    millis: AtomicU64,
    /// How much time has passed, whatever the hands were set to.
    passed: AtomicU64,
    sleeps: Mutex<Vec<Duration>>,
}

impl Clock {
    /// The machine's clock.
    pub fn real() -> Self {
        Self::of(None)
    }

    /// Where the clock of [`Context::fake`](crate::Context::fake) stands: 2026-01-01T00:00:00Z.
    pub fn fake_now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
    }

    /// A clock that stands still at `now` until told otherwise. A sleep moves it on at once, so no
    /// test ever waits.
    pub fn manual(now: SystemTime) -> Self {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::of(Some(Manual { millis: AtomicU64::new(millis(since)), ..Manual::default() }))
    }

    fn of(manual: Option<Manual>) -> Self {
        Self(Arc::new(Inner {
            is_corrected: AtomicBool::new(false),
            correction: Mutex::default(),
            began: Instant::now(),
            manual,
        }))
    }

    /// Now, in AWS's time as far as it is known.
    pub fn now(&self) -> SystemTime {
        let skew = self.skew_millis();
        let local = self.local_now();
        let step = Duration::from_millis(skew.unsigned_abs());
        let corrected = if skew < 0 { local.checked_sub(step) } else { local.checked_add(step) };
        corrected.unwrap_or(local)
    }

    /// Now, by this machine's own clock.
    pub fn local_now(&self) -> SystemTime {
        match &self.0.manual {
            None => SystemTime::now(),
            Some(manual) => {
                SystemTime::UNIX_EPOCH + Duration::from_millis(manual.millis.load(Ordering::SeqCst))
            }
        }
    }

    /// Takes `aws_now`, the `Date` of an answer, as the time from here on, until the machine's clock
    /// is set.
    pub fn correct(&self, aws_now: SystemTime) {
        let skew = signed_millis(aws_now).saturating_sub(signed_millis(self.local_now()));
        *self.correction() = Correction { skew, origin: self.origin() };
        self.0.is_corrected.store(true, Ordering::Release);
    }

    /// How far AWS's time is from the machine's, in milliseconds; positive if AWS is ahead. 0 as
    /// long as they seem to be the same, and again once the machine's clock was set.
    pub fn skew_millis(&self) -> i64 {
        if !self.0.is_corrected.load(Ordering::Acquire) {
            return 0;
        }
        let Correction { skew, origin } = *self.correction();
        if self.origin().abs_diff(origin) > SET_BY { 0 } else { skew }
    }

    fn correction(&self) -> MutexGuard<'_, Correction> {
        self.0.correction.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn origin(&self) -> i64 {
        let passed = i64::try_from(self.elapsed().as_millis()).unwrap_or(i64::MAX);
        signed_millis(self.local_now()).saturating_sub(passed)
    }

    /// How much time has passed since the clock was made: for limits, as nobody can set it.
    pub fn elapsed(&self) -> Duration {
        match &self.0.manual {
            None => self.0.began.elapsed(),
            Some(manual) => Duration::from_millis(manual.passed.load(Ordering::SeqCst)),
        }
    }

    /// Lets time pass on a manual clock.
    pub fn advance(&self, by: Duration) {
        if let Some(manual) = &self.0.manual {
            manual.passed.fetch_add(millis(by), Ordering::SeqCst);
        }
        self.set_ahead(by);
    }

    /// Moves a manual clock forward though no time passes, as somebody may who sets it right.
    pub fn set_ahead(&self, by: Duration) {
        if let Some(manual) = &self.0.manual {
            manual.millis.fetch_add(millis(by), Ordering::SeqCst);
        }
    }

    /// Moves a manual clock back, as somebody may who sets it right.
    pub fn set_back(&self, by: Duration) {
        if let Some(manual) = &self.0.manual {
            manual.millis.fetch_sub(millis(by), Ordering::SeqCst);
        }
    }

    /// The sleeps a manual clock was asked for.
    pub fn sleeps(&self) -> Vec<Duration> {
        let manual = self.0.manual.as_ref();
        manual.and_then(|m| m.sleeps.lock().ok().map(|s| s.clone())).unwrap_or_default()
    }

    /// Waits: before a retry, a lock's next try, a renewal. A manual clock moves on instead, so no test
    /// waits.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0.manual {
            None => tokio::time::sleep(duration).await,
            Some(manual) => {
                if let Ok(mut sleeps) = manual.sleeps.lock() {
                    sleeps.push(duration);
                }
                self.advance(duration);
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits for `future`, at most `limit`. `None`: time is up, and the future is dropped.
    ///
    /// The limit is real time on a manual clock too, so that a test cannot hang.
    pub async fn timeout<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(limit, future).await.ok()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Since 1970; negative before.
fn signed_millis(time: SystemTime) -> i64 {
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => -millis(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_moves_only_when_told() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let clock = Clock::manual(start);
        assert_eq!(clock.now(), start);
        clock.sleep(Duration::from_secs(5)).await;
        assert_eq!(clock.now(), start + Duration::from_secs(5));
        assert_eq!(clock.sleeps(), [Duration::from_secs(5)]);
    }

    #[test]
    fn what_has_passed_is_not_what_the_hands_were_set_to() {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(10_000));
        clock.advance(Duration::from_secs(3));
        clock.set_ahead(Duration::from_secs(3600));
        clock.set_back(Duration::from_secs(7200));
        clock.correct(SystemTime::UNIX_EPOCH);
        assert_eq!(clock.elapsed(), Duration::from_secs(3));
        let real = Clock::real();
        let before = real.elapsed();
        assert!(real.elapsed() >= before && before < Duration::from_secs(60));
    }

    #[test]
    fn skew_goes_both_ways_and_is_shared_by_clones() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000);
        let clock = Clock::manual(start);
        for aws in [start + Duration::from_secs(600), start - Duration::from_secs(600)] {
            clock.clone().correct(aws);
            assert_eq!(clock.now(), aws);
            assert_eq!(clock.local_now(), start);
        }
    }

    #[test]
    fn a_correction_ends_when_the_machines_clock_is_set() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000);
        let hour = Duration::from_secs(3600);
        let clock = Clock::manual(start);
        clock.correct(start + hour);
        clock.advance(hour);
        clock.set_ahead(Duration::from_secs(10));
        assert_eq!(clock.now(), start + hour + hour + Duration::from_secs(10));
        clock.set_ahead(hour - Duration::from_secs(10));
        assert_eq!((clock.skew_millis(), clock.now()), (0, start + hour + hour));
        // Wrong again, and corrected again.
        clock.set_back(hour);
        clock.correct(start + hour * 2);
        assert_eq!(clock.now(), start + hour * 2);
        // A real clock keeps its correction.
        let real = Clock::real();
        real.correct(real.local_now() + hour);
        assert!(real.now() > real.local_now() + hour / 2, "{}", real.skew_millis());
    }
}
