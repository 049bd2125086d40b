//! A real kill -9 at each call of AWS, before it is carried out and before its answer comes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rolecall_core::{Clock, Context, Env};
use rolecall_kit::{Fault, FaultRule, Kit, World};
use rolecall_secrets::{LeaseFilter, LeaseId, LeaseState, Leases, ReapOptions, SqliteStore};
use tempfile::TempDir;

use crate::bed::{
    MINUTE, admin, connect, context, define, leased_users, options, reap, request, take, worker,
};

/// What is killed in the middle.
const DEEDS: [&str; 3] = ["create", "renew", "revoke"];

async fn leases(kit: &str, home: &std::path::Path, clock: &Clock) -> Leases {
    let context = context(home, clock);
    let path = home.join("s/leases.db");
    let store = Arc::new(SqliteStore::open(context.clone(), &path).await.unwrap());
    Leases::new(context, store, connect(kit, admin(), None), options())
}

/// The process that is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a part of another test"]
async fn part_that_does_something() {
    let env = Env::real();
    let (Some(kit), Some(home)) = (env.get("KIT"), env.get("STORE_HOME")) else { return };
    let leases = leases(&kit, home.as_ref(), &Clock::real()).await;
    let id = || env.get("LEASE").unwrap().parse::<LeaseId>().unwrap();
    match env.get("DEED").unwrap().as_str() {
        "create" => drop(leases.create(&request(MINUTE * 10)).await.unwrap()),
        "renew" => drop(leases.renew(id(), Some(MINUTE * 5), None).await.unwrap()),
        _ => drop(leases.revoke(id()).await.unwrap()),
    }
    println!("did it");
    std::future::pending::<()>().await;
}

fn start(kit: &Kit, home: &TempDir, deed: &str, lease: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "killed::part_that_does_something", "--ignored", "--nocapture"]);
    command.env("KIT", kit.url()).env("STORE_HOME", home.path());
    command.env("DEED", deed).env("LEASE", lease).env("RUST_BACKTRACE", "0");
    command.stdout(Stdio::piped()).spawn().unwrap()
}

struct Scene {
    kit: Kit,
    home: TempDir,
    /// The lease that is renewed or revoked.
    lease: String,
    /// Calls that were made before.
    calls: usize,
}

impl Scene {
    async fn new(deed: &str) -> Self {
        let kit = Kit::start(World::default());
        let home = TempDir::new().unwrap();
        let leases = leases(&kit.url(), home.path(), &Clock::real()).await;
        define(&leases).await;
        let lease = match deed {
            "create" => String::new(),
            _ => take(&leases, MINUTE * 10).await.id.to_string(),
        };
        let calls = kit.calls().len();
        Self { kit, home, lease, calls }
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
        let leases = leases(&self.kit.url(), self.home.path(), &clock).await;
        let pass = |by: Duration| {
            clock.advance(by);
            self.kit.advance(by.as_secs().cast_signed());
        };
        pass(MINUTE * 180);
        for _ in 0..2 {
            worker(&leases).run_once().await.unwrap();
            let remove = ReapOptions { remove: true, ..ReapOptions::default() };
            reap(&leases, &remove).await;
            pass(MINUTE * 61);
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
async fn nothing_is_left_by_a_kill_at_any_call() {
    let mut kills = 0;
    for deed in DEEDS {
        let whole = Scene::new(deed).await;
        let mut child = start(&whole.kit, &whole.home, deed, &whole.lease);
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
                let scene = Scene::new(deed).await;
                let does_work = matches!(fault, Fault::HoldReply { .. });
                let after = u32::try_from(at).unwrap();
                scene.kit.inject(FaultRule { after, ..FaultRule::next("*", 1, fault) });
                let mut child = start(&scene.kit, &scene.home, deed, &scene.lease);
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
