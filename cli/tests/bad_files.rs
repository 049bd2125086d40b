//! Profile files and plans that are wrong: all of it can be seen offline.

use rolecall_kit::names;

use crate::support::{Expected, Sandbox, path_text};

const HOP: &str = names::HOP;

/// What is wrong with a profile, said alike by `export` and `explain`.
fn wrong<'a>(says: &'a [&'a str], help: &'a str) -> Expected<'a> {
    Expected { code: 4, kind: "InvalidConfiguration", says, help }
}

#[track_caller]
fn both(sandbox: &Sandbox, profile: &str, says: &[&str], help: &str) {
    wrong(says, help).of_profile(sandbox, profile);
    wrong(says, help).explained(sandbox, profile);
    assert!(sandbox.kit.counts().is_empty(), "AWS was asked");
}

/// Adds `[profile p]` with these lines; gives the place of the given one, counted from 1.
fn profile(sandbox: &Sandbox, lines: &str, line: usize) -> String {
    let first = sandbox.add_config(&format!("[profile p]\n{lines}\n"));
    format!("/.aws/config:{}", first + line)
}

#[test]
fn a_config_that_cannot_be_read() {
    // Tests may run as root, who can read everything but a folder.
    let sandbox = Sandbox::new();
    let config = sandbox.home().join(".aws/config");
    std::fs::remove_file(&config).unwrap();
    std::fs::create_dir(&config).unwrap();
    both(&sandbox, "alice", &[&path_text(&config), "folder"], "name the file");
}

#[test]
fn a_config_that_is_malformed() {
    let sandbox = Sandbox::new();
    let place = profile(&sandbox, "region us-east-1", 1);
    both(&sandbox, "alice", &[&place, "'='"], "=");
}

#[test]
fn a_credentials_file_that_is_malformed() {
    let sandbox = Sandbox::new();
    let secret = names::ALICE_SECRET;
    sandbox.file(".aws/credentials", &format!("[default\naws_secret_access_key = {secret}"));
    both(&sandbox, "alice", &["/.aws/credentials:1", "']'"], "[profile NAME]");
    let said = sandbox.export("alice").stderr;
    assert!(!said.contains(secret), "{said}");
}

#[test]
fn a_config_that_is_not_text() {
    let sandbox = Sandbox::new();
    let path = sandbox.home().join(".aws/config");
    std::fs::write(&path, b"[default]\nregion = \xff\n").unwrap();
    both(&sandbox, "default", &["/.aws/config:2", "UTF-8"], "save the file as UTF-8");
}

#[test]
fn a_config_that_is_far_too_large() {
    let sandbox = Sandbox::new();
    sandbox.config(&"#".repeat(5 * 1024 * 1024));
    both(&sandbox, "default", &["/.aws/config", "larger than"], "AWS_CONFIG_FILE");
}

#[test]
fn a_profile_that_does_not_exist() {
    both(&Sandbox::new(), "alise", &["profile alise", "no such profile"], "did you mean alice?");
}

#[test]
fn a_loop() {
    let sandbox = Sandbox::new();
    let first = sandbox.add_config(&format!(
        "[profile a]\nrole_arn = {HOP}\nsource_profile = b\n\
         [profile b]\nrole_arn = {HOP}\nsource_profile = a\n"
    ));
    let place = format!("/.aws/config:{}", first + 5);
    both(&sandbox, "a", &["a -> b -> a", &place], "credentials of its own");
}

#[test]
fn a_loop_of_one() {
    let sandbox = Sandbox::new();
    let place = profile(&sandbox, &format!("role_arn = {HOP}\nsource_profile = p"), 2);
    both(&sandbox, "p", &["p -> p", &place], "credentials of its own");
}

#[test]
fn a_missing_source_profile() {
    let sandbox = Sandbox::new();
    let place = profile(&sandbox, &format!("role_arn = {HOP}\nsource_profile = alcie"), 2);
    both(&sandbox, "p", &["profile p", &place, "alcie"], "did you mean alice?");
}

#[test]
fn both_sources() {
    let sandbox = Sandbox::new();
    let lines =
        format!("role_arn = {HOP}\nsource_profile = alice\ncredential_source = Environment");
    let place = profile(&sandbox, &lines, 2);
    both(&sandbox, "p", &["profile p", &place, "both"], "keep one of the two");
}

#[test]
fn neither_source() {
    let sandbox = Sandbox::new();
    let place = profile(&sandbox, &format!("role_arn = {HOP}"), 1);
    both(&sandbox, "p", &["profile p", &place, "neither"], "source_profile");
}

#[test]
fn a_source_profile_without_credentials() {
    let sandbox = Sandbox::new();
    let lines = format!("role_arn = {HOP}\nsource_profile = empty\n[profile empty]\nregion = x");
    let place = profile(&sandbox, &lines, 2);
    both(&sandbox, "p", &["profile empty", &place], "aws_access_key_id");
}

#[test]
fn a_credential_source_that_is_none() {
    let sandbox = Sandbox::new();
    let place = profile(&sandbox, &format!("role_arn = {HOP}\ncredential_source = Elsewhere"), 2);
    both(&sandbox, "p", &["profile p", &place, "Elsewhere"], "Environment");
}

#[test]
fn a_credential_source_that_is_not_there() {
    let sandbox = Sandbox::new();
    let place = profile(&sandbox, &format!("role_arn = {HOP}\ncredential_source = Environment"), 2);
    both(&sandbox, "p", &[&place, "AWS_ACCESS_KEY_ID is not set"], "set AWS_ACCESS_KEY_ID");
}

