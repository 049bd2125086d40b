use std::sync::Arc;
use std::time::SystemTime;

use http::Method;

use super::*;
use crate::Clock;
use crate::http::{Direct, HttpError, HttpFailure, Request, ScriptedHttp, TimeLimit};

type Answer = Result<Response, HttpError>;

/// What was asked: `PUT`, `GET PATH` or `GET PATH with TOKEN`.
fn told(request: &Request) -> String {
    assert!(request.extensions().get::<Direct>().is_some(), "not by a proxy");
    let limit = request.extensions().get::<TimeLimit>().unwrap();
    assert_eq!(limit.0, Duration::from_secs(1));
    if *request.method() == Method::PUT {
        assert_eq!(request.headers()["x-aws-ec2-metadata-token-ttl-seconds"], "21600");
        return "PUT".to_owned();
    }
    let path = request.uri().path().trim_start_matches("/latest/");
    let token = request.headers().get("x-aws-ec2-metadata-token");
    let token = token.map(|token| format!(" with {}", token.to_str().unwrap()));
    format!("GET {path}{}", token.unwrap_or_default())
}

struct Test {
    provider: ImdsProvider,
    http: Arc<ScriptedHttp>,
    clock: Clock,
}

const ROLES: &str = "GET meta-data/iam/security-credentials/";

impl Test {
    fn new(settings: ImdsSettings, script: Vec<Answer>) -> Self {
        let http = ScriptedHttp::new([]);
        http.then(script);
        let context = Context { http: http.clone(), ..Context::fake() };
        let clock = context.clock.clone();
        Self { provider: ImdsProvider::new(context, settings), http, clock }
    }

    fn then(&self, script: Vec<Answer>) {
        self.http.then(script);
    }

    async fn ask(&self) -> Result<Credentials> {
        self.provider.provide_credentials().await
    }

    fn asked(&self) -> Vec<String> {
        assert!(self.http.has_ended(), "not all was asked");
        self.http.take_requests().iter().map(told).collect()
    }
}

fn script(script: Vec<Answer>) -> Test {
    Test::new(ImdsSettings::default(), script)
}

fn failed(failure: HttpFailure) -> Answer {
    Err(HttpError::new(failure, "details"))
}

fn ok(body: &str) -> Answer {
    Ok(ScriptedHttp::answer(200, body))
}

fn status(status: u16) -> Answer {
    Ok(ScriptedHttp::answer(status, "<html>hunter2</html>"))
}

fn ending(at: SystemTime) -> Answer {
    let end = timestamp::format(at);
    ok(&format!(
        r#"{{"Code":"Success","AccessKeyId":"ASIA1","SecretAccessKey":"hunter2","Token":"t",
            "Expiration":"{end}"}}"#
    ))
}

fn keys() -> Answer {
    ending(Clock::fake_now() + Duration::from_secs(3600))
}

fn good() -> Vec<Answer> {
    vec![ok("T1"), ok("role"), keys()]
}

#[tokio::test]
async fn token_role_credentials_and_the_token_is_kept_for_its_life() {
    let test = script(good());
    assert_eq!(test.ask().await.unwrap().access_key_id(), "ASIA1");
    let with_token = |path: &str, token: &str| format!("{path} with {token}");
    let named = format!("{ROLES}role");
    assert_eq!(test.asked(), ["PUT".to_owned(), with_token(ROLES, "T1"), with_token(&named, "T1")]);
    test.then(vec![ok("role"), keys()]);
    test.ask().await.unwrap();
    assert_eq!(test.asked(), [with_token(ROLES, "T1"), with_token(&named, "T1")]);
    test.clock.advance(Duration::from_secs(21_600 - 30));
    test.then(vec![ok("T2"), ok("role"), keys()]);
    test.ask().await.unwrap();
    assert_eq!(test.asked()[..2], ["PUT".to_owned(), with_token(ROLES, "T2")]);
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_replaced_once() {
    let test = script(good());
    test.ask().await.unwrap();
    test.asked();
    test.then(vec![status(401), ok("T2"), ok("role"), keys()]);
    test.ask().await.unwrap();
    let asked = test.asked();
    assert_eq!(asked[1], "PUT");
    assert!(asked[2].ends_with("with T2"));
    let test = script(vec![ok("T1"), status(401), ok("T2"), status(401)]);
    let error = test.ask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("401"), "{error}");
}

