//! What `export` prints, and what shells make of it.

use std::process::{Command, Stdio};

use rolecall_kit::names;
use serde_json::json;

use crate::support::{Running, Sandbox};

/// All that a shell, JSON or a config file could trip over.
const UGLY: &str = r#"a'b"c$HOME `id` \n %PATH% !x #;&|<>(){}[]~*? é\"#;

const NAMES: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

#[test]
fn export_prints_what_credential_process_is_to_print() {
    let sandbox = Sandbox::new();
    let printed = sandbox.export("deploy").json();
    let keys: Vec<_> = printed.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"];
    assert_eq!(keys, expected);
    assert_eq!(printed["Version"], 1);
    let session = printed["AccessKeyId"].as_str().unwrap();
    assert!(sandbox.kit.sessions().iter().any(|s| s.access_key_id == session));
    let again = sandbox.run(&["credential-process", "--profile", "deploy"]).json();
    assert_eq!(again, printed);
}

#[test]
fn export_of_static_keys_prints_no_token() {
    let printed = Sandbox::new().export("alice").json();
    let expected = json!({
        "Version": 1, "AccessKeyId": names::ALICE_KEY, "SecretAccessKey": names::ALICE_SECRET,
    });
    assert_eq!(printed, expected);
}

/// Exports ugly keys, runs them through a shell and gives what its children then have.
fn through(shell: &str, format: &str, script: &str) -> Vec<String> {
    let sandbox = Sandbox::new()
        .set(NAMES[0], "AKIDEXAMPLE")
        .set(NAMES[1], UGLY)
        .set(NAMES[2], format!("{UGLY}\n{UGLY}"));
    let printed = sandbox.run(&["export", "--format", format]).good().stdout;
    let mut command = Command::new(shell);
    sandbox.dress(&mut command);
    command.env_remove(NAMES[0]).env_remove(NAMES[1]).env_remove(NAMES[2]);
    command.args(["-c", script]).stdin(Stdio::piped());
    let shown = Running::start(&mut command, printed.as_bytes()).finish().good();
    shown.stdout.split('\0').map(str::to_owned).collect()
}

#[test]
fn shells_read_back_what_export_prints() {
    const SHOW: &str =
        r#"printf '%s\0' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN""#;
    let expected = ["AKIDEXAMPLE", UGLY, &format!("{UGLY}\n{UGLY}"), ""];
    // `sh -c` sees what is exported; without export only the shell itself does.
    let child = format!("sh -c '{}'", SHOW.replace('\'', r"'\''"));
    for (shell, format, script) in [
        ("bash", "env", format!("eval \"$(cat)\"; {child}")),
        ("sh", "env", format!("eval \"$(cat)\"; {child}")),
        ("bash", "env-no-export", format!("eval \"$(cat)\"; {SHOW}")),
        ("fish", "fish", format!("source; {}", child.replace(r"'\''", r"\'"))),
    ] {
        assert_eq!(through(shell, format, &script), expected, "{shell} {format}");
    }
}

#[test]
fn every_format_of_export_has_its_form() {
    let sandbox = Sandbox::new();
    for (format, line) in [
        ("env", "export AWS_ACCESS_KEY_ID="),
        ("env-no-export", "AWS_ACCESS_KEY_ID="),
        ("fish", "set -gx AWS_ACCESS_KEY_ID "),
        ("powershell", "$Env:AWS_ACCESS_KEY_ID="),
        ("windows-cmd", "set AWS_ACCESS_KEY_ID="),
    ] {
        let printed =
            sandbox.run(&["export", "--profile", "hop", "--format", format]).good().stdout;
        assert!(printed.starts_with(line), "{printed}");
        assert!(printed.contains("AWS_SESSION_TOKEN"), "{printed}");
    }
    let sandbox = sandbox.set(NAMES[0], "AKIDEXAMPLE").set(NAMES[1], "50%");
    let finished = sandbox.run(&["export", "--format", "windows-cmd"]);
    assert_eq!(finished.code(), 4);
    assert!(finished.stdout.is_empty() && finished.stderr.contains("cmd"), "{finished:?}");
}
