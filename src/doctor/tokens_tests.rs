use super::super::testing::{Machine, has, has_not};
use super::*;

// The machine's clock says 2026-01-01T00:00:00Z.
const NOW: u64 = 1_767_225_600;
const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIA1"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
const SSO: &str = "[default]\nsso_session = s\nsso_account_id = 111111111111\nsso_role_name = R\n\
                   [sso-session s]\nsso_region = us-east-1\nsso_start_url = https://x\n";
/// The SHA-1 of `s`.
const SSO_FILE: &str = "/home/.aws/sso/cache/a0f1490a20d0211c997b44bc357e1972deab8ae3.json";

fn found(machine: &Machine) -> Vec<Finding> {
    let all = check(&machine.setup());
    assert!(!format!("{all:?}").contains("hunter2"), "{all:?}");
    all
}

fn jwt(exp: u64) -> String {
    let payload = format!(r#"{{"sub":"hunter2","exp":{exp}}}"#);
    format!("e30.{}.hunter2", URL_SAFE_NO_PAD.encode(payload))
}

#[test]
fn the_environment_s_end_is_told() {
    let with = |end| {
        let pairs = [KEYS[0], KEYS[1], ("AWS_CREDENTIAL_EXPIRATION", end)];
        found(&Machine::new(&pairs))
    };
    let all = with("2026-01-01T00:10:00Z");
    has(&all, "credentials end in 10 min", "AWS_CREDENTIAL_EXPIRATION", "exec --serve");
    has_not(&with("2026-01-01T01:00:00Z"), "in 10 min");
    has(&with("2026-01-01T01:00:00Z"), "end in 60 min", "", "");
    assert_eq!(found(&Machine::new(&KEYS)), []);
}

#[test]
fn the_end_of_a_web_identity_token_is_read_and_the_token_never_shown() {
    let pairs =
        [("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")];
    let with = |token: &str| found(&Machine::new(&pairs).file("/token", token));
    has(&with(&jwt(NOW - 1)), "token has ended", "/token: exp is 2025-12-31T23:59:59Z", "renew");
    has(&with(&jwt(NOW + 60)), "token ends in 60 s", "/token", "renew");
    has(&with(&jwt(NOW + 36_000)), "token ends in 10 h", "", "");
    has(&with(&jwt(u64::MAX / 4)), "token ends in", "", "");
    // What is no JWT, or names no end, is for STS to judge.
    for token in ["opaque-hunter2", "a.%%.c", "e30.e30.x"] {
        assert_eq!(with(token), []);
    }
    assert_eq!(found(&Machine::new(&pairs)), []);
}

#[test]
fn a_sign_in_that_ends_soon_or_is_renewable_is_told() {
    let login = "aws sso login --sso-session s";
    let with = |text: &str| found(&Machine::new(&[]).config(SSO).file(SSO_FILE, text));
    let token = r#"{"accessToken":"hunter2","expiresAt":"#;
    has(&with(&format!(r#"{token}"2026-01-01T00:05:00Z"}}"#)), "ends in 5 min", SSO_FILE, login);
    has(&with(&format!(r#"{token}"2026-01-01T08:00:00Z"}}"#)), "ends in 8 h", "", "");
    let renewable = format!(
        r#"{token}"2025-12-31T00:00:00Z","clientId":"c","clientSecret":"hunter2",
        "refreshToken":"hunter2","registrationExpiresAt":"2026-03-01T00:00:00Z"}}"#
    );
    has(&with(&renewable), "renewed when it is used", "", "");
    // These are among what `explain` finds.
    assert_eq!(found(&Machine::new(&[]).config(SSO)), []);
    for text in [format!(r#"{token}"2025-12-31T00:00:00Z"}}"#), "{hunter2".to_owned()] {
        assert_eq!(with(&text), []);
    }
}

#[test]
fn keys_of_a_profile_go_with_their_token() {
    let keys = |id: &str, more: &str| {
        format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = hunter2\n{more}\n")
    };
    let token = "aws_session_token = hunter2";
    let all = found(&Machine::new(&[]).config(&keys("ASIA1", "")));
    has(&all, "aws_session_token is missing", "ASIA1 of profile default", "aws_session_token");
    assert_eq!(found(&Machine::new(&[]).config(&keys("ASIA1", token))), []);
    assert_eq!(found(&Machine::new(&[]).config(&keys("AKIA1", ""))), []);
    has(&found(&Machine::new(&[]).config(&keys("AKIA1", token))), "no session's", "", "away");
}

#[test]
fn the_cache_is_counted_and_impossible_ends_are_told() {
    let entry = |end: &str| {
        format!(
            r#"{{"Credentials":{{"AccessKeyId":"ASIA1","SecretAccessKey":"hunter2",
            "SessionToken":"hunter2","Expiration":"{end}"}}}}"#
        )
    };
    let file = |name: &str| format!("/home/.aws/cli/cache/{name}.json");
    let machine = Machine::new(&[])
        .file(&file("a"), &entry("2025-12-31T00:00:00Z"))
        .file(&file("b"), &entry("2026-01-01T00:10:00Z"))
        .file(&file("c"), &entry("2026-01-01T01:00:00Z"));
    let all = found(&machine);
    has(&all, "3 cached credentials: 1 have ended, 1 end within 15 min", "cli/cache", "");
    has_not(&all, "longer than any");
    let machine = machine.file(&file("d"), &entry("2027-01-01T00:00:00Z"));
    has(&found(&machine), "longer than any session", "d.json", "rolecall cache clear");
}
