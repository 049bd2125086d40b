//! The question for an MFA code on a real pseudo-terminal.

use std::io::Write;
use std::time::{Duration, Instant};

use rolecall_kit::names;
use rustix::termios::{Action, tcflow};

use crate::support::{Sandbox, Terminal};

fn mfa_sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let (role, serial) = (names::MFA, names::ALICE_MFA);
    sandbox.add_config(&format!(
        "[profile mfa]\nrole_arn = {role}\nsource_profile = alice\nmfa_serial = {serial}\n"
    ));
    sandbox
}

#[test]
fn an_mfa_code_is_asked_for_on_the_terminal_and_not_echoed() {
    let sandbox = mfa_sandbox();
    let mut terminal = Terminal::open();
    assert!(terminal.echoes());
    let args = ["export", "--profile", "mfa"];
    let running = terminal.start(&sandbox, &args);
    terminal.wait_for(&format!("Enter MFA code for {}: ", names::ALICE_MFA));
    let code = names::ALICE_MFA_CODES[0];
    writeln!(terminal.person, "{code}").unwrap();
    let printed = running.finish().json();
    assert!(printed["SessionToken"].is_string());
    while terminal.look(0) {}
    assert!(!terminal.seen.contains(code), "{:?}", terminal.seen);
    assert!(terminal.seen.ends_with("\r\n"), "{:?}", terminal.seen);
    assert!(terminal.echoes(), "the echo stayed off");

    // The session is in the cache: nobody is asked again.
    terminal.start(&sandbox, &args).finish().good();
    assert_eq!(terminal.seen.matches("Enter MFA").count(), 1);
    assert!(!terminal.look(0));
}

#[test]
fn the_echo_is_off_before_the_question_is_shown() {
    let sandbox = mfa_sandbox();
    let mut terminal = Terminal::open();
    // A stopped terminal takes no output, so the question waits, and with it what comes after it.
    tcflow(&terminal.program, Action::OOff).unwrap();
    let running = terminal.start(&sandbox, &["export", "--profile", "mfa"]);
    let start = Instant::now();
    while terminal.echoes() {
        assert!(start.elapsed() < Duration::from_secs(20), "the question came first");
        std::thread::yield_now();
    }
    tcflow(&terminal.program, Action::OOn).unwrap();
    terminal.wait_for(": ");
    writeln!(terminal.person, "{}", names::ALICE_MFA_CODES[1]).unwrap();
    running.finish().good();
}

#[test]
fn an_empty_answer_is_refused() {
    let sandbox = mfa_sandbox();
    let mut terminal = Terminal::open();
    let running = terminal.start(&sandbox, &["export", "--profile", "mfa"]);
    terminal.wait_for(": ");
    writeln!(terminal.person).unwrap();
    let finished = running.finish();
    assert_eq!(finished.code(), 4, "{finished:?}");
    assert!(finished.stderr.contains("empty"), "{finished:?}");
    assert!(terminal.echoes(), "the echo stayed off");
}

#[test]
fn ctrl_c_reaches_the_command_of_exec_serve_once() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open();
    let script = "trap 'echo interrupted > /dev/tty' INT; echo ready > /dev/tty; \
                  until read -r line && test \"$line\" = end; do :; done; exit 4";
    let running = terminal
        .start(&sandbox, &["exec", "--serve", "--profile", "hop", "--", "bash", "-c", script]);
    terminal.wait_for("ready");
    terminal.person.write_all(b"\x03").unwrap();
    terminal.wait_for("interrupted");
    terminal.person.write_all(b"end\n").unwrap();
    let finished = running.finish();
    assert_eq!(finished.code(), 4, "{finished:?}");
    while terminal.look(0) {}
    assert_eq!(terminal.seen.matches("interrupted").count(), 1, "{:?}", terminal.seen);
}
