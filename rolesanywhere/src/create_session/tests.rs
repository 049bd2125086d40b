use std::sync::Arc;
use std::time::Duration;

use rolecall_core::Fs;
use rolecall_core::http::ScriptedHttp;
use serde_json::{Value, json};

use super::*;
use crate::ServiceError;
use crate::testing::{self, Issued, now};

const URL: &str = "https://rolesanywhere.us-east-2.amazonaws.com";
const ROLE: &str = "arn:aws:iam::291738886548:role/rolesanywhere1";

fn good() -> Value {
    json!({
        "credentialSet": [{
            "assumedRoleUser": {
                "arn": "arn:aws:sts::291738886548:assumed-role/rolesanywhere1/15",
                "assumedRoleId": "AROAEXAMPLE:15",
            },
            "credentials": {
                "accessKeyId": "ASIAEXAMPLE",
                "expiration": "2026-01-01T01:00:00Z",
                "secretAccessKey": "new/secret",
                "sessionToken": "new-token==",
            },
            "packedPolicySize": 12,
            "roleArn": ROLE,
            "sourceIdentity": "CN=me",
        }],
        "subjectArn": "arn:aws:rolesanywhere:us-east-2:291738886548:subject/x",
    })
}

fn leaf() -> Identity {
    let root = Issued::authority("root", None);
    let middle = Issued::authority("middle", Some(&root));
    let leaf = Issued::new("me", Some(&middle), &|_| {});
    let all = vec![leaf.certificate(), middle.certificate()];
    Identity::new(leaf.signer(), all, now()).unwrap()
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint {
        url: url.to_owned(),
        signing_region: "us-east-2".to_owned(),
        signing_name: "rolesanywhere",
    }
}

async fn run(url: &str, answers: Vec<Response>) -> (Context, Arc<ScriptedHttp>, Result<Session>) {
    let http = ScriptedHttp::new(answers);
    let context = testing::context(http.clone(), Fs::rooted("/nonexistent"));
    let (identity, request) = (leaf(), testing::request());
    let policy = RetryPolicy::default();
    let session = create_session(&context, policy, &endpoint(url), &identity, &request).await;
    (context, http, session)
}

#[tokio::test]
async fn every_field_of_the_answer_is_read() {
    let (_, http, session) = run(URL, vec![ScriptedHttp::answer(201, &good().to_string())]).await;
    let session = session.unwrap();
    let credentials = &session.credentials;
    assert_eq!(credentials.access_key_id(), "ASIAEXAMPLE");
    assert_eq!(credentials.secret_access_key().expose(), "new/secret");
    assert_eq!(credentials.session_token().unwrap().expose(), "new-token==");
    assert_eq!(credentials.expires_at(), Some(now() + Duration::from_secs(3600)));
    assert_eq!(credentials.account_id(), Some("291738886548"));
    assert!(credentials.provider().starts_with(&format!("Roles Anywhere role {ROLE} (serial ")));
    assert_eq!(session.packed_policy_size, Some(12));
    assert_eq!(session.source_identity.as_deref(), Some("CN=me"));
    assert_eq!(session.role_arn.as_deref(), Some(ROLE));
    assert_eq!(session.assumed_role_user.unwrap().assumed_role_id, "AROAEXAMPLE:15");
    assert!(session.subject_arn.unwrap().ends_with("subject/x"));

    let requests = http.take_requests();
    let request = &requests[0];
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri().path(), "/sessions");
    assert_eq!(request.uri().query().unwrap(), testing::request().query());
    assert_eq!(request.body().as_slice(), br#"{"durationSeconds":3600}"#);
    let header = |name: &str| request.headers()[name].to_str().unwrap();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("x-amz-date"), "20260101T000000Z");
    assert!(!header("x-amz-x509-chain").contains(','));
    assert!(header("authorization").starts_with("AWS4-X509-ECDSA-SHA256 Credential="));
    assert!(header("authorization").contains(
        "/20260101/us-east-2/rolesanywhere/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-x509;x-amz-x509-chain, Signature=30"
    ));
    assert!(request.headers()["authorization"].is_sensitive());
}

#[tokio::test]
async fn an_answer_with_the_credentials_alone_will_do() {
    let mut body = good();
    body["subjectArn"].take();
    let entry = &mut body["credentialSet"][0];
    for name in ["assumedRoleUser", "packedPolicySize", "roleArn", "sourceIdentity"] {
        entry.as_object_mut().unwrap().remove(name);
    }
    let session = run(URL, vec![ScriptedHttp::answer(201, &body.to_string())]).await.2.unwrap();
    assert_eq!(session.credentials.account_id(), Some("291738886548"));
    assert_eq!((session.packed_policy_size, session.subject_arn), (None, None));
}

