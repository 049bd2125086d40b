use std::fs::{self, File};

use rolecall_kit::{Fault, FaultRule, User, names};
use serde_json::json;

use super::{define, leased_users, sandbox, take};
use crate::support::{Expected, Sandbox};

fn wrong<'a>(says: &'a [&'a str], help: &'a str) -> Expected<'a> {
    Expected { code: 4, kind: "InvalidConfiguration", says, help }
}

#[test]
fn requests_beyond_the_limits_are_refused_and_change_nothing() {
    let sandbox = sandbox();
    define(&sandbox, &["--max-ttl", "2h"]);
    let lease = take(&sandbox, &["--ttl", "1h"]);
    let calls = sandbox.kit.operations("iam");
    let before = sandbox.run(&["lease", "show", &lease.id, "--json"]).json();
    let id = lease.id.as_str();
    for (args, says) in [
        (["lease", "create", "app", "--ttl", "0"], &["the TTL is 0 s", "60 s at least"][..]),
        (["lease", "create", "app", "--ttl", "59s"], &["59 s", "60 s at least"]),
        (["lease", "create", "app", "--ttl", "121m"], &["7260 s", "above the maximum", "app"]),
        (["lease", "create", "nope", "--ttl", "1h"], &["no dynamic secret", "nope"]),
    ] {
        wrong(says, "").from(&sandbox, &args);
    }
    let late = ["lease", "renew", id, "--ttl", "61m"];
    wrong(&[id, "3600 s at most"], "take a new lease").from(&sandbox, &late);
    let never = ["lease", "renew", id, "--ttl", "18446744073709551615"];
    wrong(&[id, "at most"], "take a new lease").from(&sandbox, &never);
    let none = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for verb in ["show", "renew", "revoke"] {
        wrong(&[none], "").from(&sandbox, &["lease", verb, none]);
    }
    for nothing in ["x", "@method/x", none] {
        wrong(&["no lease, dynamic secret or auth method", nothing], "list")
            .from(&sandbox, &["lease", "audit", nothing]);
    }
    assert_eq!(sandbox.run(&["lease", "show", id, "--json"]).json(), before);
    assert_eq!(sandbox.kit.operations("iam"), calls, "AWS was asked");

    sandbox.run(&["lease", "revoke", id]).good();
    for verb in ["renew", "revoke"] {
        wrong(&[id, "is revoked"], "").from(&sandbox, &["lease", verb, id]);
    }
    for (args, says) in [
        (&["lease", "create", "app", "--ttl", "soon"][..], "length of time"),
        (&["lease", "show", "x"], "26 characters"),
        (&["lease", "list", "--state", "x"], "revoking"),
        (&["lease", "revoke"], "required"),
        (&["lease", "revoke", "--secret", "app"], "--all"),
        (&["lease", "create", "app", "--keep"], "--seal-key"),
        (&["lease", "list", "--profile", "admin"], "secret create"),
        (&["lease", "worker", "--listen", "here"], "--listen"),
    ] {
        let said = sandbox.run(args);
        assert!(said.code() == 2 && said.stderr.contains(says), "{said:?}");
    }
    wrong(&["loopback"], "127.0.0.1").from(&sandbox, &["lease", "worker", "--listen", "0.0.0.0:0"]);
}

