//! Two requests of AWS's own helper, captured: the kit accepts both, and neither with one bit
//! changed.

#![expect(clippy::disallowed_methods, reason = "tests read the captures from disk")]
#![expect(clippy::unwrap_used, reason = "a capture that cannot be read fails its test")]

mod support;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use rolecall_kit::rolesanywhere::{Refusal, Verified, check_chain, verify};
use rolecall_kit::sigv4::SignedRequest;
use rolecall_kit::{Kit, Role, RolesAnywhereProfile, Trust, TrustAnchor, World, parse_basic_date};
use serde_json::{Value, json};

const RSA: usize = 0;
const EC: usize = 1;
const THREADS: usize = 2;

/// A request as bytes, which may be no request at all.
#[derive(Clone)]
struct Capture {
    method: Vec<u8>,
    target: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    anchor: String,
}

impl Capture {
    fn read(which: usize) -> Capture {
        let path = rolecall_kit::conformance("roles-anywhere/wire-captures.json");
        let captures: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let capture = &captures[which];
        let request = &capture["request"];
        let bytes = |value: &Value| value.as_str().unwrap().as_bytes().to_vec();
        let headers = request["headers"].as_object().unwrap();
        Capture {
            method: bytes(&request["method"]),
            target: bytes(&request["uri"]),
            headers: headers.iter().map(|(name, value)| (name.clone(), bytes(value))).collect(),
            body: bytes(&request["body"]),
            anchor: format!(
                "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
                capture["ca_der_base64"].as_str().unwrap()
            ),
        }
    }

    fn header(&self, name: &str) -> &str {
        let value = self.headers.iter().find(|(known, _)| known == name);
        std::str::from_utf8(&value.unwrap().1).unwrap()
    }

    fn now(&self) -> i64 {
        parse_basic_date(self.header("X-Amz-Date")).unwrap()
    }

    /// What becomes of it; `None` if HTTP itself cannot carry it, as hyper reads HTTP.
    fn outcome(&self, now: i64) -> Option<Result<Verified, Refusal>> {
        let method = Method::from_bytes(&self.method).ok()?;
        let uri = Uri::try_from(self.target.as_slice()).ok()?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(name.as_str()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value).ok()?);
        }
        let request = SignedRequest {
            method: method.as_str(),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            headers: &headers,
            body: &self.body,
        };
        Some(verify(&request, now).and_then(|verified| {
            check_chain(&verified.certificate, &verified.chain, &self.anchor, now)?;
            Ok(verified)
        }))
    }

    /// Names of the headers whose values are changed: Authorization and those it says are signed.
    fn covered(&self) -> Vec<String> {
        let signed = self.header("Authorization").split("SignedHeaders=").nth(1).unwrap();
        let signed = signed.split(',').next().unwrap().split(';');
        signed.chain(["authorization"]).map(str::to_owned).collect()
    }

    /// The parts that a bit is changed in, by name.
    fn parts(&mut self, covered: &[String]) -> Vec<(String, &mut Vec<u8>)> {
        let mut parts = vec![
            ("method".to_owned(), &mut self.method),
            ("target".to_owned(), &mut self.target),
            ("body".to_owned(), &mut self.body),
        ];
        let headers = self.headers.iter_mut();
        let headers = headers.filter(|(name, _)| covered.contains(&name.to_lowercase()));
        parts.extend(headers.map(|(name, value)| (name.clone(), value)));
        parts
    }
}

#[test]
fn both_captures_are_accepted() {
    for (which, serial, algorithm) in [(RSA, "21", "RSA"), (EC, "3", "ECDSA")] {
        let capture = Capture::read(which);
        let start = format!("AWS4-X509-{algorithm}-SHA256 Credential={serial}/");
        assert!(capture.header("Authorization").starts_with(&start));
        let verified = capture.outcome(capture.now()).unwrap().unwrap();
        assert_eq!(verified.region, "us-east-2");
        assert_eq!(STANDARD.encode(verified.certificate), capture.header("X-Amz-X509"));
        assert!(verified.chain.is_empty());
        // Up to five minutes from the clock, to both sides.
        for (away, accepted) in [(-301, false), (-300, true), (300, true), (301, false)] {
            let outcome = capture.outcome(capture.now() + away).unwrap();
            assert_eq!(outcome.is_ok(), accepted, "{away}");
        }
    }
}

#[test]
fn neither_certificate_is_vouched_for_by_the_others_authority() {
    let mut capture = Capture::read(RSA);
    capture.anchor = Capture::read(EC).anchor;
    let refusal = capture.outcome(capture.now()).unwrap().unwrap_err();
    assert_eq!(refusal.error.message, "Untrusted signing certificate");
}

