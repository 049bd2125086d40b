//! `rolecall secret` and `rolecall lease`, against the kit's IAM.

mod bad_input;
mod connections;
mod exec;
mod life;
mod stores;
mod worker;

use std::fs;

use rolecall_kit::{IamUser, names};
use serde_json::Value;

use crate::support::{Finished, Needles, Running, Sandbox};

/// A sandbox whose profile `admin` may do everything, and where IAM is the kit's too.
fn sandbox() -> Sandbox {
    with_admin(Sandbox::new())
}

fn with_admin(sandbox: Sandbox) -> Sandbox {
    let sandbox = sandbox.set("USER", "tess");
    let url = sandbox.kit.url();
    let (key, secret) = (names::ADMIN_KEY, names::ADMIN_SECRET);
    sandbox.add_config(&format!(
        "[profile admin]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
    ));
    sandbox.set("AWS_ENDPOINT_URL_IAM", url).set("SEAL", "ab".repeat(32))
}

/// Defines `app`, by profile `admin`.
fn define(sandbox: &Sandbox, more: &[&str]) {
    let args = [&["secret", "create", "app", "--connection", "profile:admin"], more].concat();
    sandbox.run(&args).good();
}

/// Takes a lease of `app`.
fn take(sandbox: &Sandbox, more: &[&str]) -> Lease {
    let args = [&["lease", "create", "app", "--json"], more].concat();
    let given = sandbox.run(&args).json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Lease {
        id: text(&given["lease"]["id"]),
        user: text(&given["lease"]["name"]),
        key: text(&given["credentials"]["AccessKeyId"]),
        secret: text(&given["credentials"]["SecretAccessKey"]),
        given,
    }
}

struct Lease {
    id: String,
    user: String,
    key: String,
    secret: String,
    given: Value,
}

/// Users of IAM that are no part of the kit's world.
fn leased_users(sandbox: &Sandbox) -> Vec<IamUser> {
    let users = sandbox.kit.iam_users(names::ACCOUNT).into_iter();
    users.filter(|user| user.path.contains("/rolecall/")).collect()
}

/// Runs `whoami` with these keys alone.
fn whoami(sandbox: &Sandbox, key: &str, secret: &str) -> Finished {
    let mut command = sandbox.command(&["whoami", "--json"]);
    command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret);
    Running::start(&mut command, b"").finish()
}

/// Moves all leases into the past, behind the store's back.
fn move_back(sandbox: &Sandbox, seconds: u32) {
    let path = sandbox.home().join(".local/share/rolecall/leases.db");
    let sql = format!(
        "UPDATE lease SET created_at = created_at - {0}, expires_at = expires_at - {0}, \
         max_expires_at = max_expires_at - {0}, due_at = due_at - {0}",
        seconds * 1000
    );
    rusqlite::Connection::open(path).unwrap().execute(&sql, []).unwrap();
}

/// The state of a lease.
fn state(sandbox: &Sandbox, id: &str) -> String {
    let lease = sandbox.run(&["lease", "show", id, "--json"]).json();
    lease["state"].as_str().unwrap().to_owned()
}

/// Fails if a secret stands in a file of the store, or of the machine besides the config.
fn assert_no_secret_on_disk(sandbox: &Sandbox, more: &[&str]) {
    let needles = Needles::new(&sandbox.kit, more);
    let mut files = 0;
    for folder in [".local/share/rolecall", ".aws/rolecall/stores"] {
        for entry in fs::read_dir(sandbox.home().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            needles.assert_absent(&path.display().to_string(), &text);
            files += 1;
        }
    }
    assert!(files >= 2, "the store is somewhere else");
}
