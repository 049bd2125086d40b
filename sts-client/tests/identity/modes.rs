//! Rows 13 and 25, challenges, single flight, and what the decision record says.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rolecall_sts::identity::{
    Binding, Bounds, Challenges, Check, Dialect, Mode, Outcome, Policy, SubClaim, TokenFormat,
};

use crate::support::{
    self, AUDIENCE, Say, binding, bounds, code, made, now, policy, role_session, token, verifier,
};

fn good() -> Say {
    Say::Answer(200, role_session())
}

#[tokio::test]
async fn row_13_a_replay_is_refused_however_it_is_written() {
    let (verifier, sts, clock) = verifier(Mode::SingleUse, good());
    let (token, policy) = (token(TokenFormat::Akeyless), policy(&bounds()));
    assert_eq!(code(&verifier.verify(&token, &policy).await).1, "accepted");
    let json = String::from_utf8(STANDARD.decode(&token).unwrap()).unwrap();
    let spaced = STANDARD.encode(json.replace(": ", " :\n ").replace('{', "{ "));
    for again in [token.clone(), spaced] {
        assert_eq!(code(&verifier.verify(&again, &policy).await), ("replay".into(), "replayed"));
    }
    clock.advance(Duration::from_secs(300));
    assert_eq!(code(&verifier.verify(&token, &policy).await).1, "replayed");
    clock.advance(Duration::from_secs(1));
    assert_eq!(code(&verifier.verify(&token, &policy).await).1, "too-old");
    assert_eq!(sts.asked(), 1);
}

#[tokio::test]
async fn row_13_a_token_is_spent_whatever_the_bounds_say() {
    let (verifier, sts, _) = verifier(Mode::SingleUse, good());
    let other = Bounds { role_names: vec!["Other".to_owned()], ..bounds() };
    let token = token(TokenFormat::Akeyless);
    assert_eq!(code(&verifier.verify(&token, &policy(&other)).await).1, "role-name-not-bound");
    assert_eq!(code(&verifier.verify(&token, &policy(&bounds())).await).1, "replayed");
    assert_eq!(sts.asked(), 1);
}

#[tokio::test]
async fn row_25_bounds_are_asked_each_time() {
    let (verifier, sts, clock) = verifier(Mode::Cached, good());
    let token = token(TokenFormat::Akeyless);
    let open = policy(&bounds());
    for _ in 0..3 {
        assert_eq!(code(&verifier.verify(&token, &open).await).1, "accepted");
    }
    let closed = Bounds { role_ids: vec!["AROAOTHER".to_owned()], ..bounds() };
    assert_eq!(code(&verifier.verify(&token, &policy(&closed)).await).1, "role-id-not-bound");
    let elsewhere = Bounds { account_ids: vec!["999999999999".to_owned()], ..bounds() };
    assert_eq!(code(&verifier.verify(&token, &policy(&elsewhere)).await).1, "account-not-bound");
    assert_eq!(sts.asked(), 1);
    clock.advance(Duration::from_secs(301));
    assert_eq!(code(&verifier.verify(&token, &open).await).1, "too-old");
}

#[tokio::test]
async fn a_changed_token_with_a_known_signature_is_not_found_in_the_cache() {
    let (verifier, sts, _) = verifier(Mode::Cached, good());
    let policy = policy(&bounds());
    let token = token(TokenFormat::Akeyless);
    assert_eq!(code(&verifier.verify(&token, &policy).await).1, "accepted");
    sts.says(Say::Answer(403, String::new()));
    let json = String::from_utf8(STANDARD.decode(&token).unwrap()).unwrap();
    let headers = json.split("sts_request_headers\": \"").nth(1).unwrap().trim_end_matches("\"}");
    let inner = String::from_utf8(STANDARD.decode(headers).unwrap()).unwrap();
    let other = json.replace(headers, &STANDARD.encode(inner.replace("EXAMPLE+", "example+")));
    let changed = STANDARD.encode(other);
    assert_ne!(changed, token);
    assert_eq!(code(&verifier.verify(&changed, &policy).await).1, "sts-denied");
}

