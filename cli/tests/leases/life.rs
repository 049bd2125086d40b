use rolecall_kit::{ByHand, names};
use serde_json::{Value, json};

use super::{assert_no_secret_on_disk, define, leased_users, sandbox, state, take, whoami};
use crate::support::Needles;

const POLICY: &str = r#"{"Statement":[{"Effect":"Allow","Action":"sqs:*","Resource":"*"}]}"#;

#[test]
fn a_lease_is_made_used_renewed_and_taken_back_with_nothing_left() {
    let sandbox = sandbox();
    sandbox.file("policy.json", POLICY);
    let document = format!("file://{}/policy.json", sandbox.home().display());
    define(
        &sandbox,
        &[
            "--group",
            names::GROUP,
            "--policy-arn",
            names::POLICY,
            "--policy-document",
            &document,
            "--permissions-boundary",
            names::BOUNDARY,
            "--path",
            "/team/",
            "--tag",
            "team=blue",
            "--username-template",
            "ci-{{identity.name}}",
            "--default-ttl",
            "15m",
            "--max-ttl",
            "1h",
        ],
    );
    let lease = take(&sandbox, &["--identity", "o'hara", "--note", "for the test", "--debug"]);
    let [user] = leased_users(&sandbox).try_into().unwrap();
    assert_eq!(user.name, lease.user);
    assert!(user.name.starts_with("ci-o_hara-") && user.path.starts_with("/team/rolecall/"));
    assert_eq!(user.groups, [names::GROUP]);
    assert_eq!(user.attached_policies, [names::POLICY]);
    assert_eq!(user.permissions_boundary.as_deref(), Some(names::BOUNDARY));
    assert_eq!(
        (user.tags["team"].as_str(), user.tags["rolecall:lease"].as_str()),
        ("blue", &*lease.id)
    );
    assert_eq!(user.inline_policies["rolecall"], POLICY);
    let end = lease.given["lease"]["expires_at"].as_str().unwrap();
    assert!(user.inline_policies["rolecall-expiry"].contains(end), "{user:?}");
    assert_eq!(lease.given["credentials"]["Expiration"], end);

    // Its key works, and it is seen wherever leases are.
    let identity = whoami(&sandbox, &lease.key, &lease.secret).json();
    assert_eq!(identity["Arn"], user.arn);
    let shown = sandbox.run(&["lease", "show", &lease.id, "--json"]).json();
    assert_eq!(shown, lease.given["lease"]);
    assert_eq!(
        (&shown["state"], &shown["identity"], &shown["note"], &shown["access_key_id"]),
        (&json!("active"), &json!("o'hara"), &json!("for the test"), &json!(lease.key))
    );
    let list = |args: &[&str]| {
        let all = sandbox.run(&[&["lease", "list", "--json"], args].concat()).json();
        all["leases"].as_array().unwrap().len()
    };
    assert_eq!(list(&[]), 1);
    assert_eq!(list(&["--secret", "app", "--identity", "o'hara", "--expires-within", "20m"]), 1);
    for none in [
        &["--secret", "other"][..],
        &["--identity", "tess"],
        &["--expires-within", "10m"],
        &["--state", "revoked,failed"],
        &["--after", &lease.id],
    ] {
        assert_eq!(list(none), 0, "{none:?}");
    }
    let table = sandbox.run(&["lease", "list"]).good().stdout;
    assert!(table.starts_with("LEASE ") && table.contains(&lease.id), "{table}");

    // Renewed: in the store and at the user itself.
    let renewed = sandbox.run(&["lease", "renew", &lease.id, "--ttl", "30m", "--json"]).json();
    let new_end = renewed["expires_at"].as_str().unwrap();
    assert!(new_end > end);
    let [user] = leased_users(&sandbox).try_into().unwrap();
    assert!(user.inline_policies["rolecall-expiry"].contains(new_end), "{user:?}");
    assert_eq!(user.tags["rolecall:expires"], new_end);

    // Taken back, with what others have attached meanwhile.
    sandbox.kit.add_by_hand(&ByHand::everything(names::ACCOUNT, &lease.user)).unwrap();
    let said = sandbox.run(&["lease", "revoke", &lease.id]).good();
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("Revoked 1 of 1 leases.\n", ""));
    assert!(leased_users(&sandbox).is_empty());
    assert_eq!(whoami(&sandbox, &lease.key, &lease.secret).code(), 5);
    assert_eq!(state(&sandbox, &lease.id), "revoked");
    assert_eq!((list(&[]), list(&["--all"])), (0, 1));

    // All of it is in the log, which is whole.
    let audit = sandbox.run(&["lease", "audit", &lease.id, "--verify", "--json"]).json();
    let acts: Vec<_> = audit["entries"].as_array().unwrap().iter().map(act).collect();
    assert_eq!(acts, ["create begun", "create done", "renew done", "revoke begun", "revoke done"]);
    assert_eq!(audit["is_whole"], true);
    let actor = audit["entries"][0]["actor"].as_str().unwrap();
    assert!(actor.starts_with("tess@"), "{actor}");
    let said = sandbox.run(&["lease", "audit", "app", "--verify"]).good();
    assert!(said.stdout.contains("create") && said.stderr.contains("whole"), "{said:?}");
    sandbox.run(&["secret", "delete", "app"]).good();
    assert_no_secret_on_disk(&sandbox, &[&lease.secret]);
}

