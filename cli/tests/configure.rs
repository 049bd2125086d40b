//! `configure` as people and scripts use it. What it does to files in detail is tested beside the
//! code, and against AWS CLI in tests/peers.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use crate::support::{Expected, Running, Sandbox, Terminal, set_mode};

const SECRET: &str = "hunter2/hunter2+WXYZ";

fn wrong<'a>(says: &'a [&'a str], help: &'a str) -> Expected<'a> {
    Expected { code: 4, kind: "InvalidConfiguration", says, help }
}

#[test]
fn settings_are_written_without_a_question_and_read_again() {
    let sandbox = Sandbox::new().set("THE_TOKEN", "token-of-the-test");
    sandbox.config("");
    let file = sandbox.file("secret", &format!("{SECRET}\n"));
    let secret = format!("aws_secret_access_key=file://{}", file.display());
    let args = ["configure", "--profile", "p", "--set", "aws_access_key_id=AKID", "--set", &secret];
    let more = [
        "--set",
        "aws_session_token=env:THE_TOKEN",
        "--set",
        "region=eu-west-1",
        "--set",
        "s3.a=1",
    ];
    let finished = sandbox.run(&[&args[..], &more].concat()).good();
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("", ""));
    assert_eq!(
        sandbox.read("credentials"),
        format!(
            "[p]\naws_access_key_id = AKID\naws_secret_access_key = {SECRET}\n\
             aws_session_token = token-of-the-test\n"
        )
    );
    assert_eq!(sandbox.read("config"), "[profile p]\nregion = eu-west-1\ns3 =\n    a = 1\n");
    let got = |args: &[&str]| {
        let finished = sandbox.run(&[&["configure", "get"], args].concat());
        (finished.code(), finished.stdout)
    };
    assert_eq!(got(&["region", "--profile", "p"]), (0, "eu-west-1\n".to_owned()));
    assert_eq!(got(&["p.aws_secret_access_key"]), (0, format!("{SECRET}\n")));
    assert_eq!(got(&["output", "--profile", "p"]), (1, String::new()));
    assert_eq!(got(&["profile.p.s3"]), (1, String::new()));
    assert_eq!(got(&["profile.p"]).0, 2);
    assert_eq!(got(&["region", "--profile", "q"]).0, 4);
    let json = sandbox.run(&["configure", "get", "p.s3.a", "--json"]).json();
    assert_eq!(json, serde_json::json!({"key": "p.s3.a", "value": "1"}));
    let names = sandbox.run(&["configure", "list-profiles"]).good();
    assert_eq!(names.stdout, "p\n");
}

#[test]
fn a_secret_from_standard_input_is_not_warned_of_and_one_in_the_open_is() {
    let sandbox = Sandbox::new();
    let args = ["configure", "set", "aws_secret_access_key"];
    let finished = sandbox.run_with_input(&[&args[..], &["-"]].concat(), &format!("{SECRET}\n"));
    assert_eq!(finished.good().stderr, "");
    let text = format!("[default]\naws_secret_access_key = {SECRET}\n");
    assert_eq!(sandbox.read("credentials"), text);
    let finished = sandbox.run(&[&args[..], &["open-and-seen"]].concat()).good();
    assert!(finished.stderr.contains("other users of this machine can see"), "{finished:?}");
    assert!(!finished.stderr.contains("open-and-seen"));
}

#[test]
fn what_no_file_can_hold_is_refused_and_not_shown() {
    let sandbox = Sandbox::new();
    let before = sandbox.read("config");
    let seen = "a 'secret' #hunter2";
    for (args, says, help) in [
        (vec!["--set", "aws_session_token=hunter2\nx"], "more than one line", "no way to quote"),
        (vec!["--set", "hunter2"], "needs a '='", "KEY=VALUE"),
        (vec!["set", "region", seen], "begins a comment", "no way to quote"),
        (vec!["set", "a b", "x"], "\"a b\" cannot be the name of a setting", "letters, digits"),
        (vec!["set", "x", "y", "--profile", "a]b"], "\"a]b\" cannot be the name", "letters"),
    ] {
        let args = [&["configure"], &args[..]].concat();
        wrong(&[says], help).from(&sandbox, &args);
        assert!(!sandbox.run(&args).stderr.contains("hunter2"), "{args:?}");
    }
    assert_eq!((sandbox.read("config"), sandbox.read("credentials")), (before, String::new()));
}

#[test]
fn questions_are_asked_on_the_terminal_and_secrets_not_echoed() {
    let sandbox = Sandbox::new();
    sandbox.config("# mine\n[profile p]\nregion = xx\n");
    let mut terminal = Terminal::open();
    let running = terminal.start(&sandbox, &["configure", "--profile", "p"]);
    for (question, answer) in [
        ("AWS Access Key ID [None]: ", "ASIAEXAMPLE"),
        ("AWS Secret Access Key [None]: ", SECRET),
        ("AWS Session Token [None]: ", "token-of-the-test"),
        ("Default region name [xx]: ", ""),
        ("Default output format [None]: ", "json"),
    ] {
        terminal.wait_for(question);
        assert_eq!(terminal.echoes(), !question.contains("Se"), "{question}");
        writeln!(terminal.person, "{answer}").unwrap();
    }
    running.finish().good();
    while terminal.look(0) {}
    assert!(terminal.seen.contains("ASIAEXAMPLE") && terminal.seen.ends_with("json\r\n"));
    for secret in [SECRET, "token-of-the-test"] {
        assert!(!terminal.seen.contains(secret), "{:?}", terminal.seen);
    }
    assert!(terminal.echoes(), "the echo stayed off");
    assert_eq!(sandbox.read("config"), "# mine\n[profile p]\nregion = xx\noutput = json\n");
    assert!(sandbox.read("credentials").ends_with("aws_session_token = token-of-the-test\n"));
}

