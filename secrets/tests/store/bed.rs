//! A store to test, with a way to let time pass and a way around it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rolecall_core::{Clock, Context, Env, Secret};
use rolecall_kit::Postgres;
use rolecall_secrets::{
    Change, Claimant, Connection, DynamicSecret, IamUser, Lease, LeaseId, NewLease, Outcome,
    PostgresOptions, PostgresStore, Principal, Record, SecretKind, SqliteStore, Store,
};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

#[async_trait]
pub(crate) trait Bed: Send + Sync {
    fn store(&self) -> &dyn Store;

    /// Lets time pass.
    async fn pass(&self, by: Duration);

    /// Changes the store behind its back; gives how many rows.
    async fn execute(&self, sql: &str) -> u64;
}

/// A context of its own home folder.
pub(crate) fn context(home: &Path) -> Context {
    let env = Env::from_pairs([("HOME", home.display().to_string())]);
    Context { env, ..Context::real() }
}

pub(crate) struct SqliteBed {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) context: Context,
    pub(crate) path: PathBuf,
    store: SqliteStore,
}

impl SqliteBed {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        let context = Context { clock: Clock::manual(start), ..context(folder.path()) };
        let path = folder.path().join("deep/leases.db");
        let store = SqliteStore::open(context.clone(), &path).await.unwrap();
        Self { folder, context, path, store }
    }

    /// Closes the store; its folder stays as long as what this gives.
    pub(crate) fn close(self) -> tempfile::TempDir {
        self.folder
    }

    pub(crate) fn raw(&self) -> rusqlite::Connection {
        let raw = rusqlite::Connection::open(&self.path).unwrap();
        raw.busy_timeout(Duration::from_secs(10)).unwrap();
        raw
    }
}

#[async_trait]
impl Bed for SqliteBed {
    fn store(&self) -> &dyn Store {
        &self.store
    }

    async fn pass(&self, by: Duration) {
        self.context.clock.advance(by);
    }

    async fn execute(&self, sql: &str) -> u64 {
        let sql = sql.replace("bytea", "BLOB");
        self.raw().execute(&sql, []).unwrap() as u64
    }
}

pub(crate) struct PostgresBed {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) schema: String,
    store: PostgresStore,
    raw: tokio_postgres::Client,
}

impl PostgresBed {
    pub(crate) async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::tempdir().unwrap();
        let schema = format!("Test \"{}\"", COUNT.fetch_add(1, Ordering::SeqCst));
        let store = Self::open(&schema, folder.path()).await;
        let raw = raw_postgres(Postgres::shared()).await;
        let quoted = format!("\"{}\"", schema.replace('"', "\"\""));
        raw.batch_execute(&format!("SET search_path TO {quoted}")).await.unwrap();
        Self { folder, schema, store, raw }
    }

    pub(crate) async fn open(schema: &str, home: &Path) -> PostgresStore {
        let server = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
        let options = PostgresOptions { schema: schema.to_owned(), connections: 4 };
        let url = Secret::from(server.url());
        PostgresStore::connect_with(context(home), &url, options).await.unwrap()
    }
}

pub(crate) async fn raw_postgres(server: &Postgres) -> tokio_postgres::Client {
    let connected = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await;
    let (client, connection) = connected.unwrap();
    tokio::spawn(connection);
    client
}

#[async_trait]
impl Bed for PostgresBed {
    fn store(&self) -> &dyn Store {
        &self.store
    }

    /// The database's clock cannot be moved: everything moves into the past instead.
    async fn pass(&self, by: Duration) {
        let sql = format!(
            "UPDATE lease SET created_at = created_at - {0}, expires_at = expires_at - {0}, \
             max_expires_at = max_expires_at - {0}, due_at = due_at - {0}, \
             claimed_until = claimed_until - {0}",
            by.as_millis()
        );
        self.raw.batch_execute(&sql).await.unwrap();
    }

    async fn execute(&self, sql: &str) -> u64 {
        self.raw.execute(sql, &[]).await.unwrap()
    }
}

pub(crate) fn definition(name: &str) -> DynamicSecret {
    DynamicSecret {
        name: name.to_owned(),
        description: "a test's".to_owned(),
        connection: Connection::Default,
        kind: SecretKind::IamUser(IamUser::default()),
        region: None,
        access: Vec::new(),
        default_ttl: MINUTE * 60,
        max_ttl: MINUTE * 600,
    }
}

pub(crate) fn record(action: &'static str) -> Record {
    Record::new("tester", action, Outcome::Done, "for a test")
}

pub(crate) fn claimant(name: &str) -> Claimant {
    Claimant { name: name.to_owned(), hold: MINUTE * 2 }
}

/// Lease number `number` of a definition, ending `ttl` after `now`.
pub(crate) fn new_lease(number: u128, secret: &str, now: SystemTime, ttl: Duration) -> NewLease {
    NewLease {
        id: LeaseId(number),
        secret: secret.to_owned(),
        secret_version: 1,
        principal: Principal {
            account_id: "123456789012".to_owned(),
            kind: "iam-user".to_owned(),
            name: format!("user-{number}"),
            path: "/rolecall/abc/".to_owned(),
            nonce: format!("nonce-{number}"),
        },
        identity: "alice".to_owned(),
        note: "a note".to_owned(),
        expires_at: now + ttl,
        max_expires_at: now + ttl * 3,
    }
}

pub(crate) fn grant(end: SystemTime) -> Change {
    let access_key_id = "AKIDEXAMPLE".to_owned();
    Change::Grant { access_key_id, expires_at: end, sealed: Some(vec![0, 1, 255]) }
}

/// Makes a definition and a lease of it that is active and free.
pub(crate) async fn active(store: &dyn Store, number: u128, ttl: Duration) -> Lease {
    if store.secret("s", None).await.unwrap().is_none() {
        store.create_secret(&definition("s"), &record("define")).await.unwrap();
    }
    let now = store.now().await.unwrap();
    let new = new_lease(number, "s", now, ttl);
    let lease = store.begin(&new, &claimant("a"), &record("create")).await.unwrap();
    let change = grant(new.expires_at);
    store.advance(lease.id, lease.fence, &change, &record("create")).await.unwrap()
}
