//! `update`: credentials kept good in the credentials file.

use std::fs;
use std::io::{PipeReader, Read};
use std::time::{Duration, Instant};

use rolecall_kit::names;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Disk, Expected, Finished, Needles, Running, Sandbox, set_mode};

/// Everything of a section but its keys.
fn without_keys(text: &str) -> String {
    let keys = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];
    let is_kept = |line: &&str| !keys.iter().any(|key| line.starts_with(key));
    text.split_inclusive('\n').filter(is_kept).collect()
}

/// The role that the credentials file's section `default` is of.
fn role_of_default(sandbox: &Sandbox) -> String {
    let identity = sandbox.run(&["whoami", "--profile", "default", "--json"]).json();
    identity["Arn"].as_str().unwrap().to_owned()
}

/// The program while it runs, with what it prints.
struct Updating {
    running: Option<Running>,
    output: PipeReader,
    seen: String,
}

impl Updating {
    fn start(sandbox: &Sandbox, args: &[&str]) -> Self {
        let (output, writer) = std::io::pipe().unwrap();
        let args = [&["update", "--json"], args].concat();
        let running = Running::start(sandbox.command(&args).stdout(writer), b"");
        Self { running: Some(running), output, seen: String::new() }
    }

    /// Waits until it has written so often.
    fn wait_for(&mut self, times: usize) {
        let until = Instant::now() + Duration::from_secs(60);
        while self.seen.matches("\"access_key_id\"").count() < times {
            let limit = Timespec { tv_sec: 60, tv_nsec: 0 };
            poll(&mut [PollFd::new(&self.output, PollFlags::IN)], Some(&limit)).unwrap();
            let mut bytes = [0; 4096];
            let read = self.output.read(&mut bytes).unwrap();
            self.seen += std::str::from_utf8(&bytes[..read]).unwrap();
            let ended = read == 0 || Instant::now() > until;
            assert!(!ended, "{:?} {:?}", self.seen, self.running.take().unwrap().finish());
        }
    }

    fn stop_with(mut self, signal: Signal) -> Finished {
        let running = self.running.take().unwrap();
        kill_process(Pid::from_raw(running.pid().cast_signed()).unwrap(), signal).unwrap();
        running.finish_within(Duration::from_secs(20))
    }
}

impl Drop for Updating {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            running.kill();
        }
    }
}

#[test]
fn credentials_of_a_chain_are_written_where_any_program_finds_them() {
    let sandbox = Sandbox::new();
    let finished = sandbox.run(&["update", "--from", "deploy", "--once", "--debug"]).good();
    assert_eq!(finished.stdout, "");
    assert!(finished.stderr.contains(" to profile default, good until 2"), "{finished:?}");
    Needles::new(&sandbox.kit, &[]).assert_absent("standard error", &finished.stderr);
    assert_eq!(without_keys(&sandbox.read("credentials")), "[default]\n");
    assert!(role_of_default(&sandbox).contains(":assumed-role/Deploy/"));
    let mode = fs::metadata(sandbox.home().join(".aws/credentials")).unwrap().permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    // From itself it would never be renewed.
    let itself = Expected {
        code: 4,
        kind: "InvalidConfiguration",
        says: &["profile default are the source"],
        help: "--from",
    };
    itself.from(&sandbox, &["update", "--once"]);
}

