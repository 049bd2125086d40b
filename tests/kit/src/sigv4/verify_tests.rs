use super::*;
use crate::sigv4::Scope;
use crate::sigv4::uri_encode;

const SECRET: &str = "right";
const DATE: &str = "20240229T120000Z";
const NOW: i64 = 1_709_208_000;

/// A request to sign; each test changes one thing.
struct Draft {
    method: &'static str,
    path: &'static str,
    query: String,
    body: Vec<u8>,
    headers: HeaderMap,
    signed: Vec<String>,
    date: String,
    service: &'static str,
}

impl Draft {
    fn new() -> Draft {
        let mut headers = HeaderMap::new();
        headers.insert("host", "sts.example".parse().unwrap());
        headers.insert("x-amz-date", DATE.parse().unwrap());
        Draft {
            method: "POST",
            path: "/",
            query: String::new(),
            body: b"Action=GetCallerIdentity".to_vec(),
            headers,
            signed: vec!["host".into(), "x-amz-date".into()],
            date: DATE.into(),
            service: "sts",
        }
    }

    fn token(mut self, token: &str) -> Draft {
        self.headers.insert("x-amz-security-token", token.parse().unwrap());
        self.signed.push("x-amz-security-token".into());
        self
    }

    fn dated(mut self, date: &str) -> Draft {
        self.headers.insert("x-amz-date", date.parse().unwrap());
        self.date = date.into();
        self
    }

    fn request(&self) -> SignedRequest<'_> {
        SignedRequest {
            method: self.method,
            path: self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        }
    }

    fn scope(&self) -> Scope {
        Scope {
            date: self.date[..8].into(),
            region: "us-east-1".into(),
            service: self.service.into(),
        }
    }

    fn signature(&self, secret: &str) -> String {
        let hash = hex_sha256(&self.body);
        let canonical = canonical_request(&self.request(), Rules::STANDARD, &self.signed, &hash);
        signature(secret, &self.scope(), &string_to_sign(&self.date, &self.scope(), &canonical))
    }

    fn sign(mut self, secret: &str) -> Draft {
        let value = format!(
            "AWS4-HMAC-SHA256 Credential=AKIA/{}, SignedHeaders={}, Signature={}",
            self.scope(),
            self.signed.join(";"),
            self.signature(secret)
        );
        self.headers.insert("authorization", value.parse().unwrap());
        self
    }

    fn presign(mut self, secret: &str, expires: &str) -> Draft {
        self.headers.remove("x-amz-date");
        self.signed.retain(|name| name != "x-amz-date");
        self.query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={}&X-Amz-Expires={expires}&X-Amz-SignedHeaders={}",
            uri_encode(format!("AKIA/{}", self.scope()).as_bytes()),
            self.date,
            uri_encode(self.signed.join(";").as_bytes()),
        );
        let signature = self.signature(secret);
        self.query.push_str(&format!("&X-Amz-Signature={signature}"));
        self
    }

    fn outcome_by(
        &self,
        expected: &Expected<'_>,
        now: i64,
        key: Key,
    ) -> Result<Verified, AwsError> {
        verify(&self.request(), expected, now, |id| (id == "AKIA").then_some(key))
    }

    fn outcome(&self) -> Result<Verified, AwsError> {
        self.outcome_by(&Expected::service("sts"), NOW, long_term())
    }

    fn refusal(&self) -> AwsError {
        self.outcome().expect_err("refused")
    }
}

fn long_term() -> Key {
    Key { secret: SECRET.into(), token: None, expires: None }
}

fn session(expires: i64) -> Key {
    Key { secret: SECRET.into(), token: Some("TOKEN".into()), expires: Some(expires) }
}

fn is(error: &AwsError, status: u16, code: &str, part: &str) {
    assert_eq!((error.status, error.code.as_ref()), (status, code), "{error}");
    assert!(error.message.contains(part), "{error}");
}

#[test]
fn a_right_signature_is_accepted() {
    let verified = Draft::new().sign(SECRET).outcome().unwrap();
    assert_eq!((verified.access_key_id.as_str(), verified.region.as_str()), ("AKIA", "us-east-1"));
    Draft::new().presign(SECRET, "60").outcome().unwrap();
}

