//! No secret where it must not be: logs, errors, arguments, files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rolecall_kit::{Fault, FaultRule, names};

use crate::support::{Finished, Needles, Sandbox};

/// Secrets of the sandbox that the kit does not know.
const OWN: [&str; 3] = ["hunter2-in-the-command", "hunter2-of-the-proxy", "hunter2-wrong-secret"];

/// A sandbox with a profile of every kind, good and bad.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new()
        .set("CODE", names::ALICE_MFA_CODES[0])
        .set("AWS_MAX_ATTEMPTS", "1")
        .set("HTTPS_PROXY", format!("http://me:{}@127.0.0.1:1", OWN[1]));
    sandbox.add_web_profile();
    let (hop, mfa, serial, wrong) = (names::HOP, names::MFA, names::ALICE_MFA, OWN[2]);
    let answer = format!(
        r#"{{"Version":1,"AccessKeyId":"{}","SecretAccessKey":"{}"}}"#,
        names::ALICE_KEY,
        names::ALICE_SECRET
    );
    let dump = sandbox.home().join("cmdline-of-parent");
    let script = format!("cat /proc/$PPID/cmdline >> {}\necho '{answer}'", dump.display());
    let script = sandbox.script("helper", &script);
    let junk = sandbox.script("junk", &format!("echo '{answer}' trailing"));
    sandbox.add_config(&format!(
        "[profile process]\ncredential_process = {script} --password {password}\n\
         [profile junk]\ncredential_process = {junk} --password {password}\n\
         [profile behind]\nrole_arn = {hop}\nsource_profile = process\n\
         [profile mfa]\nrole_arn = {mfa}\nsource_profile = alice\nmfa_serial = {serial}\n\
         [profile keys]\naws_access_key_id = {key}\naws_secret_access_key = {wrong}\n\
         [profile wrong]\nrole_arn = {hop}\nsource_profile = keys\n",
        password = OWN[0],
        key = names::BOB_KEY,
    ));
    sandbox
}

/// Runs at TRACE; standard output counts too, unless credentials are what is asked for.
fn check(sandbox: &Sandbox, args: &[&str], output_is_secret: bool) -> Finished {
    let finished = sandbox.run(&[args, &["--debug"]].concat());
    let needles = Needles::new(&sandbox.kit, &OWN);
    needles.assert_absent(&format!("standard error of {args:?}"), &finished.stderr);
    if !output_is_secret {
        needles.assert_absent(&format!("standard output of {args:?}"), &finished.stdout);
    }
    for form in ["text", "json"] {
        let shown = sandbox.run(&[args, &["--error-format", form]].concat());
        Needles::new(&sandbox.kit, &OWN).assert_absent("an error", &shown.stderr);
    }
    finished
}

#[test]
fn every_command_keeps_secrets_to_itself() {
    let sandbox = sandbox();
    let token = format!("file://{}", sandbox.token_file());
    let mut talk = String::new();
    for profile in ["alice", "hop", "final", "web", "process", "behind"] {
        talk += &check(&sandbox, &["export", "--profile", profile], true).good().stderr;
        check(&sandbox, &["export", "--profile", profile, "--format", "fish"], true).good();
        check(&sandbox, &["credential-process", "--profile", profile], true).good();
        check(&sandbox, &["whoami", "--profile", profile], false).good();
        check(&sandbox, &["exec", "--profile", profile, "--", "true"], false).good();
    }
    assert!(talk.contains("answered"), "nothing was logged:\n{talk}");
    check(&sandbox, &["export", "--profile", "mfa", "--mfa-code", "env:CODE"], true).good();
    for args in [
        &["profiles"][..],
        &["profiles", "--json"],
        &["cache", "list"],
        &["cache", "list", "--json"],
        &["completions", "bash"],
        &["cache", "clear"],
    ] {
        check(&sandbox, args, false).good();
    }
    for profile in ["alice", "final", "web", "process", "mfa", "wrong"] {
        check(&sandbox, &["explain", "--profile", profile], false).good();
        check(&sandbox, &["explain", "--profile", profile, "--json"], false).good();
    }
    check(&sandbox, &["sts", "get-session-token", "--profile", "alice"], true).good();
    let web = ["sts", "assume-role-with-web-identity", "--role-arn", names::WEB];
    let web = [&web[..], &["--role-session-name", "me", "--web-identity-token", &token]].concat();
    check(&sandbox, &web, true).good();
    let needles = Needles::new(&sandbox.kit, &OWN);
    let printed = sandbox.export("final").good().stdout;
    assert!(needles.is_in(&printed) || Needles::new(&sandbox.kit, &OWN).is_in(&printed));
}

