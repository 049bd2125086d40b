//! `doctor`: what it finds, and what it leaves alone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rolecall_kit::{Fault, FaultRule, names};
use serde_json::Value;

use crate::support::{Finished, Needles, Sandbox, path_text, set_mode};

fn findings(finished: &Finished) -> Vec<Value> {
    let all: Value = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {finished:?}"));
    all["findings"].as_array().unwrap().clone()
}

/// All there is below a folder: what it is, when it was changed, what it holds.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u32, i64, i64, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let facts = path.symlink_metadata().unwrap();
            let text = if facts.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            all.insert(path.clone(), (facts.mode(), facts.ctime(), facts.ctime_nsec(), text));
            if facts.is_dir() {
                folders.push(path);
            }
        }
    }
    all
}

#[test]
fn a_good_machine_in_text_and_json() {
    let sandbox = Sandbox::new();
    let text = sandbox.run(&["doctor", "--profile", "final"]).good();
    assert!(text.stdout.starts_with("Nothing is wrong.\n"), "{text:?}");
    assert!(!text.stdout.contains("fix: ") && text.stderr.is_empty(), "{text:?}");
    let line = |check: &str| {
        let mut lines = text.stdout.lines();
        lines.find(|line| line.starts_with("ok") && line.contains(check)).unwrap().to_owned()
    };
    assert!(line("  region ").contains("us-east-1 (AWS_REGION)"), "{text:?}");
    assert!(line("  source ").contains(names::FINAL), "{text:?}");
    assert!(line("  clock ").ends_with("as AWS's"), "{text:?}");
    assert!(line("  endpoint ").contains("from AWS_ENDPOINT_URL_STS"), "{text:?}");

    let json = sandbox.run(&["doctor", "--profile", "final", "--json"]).json();
    assert_eq!((&json["errors"], &json["warnings"]), (&0.into(), &0.into()));
    for finding in json["findings"].as_array().unwrap() {
        let keys: Vec<_> = finding.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["severity", "kind", "check", "what", "evidence", "fix"]);
    }
}

#[test]
fn the_exit_code_is_that_of_the_first_error() {
    let sandbox = Sandbox::new();
    let finished = sandbox.run(&["doctor", "--profile", "no-such-profile"]);
    assert_eq!(finished.code(), 4, "{finished:?}");
    let nothing = Sandbox::new();
    nothing.config("");
    let finished = nothing.run(&["doctor", "--json"]);
    assert_eq!(finished.code(), 3, "{finished:?}");
    assert_eq!(findings(&finished)[0]["kind"], "NotConfigured");
    let sandbox = Sandbox::new().set("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1");
    assert_eq!(sandbox.run(&["doctor", "--profile", "hop"]).code(), 6);
    sandbox.run(&["doctor", "--profile", "alice"]).good();
    let sandbox = Sandbox::new();
    sandbox.kit.skew(3600);
    let finished = sandbox.run(&["doctor", "--profile", "hop"]);
    assert_eq!(finished.code(), 4, "{finished:?}");
    assert!(finished.stdout.starts_with("error    clock "), "{finished:?}");
    assert!(finished.stdout.lines().nth(1).unwrap().contains("  fix: run sudo "), "{finished:?}");
}

#[test]
fn it_takes_less_than_three_seconds_whatever_hangs() {
    // STS takes the request and says nothing; so does the metadata service.
    let sandbox = Sandbox::new().unset("AWS_EC2_METADATA_DISABLED");
    let imds = sandbox.kit.imds_url();
    let sandbox = sandbox.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds);
    sandbox.config(&format!(
        "[default]\nrole_arn = {}\ncredential_source = Ec2InstanceMetadata\n",
        names::HOP
    ));
    sandbox.kit.inject(FaultRule::always("*", Fault::Stall));
    let finished = sandbox.start(&["doctor", "--json"]).finish_within(Duration::from_secs(3));
    assert_eq!(finished.code(), 6, "{finished:?}");
    let all = findings(&finished);
    for check in ["sts", "imds"] {
        let found = all.iter().find(|finding| finding["check"] == check).unwrap();
        assert_eq!(found["kind"], "TimedOut", "{found}");
    }

    // A pipe in place of the config, and nobody who writes into it.
    let (reader, _writer) = std::io::pipe().unwrap();
    let sandbox = Sandbox::new().set("AWS_CONFIG_FILE", "/dev/stdin");
    let mut command = sandbox.command(&["doctor", "--json"]);
    let running = crate::support::Running::start(command.stdin(reader), b"");
    let finished = running.finish_within(Duration::from_secs(3));
    assert_eq!(finished.code(), 6, "{finished:?}");
    assert!(findings(&finished)[0]["fix"].as_str().unwrap().contains("pipe"), "{finished:?}");

    // A pipe wherever a file of data is looked for, held open by a writer who says nothing.
    let sandbox = Sandbox::new();
    sandbox.add_web_profile();
    let (pipe, _held) = sandbox.silent_pipe(".aws/pipe");
    let below = sandbox.home().join(".aws");
    for place in ["cli/cache/entry.json", "sso/cache/entry.json", "rolecall/locks/a.lock"] {
        fs::create_dir_all(below.join(place).parent().unwrap()).unwrap();
        symlink(&pipe, below.join(place)).unwrap();
    }
    symlink(&pipe, below.join("token")).unwrap();
    let token = path_text(&below.join("token"));
    let session = "[profile sso]\nsso_session = dev\nsso_account_id = 123456789012\n\
                   sso_role_name = R\n[sso-session dev]\nsso_region = us-east-1\n\
                   sso_start_url = https://example.awsapps.com/start\n";
    sandbox.add_config(session);
    let role = names::WEB;
    sandbox.add_config(&format!(
        "[profile token]\nrole_arn = {role}\nweb_identity_token_file = {token}\n"
    ));
    // SHA-1 of `dev`.
    let sso = "sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json";
    symlink(&pipe, below.join(sso)).unwrap();
    let sandbox = sandbox.set("AWS_CA_BUNDLE", path_text(&pipe));
    for (profile, said) in
        [("final", "CA bundle"), ("token", "token"), ("sso", "34c6fceca75e456f25e7e995")]
    {
        let running = sandbox.start(&["doctor", "--json", "--profile", profile]);
        let finished = running.finish_within(Duration::from_secs(3));
        assert_eq!(finished.code(), 4, "{finished:?}");
        let errors = findings(&finished);
        let is_said = |finding: &Value| {
            let what = finding["what"].as_str().unwrap();
            finding["severity"] == "error" && what.contains(said) && what.contains("pipe")
        };
        assert!(errors.iter().any(is_said), "{said}: {finished:?}");
    }
}