#[test]
fn no_signature_is_missing_and_half_a_one_is_incomplete() {
    is(&Draft::new().refusal(), 403, "MissingAuthenticationToken", "");
    for bad in [
        "Basic abc",
        "AWS4-HMAC-SHA256 Credential=AKIA/20240229/us-east-1/sts/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=AKIA/20240229/us-east-1/sts, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=A/20240229/r/sts/aws4_request, Credential=B/20240229/r/sts/aws4_request, SignedHeaders=host, Signature=00",
    ] {
        let mut draft = Draft::new();
        draft.headers.insert("authorization", bad.parse().unwrap());
        is(&draft.refusal(), 400, "IncompleteSignature", "");
    }
    let mut both = Draft::new().presign(SECRET, "60");
    both.headers.insert("authorization", "AWS4-HMAC-SHA256 x=y".parse().unwrap());
    is(&both.refusal(), 400, "IncompleteSignature", "Only one");
}

#[test]
fn a_wrong_secret_or_changed_request_does_not_match() {
    is(&Draft::new().sign("wrong").refusal(), 403, "SignatureDoesNotMatch", "we calculated");
    let mut changed = Draft::new().sign(SECRET);
    changed.body.push(b'!');
    is(&changed.refusal(), 403, "SignatureDoesNotMatch", "we calculated");
    let mut changed = Draft::new().sign(SECRET);
    changed.method = "GET";
    is(&changed.refusal(), 403, "SignatureDoesNotMatch", "we calculated");
    let mut changed = Draft::new().sign(SECRET);
    changed.path = "/x";
    is(&changed.refusal(), 403, "SignatureDoesNotMatch", "we calculated");
    let mut changed = Draft::new().sign(SECRET);
    changed.query = "Action=Other".into();
    is(&changed.refusal(), 403, "SignatureDoesNotMatch", "we calculated");
    let mut changed = Draft::new().sign(SECRET);
    changed.headers.insert("host", "elsewhere".parse().unwrap());
    is(&changed.refusal(), 403, "SignatureDoesNotMatch", "we calculated");
}

#[test]
fn host_date_and_token_must_be_signed() {
    let mut draft = Draft::new();
    draft.signed.retain(|name| name != "host");
    is(&draft.sign(SECRET).refusal(), 403, "SignatureDoesNotMatch", "'Host'");
    let mut draft = Draft::new();
    draft.signed.retain(|name| name != "x-amz-date");
    is(&draft.sign(SECRET).refusal(), 403, "SignatureDoesNotMatch", "'x-amz-date'");
    let mut draft = Draft::new().token("TOKEN");
    draft.signed.pop();
    let error = draft
        .sign(SECRET)
        .outcome_by(&Expected::service("sts"), NOW, session(NOW + 1))
        .unwrap_err();
    is(&error, 403, "SignatureDoesNotMatch", "'x-amz-security-token'");
}

#[test]
fn a_signed_header_that_is_not_there_is_refused() {
    let mut draft = Draft::new();
    draft.signed.push("x-k8s-aws-id".into());
    is(&draft.sign(SECRET).refusal(), 403, "SignatureDoesNotMatch", "'x-k8s-aws-id'");
}

#[test]
fn signed_headers_must_be_sorted_and_lower_case() {
    let mut draft = Draft::new();
    draft.signed.reverse();
    is(&draft.sign(SECRET).refusal(), 400, "IncompleteSignature", "sorted");
}

#[test]
fn dates_more_than_15_minutes_away_are_refused_in_words() {
    for (date, ok) in [("20240229T114500Z", true), ("20240229T121500Z", true)] {
        assert_eq!(Draft::new().dated(date).sign(SECRET).outcome().is_ok(), ok, "{date}");
    }
    is(
        &Draft::new().dated("20240229T114459Z").sign(SECRET).refusal(),
        403,
        "SignatureDoesNotMatch",
        "Signature expired: 20240229T114459Z is now earlier than 20240229T114500Z (20240229T120000Z - 15 min.)",
    );
    is(
        &Draft::new().dated("20240229T121501Z").sign(SECRET).refusal(),
        403,
        "SignatureDoesNotMatch",
        "Signature not yet current: 20240229T121501Z is still later than 20240229T121500Z (20240229T120000Z + 15 min.)",
    );
}

