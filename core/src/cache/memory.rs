use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use tokio::sync::{Mutex, MutexGuard};

use super::{Freshness, Interactive, RefreshWindow};
use crate::{
    Clock, Context, Credentials, CredentialsError, ProvideCredentials, Random, Result,
    SharedProvider,
};

/// The longest pause after a failed refresh while the old credentials are still good.
const ADVISORY_PAUSE: Duration = Duration::from_secs(60);

/// Keeps a provider's credentials in memory, and replaces them before they end.
///
/// However many tasks ask, one asks the provider; those who waited for it share its outcome, good
/// or bad. Errors are not kept beyond that. A caller that goes away in the middle of a refresh lets
/// the next one take over.
pub struct MemoryCache {
    provider: SharedProvider,
    clock: Clock,
    random: Random,
    entry: ArcSwapOption<Entry>,
    /// How many refreshes have failed; raised with the lock on `flight` held.
    failures: AtomicU64,
    flight: Mutex<Flight>,
    /// Whether a refresh may ask a person, who is not to be asked before it must be.
    pub interactive: Interactive,
    /// How long credentials without an end are good for, if not for ever.
    reread_after: Option<Duration>,
}

struct Entry {
    credentials: Credentials,
    window: RefreshWindow,
    /// By this machine's own clock.
    kept_at: SystemTime,
}

/// What the last refresh left behind.
#[derive(Default)]
struct Flight {
    failure: Option<CredentialsError>,
    /// No advisory refresh before this.
    pause_until: Option<SystemTime>,
}

impl MemoryCache {
    /// Caches what `provider` gives.
    pub fn new(context: &Context, provider: SharedProvider) -> Self {
        Self {
            provider,
            clock: context.clock.clone(),
            random: context.random.clone(),
            entry: ArcSwapOption::empty(),
            failures: AtomicU64::new(0),
            flight: Mutex::default(),
            interactive: false.into(),
            reread_after: None,
        }
    }

    /// Caches what `provider` gives. Credentials that do not end are not taken to last: past `age`
    /// the provider is asked again, and past twice that they are given out no longer.
    pub fn rereading(context: &Context, provider: SharedProvider, age: Duration) -> Self {
        Self { reread_after: Some(age), ..Self::new(context, provider) }
    }

    /// What is in memory and how fresh it is, without asking for more.
    pub fn look(&self) -> Option<(Freshness, Credentials)> {
        let entry = self.entry.load();
        let entry = entry.as_ref()?;
        let freshness = match (entry.credentials.expires_at(), self.reread_after) {
            (Some(_), _) => {
                let time_left = entry.credentials.time_left(self.clock.now());
                entry.window.judge(time_left).for_people(&self.interactive)
            }
            (None, Some(limit)) => self.judge_age(entry, limit),
            (None, None) => Freshness::Fresh,
        };
        Some((freshness, entry.credentials.clone()))
    }

    /// When a caller gets other credentials than those in memory: a person who may be asked for
    /// them is left alone for longer. `None` if there are none, or they do not end.
    pub fn replaced_from(&self) -> Option<SystemTime> {
        let entry = self.entry.load();
        let entry = entry.as_ref()?;
        let RefreshWindow { advisory, mandatory } = entry.window;
        let early = if self.interactive.is_so() { mandatory } else { advisory };
        entry.credentials.expires_at()?.checked_sub(early)
    }

    fn judge_age(&self, entry: &Entry, limit: Duration) -> Freshness {
        match self.clock.local_now().duration_since(entry.kept_at) {
            Ok(age) if age < limit => Freshness::Fresh,
            Ok(age) if age < limit * 2 => Freshness::Advisory,
            // Or a clock that was set back: nobody knows how old they are.
            Ok(_) | Err(_) => Freshness::Stale,
        }
    }

    fn keep(&self, credentials: &Credentials) {
        let lifetime = credentials.time_left(self.clock.now()).unwrap_or_default();
        let window = RefreshWindow::for_lifetime(lifetime).jittered(&self.random);
        let (credentials, kept_at) = (credentials.clone(), self.clock.local_now());
        self.entry.store(Some(Arc::new(Entry { credentials, window, kept_at })));
    }

