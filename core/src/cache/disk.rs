use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::entry::{self, Entry, Ours};
use super::failure::FailureNote;
use super::{Freshness, Interactive, Ownership, RefreshWindow, Turn};
use crate::{
    Context, Credentials, CredentialsError, ErrorKind, FileLock, Fs, ProvideCredentials, Result,
    SharedProvider, timestamp,
};

/// An entry holds a few kilobytes; what is far larger is not one.
const ENTRY_LIMIT: u64 = 256 * 1024;
/// How long to wait for another process's refresh: longer than a person is waited for and three
/// attempts take together.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// How long a refresh may take while the old credentials are good.
const EARLY_LIMIT: Duration = Duration::from_secs(3);
/// How long to leave it after a failure while the old credentials are good.
const EARLY_PAUSE: Duration = Duration::from_secs(60);
/// After so long nobody waits for a refresh that has failed, nor holds back for its sake.
const NOTE_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// What AWS's and this machine's clock may differ by. An entry that lasts longer than a new one
/// could was written by a wrong clock.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The folder that AWS CLI caches in, and beside it ours for locks.
///
/// The locks lie elsewhere because people clear the cache with `rm -r`.
#[derive(Clone, Debug)]
pub struct CacheFolder {
    entries: PathBuf,
    locks: PathBuf,
}

/// Where one identity's credentials lie, and how to know them for that identity's.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The entry's name, without `.json`: a [`super::RoleCacheKey`]'s.
    pub name: String,
    /// Further names to read the credentials from, as other versions of AWS CLI would write them.
    pub other_names: Vec<String>,
    /// A digest of what AWS CLI's key leaves out: the source and the endpoint. An entry that bears
    /// another one is a miss; one that bears none was written by AWS CLI and is taken as it takes
    /// it.
    pub fingerprint: String,
    /// What to show of this entry in a list: the role's ARN.
    pub about: String,
    /// How long credentials last when they are new.
    pub lifetime: Duration,
    /// Used where an entry names no account.
    pub account_id: Option<String>,
    /// Whether a refresh may ask a person, who is not to be asked before it must be.
    pub interactive: Interactive,
    /// What AWS CLI writes as the entry's `ProviderType`: `sso`.
    pub provider_type: Option<&'static str>,
}

/// An entry as `rolecall cache list` shows it.
#[derive(Clone, Debug)]
pub struct CachedEntry {
    /// The file's name.
    pub name: String,
    /// The role's ARN, if rolecall wrote the entry.
    pub about: Option<String>,
    /// The access key id.
    pub access_key_id: String,
    /// The account, where known.
    pub account_id: Option<String>,
    /// When the credentials end (UTC).
    pub expires_at: Option<SystemTime>,
}

impl CacheFolder {
    /// The cache below `aws_folder`, which is `~/.aws`.
    pub fn below(aws_folder: &Path) -> Self {
        Self {
            entries: aws_folder.join("cli").join("cache"),
            locks: aws_folder.join("rolecall").join("locks"),
        }
    }

    /// Where the entries lie.
    pub fn entries(&self) -> &Path {
        &self.entries
    }

    /// Where the locks lie.
    pub fn locks(&self) -> &Path {
        &self.locks
    }

    pub(super) fn lock_path(&self, name: &str) -> PathBuf {
        self.locks.join(format!("{name}.lock"))
    }

    fn entry_path(&self, name: &str) -> PathBuf {
        self.entries.join(format!("{name}.json"))
    }

    fn read(&self, fs: &Fs, name: &str) -> Option<Entry> {
        Entry::parse(&fs.read(&self.entry_path(name), ENTRY_LIMIT).ok()?)
    }

