//! One run: what happens by chance, and what must be true at its end.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rolecall_core::http::{HttpClient, RetryQuota};
use rolecall_core::{Clock, Context, Random, Secret};
use rolecall_kit::{IamSettings, Kit, Lag, Postgres, User, World, names};
use rolecall_secrets::{
    LeaseFilter, LeaseId, Leases, PostgresOptions, PostgresStore, ReapOptions, SqliteStore, Store,
};
use tempfile::TempDir;

use super::door::{Book, Door, Process, Truth};
use super::mortal::Mortal;
use crate::bed::{
    MINUTE, START, admin, connect, context, define, leased_users, options, reap, request, secret,
    worker,
};

/// What runs have in common: making it takes time.
pub(super) struct Ground {
    kit: Arc<Kit>,
    http: Arc<dyn HttpClient>,
    database: Option<(PostgresStore, tokio_postgres::Client, TempDir)>,
    pub(super) tally: Mutex<Tally>,
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    calls: u64,
    faults: u64,
    deaths: u64,
    leases: usize,
    reaped: usize,
}

impl Ground {
    pub(super) fn sqlite() -> Self {
        let kit = Arc::new(Kit::start(World::default()));
        Self { kit, http: Context::real().http, database: None, tally: Mutex::default() }
    }

    pub(super) async fn postgres() -> Self {
        let server = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
        let folder = TempDir::new().unwrap();
        let clock = Clock::manual(Context::real().clock.now());
        let url = Secret::from(server.url());
        let options = PostgresOptions { schema: "crash".to_owned(), connections: 4 };
        let opened = PostgresStore::connect_with(context(folder.path(), &clock), &url, options);
        let store = opened.await.unwrap();
        let (client, connection) =
            tokio_postgres::connect(url.expose(), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("SET search_path TO crash").await.unwrap();
        Self { database: Some((store, client, folder)), ..Self::sqlite() }
    }
}

/// Where files are quickest, as durability is not what is tested here.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

struct Run<'a> {
    ground: &'a Ground,
    truth: Arc<Truth>,
    store: Arc<dyn Store>,
    chance: Random,
    home: TempDir,
    leases: Vec<LeaseId>,
}

/// One run by `seed`.
///
/// # Errors
/// What is not as it must be.
pub(super) async fn run(ground: &Ground, seed: u64) -> Result<(), Vec<String>> {
    let mut run = Run::begin(ground, seed).await;
    let strangers = run.plant().await;
    for _ in 0..6 + run.below(6) {
        run.something().await;
    }
    run.finish().await;
    run.judge(&strangers).await
}

impl<'a> Run<'a> {
    async fn begin(ground: &'a Ground, seed: u64) -> Self {
        let home = folder();
        let start = match ground.database {
            Some(_) => Context::real().clock.now(),
            None => SystemTime::UNIX_EPOCH + Duration::from_secs(START.cast_unsigned()),
        };
        let clock = Clock::manual(start);
        let store: Arc<dyn Store> = match &ground.database {
            Some((store, ..)) => Arc::new(store.clone()),
            None => {
                let path = home.path().join("s/leases.db");
                let context = context(home.path(), &clock);
                Arc::new(SqliteStore::open(context, &path).await.unwrap())
            }
        };
        let truth = Arc::new(Truth {
            kit: ground.kit.clone(),
            clock,
            ahead: AtomicI64::new(0),
            is_machines: ground.database.is_none(),
            has_faults: AtomicBool::new(false),
            has_jumps: seed.is_multiple_of(2),
            book: Mutex::new(Book::default()),
        });
        let chance = Random::seeded(seed);
        let run = Self { ground, truth, store, chance, home, leases: Vec::new() };
        if run.store.secret("app", None).await.unwrap().is_none() {
            define(&run.process(&Process::new(None))).await;
        }
        run
    }

    fn below(&self, limit: u64) -> u64 {
        self.chance.bits() % limit
    }