    async fn refresh(&self, flight: &mut MutexGuard<'_, Flight>) -> Result<Credentials> {
        let outcome = self.provider.provide_credentials().await;
        match &outcome {
            Ok(credentials) => {
                self.keep(credentials);
                **flight = Flight::default();
            }
            Err(error) => {
                flight.failure = Some(error.clone());
                self.failures.fetch_add(1, Ordering::SeqCst);
            }
        }
        outcome
    }

    /// Near the end of `old`: one tries, everybody has something to go on with.
    async fn refresh_early(&self, old: Credentials) -> Result<Credentials> {
        let Ok(mut flight) = self.flight.try_lock() else { return Ok(old) };
        if flight.pause_until.is_some_and(|until| self.clock.now() < until) {
            return Ok(old);
        }
        // Another may have finished between our look and our lock.
        if let Some((Freshness::Fresh, credentials)) = self.look() {
            return Ok(credentials);
        }
        match self.refresh(&mut flight).await {
            Ok(credentials) => Ok(credentials),
            Err(error) => {
                tracing::warn!(%error, "early refresh failed; the old credentials are still good");
                let now = self.clock.now();
                let left = old.time_left(now).or(self.reread_after).unwrap_or_default();
                let pause = ADVISORY_PAUSE.min(left / 4);
                let pause = pause / 2 + self.random.up_to(pause / 2);
                flight.pause_until = Some(now + pause);
                Ok(old)
            }
        }
    }

    async fn refresh_or_wait(&self) -> Result<Credentials> {
        // A failure that came while this caller waited is its outcome too; one from before is not.
        let failures = self.failures.load(Ordering::SeqCst);
        let mut flight = self.flight.lock().await;
        if let Some((Freshness::Fresh | Freshness::Advisory, credentials)) = self.look() {
            return Ok(credentials);
        }
        if let Some(error) = &flight.failure
            && self.failures.load(Ordering::SeqCst) != failures
        {
            return Err(error.clone());
        }
        self.refresh(&mut flight).await
    }
}

#[async_trait]
impl ProvideCredentials for MemoryCache {
    async fn provide_credentials(&self) -> Result<Credentials> {
        match self.look() {
            Some((Freshness::Fresh, credentials)) => Ok(credentials),
            Some((Freshness::Advisory, credentials)) => self.refresh_early(credentials).await,
            Some((Freshness::Stale, _)) | None => self.refresh_or_wait().await,
        }
    }

    fn ready(&self) -> Option<Credentials> {
        match self.look() {
            Some((Freshness::Fresh, credentials)) => Some(credentials),
            _ => {
                let credentials = self.provider.ready()?;
                self.keep(&credentials);
                Some(credentials)
            }
        }
    }
}

