use std::path::Path;
use std::time::{Duration, Instant};

use rolecall_kit::{Fault, FaultRule, IamSettings, Lag, names};
use rustix::process::{Pid, Signal, kill_process};

use super::{assert_no_secret_on_disk, define, leased_users, sandbox};
use crate::support::{Finished, Needles, Running, Sandbox};

fn exec(sandbox: &Sandbox, command: &[&str]) -> Finished {
    sandbox.run(&[&["lease", "exec", "app", "--"], command].concat())
}

fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < Duration::from_secs(50), "{} never came", path.display());
        std::thread::yield_now();
    }
}

fn terminate(running: &Running) {
    let pid = Pid::from_raw(running.pid().cast_signed()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
}

fn only_lease(sandbox: &Sandbox) -> serde_json::Value {
    let all = sandbox.run(&["lease", "list", "--all", "--json"]).json();
    assert_eq!(all["leases"].as_array().unwrap().len(), 1, "{all}");
    all["leases"][0].clone()
}

#[test]
fn the_command_has_a_user_of_its_own_which_is_gone_after() {
    let sandbox = sandbox().set("AWS_PROFILE", "alice");
    define(&sandbox, &["--region", "eu-west-1"]);
    let program = env!("CARGO_BIN_EXE_rolecall");
    let script = format!("{program} whoami; env; tr '\\0' ' ' < /proc/$PPID/cmdline; exit 7");
    let ran = exec(&sandbox, &["sh", "-c", &script]);
    assert_eq!(ran.code(), 7, "{ran:?}");
    let lease = only_lease(&sandbox);
    let user = lease["name"].as_str().unwrap();
    assert!(ran.stdout.contains(&format!("/{user}\n")), "it is not its own user: {ran:?}");
    let value = |name: &str| ran.stdout.lines().find_map(|l| l.strip_prefix(&format!("{name}=")));
    assert_eq!(value("AWS_ACCESS_KEY_ID"), lease["access_key_id"].as_str());
    assert_eq!(value("AWS_REGION"), Some("eu-west-1"));
    // SDKs would take the key for dead at an end that renewals move.
    assert_eq!((value("AWS_CREDENTIAL_EXPIRATION"), value("AWS_PROFILE")), (None, None));
    assert_eq!(lease["state"], "revoked");
    assert!(leased_users(&sandbox).is_empty());
    let secret = value("AWS_SECRET_ACCESS_KEY").unwrap();
    let cmdline = ran.stdout.lines().last().unwrap();
    Needles::new(&sandbox.kit, &[secret]).assert_absent("the arguments", cmdline);
    assert_eq!(ran.stderr, "");
    assert_no_secret_on_disk(&sandbox, &[secret]);
}

#[test]
fn a_command_that_cannot_be_started_leaves_nothing() {
    let sandbox = sandbox();
    define(&sandbox, &[]);
    let ran = exec(&sandbox, &["/no/such/program"]);
    assert!(ran.code() == 4 && ran.stderr.contains("/no/such/program"), "{ran:?}");
    assert!(leased_users(&sandbox).is_empty());
    assert_eq!(only_lease(&sandbox)["state"], "revoked");
}

#[test]
fn sigterm_is_passed_on_and_the_user_is_gone() {
    let sandbox = sandbox();
    define(&sandbox, &[]);
    let script = "trap 'exit 9' TERM; : > up; while kill -0 $PPID; do :; done";
    let running = sandbox.start(&["lease", "exec", "app", "--", "bash", "-c", script]);
    wait_for(&sandbox.home().join("up"));
    assert_eq!(leased_users(&sandbox).len(), 1);
    terminate(&running);
    assert_eq!(running.finish().code(), 9);
    assert!(leased_users(&sandbox).is_empty());
}

#[test]
fn sigterm_while_it_waits_for_the_key_leaves_nothing() {
    let sandbox = sandbox();
    define(&sandbox, &[]);
    let new_keys = Lag { seconds: 10_000, calls: 0 };
    sandbox.kit.set_iam(IamSettings { new_keys, ..IamSettings::default() });
    let running = sandbox.start(&["lease", "exec", "app", "--", "touch", "ran"]);
    // One by the connection, the second with the new key.
    assert!(sandbox.kit.wait_for("GetCallerIdentity", 2));
    terminate(&running);
    assert_eq!(running.finish().code(), 128 + 15);
    assert!(!sandbox.home().join("ran").exists());
    assert!(leased_users(&sandbox).is_empty());
}

#[test]
fn what_cannot_be_taken_back_is_said_and_the_exit_code_is_still_the_commands() {
    let sandbox = sandbox();
    define(&sandbox, &[]);
    let refusal =
        Fault::Fail { status: 403, code: "AccessDenied".to_owned(), message: "no".to_owned() };
    sandbox.kit.inject(FaultRule::always("DeleteUser", refusal));
    let ran = exec(&sandbox, &["sh", "-c", "exit 3"]);
    assert_eq!(ran.code(), 3);
    let lease = only_lease(&sandbox);
    let id = lease["id"].as_str().unwrap();
    for part in [id, "not taken back yet", "lease worker"] {
        assert!(ran.stderr.contains(part), "{ran:?}");
    }
    assert_eq!(lease["state"], "revoking");
    let users = leased_users(&sandbox);
    assert!(users.len() == 1 && users[0].access_keys.is_empty(), "its key lives: {users:?}");
    sandbox.kit.clear_faults();
    sandbox.run(&["lease", "revoke", id]).good();
    assert!(leased_users(&sandbox).is_empty());
}

/// Runs a command until its lease is being renewed. The shortest lease is a minute long: this waits
/// for two thirds of it.
fn until_renewed(sandbox: &Sandbox) -> Running {
    define(sandbox, &["--default-ttl", "1m", "--max-ttl", "100s"]);
    let script = "mkfifo gate; : > up; read line < gate";
    let running = sandbox.start(&["lease", "exec", "app", "--", "bash", "-c", script]);
    wait_for(&sandbox.home().join("up"));
    sandbox.kit.inject(FaultRule::always("PutUserPolicy", Fault::Hold { gate: "renewal".into() }));
    let policies = sandbox.kit.count("PutUserPolicy");
    let start = Instant::now();
    while sandbox.kit.count("PutUserPolicy") == policies {
        assert!(start.elapsed() < Duration::from_secs(50), "it is not renewed");
        sandbox.kit.wait_for("PutUserPolicy", policies + 1);
    }
    running
}

#[test]
fn the_lease_is_renewed_while_the_command_runs() {
    let sandbox = sandbox();
    let running = until_renewed(&sandbox);
    let made = only_lease(&sandbox);
    sandbox.kit.clear_faults();
    sandbox.kit.open("renewal");
    assert!(sandbox.kit.wait_for("TagUser", 1));
    std::fs::write(sandbox.home().join("gate"), "done\n").unwrap();
    let finished = running.finish_within(Duration::from_secs(60));
    assert_eq!(finished.code(), 0, "{finished:?}");
    let lease = only_lease(&sandbox);
    assert!(lease["expires_at"].as_str() > made["expires_at"].as_str(), "{lease}");
    assert_eq!(lease["state"], "revoked");
    assert!(leased_users(&sandbox).is_empty());
    assert_eq!(names::ACCOUNT, lease["account_id"]);
}

#[test]
fn a_signal_after_the_command_ends_a_last_renewal_that_hangs() {
    let sandbox = sandbox();
    let running = until_renewed(&sandbox);
    let gate = sandbox.home().join("gate");
    std::fs::write(&gate, "done\n").unwrap();
    let children = format!("/proc/{0}/task/{0}/children", running.pid());
    let start = Instant::now();
    while !std::fs::read_to_string(&children).unwrap().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(20), "the command still runs");
        std::thread::yield_now();
    }
    // One that comes while the command ends is not meant for the lease.
    while !running.ends_within(Duration::from_millis(100)) {
        assert!(start.elapsed() < Duration::from_secs(20), "it hears no signal");
        terminate(&running);
    }
    let finished = running.finish();
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert!(finished.stderr.contains("signal 15 broke it off"), "{finished:?}");
    let lease = only_lease(&sandbox);
    assert!(finished.stderr.contains(lease["id"].as_str().unwrap()), "{finished:?}");
    sandbox.kit.clear_faults();
    sandbox.kit.open("renewal");
}