    /// What the cache holds, AWS CLI's entries included. Files that are no entries are left out.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn list(&self, fs: &Fs) -> std::io::Result<Vec<CachedEntry>> {
        let names = fs.list(&self.entries)?;
        let entries = names.iter().filter_map(|name| {
            let entry = self.read(fs, name.strip_suffix(".json")?)?;
            let about = entry.ours().map(|ours| ours.about.clone());
            let credentials = entry.into_credentials()?;
            Some(CachedEntry {
                name: name.clone(),
                about,
                access_key_id: credentials.access_key_id().to_owned(),
                account_id: credentials.account_id().map(str::to_owned),
                expires_at: credentials.expires_at(),
            })
        });
        Ok(entries.collect())
    }

    /// Removes every entry, AWS CLI's included, what writers that were killed have left, and the
    /// locks that nobody has; gives the number of entries removed. Other files stay.
    ///
    /// # Errors
    /// If the folder cannot be read or a file not be removed.
    pub fn clear(&self, fs: &Fs) -> std::io::Result<usize> {
        let mut removed = 0;
        for name in fs.list(&self.entries)? {
            let left_over = name.starts_with('.') && name.ends_with(".tmp");
            if name.ends_with(".json") || left_over {
                fs.remove(&self.entries.join(&name))?;
                removed += usize::from(!left_over);
            }
        }
        for name in self.lock_names(fs)? {
            if let Some(lock) = self.try_lock(fs, &name)? {
                lock.write_note(&[]);
            }
        }
        Ok(removed)
    }

    fn lock_names(&self, fs: &Fs) -> std::io::Result<Vec<String>> {
        let names = fs.list(&self.locks)?.into_iter();
        Ok(names.filter_map(|name| Some(name.strip_suffix(".lock")?.to_owned())).collect())
    }

    /// Removes the notes that nobody can want any more: those of roles and keys that are asked for
    /// no longer would stay for good.
    fn forget_old_notes(&self, context: &Context) {
        let now = context.clock.local_now();
        for name in self.lock_names(&context.fs).unwrap_or_default() {
            let facts = context.fs.facts(&self.lock_path(&name)).ok().flatten();
            let written = facts.and_then(|facts| facts.modified);
            let age = written.and_then(|at| now.duration_since(at).ok());
            // One that somebody has is in use, and one that cannot be locked does no harm.
            if age.is_some_and(|age| age > NOTE_LIFETIME)
                && let Ok(Some(lock)) = self.try_lock(&context.fs, &name)
            {
                lock.write_note(&[]);
            }
        }
    }
}

/// Keeps a provider's credentials in the cache that AWS CLI shares, one process refreshing while
/// the others wait.
///
/// A cache that cannot be read or written is passed by: credentials matter more.
pub struct DiskCache {
    context: Context,
    folder: CacheFolder,
    slot: Slot,
    provider: SharedProvider,
    /// For a slot that can cease to be this one's.
    pub ownership: Option<Ownership>,
}

impl DiskCache {
    /// Caches what `provider` gives in `slot` of `folder`.
    pub fn new(
        context: Context,
        folder: CacheFolder,
        slot: Slot,
        provider: SharedProvider,
    ) -> Self {
        Self { context, folder, slot, provider, ownership: None }
    }

    fn look(&self) -> Option<(Freshness, Credentials)> {
        let own_name = self.own_name();
        let names = [&self.slot.name, &own_name].into_iter().chain(&self.slot.other_names);
        let ours = names.filter_map(|name| {
            let entry = self.folder.read(&self.context.fs, name)?;
            let entry = Some(entry).filter(|entry| self.is_ours(entry))?;
            Some((name, entry.into_credentials()?))
        });
        let now = self.context.clock.now();
        let longest = self.slot.lifetime + CLOCK_TOLERANCE;
        let possible = ours.filter(|(_, c)| c.time_left(now).is_none_or(|left| left <= longest));
        let (name, credentials) = possible.max_by_key(|(_, c)| c.expires_at())?;
        let window = RefreshWindow::for_lifetime(self.slot.lifetime);
        let freshness = window.judge(credentials.time_left(now));
        let freshness = freshness.for_people(&self.slot.interactive);
        tracing::debug!(
            role = self.slot.about,
            file = %self.folder.entry_path(name).display(),
            until = credentials.expires_at().map(timestamp::format),
            ?freshness,
            "found in the shared cache"
        );
        let account_id = credentials.account_id().map(str::to_owned);
        let account_id = account_id.or_else(|| self.slot.account_id.clone());
        Some((freshness, credentials.with_account_id(account_id)))
    }

    fn is_ours(&self, entry: &Entry) -> bool {
        entry.ours().is_none_or(|ours| ours.fingerprint == self.slot.fingerprint)
    }

    /// The name of the entry where another source's credentials lie under the shared one.
    fn own_name(&self) -> String {
        format!("{}-{}", self.slot.name, self.slot.fingerprint)
    }

    fn try_lock(&self) -> std::io::Result<Option<FileLock>> {
        self.folder.try_lock(&self.context.fs, &self.own_name())
    }