#[tokio::test]
async fn a_thousand_equal_tokens_are_one_call_and_one_success() {
    for (mode, successes) in [(Mode::SingleUse, 1), (Mode::Cached, 1000)] {
        let (verifier, sts, _) = verifier(mode, good());
        let verifier = Arc::new(verifier.with_time_limit(Duration::from_secs(30)));
        let policy = Arc::new(policy(&bounds()));
        let token: Arc<str> = token(TokenFormat::Akeyless).into();
        let tasks: Vec<_> = (0..1000)
            .map(|_| {
                let (verifier, policy, token) = (verifier.clone(), policy.clone(), token.clone());
                tokio::spawn(async move { code(&verifier.verify(&token, &policy).await).1 })
            })
            .collect();
        let mut accepted = 0;
        for task in tasks {
            match task.await.unwrap() {
                "accepted" => accepted += 1,
                other => assert_eq!(other, "replayed"),
            }
        }
        assert_eq!((accepted, sts.asked()), (successes, 1), "{mode:?}");
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_the_call_to_the_next() {
    let (verifier, sts, _) = verifier(Mode::SingleUse, Say::Hang);
    let (token, policy) = (token(TokenFormat::Akeyless), policy(&bounds()));
    {
        let mut first = Box::pin(verifier.verify(&token, &policy));
        assert!(futures_poll(&mut first).await.is_none());
    }
    sts.says(good());
    assert_eq!(code(&verifier.verify(&token, &policy).await).1, "accepted");
    assert_eq!(sts.asked(), 2);
}

/// Polls once.
async fn futures_poll<F: std::future::Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

fn answering(challenge: Option<String>) -> String {
    let lifetime = Dialect::LIFETIME;
    made(Dialect::Rolecall { audience: AUDIENCE.to_owned(), challenge, lifetime }, now())
}

#[tokio::test]
async fn a_challenge_must_be_ours_fresh_and_answered_once() {
    let challenges = Arc::new(Challenges::random().unwrap());
    let binding = Binding { challenges: Some(challenges.clone()), ..binding() };
    let policy = Policy::new(&bounds(), &[TokenFormat::Rolecall], binding).unwrap();
    let issue = |audience: &str| challenges.issue(audience, now()).unwrap();
    let (verifier, sts, _) = verifier(Mode::SingleUse, good());

    let stranger = Challenges::random().unwrap().issue(AUDIENCE, now()).unwrap();
    let old = challenges.issue(AUDIENCE, now() - Duration::from_secs(121)).unwrap();
    for (challenge, expected) in [
        (None, "challenge-missing"),
        (Some("nonsense".to_owned()), "challenge-foreign"),
        (Some(stranger), "challenge-foreign"),
        (Some(issue("https://other.example.com")), "challenge-foreign"),
        (Some(old), "challenge-ended"),
    ] {
        assert_eq!(code(&verifier.verify(&answering(challenge), &policy).await).1, expected);
    }
    assert_eq!(sts.asked(), 0);

    let challenge = issue(AUDIENCE);
    let token = answering(Some(challenge.clone()));
    assert_eq!(code(&verifier.verify(&token, &policy).await).1, "accepted");
    // Another token for the same challenge.
    let lifetime = Duration::from_secs(59);
    let audience = AUDIENCE.to_owned();
    let dialect = Dialect::Rolecall { audience, challenge: Some(challenge), lifetime };
    let second = made(dialect, now());
    assert_eq!(code(&verifier.verify(&second, &policy).await).1, "challenge-spent");
    assert_eq!(sts.requests.lock().unwrap()[0].headers()["x-rolecall-audience"], AUDIENCE);

    let none = support::policy(&bounds());
    let answered = answering(Some("x".to_owned()));
    assert_eq!(code(&verifier.verify(&answered, &none).await).1, "challenge-unexpected");
}

#[tokio::test]
async fn what_is_sent_is_our_own() {
    for format in TokenFormat::ALL {
        let (verifier, sts, _) = verifier(Mode::SingleUse, good());
        verifier.verify(&token(format), &policy(&bounds())).await.accepted().unwrap();
        let requests = sts.requests.lock().unwrap();
        let headers: Vec<_> = requests[0].headers().keys().map(|name| name.as_str()).collect();
        assert_eq!(requests[0].headers()["accept"], "text/xml");
        assert!(!headers.contains(&"user-agent") && !headers.contains(&"host"), "{headers:?}");
        assert_eq!(requests[0].uri().host(), Some("sts.amazonaws.com"));
        let shown = format!("{:?}", requests[0].headers());
        assert!(!shown.contains(support::SESSION), "{shown}");
    }
}

#[tokio::test]
async fn the_record_names_each_check_in_order() {
    let (verifier, _, _) = verifier(Mode::SingleUse, good());
    let bounds = Bounds {
        role_names: vec!["Deploy".to_owned()],
        role_ids: vec!["AROAOTHER".to_owned()],
        unique_identifier: Some(SubClaim::PrincipalArn),
        ..bounds()
    };
    let decision = verifier.verify(&token(TokenFormat::Eks), &policy(&bounds)).await;
    let outcome = |wanted| decision.checks().find(|(check, _)| *check == wanted).unwrap().1;
    assert_eq!(outcome(Check::Size), Outcome::Passed);
    assert_eq!(outcome(Check::Body), Outcome::Skipped);
    assert_eq!(outcome(Check::Binding), Outcome::Passed);
    assert_eq!(outcome(Check::Challenge), Outcome::Skipped);
    assert_eq!(outcome(Check::Sts), Outcome::Passed);
    assert_eq!(outcome(Check::Arn), Outcome::Skipped);
    assert_eq!(outcome(Check::RoleName), Outcome::Passed);
    assert_eq!(outcome(Check::RoleId), Outcome::Failed);
    assert_eq!(outcome(Check::SubClaim), Outcome::NotReached);
    let json = decision.to_json();
    assert_eq!(json["accepted"], false);
    assert_eq!(json["refusal"]["code"], "role-id-not-bound");
    assert_eq!(json["identity"]["session_name_caller_chosen"], "ci-1");

    let early = verifier.verify("nonsense", &policy(&bounds)).await;
    let passed: Vec<_> = early.checks().filter(|(_, o)| *o == Outcome::Passed).collect();
    assert_eq!(passed, [(Check::Size, Outcome::Passed)]);
}

#[tokio::test]
async fn the_subject_is_what_the_caller_did_not_choose() {
    for (claim, expected) in [
        (SubClaim::AccountId, Some("123456789012")),
        (SubClaim::PrincipalArn, Some("arn:aws:iam::123456789012:role/Deploy")),
        (SubClaim::RoleName, Some("Deploy")),
        (SubClaim::RoleId, Some("AROAEXAMPLEROLEID0001")),
        (SubClaim::UserName, None),
    ] {
        let (verifier, _, _) = verifier(Mode::SingleUse, good());
        let bounds = Bounds { unique_identifier: Some(claim), ..bounds() };
        let decision = verifier.verify(&token(TokenFormat::Akeyless), &policy(&bounds)).await;
        assert_eq!(decision.subject.as_deref(), expected);
        let wanted = if expected.is_some() { "accepted" } else { "sub-claim-missing" };
        assert_eq!(code(&decision).1, wanted);
    }
}