impl fmt::Debug for MemoryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCache").field("provider", &self.provider).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;

    use tokio::sync::{Semaphore, mpsc};

    use super::*;
    use crate::ErrorKind;

    /// Answers from a script, each answer released by the test; tells the test of each call.
    #[derive(Debug)]
    struct Gated {
        script: StdMutex<Vec<Result<Credentials>>>,
        called: mpsc::UnboundedSender<()>,
        gate: Semaphore,
    }

    #[async_trait]
    impl ProvideCredentials for Gated {
        async fn provide_credentials(&self) -> Result<Credentials> {
            self.called.send(()).unwrap();
            self.gate.acquire().await.unwrap().forget();
            self.script.lock().unwrap().remove(0)
        }
    }

    struct Test {
        cache: Arc<MemoryCache>,
        provider: Arc<Gated>,
        calls: mpsc::UnboundedReceiver<()>,
        clock: Clock,
    }

    impl Test {
        fn new(script: Vec<Result<Credentials>>) -> Self {
            Self::with(script, MemoryCache::new)
        }

        fn asking(script: Vec<Result<Credentials>>) -> Self {
            Self::with(script, |context, provider| {
                let mut cache = MemoryCache::new(context, provider);
                cache.interactive = true.into();
                cache
            })
        }

        fn rereading(script: Vec<Result<Credentials>>, age: Duration) -> Self {
            Self::with(script, |context, provider| MemoryCache::rereading(context, provider, age))
        }

        fn with(
            script: Vec<Result<Credentials>>,
            cache: impl FnOnce(&Context, SharedProvider) -> MemoryCache,
        ) -> Self {
            let (called, calls) = mpsc::unbounded_channel();
            let gate = Semaphore::new(0);
            let provider = Arc::new(Gated { script: StdMutex::new(script), called, gate });
            let context = Context::fake();
            let cache = Arc::new(cache(&context, provider.clone()));
            Self { cache, provider, calls, clock: context.clock }
        }

        fn ask(&self) -> tokio::task::JoinHandle<Result<Credentials>> {
            let cache = self.cache.clone();
            tokio::spawn(async move { cache.provide_credentials().await })
        }

        fn release(&self) {
            self.provider.gate.add_permits(1);
        }

        /// Lets all tasks run until they wait for something.
        async fn settle() {
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        }

        fn count_calls(&mut self) -> usize {
            std::iter::from_fn(|| self.calls.try_recv().ok()).count()
        }
    }

    fn credentials(id: &str, seconds: u64) -> Result<Credentials> {
        let end = Clock::fake_now() + Duration::from_secs(seconds);
        Ok(Credentials::new(id, "secret", "test").with_expires_at(Some(end)))
    }

    fn denied() -> Result<Credentials> {
        Err(CredentialsError::new(ErrorKind::Denied, "test", "no"))
    }

    #[tokio::test]
    async fn concurrent_cold_start_asks_the_provider_once() {
        let mut test = Test::new(vec![credentials("A", 3600)]);
        let tasks: Vec<_> = (0..100).map(|_| test.ask()).collect();
        Test::settle().await;
        test.release();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap().access_key_id(), "A");
        }
        assert_eq!(test.count_calls(), 1);
    }

    #[tokio::test]
    async fn those_who_waited_share_a_failure_and_the_next_one_tries_anew() {
        let mut test = Test::new(vec![denied(), credentials("B", 3600)]);
        let tasks: Vec<_> = (0..10).map(|_| test.ask()).collect();
        Test::settle().await;
        test.release();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap_err().kind(), ErrorKind::Denied);
        }
        assert_eq!(test.count_calls(), 1);
        test.release();
        assert_eq!(test.ask().await.unwrap().unwrap().access_key_id(), "B");
    }

    #[tokio::test]
    async fn a_failure_ends_even_if_somebody_always_waits() {
        let test = Test::new(vec![denied(), credentials("B", 3600)]);
        (0..2).for_each(|_| test.release());
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let cache = test.cache.clone();
                tokio::spawn(async move {
                    // Far more often than there are failures to share.
                    for _ in 0..100 {
                        if cache.provide_credentials().await.is_ok() {
                            return true;
                        }
                    }
                    false
                })
            })
            .collect();
        for task in tasks {
            assert!(task.await.unwrap(), "the failure was served again and again");
        }
    }

    #[tokio::test]
    async fn cancelled_refresh_releases_the_lock_and_a_waiter_takes_over() {
        let mut test = Test::new(vec![credentials("A", 3600)]);
        let first = test.ask();
        test.calls.recv().await.unwrap();
        let second = test.ask();
        Test::settle().await;
        first.abort();
        test.calls.recv().await.unwrap();
        test.release();
        assert_eq!(second.await.unwrap().unwrap().access_key_id(), "A");
    }

    #[tokio::test]
    async fn in_the_advisory_window_one_refreshes_and_the_others_keep_the_old() {
        let mut test = Test::new(vec![credentials("A", 3600), credentials("B", 7200)]);
        test.release();
        test.ask().await.unwrap().unwrap();
        test.clock.advance(Duration::from_secs(3600 - 400));
        let refreshing = test.ask();
        Test::settle().await;
        assert_eq!(test.ask().await.unwrap().unwrap().access_key_id(), "A");
        test.release();
        assert_eq!(refreshing.await.unwrap().unwrap().access_key_id(), "B");
        assert_eq!(test.count_calls(), 2);
    }

    #[tokio::test]
    async fn a_failed_advisory_refresh_keeps_the_old_and_pauses() {
        let mut test = Test::new(vec![credentials("A", 3600), denied(), credentials("B", 7200)]);
        (0..3).for_each(|_| test.release());
        test.ask().await.unwrap().unwrap();
        test.clock.advance(Duration::from_secs(3600 - 700));
        for _ in 0..5 {
            assert_eq!(test.ask().await.unwrap().unwrap().access_key_id(), "A");
        }
        assert_eq!(test.count_calls(), 2);
        test.clock.advance(ADVISORY_PAUSE);
        assert_eq!(test.ask().await.unwrap().unwrap().access_key_id(), "B");
    }

    #[tokio::test]
    async fn a_person_is_not_asked_while_the_old_credentials_are_good() {
        let script = vec![credentials("A", 3600), credentials("B", 7200)];
        let mut test = Test::asking(script);
        (0..2).for_each(|_| test.release());
        test.ask().await.unwrap().unwrap();
        test.clock.advance(Duration::from_secs(3600 - 301));
        assert_eq!(test.ask().await.unwrap().unwrap().access_key_id(), "A");
        assert!(test.cache.ready().is_some());
        assert_eq!(test.count_calls(), 1);
        test.clock.advance(Duration::from_secs(1));
        assert_eq!(test.ask().await.unwrap().unwrap().access_key_id(), "B");
    }

    #[tokio::test]
    async fn in_the_mandatory_window_errors_surface() {
        let test = Test::new(vec![credentials("A", 3600), denied()]);
        (0..2).for_each(|_| test.release());
        test.ask().await.unwrap().unwrap();
        test.clock.advance(Duration::from_secs(3600 - 300));
        assert_eq!(test.ask().await.unwrap().unwrap_err().kind(), ErrorKind::Denied);
    }

    #[tokio::test]
    async fn what_does_not_end_is_fetched_once() {
        let forever = Ok(Credentials::new("A", "secret", "test"));
        let mut test = Test::new(vec![forever]);
        test.release();
        for _ in 0..3 {
            test.ask().await.unwrap().unwrap();
            test.clock.advance(Duration::from_secs(1_000_000));
        }
        assert_eq!(test.count_calls(), 1);
        assert!(test.cache.ready().is_some());
    }

    #[tokio::test]
    async fn what_may_be_rewritten_is_read_again_and_given_out_for_a_bounded_time() {
        let age = Duration::from_secs(60);
        let forever = |id| Ok(Credentials::new(id, "secret", "test"));
        let script = vec![forever("A"), forever("B"), denied(), denied(), forever("C")];
        let mut test = Test::rereading(script, age);
        (0..5).for_each(|_| test.release());
        let millisecond = Duration::from_millis(1);
        let mut found = Vec::new();
        // Read again past the age; what fails then is tried again, and told past twice the age.
        for step in [Duration::ZERO, age - millisecond, millisecond, age, age, Duration::ZERO] {
            test.clock.advance(step);
            let outcome = test.ask().await.unwrap();
            found.push(outcome.map_or("none".to_owned(), |c| c.access_key_id().to_owned()));
        }
        assert_eq!(found, ["A", "A", "B", "B", "none", "C"]);
        assert_eq!(test.count_calls(), 5);
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_makes_nothing_last() {
        let forever = |id| Ok(Credentials::new(id, "secret", "test"));
        let test = Test::rereading(vec![forever("A"), forever("B")], Duration::from_secs(60));
        (0..2).for_each(|_| test.release());
        test.ask().await.unwrap().unwrap();
        test.clock.set_back(Duration::from_secs(3600));
        assert_eq!(test.ask().await.unwrap().unwrap().access_key_id(), "B");
    }
}
