//! What the signature of a request for a session must say.

#[path = "support/sessions.rs"]
mod sessions;
mod support;

use http::HeaderMap;
use rolecall_kit::rolesanywhere::NewCertificate;
use rolecall_kit::{Kit, World, basic_date};
use sessions::Draft;
use support::send;

const AT: i64 = 1_709_208_000;

fn kit() -> Kit {
    let kit = Kit::start(World::default());
    kit.freeze(AT);
    kit
}

#[test]
fn signatures_are_judged_by_everything_they_say() {
    let kit = kit();
    let issued = kit.issue(&NewCertificate { intermediates: 1, ..NewCertificate::default() });
    let other = kit.issue(&NewCertificate { intermediates: 1, ..NewCertificate::default() });
    let draft = || Draft::new(&kit, &issued);
    let spoiled = |spoil| Draft { spoil, ..draft() };

    for name in ["host", "x-amz-date", "x-amz-x509", "x-amz-x509-chain"] {
        let draft = Draft { unsigned: vec![name], ..draft() };
        draft.has_invalid_signature(&kit, &format!("{name} is not signed"));
    }
    let mut unsigned = draft();
    unsigned.headers.push(("x-amz-meta", "a".into()));
    unsigned.is_session(&kit);
    unsigned.unsigned.push("x-amz-meta");
    unsigned.has_invalid_signature(&kit, "x-amz-meta is not signed");

    let scope = |scope: &str| Draft { scope: scope.into(), ..draft() };
    scope("20240228/us-east-1/rolesanywhere/aws4_request")
        .has_invalid_signature(&kit, "the scope is of 20240228");
    scope("20240229/us-east-1/sts/aws4_request").has_invalid_signature(&kit, "service \"sts\"");
    scope("20240229/eu-west-1/rolesanywhere/aws4_request")
        .has_invalid_signature(&kit, "signed for eu-west-1");
    scope("20240229/us-east-1/rolesanywhere/aws5_request")
        .has_invalid_signature(&kit, "Credential is not");

    Draft { serial: issued.serial_hex.clone(), ..draft() }.has_invalid_signature(&kit, "");
    Draft { serial: other.serial.clone(), ..draft() }.has_invalid_signature(&kit, "in decimal");
    Draft { serial: format!("0{}", issued.serial), ..draft() }
        .has_invalid_signature(&kit, "in decimal");
    // The certificate of one key, the signature of another.
    let mut borrowed = draft();
    borrowed.issued = &other;
    borrowed.has_invalid_signature(&kit, "not that of the certificate's key");

    spoiled(|target, _| target.push('&')).has_invalid_signature(&kit, "canonical");
    spoiled(|target, _| *target = target.replace("%3A", ":"))
        .has_invalid_signature(&kit, "canonical");
    spoiled(|target, _| *target = target.replace("%3A", "%3a"))
        .has_invalid_signature(&kit, "canonical");
    spoiled(|target, _| *target = target.replace("Workload", "BuildAgent"))
        .has_invalid_signature(&kit, "not that of the certificate's key");
    spoiled(|_, headers| {
        headers.remove("authorization");
    })
    .has_invalid_signature(&kit, "no header authorization");
    spoiled(|_, headers| {
        headers.remove("content-type");
    })
    .has_invalid_signature(&kit, "content-type is not in the request");
    spoiled(|_, headers| {
        headers.insert("host", "elsewhere".parse().unwrap());
    })
    .has_invalid_signature(&kit, "not that of the certificate's key");
    spoiled(|_, headers| {
        headers.append("x-amz-x509", "AAAA".parse().unwrap());
    })
    .has_invalid_signature(&kit, "more than once");
    spoiled(|_, headers| {
        let text = headers["authorization"].to_str().unwrap();
        let (head, signature) = text.split_once("Signature=").unwrap();
        let text = format!("{head}Signature={}", signature.to_uppercase());
        headers.insert("authorization", text.parse().unwrap());
    })
    .has_invalid_signature(&kit, "lower-case hex");
    draft().is_session(&kit);
}

#[test]
fn the_clock_decides_within_five_minutes_and_says_nothing() {
    let kit = kit();
    let issued = kit.issue(&NewCertificate::default());
    let dated = |away: i64| {
        let date = basic_date(AT + away);
        Draft { date, ..Draft::new(&kit, &issued) }
    };
    dated(300).is_session(&kit);
    dated(-300).is_session(&kit);
    dated(301).has_invalid_signature(&kit, "301 s from the clock");
    let draft = dated(-301);
    draft.has_invalid_signature(&kit, "301 s from the clock");
    kit.advance(-301);
    draft.is_session(&kit);
    assert_eq!(draft.send(&kit).headers["date"], "Thu, 29 Feb 2024 11:54:59 GMT");
    // What says nothing in words must say it in the Date header.
    kit.advance(10_000);
    assert_eq!(draft.send(&kit).headers["date"], "Thu, 29 Feb 2024 14:41:39 GMT");
}

#[test]
fn other_algorithms_are_refused() {
    let kit = kit();
    let issued = kit.issue(&NewCertificate::default());
    let with = |algorithm: &str| Draft { algorithm: algorithm.into(), ..Draft::new(&kit, &issued) };
    let message = "AWS4-X509-MLDSA is not verified here yet: sign with an RSA or EC key";
    with("AWS4-X509-MLDSA").is_refused(&kit, "ValidationException", message, "");
    with("AWS4-X509-ECDSA-SHA384").has_invalid_signature(&kit, "not one of Roles Anywhere's");
    with("AWS4-HMAC-SHA256").has_invalid_signature(&kit, "not one of Roles Anywhere's");
}

#[test]
fn hostile_requests_get_answers() {
    let kit = kit();
    let issued = kit.issue(&NewCertificate::default());
    for value in ["", "=", "AAAA", "MAA=", "%%%", "MIIB,MIIB", "MIIBAAAAAAAA"] {
        let mut draft = Draft::new(&kit, &issued);
        draft.headers[2].1 = value.into();
        draft.has_invalid_signature(&kit, "");
        let mut draft = Draft::new(&kit, &issued);
        draft.headers.push(("x-amz-x509-chain", value.into()));
        let answer = draft.send(&kit);
        assert_eq!(answer.status, 403, "{value}: {}", answer.body);
    }
    let mut draft = Draft::new(&kit, &issued);
    let certificate = draft.headers[2].1.clone();
    draft.headers.push(("x-amz-x509-chain", vec![certificate; 40].join(",")));
    draft.is_denied(&kit, "Untrusted signing certificate", "more than 6");
    for authorization in [
        "AWS4-X509-RSA-SHA256",
        "AWS4-X509-RSA-SHA256 ",
        "AWS4-X509-RSA-SHA256 Credential=/////,SignedHeaders=,Signature=",
        "AWS4-X509-RSA-SHA256 Credential=1/20240229/us-east-1/rolesanywhere/aws4_request, SignedHeaders=;;, Signature=0",
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", authorization.parse().unwrap());
        headers.insert("x-amz-date", basic_date(AT).parse().unwrap());
        let answer = send(kit.port(), "POST", "/sessions", &headers, "{}").unwrap();
        assert_eq!(answer.status, 403, "{authorization}");
    }
}