    /// Waits until this process may refresh, or another one has refreshed or failed to.
    async fn wait_for_turn(&self) -> Turn<Result<Credentials>> {
        let arrived = self.context.clock.local_now();
        let look = |lock: Option<&FileLock>| match self.look() {
            Some((Freshness::Fresh | Freshness::Advisory, credentials)) => Some(Ok(credentials)),
            _ => {
                let note = FailureNote::of(lock?)
                    .filter(|note| note.is_between(arrived, self.context.clock.local_now()))?;
                Some(Err(note.into_error()))
            }
        };
        self.folder.turn(&self.context, &self.own_name(), PATIENCE, look).await
    }

    fn is_lost(&self) -> bool {
        self.ownership.as_ref().is_some_and(Ownership::is_lost)
    }

    async fn refresh(&self, lock: Option<&FileLock>) -> Result<Credentials> {
        let outcome = self.provider.provide_credentials().await;
        if let Ok(credentials) = &outcome
            && self.ownership.as_ref().is_none_or(Ownership::holds)
        {
            self.write(credentials);
        }
        match (&outcome, lock) {
            (Ok(_), Some(lock)) => lock.write_note(&[]),
            (Err(error), Some(lock)) => {
                FailureNote::new(error, self.context.clock.local_now()).write(lock);
                self.folder.forget_old_notes(&self.context);
            }
            (_, None) => {}
        }
        outcome
    }

    /// Near the end of `old`: one process tries, for a moment; all have something to go on with.
    async fn refresh_early(&self, old: Credentials) -> Credentials {
        let Ok(Some(lock)) = self.try_lock() else { return old };
        if let Some((Freshness::Fresh, credentials)) = self.look() {
            return credentials;
        }
        let now = self.context.clock.local_now();
        if FailureNote::of(&lock).is_some_and(|note| note.is_between(now - EARLY_PAUSE, now)) {
            return old;
        }
        match self.context.clock.timeout(EARLY_LIMIT, self.refresh(Some(&lock))).await {
            Some(Ok(credentials)) => credentials,
            Some(Err(error)) => {
                tracing::warn!(%error, "early refresh failed; the old credentials are still good");
                old
            }
            None => {
                let slow = "the refresh took long while the old credentials were good";
                let error = CredentialsError::new(ErrorKind::TimedOut, "shared cache", slow);
                FailureNote::new(&error, now).write(&lock);
                old
            }
        }
    }

    fn write(&self, credentials: &Credentials) {
        let ours =
            Ours { fingerprint: self.slot.fingerprint.clone(), about: self.slot.about.clone() };
        let Some(text) = entry::format(credentials, &ours, self.slot.provider_type) else { return };
        let fs = &self.context.fs;
        // AWS CLI's name leaves out the source: what another source has there stays.
        let there = self.folder.read(fs, &self.slot.name).filter(|entry| !self.is_ours(entry));
        let now = self.context.clock.now();
        let is_live = |c: Credentials| c.time_left(now).is_some_and(|left| !left.is_zero());
        let path = match there.and_then(Entry::into_credentials).is_some_and(is_live) {
            true => self.folder.entry_path(&self.own_name()),
            false => self.folder.entry_path(&self.slot.name),
        };
        // The folder may be missing, or be removed between the two calls: once more, then let be.
        let written = fs.write(&path, &text).or_else(|_| {
            fs.create_folder(&self.folder.entries)?;
            fs.write(&path, &text)
        });
        if let Err(error) = written {
            tracing::debug!(%error, "the shared cache could not be written");
        }
        self.forget_ended_sources();
    }

    /// Removes the ended entries of other sources beside this one's: keys that are rotated would
    /// leave one behind each time.
    fn forget_ended_sources(&self) {
        let (fs, now) = (&self.context.fs, self.context.clock.now());
        for name in fs.list(&self.folder.entries).unwrap_or_default() {
            let Some(name) = name.strip_suffix(".json") else { continue };
            let is_beside = name.strip_prefix(&*self.slot.name).is_some_and(|n| n.starts_with('-'));
            if !is_beside || name == self.own_name() {
                continue;
            }
            let has_ended = || {
                let entry = self.folder.read(fs, name).filter(|entry| entry.ours().is_some());
                let end = entry.and_then(Entry::into_credentials).and_then(|c| c.time_left(now));
                end.is_some_and(|left| left.is_zero())
            };
            // Once more with its lock in hand: its own process may just have written it anew.
            if has_ended()
                && let Ok(Some(_lock)) = self.folder.try_lock(fs, name)
                && has_ended()
            {
                // One that stays does no harm.
                let _ = fs.remove(&self.folder.entry_path(name));
            }
        }
    }
}

