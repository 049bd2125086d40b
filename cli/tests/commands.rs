//! What each command prints.

use std::process::{Command, Stdio};

use rolecall_kit::{Fault, FaultRule, names};
use serde_json::{Value, json};

use crate::support::{Running, Sandbox};

#[test]
fn whoami_in_text_and_json() {
    let sandbox = Sandbox::new();
    let arn = "arn:aws:iam::111111111111:user/alice";
    let text = sandbox.run(&["whoami", "--profile", "alice"]).good().stdout;
    assert!(text.starts_with(&format!("Account  {}\nArn      {arn}\nUserId   ", names::ACCOUNT)));
    let identity = sandbox.run(&["whoami", "--profile", "alice", "--json"]).json();
    assert_eq!(identity["Arn"], arn);
    let identity = sandbox.run(&["whoami", "--profile", "final", "--json"]).json();
    let arn = identity["Arn"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:sts::444444444444:assumed-role/Final/rolecall-"), "{arn}");
}

#[test]
fn exec_gives_a_command_the_credentials_and_nothing_stale() {
    let sandbox = Sandbox::new()
        .set("AWS_PROFILE", "alice")
        .set("AWS_SECURITY_TOKEN", "stale")
        .set("AWS_ROLE_ARN", "stale")
        .set("MINE", "kept");
    let exec = |script: &str| {
        sandbox.run(&["exec", "--profile", "hop", "--", "sh", "-c", script, "x", "--flag"])
    };
    let shown = exec("env").good().stdout;
    let value = |name: &str| shown.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
    let key = value("AWS_ACCESS_KEY_ID").unwrap();
    assert!(sandbox.kit.sessions().iter().any(|session| session.access_key_id == key));
    assert!(value("AWS_SESSION_TOKEN").is_some() && value("AWS_CREDENTIAL_EXPIRATION").is_some());
    assert_eq!((value("AWS_REGION"), value("MINE")), (Some("us-east-1"), Some("kept")));
    for stale in ["AWS_PROFILE", "AWS_SECURITY_TOKEN", "AWS_ROLE_ARN"] {
        assert_eq!(value(stale), None);
    }
    assert_eq!(exec("echo \"$1\"").good().stdout, "--flag\n");
    assert_eq!(exec("exit 42").code(), 42);
    // It is replaced, not a parent; and a broken pipe kills its child as anywhere.
    let pid = sandbox.start(&["exec", "--profile", "hop", "--", "sh", "-c", "echo $$"]);
    let expected = pid.pid();
    assert_eq!(pid.finish().stdout.trim(), expected.to_string());
    assert_eq!(exec("yes | head -n 1").good().stderr, "");
    // The credentials work.
    let program = env!("CARGO_BIN_EXE_rolecall");
    let whoami = sandbox.run(&["exec", "--profile", "hop", "--", program, "whoami"]).good().stdout;
    assert!(whoami.contains("assumed-role/Hop/"), "{whoami}");
}

#[test]
fn exec_of_what_cannot_be_run_ends_as_in_a_shell() {
    let sandbox = Sandbox::new();
    let text = sandbox.file("text", "no program\n").display().to_string();
    let script = sandbox.script("script", "");
    std::fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    for (command, code, says, help) in [
        ("no-such-command", 127, "it is in no folder of PATH", "check its name and PATH"),
        ("/no/such/command", 127, "there is no such file", "check the path"),
        (&script, 127, "the interpreter that its first line names", "#!"),
        (&text, 126, "it is not executable", "chmod +x"),
        ("/tmp", 126, "it is not executable", "name a program"),
    ] {
        for serve in [&[][..], &["--serve"]] {
            let args = [&["exec", "--profile", "alice"], serve, &["--", command]].concat();
            let finished = sandbox.run(&args);
            assert_eq!(finished.code(), code, "{finished:?}");
            for part in [format!("cannot run {command}: "), says.to_owned(), help.to_owned()] {
                assert!(finished.stderr.contains(&part), "{part}: {finished:?}");
            }
        }
    }
    // What fails before that has a code of its own.
    let finished = sandbox.run(&["exec", "--profile", "nobody", "--", "no-such-command"]);
    assert_eq!(finished.code(), 4, "{finished:?}");
}

#[test]
fn profiles_in_text_and_json() {
    let sandbox = Sandbox::new();
    let line = sandbox.add_config(
        "[profile x]\nregion = eu-west-1\ncredential_process = helper --password hunter2\n\
         [sso-session s]\nsso_region = us-east-1\n[services v]\nsts =\n  endpoint_url = http://x\n\
         [profile sp ace]\nregion = us-east-1\n",
    );
    let finished = sandbox.run(&["profiles"]).good();
    assert_eq!(finished.stdout, "alice\nhop\ndeploy\nfinal\nx\n");
    assert!(finished.stderr.contains(&format!("/.aws/config:{}", line + 8)), "{finished:?}");

    let all = sandbox.run(&["profiles", "--json"]).json();
    let keys: Vec<_> = all.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["profiles", "sso_sessions", "services", "warnings"]);
    let expected =
        json!({"aws_access_key_id": names::ALICE_KEY, "aws_secret_access_key": "[redacted]"});
    assert_eq!(all["profiles"]["alice"], expected);
    let expected = json!({"region": "eu-west-1", "credential_process": "[redacted]"});
    assert_eq!(all["profiles"]["x"], expected);
    assert_eq!(all["sso_sessions"], json!({"s": {"sso_region": "us-east-1"}}));
    assert!(all["services"]["v"]["sts"].is_string());
    let warning = &all["warnings"][0];
    assert_eq!(warning["line"], line + 8);
    assert!(warning["file"].as_str().unwrap().ends_with("/.aws/config"), "{warning}");
    assert!(warning["message"].is_string(), "{warning}");
}