fn act(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap().to_owned();
    format!("{} {}", text("action"), text("outcome"))
}

#[test]
fn credentials_are_printed_as_export_prints_them_and_nowhere_else() {
    let sandbox = sandbox();
    define(&sandbox, &[]);
    let made = sandbox.run(&["lease", "create", "app", "--format", "env", "--debug"]).good();
    let mut lines = made.stdout.lines();
    assert!(lines.next().unwrap().starts_with("export AWS_ACCESS_KEY_ID=AKIA"));
    assert!(lines.next().unwrap().starts_with("export AWS_SECRET_ACCESS_KEY="));
    assert!(lines.next().unwrap().starts_with("export AWS_CREDENTIAL_EXPIRATION="));
    assert_eq!(lines.next(), None);
    assert!(made.stderr.contains("iam-user") && made.stderr.contains(" until "), "{made:?}");
    let needles = Needles::new(&sandbox.kit, &[]);
    assert!(needles.is_in(&made.stdout));
    needles.assert_absent("the log", &made.stderr);
    let process = sandbox.run(&["lease", "create", "app"]).json();
    assert_eq!(process["Version"], 1);
    for args in [&["lease", "list", "--all"][..], &["secret", "show", "app"], &["secret", "list"]] {
        let shown = sandbox.run(&[args, &["--debug"]].concat()).good();
        let needles = Needles::new(&sandbox.kit, &[]);
        needles.assert_absent("output", &format!("{}{}", shown.stdout, shown.stderr));
    }
    let all = ["lease", "revoke", "--secret", "app", "--all", "--json"];
    assert_eq!(sandbox.run(&all).json()["revoked"], 2);
    assert!(leased_users(&sandbox).is_empty());
    assert_no_secret_on_disk(&sandbox, &[]);
}

#[test]
fn a_secret_that_is_kept_is_shown_to_who_has_the_key() {
    let sandbox = sandbox().set("OTHER", "cd".repeat(32));
    define(&sandbox, &[]);
    let lease = take(&sandbox, &["--keep", "--seal-key", "env:SEAL"]);
    let reveal = ["lease", "show", &lease.id, "--reveal", "--seal-key"];
    let shown = sandbox.run(&[&reveal[..], &["env:SEAL"]].concat()).json();
    assert_eq!(shown["SecretAccessKey"], lease.secret);
    let other = sandbox.run(&[&reveal[..], &["env:OTHER"]].concat());
    assert_eq!(other.code(), 5);
    assert!(other.stderr.contains("another key") && other.stdout.is_empty(), "{other:?}");
    assert_eq!(sandbox.run(&[&reveal[..], &["env:USER"]].concat()).code(), 4, "no key at all");
    assert_no_secret_on_disk(&sandbox, &[&lease.secret, &"ab".repeat(32)]);
    let bare = take(&sandbox, &[]);
    let shown = sandbox.run(&["lease", "show", &bare.id, "--reveal", "--seal-key", "env:SEAL"]);
    assert!(shown.code() == 4 && shown.stderr.contains("is not kept"), "{shown:?}");
}

#[test]
fn definitions_are_changed_part_by_part_and_by_file() {
    let sandbox = sandbox();
    define(&sandbox, &["--group", names::GROUP, "--tag", "a=b", "--default-ttl", "20m"]);
    let shown = || sandbox.run(&["secret", "show", "app", "--json"]).json();
    sandbox.run(&["secret", "update", "app", "--group", "", "--max-ttl", "2h"]).good();
    let now = shown();
    assert_eq!((&now["groups"], &now["tags"]["a"]), (&json!([]), &json!("b")));
    assert_eq!((&now["max_ttl_seconds"], &now["version"]), (&json!(7200), &json!(2)));
    // What is shown is what is read.
    let file = sandbox.file("app.json", &now.to_string()).display().to_string();
    sandbox.run(&["secret", "update", "app", "--file", &file]).good();
    assert_eq!(shown()["version"], 3);
    sandbox.file("other.json", &now.to_string().replace("\"app\"", "\"other\""));
    sandbox.run(&["secret", "create", "other", "--file", "other.json", "--profile", "x"]).good();
    let list = sandbox.run(&["secret", "list"]).good().stdout;
    assert!(list.contains("profile:x") && list.contains("2h"), "{list}");
    // A lower maximum counts for renewals of leases that run.
    let lease = take(&sandbox, &["--ttl", "10m"]);
    let lower = ["secret", "update", "app", "--max-ttl", "15m", "--default-ttl", "5m"];
    sandbox.run(&lower).good();
    assert_eq!(sandbox.run(&["lease", "renew", &lease.id, "--ttl", "10m"]).code(), 4);
    sandbox.run(&["lease", "renew", &lease.id]).good();
    let deleted = sandbox.run(&["secret", "delete", "app"]);
    assert!(deleted.code() != 0 && deleted.stderr.contains("leases of it run"), "{deleted:?}");
}