/// Changes every bit of a capture, one at a time. There is no exception: the form that the kit
/// takes has one spelling for everything (a canonical query, hex in lower case, a sorted list of
/// headers, base64 with its padding), and no part has white space whose amount does not matter.
fn no_bit_can_be_changed(which: usize, bits: usize) {
    let mut capture = Capture::read(which);
    let covered = capture.covered();
    let sizes: Vec<(String, usize)> =
        capture.parts(&covered).iter().map(|(name, part)| (name.clone(), part.len())).collect();
    let names: Vec<&str> = sizes.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["Host", "Authorization", "Content-Type", "X-Amz-Date", "X-Amz-X509"] {
        assert!(names.contains(&name), "{name} would not be tried: {names:?}");
    }
    let tried = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|share| {
                let (capture, sizes) = (capture.clone(), &sizes);
                scope.spawn(move || change_bits(capture, sizes, share))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    });
    assert_eq!(tried, bits);
}

/// Changes one of every [`THREADS`] bits; says how many.
fn change_bits(mut capture: Capture, sizes: &[(String, usize)], share: usize) -> usize {
    let (now, covered) = (capture.now(), capture.covered());
    let mut tried = 0;
    for (part, (name, size)) in sizes.iter().enumerate() {
        for bit in (share..size * 8).step_by(THREADS) {
            let flip = |capture: &mut Capture| {
                capture.parts(&covered)[part].1[bit / 8] ^= 1 << (bit % 8);
            };
            flip(&mut capture);
            let outcome = capture.outcome(now);
            let (byte, bit) = (bit / 8, bit % 8);
            assert!(
                !matches!(outcome, Some(Ok(_))),
                "{name}: bit {bit} of byte {byte} may be changed"
            );
            flip(&mut capture);
            tried += 1;
        }
    }
    assert!(capture.outcome(now).unwrap().is_ok(), "the capture is not whole again");
    tried
}

#[test]
fn no_bit_of_the_rsa_capture_can_be_changed() {
    no_bit_can_be_changed(RSA, 19_896);
}

#[test]
fn no_bit_of_the_ecdsa_capture_can_be_changed() {
    no_bit_can_be_changed(EC, 13_520);
}

#[test]
fn the_service_answers_both_captures() {
    let account = "291738886548";
    let arn =
        |kind: &str, id: &str| format!("arn:aws:rolesanywhere:us-east-2:{account}:{kind}/{id}");
    let role = format!("arn:aws:iam::{account}:role/rolesanywhere1");
    let statement = json!({
        "Effect": "Allow",
        "Principal": {"Service": "rolesanywhere.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        "Condition": {"StringEquals": {"aws:PrincipalTag/x509Subject/OU": "Enterprise"}},
    });
    for (which, anchor, session) in [
        (RSA, "a545a1fc-5d86-4032-8f4c-61cdd6ff92da", "15"),
        (EC, "1cb4e36e-e4ad-4bbb-9b37-fdafb2cbe4fe", "03"),
    ] {
        let capture = Capture::read(which);
        let kit = Kit::start(World {
            trust_anchors: vec![TrustAnchor {
                arn: arn("trust-anchor", anchor),
                certificates: capture.anchor.clone(),
                enabled: true,
            }],
            roles_anywhere_profiles: vec![RolesAnywhereProfile {
                arn: arn("profile", "6f4943fb-13d4-4242-89c4-be367595c380"),
                role_arns: vec![role.clone()],
                enabled: true,
                duration_seconds: 3600,
                accept_role_session_name: false,
                session_policy: None,
            }],
            roles: vec![Role {
                account: account.into(),
                name: "rolesanywhere1".into(),
                path: "/".into(),
                max_session_duration: 3600,
                trust: Trust { policy: Some(json!({"Statement": statement})), ..Trust::default() },
                ..Role::default()
            }],
            ..World::empty()
        });
        kit.freeze(capture.now());
        let mut headers = HeaderMap::new();
        for (name, value) in &capture.headers {
            if name != "Transfer-Encoding" {
                let name = HeaderName::try_from(name.as_str()).unwrap();
                headers.insert(name, HeaderValue::from_bytes(value).unwrap());
            }
        }
        let (target, body) = (
            std::str::from_utf8(&capture.target).unwrap(),
            std::str::from_utf8(&capture.body).unwrap(),
        );
        let answer = support::send(kit.port(), "POST", target, &headers, body).unwrap();
        assert_eq!(answer.status, 201, "{} {:?}", answer.body, kit.calls()[0]);
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        let set = &answer["credentialSet"][0];
        assert_eq!(
            set["assumedRoleUser"]["arn"],
            format!("arn:aws:sts::{account}:assumed-role/rolesanywhere1/{session}")
        );
        assert_eq!(set["sourceIdentity"], "CN=alice-cert.domain.com");
    }
}
