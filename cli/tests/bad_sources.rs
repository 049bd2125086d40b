//! Sources that fail when they are run: programs, token files, keys, MFA codes.

use rolecall_kit::names;

use crate::support::{Expected, Sandbox};

/// Adds `[profile p]` with a program; gives the place of its line.
fn process(sandbox: &Sandbox, command: &str) -> String {
    let first = sandbox.add_config(&format!("[profile p]\ncredential_process = {command}\n"));
    format!("profile p ({}/.aws/config:{})", sandbox.home().display(), first + 1)
}

#[track_caller]
fn process_fails(command: &str, code: i32, kind: &str, says: &str, help: &str) {
    let sandbox = Sandbox::new();
    let place = process(&sandbox, command);
    Expected { code, kind, says: &[&place, says], help }.of_profile(&sandbox, "p");
}

#[test]
fn a_program_that_hangs_is_killed() {
    let sandbox = Sandbox::new();
    let pid_file = sandbox.home().join("pid");
    let script = sandbox
        .script("hang", &format!("echo $$ > {}; exec tail -f /dev/null", pid_file.display()));
    let place = process(&sandbox, &script);
    Expected { code: 6, kind: "TimedOut", says: &[&place, "within 1 s"], help: "by hand" }
        .from(&sandbox, &["export", "--profile", "p", "--process-timeout", "1"]);
    let pid = std::fs::read_to_string(pid_file).unwrap();
    let proc = std::path::Path::new("/proc").join(pid.trim()).join("cmdline");
    let line = std::fs::read_to_string(proc).unwrap_or_default();
    assert!(!line.contains("/dev/null"), "it still runs: {line}");
}

#[test]
fn a_program_that_prints_junk() {
    for junk in ["echo hunter2", "echo {}", "echo '{\"Version\":1}'", "true"] {
        let said = if junk.contains("Version") { "missing" } else { "no valid answer" };
        process_fails(junk, 7, "Malformed", said, "JSON with Version 1");
    }
}

#[test]
fn what_a_program_printed_is_not_repeated() {
    let sandbox = Sandbox::new();
    process(&sandbox, "echo hunter2");
    let finished = sandbox.run(&["export", "--profile", "p", "--debug"]);
    assert!(!finished.stderr.contains("hunter2"), "{}", finished.stderr);
}

#[test]
fn a_program_that_prints_too_much() {
    process_fails("yes", 7, "Malformed", "more than 65536 bytes", "right program");
}

#[test]
fn a_program_that_fails() {
    let sandbox = Sandbox::new();
    let script = sandbox.script("fail", "echo 'its own words' >&2; exit 3");
    let place = process(&sandbox, &script);
    Expected { code: 6, kind: "Unavailable", says: &[&place, "exit status: 3"], help: "by hand" }
        .of_profile(&sandbox, "p");
    assert!(sandbox.export("p").stderr.starts_with("its own words\n"));
}

#[test]
fn a_program_that_is_not_there_or_not_executable() {
    process_fails("/no/such/helper x", 4, "InvalidConfiguration", "/no/such/helper", "executable");
    let sandbox = Sandbox::new();
    let file = sandbox.file("helper", "#!/bin/sh\n");
    let place = process(&sandbox, &file.display().to_string());
    let says = [place.as_str(), "Permission denied"];
    let expected =
        Expected { code: 4, kind: "InvalidConfiguration", says: &says, help: "executable" };
    expected.of_profile(&sandbox, "p");
    Expected { says: &["config:", "helper", "Permission denied"], ..expected }
        .explained(&sandbox, "p");
}

#[test]
fn explain_sees_that_a_program_is_not_there() {
    let sandbox = Sandbox::new();
    let there = sandbox.script("helper", "exit 1");
    let role = rolecall_kit::names::MFA;
    let first = sandbox.add_config(&format!(
        "[profile gone]\ncredential_process = no-such-helper --password hunter2\n\
         [profile there]\ncredential_process = {there}\n\
         [profile mfa]\nrole_arn = {role}\nsource_profile = alice\nmfa_serial = 123456789\n\
         mfa_process = /no/such/code\n"
    ));
    for (profile, line, says) in [
        ("gone", first + 1, "cannot run \"no-such-helper\": it is in no folder of PATH"),
        ("mfa", first + 5, "cannot run \"/no/such/code\": there is no such file"),
    ] {
        let place = format!("config:{line}: ");
        let says = [place.as_str(), says];
        Expected { code: 4, kind: "InvalidConfiguration", says: &says, help: "check the path" }
            .explained(&sandbox, profile);
        let finished = sandbox.run(&["explain", "--profile", profile, "--json"]);
        assert_eq!(finished.code(), 4, "{finished:?}");
        let explained: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
        let problem = &explained["problems"][0];
        assert_eq!(problem["line"], line);
        assert_eq!(problem["message"], says[1]);
        assert!(!finished.stdout.contains("hunter2"), "{finished:?}");
    }
    assert_eq!(sandbox.run(&["explain", "--profile", "there"]).good().stderr, "");
}

