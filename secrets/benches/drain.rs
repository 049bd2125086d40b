//! How long a worker needs for 100,000 leases that are due at once, by the rate budget of one
//! account: by a clock that only the waits for calls move, and an IAM that answers at once.
//!
//! `cargo bench -p rolecall-secrets --bench drain`

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has no figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark stands outside the seams")]

mod definition;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use rolecall_core::http::{HttpClient, HttpError, Request, Response, RetryPolicy};
use rolecall_core::{Clock, Context, Credentials, Env};
use rolecall_secrets::{
    Change, Claimant, Connect, LeaseFilter, LeaseId, LeaseOptions, LeaseState, Leases, NewLease,
    Outcome, Principal, Reached, Record, SqliteStore, Store, Worker, WorkerOptions,
};
use rolecall_sts::QueryEndpoint;
use zeroize::Zeroizing;

use definition::define;

const ACCOUNT: &str = "111111111111";
const RATE: u32 = 20;
const HOUR: Duration = Duration::from_secs(3600);

/// An IAM that holds a user with one key and the policy that ends it for each lease.
#[derive(Debug)]
struct Iam {
    clock: Clock,
    calls: AtomicU64,
    /// When the last key went, by what has passed.
    last_key: Mutex<Duration>,
}

#[async_trait]
impl HttpClient for Iam {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let value = |key: &str| {
            let mut pairs = body.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| *name == key).map(|(_, value)| value.to_owned())
        };
        let (action, user) = (value("Action").unwrap(), value("UserName").unwrap_or_default());
        if action == "DeleteAccessKey" {
            *self.last_key.lock().unwrap() = self.clock.elapsed();
        }
        let list = |members: &str| format!("<IsTruncated>false</IsTruncated>{members}");
        let result = match action.as_str() {
            "GetCallerIdentity" => format!(
                "<Arn>arn:aws:iam::{ACCOUNT}:user/admin</Arn><UserId>A</UserId>\
                 <Account>{ACCOUNT}</Account>"
            ),
            "GetUser" => format!(
                "<User><Path>/rolecall/x/</Path><UserName>{user}</UserName><UserId>A</UserId>\
                 <Arn>arn:aws:iam::{ACCOUNT}:user/{user}</Arn>\
                 <CreateDate>2026-01-01T00:00:00Z</CreateDate><Tags><member>\
                 <Key>rolecall:nonce</Key><Value>of-{user}</Value></member></Tags></User>"
            ),
            "ListAccessKeys" => list(
                "<AccessKeyMetadata><member><AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId>\
                 </member></AccessKeyMetadata>",
            ),
            "ListUserPolicies" => {
                list("<PolicyNames><member>rolecall-expiry</member></PolicyNames>")
            }
            "ListAttachedUserPolicies" | "ListGroupsForUser" => list(""),
            _ => String::new(),
        };
        let space = if action == "GetCallerIdentity" {
            "https://sts.amazonaws.com/doc/2011-06-15/"
        } else {
            self.calls.fetch_add(1, Ordering::Relaxed);
            "https://iam.amazonaws.com/doc/2010-05-08/"
        };
        let text = format!(
            "<{action}Response xmlns=\"{space}\"><{action}Result>{result}</{action}Result>\
             <ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></{action}Response>"
        );
        let mut answer = Response::new(Zeroizing::new(text.into_bytes()));
        let date = httpdate::fmt_http_date(self.clock.local_now());
        answer.headers_mut().insert("date", date.parse().unwrap());
        Ok(answer)
    }
}

fn main() {
    let count = Env::real().get("DRAIN_LEASES").and_then(|text| text.parse().ok());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(drain(count.unwrap_or(100_000)));
}

async fn drain(count: u32) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let clock = Clock::manual(SystemTime::UNIX_EPOCH + HOUR * 24 * 365 * 56);
    let env = Env::from_pairs([("HOME", folder.path().display().to_string())]);
    let context = Context { env, clock: clock.clone(), ..Context::real() };
    let path = folder.path().join("store/leases.db");
    let store = Arc::new(SqliteStore::open(context.clone(), &path).await.unwrap());
    define(&*store).await;
    fill(store.clone(), count).await;
    clock.advance(HOUR * 2);

    let (calls, last_key) = (AtomicU64::new(0), Mutex::default());
    let iam = Arc::new(Iam { clock: clock.clone(), calls, last_key });
    let endpoint = |service: &str| QueryEndpoint {
        url: format!("https://{service}.example"),
        signing_region: "us-east-1".to_owned(),
        signing_name: service.to_owned(),
    };
    let reached = Reached {
        credentials: Arc::new(Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", "bench")),
        iam: endpoint("iam"),
        sts: endpoint("sts"),
        retry: RetryPolicy::default(),
        http: iam.clone(),
    };
    let connect = Connect::new(move |_, _| Ok(reached.clone()));
    let options = LeaseOptions {
        actor: "bench@box".to_owned(),
        calls_per_second: Some(RATE),
        sealing_key: None,
    };
    let leases = Leases::new(context, store, connect, options);
    // One at a time, as each wait moves the one clock for all.
    let worker = Worker::new(leases.clone(), WorkerOptions { concurrency: 1 });
    let (began, really) = (clock.elapsed(), Instant::now());
    let mut done = 0;
    while done < count as usize {
        done += worker.run_once().await.unwrap();
    }
    let took = clock.elapsed() - began;
    let calls = iam.calls.load(Ordering::Relaxed);
    let filter = LeaseFilter { states: vec![LeaseState::Revoked], ..LeaseFilter::default() };
    let over = leases.leases(&filter, None, count).await.unwrap().len();
    assert_eq!(over, count as usize, "some are left");
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = calls as f64 / took.as_secs_f64();
    let keys = *iam.last_key.lock().unwrap() - began;
    println!("{count} leases due at once, {RATE} calls a second:");
    println!("    {:<34}{calls:>9}", "calls of IAM");
    println!("    {:<34}{rate:>9.2} /s", "of which");
    println!("    {:<34}{:>9.2} h", "all gone after", took.as_secs_f64() / 3600.0);
    println!("    {:<34}{:>9.2} h", "the last key after", keys.as_secs_f64() / 3600.0);
    println!("    {:<34}{:>9.1?}", "work of this machine", really.elapsed());
}

/// Leases that end in an hour.
async fn fill(store: Arc<SqliteStore>, count: u32) {
    let tasks = (0..64).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in (0..count).filter(|number| number % 64 == task) {
                let now = store.now().await.unwrap();
                let name = format!("drain-{number}");
                let new = NewLease {
                    id: LeaseId(number.into()),
                    secret: "deploy".to_owned(),
                    secret_version: 1,
                    principal: Principal {
                        account_id: ACCOUNT.to_owned(),
                        kind: "iam-user".to_owned(),
                        path: "/rolecall/x/".to_owned(),
                        nonce: format!("of-{name}"),
                        name,
                    },
                    identity: String::new(),
                    note: String::new(),
                    expires_at: now + HOUR,
                    max_expires_at: now + HOUR,
                };
                let claimant = Claimant { name: "bench:1".to_owned(), hold: HOUR };
                let begun = store.begin(&new, &claimant, &record("create")).await.unwrap();
                let grant = Change::Grant {
                    access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
                    expires_at: new.expires_at,
                    sealed: None,
                };
                store.advance(new.id, begun.fence, &grant, &record("create")).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

fn record(action: &'static str) -> Record {
    Record::new("bench", action, Outcome::Done, "")
}
