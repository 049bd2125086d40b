//! Every operation of STS, end to end, with AWS CLI's JSON.

use std::collections::BTreeMap;

use rolecall_kit::{Fault, FaultRule, names};
use serde_json::{Value, json};

use crate::support::Sandbox;

pub(crate) const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

/// Runs `sts …` as alice.
pub(crate) fn sts(sandbox: &Sandbox, args: &[&str]) -> Value {
    sandbox.run(&[&["sts", "--profile", "alice"], args].concat()).json()
}

/// The parameters of the last call.
fn sent(sandbox: &Sandbox) -> BTreeMap<String, String> {
    sandbox.kit.calls().pop().unwrap().params
}

#[track_caller]
pub(crate) fn has(sandbox: &Sandbox, expected: &[(&str, &str)]) {
    let sent = sent(sandbox);
    for (name, value) in expected {
        assert_eq!(sent.get(*name).map(String::as_str), Some(*value), "{name} of {sent:?}");
    }
}

#[track_caller]
pub(crate) fn has_keys(value: &Value, expected: &[&str]) {
    let object = value.as_object().unwrap();
    let mut found: Vec<_> = object.keys().map(String::as_str).collect();
    found.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected, "{value}");
    if let Some(credentials) = object.get("Credentials") {
        has_keys(credentials, &["AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken"]);
    }
}

/// The ARN of the session that an answer's credentials are of.
pub(crate) fn caller(sandbox: Sandbox, answer: &Value) -> String {
    let key = |name: &str| answer["Credentials"][name].as_str().unwrap().to_owned();
    let sandbox = sandbox
        .set("AWS_ACCESS_KEY_ID", key("AccessKeyId"))
        .set("AWS_SECRET_ACCESS_KEY", key("SecretAccessKey"))
        .set("AWS_SESSION_TOKEN", key("SessionToken"));
    let identity = sandbox.run(&["sts", "get-caller-identity"]).json();
    identity["Arn"].as_str().unwrap().to_owned()
}

#[test]
fn get_caller_identity() {
    let answer = sts(&Sandbox::new(), &["get-caller-identity"]);
    has_keys(&answer, &["UserId", "Account", "Arn"]);
    assert_eq!(answer["Arn"], "arn:aws:iam::111111111111:user/alice");
    assert_eq!(answer["Account"], names::ACCOUNT);
}

#[test]
fn assume_role_with_saml_needs_no_credentials() {
    let sandbox = Sandbox::new();
    sandbox.config("");
    let assertion = sandbox.kit.saml_assertion(names::SAML, names::SAML_PROVIDER, "me");
    let sandbox = sandbox.set("ASSERTION", &assertion);
    let args = [
        "sts",
        "assume-role-with-saml",
        "--role-arn",
        names::SAML,
        "--principal-arn",
        names::SAML_PROVIDER,
        "--saml-assertion",
    ];
    let finished = sandbox.run(&[&args[..], &["env:ASSERTION"]].concat());
    assert_eq!(finished.stderr, "");
    let answer = finished.json();
    has_keys(
        &answer,
        &[
            "Credentials",
            "AssumedRoleUser",
            "Subject",
            "SubjectType",
            "Issuer",
            "Audience",
            "NameQualifier",
        ],
    );
    assert_eq!(answer["Issuer"], names::SAML_ISSUER);
    // On the command line it works too, with a warning.
    let finished = sandbox.run(&[&args[..], &[&assertion]].concat()).good();
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    assert!(finished.stderr.contains("--saml-assertion"), "{}", finished.stderr);
}

#[test]
fn assume_role_with_web_identity_needs_no_credentials() {
    let sandbox = Sandbox::new();
    sandbox.config("");
    let token = format!("file://{}", sandbox.token_file());
    let finished = sandbox.run(&[
        "sts",
        "assume-role-with-web-identity",
        "--role-arn",
        names::WEB,
        "--role-session-name",
        "me",
        "--web-identity-token",
        &token,
        "--duration-seconds",
        "900",
    ]);
    assert_eq!(finished.stderr, "");
    let answer = finished.json();
    has_keys(
        &answer,
        &["Credentials", "AssumedRoleUser", "SubjectFromWebIdentityToken", "Provider", "Audience"],
    );
    assert_eq!(caller(sandbox, &answer), "arn:aws:sts::111111111111:assumed-role/Web/me");
}

#[test]
fn get_session_token() {
    let sandbox = Sandbox::new().set("CODE", names::ALICE_MFA_CODES[0]);
    let answer = sts(
        &sandbox,
        &[
            "get-session-token",
            "--duration-seconds",
            "900",
            "--serial-number",
            names::ALICE_MFA,
            "--token-code",
            "env:CODE",
        ],
    );
    has_keys(&answer, &["Credentials"]);
    assert_eq!(caller(sandbox, &answer), "arn:aws:iam::111111111111:user/alice");
}

#[test]
fn get_federation_token() {
    let sandbox = Sandbox::new();
    let answer = sts(
        &sandbox,
        &["get-federation-token", "--name", "guest", "--policy", POLICY, "--tags", "Key=a,Value=b"],
    );
    has_keys(&answer, &["Credentials", "FederatedUser", "PackedPolicySize"]);
    has_keys(&answer["FederatedUser"], &["FederatedUserId", "Arn"]);
    assert_eq!(caller(sandbox, &answer), "arn:aws:sts::111111111111:federated-user/guest");
}

