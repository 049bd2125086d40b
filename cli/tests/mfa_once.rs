//! Five processes at once, five profiles, one MFA device: one of them asks, once.

use rolecall_kit::{Fault, FaultRule, names};

use crate::support::Sandbox;

/// The roles that alice assumes herself.
const ROLES: [&str; 5] = [names::HOP, names::DEPLOY, names::MFA, names::LONG, names::EXTERNAL];

/// Profiles `p0` to `p4`, with a device that leaves a line in the file `runs` for each code it
/// shows.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let runs = sandbox.home().join("runs");
    let device = sandbox.script(
        "device",
        &format!(
            "echo ran >> {runs}\nset -- {codes}\nshift $(($(wc -l < {runs}) - 1))\necho $1",
            runs = runs.display(),
            codes = names::ALICE_MFA_CODES.join(" ")
        ),
    );
    for (number, role) in ROLES.iter().enumerate() {
        sandbox.add_config(&format!(
            "[profile p{number}]\nrole_arn = {role}\nsource_profile = alice\nmfa_serial = {}\n\
             mfa_process = {device}\nexternal_id = {}\n",
            names::ALICE_MFA,
            names::EXTERNAL_ID
        ));
    }
    sandbox
}

#[test]
fn five_processes_at_once_ask_once() {
    let sandbox = sandbox();
    // The one that asks waits for its answer while the others start.
    let gate = "all run".to_owned();
    sandbox.kit.inject(FaultRule::next("GetSessionToken", 1, Fault::Hold { gate }));
    let processes: Vec<_> = (0..ROLES.len())
        .map(|number| sandbox.start(&["export", "--profile", &format!("p{number}")]))
        .collect();
    assert!(sandbox.kit.wait_for("GetSessionToken", 1));
    sandbox.kit.open("all run");
    for process in processes {
        let printed = process.finish().good().json();
        assert!(printed["SessionToken"].is_string());
    }
    let runs = std::fs::read_to_string(sandbox.home().join("runs")).unwrap();
    assert_eq!(runs, "ran\n", "the code was asked for more than once");
    let counts = ["GetSessionToken", "AssumeRole"].map(|operation| sandbox.kit.count(operation));
    assert_eq!(counts, [1, 5]);
}