#[test]
fn explain_in_text_and_json() {
    let sandbox = Sandbox::new();
    let all = sandbox.run(&["explain", "--profile", "final", "--json"]).json();
    assert_eq!(all["profile"], "final");
    assert_eq!(all["source"]["kind"], "static");
    assert_eq!(all["source"]["access_key_id"], names::ALICE_KEY);
    let hops = all["hops"].as_array().unwrap();
    let roles: Vec<_> = hops.iter().map(|hop| hop["role_arn"].as_str().unwrap()).collect();
    assert_eq!(roles, [names::HOP, names::DEPLOY, names::FINAL]);
    assert!(all["origin"]["file"].as_str().unwrap().ends_with("/.aws/config"));
    assert_eq!(all["origin"]["line"], 10);
    assert_eq!(all["problems"], json!([]));
    assert_eq!(all["sts_endpoint"], sandbox.kit.url());

    let text = sandbox.run(&["explain", "--profile", "final"]).good().stdout;
    for part in [names::HOP, names::DEPLOY, names::FINAL, names::ALICE_KEY, "/.aws/config:10"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(text.contains("\nRegion   us-east-1\nCached   nothing that is good"), "{text}");
    assert!(all["cached_until"].is_null());
    assert!(sandbox.kit.counts().is_empty(), "explain is offline");
    sandbox.run(&["export", "--profile", "final"]).good();
    let calls = sandbox.kit.counts();
    let text = sandbox.run(&["explain", "--profile", "final"]).good().stdout;
    let all = sandbox.run(&["explain", "--profile", "final", "--json"]).json();
    let until = all["cached_until"].as_str().unwrap();
    let from = all["renewed_from"].as_str().unwrap();
    let says = format!("\nCached   good until {until}; AWS is asked from {from} on\n");
    assert!(text.contains(&says), "{text}");
    // A quarter of an hour before: what is left is used, and new ones asked for.
    let times = [from, until].map(|time| rolecall::timestamp::parse(time).unwrap());
    assert_eq!(times[1].duration_since(times[0]).unwrap(), std::time::Duration::from_secs(900));
    for without in [&["--no-cache", "--profile", "final"][..], &["--profile", "alice"]] {
        let text = sandbox.run(&[&["explain"], without].concat()).good().stdout;
        assert!(!text.contains("Cached"), "{text}");
    }
    assert_eq!(sandbox.kit.counts(), calls);

    let line = sandbox.add_config("[profile bad]\nrole_arn = R\nsource_profile = alice\n") + 1;
    let finished = sandbox.run(&["explain", "--profile", "bad", "--json"]);
    assert_eq!(finished.code(), 4);
    let all: Value = serde_json::from_str(&finished.stdout).unwrap();
    let problem = &all["problems"][0];
    assert_eq!(
        (&problem["kind"], &problem["line"]),
        (&json!("InvalidConfiguration"), &json!(line))
    );
    assert!(problem["help"].as_str().unwrap().contains("role/NAME"), "{problem}");
}

#[test]
fn a_misspelt_setting_is_told_with_what_was_meant() {
    let sandbox = Sandbox::new();
    let line = sandbox.add_config("[profile slip]\nsource_profiel = hunter2\nregions = x\n") + 1;
    let file = format!("/.aws/config:{line}");
    for command in [&["explain", "--profile", "slip"][..], &["doctor", "--profile", "alice"]] {
        let said = sandbox.run(command).stdout;
        assert!(said.contains("source_profiel is no setting of AWS CLI"), "{said}");
        assert!(said.contains("did you mean source_profile?") && said.contains(&file), "{said}");
        assert!(!said.contains("hunter2") && !said.contains("regions"), "{said}");
    }
    let said = sandbox.run(&["explain", "--profile", "alice"]).good().stdout;
    assert!(said.contains("a setting of another profile is misspelt"), "{said}");
    assert!(!said.contains("source_profiel"), "{said}");
}

#[test]
fn debug_says_which_entry_of_the_cache_was_used_and_until_when() {
    let sandbox = Sandbox::new();
    sandbox.run(&["export", "--profile", "hop"]).good();
    let entry = std::fs::read_dir(sandbox.cache()).unwrap().next().unwrap().unwrap().path();
    let until = sandbox.run(&["explain", "--profile", "hop", "--json"]).json()["cached_until"]
        .as_str()
        .unwrap()
        .to_owned();
    let warm = sandbox.run(&["export", "--profile", "hop", "--debug"]).good();
    let line = warm.stderr.lines().find(|line| line.contains("found in the shared cache")).unwrap();
    for part in [entry.to_str().unwrap(), &until, names::HOP, "Fresh"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[test]
fn cache_is_listed_and_cleared() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["cache", "list", "--json"]).json(), json!({"entries": []}));
    sandbox.export("deploy").good();
    let all = sandbox.run(&["cache", "list", "--json"]).json();
    let entries = all["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    let deploy = entries.iter().find(|entry| entry["role_arn"] == names::DEPLOY).unwrap();
    assert_eq!(deploy["account_id"], "333333333333");
    assert!(deploy["access_key_id"].as_str().unwrap().starts_with("ASIA"), "{deploy}");
    assert!(deploy["expiration"].as_str().unwrap().ends_with('Z'), "{deploy}");
    assert!(sandbox.cache().join(deploy["name"].as_str().unwrap()).exists());

    let text = sandbox.run(&["cache", "list"]).good().stdout;
    assert!(text.starts_with("ROLE ") && text.contains(names::HOP), "{text}");
    assert!(text.contains("59 min") || text.contains("60 min"), "{text}");
    assert_eq!(sandbox.run(&["cache", "clear", "--json"]).json(), json!({"removed": 2}));
    let text = sandbox.run(&["cache", "clear"]).good().stdout;
    assert_eq!(text, "Removed 0 cached credentials.\n");
    sandbox.export("hop").good();
    assert_eq!(sandbox.kit.count("AssumeRole"), 3);
}

#[test]
fn where_there_is_nothing_it_is_said_and_not_printed() {
    let sandbox = Sandbox::new();
    sandbox.config("");
    for (args, says) in [
        (&["profiles"][..], "there are no profiles in /"),
        (&["configure", "list-profiles"], "there are no profiles in /"),
        (&["cache", "list"], "nothing is cached in ~/.aws/cli/cache"),
    ] {
        let finished = sandbox.run(args).good();
        assert_eq!(finished.stdout, "");
        assert!(finished.stderr.starts_with(&format!("rolecall: {says}")), "{finished:?}");
        let json = sandbox.run(&[args, &["--json"]].concat()).good();
        assert_eq!(json.stderr, "", "{json:?}");
    }
}

#[test]
fn no_cache_leaves_the_cache_alone() {
    let sandbox = Sandbox::new();
    for _ in 0..2 {
        sandbox.run(&["export", "--profile", "hop", "--no-cache"]).good();
    }
    assert_eq!(sandbox.kit.count("AssumeRole"), 2);
    assert!(!sandbox.cache().exists());
}

#[test]
fn completions_for_every_shell() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = sandbox.run(&["completions", shell]).good().stdout;
        assert!(script.contains("rolecall") && script.contains("whoami"), "{shell}");
    }
    let mut check = Command::new("bash");
    sandbox.dress(check.args(["-n"]));
    let script = sandbox.run(&["completions", "bash"]).stdout;
    Running::start(check.stdin(Stdio::piped()), script.as_bytes()).finish().good();
}