#[tokio::test]
async fn without_tokens_only_where_settings_allow_and_never_on_403() {
    for unknown in [404, 405] {
        let test = script(vec![status(unknown), ok("role"), keys()]);
        test.ask().await.unwrap();
        assert_eq!(test.asked(), ["PUT".to_owned(), ROLES.to_owned(), format!("{ROLES}role")]);
        let strict = ImdsSettings { v1_disabled: true, ..ImdsSettings::default() };
        let test = Test::new(strict, vec![status(unknown)]);
        let error = test.ask().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.help().unwrap().contains("AWS_EC2_METADATA_V1_DISABLED"), "{error}");
    }
    for refused in [vec![status(403)], vec![ok("T1"), status(403)]] {
        let error = script(refused).ask().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.message().contains("switched off"), "{error}");
    }
}

#[tokio::test]
async fn a_lost_answer_to_put_is_told_from_a_slow_service_and_from_none() {
    let strict = || ImdsSettings { v1_disabled: true, ..ImdsSettings::default() };
    let lost = || failed(HttpFailure::TimedOut);
    let id = "i-0123456789abcdef0";
    let command = "aws ec2 modify-instance-metadata-options --instance-id";
    for (settings, without_token, named) in
        [(ImdsSettings::default(), status(401), "INSTANCE_ID"), (strict(), ok(id), id)]
    {
        let error =
            Test::new(settings, vec![lost(), without_token, lost()]).ask().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        let help = error.help().unwrap();
        let expected =
            format!("{command} {named} --http-put-response-hop-limit 2 --http-endpoint enabled");
        assert!(help.ends_with(&expected), "{help}");
    }

    let test = script(vec![lost(), ok(id), lost(), ok("role"), keys()]);
    test.ask().await.unwrap();
    assert_eq!(test.asked()[2..], ["PUT".to_owned(), ROLES.to_owned(), format!("{ROLES}role")]);

    // The first answer was late, and no more.
    for without_token in [status(401), ok(id)] {
        let test = script(vec![lost(), without_token, ok("T1"), ok("role"), keys()]);
        test.ask().await.unwrap();
        assert_eq!(test.asked()[3], format!("{ROLES} with T1"));
    }

    let error = script(vec![lost(), lost(), lost(), lost()]).ask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.message().contains("within 1 s"), "{error}");

    let error = script(vec![lost(), status(403)]).ask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);

    let error = script(vec![failed(HttpFailure::Connect)]).ask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConfigured);
}

