//! `sts assume-role` with all it takes.

use rolecall_kit::names;
use serde_json::json;

use crate::sts::{POLICY, caller, has, has_keys, sts};
use crate::support::Sandbox;

const READ_ONLY: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";

#[test]
fn assume_role() {
    let sandbox = Sandbox::new();
    let args = ["assume-role", "--role-arn", names::HOP, "--role-session-name", "me"];
    let answer = sts(&sandbox, &args);
    has_keys(&answer, &["Credentials", "AssumedRoleUser"]);
    has_keys(&answer["AssumedRoleUser"], &["AssumedRoleId", "Arn"]);
    let arn = "arn:aws:sts::222222222222:assumed-role/Hop/me";
    assert_eq!(answer["AssumedRoleUser"]["Arn"], arn);
    assert_eq!(caller(sandbox, &answer), arn);
}

#[test]
fn assume_role_with_every_option() {
    let sandbox = Sandbox::new();
    let policy = sandbox.file("policy.json", POLICY);
    let policy = format!("file://{}", policy.display());
    let arn = format!("arn={READ_ONLY}");
    let answer = sts(
        &sandbox,
        &[
            "assume-role",
            "--role-arn",
            names::EXTERNAL,
            "--role-session-name",
            "me",
            "--external-id",
            names::EXTERNAL_ID,
            "--duration-seconds",
            "900",
            "--policy",
            &policy,
            "--policy-arns",
            &arn,
            "arn:aws:iam::aws:policy/Other",
            "--tags",
            "Key=team,Value=core",
            "Key='a b',Value=\"c=d\"",
            "--transitive-tag-keys",
            "team",
            "--source-identity",
            "alice",
            "--serial-number",
            names::ALICE_MFA,
            "--token-code",
            names::ALICE_MFA_CODES[0],
        ],
    );
    let keys = ["Credentials", "AssumedRoleUser", "PackedPolicySize", "SourceIdentity"];
    has_keys(&answer, &keys);
    assert!(answer["PackedPolicySize"].is_u64(), "{answer}");
    has(
        &sandbox,
        &[
            ("ExternalId", names::EXTERNAL_ID),
            ("DurationSeconds", "900"),
            ("Policy", POLICY),
            ("PolicyArns.member.1.arn", READ_ONLY),
            ("PolicyArns.member.2.arn", "arn:aws:iam::aws:policy/Other"),
            ("Tags.member.1.Key", "team"),
            ("Tags.member.1.Value", "core"),
            ("Tags.member.2.Key", "a b"),
            ("Tags.member.2.Value", "c=d"),
            ("TransitiveTagKeys.member.1", "team"),
            ("SourceIdentity", "alice"),
            ("SerialNumber", names::ALICE_MFA),
            ("TokenCode", "[redacted]"),
        ],
    );
}

#[test]
fn structures_may_be_json() {
    let sandbox = Sandbox::new();
    let tags = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]).to_string();
    let arns = json!([{"arn": READ_ONLY}]).to_string();
    let contexts = json!([{
        "ProviderArn": "arn:aws:iam::aws:contextProvider/IdentityCenter",
        "ContextAssertion": "assertion",
    }]);
    sts(
        &sandbox,
        &[
            "assume-role",
            "--role-arn",
            names::HOP,
            "--role-session-name",
            "me",
            "--policy",
            POLICY,
            "--tags",
            &tags,
            "--policy-arns",
            &arns,
            "--provided-contexts",
            &contexts.to_string(),
        ],
    );
    has(
        &sandbox,
        &[
            ("Policy", POLICY),
            ("Tags.member.2.Key", "b"),
            ("Tags.member.2.Value", ""),
            ("PolicyArns.member.1.arn", READ_ONLY),
            ("ProvidedContexts.member.1.ProviderArn", "[redacted]"),
            ("ProvidedContexts.member.1.ContextAssertion", "[redacted]"),
        ],
    );
    let args = ["sts", "assume-role", "--role-arn", names::HOP, "--role-session-name", "me"];
    let finished = sandbox.run(&[&args[..], &["--profile", "alice", "--tags", "Key"]].concat());
    assert_eq!(finished.code(), 4, "{finished:?}");
    assert!(finished.stderr.contains("--tags"), "{finished:?}");
}

#[test]
fn mfa_codes_come_from_a_file_standard_input_or_a_variable() {
    let sandbox = Sandbox::new().set("CODE", names::ALICE_MFA_CODES[0]);
    let file = sandbox.file("code", &format!("{}\n", names::ALICE_MFA_CODES[1]));
    let file = format!("file://{}", file.display());
    for (source, input) in [("env:CODE", ""), (&file, ""), ("-", names::ALICE_MFA_CODES[2])] {
        let args = [
            "sts",
            "assume-role",
            "--profile",
            "alice",
            "--role-arn",
            names::MFA,
            "--role-session-name",
            "me",
            "--serial-number",
            names::ALICE_MFA,
            "--token-code",
            source,
        ];
        has_keys(&sandbox.run_with_input(&args, input).json(), &["Credentials", "AssumedRoleUser"]);
    }
    // The same for a profile's role.
    let (role, serial) = (names::MFA, names::ALICE_MFA);
    sandbox.add_config(&format!(
        "[profile mfa]\nrole_arn = {role}\nsource_profile = alice\nmfa_serial = {serial}\n"
    ));
    let sandbox = sandbox.set("CODE", names::ALICE_MFA_CODES[3]);
    sandbox.file("code", names::ALICE_MFA_CODES[4]);
    for (source, input) in [("env:CODE", ""), (&file, ""), ("-", names::ALICE_MFA_CODES[5])] {
        let args = ["export", "--profile", "mfa", "--no-cache", "--mfa-code", source];
        sandbox.run_with_input(&args, input).json();
    }
    assert_eq!(sandbox.kit.count("AssumeRole"), 6);
}

#[test]
fn limits_are_checked_before_the_network() {
    let sandbox = Sandbox::new();
    let role = ["sts", "assume-role", "--profile", "alice", "--role-arn", names::HOP];
    for (more, says) in [
        (["--role-session-name", "x"], "RoleSessionName"),
        (["--role-session-name", "a b"], "RoleSessionName"),
    ] {
        let finished = sandbox.run(&[&role[..], &more].concat());
        assert_eq!(finished.code(), 4, "{finished:?}");
        assert!(finished.stderr.contains(says), "{finished:?}");
    }
    assert!(sandbox.kit.counts().is_empty());
}
