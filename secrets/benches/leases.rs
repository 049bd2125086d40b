//! What the stores do in a second, and with a million leases outstanding.
//!
//! `cargo bench -p rolecall-secrets --bench leases`

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has no figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark stands outside the seams")]

mod definition;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rolecall_core::{Context, Env, Secret};
use rolecall_kit::Postgres;
use rolecall_secrets::{
    Change, Claimant, LeaseId, NewLease, Outcome, PostgresStore, Principal, Record, SqliteStore,
    Store,
};

use definition::define;

const HOUR: Duration = Duration::from_secs(3600);
/// How many callers there are at once.
const CALLERS: u64 = 64;
const MILLION: u64 = 1_000_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let env = Env::real();
    if let (Some(path), Some(part)) = (env.get("BENCH_STORE"), env.get("BENCH_PART")) {
        return runtime.block_on(part_of(&path, &part));
    }
    runtime.block_on(async {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let path = |name: &str| folder.path().join(name).join("leases.db").display().to_string();
        bookkeeping("SQLite", open(&path("store")).await, 20_000).await;
        let million = path("million");
        a_million("SQLite", &million, async || fill(Path::new(&million))).await;

        let server = Postgres::start(&[], &[]);
        bookkeeping("PostgreSQL", open(&server.url()).await, 5_000).await;
        let server = Postgres::start(&[], &[]);
        a_million("PostgreSQL", &server.url(), async || fill_database(&server.url()).await).await;
    });
}

/// The store in a file, or behind a URL.
async fn open(place: &str) -> Arc<dyn Store> {
    let is_database = place.starts_with("postgres");
    let home = Path::new(if is_database { env!("CARGO_TARGET_TMPDIR") } else { place });
    let home = home.parent().unwrap().display().to_string();
    let context = Context { env: Env::from_pairs([("HOME", home)]), ..Context::real() };
    if is_database {
        Arc::new(PostgresStore::connect(context, &Secret::from(place)).await.unwrap())
    } else {
        Arc::new(SqliteStore::open(context, Path::new(place)).await.unwrap())
    }
}

async fn bookkeeping(name: &str, store: Arc<dyn Store>, count: u64) {
    define(&*store).await;
    println!("{name}, durable, {CALLERS} callers, {count} leases:");
    per_second("issue (begin and grant)", count, |number| issue(store.clone(), number)).await;
    per_second("renew", count, |number| {
        let store = store.clone();
        async move {
            let end = store.now().await.unwrap() + HOUR * 2;
            let change = Change::Renew(end);
            store.advance(id(number), 1, &change, &record("renew")).await.unwrap();
        }
    })
    .await;
    per_second("revoke (revoking and revoked)", count, |number| {
        let store = store.clone();
        async move {
            for change in [Change::Revoke, Change::Removed] {
                store.advance(id(number), 1, &change, &record("revoke")).await.unwrap();
            }
        }
    })
    .await;
    per_second("issue again", count, |number| issue(store.clone(), number + MILLION)).await;
    let sequential = 500;
    let began = Instant::now();
    for number in 0..sequential {
        let change = Change::Renew(store.now().await.unwrap() + HOUR * 2);
        let id = id(number + MILLION);
        store.advance(id, 1, &change, &record("renew")).await.unwrap();
    }
    let each = began.elapsed() / u32::try_from(sequential).unwrap();
    println!("    {:<34}{:>9} µs", "one renewal, by one caller", each.as_micros());
    let claimed = Arc::new(AtomicU64::new(0));
    per_second("claim, in batches of 50, none due", 2_000, |_| {
        let (store, claimed) = (store.clone(), claimed.clone());
        async move {
            let found = store.claim_due(&claimant(), 50, &[]).await.unwrap();
            claimed.fetch_add(found.len() as u64, Ordering::Relaxed);
        }
    })
    .await;
}

