use std::fs;
use std::io::{BufRead, BufReader};

use rolecall_kit::{Fault, FaultRule};
use rustix::process::{Pid, Signal, kill_process};

use super::{define, leased_users, sandbox, state, take};
use crate::support::{Needles, Running, Sandbox, ask};

/// A worker with its port, ready.
fn work(sandbox: &Sandbox) -> (Running, u16) {
    let (reader, writer) = std::io::pipe().unwrap();
    let args = ["lease", "worker", "--listen", "127.0.0.1:0", "--json", "--debug"];
    let running = Running::start(sandbox.command(&args).stdout(writer), b"");
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).unwrap();
    let about: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = about["listen"].as_str().unwrap();
    (running, address.rsplit(':').next().unwrap().parse().unwrap())
}

#[test]
fn the_worker_goes_on_with_what_failed_and_tells_how_it_fares() {
    let sandbox = sandbox();
    define(&sandbox, &[]);
    let lease = take(&sandbox, &[]);
    let refusal = Fault::Fail {
        status: 403,
        code: "AccessDenied".to_owned(),
        message: "not allowed".to_owned(),
    };
    sandbox.kit.inject(FaultRule::next("DeleteUser", 1, refusal));
    let refused = sandbox.run(&["lease", "revoke", &lease.id]);
    assert_ne!(refused.code(), 0);
    assert!(refused.stderr.contains("lease worker"), "{refused:?}");
    assert_eq!(state(&sandbox, &lease.id), "revoking");

    let (running, port) = work(&sandbox);
    assert!(sandbox.kit.wait_for("DeleteUser", 2), "nobody went on with it");
    let text = loop {
        let answer = ask(port, "GET /metrics", &[]);
        assert_eq!(answer.status, 200);
        if answer.body.contains("rolecall_leases_revoked_total 1\n") {
            break answer.body;
        }
    };
    assert!(text.contains("# TYPE rolecall_leases_revoked_total counter\n"), "{text}");
    assert!(leased_users(&sandbox).is_empty());
    let well = ask(port, "GET /healthz", &[]);
    assert_eq!((well.status, well.body.as_str()), (200, "well\n"));
    for (line, header, status) in [
        ("GET /metrics", "Host: evil.example", 403),
        ("GET /healthz", "X-Forwarded-For: 192.0.2.1", 400),
        ("POST /metrics", "X: x", 405),
        ("GET /creds", "X: x", 404),
    ] {
        assert_eq!(ask(port, line, &[header]).status, status, "{line} {header}");
    }
    kill_process(Pid::from_raw(running.pid().cast_signed()).unwrap(), Signal::TERM).unwrap();
    let finished = running.finish();
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert!(finished.stderr.contains(&lease.id), "{finished:?}");
    Needles::new(&sandbox.kit, &[&lease.secret]).assert_absent("the log", &finished.stderr);
    assert_eq!(state(&sandbox, &lease.id), "revoked");
}

#[test]
fn a_store_from_a_backup_takes_nothing_back_until_it_is_accepted() {
    let sandbox = sandbox();
    define(&sandbox, &[]);
    let store = sandbox.home().join(".local/share/rolecall/leases.db");
    let backup = fs::read(&store).unwrap();
    let lease = take(&sandbox, &[]);
    assert_eq!(sandbox.run(&["lease", "worker", "--once", "--json"]).json()["worked_on"], 0);
    for entry in fs::read_dir(store.parent().unwrap()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    sandbox.file(".local/share/rolecall/leases.db", "");
    fs::write(&store, backup).unwrap();
    let shown = sandbox.run(&["lease", "store"]).good();
    assert!(shown.stderr.contains("restored from a backup"), "{shown:?}");
    let refused = sandbox.run(&["lease", "worker", "--once"]);
    assert_eq!(refused.code(), 4, "{refused:?}");
    assert!(refused.stderr.contains("--accept-restored"), "{refused:?}");
    let accepted = sandbox.run(&["lease", "store", "--accept-restored", "--json"]).json();
    assert_eq!((&accepted["epoch"], accepted["doubt"].is_null()), (&2.into(), true));
    sandbox.run(&["lease", "worker", "--once"]).good();
    // What the backup does not know of is found in IAM.
    sandbox.kit.change_world(|world| {
        for user in &mut world.users {
            user.iam.created -= 3600;
        }
    });
    let reap = ["lease", "reap", "--unexpired", "--remove", "--json"];
    assert_eq!(sandbox.run(&reap).json()["orphans"][0]["lease"], lease.id);
    assert!(leased_users(&sandbox).is_empty());
}