#[test]
fn definitions_that_make_no_sense_are_refused() {
    let sandbox = sandbox();
    let long = "x".repeat(129);
    for (args, says) in [
        (&[long.as_str()][..], "1 to 128"),
        (&["app", "--username-template", "{{lookup this \"constructor\"}}"], "template"),
        (&["app", "--username-template", "{{> partial}}"], "template"),
        (&["app", "--username-template", "{{nope 3}}"], "nope"),
        (&["app", "--username-template", "{{random 101}}"], "template"),
        (&["app", "--username-template", "a b"], "' '"),
        (&["app", "--policy-document", "{"], "not JSON"),
        (&["app", "--policy-document", "{}"], "no Statement"),
        (&["app", "--policy-arn", "ReadOnlyAccess"], "no ARN"),
        (&["app", "--group", "a b"], "group"),
        (&["app", "--default-ttl", "0"], "0 s"),
        (&["app", "--default-ttl", "59s"], "59 s"),
        (&["app", "--max-ttl", "3651d"], "lasts 60 to"),
        (&["app", "--default-ttl", "2h", "--max-ttl", "1h"], "above the maximum"),
        (&["app", "--path", "team"], "slash"),
        (&["app", "--tag", "rolecall:x=1"], "rolecall"),
        (&["app", "--tag", "x"], "KEY=VALUE"),
        (&["app", "--role-arn", names::HOP], "no role"),
        (&["app", "--kind", "session-token", "--group", "x"], "no group"),
        (&["app", "--kind", "assumed-role", "--role-arn", "x"], "role_arn"),
        (&["app", "--kind", "assumed-role", "--max-ttl", "13h"], "43200"),
        (&["app", "--region", "mars/1"], "region"),
        (&["app", "--connection", "vault:hunter2"], "no known form"),
        (&["app", "--connection", "access-key:AKIAIOSFODNN7EXAMPLE=hunter2"], "env:NAME"),
        (&["app", "--connection", "role:x"], "role_arn"),
        (&["app", "--connection", "profile:"], "empty"),
        (&["app", "--file", "missing.json"], "missing.json"),
    ] {
        let args = [&["secret", "create"], args].concat();
        wrong(&[says], "").from(&sandbox, &args);
        assert!(!sandbox.run(&args).stderr.contains("hunter2"));
    }
    assert_eq!(sandbox.run(&["secret", "list", "--json"]).json(), json!({ "secrets": [] }));
    define(&sandbox, &[]);
    let twice = ["secret", "create", "app"];
    wrong(&["app", "is a definition of that name"], "another name").from(&sandbox, &twice);
    assert!(sandbox.kit.calls().is_empty());
}

#[test]
fn what_aws_refuses_leaves_nothing() {
    let sandbox = sandbox();
    define(&sandbox, &["--group", "Nobody"]);
    let refused = sandbox.run(&["lease", "create", "app"]);
    assert!(refused.code() != 0 && refused.stdout.is_empty(), "{refused:?}");
    assert!(refused.stderr.contains("Nobody"), "{refused:?}");
    assert!(leased_users(&sandbox).is_empty());
    let all = sandbox.run(&["lease", "list", "--all", "--json"]).json();
    assert_eq!(all["leases"][0]["state"], "failed");
    // A connection that leads nowhere.
    sandbox.run(&["secret", "update", "app", "--connection", "profile:nobody"]).good();
    let refused = sandbox.run(&["lease", "create", "app"]);
    assert!(refused.stderr.contains("nobody"), "{refused:?}");
    assert_eq!(sandbox.run(&["lease", "list", "--all", "--json"]).json(), all);
}

#[test]
fn a_lease_that_has_ended_is_not_renewed() {
    let sandbox = sandbox();
    define(&sandbox, &[]);
    let lease = take(&sandbox, &["--ttl", "10m"]);
    let calls = sandbox.kit.operations("iam");
    // An hour later: a program's clock is its machine's, so the lease is moved into the past.
    super::move_back(&sandbox, 3600);
    let said = wrong(&["is over and cannot be renewed"], "take a new one");
    said.from(&sandbox, &["lease", "renew", &lease.id, "--ttl", "5m"]);
    assert_eq!(sandbox.kit.operations("iam"), calls, "AWS was asked");
}

