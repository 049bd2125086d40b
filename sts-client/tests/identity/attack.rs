//! Every row of the attack table by its number; those that are not of one token or answer are in
//! `modes` and `config`.

use std::time::Duration;

use rolecall_core::Clock;
use rolecall_core::http::HttpFailure;
use rolecall_sts::identity::{Bounds, Mode, TokenFormat, inspect};
use serde_json::Value;

use crate::cases;
use crate::support::{Say, bounds, code, policy, role_session, token, verifier};

fn bounds_of(json: &Value) -> Bounds {
    let list = |key: &str| -> Vec<String> {
        let list = json.get(key).and_then(Value::as_array).into_iter().flatten();
        list.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    Bounds {
        account_ids: list("account_ids"),
        arns: list("arns"),
        role_names: list("role_names"),
        role_ids: list("role_ids"),
        user_names: list("user_names"),
        user_ids: list("user_ids"),
        session_names: list("session_names"),
        sts_url: json.get("sts_url").map(|url| url.as_str().unwrap().to_owned()),
        ..Bounds::default()
    }
}

async fn run(row: u8) {
    let mut count = 0;
    for case in cases::all().into_iter().filter(|case| case.row == row) {
        count += 1;
        let asks = case.answer.is_some();
        let say = case.answer.map_or(Say::Nothing, |(status, body)| Say::Answer(status, body));
        let (verifier, sts, _) = verifier(Mode::SingleUse, say);
        let decision = verifier.verify(&case.token, &policy(&bounds_of(&case.bounds))).await;
        let found = code(&decision);
        assert_eq!(found.1, case.expected, "{}: {found:?}", case.name);
        assert_eq!(sts.asked(), usize::from(asks), "{}", case.name);
        // Whatever is said about it, no secret of it is.
        let shown = format!("{decision:?} {}", decision.to_json());
        assert!(!shown.contains(crate::support::SESSION), "{shown}");
        if !asks && case.expected != "accepted" {
            let _ = inspect(&case.token);
        }
    }
    assert!(count > 0);
}

macro_rules! rows {
    ($($name:ident => $row:literal,)*) => {
        $(#[tokio::test]
        async fn $name() {
            run($row).await;
        })*
    };
}

rows! {
    row_00_good_tokens_of_every_dialect_come_in => 0,
    row_01_another_action => 1,
    row_02_parameters_that_differ_in_case => 2,
    row_03_hosts_and_regions_that_steer_elsewhere => 3,
    row_04_the_same_role_in_another_account => 4,
    row_05_the_callers_region_and_partition => 5,
    row_06_a_query_on_a_post => 6,
    row_08_bodies_that_are_not_exact => 8,
    row_09_headers => 9,
    row_10_authorization => 10,
    row_11_bindings => 11,
    row_12_dates_and_lives => 12,
    row_14_answers => 14,
    row_15_inconsistent_triples => 15,
    row_16_hostile_arns => 16,
    row_17_a_path_that_looks_like_a_role => 17,
    row_18_wildcards => 18,
    row_19_sessions => 19,
    row_20_made_again => 20,
    row_23_sizes => 23,
}

#[tokio::test]
async fn row_07_a_redirect_is_never_followed() {
    for status in [301, 302, 303, 307, 308] {
        let (verifier, sts, _) = verifier(Mode::SingleUse, Say::Answer(status, role_session()));
        let decision = verifier.verify(&token(TokenFormat::Akeyless), &policy(&bounds())).await;
        assert_eq!(code(&decision).1, "sts-redirect");
        assert_eq!(sts.asked(), 1);
    }
}

#[tokio::test]
async fn row_14_a_slow_drip_is_bounded() {
    let (verifier, _, _) = verifier(Mode::SingleUse, Say::Hang);
    let decision = verifier.verify(&token(TokenFormat::Akeyless), &policy(&bounds())).await;
    assert_eq!(code(&decision).1, "sts-timed-out");
}

#[tokio::test]
async fn row_18_wildcards_cost_what_the_text_costs() {
    let stars = "*".repeat(1500);
    let pieces = "a*".repeat(700);
    let arns = [&stars, &pieces].map(|p| format!("arn:aws:iam::123456789012:user/{p}b"));
    let bounds = Bounds { arns: arns.to_vec(), ..bounds() };
    let (policy, answer) = (policy(&bounds), crate::support::user("/", &"a".repeat(64)));
    let (verifier, _, _) = verifier(Mode::SingleUse, Say::Answer(200, answer));
    let start = Clock::real();
    let decision = verifier.verify(&token(TokenFormat::Akeyless), &policy).await;
    assert_eq!(code(&decision).1, "arn-not-bound");
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
}

#[tokio::test]
async fn row_24_four_failures_are_four_errors_and_none_is_kept() {
    let denied = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>";
    let failures = [
        (Say::Answer(403, denied.to_owned()), "sts-denied", "Denied"),
        (Say::Answer(429, String::new()), "sts-throttled", "Unavailable"),
        (Say::Answer(400, "<Code>Throttling</Code>".to_owned()), "sts-throttled", "Unavailable"),
        (Say::Fail(HttpFailure::TimedOut), "sts-timed-out", "TimedOut"),
        (Say::Fail(HttpFailure::Tls), "sts-tls", "Unavailable"),
        (Say::Fail(HttpFailure::Connect), "sts-unreachable", "Unavailable"),
        (Say::Answer(500, role_session()), "sts-failed", "Unavailable"),
        (Say::Answer(404, String::new()), "sts-unexpected", "Malformed"),
        (Say::Answer(204, role_session()), "sts-unexpected", "Malformed"),
    ];
    for mode in [Mode::SingleUse, Mode::Cached] {
        for (say, expected, kind) in failures.clone() {
            let (verifier, sts, _) = verifier(mode, say);
            let (token, policy) = (token(TokenFormat::Akeyless), policy(&bounds()));
            let decision = verifier.verify(&token, &policy).await;
            assert_eq!(code(&decision).1, expected);
            assert_eq!(decision.refusal.unwrap().kind.name(), kind);
            sts.says(Say::Answer(200, role_session()));
            let again = verifier.verify(&token, &policy).await;
            assert_eq!(code(&again).1, "accepted", "{expected}");
        }
    }
}

#[tokio::test]
async fn row_23_what_is_too_large_is_refused_at_once() {
    let large = "e".repeat(5_000_000);
    let start = Clock::real();
    let (_, code) = crate::support::refused(&large, &policy(&bounds())).await;
    assert_eq!(code, "too-long");
    assert!(start.elapsed() < Duration::from_millis(20), "{:?}", start.elapsed());
}
