//! The kit misbehaving, and its control interface.

mod support;

use rolecall_kit::{Fault, FaultRule, Kit, World, names};
use support::{alice, assume, call, control, post, send};

const WHO: &str = "GetCallerIdentity";
const WHO_FORM: &str = "Action=GetCallerIdentity&Version=2011-06-15";

fn kit() -> Kit {
    Kit::start(World::default())
}

#[test]
fn throttles_and_failures_strike_as_often_as_told() {
    let kit = kit();
    kit.inject(FaultRule::next(WHO, 2, Fault::Throttle));
    let failure =
        Fault::Fail { status: 503, code: "ServiceUnavailable".into(), message: "later".into() };
    kit.inject(FaultRule::next("*", 1, failure));
    for _ in 0..2 {
        call(&kit, &alice(), WHO, &[]).is(400, "Throttling", "Rate exceeded");
    }
    call(&kit, &alice(), WHO, &[]).is(503, "ServiceUnavailable", "later");
    assert_eq!(call(&kit, &alice(), WHO, &[]).status, 200);
    assert_eq!(
        kit.calls().iter().map(|call| call.status).collect::<Vec<_>>(),
        [400, 400, 503, 200]
    );
}

#[test]
fn a_lost_reply_did_its_work() {
    let kit = kit();
    kit.inject(FaultRule::next("AssumeRole", 1, Fault::LoseReply));
    let body = format!(
        "Action=AssumeRole&Version=2011-06-15&RoleArn={}&RoleSessionName=me",
        rolecall_kit::sigv4::uri_encode(names::HOP.as_bytes())
    );
    assert!(post(&kit, Some(&alice()), &body, &[]).is_none());
    assert_eq!(kit.sessions().len(), 1);
    assert_eq!(kit.calls()[0].status, 0);
    kit.inject(FaultRule::next("AssumeRole", 1, Fault::Close));
    assert!(post(&kit, Some(&alice()), &body, &[]).is_none());
    assert_eq!(kit.sessions().len(), 1);
}

#[test]
fn held_calls_wait_for_their_gate() {
    let kit = kit();
    kit.inject(FaultRule::next(WHO, 2, Fault::Hold { gate: "a".into() }));
    std::thread::scope(|scope| {
        let held: Vec<_> = (0..2).map(|_| scope.spawn(|| call(&kit, &alice(), WHO, &[]))).collect();
        assert!(kit.wait_for(WHO, 2));
        assert!(kit.calls().is_empty());
        kit.open("a");
        for call in held {
            assert_eq!(call.join().unwrap().status, 200);
        }
    });
}

#[test]
fn strange_answers_come_as_told() {
    let kit = kit();
    let raw = Fault::Raw {
        status: 502,
        content_type: "text/html".into(),
        body: "<html>Bad gateway</html>".into(),
        headers: [("via".to_owned(), "proxy".to_owned())].into(),
    };
    kit.inject(FaultRule::next(WHO, 1, raw));
    let answer = call(&kit, &alice(), WHO, &[]);
    assert_eq!((answer.status, answer.body.as_str()), (502, "<html>Bad gateway</html>"));
    assert_eq!(
        (&answer.headers["via"], &answer.headers["content-type"]),
        (&"proxy".parse().unwrap(), &"text/html".parse().unwrap())
    );

    kit.inject(FaultRule::next(WHO, 1, Fault::Large { bytes: 10_000_000 }));
    assert_eq!(call(&kit, &alice(), WHO, &[]).body.len(), 10_000_000);

    let redirect = Fault::Redirect { status: 307, location: "http://169.254.169.254/".into() };
    kit.inject(FaultRule::next(WHO, 1, redirect));
    let answer = call(&kit, &alice(), WHO, &[]);
    assert_eq!(
        (answer.status, &answer.headers["location"]),
        (307, &"http://169.254.169.254/".parse().unwrap())
    );

    kit.inject(FaultRule::next(WHO, 1, Fault::Truncate));
    let answer = call(&kit, &alice(), WHO, &[]);
    let announced: usize = answer.headers["content-length"].to_str().unwrap().parse().unwrap();
    assert!(answer.body.len() < announced, "{} of {announced}", answer.body.len());

    kit.inject(FaultRule::next(WHO, 1, Fault::Delay { milliseconds: 1 }));
    assert_eq!(call(&kit, &alice(), WHO, &[]).status, 200);
}