#[tokio::test]
async fn passing_faults_are_tried_again_and_others_are_not() {
    let broken = || failed(HttpFailure::Interrupted);
    let test = script(vec![
        status(500),
        broken(),
        ok("T1"),
        status(503),
        ok("<html>hunter2</html>"),
        ok("role"),
        failed(HttpFailure::TimedOut),
        ok("{"),
        keys(),
    ]);
    test.ask().await.unwrap();
    assert_eq!(test.asked().len(), 9);
    let waits = test.clock.sleeps();
    assert!(waits.len() == 6 && waits.iter().all(|wait| *wait <= Duration::from_secs(1)));

    let none = ok(r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"no trust"}"#);
    for (answers, kind, says) in [
        (vec![status(500); 3], ErrorKind::Unavailable, "500"),
        (vec![status(400)], ErrorKind::Malformed, "400"),
        (vec![status(302)], ErrorKind::Malformed, "302"),
        (vec![ok("hunter2\x01"); 3], ErrorKind::Malformed, "no token"),
        (vec![failed(HttpFailure::TooLarge)], ErrorKind::Malformed, "details"),
        (vec![failed(HttpFailure::Unusable)], ErrorKind::InvalidConfiguration, "details"),
        (vec![ok("T1"), status(404)], ErrorKind::NotConfigured, "no IAM role"),
        (vec![ok("T1"), ok(""), ok("../x"), ok("?")], ErrorKind::Malformed, "name of a role"),
        (vec![ok("T1"), ok("role"), none], ErrorKind::Denied, "no trust"),
        (vec![ok("T1"), ok("role"), status(404)], ErrorKind::NotConfigured, "no IAM role"),
        (
            vec![ok("T1"), ok("role"), ok("hunter2"), ok("{}"), ok(r#"{"Code":"Success"}"#)],
            ErrorKind::Malformed,
            "missing",
        ),
    ] {
        let test = script(answers.clone());
        let error = test.ask().await.unwrap_err();
        test.asked();
        assert_eq!(error.kind(), kind, "{answers:?}: {error}");
        let text = format!("{error} {error:?} {:?}", test.provider);
        assert!(error.message().contains(says), "{error}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn while_the_service_is_down_old_credentials_stay_in_use_for_some_minutes() {
    let test = script(good());
    let end = test.ask().await.unwrap().expires_at().unwrap();
    test.clock.advance(Duration::from_secs(3600 - 600));
    let broken = || vec![status(500), status(500), status(500)];
    test.then(broken());
    assert_eq!(test.ask().await.unwrap().expires_at(), Some(end), "good for now: as they are");
    for outage in [broken(), vec![ok("nonsense \x01"); 3], vec![failed(HttpFailure::TimedOut); 3]] {
        test.clock.advance(Duration::from_secs(600));
        test.then(outage);
        let kept = test.ask().await.unwrap();
        let left = kept.time_left(test.clock.now()).unwrap();
        assert!(left >= EXTENSION && left <= EXTENSION * 2, "{left:?}");
    }
    // Switched off is no outage.
    test.then(vec![status(403)]);
    assert_eq!(test.ask().await.unwrap_err().kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn credentials_that_come_already_ended_are_used_for_some_minutes() {
    let ended = ending(Clock::fake_now() - Duration::from_secs(60));
    let test = script(vec![ok("T1"), ok("role"), ended]);
    let left = test.ask().await.unwrap().time_left(test.clock.now()).unwrap();
    assert!(left >= EXTENSION && left <= EXTENSION * 2, "{left:?}");
}

#[tokio::test]
async fn the_extended_api_says_the_account_and_the_other_one_stands_in() {
    let settings = || ImdsSettings { extended: true, ..ImdsSettings::default() };
    let extended = "GET meta-data/iam/security-credentials-extended/";
    let end = timestamp::format(Clock::fake_now() + Duration::from_secs(3600));
    let keys_with_account = ok(&format!(
        r#"{{"Code":"Success","AccessKeyId":"A","SecretAccessKey":"s","Token":"t",
            "Expiration":"{end}","AccountId":"123456789012"}}"#
    ));
    let test = Test::new(settings(), vec![ok("T1"), ok("role"), keys_with_account]);
    assert_eq!(test.ask().await.unwrap().account_id(), Some("123456789012"));
    assert_eq!(
        test.asked()[1..],
        [format!("{extended} with T1"), format!("{extended}role with T1")]
    );
    let test = Test::new(settings(), vec![ok("T1"), status(404), ok("role"), keys()]);
    assert_eq!(test.ask().await.unwrap().account_id(), None);
    assert_eq!(test.asked()[2], format!("{ROLES} with T1"));
}

#[tokio::test]
async fn a_configured_role_is_not_asked_for_and_a_disabled_service_not_at_all() {
    let settings = ImdsSettings { role: Some("mine".into()), ..ImdsSettings::default() };
    let test = Test::new(settings, vec![ok("T1"), keys()]);
    test.ask().await.unwrap();
    assert_eq!(test.asked()[1], format!("{ROLES}mine with T1"));
    let settings = ImdsSettings { disabled: true, ..ImdsSettings::default() };
    let error = Test::new(settings, vec![]).ask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConfigured);
}

#[tokio::test]
async fn the_probe_tells_each_state_from_the_others() {
    let probe = async |script: Vec<Answer>| {
        let http = ScriptedHttp::new([]);
        http.then(script);
        let context = Context { http, ..Context::fake() };
        format!("{:?}", probe_imds(&context, &ImdsSettings::default()).await)
    };
    let lost = || failed(HttpFailure::TimedOut);
    for (script, expected) in [
        (vec![ok("T1"), ok("role")], "Working { version: 2, role: Some(\"role\")"),
        (vec![ok("T1"), status(404)], "Working { version: 2, role: None"),
        (vec![status(404), ok("role")], "Working { version: 1, role: Some(\"role\")"),
        (vec![failed(HttpFailure::Connect)], "Absent"),
        (vec![lost(), status(401), lost()], "HopLimit"),
        (vec![lost(), ok("i-0123456789abcdef0"), lost()], "HopLimit"),
        (vec![lost(), status(401), ok("T1"), ok("role")], "Working { version: 2"),
        (vec![lost(), lost()], "Slow { limit: 1s }"),
        (vec![status(403)], "Disabled"),
        (vec![status(500)], "Faulty"),
    ] {
        let found = probe(script).await;
        assert!(found.starts_with(expected), "{found}");
    }
}
