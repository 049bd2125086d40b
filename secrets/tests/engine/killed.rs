//! A real kill -9 at each call of AWS, before it is carried out and before its answer comes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rolecall_core::{Clock, Context, Env, Secret};
use rolecall_kit::{Fault, FaultRule, Kit, Postgres, World};
use rolecall_secrets::{
    Change, Claimant, LeaseFilter, LeaseId, LeaseState, Leases, Outcome, PostgresOptions,
    PostgresStore, ReapOptions, Record, SqliteStore, Store,
};
use tempfile::TempDir;

use crate::bed::{
    MINUTE, admin, connect, context, define, leased_users, options, reap, request, take, worker,
};

/// What is killed in the middle.
const DEEDS: [&str; 4] = ["create", "renew", "revoke", "work"];

/// Leases in a file below `home`, or in that schema of a database.
async fn leases(kit: &str, home: &Path, database: Option<(&str, &str)>, clock: &Clock) -> Leases {
    let context = context(home, clock);
    let store: Arc<dyn Store> = if let Some((url, schema)) = database {
        let options = PostgresOptions { schema: schema.to_owned(), connections: 4 };
        let url = Secret::from(url);
        let opened = PostgresStore::connect_with(context.clone(), &url, options);
        Arc::new(opened.await.unwrap())
    } else {
        let path = home.join("s/leases.db");
        Arc::new(SqliteStore::open(context.clone(), &path).await.unwrap())
    };
    Leases::new(context, store, connect(kit, admin(), None), options())
}

/// The process that is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a part of another test"]
async fn part_that_does_something() {
    let env = Env::real();
    let (Some(kit), Some(home)) = (env.get("KIT"), env.get("STORE_HOME")) else { return };
    let (url, schema) = (env.get("STORE_URL"), env.get("STORE_SCHEMA").unwrap_or_default());
    let database = url.as_deref().map(|url| (url, schema.as_str()));
    let leases = leases(&kit, home.as_ref(), database, &Clock::real()).await;
    let id = || env.get("LEASE").unwrap().parse::<LeaseId>().unwrap();
    match env.get("DEED").unwrap().as_str() {
        "create" => drop(leases.create(&request(MINUTE * 10)).await.unwrap()),
        "renew" => drop(leases.renew(id(), Some(MINUTE * 5), None).await.unwrap()),
        "revoke" => drop(leases.revoke(id()).await.unwrap()),
        _ => assert_eq!(worker(&leases).run_once().await.unwrap(), 1),
    }
    println!("did it");
    std::future::pending::<()>().await;
}

struct Scene {
    kit: Kit,
    home: TempDir,
    /// The database, and the schema that is this scene's own.
    database: Option<(String, String)>,
    /// The lease that is renewed or revoked.
    lease: String,
    /// Calls that were made before.
    calls: usize,
}

impl Scene {
    async fn new(deed: &str, on: Option<&Postgres>) -> Self {
        static SCENES: AtomicUsize = AtomicUsize::new(0);
        let number = SCENES.fetch_add(1, Ordering::Relaxed);
        let database = on.map(|server| (server.url(), format!("killed{number}")));
        let (kit, home) = (Kit::start(World::default()), TempDir::new().unwrap());
        let mut scene = Self { kit, home, database, lease: String::new(), calls: 0 };
        let leases = scene.leases(&Clock::real()).await;
        define(&leases).await;
        if deed != "create" {
            let id = take(&leases, MINUTE * 10).await.id;
            scene.lease = id.to_string();
            if deed == "work" {
                let claimant = Claimant { name: "me".to_owned(), hold: MINUTE };
                let fence = leases.store().claim(id, &claimant).await.unwrap().unwrap().fence;
                let record = Record::new("me", "revoke", Outcome::Begun, "");
                let at = leases.store().now().await.unwrap();
                for change in [Change::Revoke, Change::Retry { failure: "x".to_owned(), at }] {
                    leases.store().advance(id, fence, &change, &record).await.unwrap();
                }
            }
        }
        scene.calls = scene.kit.calls().len();
        scene
    }

    async fn leases(&self, clock: &Clock) -> Leases {
        let database = self.database.as_ref().map(|(url, schema)| (url.as_str(), schema.as_str()));
        leases(&self.kit.url(), self.home.path(), database, clock).await
    }

