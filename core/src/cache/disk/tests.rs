use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::Clock;

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
            .with_expires_at(Some(Clock::fake_now() + Duration::from_secs(self.lasts))))
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
    let end = timestamp::format(Clock::fake_now() + Duration::from_secs(seconds));
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
    cache.slot.interactive = Interactive::when(move || counted.fetch_add(1, Ordering::SeqCst) == 0);
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
    #[expect(clippy::disallowed_methods, reason = "a test's own files")]
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
    ask(&test.cache("fifth", Arc::new(Counting { lasts: 10_800, ..Counting::default() }))).await;
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