#[test]
fn a_program_whose_credentials_have_ended() {
    let sandbox = Sandbox::new();
    let answer = r#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s","Expiration":"2020-01-01T00:00:00Z"}"#;
    let script = sandbox.script("ended", &format!("echo '{answer}'"));
    let place = process(&sandbox, &script);
    let says = [place.as_str(), "2020-01-01T00:00:00Z"];
    Expected { code: 5, kind: "Denied", says: &says, help: "" }.of_profile(&sandbox, "p");
}

#[test]
fn a_program_that_asks_for_its_own_profile_comes_to_an_end() {
    let sandbox = Sandbox::new();
    let program = env!("CARGO_BIN_EXE_rolecall");
    process(&sandbox, &format!("{program} credential-process --profile p"));
    let finished = sandbox.export("p");
    assert_eq!(finished.code(), 6, "{finished:?}");
    assert!(finished.stderr.contains("run each other already"), "{finished:?}");
    assert!(finished.stderr.contains("asks for the profile that names it"), "{finished:?}");
    assert_eq!(finished.stderr.matches("exit status").count(), 4, "{finished:?}");
}

#[test]
fn a_token_file_that_is_missing_empty_or_no_text() {
    for (contents, says) in
        [(None, "does not exist"), (Some(" \n"), "is empty"), (Some("\u{e9}"), "")]
    {
        let sandbox = Sandbox::new();
        let path = sandbox.home().join("token");
        if let Some(contents) = contents {
            sandbox.file("token", contents);
        }
        let role = names::WEB;
        let first = sandbox.add_config(&format!(
            "[profile p]\nrole_arn = {role}\nweb_identity_token_file = {}\n",
            path.display()
        ));
        let place = format!("/.aws/config:{}", first + 1);
        let path = path.display().to_string();
        let says = [place.as_str(), path.as_str(), says];
        // A token must be ASCII, which only the call's own check knows.
        let expected =
            Expected { code: 4, kind: "InvalidConfiguration", says: &says[..2], help: "" };
        if contents == Some("\u{e9}") {
            let finished = sandbox.export("p");
            assert_ne!(finished.code(), 0, "{finished:?}");
            continue;
        }
        Expected { says: &says, ..expected }.of_profile(&sandbox, "p");
        Expected { says: &says, code: 4, kind: "InvalidConfiguration", help: "on EKS" }
            .explained(&sandbox, "p");
        assert!(sandbox.kit.counts().is_empty());
    }
}

#[test]
fn a_token_file_of_the_environment_that_is_missing() {
    let sandbox = Sandbox::new()
        .set("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/token")
        .set("AWS_ROLE_ARN", names::WEB);
    let says = ["AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/token"];
    Expected { code: 4, kind: "InvalidConfiguration", says: &says, help: "EKS" }
        .from(&sandbox, &["export"]);
    assert_eq!(sandbox.run(&["explain"]).code(), 4);
}