    /// A process that does what is to be broken off.
    fn start(&self, deed: &str) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "killed::part_that_does_something", "--ignored", "--nocapture"]);
        command.env("KIT", self.kit.url()).env("STORE_HOME", self.home.path());
        let (url, schema) = self.database.clone().unzip();
        command.env("STORE_SCHEMA", schema.unwrap_or_default());
        command.envs(url.map(|url| ("STORE_URL", url)));
        command.env("DEED", deed).env("LEASE", &self.lease).env("RUST_BACKTRACE", "0");
        command.stdout(Stdio::piped()).spawn().unwrap()
    }

    /// Lets time pass. A database's cannot be moved: there all moves into the past instead.
    async fn pass(&self, clock: &Clock, by: Duration) {
        clock.advance(by);
        self.kit.advance(by.as_secs().cast_signed());
        let Some((url, schema)) = &self.database else { return };
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let sql = format!(
            "UPDATE {schema}.lease SET created_at = created_at - {0}, \
             expires_at = expires_at - {0}, max_expires_at = max_expires_at - {0}, \
             due_at = due_at - {0}, claimed_until = claimed_until - {0}",
            by.as_millis()
        );
        client.batch_execute(&sql).await.unwrap();
    }

    /// The calls made since: each by its operation and how many of these there have been in all.
    fn since(&self) -> Vec<(String, u64)> {
        let mut operations = self.kit.calls().into_iter().map(|call| call.operation);
        let mut counts = std::collections::HashMap::<_, u64>::new();
        let mut counted = |operation: String| {
            let count = counts.entry(operation.clone()).or_default();
            *count += 1;
            (operation, *count)
        };
        operations.by_ref().take(self.calls).for_each(|operation| drop(counted(operation)));
        operations.map(counted).collect()
    }

    /// Another process goes on, hours later; what is then left.
    async fn go_on(&self) -> Vec<String> {
        let clock = Clock::manual(Context::real().clock.now());
        let leases = self.leases(&clock).await;
        self.pass(&clock, MINUTE * 180).await;
        for _ in 0..2 {
            worker(&leases).run_once().await.unwrap();
            let remove = ReapOptions { remove: true, ..ReapOptions::default() };
            reap(&leases, &remove).await;
            self.pass(&clock, MINUTE * 61).await;
        }
        let mut left = leased_users(&self.kit).iter().map(|u| format!("{u:?}")).collect::<Vec<_>>();
        for lease in leases.leases(&LeaseFilter::default(), None, 9).await.unwrap() {
            let is_sound = leases.verify(&lease.id.to_string()).await.unwrap().is_none();
            if !lease.state.is_over() || lease.state == LeaseState::Forgotten || !is_sound {
                left.push(format!("{lease:?}"));
            }
        }
        left
    }
}

fn wait_until_done(child: &mut Child) {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("did it")));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_by_a_kill_at_any_call_on_sqlite() {
    kill_at_each_call(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_by_a_kill_at_any_call_on_postgres() {
    let server = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
    kill_at_each_call(Some(server)).await;
}

async fn kill_at_each_call(on: Option<&Postgres>) {
    let mut kills = 0;
    for deed in DEEDS {
        let whole = Scene::new(deed, on).await;
        let mut child = whole.start(deed);
        wait_until_done(&mut child);
        // After the last durable write.
        child.kill().unwrap();
        child.wait().unwrap();
        let calls = whole.since();
        assert!(calls.len() > 3, "{calls:?}");
        assert_eq!(whole.go_on().await, [""; 0], "{deed}, done");
        kills += 1;
        for (at, (operation, count)) in calls.iter().enumerate() {
            let gate = || "gate".to_owned();
            for fault in [Fault::Hold { gate: gate() }, Fault::HoldReply { gate: gate() }] {
                let what = format!("{deed}, call {at}, {operation}, {fault:?}");
                let scene = Scene::new(deed, on).await;
                let does_work = matches!(fault, Fault::HoldReply { .. });
                let after = u32::try_from(at).unwrap();
                scene.kit.inject(FaultRule { after, ..FaultRule::next("*", 1, fault) });
                let mut child = scene.start(deed);
                let has_come = scene.kit.wait_for(operation, *count);
                let count = usize::try_from(*count).unwrap();
                let is_done = !does_work || scene.kit.wait_for_work(operation, count);
                child.kill().unwrap();
                child.wait().unwrap();
                assert!(has_come && is_done, "{what}: it never came to that");
                // What is held is carried out nevertheless, as a call under way may be.
                scene.kit.open("gate");
                assert_eq!(scene.go_on().await, [""; 0], "{what}");
                kills += 1;
            }
        }
    }
    println!("{kills} processes killed");
}