/// A machine with something wrong of every kind, and secrets wherever there can be some.
fn ill() -> Sandbox {
    let sandbox = Sandbox::new()
        .set("AWS_SESSION_TOKEN", "hunter2-of-the-environment")
        .set("HTTPS_PROXY", "http://me:hunter2-of-the-proxy@127.0.0.1:1")
        .set("https_proxy", "http://me:hunter2-of-another@127.0.0.1:1")
        .set("AWS_DEFAULT_REGION", "eu-west-1");
    sandbox.add_web_profile();
    let ran = sandbox.home().join("ran");
    let script = sandbox.script("helper", &format!("touch {}", ran.display()));
    let line = format!("[profile process]\ncredential_process = {script} hunter2-in-the-command\n");
    sandbox.add_config(&line);
    sandbox.add_config("[profile process]\noutput = json\n");
    let entry = r#"{"Credentials":{"AccessKeyId":"ASIA1","SecretAccessKey":"hunter2-in-the-cache",
        "SessionToken":"hunter2-in-the-cache","Expiration":"2020-01-01T00:00:00Z"}}"#;
    let entry = sandbox.file(".aws/cli/cache/old.json", entry);
    set_mode(&entry, 0o644);
    sandbox.file(".aws/sso/cache/token.json", r#"{"accessToken":"hunter2-of-sso"}"#);
    symlink("nowhere", sandbox.home().join(".aws/credentials")).unwrap();
    sandbox
}

const OWN: [&str; 6] = [
    "hunter2-of-the-environment",
    "hunter2-of-the-proxy",
    "hunter2-of-another",
    "hunter2-in-the-command",
    "hunter2-in-the-cache",
    "hunter2-of-sso",
];

#[test]
fn it_writes_nothing_runs_nothing_and_shows_no_secret() {
    let sandbox = ill();
    let before = tree(sandbox.home());
    for profile in ["alice", "final", "web", "process", "nobody"] {
        for args in [&["doctor"][..], &["doctor", "--json"], &["doctor", "--debug"]] {
            let finished = sandbox.run(&[args, &["--profile", profile]].concat());
            let needles = Needles::new(&sandbox.kit, &OWN);
            needles.assert_absent("standard output", &finished.stdout);
            needles.assert_absent("standard error", &finished.stderr);
        }
    }
    assert_eq!(tree(sandbox.home()), before);
    assert!(sandbox.kit.sessions().is_empty());
}

#[test]
fn an_ill_machine_is_told_all_of_it() {
    let sandbox = ill();
    let finished = sandbox.run(&["doctor", "--profile", "process", "--json"]).good();
    let all = findings(&finished);
    let credentials = path_text(&sandbox.home().join(".aws/credentials"));
    for (check, what, fix) in [
        ("files", format!("{credentials} is a symbolic link to nothing"), "rm "),
        ("files", "files with secrets".to_owned(), "chmod 600"),
        ("region", "disagree".to_owned(), "alike"),
        ("proxy", "https_proxy and HTTPS_PROXY disagree".to_owned(), "alike"),
        ("environment", "left over from a session".to_owned(), "unset AWS_SESSION_TOKEN"),
        ("profiles", "AWS CLI".to_owned(), "alike"),
    ] {
        let found = all.iter().any(|finding| {
            finding["check"] == check
                && finding["severity"] == "warning"
                && finding["what"].as_str().unwrap().contains(&what)
                && finding["fix"].as_str().unwrap().contains(fix)
                && finding["evidence"].is_string()
        });
        assert!(found, "{check}: {what:?}, fix {fix:?}: {all:#?}");
    }
}
