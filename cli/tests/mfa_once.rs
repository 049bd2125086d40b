//! Five processes at once, five profiles, one MFA device: one of them asks, once.

#![expect(clippy::disallowed_methods, reason = "tests stand outside the product's seams")]
#![expect(clippy::unwrap_used, reason = "a broken machine fails its test")]

use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rolecall_kit::{Fault, FaultRule, Kit, World, names};

/// The roles that alice assumes herself.
const ROLES: [&str; 5] = [names::HOP, names::DEPLOY, names::MFA, names::LONG, names::EXTERNAL];

/// A program that shows the next code of alice's device, and leaves a line for each time it ran.
fn write_device(home: &Path) -> String {
    let script = home.join("device");
    let text = format!(
        "#!/bin/sh\necho ran >> {home}/runs\nset -- {codes}\nshift $(($(wc -l < {home}/runs) - 1))\n\
         echo $1\n",
        home = home.display(),
        codes = names::ALICE_MFA_CODES.join(" ")
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o700)).unwrap();
    script.display().to_string()
}

fn write_config(home: &Path, device: &str) {
    let mut config = format!(
        "[profile alice]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        names::ALICE_KEY,
        names::ALICE_SECRET
    );
    for (number, role) in ROLES.iter().enumerate() {
        write!(
            config,
            "[profile p{number}]\nrole_arn = {role}\nsource_profile = alice\n\
             mfa_serial = {}\nmfa_process = {device}\nexternal_id = {}\n",
            names::ALICE_MFA,
            names::EXTERNAL_ID
        )
        .unwrap();
    }
    std::fs::create_dir(home.join(".aws")).unwrap();
    std::fs::write(home.join(".aws/config"), config).unwrap();
}

fn start(home: &Path, kit: &Kit, profile: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_rolecall"))
        .args(["export", "--profile", profile])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", home)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL_STS", kit.url())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn five_processes_at_once_ask_once() {
    let kit = Kit::start(World::default());
    let home = tempfile::tempdir().unwrap();
    write_config(home.path(), &write_device(home.path()));
    // The one that asks waits for its answer while the others start.
    let gate = || Fault::Hold { gate: "all run".to_owned() };
    kit.inject(FaultRule::next("GetSessionToken", 1, gate()));
    let processes: Vec<Child> =
        (0..ROLES.len()).map(|number| start(home.path(), &kit, &format!("p{number}"))).collect();
    assert!(kit.wait_for("GetSessionToken", 1));
    kit.open("all run");
    for process in processes {
        let output = process.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("ASIA"), "{said}");
    }
    let runs = std::fs::read_to_string(home.path().join("runs")).unwrap();
    assert_eq!(runs, "ran\n", "the code was asked for more than once");
    assert_eq!((kit.count("GetSessionToken"), kit.count("AssumeRole")), (1, 5));
}
