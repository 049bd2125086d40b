//! `rolecall exec --serve`: a parent that serves its child.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rolecall_kit::{Fault, FaultRule, names};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Finished, Needles, Running, Sandbox, ask};

fn exec(sandbox: &Sandbox, script: &str) -> Finished {
    sandbox.run(&["exec", "--serve", "--profile", "hop", "--", "sh", "-c", script, "x", "--flag"])
}

/// Waits until the command has made a file.
fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < Duration::from_secs(30), "{} never came", path.display());
        std::thread::yield_now();
    }
}

fn signal(running: &Running, signal: Signal) {
    kill_process(Pid::from_raw(running.pid().cast_signed()).unwrap(), signal).unwrap();
}

#[test]
fn the_command_gets_an_endpoint_and_no_keys() {
    let sandbox = Sandbox::new()
        .set("AWS_PROFILE", "alice")
        .set("AWS_ACCESS_KEY_ID", "AKIASTALE")
        .set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/stale")
        .set("MINE", "kept");
    let shown = exec(&sandbox, "env").good().stdout;
    let value = |name: &str| shown.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
    let uri = value("AWS_CONTAINER_CREDENTIALS_FULL_URI").unwrap();
    assert!(uri.starts_with("http://127.0.0.1:") && uri.ends_with("/creds/hop"), "{uri}");
    assert!(value("AWS_CONTAINER_AUTHORIZATION_TOKEN").unwrap().len() >= 32);
    assert_eq!((value("AWS_REGION"), value("MINE")), (Some("us-east-1"), Some("kept")));
    for gone in [
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONFIG_FILE",
    ] {
        assert_eq!(value(gone), None, "{gone}");
    }
    Needles::new(&sandbox.kit, &[]).assert_absent("the environment", &shown);
    assert_eq!(exec(&sandbox, "echo \"$1\"").good().stdout, "--flag\n");
}

#[test]
fn its_endpoint_answers_the_command_and_nobody_else() {
    let sandbox = Sandbox::new();
    let script = "curl -sS -H \"Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN\" \
                  \"$AWS_CONTAINER_CREDENTIALS_FULL_URI\"; \
                  echo; echo $AWS_CONTAINER_CREDENTIALS_FULL_URI > uri; until test -e done; do :; done";
    let args = ["exec", "--serve", "--profile", "hop", "--", "bash", "-c", script];
    let running = sandbox.start(&args);
    wait_for(&sandbox.home().join("uri"));
    let uri = until_line(&sandbox.home().join("uri"));
    let port: u16 = uri.split([':', '/']).nth(4).unwrap().parse().unwrap();
    assert_eq!(ask(port, "GET /creds/hop", &[]).status, 401);
    assert_eq!(ask(port, "PUT /latest/api/token", &[]).status, 404);
    sandbox.file("done", "");
    let given: serde_json::Value =
        serde_json::from_str(running.finish().good().stdout.trim()).unwrap();
    let key = given["AccessKeyId"].as_str().unwrap();
    assert!(sandbox.kit.sessions().iter().any(|session| session.access_key_id == key));
    assert_eq!(given["RoleArn"], names::HOP);
    let gone = std::net::TcpStream::connect(("127.0.0.1", port));
    assert_eq!(gone.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
}

fn until_line(path: &Path) -> String {
    loop {
        let text = fs::read_to_string(path).unwrap();
        if text.ends_with('\n') {
            return text.trim().to_owned();
        }
    }
}

#[test]
fn the_exit_code_is_the_commands() {
    let sandbox = Sandbox::new();
    for (script, code) in
        [("exit 0", 0), ("exit 42", 42), ("kill -KILL $$", 137), ("kill -TERM $$", 143)]
    {
        assert_eq!(exec(&sandbox, script).code(), code, "{script}");
    }
    assert_eq!(exec(&sandbox, "yes | head -n 1").good().stderr, "", "a broken pipe is a signal");
}

#[test]
fn signals_are_passed_on() {
    let sandbox = Sandbox::new();
    for (signal_sent, name) in [
        (Signal::TERM, "TERM"),
        (Signal::INT, "INT"),
        (Signal::HUP, "HUP"),
        (Signal::QUIT, "QUIT"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::WINCH, "WINCH"),
    ] {
        let ready = sandbox.home().join(format!("ready-{name}"));
        // It ends with its parent, should that be killed.
        let script = format!(
            "trap 'exit 7' {name}; : > {}; while kill -0 $PPID; do :; done",
            ready.display()
        );
        let running =
            sandbox.start(&["exec", "--serve", "--profile", "hop", "--", "bash", "-c", &script]);
        wait_for(&ready);
        signal(&running, signal_sent);
        assert_eq!(running.finish().code(), 7, "{name}");
    }
}

#[test]
fn what_the_parent_was_started_to_ignore_the_command_ignores_too() {
    let sandbox = Sandbox::new();
    let script = "trap '' HUP; exec \"$0\" exec --serve --profile hop -- \
                  sh -c 'kill -HUP $$; kill -HUP $PPID; echo alive'";
    let mut shell = std::process::Command::new("sh");
    sandbox.dress(shell.args(["-c", script, env!("CARGO_BIN_EXE_rolecall")]));
    assert_eq!(Running::start(&mut shell, b"").finish().good().stdout, "alive\n");
}

#[test]
fn without_credentials_or_a_command_nothing_runs() {
    let sandbox = Sandbox::new().set("AWS_MAX_ATTEMPTS", "1");
    let missing = sandbox.run(&["exec", "--serve", "--profile", "hop", "--", "no-such-command"]);
    assert_eq!(missing.code(), 127);
    assert!(missing.stderr.contains("no-such-command") && missing.stderr.contains("help: "));
    let denied =
        Fault::Fail { status: 403, code: "AccessDenied".to_owned(), message: String::new() };
    sandbox.kit.inject(FaultRule::always("AssumeRole", denied));
    let finished =
        sandbox.run(&["exec", "--serve", "--no-cache", "--profile", "hop", "--", "touch", "ran"]);
    assert_eq!(finished.code(), 5, "{finished:?}");
    assert!(!sandbox.home().join("ran").exists());
}

#[test]
fn a_default_profile_with_credentials_is_kept_from_the_command() {
    let sandbox = Sandbox::new();
    let show = "echo \"$AWS_CONFIG_FILE $AWS_SHARED_CREDENTIALS_FILE\"";
    sandbox.add_config("[default]\noutput = json\nregion = eu-west-1\n");
    assert_eq!(exec(&sandbox, show).good().stdout, " \n");
    sandbox.add_config("aws_access_key_id = AKIAOTHER\naws_secret_access_key = hunter2-other\n");
    let finished = exec(&sandbox, show).good();
    assert_eq!(finished.stdout, "/dev/null /dev/null\n");
    assert!(finished.stderr.contains("default profile"), "{finished:?}");
}
