//! Where leases are kept, and what happens where they cannot be.

use std::fs;

use rolecall_kit::{Postgres, names};

use super::{define, leased_users, sandbox, state, take};
use crate::support::{Disk, Expected, Sandbox};

const STORE: &str = ".local/share/rolecall";

#[test]
fn a_full_and_a_read_only_disk_each_say_so_and_nothing_is_changed() {
    let sandbox = sandbox();
    define(&sandbox, &[]);
    let lease = take(&sandbox, &[]);
    let calls = sandbox.kit.operations("iam").len();
    let create = ["lease", "create", "app"];
    let revoke = ["lease", "revoke", lease.id.as_str()];
    for (disk, code, says, help) in
        [(Disk::Full, 6, "disk is full", "make room"), (Disk::ReadOnly, 4, "read-only", "writable")]
    {
        for args in [&create[..], &revoke, &["secret", "delete", "app"]] {
            let ran = sandbox.run_on(disk, STORE, "leases.db", args);
            assert_eq!(ran.code(), code, "{args:?}: {ran:?}");
            assert!(ran.stdout.is_empty() && ran.stderr.contains(says), "{args:?}: {ran:?}");
            assert!(ran.stderr.contains(help), "{args:?}: {ran:?}");
        }
    }
    // AWS was asked for nothing: what cannot be written down is not done.
    assert_eq!(sandbox.kit.operations("iam").len(), calls);
    assert_eq!(state(&sandbox, &lease.id), "active");
    assert_eq!(leased_users(&sandbox).len(), 1);
    sandbox.run(&revoke).good();
}

#[test]
fn a_new_store_has_a_log_in_which_nothing_stands() {
    let sandbox = sandbox();
    let log = sandbox.run(&["lease", "audit", "@store", "--verify", "--json"]).json();
    let expected = serde_json::json!({ "subject": "@store", "entries": [], "is_whole": true });
    assert_eq!(log, expected);
    sandbox.run(&["lease", "audit", "@store"]).good();
}

#[test]
fn a_store_that_others_could_write_is_refused() {
    let sandbox = sandbox();
    define(&sandbox, &[]);
    let file = sandbox.home().join(".local/share/rolecall/leases.db");
    for mode in [0o620, 0o602] {
        crate::support::set_mode(&file, mode);
        let says = ["leases.db can be written by others"];
        let expected =
            Expected { code: 4, kind: "InvalidConfiguration", says: &says, help: "chmod" };
        expected.from(&sandbox, &["secret", "list"]);
    }
    crate::support::set_mode(&file, 0o600);
    crate::support::set_mode(file.parent().unwrap(), 0o770);
    let refused = sandbox.run(&["secret", "list"]);
    assert!(refused.code() == 4 && refused.stderr.contains("chmod go-w"), "{refused:?}");
}

/// A life by the program, in whatever store the sandbox has.
fn live(sandbox: &Sandbox) {
    define(sandbox, &["--group", names::GROUP]);
    let lease = take(sandbox, &["--ttl", "10m"]);
    sandbox.run(&["lease", "renew", &lease.id, "--ttl", "5m"]).good();
    assert_eq!(state(sandbox, &lease.id), "active");
    let other = take(sandbox, &[]);
    sandbox.run(&["lease", "revoke", &lease.id]).good();
    sandbox.run(&["lease", "revoke", "--secret", "app", "--all"]).good();
    assert_eq!(state(sandbox, &other.id), "revoked");
    assert_eq!(sandbox.run(&["lease", "worker", "--once", "--json"]).json()["worked_on"], 0);
    sandbox.run(&["lease", "audit", &lease.id, "--verify"]).good();
    sandbox.run(&["lease", "reap"]).good();
    sandbox.run(&["secret", "delete", "app"]).good();
    assert!(leased_users(sandbox).is_empty());
    assert!(!sandbox.home().join(".local/share/rolecall").exists(), "it is in a file");
}

#[test]
fn leases_live_in_postgres_too() {
    let server = Postgres::start(&[], &["fsync=off"]);
    let sandbox = sandbox().set("ROLECALL_STORE", server.url());
    live(&sandbox);
    // A password on the command line is warned of, and one that is wrong is never shown.
    let warned = sandbox.run(&["secret", "list", "--store", &server.url()]).good();
    assert!(warned.stderr.contains("--store"), "{warned:?}");
    let wrong = server.url().replace(server.password(), "hunter2");
    sandbox.file("place", &wrong);
    let refused = sandbox.run(&["secret", "list", "--store", "file://place"]);
    assert_eq!(refused.code(), 5, "{refused:?}");
    assert!(!refused.stderr.contains("hunter2") && refused.stderr.contains("127.0.0.1"));
    drop(server);
    let gone = sandbox.run(&["lease", "list"]);
    assert_eq!(gone.code(), 6, "{gone:?}");
}

#[test]
fn postgres_is_reached_by_tls() {
    let (server, authority) = Postgres::start_with_tls("127.0.0.1");
    let url = server.url().replace(&format!(":{}@", server.password()), "@");
    let sandbox = sandbox().set("PGPASSWORD", server.password());
    let ca = sandbox.file("authority.pem", &authority);
    let by = |query: &str| format!("{url}?{query}");
    let full = by(&format!("sslmode=verify-full&sslrootcert={}", ca.display()));
    let sandbox = sandbox.set("ROLECALL_STORE", full);
    live(&sandbox);
    // By Mozilla's authorities alone it is a stranger.
    let stranger = by("sslmode=verify-full");
    let refused = sandbox.run(&["secret", "list", "--store", &stranger]);
    assert_eq!(refused.code(), 4, "{refused:?}");
    assert!(refused.stderr.contains("sslrootcert"), "{refused:?}");
    let wrong = sandbox.run(&["secret", "list", "--store", &by("sslmode=maybe")]);
    assert!(wrong.code() == 4 && wrong.stderr.contains("verify-full"), "{wrong:?}");
    assert!(fs::read_dir(sandbox.home().join(".aws/rolecall/stores")).unwrap().count() == 1);
}