#[test]
fn a_machine_s_own_credentials_are_written_again_and_again() {
    // As on EKS: a web identity in the environment, and no profile but what is written.
    let sandbox = Sandbox::new();
    let token = sandbox.token_file();
    let sandbox = sandbox.set("AWS_WEB_IDENTITY_TOKEN_FILE", token).set("AWS_ROLE_ARN", names::WEB);
    let mut before = String::new();
    for _ in 0..3 {
        sandbox.run(&["update", "--once", "--no-cache"]).good();
        assert!(role_of_default(&sandbox).contains(":assumed-role/Web/"));
        assert_ne!(sandbox.read("credentials"), before);
        before = sandbox.read("credentials");
    }
    // A user's keys are nobody's to overwrite: neither as the source nor, unless the section is
    // named, with others.
    let keys = "[default]\naws_access_key_id = AKIA\naws_secret_access_key = s\n";
    sandbox.credentials(keys);
    let finished = sandbox.run(&["update", "--once"]);
    assert_eq!(finished.code(), 4, "{finished:?}");
    assert!(finished.stderr.contains("would be overwritten"), "{finished:?}");
    assert_eq!(sandbox.read("credentials"), keys);
    let from = ["update", "--once", "--from", "deploy"];
    let lost = Expected {
        code: 4,
        kind: "InvalidConfiguration",
        says: &["profile default holds long-lived keys"],
        help: "--profile default to replace them",
    };
    lost.from(&sandbox, &from);
    assert_eq!(sandbox.read("credentials"), keys);
    sandbox.run(&[&from[..], &["--profile", "default"]].concat()).good();
    assert!(role_of_default(&sandbox).contains("/Deploy/"));
}

#[test]
fn hard_files_keep_every_other_byte() {
    let long = "x".repeat(100 * 1024);
    for text in [
        // The section is last, with and without an end of line.
        "[other]\nk = v\n[default]\nregion = xx\n".to_owned(),
        "[other]\nk = v\n\n# last\n[default]\nregion = xx\naws_session_token = old".to_owned(),
        "[default]".to_owned(),
        "# none yet".to_owned(),
        "[default]\r\naws_access_key_id=old\r\n\r\n; c\r\n[other]\r\nk = v\r\n".to_owned(),
        format!("# {long}\n[default]\naws_session_token = {long}\nk = {long}\n[o]\nk = {long}"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.credentials(&text);
        sandbox.run(&["update", "--from", "deploy", "--once"]).good();
        let after = sandbox.read("credentials");
        let kept = without_keys(&after);
        let is_missing = |line: &&str| !kept.contains(line.trim_end());
        let before = without_keys(&text);
        let missing: Vec<_> = before.split_inclusive('\n').filter(is_missing).collect();
        assert!(missing.is_empty(), "{missing:?} of {:.200}", text);
        // Nothing is new but the keys, and where there was none an end of line or the section.
        let new = kept.len() - before.len();
        assert!(new <= "\n[default]\n".len(), "{after:.300}");
        // Every line ends as those that were there did.
        let ends = |ending: &str| after.matches(ending).count();
        let expected = if text.contains("\r\n") { ends("\n") } else { 0 };
        assert_eq!(ends("\r\n"), expected, "{after:?}");
        assert!(role_of_default(&sandbox).contains("/Deploy/"));
    }
}

#[test]
fn a_failed_refresh_leaves_the_file_alone() {
    let sandbox = Sandbox::new();
    let script = sandbox.script("source", "exit 3");
    let empty = sandbox.script("empty", r#"echo '{"Version":1}'"#);
    sandbox.add_config(&format!(
        "[profile bad]\ncredential_process = {script}\n\
         [profile empty]\ncredential_process = {empty}\n"
    ));
    let old = "[default]\naws_access_key_id = OLD\naws_secret_access_key = old";
    sandbox.credentials(old);
    for (source, code) in [("bad", 6), ("empty", 7), ("nobody", 4)] {
        let finished = sandbox.run(&["update", "--from", source, "--once"]);
        assert_eq!(finished.code(), code, "{finished:?}");
        assert_eq!(sandbox.read("credentials"), old);
    }
    let update = ["update", "--from", "alice", "--profile", "default", "--once"];
    let finished = sandbox.run_with_no_bytes_allowed(&update);
    assert_eq!(finished.code(), 1, "{finished:?}");
    assert!(finished.stderr.contains("(ulimit -f)"), "{finished:?}");
    let finished = sandbox.run_on(Disk::Full, ".aws", "credentials", &update);
    assert_eq!(finished.code(), 1, "{finished:?}");
    let stderr = &finished.stderr;
    assert!(stderr.contains("No space left") && stderr.contains("make room"), "{stderr}");
    assert_eq!(sandbox.read("credentials"), old);
    set_mode(&sandbox.home().join(".aws/credentials"), 0o400);
    let finished = sandbox.run(&["update", "--from", "alice", "--profile", "default"]);
    assert_eq!(finished.code(), 4, "{finished:?}");
    assert_eq!(sandbox.read("credentials"), old);
    sandbox.assert_no_left_overs();
}

#[test]
fn it_goes_on_until_it_is_told_to_stop_and_renews_before_the_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let sandbox = Sandbox::new();
        // Each time a new key that lasts four seconds; the second time it fails.
        let script = sandbox.script(
            "source",
            "n=$(($(cat count 2>/dev/null) + 1)); echo $n > count; [ $n = 2 ] && exit 1\n\
             end=$(date -u -d '+4 seconds' +%Y-%m-%dT%H:%M:%SZ)\n\
             echo '{\"Version\":1,\"AccessKeyId\":\"KEY'$n'\",\"SecretAccessKey\":\"s\",\
             \"SessionToken\":\"t\",\"Expiration\":\"'$end'\"}'",
        );
        sandbox.add_config(&format!("[profile short]\ncredential_process = {script}\n"));
        let mut updating = Updating::start(&sandbox, &["--from", "short", "--profile", "out"]);
        updating.wait_for(1);
        assert!(sandbox.read("credentials").starts_with("[out]\naws_access_key_id = KEY1\n"));
        updating.wait_for(2);
        assert!(sandbox.read("credentials").starts_with("[out]\naws_access_key_id = KEY3\n"));
        let finished = updating.stop_with(signal);
        assert_eq!(finished.code(), 0, "{finished:?}");
        sandbox.assert_no_left_overs();
    }
}