#[test]
fn the_clock_can_be_moved_and_every_answer_is_dated_by_it() {
    let kit = kit();
    kit.freeze(1_440_938_160);
    let answer = call(&kit, &alice(), WHO, &[]);
    assert_eq!(answer.headers["date"], "Sun, 30 Aug 2015 12:36:00 GMT");
    let mut headers = http::HeaderMap::new();
    headers.insert("host", "kit".parse().unwrap());
    headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    support::sign(&mut headers, &alice(), "20150830T125101Z", "sts", WHO_FORM);
    let answer = send(kit.port(), "POST", "/", &headers, WHO_FORM).unwrap();
    answer.is(403, "SignatureDoesNotMatch", "Signature not yet current: 20150830T125101Z");
    kit.advance(1);
    assert_eq!(send(kit.port(), "POST", "/", &headers, WHO_FORM).unwrap().status, 200);
}

#[test]
fn other_languages_do_all_of_it_by_json() {
    let kit = kit();
    control(
        &kit,
        "POST",
        "chaos",
        r#"{"operation": "GetCallerIdentity", "fault": {"kind": "throttle"}}"#,
    );
    call(&kit, &alice(), WHO, &[]).is(400, "Throttling", "");
    control(&kit, "POST", "chaos", r#"[{"count": null, "fault": {"kind": "close"}}]"#);
    assert_eq!(control(&kit, "GET", "chaos", "")[0]["fault"]["kind"], "close");
    control(&kit, "POST", "chaos", r#"{"clear": true}"#);
    assert_eq!(call(&kit, &alice(), WHO, &[]).status, 200);
    assert_eq!(control(&kit, "GET", "counts", "")[WHO], 2);
    assert_eq!(control(&kit, "GET", "calls", "")[1]["status"], 200);

    assert_eq!(control(&kit, "POST", "clock", r#"{"freeze": 1440938160}"#)["now"], 1_440_938_160);
    assert_eq!(control(&kit, "POST", "clock", r#"{"advance": 5}"#)["now"], 1_440_938_165);
    control(&kit, "POST", "clock", r#"{"skew": 0}"#);

    let world = r#"{"roles": [{"account": "555555555555", "name": "New", "trust": {"principals": ["arn:aws:iam::111111111111:user/*"]}}]}"#;
    control(&kit, "POST", "world", world);
    assert_eq!(
        assume(&kit, &support::bob(), "arn:aws:iam::555555555555:role/New", &[]).status,
        200
    );
    assert_eq!(control(&kit, "GET", "world", "")["users"][0]["name"], "alice");

    let token =
        control(&kit, "POST", "web-identity-token", r#"{"sub": "system:serviceaccount:a:b"}"#);
    let token = token["token"].as_str().unwrap();
    let values = [("RoleArn", names::WEB), ("RoleSessionName", "web"), ("WebIdentityToken", token)];
    assert_eq!(support::call_unsigned(&kit, "AssumeRoleWithWebIdentity", &values).status, 200);
    let assertion = control(&kit, "POST", "saml-assertion", r#"{"session_name": "alice"}"#);
    let assertion = assertion["assertion"].as_str().unwrap();
    let values = [
        ("RoleArn", names::SAML),
        ("PrincipalArn", names::SAML_PROVIDER),
        ("SAMLAssertion", assertion),
    ];
    assert_eq!(support::call_unsigned(&kit, "AssumeRoleWithSAML", &values).status, 200);

    let secrets = control(&kit, "GET", "secrets", "").to_string();
    assert!(secrets.contains(token) && secrets.contains(assertion));
    control(&kit, "POST", "reset", "");
    assert_eq!(control(&kit, "GET", "counts", ""), serde_json::json!({}));

    for (path, body) in
        [("chaos", "{"), ("chaos", r#"{"fault": {"kind": "nonsense"}}"#), ("nowhere", "{}")]
    {
        let answer =
            send(kit.port(), "POST", &format!("/_kit/{path}"), &http::HeaderMap::new(), body);
        assert!(answer.unwrap().status >= 400, "{path} {body}");
    }
}

#[test]
fn hostile_requests_get_answers_and_the_kit_lives_on() {
    let kit = kit();
    let long = "a=".to_owned() + &"x".repeat(2 << 20);
    assert_eq!(
        send(kit.port(), "POST", "/", &http::HeaderMap::new(), &long).map_or(413, |a| a.status),
        413
    );
    for (method, target) in [
        ("DELETE", "/"),
        ("GET", "/nowhere"),
        ("GET", "/?Action=%ff"),
        ("GET", "/?X-Amz-Signature=1"),
        ("GET", "/?X-Amz-Algorithm=%"),
    ] {
        let answer = send(kit.port(), method, target, &http::HeaderMap::new(), "").unwrap();
        assert!((400..500).contains(&answer.status), "{method} {target}: {}", answer.body);
    }
    for authorization in
        ["", "AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 Credential=////,SignedHeaders=,Signature="]
    {
        let headers = [("authorization", authorization)];
        let answer = post(&kit, None, WHO_FORM, &headers).unwrap();
        assert!((400..500).contains(&answer.status), "{authorization}: {}", answer.body);
    }
    assert_eq!(call(&kit, &alice(), WHO, &[]).status, 200);
}