async fn per_second<F>(what: &str, count: u64, work: impl Fn(u64) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let works = (0..count).map(work).map(Box::pin).map(Some).collect::<Vec<_>>();
    let works = Arc::new(std::sync::Mutex::new(works));
    let callers = (0..CALLERS).map(|_| {
        let (next, works) = (next.clone(), works.clone());
        tokio::spawn(async move {
            loop {
                let number = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap();
                let work = works.lock().unwrap().get_mut(number).and_then(Option::take);
                let Some(work) = work else { return };
                work.await;
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = count as f64 / began.elapsed().as_secs_f64();
    println!("    {what:<34}{rate:>9.0} /s");
}

/// A million leases that are active, of which the first is due.
async fn a_million(name: &str, place: &str, fill: impl AsyncFnOnce()) {
    let store = open(place).await;
    define(&*store).await;
    issue(store, 0).await;
    fill().await;
    println!("{name}, {MILLION} leases outstanding:");
    let mut child = part(place, "work");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // It works on leases until it is killed.
    for line in lines.by_ref().take(5) {
        println!("    {}", line.unwrap());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut child = part(place, "recover");
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        println!("    {}", line.unwrap());
    }
    child.wait().unwrap();
}

fn fill(path: &Path) {
    let raw = rusqlite::Connection::open(path).unwrap();
    raw.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN").unwrap();
    let columns = "secret, secret_version, state, account_id, kind, name, path, nonce, note, \
                   created_at, max_expires_at, access_key_id, sealed, attempts, failure, fence, \
                   log_sequence, log_digest";
    let sql = format!(
        "WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted \
         WHERE n < {MILLION} - 1) INSERT INTO lease ({columns}, id, identity, expires_at, due_at) \
         SELECT {columns}, unhex(printf('%032x', n)), 'user-' || n % 1000, expires_at + n * 7, \
         expires_at + n * 7 FROM counted, lease"
    );
    raw.execute(&sql, []).unwrap();
    let sql = "INSERT INTO audit (subject, sequence, at, actor, action, outcome, detail, digest) \
               SELECT lease.id, sequence, at, actor, action, outcome, detail, digest FROM lease, \
               audit WHERE subject = unhex(printf('%032x', 0)) AND lease.id <> subject";
    raw.execute(sql, []).unwrap();
    // One is due.
    let sql = "UPDATE lease SET due_at = 1000 WHERE id = unhex(printf('%032x', 700000))";
    raw.execute_batch(&format!("{sql}; COMMIT")).unwrap();
}

async fn fill_database(url: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let columns = "secret, secret_version, state, account_id, kind, name, path, nonce, note, \
                   created_at, max_expires_at, access_key_id, sealed, attempts, failure, fence, \
                   log_sequence, log_digest";
    let number = |n: &str| format!("decode(lpad(to_hex({n}), 32, '0'), 'hex')");
    let sql = format!(
        "SET search_path TO rolecall; SET synchronous_commit TO off; \
         INSERT INTO lease ({columns}, id, identity, expires_at, due_at) \
         SELECT {columns}, {id}, 'user-' || n % 1000, expires_at + n * 7, expires_at + n * 7 \
         FROM generate_series(1, {MILLION} - 1) AS n, lease; \
         UPDATE lease SET due_at = 1000 WHERE id = {due}; ANALYZE lease",
        id = number("n"),
        due = number("700000"),
    );
    client.batch_execute(&sql).await.unwrap();
}

/// A process of its own, so that its memory is the store's.
fn part(path: &str, name: &str) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("BENCH_STORE", path).env("BENCH_PART", name).stdout(Stdio::piped());
    command.spawn().unwrap()
}

async fn part_of(place: &str, name: &str) {
    let before = memory();
    let began = Instant::now();
    let store = open(place).await;
    let opened = began.elapsed();
    store.next_due(Duration::from_secs(7200), &[]).await.unwrap().unwrap();
    let next = began.elapsed() - opened;
    if name == "recover" {
        let due = store.claim_due(&claimant(), 1, &[]).await.unwrap();
        store.advance(due[0].id, due[0].fence, &Change::Revoke, &record("revoke")).await.unwrap();
        println!("{:<34}{:>9.1?}", "first due revocation after kill -9", began.elapsed());
        return;
    }
    println!("{:<34}{opened:>9.1?}", "open");
    println!("{:<34}{next:>9.1?}", "next due, the first time");
    let began = Instant::now();
    for _ in 0..1000 {
        store.next_due(Duration::from_secs(7200), &[]).await.unwrap();
    }
    println!("{:<34}{:>9.1?}", "next due, after that", began.elapsed() / 1000);
    let renewals = 20_000;
    let began = Instant::now();
    per_quiet(store.clone(), renewals).await;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = renewals as f64 / began.elapsed().as_secs_f64();
    println!("{:<34}{rate:>9.0} /s", "renew, all over");
    println!("{:<34}{:>9} KiB", "memory, of the store", memory().saturating_sub(before));
    // Killed in the middle of it.
    loop {
        per_quiet(store.clone(), renewals).await;
    }
}

async fn per_quiet(store: Arc<dyn Store>, count: u64) {
    let callers = (0..CALLERS).map(|caller| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in (0..count).filter(|number| number % CALLERS == caller) {
                let id = id(1 + number * 7919 % (MILLION / 2));
                let change = Change::Renew(store.now().await.unwrap() + HOUR * 2);
                store.advance(id, 1, &change, &record("renew")).await.unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
}

/// The memory of this process, in KiB.
fn memory() -> u64 {
    let status = Context::real().fs.read(Path::new("/proc/self/status"), 1 << 16).unwrap();
    let status = String::from_utf8_lossy(&status).into_owned();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn issue(store: Arc<dyn Store>, number: u64) {
    let now = store.now().await.unwrap();
    let lease = NewLease {
        id: id(number),
        secret: "deploy".to_owned(),
        secret_version: 1,
        principal: Principal {
            account_id: "123456789012".to_owned(),
            kind: "iam-user".to_owned(),
            name: format!("deploy-{number:020}"),
            path: "/rolecall/abcdefghijkl/".to_owned(),
            nonce: format!("{number:032x}"),
        },
        identity: format!("user-{}", number % 1000),
        note: "for the benchmark".to_owned(),
        expires_at: now + HOUR,
        max_expires_at: now + HOUR * 24,
    };
    let begun = store.begin(&lease, &claimant(), &record("create")).await.unwrap();
    let change = Change::Grant {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        expires_at: lease.expires_at,
        sealed: None,
    };
    store.advance(lease.id, begun.fence, &change, &record("create")).await.unwrap();
}

fn id(number: u64) -> LeaseId {
    LeaseId(number.into())
}

fn claimant() -> Claimant {
    Claimant { name: "bench:1".to_owned(), hold: HOUR }
}

fn record(action: &'static str) -> Record {
    Record::new("bench", action, Outcome::Done, "arn:aws:iam::123456789012:user/somebody")
}