#[test]
fn the_scope_must_be_todays_this_region_and_this_service() {
    let mut draft = Draft::new();
    draft.service = "iam";
    is(&draft.sign(SECRET).refusal(), 403, "SignatureDoesNotMatch", "correct service: 'sts'");
    let expected = Expected { region: Some("eu-west-1"), ..Expected::service("sts") };
    let error = Draft::new().sign(SECRET).outcome_by(&expected, NOW, long_term()).unwrap_err();
    is(&error, 403, "SignatureDoesNotMatch", "valid region");
    let mut draft = Draft::new();
    draft.date = "20240228T120000Z".into();
    let draft = draft.sign(SECRET);
    is(&draft.refusal(), 403, "SignatureDoesNotMatch", "'20240228' != '20240229'");
}

#[test]
fn session_tokens_must_match_their_key_and_be_in_time() {
    let sts = Expected::service("sts");
    let with = |token: &str| Draft::new().token(token).sign(SECRET);
    with("TOKEN").outcome_by(&sts, NOW, session(NOW + 1)).unwrap();
    let refused = |draft: Draft, key| draft.outcome_by(&sts, NOW, key).unwrap_err();
    is(&refused(with("TOKEN"), session(NOW)), 403, "ExpiredToken", "expired");
    is(&refused(with("OTHER"), session(NOW + 1)), 403, "InvalidClientTokenId", "invalid");
    is(&refused(Draft::new().sign(SECRET), session(NOW + 1)), 403, "InvalidClientTokenId", "");
    is(&refused(with("TOKEN"), long_term()), 403, "InvalidClientTokenId", "");
    let unknown = verify(&with("TOKEN").request(), &sts, NOW, |_| None).unwrap_err();
    is(&unknown, 403, "InvalidClientTokenId", "");
}

#[test]
fn presigned_requests_end_when_they_say_or_after_15_minutes_at_sts() {
    let at = |expires: &str, now, presigned| {
        let expected = Expected { presigned, ..Expected::service("sts") };
        Draft::new().presign(SECRET, expires).outcome_by(&expected, now, long_term())
    };
    let (as_signed, sts) = (PresignedLife::AsSigned, PresignedLife::FifteenMinutes);
    assert!(at("60", NOW + 59, as_signed).is_ok());
    is(
        &at("60", NOW + 60, as_signed).unwrap_err(),
        403,
        "SignatureDoesNotMatch",
        "Signature expired",
    );
    assert!(at("60", NOW + 900, sts).is_ok());
    is(&at("60", NOW + 901, sts).unwrap_err(), 403, "SignatureDoesNotMatch", "Signature expired");
    is(&at("3600", NOW + 901, sts).unwrap_err(), 403, "SignatureDoesNotMatch", "Signature expired");
    for bad in ["0", "604801", "-1", "x", "%2B60"] {
        is(&at(bad, NOW, as_signed).unwrap_err(), 400, "IncompleteSignature", "X-Amz-Expires");
    }
}

#[test]
fn presigned_parameters_twice_or_in_another_case_are_refused() {
    let mut draft = Draft::new().presign(SECRET, "60");
    draft.query.push_str("&x-amz-credential=AKIB");
    is(&draft.refusal(), 400, "IncompleteSignature", "wrong case");
    let mut draft = Draft::new().presign(SECRET, "60");
    draft.query.push_str("&X-Amz-Date=20240229T120000Z");
    is(&draft.refusal(), 400, "IncompleteSignature", "more than once");
}

#[test]
fn a_stated_body_hash_must_be_the_bodys() {
    let mut draft = Draft::new();
    draft.headers.insert("x-amz-content-sha256", hex_sha256(b"other").parse().unwrap());
    draft.signed.insert(1, "x-amz-content-sha256".into());
    is(&draft.sign(SECRET).refusal(), 403, "SignatureDoesNotMatch", "x-amz-content-sha256");
}

#[test]
fn debug_shows_no_signature() {
    let draft = Draft::new().token("TOKEN").sign(SECRET);
    let presented = Presented::of(&draft.request()).unwrap().unwrap();
    let shown = format!("{presented:?}");
    assert!(!shown.contains(&presented.signature) && !shown.contains("TOKEN"), "{shown}");
}