#[test]
fn completions_name_the_profiles() {
    let sandbox = Sandbox::new();
    let bash = sandbox.run(&["completions", "bash"]).stdout;
    let program = env!("CARGO_BIN_EXE_rolecall");
    for (words, expected) in [
        ("rolecall export --profile fi", "final"),
        ("rolecall --profile al", "alice"),
        ("rolecall export --profile = ho", "hop"),
        ("rolecall update --from de", "deploy"),
        ("rolecall export --profile nothing", ""),
        ("rolecall expo", "export"),
    ] {
        let ask = format!(
            "{bash}\nrolecall() {{ {program} \"$@\"; }}\nCOMP_WORDS=({words})\n\
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             _rolecall_with_profiles rolecall \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"\n\
             echo \"${{COMPREPLY[*]}}\""
        );
        let mut shell = Command::new("bash");
        sandbox.dress(&mut shell);
        let told = Running::start(shell.stdin(Stdio::piped()), ask.as_bytes()).finish().good();
        assert!(told.stdout.split_whitespace().eq(expected.split_whitespace()), "{told:?}");
    }
    let zsh = sandbox.run(&["completions", "zsh"]).stdout;
    assert!(zsh.starts_with("#compdef rolecall\n"), "{zsh}");
    assert!(zsh.contains("\n_rolecall_profiles() {"), "{zsh}");
    for (flag, completed_by) in [("--profile", "_rolecall_profiles"), ("--secret", "_default")] {
        let lines = zsh.lines().filter(|line| line.contains(&format!("{flag}=[")));
        let lines: Vec<_> = lines.collect();
        let ending = format!(":NAME:{completed_by}' \\");
        assert!(lines.iter().all(|line| line.ends_with(&ending)), "{lines:?}");
        assert!(lines.len() > 2, "{lines:?}");
    }
    let fish = sandbox.run(&["completions", "fish"]).stdout;
    assert!(fish.contains("-l profile -x -a \"(rolecall configure list-profiles"), "{fish}");
}

