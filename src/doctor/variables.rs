//! Variables that make a whole together, and of which some are set.

use rolecall_core::{Env, ErrorKind};

use super::Finding;

const CHECK: &str = "environment";

pub(super) fn check(env: &Env) -> Vec<Finding> {
    let has = |name: &str| env.get(name).is_some();
    let mut findings = Vec::new();
    // One of the two keys without the other ends every chain, and is told with that.
    if !has("AWS_ACCESS_KEY_ID") && !has("AWS_SECRET_ACCESS_KEY") {
        let rest = ["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION"];
        let left: Vec<_> = rest.into_iter().filter(|name| has(name)).collect();
        if !left.is_empty() {
            findings.push(
                Finding::warning(CHECK, "left over from a session: the keys are not set")
                    .evidence(format!("{} is set", left.join(", ")))
                    .fix(format!("unset {}", left.join(" "))),
            );
        }
    } else if let (Some(ours), Some(theirs)) =
        (env.get("AWS_SESSION_TOKEN"), env.get("AWS_SECURITY_TOKEN"))
        && ours != theirs
    {
        findings.push(
            Finding::warning(CHECK, "AWS_SESSION_TOKEN and AWS_SECURITY_TOKEN differ")
                .evidence("some SDKs read the one, some the other")
                .fix("unset AWS_SECURITY_TOKEN"),
        );
    }
    if let Some(id) = env.get("AWS_ACCESS_KEY_ID").filter(|_| has("AWS_SECRET_ACCESS_KEY")) {
        let token = has("AWS_SESSION_TOKEN");
        findings.extend(mismatch(CHECK, &id, token, "AWS_SESSION_TOKEN", "the environment"));
    }
    if has("AWS_ROLE_ARN") && !has("AWS_WEB_IDENTITY_TOKEN_FILE") {
        findings.push(
            Finding::warning(CHECK, "AWS_ROLE_ARN is set and does nothing by itself")
                .evidence("AWS_WEB_IDENTITY_TOKEN_FILE is not set")
                .fix("set AWS_WEB_IDENTITY_TOKEN_FILE, or name the role by role_arn in a profile"),
        );
    }
    findings
}

/// Keys of a session and its token go together.
pub(super) fn mismatch(
    check: &'static str,
    access_key_id: &str,
    has_token: bool,
    token: &str,
    place: &str,
) -> Option<Finding> {
    let (what, fix) = match (access_key_id.get(..4)?, has_token) {
        ("ASIA", false) => (
            format!("the access key is a session's, and {token} is missing: AWS refuses it"),
            format!("set {token} to the session's token"),
        ),
        ("AKIA", true) => (
            format!("the access key is no session's, and {token} is another's: AWS refuses it"),
            format!("take {token} away"),
        ),
        _ => return None,
    };
    let evidence = format!("access key {access_key_id} of {place}");
    Some(Finding::error(ErrorKind::InvalidConfiguration, check, what).evidence(evidence).fix(fix))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{has, has_not};
    use super::*;

    fn found(pairs: &[(&str, &str)]) -> Vec<Finding> {
        check(&Env::from_pairs(pairs.iter().copied()))
    }

    const KEYS: [(&str, &str); 2] =
        [("AWS_ACCESS_KEY_ID", "ASIA1"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
    const TOKEN: (&str, &str) = ("AWS_SESSION_TOKEN", "hunter2-token");

    #[test]
    fn a_whole_session_is_well() {
        assert_eq!(found(&[]), []);
        assert_eq!(found(&[KEYS[0], KEYS[1], TOKEN]), []);
        assert_eq!(found(&[("AWS_ACCESS_KEY_ID", "AKIA1"), KEYS[1]]), []);
    }

    #[test]
    fn what_is_left_of_a_session_is_told() {
        let all = found(&[TOKEN, ("AWS_CREDENTIAL_EXPIRATION", "2026-01-01T00:00:00Z")]);
        let both = "AWS_SESSION_TOKEN AWS_CREDENTIAL_EXPIRATION";
        has(&all, "left over from a session", "AWS_SESSION_TOKEN", both);
        assert!(!format!("{all:?}").contains("hunter2"));
        let all = found(&[KEYS[0], KEYS[1], TOKEN, ("AWS_SECURITY_TOKEN", "other")]);
        has(&all, "differ", "some SDKs", "unset AWS_SECURITY_TOKEN");
    }

    #[test]
    fn keys_and_token_that_do_not_go_together_are_told() {
        let all = found(&KEYS);
        has(&all, "AWS_SESSION_TOKEN is missing", "ASIA1", "set AWS_SESSION_TOKEN");
        let all = found(&[("AWS_ACCESS_KEY_ID", "AKIA1"), KEYS[1], TOKEN]);
        has(&all, "no session's", "AKIA1", "take AWS_SESSION_TOKEN away");
        assert!(!format!("{all:?}").contains("hunter2"));
    }

    #[test]
    fn a_role_without_a_token_file_is_told() {
        let role = ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r");
        has(&found(&[role]), "AWS_ROLE_ARN is set", "TOKEN_FILE", "role_arn");
        has_not(&found(&[role, ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")]), "AWS_ROLE_ARN is set");
    }
}