#[tokio::test]
async fn an_own_endpoint_keeps_host_and_port_and_loses_its_path() {
    for (url, uri) in [
        ("http://127.0.0.1:8080/some/path", "http://127.0.0.1:8080/sessions"),
        ("https://[::1]:8443", "https://[::1]:8443/sessions"),
        ("https://host.test:443/", "https://host.test/sessions"),
    ] {
        let (_, http, session) =
            run(url, vec![ScriptedHttp::answer(201, &good().to_string())]).await;
        session.unwrap();
        let sent = http.take_requests()[0].uri().to_string();
        assert_eq!(sent.split('?').next(), Some(uri));
    }
    for url in ["ftp://host.test", "host.test", "https://me:hunter2@host.test", ""] {
        let error = run(url, Vec::new()).await.2.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_malformed_and_not_shown() {
    let changed = |pointer: &str, value: Value| {
        let mut body = good();
        *body.pointer_mut(pointer).unwrap() = value;
        body.to_string()
    };
    let keys = "/credentialSet/0/credentials";
    for (body, says) in [
        (changed("/credentialSet", json!([])), "credentialSet is empty"),
        (changed(&format!("{keys}/accessKeyId"), json!("")), "accessKeyId is empty"),
        (changed(&format!("{keys}/secretAccessKey"), json!("a b")), "secretAccessKey is empty or"),
        (changed(&format!("{keys}/sessionToken"), json!("a\n")), "sessionToken is empty or"),
        (changed(&format!("{keys}/expiration"), json!("soon")), "expiration is no time"),
        (changed(&format!("{keys}/expiration"), json!(5)), "breaks off"),
        (changed("/credentialSet/0/roleArn", json!("arn:other")), "for another role"),
        ("{\"new-token==\"".to_owned(), "breaks off at line 1"),
        (String::new(), "breaks off"),
    ] {
        let error = run(URL, vec![ScriptedHttp::answer(201, &body)]).await.2.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{body}");
        assert!(error.message().contains(says), "{error}");
        assert!(!error.to_string().contains("new-token"), "{error}");
    }
}

fn refusal(status: u16, code: &str, date: Option<&str>) -> Response {
    let mut refusal = ScriptedHttp::answer(status, r#"{"message":"Invalid signature"}"#);
    refusal.headers_mut().insert("x-amzn-errortype", code.parse().unwrap());
    if let Some(date) = date {
        refusal.headers_mut().insert("date", date.parse().unwrap());
    }
    refusal
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_and_the_call_signed_anew() {
    let late = refusal(403, "AccessDeniedException", Some("Thu, 01 Jan 2026 02:00:00 GMT"));
    let (_, http, session) =
        run(URL, vec![late, ScriptedHttp::answer(201, &good().to_string())]).await;
    session.unwrap();
    let requests = http.take_requests();
    let dates: Vec<_> = requests.iter().map(|r| &r.headers()["x-amz-date"]).collect();
    assert_eq!(dates, ["20260101T000000Z", "20260101T020000Z"]);
    let signed = |index: usize| requests[index].headers()["authorization"].to_str().unwrap();
    assert_ne!(signed(0), signed(1));
}

#[tokio::test]
async fn a_refusal_at_the_right_time_is_final_and_typed() {
    let date = Some("Thu, 01 Jan 2026 00:00:10 GMT");
    let refused = refusal(403, "AccessDeniedException", date);
    let (_, http, session) = run(URL, vec![refused]).await;
    let error = session.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(ServiceError::of(&error).unwrap().code, "AccessDeniedException");
    assert_eq!(http.take_requests().len(), 1);
}

#[tokio::test]
async fn throttling_and_outages_are_tried_again_and_then_told() {
    let (context, http, session) = run(
        URL,
        vec![
            refusal(429, "ThrottlingException", None),
            ScriptedHttp::answer(503, ""),
            ScriptedHttp::answer(201, &good().to_string()),
        ],
    )
    .await;
    session.unwrap();
    assert_eq!((http.take_requests().len(), context.clock.sleeps().len()), (3, 2));
    let error =
        run(URL, (0..3).map(|_| ScriptedHttp::answer(503, "")).collect()).await.2.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