#[test]
fn a_token_that_has_ended_or_is_somebody_elses() {
    for (claims, says, help) in [
        (serde_json::json!({"exp": 1}), "ExpiredToken", "get a new one"),
        (serde_json::json!({"aud": "else"}), "InvalidIdentityToken", "audience"),
        (serde_json::json!({"iss": "https://else"}), "InvalidIdentityToken", "issuer"),
        (serde_json::json!({"sub": "somebody"}), "AccessDenied", "subject"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.add_web_profile();
        let subject = format!("{}x", names::OIDC_SUBJECT_PREFIX);
        let audience = names::OIDC_AUDIENCE;
        let token = sandbox.kit.web_identity_token_with(&subject, audience, &claims);
        sandbox.file("token", &token);
        Expected { code: 5, kind: "Denied", says: &["profile web", "/.aws/config:", says], help }
            .of_profile(&sandbox, "web");
    }
}

#[test]
fn keys_of_the_environment_that_have_ended() {
    let sandbox = Sandbox::new()
        .set("AWS_ACCESS_KEY_ID", names::ALICE_KEY)
        .set("AWS_SECRET_ACCESS_KEY", names::ALICE_SECRET)
        .set("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z");
    let says = ["environment", "2020-01-01T00:00:00Z"];
    Expected { code: 5, kind: "Denied", says: &says, help: "unset" }.from(&sandbox, &["export"]);
    assert_eq!(sandbox.run(&["explain"]).code(), 5);
}

#[test]
fn half_of_the_environments_keys() {
    let sandbox = Sandbox::new().set("AWS_ACCESS_KEY_ID", names::ALICE_KEY);
    let says = ["environment", "AWS_SECRET_ACCESS_KEY is not"];
    Expected { code: 4, kind: "InvalidConfiguration", says: &says, help: "AWS_SECRET_ACCESS_KEY" }
        .from(&sandbox, &["export"]);
    assert_eq!(sandbox.run(&["explain"]).code(), 4);
}

/// Adds profile `p`: a role asked for with these keys.
fn role_with_keys(sandbox: &Sandbox, id: &str, secret: &str, token: &str) {
    let role = names::HOP;
    sandbox.add_config(&format!(
        "[profile keys]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n{token}\
         [profile p]\nrole_arn = {role}\nsource_profile = keys\n"
    ));
}

#[track_caller]
fn keys_are_refused(id: &str, secret: &str, says: &str, help: &str) {
    let sandbox = Sandbox::new();
    role_with_keys(&sandbox, id, secret, "");
    let says = ["profile p (", "/.aws/config:", says];
    Expected { code: 5, kind: "Denied", says: &says, help }.of_profile(&sandbox, "p");
}

#[test]
fn wrong_keys() {
    keys_are_refused(
        names::ALICE_KEY,
        "hunter2",
        "SignatureDoesNotMatch",
        "secret access key from profile keys",
    );
    keys_are_refused(
        "AKIANOBODYEXAMPLE111",
        "hunter2",
        "InvalidClientTokenId",
        "access key from profile keys",
    );
}

#[test]
fn expired_keys() {
    let sandbox = Sandbox::new();
    let made = sandbox.run(&["sts", "get-session-token", "--profile", "alice"]).json();
    let made = |name: &str| made["Credentials"][name].as_str().unwrap().to_owned();
    let token = format!("aws_session_token = {}\n", made("SessionToken"));
    role_with_keys(&sandbox, &made("AccessKeyId"), &made("SecretAccessKey"), &token);
    sandbox.kit.expire_session(&made("AccessKeyId"));
    let says = ["profile p (", "ExpiredToken"];
    Expected { code: 5, kind: "Denied", says: &says, help: "credentials from profile keys" }
        .of_profile(&sandbox, "p");
}

#[test]
fn access_denied() {
    keys_are_refused(names::BOB_KEY, names::BOB_SECRET, "AccessDenied", "trust policy");
}

#[test]
fn a_role_that_does_not_exist() {
    let sandbox = Sandbox::new();
    let arn = "arn:aws:iam::222222222222:role/Nobody";
    sandbox.add_config(&format!("[profile p]\nrole_arn = {arn}\nsource_profile = alice\n"));
    Expected { code: 5, kind: "Denied", says: &["profile p (", arn], help: "check the role's ARN" }
        .of_profile(&sandbox, "p");
}

/// Adds profile `mfa`.
fn mfa_profile(sandbox: &Sandbox) {
    let (role, serial) = (names::MFA, names::ALICE_MFA);
    sandbox.add_config(&format!(
        "[profile mfa]\nrole_arn = {role}\nsource_profile = alice\nmfa_serial = {serial}\n"
    ));
}

#[test]
fn an_mfa_code_that_is_refused() {
    let sandbox = Sandbox::new().set("CODE", "999999");
    mfa_profile(&sandbox);
    Expected {
        code: 5,
        kind: "Denied",
        says: &["profile mfa (", "/.aws/config:"],
        help: "MFA code",
    }
    .from(&sandbox, &["export", "--profile", "mfa", "--mfa-code", "env:CODE"]);
}

#[test]
fn an_mfa_code_that_is_used_again() {
    let sandbox = Sandbox::new().set("CODE", names::ALICE_MFA_CODES[0]);
    mfa_profile(&sandbox);
    let args = ["export", "--profile", "mfa", "--mfa-code", "env:CODE", "--no-cache"];
    sandbox.run(&args).good();
    Expected { code: 5, kind: "Denied", says: &["profile mfa ("], help: "already used" }
        .from(&sandbox, &args);
}

#[test]
fn an_mfa_code_that_is_none_or_cannot_be_read() {
    let sandbox = Sandbox::new().set("CODE", "12 34").set("EMPTY", " ");
    mfa_profile(&sandbox);
    for (source, says, help) in [
        ("env:CODE", "TokenCode", "6 digits"),
        ("env:EMPTY", "environment variable EMPTY", ""),
        ("env:NONE", "environment variable NONE", ""),
        ("file:///no/such/code", "/no/such/code", ""),
        ("-", "standard input", ""),
    ] {
        Expected { code: 4, kind: "InvalidConfiguration", says: &["profile mfa (", says], help }
            .from(&sandbox, &["export", "--profile", "mfa", "--mfa-code", source]);
    }
    assert!(sandbox.kit.counts().is_empty(), "AWS was asked");
}

#[test]
fn nobody_to_ask_for_an_mfa_code() {
    let sandbox = Sandbox::new();
    mfa_profile(&sandbox);
    let mut command = std::process::Command::new("setsid");
    command.args(["--wait", env!("CARGO_BIN_EXE_rolecall"), "export", "--profile", "mfa"]);
    sandbox.dress(&mut command);
    let finished = crate::support::Running::start(&mut command, b"").finish();
    assert_eq!(finished.code(), 4, "{finished:?}");
    assert!(finished.stderr.contains(names::ALICE_MFA), "{finished:?}");
    assert!(finished.stderr.contains("--mfa-code"), "{finished:?}");
}