#[test]
fn a_foreign_user_of_the_same_name_is_left_alone() {
    let sandbox = sandbox();
    define(&sandbox, &[]);
    let exists = Fault::Fail {
        status: 409,
        code: "EntityAlreadyExists".to_owned(),
        message: "User with that name already exists.".to_owned(),
    };
    // Nobody can foresee the name: the user is put there while the call is held.
    sandbox.kit.inject(FaultRule::next("CreateUser", 1, exists));
    let hold = Fault::Hold { gate: "look".to_owned() };
    sandbox.kit.inject(FaultRule::next("GetUser", 1, hold));
    let running = sandbox.start(&["lease", "create", "app"]);
    assert!(sandbox.kit.wait_for("GetUser", 1));
    let list = sandbox.run(&["lease", "list", "--json"]).json();
    let name = list["leases"][0]["name"].as_str().unwrap().to_owned();
    let foreign = User { account: names::ACCOUNT.to_owned(), name, ..User::default() };
    sandbox.kit.change_world(|world| world.users.push(foreign.clone()));
    sandbox.kit.open("look");
    let refused = running.finish();
    assert_eq!(refused.code(), 5, "{refused:?}");
    assert!(refused.stderr.contains("is not ours") && refused.stdout.is_empty(), "{refused:?}");
    let users = sandbox.kit.iam_users(names::ACCOUNT);
    assert!(users.iter().any(|user| user.name == foreign.name), "it was touched");
    let list = sandbox.run(&["lease", "list", "--all", "--json"]).json();
    assert_eq!(list["leases"][0]["state"], "failed");
}

#[test]
fn an_identity_cannot_smuggle_a_template_into_a_name() {
    let sandbox = sandbox();
    define(&sandbox, &["--username-template", "u-{{identity.name}}"]);
    let lease = take(&sandbox, &["--identity", "{{secret.name}}{{random 9}}/../x"]);
    assert!(lease.user.starts_with("u-__secret_name____random_9___"), "{}", lease.user);
    let long = take(&sandbox, &["--identity", &"x".repeat(300)]);
    assert!(long.user.len() <= 64, "{}", long.user);
    let long = ["secret", "create", "b", "--username-template", &"x".repeat(256)];
    wrong(&["template", "255"], "").from(&sandbox, &long);
}

fn store(sandbox: &Sandbox) -> std::path::PathBuf {
    sandbox.home().join(".local/share/rolecall/leases.db")
}

#[test]
fn stores_that_cannot_be_used_say_why() {
    let sandbox = sandbox();
    for (place, says) in [
        ("mysql://me:hunter2@db/x", "no sqlite:PATH"),
        ("sqlite:", "no sqlite:PATH"),
        ("env:NOTHING", "NOTHING"),
        ("/dev/null", "no regular file"),
    ] {
        let args = ["secret", "list", "--store", place];
        wrong(&[says], "").from(&sandbox, &args);
        assert!(!sandbox.run(&args).stderr.contains("hunter2"));
    }
    sandbox.file("notes.txt", &"this is no database. ".repeat(400));
    let args = ["secret", "list", "--store", "notes.txt"];
    wrong(&["not a lease store", "notes.txt"], "another file").from(&sandbox, &args);

    define(&sandbox, &[]);
    let whole = fs::read(store(&sandbox)).unwrap();
    let mut newer = whole.clone();
    // The version: bytes 60 to 64 of the header (SQLite, "Database File Format", 1.3).
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(store(&sandbox), &newer).unwrap();
    wrong(&["version 99"], "newer rolecall").from(&sandbox, &["secret", "list"]);
    assert_eq!(fs::read(store(&sandbox)).unwrap(), newer, "it was changed");
    fs::write(store(&sandbox), &whole).unwrap();
    sandbox.run(&["secret", "show", "app"]).good();
}

#[test]
fn a_store_that_is_locked_says_so_in_time() {
    let sandbox = sandbox();
    let turn = sandbox.file("new.db-turn", "");
    let lock = File::open(turn).unwrap();
    lock.lock().unwrap();
    let locked = sandbox.run(&["secret", "list", "--store", "new.db"]);
    assert_eq!(locked.code(), 6, "{locked:?}");
    assert!(locked.stderr.contains("locked by another process"), "{locked:?}");
    drop(lock);
    sandbox.run(&["secret", "list", "--store", "new.db"]).good();
}