    /// A place in a list.
    fn pick(&self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    /// Users of others, below the same path and with names like ours.
    async fn plant(&self) -> Vec<rolecall_kit::IamUser> {
        let own = format!("/rolecall/{}/", self.store.info().await.unwrap().id);
        let user = |name: &str, path: &str, tags: &[(&str, &str)]| {
            let mut user = User {
                account: names::ACCOUNT.to_owned(),
                name: name.to_owned(),
                path: path.to_owned(),
                ..User::default()
            };
            let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            user.iam.tags = tags.collect();
            user
        };
        let other = [("rolecall:store", "zzzzzzzzzzzz"), ("rolecall:nonce", "1")];
        let planted = [
            user("app-by-hand", &own, &[]),
            user("app-other", "/rolecall/zzzzzzzzzzzz/", &other),
            user("app-copied", &own, &other),
            user("app-plain", "/", &[("rolecall:nonce", "2")]),
        ];
        let mut book = self.truth.book.lock().unwrap();
        book.foreign.extend(planted.iter().map(|user| user.name.clone()));
        self.ground.kit.change_world(|world| {
            world.users.retain(|user| {
                !user.path.starts_with("/rolecall/") && !user.name.starts_with("app-")
            });
            world.users.extend(planted);
        });
        self.strangers()
    }

    fn strangers(&self) -> Vec<rolecall_kit::IamUser> {
        let mut users = self.ground.kit.iam_users(names::ACCOUNT);
        users.retain(|user| user.name.starts_with("app-"));
        users.sort_by(|one, other| one.name.cmp(&other.name));
        users
    }

    /// The leases as one process works with them.
    fn process(&self, process: &Arc<Process>) -> Leases {
        let context = Context {
            random: Random::seeded(self.chance.bits()),
            retry_quota: RetryQuota::default(),
            ..context(self.home.path(), &self.truth.clock)
        };
        let door = Door {
            truth: self.truth.clone(),
            process: process.clone(),
            chance: Random::seeded(self.chance.bits()),
            http: self.ground.http.clone(),
        };
        let store = Mortal { inner: self.store.clone(), process: process.clone() };
        let connect = connect(&self.ground.kit.url(), admin(), Some(Arc::new(door)));
        Leases::new(context, Arc::new(store), connect, options())
    }

    /// A process that every other time dies on the way, and now and then loses an answer of the
    /// store's: not where clocks jump, as a claim that nobody knows of may hold for hours there.
    fn mortal(&self) -> Arc<Process> {
        let steps = (self.below(2) == 0).then(|| 1 + self.below(60).cast_signed());
        let process = Process::new(steps);
        if self.below(8) == 0 && !self.truth.has_jumps {
            process.lose_reply(1 + self.below(6).cast_signed());
        }
        process
    }

    async fn something(&mut self) {
        self.truth.has_faults.store(self.below(4) > 0, Ordering::SeqCst);
        // By time alone: a lag by calls would outlast the hours that pass between them here.
        let lag = |seconds: u64| Lag { seconds: seconds.cast_signed(), calls: 0 };
        self.ground.kit.set_iam(IamSettings {
            new_users: lag(self.below(12)),
            new_keys: lag(self.below(20)),
            lists: lag(self.below(30)),
            ..IamSettings::default()
        });
        match self.below(12) {
            0..4 => self.create().await,
            4 | 5 => self.renew().await,
            6 => self.revoke().await,
            7 | 8 => self.work().await,
            9 => self.reap().await,
            10 => self.pass(Duration::from_secs(self.below(7200))).await,
            _ => self.truth.jump([0, 3600, -3600][self.pick(3)]),
        }
    }

    async fn live<T>(&self, process: &Process, work: impl Future<Output = T>) -> Option<T> {
        let lived = process.live(work).await;
        self.truth.book.lock().unwrap().deaths += u64::from(lived.is_none());
        lived
    }

    async fn create(&mut self) {
        let process = self.mortal();
        let leases = self.process(&process);
        let request = request(Duration::from_secs(60 + self.below(3600)));
        if let Some(Ok(issued)) = self.live(&process, leases.create(&request)).await {
            let lease = issued.lease;
            self.leases.push(lease.id);
            let mut book = self.truth.book.lock().unwrap();
            book.ends.insert(lease.principal.name, lease.expires_at);
        }
    }

    fn some_lease(&self) -> Option<LeaseId> {
        let count = self.leases.len();
        (count > 0).then(|| self.leases[self.pick(count)])
    }

    async fn renew(&mut self) {
        let Some(id) = self.some_lease() else { return };
        let process = self.mortal();
        let leases = self.process(&process);
        let by = Duration::from_secs(60 + self.below(1800));
        if let Some(Ok(lease)) = self.live(&process, leases.renew(id, Some(by), None)).await {
            let mut book = self.truth.book.lock().unwrap();
            book.ends.insert(lease.principal.name, lease.expires_at);
        }
    }

    async fn revoke(&mut self) {
        let Some(id) = self.some_lease() else { return };
        let name = self.store.lease(id).await.unwrap().unwrap().principal.name;
        self.truth.book.lock().unwrap().revoked.insert(name);
        let process = self.mortal();
        let leases = self.process(&process);
        let _ = self.live(&process, leases.revoke(id)).await;
    }

    /// Four workers at once.
    async fn work(&self) {
        let one = async || {
            let process = self.mortal();
            let worker = worker(&self.process(&process));
            let _ = self.live(&process, worker.run_once()).await;
        };
        tokio::join!(one(), one(), one(), one());
    }

    async fn reap(&self) {
        let process = self.mortal();
        let leases = self.process(&process);
        let remove = ReapOptions { remove: true, ..ReapOptions::default() };
        let _ = self.live(&process, leases.reap(&secret(), &remove)).await;
    }

    /// Lets time pass. A database's cannot be moved: there all moves into the past instead.
    async fn pass(&self, by: Duration) {
        let Some((_, raw, _)) = &self.ground.database else {
            self.truth.clock.advance(by);
            return;
        };
        let sql = format!(
            "UPDATE lease SET created_at = created_at - {0}, expires_at = expires_at - {0}, \
             max_expires_at = max_expires_at - {0}, due_at = due_at - {0}, \
             claimed_until = claimed_until - {0}",
            by.as_millis()
        );
        raw.batch_execute(&sql).await.unwrap();
        // AWS's clock need not keep step, but what is new must become seen.
        self.truth.clock.advance(MINUTE);
        self.ground.kit.change_world(|world| {
            let users = world.users.iter_mut();
            let is_leased = |user: &&mut User| {
                user.path.starts_with("/rolecall/") && !user.name.starts_with("app-")
            };
            for user in users.filter(is_leased) {
                user.iam.created -= by.as_secs().cast_signed();
            }
        });
        for end in self.truth.book.lock().unwrap().ends.values_mut() {
            *end -= by;
        }
    }

    /// The faults end; then two rounds of four workers, and two reaps. In a round a worker tries once
    /// more what failed, as it does while it runs: here one's wait is the others' too, and may let
    /// their deadlines pass.
    async fn finish(&self) {
        self.truth.has_faults.store(false, Ordering::SeqCst);
        self.truth.set_ahead(0);
        self.ground.kit.set_iam(IamSettings::default());
        self.pass(MINUTE * 180).await;
        for _ in 0..2 {
            let one = async || worker(&self.process(&Process::new(None))).run_once().await.unwrap();
            tokio::join!(one(), one(), one(), one());
            self.pass(MINUTE).await;
            tokio::join!(one(), one(), one(), one());
            // Longer than what failed waits for its next try.
            self.pass(MINUTE * 61).await;
        }
        let orphans = self.orphans();
        if !self.truth.has_jumps && !orphans.is_empty() {
            // Only where clocks jump may two work on one lease, and a reap have to find the rest.
            let mut told = self.tell(&orphans).await;
            told.insert(0, "not known to the store:".to_owned());
            self.truth.book.lock().unwrap().flaws.extend(told);
        }
        for _ in 0..2 {
            let leases = self.process(&Process::new(None));
            let remove = ReapOptions { remove: true, ..ReapOptions::default() };
            let found = reap(&leases, &remove).await;
            self.ground.tally.lock().unwrap().reaped += found.len();
            self.pass(MINUTE * 61).await;
        }
    }

    fn orphans(&self) -> Vec<rolecall_kit::IamUser> {
        let mut users = leased_users(&self.ground.kit);
        users.retain(|user| !user.name.starts_with("app-"));
        users
    }

    /// Users that were left behind, and what the store knows of them.
    async fn tell(&self, orphans: &[rolecall_kit::IamUser]) -> Vec<String> {
        let mut told = Vec::new();
        for user in orphans {
            told.push(format!("left behind: {user:?}"));
            let lease = user.tags.get("rolecall:lease").cloned().unwrap_or_default();
            let trail = self.store.trail(&lease).await.unwrap();
            told.extend(trail.iter().map(|entry| format!("  {entry:?}")));
        }
        told
    }

    async fn judge(&self, strangers: &[rolecall_kit::IamUser]) -> Result<(), Vec<String>> {
        let mut flaws = std::mem::take(&mut self.truth.book.lock().unwrap().flaws);
        flaws.extend(self.tell(&self.orphans()).await);
        if self.strangers() != strangers {
            flaws.push(format!("not as they were: {:?}", self.strangers()));
        }
        let all = self.store.leases(&LeaseFilter::default(), None, 100_000).await.unwrap();
        for lease in &all {
            if !lease.state.is_over() {
                flaws.push(format!("not over: {lease:?}"));
            }
            if let Some(flaw) = self.store.verify(&lease.id.to_string()).await.unwrap() {
                flaws.push(format!("the log of {}: {flaw:?}", lease.id));
            }
        }
        let (mut tally, book) =
            (self.ground.tally.lock().unwrap(), self.truth.book.lock().unwrap());
        tally.calls += book.calls;
        tally.faults += book.faults;
        tally.deaths += book.deaths;
        tally.leases = if self.truth.is_machines { tally.leases + all.len() } else { all.len() };
        if flaws.is_empty() { Ok(()) } else { Err(flaws) }
    }
}
