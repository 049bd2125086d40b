use rolecall_core::http::ScriptedHttp;

use super::*;

const ASKED: Asked<'_> = Asked {
    role_arn: "ROLE",
    profile_arn: "arn:aws:rolesanywhere:us-east-2:291738886548:profile/PROFILE",
    trust_anchor_arn: "ANCHOR",
    region: "us-east-2",
    issuer: "CN=Issuing CA",
    sends_chain: false,
    oddity: None,
};

fn refusal(status: u16, code: &str, message: &str) -> Response {
    let mut answer = ScriptedHttp::answer(status, &format!(r#"{{"message":"{message}"}}"#));
    answer.headers_mut().insert("x-amzn-errortype", code.parse().unwrap());
    answer.headers_mut().insert("x-amzn-requestid", "req-1".parse().unwrap());
    answer
}

#[test]
fn errors_are_read_in_each_of_their_forms() {
    for (header, body, code) in [
        (Some("AccessDeniedException:http://x"), "{}", Some("AccessDeniedException")),
        (Some("AccessDeniedException"), "", Some("AccessDeniedException")),
        (None, r#"{"__type":"com.amazonaws#ValidationException"}"#, Some("ValidationException")),
        (None, r#"{"code":"A","Message":"m"}"#, Some("A")),
        (None, r#"{"message":"m"}"#, None),
        (Some("A"), "<html>", None),
        (Some("a b"), "{}", None),
        (None, r#"{"code":""}"#, None),
    ] {
        let mut answer = ScriptedHttp::answer(403, body);
        if let Some(header) = header {
            answer.headers_mut().insert("x-amzn-errortype", header.parse().unwrap());
        }
        let read = read(&answer);
        assert_eq!(read.map(|error| error.code).as_deref(), code, "{body}");
    }
}

#[test]
fn each_refusal_has_its_kind_its_text_and_what_to_do() {
    for (status, code, message, kind, help) in [
        (
            403,
            "AccessDeniedException",
            "Untrusted signing certificate",
            ErrorKind::Denied,
            "its issuer is CN=Issuing CA: if it is not that authority itself, give those between",
        ),
        (403, "AccessDeniedException", "Invalid signature", ErrorKind::Denied, "clock is wrong"),
        (
            403,
            "AccessDeniedException",
            "Not authorized to set roleSessionName",
            ErrorKind::Denied,
            "update-profile --accept-role-session-name --profile-id PROFILE",
        ),
        (403, "AccessDeniedException", "Insufficient certificate", ErrorKind::Denied, "version 3"),
        (403, "AccessDeniedException", "Certificate expired", ErrorKind::Denied, "renew"),
        (403, "AccessDeniedException", "Certificate revoked", ErrorKind::Denied, "new one"),
        (
            403,
            "AccessDeniedException",
            "Unable to assume role for ROLE",
            ErrorKind::Denied,
            "list the role ROLE",
        ),
        (
            404,
            "ResourceNotFoundException",
            "no",
            ErrorKind::InvalidConfiguration,
            "exist in us-east-2",
        ),
        (
            400,
            "ValidationException",
            "durationSeconds is too long",
            ErrorKind::InvalidConfiguration,
            "maximum session duration",
        ),
        (400, "ValidationException", "no", ErrorKind::InvalidConfiguration, "check the ARNs"),
        (429, "ThrottlingException", "slow", ErrorKind::Unavailable, "10 of these calls"),
        (400, "RequestTimeTooSkewed", "no", ErrorKind::Denied, "set this machine's clock"),
    ] {
        let error = explain(&refusal(status, code, message), ASKED);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().starts_with(&format!("{code}: {message}")), "{error}");
        assert!(error.message().ends_with("(request id req-1)"), "{error}");
        assert!(error.help().unwrap().contains(help), "{error}");
        let service = ServiceError::of(&error).unwrap();
        assert_eq!((service.status, service.code.as_str()), (status, code));
    }
}

#[test]
fn what_was_odd_before_is_told_with_a_refusal() {
    let asked = Asked { oddity: Some("the account is another"), ..ASKED };
    let error = explain(&refusal(403, "AccessDeniedException", "no"), asked);
    assert!(error.help().unwrap().ends_with("; the account is another"), "{error}");
}

#[test]
fn an_unknown_code_has_a_kind_by_its_status() {
    for (status, kind) in [
        (403, ErrorKind::Denied),
        (400, ErrorKind::InvalidConfiguration),
        (500, ErrorKind::Unavailable),
        (503, ErrorKind::Unavailable),
    ] {
        let error = explain(&refusal(status, "SomethingNew", "no"), ASKED);
        assert_eq!(error.kind(), kind);
    }
}

#[test]
fn what_is_not_aws_is_described_and_not_shown() {
    for (status, kind) in [(403, ErrorKind::Malformed), (502, ErrorKind::Unavailable)] {
        let error = explain(&ScriptedHttp::answer(status, "<html>hunter2</html>"), ASKED);
        assert_eq!(error.kind(), kind);
        let shown = error.to_string();
        assert!(shown.contains(&format!("HTTP {status}, no content type, 20 bytes")), "{shown}");
        assert!(shown.contains("proxy") && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn what_passes_is_tried_again_and_refusals_may_be_the_clocks() {
    let verdict = |status, code| judge(&refusal(status, code, ""));
    assert_eq!(
        verdict(429, "ThrottlingException"),
        Verdict::Transient("ThrottlingException".into())
    );
    assert_eq!(verdict(500, "Anything"), Verdict::Transient("Anything".into()));
    assert_eq!(verdict(403, "AccessDeniedException"), Verdict::ClockSkew);
    assert_eq!(verdict(400, "ValidationException"), Verdict::Final);
    assert_eq!(judge(&ScriptedHttp::answer(502, "")), Verdict::Transient("HTTP status 502".into()));
    assert_eq!(judge(&ScriptedHttp::answer(201, "")), Verdict::Final);
}