#[test]
fn every_failure_keeps_secrets_to_itself() {
    let sandbox = sandbox();
    for (profile, code) in [("junk", 7), ("wrong", 5), ("mfa", 4)] {
        assert_eq!(check(&sandbox, &["export", "--profile", profile], true).code(), code);
        assert_eq!(check(&sandbox, &["whoami", "--profile", profile], false).code(), code);
    }
    for fault in [
        Fault::Throttle,
        Fault::Close,
        Fault::LoseReply,
        Fault::Truncate,
        Fault::Large { bytes: 2_000_000 },
        Fault::Redirect { status: 307, location: "http://127.0.0.1:1".to_owned() },
        Fault::SkewDate { seconds: 3600 },
    ] {
        sandbox.kit.inject(FaultRule::always("*", fault));
        for profile in ["final", "web", "behind"] {
            check(&sandbox, &["export", "--no-cache", "--profile", profile], true);
        }
        check(&sandbox, &["whoami", "--profile", "alice"], false);
        sandbox.kit.clear_faults();
    }
    // Through the proxy that is not there, and an endpoint with a password.
    for url in ["https://sts.example", "http://me:hunter2-of-the-proxy@127.0.0.1:1"] {
        let args = ["export", "--no-cache", "--profile", "hop", "--endpoint-url", url];
        assert_ne!(check(&sandbox, &args, true).code(), 0);
    }
}

#[test]
fn a_refusal_that_repeats_what_was_signed_is_not_repeated() {
    let sandbox = sandbox();
    let made = sandbox.run(&["sts", "get-session-token", "--profile", "alice"]).json();
    let made = |name: &str| made["Credentials"][name].as_str().unwrap().to_owned();
    let fault = Fault::Fail {
        status: 403,
        code: "SignatureDoesNotMatch".to_owned(),
        message: format!("'POST\n/\n\nx-amz-security-token:{}\n'", made("SessionToken")),
    };
    sandbox.kit.inject(FaultRule::always("*", fault));
    let sandbox = sandbox
        .set("AWS_ACCESS_KEY_ID", made("AccessKeyId"))
        .set("AWS_SECRET_ACCESS_KEY", made("SecretAccessKey"))
        .set("AWS_SESSION_TOKEN", made("SessionToken"));
    let finished = check(&sandbox, &["whoami"], false);
    assert_eq!(finished.code(), 5);
    assert!(finished.stderr.contains("x-amz-security-token:[redacted]"), "{finished:?}");
}

#[test]
fn what_is_logged_of_a_retry_is_no_secret() {
    let sandbox = sandbox().set("AWS_MAX_ATTEMPTS", "2");
    for fault in [Fault::Throttle, Fault::LoseReply] {
        sandbox.kit.inject(FaultRule::next("*", 1, fault));
        let finished = check(&sandbox, &["export", "--no-cache", "--profile", "final"], true);
        assert!(finished.good().stderr.contains("trying again"));
    }
}

#[test]
fn arguments_of_processes_hold_no_secret() {
    let sandbox = sandbox();
    let hold = Fault::Hold { gate: "look".to_owned() };
    sandbox.kit.inject(FaultRule::next("AssumeRole", 1, hold));
    let running = sandbox.start(&["export", "--profile", "behind"]);
    assert!(sandbox.kit.wait_for("AssumeRole", 1));
    let own = fs::read_to_string(format!("/proc/{}/cmdline", running.pid())).unwrap();
    sandbox.kit.open("look");
    running.finish().good();
    let exec = ["exec", "--profile", "final", "--", "cat", "/proc/self/cmdline"];
    let child = sandbox.run(&exec).good().stdout;
    let parents = fs::read_to_string(sandbox.home().join("cmdline-of-parent")).unwrap();
    let needles = Needles::new(&sandbox.kit, &OWN);
    for (place, text) in [("its own", own), ("the child's", child), ("the parent's", parents)] {
        assert!(!text.is_empty());
        needles.assert_absent(&format!("{place} command line"), &text);
    }
}

#[test]
fn files_are_their_owners_alone_and_only_the_cache_holds_secrets() {
    let sandbox = sandbox();
    let written_by_user = ["config", "token", "helper", "junk"].map(std::ffi::OsStr::new);
    for profile in ["final", "web", "behind"] {
        sandbox.export(profile).good();
    }
    assert_eq!(sandbox.export("wrong").code(), 5);
    let needles = Needles::new(&sandbox.kit, &OWN);
    let (mut entries, mut locks) = (0, 0);
    for (path, is_folder) in below(&sandbox.home().join(".aws")) {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if is_folder { 0o700 } else { 0o600 }, "{}", path.display());
        let text = if is_folder { String::new() } else { fs::read_to_string(&path).unwrap() };
        if path.starts_with(sandbox.cache()) && !is_folder {
            assert!(needles.is_in(&text), "{}", path.display());
            entries += 1;
        } else if !written_by_user.contains(&path.file_name().unwrap()) {
            needles.assert_absent(&path.display().to_string(), &text);
            locks += u32::from(path.extension().is_some_and(|e| e == "lock"));
        }
    }
    // `behind` is the same role as `hop` from another source: it has an entry of its own. A
    // failure leaves a note in its lock, and nothing else leaves one.
    assert_eq!((entries, locks), (5, 1));
    for (path, _) in below(sandbox.home()) {
        if path.is_file() && !path.starts_with(sandbox.home().join(".aws")) {
            let name = path.file_name().unwrap();
            let known = written_by_user.contains(&name) || name == "cmdline-of-parent";
            assert!(known, "who wrote {}?", path.display());
        }
    }
}

/// All that lies below a folder, and whether it is a folder.
fn below(folder: &Path) -> Vec<(PathBuf, bool)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_folder = path.is_dir();
        if is_folder {
            found.extend(below(&path));
        }
        found.push((path, is_folder));
    }
    found
}