#[test]
fn decode_authorization_message() {
    let sandbox = Sandbox::new();
    let message = r#"{"allowed":false,"context":{}}"#;
    let encoded = sandbox.kit.encode_authorization_message(message);
    let file = format!("file://{}", sandbox.file("message", &encoded).display());
    for argument in [encoded, file] {
        let answer =
            sts(&sandbox, &["decode-authorization-message", "--encoded-message", &argument]);
        assert_eq!(answer, json!({"DecodedMessage": message}));
    }
}

#[test]
fn get_access_key_info() {
    let args = ["get-access-key-info", "--access-key-id", names::BOB_KEY];
    assert_eq!(sts(&Sandbox::new(), &args), json!({"Account": names::ACCOUNT}));
}

#[test]
fn assume_root() {
    let sandbox = Sandbox::new();
    let answer = sts(
        &sandbox,
        &[
            "assume-root",
            "--target-principal",
            "444444444444",
            "--task-policy-arn",
            "arn=arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials",
            "--duration-seconds",
            "900",
        ],
    );
    has_keys(&answer, &["Credentials"]);
    assert_eq!(caller(sandbox, &answer), "arn:aws:iam::444444444444:root");
}

#[test]
fn get_web_identity_token() {
    let sandbox = Sandbox::new();
    let answer = sts(
        &sandbox,
        &[
            "get-web-identity-token",
            "--audience",
            "a",
            "b",
            "--signing-algorithm",
            "ES384",
            "--tags",
            "Key=k,Value=v",
        ],
    );
    has_keys(&answer, &["WebIdentityToken", "Expiration"]);
    assert_eq!(answer["WebIdentityToken"].as_str().unwrap().split('.').count(), 3);
    has(&sandbox, &[("Audience.member.2", "b"), ("Tags.member.1.Key", "k")]);
}

#[test]
fn get_delegated_access_token() {
    let sandbox = Sandbox::new().set("TOKEN", "trade-in");
    // The kit does not know this one: it answers as AWS documents it.
    let body = "<GetDelegatedAccessTokenResponse \
                xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetDelegatedAccessTokenResult>\
                <Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>s\
                </SecretAccessKey><SessionToken>t</SessionToken><Expiration>2030-01-01T00:00:00Z\
                </Expiration></Credentials><AssumedPrincipal>arn:aws:iam::111111111111:role/R\
                </AssumedPrincipal></GetDelegatedAccessTokenResult></GetDelegatedAccessTokenResponse>";
    let answer = Fault::Raw {
        status: 200,
        content_type: "text/xml".to_owned(),
        body: body.to_owned(),
        headers: BTreeMap::new(),
    };
    sandbox.kit.inject(FaultRule::next("GetDelegatedAccessToken", 1, answer));
    let answer = sts(&sandbox, &["get-delegated-access-token", "--trade-in-token", "env:TOKEN"]);
    has_keys(&answer, &["Credentials", "AssumedPrincipal"]);
    assert_eq!(answer["AssumedPrincipal"], "arn:aws:iam::111111111111:role/R");
}

#[test]
fn structures_in_a_wrong_form_are_told_the_right_one() {
    let sandbox = Sandbox::new();
    let role = ["--role-arn", names::HOP, "--role-session-name", "me"];
    for (flag, wrong, form) in [
        ("--tags", "team=a", "write --tags Key=…,Value=…, "),
        ("--tags", "Key=team", "write --tags Key=…,Value=…, "),
        ("--tags", "team", r#"'[{"Key": "…", "Value": "…"}]'"#),
        ("--tags", "{", "write --tags Key=…,Value=…, "),
        ("--policy-arns", "ReadOnlyAccess", "write --policy-arns arn=…, "),
        (
            "--provided-contexts",
            "hunter2",
            "write --provided-contexts ProviderArn=…,ContextAssertion=…, ",
        ),
    ] {
        let args = ["sts", "--profile", "alice", "assume-role", flag, wrong];
        let finished = sandbox.run(&[&args[..], &role].concat());
        assert_eq!(finished.code(), 4, "{finished:?}");
        assert!(finished.stderr.contains(&format!("rolecall: {flag}: ")), "{finished:?}");
        assert!(finished.stderr.contains(form), "{finished:?}");
        assert!(!finished.stderr.contains("hunter2"), "{finished:?}");
    }
}

#[test]
fn a_flag_under_its_name_in_the_api_is_told_its_name_here() {
    let sandbox = Sandbox::new();
    for (operation, flags) in [
        (
            "assume-role",
            &[
                ("--RoleArn", "--role-arn"),
                ("--RoleSessionName", "--role-session-name"),
                ("--roleArn", "--role-arn"),
                ("--PolicyArns", "--policy-arns"),
                ("--DurationSeconds", "--duration-seconds"),
                ("--Tags", "--tags"),
                ("--TransitiveTagKeys", "--transitive-tag-keys"),
                ("--ExternalId", "--external-id"),
                ("--SerialNumber", "--serial-number"),
                ("--TokenCode", "--token-code"),
                ("--SourceIdentity", "--source-identity"),
                ("--ProvidedContexts", "--provided-contexts"),
            ][..],
        ),
        (
            "assume-role-with-saml",
            &[("--SAMLAssertion", "--saml-assertion"), ("--PrincipalArn", "--principal-arn")],
        ),
        ("assume-role-with-web-identity", &[("--WebIdentityToken", "--web-identity-token")]),
        ("assume-root", &[("--TaskPolicyArn", "--task-policy-arn")]),
        ("get-web-identity-token", &[("--SigningAlgorithm", "--signing-algorithm")]),
    ] {
        for (theirs, ours) in flags {
            let finished = sandbox.run(&["sts", operation, theirs, "x"]);
            assert_eq!(finished.code(), 2, "{finished:?}");
            assert!(finished.stderr.contains(&format!("'{ours}'")), "{finished:?}");
        }
    }
}