#[test]
fn half_a_pair_of_keys() {
    let sandbox = Sandbox::new();
    let place = profile(&sandbox, "aws_access_key_id = AKIDEXAMPLE", 1);
    both(&sandbox, "p", &[&place, "aws_secret_access_key"], "aws_secret_access_key");
}

#[test]
fn wrong_role_arns() {
    for (arn, what) in [
        ("Hop", "not an ARN"),
        ("arn:aws:iam::222222222222:user/Hop", "not a role"),
        ("arn:aws:sts::222222222222:assumed-role/Hop/me", "a session of a role"),
        ("arn:aws:s3:::bucket", "not an ARN of IAM"),
    ] {
        let sandbox = Sandbox::new();
        let place = profile(&sandbox, &format!("role_arn = {arn}\nsource_profile = alice"), 1);
        both(&sandbox, "p", &[&place, arn, what], "role/NAME");
    }
}

#[test]
fn durations_that_aws_refuses() {
    let sandbox = Sandbox::new();
    let lines = format!("role_arn = {HOP}\nsource_profile = alice\nduration_seconds = 899");
    let place = profile(&sandbox, &lines, 3);
    both(&sandbox, "p", &[&place, "899", "900"], "seconds");

    let sandbox = Sandbox::new();
    let lines = format!("role_arn = {HOP}\nsource_profile = hop\nduration_seconds = 7200");
    let place = profile(&sandbox, &lines, 3);
    both(&sandbox, "p", &[&place, "chained roles at 3600"], "lower it to 3600");
}

#[test]
fn session_names_and_external_ids_that_aws_refuses() {
    for (line, key) in [("role_session_name = a b", "' '"), ("external_id = x", "external_id")] {
        let sandbox = Sandbox::new();
        profile(&sandbox, &format!("role_arn = {HOP}\nsource_profile = alice\n{line}"), 3);
        both(&sandbox, "p", &["/.aws/config:", key], "letters, digits");
    }
}

#[test]
fn a_region_that_is_none() {
    let sandbox = Sandbox::new().unset("AWS_REGION");
    profile(&sandbox, &format!("role_arn = {HOP}\nsource_profile = alice\nregion = US East"), 3);
    both(&sandbox, "p", &["US East", "not a region"], "us-east-1");
}

#[test]
fn no_region() {
    let sandbox = Sandbox::new().unset("AWS_REGION").unset("AWS_ENDPOINT_URL_STS");
    both(&sandbox, "hop", &["region"], "AWS_REGION");
}

#[test]
fn a_number_of_attempts_that_is_none() {
    for text in ["many", "0", "-1", "101"] {
        let sandbox = Sandbox::new().set("AWS_MAX_ATTEMPTS", text);
        both(&sandbox, "hop", &["AWS_MAX_ATTEMPTS"], "3 attempts");
    }
}

#[test]
fn a_ca_bundle_that_is_missing_or_none() {
    let sandbox = Sandbox::new();
    let path = path_text(&sandbox.file("empty.pem", "nothing here"));
    let sandbox = sandbox.set("AWS_CA_BUNDLE", &path);
    both(&sandbox, "hop", &[&path, "certificate in PEM form"], "CA bundle");
    let sandbox = sandbox.set("AWS_CA_BUNDLE", "/no/such.pem");
    both(&sandbox, "hop", &["/no/such.pem"], "CA bundle");
}

#[test]
fn a_proxy_that_is_none() {
    let sandbox = Sandbox::new().set("HTTPS_PROXY", "http://me:hunter2@[");
    both(&sandbox, "hop", &["HTTPS_PROXY"], "proxy");
    assert!(!sandbox.export("hop").stderr.contains("hunter2"));
}

#[test]
fn an_endpoint_that_is_none() {
    for url in ["sts.example.com", "ftp://sts.example.com", "https://"] {
        let sandbox = Sandbox::new().set("AWS_ENDPOINT_URL_STS", url);
        both(&sandbox, "hop", &["AWS_ENDPOINT_URL_STS"], "https://");
    }
}

#[test]
fn a_command_line_that_cannot_be_split() {
    let sandbox = Sandbox::new();
    let place = profile(&sandbox, "credential_process = helper 'hunter2", 1);
    both(&sandbox, "p", &[&place, "cannot be split"], "close every quote");
    assert!(!sandbox.export("p").stderr.contains("hunter2"));
}

#[test]
fn sources_of_later_versions_say_so() {
    let sandbox = Sandbox::new();
    let line = "login_session = arn:aws:iam::111111111111:user/alice";
    let place = profile(&sandbox, line, 1);
    both(&sandbox, "p", &[&place, "aws login", "this version cannot"], "AWS CLI v2");
}

#[test]
fn sso_without_a_sign_in() {
    let sandbox = Sandbox::new();
    let place = profile(
        &sandbox,
        "sso_start_url = https://example.com\nsso_region = us-east-1\n\
         sso_account_id = 111111111111\nsso_role_name = R",
        1,
    );
    both(&sandbox, "p", &[&place, "nobody has signed in"], "run: aws sso login --profile p");
}

#[test]
fn nothing_configured_at_all() {
    let sandbox = Sandbox::new();
    sandbox.config("");
    let expected = Expected {
        code: 3,
        kind: "NotConfigured",
        says: &["AWS_ACCESS_KEY_ID is not set", "IMDS", "/.aws/config"],
        help: "--profile",
    };
    expected.from(&sandbox, &["export"]);
    assert_eq!(sandbox.run(&["explain"]).code(), 3);
    // Whether there is a metadata service cannot be seen offline.
    let sandbox = sandbox
        .unset("AWS_EC2_METADATA_DISABLED")
        .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1/");
    expected.from(&sandbox, &["export"]);
    assert_eq!(sandbox.run(&["explain"]).code(), 0);
}