#[test]
fn writers_with_other_homes_lose_nothing_in_a_file_they_share() {
    let sandbox = Sandbox::new();
    let shared = sandbox.file("shared/credentials", "# mine\n");
    std::os::unix::fs::symlink(&shared, sandbox.home().join("link")).unwrap();
    let keys: Vec<_> =
        (0..24).map(|number| format!("profile.p{number}.aws_session_token")).collect();
    let mut writers = Vec::new();
    for (number, key) in keys.iter().enumerate() {
        let name = if number % 2 == 0 { shared.clone() } else { sandbox.home().join("link") };
        let mut command = sandbox.command(&["configure", "set", key, "t"]);
        command.env("HOME", sandbox.home().join(format!("home{number}")));
        command.env("AWS_CONFIG_FILE", sandbox.home().join(format!("config{number}")));
        command.env("AWS_SHARED_CREDENTIALS_FILE", name);
        writers.push(Running::start(&mut command, b""));
    }
    for writer in writers {
        writer.finish().good();
    }
    let text = fs::read_to_string(&shared).unwrap();
    assert_eq!(text.lines().count(), 1 + 24 * 2, "{text}");
    let names = fs::read_dir(sandbox.home().join("shared")).unwrap();
    assert_eq!(names.count(), 1, "something was left behind");
}

#[test]
fn writers_at_once_lose_nothing() {
    let sandbox = Sandbox::new();
    sandbox.credentials("# mine\n");
    // The role is in the cache: what is left is the race for the file.
    sandbox.export("deploy").good();
    let names: Vec<_> = (0..12).map(|number| format!("p{number}")).collect();
    let mut writers = Vec::new();
    for name in &names {
        writers.push(sandbox.start(&["update", "--from", "deploy", "--profile", name, "--once"]));
        let key = format!("profile.{name}.aws_account_id");
        writers.push(sandbox.start(&["configure", "set", &key, names::ALICE_KEY]));
    }
    for writer in writers {
        writer.finish().good();
    }
    let text = sandbox.read("credentials");
    assert_eq!(text.lines().count(), 1 + 12 * 4, "{text}");
    for name in &names {
        assert!(text.contains(&format!("[{name}]\naws_access_key_id = ")), "{text}");
        let key = format!("profile.{name}.aws_account_id");
        sandbox.run(&["configure", "get", &key]).good();
    }
    sandbox.assert_no_left_overs();
}