#[async_trait]
impl ProvideCredentials for DiskCache {
    async fn provide_credentials(&self) -> Result<Credentials> {
        if self.is_lost() {
            return self.provider.provide_credentials().await;
        }
        match self.look() {
            Some((Freshness::Fresh, credentials)) => Ok(credentials),
            Some((Freshness::Advisory, old)) => Ok(self.refresh_early(old).await),
            Some((Freshness::Stale, _)) | None => match self.wait_for_turn().await {
                Turn::Found(outcome) => outcome,
                Turn::Mine(lock) => self.refresh(lock.as_ref()).await,
            },
        }
    }

    fn ready(&self) -> Option<Credentials> {
        if self.is_lost() {
            return None;
        }
        self.look().filter(|(freshness, _)| *freshness == Freshness::Fresh).map(|(_, c)| c)
    }
}

impl fmt::Debug for DiskCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskCache")
            .field("slot", &self.slot)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::testing;

    /// Gives credentials that last an hour from the start, or more, or an error, and counts.
    #[derive(Debug)]
    struct Counting {
        calls: AtomicUsize,
        broken: bool,
        lasts: u64,
    }

    impl Default for Counting {
        fn default() -> Self {
            Self { calls: AtomicUsize::new(0), broken: false, lasts: 3600 }
        }
    }

    #[async_trait]
    impl ProvideCredentials for Counting {
        async fn provide_credentials(&self) -> Result<Credentials> {
            let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            if self.broken {
                return Err(CredentialsError::new(ErrorKind::Denied, "test", "no"));
            }
            Ok(Credentials::new(format!("CALL{call}"), "secret", "test")
                .with_session_token(Some("token".into()))
                .with_expires_at(Some(testing::now() + Duration::from_secs(self.lasts))))
        }
    }

    struct Test {
        folder: tempfile::TempDir,
        context: Context,
    }

    impl Test {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let context = Context { fs: Fs::rooted(folder.path()), ..Context::fake() };
            Self { folder, context }
        }

        fn cache(&self, fingerprint: &str, provider: Arc<Counting>) -> DiskCache {
            let slot = Slot {
                name: "key".into(),
                other_names: vec!["other".into()],
                fingerprint: fingerprint.into(),
                about: "arn".into(),
                lifetime: Duration::from_secs(3600),
                account_id: Some("123456789012".into()),
                interactive: false.into(),
                provider_type: None,
            };
            let folder = CacheFolder::below(Path::new("/home/.aws"));
            DiskCache::new(self.context.clone(), folder, slot, provider)
        }

        fn write(&self, name: &str, text: &str) {
            let folder = Path::new("/home/.aws/cli/cache");
            self.context.fs.create_folder(folder).unwrap();
            self.context.fs.write(&folder.join(name), text.as_bytes()).unwrap();
        }
    }

    fn aws_cli_entry(seconds: u64) -> String {
        let end = timestamp::format(testing::now() + Duration::from_secs(seconds));
        format!(
            r#"{{"Credentials": {{"AccessKeyId": "CLI", "SecretAccessKey": "s",
            "SessionToken": "t", "Expiration": "{end}"}}, "ResponseMetadata": {{}}}}"#
        )
    }

    async fn ask(cache: &DiskCache) -> String {
        cache.provide_credentials().await.unwrap().access_key_id().to_owned()
    }

    #[tokio::test]
    async fn a_second_process_finds_what_the_first_wrote() {
        let test = Test::new();
        let provider = Arc::<Counting>::default();
        assert_eq!(ask(&test.cache("f", provider.clone())).await, "CALL1");
        let second = test.cache("f", provider);
        assert_eq!(ask(&second).await, "CALL1");
        assert_eq!(second.ready().unwrap().account_id(), Some("123456789012"));
    }

    #[tokio::test]
    async fn another_source_or_endpoint_is_a_miss_and_neither_evicts_the_other() {
        let test = Test::new();
        let provider = Arc::<Counting>::default();
        for _ in 0..2 {
            assert_eq!(ask(&test.cache("one source", provider.clone())).await, "CALL1");
            assert_eq!(ask(&test.cache("another", provider.clone())).await, "CALL2");
        }
    }

    #[tokio::test]
    async fn an_entry_that_outlasts_any_session_was_written_by_a_wrong_clock() {
        let test = Test::new();
        test.write("key.json", &aws_cli_entry(3600 + 301));
        assert_eq!(ask(&test.cache("f", Arc::default())).await, "CALL1");
    }

    #[tokio::test]
    async fn a_person_is_not_asked_while_the_old_credentials_are_good() {
        let test = Test::new();
        test.write("key.json", &aws_cli_entry(600));
        let mut cache = test.cache("f", Arc::default());
        cache.slot.interactive = true.into();
        assert_eq!(ask(&cache).await, "CLI");
        assert!(cache.ready().is_some());
    }

    #[tokio::test]
    async fn what_another_identity_got_is_not_written_to_the_slot() {
        let test = Test::new();
        let is_same = Arc::new(AtomicBool::new(true));
        let asked = is_same.clone();
        let ownership = Ownership::new(move || asked.load(Ordering::SeqCst));
        let mut source = test.cache("f", Arc::new(Counting { lasts: 1, ..Counting::default() }));
        source.ownership = Some(ownership.clone());
        assert_eq!(ask(&source).await, "CALL1");
        is_same.store(false, Ordering::SeqCst);
        assert_eq!(ask(&source).await, "CALL2");
        // What is there is not for the other one, nor what a role got with it, whoever is back.
        assert!(source.ready().is_none());
        is_same.store(true, Ordering::SeqCst);
        let mut role = test.cache("role", Arc::default());
        role.ownership = Some(ownership);
        assert_eq!(ask(&role).await, "CALL1");
        let entries = CacheFolder::below(Path::new("/home/.aws")).list(&test.context.fs).unwrap();
        assert_eq!(entries.iter().map(|e| &*e.access_key_id).collect::<Vec<_>>(), ["CALL1"]);
        assert_eq!(entries[0].name, "key.json");
        assert!(test.cache("role", Arc::default()).ready().is_none());
    }

    #[tokio::test]
    async fn whether_a_person_is_asked_is_found_out_when_it_matters_and_once() {
        let test = Test::new();
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = looks.clone();
        let mut cache = test.cache("f", Arc::default());
        cache.slot.interactive =
            Interactive::when(move || counted.fetch_add(1, Ordering::SeqCst) == 0);
        assert!(cache.ready().is_none());
        test.write("key.json", &aws_cli_entry(3000));
        assert_eq!(ask(&cache).await, "CLI");
        assert!(cache.ready().is_some());
        assert_eq!(looks.load(Ordering::SeqCst), 0);
        test.write("key.json", &aws_cli_entry(600));
        assert_eq!(ask(&cache).await, "CLI");
        assert!(cache.ready().is_some());
        assert_eq!(looks.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn processes_that_waited_share_a_failure_and_later_ones_try_anew() {
        let test = Test::new();
        let broken = Arc::new(Counting { broken: true, ..Counting::default() });
        let cache = test.cache("f", broken.clone());
        let lock = cache.try_lock().unwrap().unwrap();
        let note = CredentialsError::new(ErrorKind::Denied, "test", "no").with_help("ask");
        FailureNote::new(&note, test.context.clock.local_now()).write(&lock);
        drop(lock);
        let error = cache.provide_credentials().await.unwrap_err();
        assert_eq!((error.kind(), error.help()), (ErrorKind::Denied, Some("ask")));
        assert_eq!(broken.calls.load(Ordering::SeqCst), 0);
        test.context.clock.advance(Duration::from_secs(2));
        cache.provide_credentials().await.unwrap_err();
        assert_eq!(broken.calls.load(Ordering::SeqCst), 1);
        // One from the future was noted by a clock that has been set right since.
        let lock = cache.try_lock().unwrap().unwrap();
        let future = test.context.clock.local_now() + Duration::from_secs(7200);
        FailureNote::new(&note, future).write(&lock);
        drop(lock);
        cache.provide_credentials().await.unwrap_err();
        assert_eq!(broken.calls.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_failed_early_refresh_is_not_repeated_at_once() {
        let test = Test::new();
        let broken = Arc::new(Counting { broken: true, ..Counting::default() });
        test.write("key.json", &aws_cli_entry(600));
        for _ in 0..3 {
            assert_eq!(ask(&test.cache("f", broken.clone())).await, "CLI");
        }
        assert_eq!(broken.calls.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn aws_clis_entries_are_taken_under_either_name() {
        for name in ["key.json", "other.json"] {
            let test = Test::new();
            test.write(name, &aws_cli_entry(3000));
            assert_eq!(ask(&test.cache("f", Arc::default())).await, "CLI");
        }
    }

    #[tokio::test]
    async fn torn_foreign_and_ended_entries_are_misses() {
        let whole = aws_cli_entry(3000);
        for text in [&whole[..whole.len() / 2], "", "[]", "{}", &aws_cli_entry(200)] {
            let test = Test::new();
            test.write("key.json", text);
            assert_eq!(ask(&test.cache("f", Arc::default())).await, "CALL1", "{text}");
        }
    }

    #[tokio::test]
    async fn near_the_end_the_old_are_kept_if_the_refresh_fails_and_no_longer_when_stale() {
        let test = Test::new();
        let broken = || Arc::new(Counting { broken: true, ..Counting::default() });
        test.write("key.json", &aws_cli_entry(600));
        assert_eq!(ask(&test.cache("f", broken())).await, "CLI");
        test.write("key.json", &aws_cli_entry(299));
        assert!(test.cache("f", broken()).provide_credentials().await.is_err());
        test.context.clock.advance(Duration::from_secs(1));
        assert_eq!(ask(&test.cache("f", Arc::default())).await, "CALL1");
    }

    #[tokio::test]
    async fn an_entry_of_sso_is_as_aws_cli_writes_it() {
        let test = Test::new();
        let mut cache = test.cache("f", Arc::default());
        cache.slot.provider_type = Some("sso");
        ask(&cache).await;
        let path = Path::new("/home/.aws/cli/cache/key.json");
        let text = test.context.fs.read(path, ENTRY_LIMIT).unwrap();
        let expected = r#"{"ProviderType":"sso","Credentials":{"AccessKeyId":"CALL1","SecretAccessKey":"secret","SessionToken":"token","Expiration":"2026-01-01T01:00:00Z"},"Rolecall":"#;
        assert!(text.starts_with(expected.as_bytes()), "{}", String::from_utf8_lossy(&text));
    }

    #[tokio::test]
    async fn waits_for_the_process_that_refreshes_and_gives_up_on_one_that_hangs() {
        let test = Test::new();
        let provider = Arc::<Counting>::default();
        let cache = test.cache("f", provider.clone());
        let lock = cache.try_lock().unwrap();
        assert!(lock.is_some());
        // Nobody writes while the lock is held: the wait ends by itself.
        assert_eq!(ask(&cache).await, "CALL1");
        let waited: Duration = test.context.clock.sleeps().iter().sum();
        assert!(waited >= PATIENCE && waited < PATIENCE * 2, "{waited:?}");
    }

    #[tokio::test]
    async fn a_death_at_any_call_leaves_no_torn_entry_and_no_lock() {
        for calls in 0.. {
            let test = Test::new();
            let mut dying = test.cache("f", Arc::default());
            dying.context.fs = test.context.fs.clone().dying_after(calls);
            // The credentials are given out whatever happens to the files.
            assert_eq!(ask(&dying).await, "CALL1");
            let dead = dying.context.fs.is_dead();
            drop(dying);
            for name in test.context.fs.list(Path::new("/home/.aws/cli/cache")).unwrap() {
                if name.ends_with(".json") {
                    let path = Path::new("/home/.aws/cli/cache").join(name);
                    let text = test.context.fs.read(&path, ENTRY_LIMIT).unwrap();
                    assert!(Entry::parse(&text).is_some(), "torn after {calls} calls");
                }
            }
            let next = test.cache("f", Arc::default());
            assert_eq!(ask(&next).await, "CALL1");
            assert!(test.context.clock.sleeps().is_empty(), "the lock blocked the next");
            if !dead {
                assert!(calls > 8, "every step must go through the seam: {calls}");
                break;
            }
        }
    }

    #[tokio::test]
    async fn a_cache_that_cannot_be_used_does_not_keep_credentials_back() {
        let test = Test::new();
        test.context.fs.write(Path::new("/home"), b"a file, where a folder is wanted").unwrap();
        assert_eq!(ask(&test.cache("f", Arc::default())).await, "CALL1");
    }

    fn lock_names(test: &Test) -> Vec<String> {
        test.context.fs.list(Path::new("/home/.aws/rolecall/locks")).unwrap()
    }

    #[tokio::test]
    async fn a_lock_stays_only_where_a_failure_is_noted_and_not_for_ever() {
        let test = Test::new();
        ask(&test.cache("one", Arc::default())).await;
        assert_eq!(lock_names(&test), [""; 0]);
        let broken = || Arc::new(Counting { broken: true, ..Counting::default() });
        test.cache("gone", broken()).provide_credentials().await.unwrap_err();
        test.cache("held", broken()).provide_credentials().await.unwrap_err();
        test.cache("new", broken()).provide_credentials().await.unwrap_err();
        assert_eq!(lock_names(&test), ["key-gone.lock", "key-held.lock", "key-new.lock"]);
        let age = |name: &str, seconds| {
            let place = test.folder.path().join("home/.aws/rolecall/locks").join(name);
            let written = test.context.clock.local_now() - Duration::from_secs(seconds);
            std::fs::File::options().write(true).open(place).unwrap().set_modified(written)
        };
        age("key-gone.lock", 3601).unwrap();
        age("key-held.lock", 3601).unwrap();
        age("key-new.lock", 3599).unwrap();
        let _held = test.cache("held", broken()).try_lock().unwrap().unwrap();
        test.cache("other", broken()).provide_credentials().await.unwrap_err();
        assert_eq!(lock_names(&test), ["key-held.lock", "key-new.lock", "key-other.lock"]);
        // What failed and goes well again is noted no longer.
        test.context.clock.advance(Duration::from_secs(2));
        ask(&test.cache("other", Arc::default())).await;
        assert_eq!(lock_names(&test), ["key-held.lock", "key-new.lock"]);
        let folder = CacheFolder::below(Path::new("/home/.aws"));
        folder.clear(&test.context.fs).unwrap();
        assert_eq!(lock_names(&test), ["key-held.lock"]);
    }

    #[tokio::test]
    async fn keys_that_are_rotated_leave_one_entry_and_not_one_each() {
        let test = Test::new();
        let provider = Arc::<Counting>::default();
        let entries = || test.context.fs.list(Path::new("/home/.aws/cli/cache")).unwrap();
        for source in ["first", "second", "third"] {
            ask(&test.cache(source, provider.clone())).await;
        }
        assert_eq!(entries(), ["key-second.json", "key-third.json", "key.json"]);
        // Whatever else ends there is not its to remove.
        test.write("key-notes.json", "{}");
        test.write("key-cli.json", &aws_cli_entry(0));
        test.write("keys.json", &aws_cli_entry(0));
        let others = ["key-cli.json", "key-notes.json", "key.json", "keys.json"];
        let held = test.cache("third", provider.clone()).try_lock().unwrap();
        test.context.clock.advance(Duration::from_secs(3601));
        let lasting = Arc::new(Counting { calls: AtomicUsize::new(0), lasts: 7200, broken: false });
        ask(&test.cache("fourth", lasting.clone())).await;
        let with_third = [&others[..2], &["key-third.json"], &others[2..]].concat();
        assert_eq!(entries(), with_third);
        drop(held);
        test.context.clock.advance(Duration::from_secs(3601));
        ask(&test.cache("fifth", Arc::new(Counting { lasts: 10_800, ..Counting::default() })))
            .await;
        assert_eq!(entries(), others);
    }

    #[tokio::test]
    async fn lists_and_clears_entries_and_nothing_else() {
        let test = Test::new();
        ask(&test.cache("f", Arc::default())).await;
        test.write("cli.json", &aws_cli_entry(3000));
        test.write("notes.txt", "mine");
        test.write(".key.json.0.tmp", "left by a killed process");
        let folder = CacheFolder::below(Path::new("/home/.aws"));
        let listed = folder.list(&test.context.fs).unwrap();
        let found: Vec<_> = listed.iter().map(|e| (&*e.name, e.about.as_deref())).collect();
        assert_eq!(found, [("cli.json", None), ("key.json", Some("arn"))]);
        assert_eq!(folder.clear(&test.context.fs).unwrap(), 2);
        let left = test.context.fs.list(Path::new("/home/.aws/cli/cache")).unwrap();
        assert_eq!(left, ["notes.txt"]);
    }
}