#[test]
fn answers_that_are_pasted_all_at_once_are_taken() {
    let sandbox = Sandbox::new();
    sandbox.config("");
    let mut terminal = Terminal::open();
    write!(terminal.person, "AKIAEXAMPLE\n{SECRET}\nxx\n\n").unwrap();
    terminal.start(&sandbox, &["configure"]).finish().good();
    assert_eq!(sandbox.read("config"), "[default]\nregion = xx\n");
    assert!(sandbox.read("credentials").contains(SECRET));
}

#[test]
fn a_question_that_is_refused_changes_nothing() {
    for typed in ["AKIAEXAMPLE\n\x03", "\x04"] {
        let sandbox = Sandbox::new();
        let before = sandbox.read("config");
        let mut terminal = Terminal::open();
        let running = terminal.start(&sandbox, &["configure"]);
        terminal.wait_for("ID [None]: ");
        let (first, rest) = typed.split_once('\n').map_or((typed, ""), |(a, b)| (a, b));
        if !rest.is_empty() {
            writeln!(terminal.person, "{first}").unwrap();
            terminal.wait_for("Key [None]: ");
        }
        write!(terminal.person, "{}", if rest.is_empty() { first } else { rest }).unwrap();
        assert_ne!(running.finish().code(), 0);
        assert!(terminal.echoes(), "the echo stayed off");
        assert_eq!((sandbox.read("config"), sandbox.read("credentials")), (before, String::new()));
    }
}

#[test]
fn without_a_terminal_the_help_says_what_to_do() {
    let sandbox = Sandbox::new();
    let mut command = Command::new("setsid");
    command.args(["--wait", env!("CARGO_BIN_EXE_rolecall"), "configure"]);
    sandbox.dress(&mut command);
    let finished = Running::start(command.stdin(Stdio::null()), b"").finish();
    assert_eq!(finished.code(), 4, "{finished:?}");
    assert!(finished.stderr.contains("--set KEY=VALUE"), "{finished:?}");
}

#[test]
fn many_writers_at_once_lose_nothing() {
    let sandbox = Sandbox::new();
    sandbox.config("# the first line\n");
    let names: Vec<_> =
        (0..24).map(|number| format!("profile.p{}.k{number}", number % 5)).collect();
    let writers: Vec<_> =
        names.iter().map(|name| sandbox.start(&["configure", "set", name, "v"])).collect();
    for writer in writers {
        writer.finish().good();
    }
    for name in &names {
        assert_eq!(sandbox.run(&["configure", "get", name]).good().stdout, "v\n", "{name}");
    }
    let text = sandbox.read("config");
    assert!(text.starts_with("# the first line\n[profile p"), "{text}");
    assert_eq!(text.lines().count(), 1 + 5 + 24, "{text}");
    sandbox.assert_no_left_overs();
}

#[test]
fn files_that_are_hard_to_write() {
    let sandbox = Sandbox::new();
    let place = |name: &str| sandbox.home().join(".aws").join(name);
    let set = ["configure", "set", "region", "yy"];
    let old = "[default]\r\nregion = xx";
    sandbox.config(old);

    set_mode(&place("config"), 0o444);
    wrong(&["config: it is read-only"], "chmod u+w").from(&sandbox, &set);
    assert_eq!(sandbox.read("config"), old);

    set_mode(&place("config"), 0o640);
    let finished = sandbox.run_with_no_bytes_allowed(&set);
    assert_eq!(finished.code(), 1, "{finished:?}");
    assert!(finished.stderr.contains("nothing was changed; make room"), "{finished:?}");
    assert_eq!(sandbox.read("config"), old);
    sandbox.assert_no_left_overs();

    // A setting for each file: both are written, or neither.
    let both = ["configure", "--set", "region=yy", "--set", "aws_access_key_id=AKIA"];
    let finished = sandbox.run_with_no_bytes_allowed(&both);
    assert!(finished.stderr.contains("nothing was changed; make room"), "{finished:?}");
    set_mode(&place("config"), 0o440);
    wrong(&["config: it is read-only"], "nothing was changed").from(&sandbox, &both);
    set_mode(&place("config"), 0o640);
    assert_eq!(sandbox.read("config"), old);
    assert!(!place("credentials").exists());
    sandbox.assert_no_left_overs();

    fs::rename(place("config"), sandbox.home().join("real")).unwrap();
    symlink("../real", place("config")).unwrap();
    sandbox.run(&set).good();
    assert_eq!(sandbox.read("config"), "[default]\r\nregion = yy");
    assert!(place("config").is_symlink());
    let mode = place("config").metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o640);

    fs::remove_file(place("config")).unwrap();
    fs::create_dir(place("config")).unwrap();
    wrong(&["config is a folder"], "name the file").from(&sandbox, &set);
}