#[test]
fn bad_usage() {
    let sandbox = Sandbox::new();
    for args in [
        &[][..],
        &["no-such-command"],
        &["export", "--no-such-flag"],
        &["export", "--format", "xml"],
        &["export", "--process-timeout", "0"],
        &["export", "--error-format", "xml"],
        &["exec"],
        &["sts"],
        &["sts", "assume-role"],
        &["cache"],
        &["completions", "csh"],
    ] {
        let finished = sandbox.run(args);
        assert_eq!(finished.code(), 2, "{args:?}");
        assert!(finished.stdout.is_empty() && !finished.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn bad_usage_has_a_form_for_programs_too() {
    let sandbox = Sandbox::new();
    for (args, says, helps) in [
        (
            &["export", "--formt", "env"][..],
            "unexpected argument '--formt'",
            "Usage: rolecall export",
        ),
        (&["export", "--format", "xml"], "invalid value 'xml'", "--help"),
        (&["sts", "assume-role"], "--role-arn <ARN>", "Usage: rolecall sts assume-role"),
        (&["lease", "list", "--profile", "p"], "secret create", "Usage: rolecall lease list"),
        (&["identity", "token", "--format", "eks"], "--cluster-name", "rolecall identity token"),
    ] {
        let text = sandbox.run(args);
        assert!(text.code() == 2 && text.stderr.contains(says), "{text:?}");
        assert!(text.stderr.contains(helps), "{text:?}");
        for form in [&["--error-format", "json"][..], &["--error-format=json"]] {
            let json = sandbox.run(&[form, args].concat());
            assert_eq!((json.code(), json.stdout.as_str()), (2, ""), "{json:?}");
            let error: Value = serde_json::from_str(&json.stderr).unwrap();
            let error = &error["error"];
            assert_eq!((&error["kind"], &error["causes"]), (&json!("BadUsage"), &json!([])));
            assert!(error["message"].as_str().unwrap().contains(says), "{error}");
            assert!(error["help"].as_str().unwrap().contains(helps), "{error}");
        }
    }
    // What follows `--` is another command's.
    let theirs =
        sandbox.run(&["exec", "--process-timeout", "0", "--", "x", "--error-format", "json"]);
    assert!(theirs.code() == 2 && theirs.stderr.starts_with("error: "), "{theirs:?}");
    let help = sandbox.run(&["export", "--help", "--error-format", "json"]).good();
    assert!(help.stdout.contains("Usage: "), "{help:?}");
}

#[test]
fn two_forms_of_output_at_once_are_bad_usage() {
    let sandbox = Sandbox::new();
    let lease = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for args in [
        &["export", "--format", "fish"][..],
        &["export", "--format", "process"],
        &["lease", "create", "app", "--format", "env"],
        &["lease", "show", lease, "--format", "env"],
        &["sign-string", "--private-key", "key", "--format", "text"],
    ] {
        for all in [[args, &["--json"]].concat(), [&["--json"], args].concat()] {
            let refused = sandbox.run(&all);
            assert!(refused.code() == 2 && refused.stdout.is_empty(), "{refused:?}");
            assert!(refused.stderr.contains("--json and --format"), "{refused:?}");
        }
    }
}

#[test]
fn help_and_version() {
    let sandbox = Sandbox::new();
    let help = sandbox.run(&["--help"]).good();
    assert!(help.stderr.is_empty() && help.stdout.contains("explain"), "{help:?}");
    let version = format!("rolecall {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(sandbox.run(&["--version"]).good().stdout, version);
    let version = sandbox.run(&["version", "--json"]).json();
    assert_eq!(version, json!({ "version": env!("CARGO_PKG_VERSION") }));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = Sandbox::new();
    for args in [
        &["completions", "zsh"][..],
        &["profiles", "--json"],
        &["export", "--profile", "hop"],
        &["cache", "list"],
        &["whoami", "--profile", "alice"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let finished = Running::start(sandbox.command(args).stdout(writer), b"").finish();
        assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    let sandbox = Sandbox::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = sandbox.command(&["profiles"]);
    let finished = Running::start(command.stdout(full), b"").finish();
    assert_eq!(finished.code(), 1, "{finished:?}");
    assert!(finished.stderr.contains("cannot write the output"), "{finished:?}");
}

#[test]
fn a_wrong_clock_is_corrected() {
    for seconds in [3600, -3600] {
        let sandbox = Sandbox::new();
        sandbox.kit.skew(seconds);
        let identity = sandbox.run(&["whoami", "--profile", "final", "--json"]).json();
        assert_eq!(identity["Account"], "444444444444");
        // One call is refused; the others know the time by then.
        let refused = sandbox.kit.calls().iter().filter(|call| call.status == 403).count();
        assert_eq!(refused, 1);
    }
}

#[test]
fn debug_talks_on_standard_error_alone() {
    let sandbox = Sandbox::new();
    sandbox.kit.inject(FaultRule::next("AssumeRole", 1, Fault::Throttle));
    let finished = sandbox.run(&["export", "--profile", "hop", "--debug"]).good();
    assert!(finished.stderr.contains("trying again"), "{finished:?}");
    finished.json();
}
