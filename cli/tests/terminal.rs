//! The question for an MFA code on a real pseudo-terminal.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use rolecall_kit::names;
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{Action, tcflow};

use crate::support::{Running, Sandbox, Terminal};

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

/// `setsid` gives its child's end as an exit code.
fn is_ended_by(finished: &crate::support::Finished, signal: Signal) -> bool {
    finished.status.signal() == Some(signal.as_raw())
        || finished.status.code() == Some(128 + signal.as_raw())
}

/// The program that runs on the terminal, as `setsid` started it.
fn child_of(running: &Running) -> Pid {
    let pid = running.pid();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let child = children.split(' ').next().unwrap().parse().unwrap_or(pid.cast_signed());
    Pid::from_raw(child).unwrap()
}

#[test]
fn a_signal_at_a_secret_question_ends_it_with_the_echo_on() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT] {
        let sandbox = mfa_sandbox();
        let mut terminal = Terminal::open();
        let running = terminal.start(&sandbox, &["export", "--profile", "mfa"]);
        terminal.wait_for(": ");
        assert!(!terminal.echoes());
        kill_process(child_of(&running), signal).unwrap();
        let finished = running.finish_within(Duration::from_secs(20));
        assert!(is_ended_by(&finished, signal), "{signal:?} {finished:?}");
        assert!(terminal.echoes(), "{signal:?} left the echo off");
    }
}

#[test]
fn a_signal_after_a_secret_question_still_ends_it() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open();
    let running = terminal.start(&sandbox, &["configure", "--profile", "new"]);
    terminal.wait_for("AWS Access Key ID [None]: ");
    terminal.person.write_all(b"AKIANEW\n").unwrap();
    terminal.wait_for("AWS Secret Access Key [None]: ");
    terminal.person.write_all(b"secret\n").unwrap();
    terminal.wait_for("Default region name [None]: ");
    kill_process(child_of(&running), Signal::TERM).unwrap();
    let finished = running.finish_within(Duration::from_secs(20));
    assert!(is_ended_by(&finished, Signal::TERM), "{finished:?}");
    assert!(terminal.echoes());
}

#[test]
fn serve_that_has_asked_a_question_still_stops_when_told() {
    let sandbox = mfa_sandbox();
    let mut terminal = Terminal::open();
    let running = terminal.start(&sandbox, &["serve", "--port", "0", "--profile", "mfa"]);
    terminal.wait_for("Enter MFA code");
    writeln!(terminal.person, "{}", names::ALICE_MFA_CODES[0]).unwrap();
    let serve = child_of(&running);
    let tokens = sandbox.home().join(".aws/rolecall/serve");
    let start = Instant::now();
    while std::fs::read_dir(&tokens).map_or(0, Iterator::count) == 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "it does not serve");
        std::thread::yield_now();
    }
    kill_process(serve, Signal::TERM).unwrap();
    let finished = running.finish_within(Duration::from_secs(20));
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert_eq!(std::fs::read_dir(&tokens).unwrap().count(), 0, "the token stayed");
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
