use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use proptest::prelude::*;
use ring::hmac;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rolecall_core::timestamp;
use serde_json::Value;

use super::*;
use crate::testing::{self, Issued};
use crate::{Certificate, PrivateKey};

/// A captured request, and the identity that sent it.
struct Capture {
    identity: Identity,
    query: String,
    body: Vec<u8>,
    host: String,
    time: SystemTime,
    authorization: String,
}

impl Capture {
    fn read(capture: &Value) -> Self {
        let request = &capture["request"];
        let header = |name: &str| request["headers"][name].as_str().unwrap().to_owned();
        let key = PrivateKey::from_der(&testing::base64(&capture["key_pkcs8_der_base64"])).unwrap();
        let leaf = Certificate::from_der(&testing::base64(&capture["leaf_der_base64"])).unwrap();
        let d = header("X-Amz-Date");
        let date = format!(
            "{}-{}-{}T{}:{}:{}Z",
            &d[..4],
            &d[4..6],
            &d[6..8],
            &d[9..11],
            &d[11..13],
            &d[13..15]
        );
        let time = timestamp::parse(&date).unwrap();
        Self {
            identity: Identity::new(Arc::new(key), vec![leaf], time).unwrap(),
            query: request["uri"].as_str().unwrap().split_once('?').unwrap().1.to_owned(),
            body: request["body"].as_str().unwrap().as_bytes().to_vec(),
            host: header("Host"),
            time,
            authorization: header("Authorization"),
        }
    }

    fn call(&self) -> SessionCall<'_> {
        SessionCall {
            host: &self.host,
            region: "us-east-2",
            query: &self.query,
            body: &self.body,
            time: self.time,
        }
    }

    fn signature(&self) -> Vec<u8> {
        hex::decode(self.authorization.rsplit_once("Signature=").unwrap().1).unwrap()
    }
}

fn captures() -> [Capture; 2] {
    let read: Vec<_> = testing::captures().iter().map(Capture::read).collect();
    read.try_into().ok().unwrap()
}

#[tokio::test]
async fn the_rsa_capture_is_reproduced_bit_for_bit() {
    let [rsa, _] = captures();
    assert_eq!(rsa.call().authorization(&rsa.identity).await.unwrap(), rsa.authorization);
}

#[tokio::test]
async fn the_ec_capture_was_signed_over_our_string_to_sign() {
    let [_, ec] = captures();
    let text = ec.call().string_to_sign(&ec.identity);
    let point = p384::PublicKey::from_sec1_bytes(&public_bits(&ec.identity)).unwrap();
    let key = p384::ecdsa::VerifyingKey::from(point);
    let verify = |signature: &[u8]| {
        use p384::ecdsa::signature::hazmat::PrehashVerifier;
        let signature = p384::ecdsa::Signature::from_der(signature).unwrap();
        key.verify_prehash(digest(&SHA256, text.as_bytes()).as_ref(), &signature)
    };
    verify(&ec.signature()).unwrap();
    // ECDSA is not bound to be the same twice: ours differs after `Signature=` and verifies too.
    let ours = ec.call().authorization(&ec.identity).await.unwrap();
    let (head, signature) = ours.rsplit_once("Signature=").unwrap();
    assert_eq!(head, ec.authorization.rsplit_once("Signature=").unwrap().0);
    verify(&hex::decode(signature).unwrap()).unwrap();
}

fn public_bits(identity: &Identity) -> Vec<u8> {
    use x509_parser::prelude::FromDer;
    let key = x509_parser::x509::SubjectPublicKeyInfo::from_der(identity.signer().public_key());
    key.unwrap().1.subject_public_key.data.to_vec()
}

#[test]
fn the_captured_signature_fits_nothing_but_our_string() {
    let [rsa, ec] = captures();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_bits(&rsa.identity));
    let fits = |call: &SessionCall<'_>| {
        let text = call.string_to_sign(&rsa.identity);
        key.verify(text.as_bytes(), &rsa.signature()).is_ok()
    };
    assert!(fits(&rsa.call()));
    assert!(!fits(&SessionCall { body: b"{\"durationSeconds\":3601}", ..rsa.call() }));
    assert!(!fits(&SessionCall { host: "127.0.0.1:8081", ..rsa.call() }));
    assert!(!fits(&SessionCall { region: "us-east-1", ..rsa.call() }));
    assert!(!fits(&SessionCall { query: &ec.query, ..rsa.call() }));
    assert!(!fits(&SessionCall { time: rsa.time + Duration::from_secs(1), ..rsa.call() }));
}

#[test]
fn the_query_of_the_captures_is_ours() {
    let [rsa, _] = captures();
    assert_eq!(testing::request().query(), rsa.query);
    assert_eq!(testing::request().body().unwrap(), rsa.body);
}

#[test]
fn the_text_is_the_documented_one_with_and_without_a_chain() {
    let root = Issued::authority("root", None);
    let middle = Issued::authority("middle", Some(&root));
    let leaf = Issued::new("leaf", Some(&middle), &|_| {});
    let all = vec![leaf.certificate(), middle.certificate()];
    let identity = Identity::new(leaf.signer(), all, testing::now()).unwrap();
    let call = SessionCall {
        host: "h",
        region: "eu-west-1",
        query: "a=b",
        body: b"",
        time: testing::now(),
    };
    assert_eq!(
        call.canonical_request(&identity),
        format!(
            "POST\n/sessions\na=b\ncontent-type:application/json\nhost:h\n\
             x-amz-date:20260101T000000Z\nx-amz-x509:{}\nx-amz-x509-chain:{}\n\n\
             content-type;host;x-amz-date;x-amz-x509;x-amz-x509-chain\n\
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            identity.certificate_header(),
            identity.chain_header().unwrap()
        )
    );
    assert_eq!(
        call.string_to_sign(&identity),
        format!(
            "AWS4-X509-ECDSA-SHA256\n20260101T000000Z\n20260101/eu-west-1/rolesanywhere/aws4_request\n{}",
            hex::encode(digest(&SHA256, call.canonical_request(&identity).as_bytes()))
        )
    );
    let alone = leaf.identity();
    let text = call.canonical_request(&alone);
    assert!(
        !text.contains("chain") && text.contains("\n\ncontent-type;host;x-amz-date;x-amz-x509\n")
    );
}

/// The signature of SigV4 over our text.
fn sigv4_of_ours(canonical: &Canonical<'_>, moment: &str, region: &str, secret: &str) -> String {
    let scope = format!("{}/{region}/rolesanywhere/aws4_request", &moment[..8]);
    let text = string_to_sign("AWS4-HMAC-SHA256", moment, &scope, &canonical.hash());
    let sign = |key: &[u8], data: &[u8]| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
    };
    let key = [&moment[..8], region, "rolesanywhere", "aws4_request"]
        .iter()
        .fold(format!("AWS4{secret}").into_bytes(), |key, part| sign(&key, part.as_bytes()));
    hex::encode(sign(&key, text.as_bytes()))
}

proptest! {
    /// The other side of this comparison is AWS's own canonical request.
    #[test]
    fn signed_with_hmac_it_is_what_aws_sigv4_signs(
        names in proptest::array::uniform3("[ -~]{1,40}"),
        port in proptest::option::of(1_u16..),
        seconds in 0_u64..4_000_000_000,
        duration in 900_u32..=43200,
        session in proptest::option::of("[A-Za-z0-9_+=,.@-]{2,64}"),
        certificate in "[A-Za-z0-9+/]{4,400}={0,2}",
        chain in proptest::option::of("[A-Za-z0-9+/]{4,400}(,[A-Za-z0-9+/]{4,400}){0,3}"),
    ) {
        let [anchor, profile, role] = names;
        let request = crate::RolesAnywhere {
            trust_anchor_arn: anchor,
            profile_arn: profile,
            role_arn: role,
            duration_seconds: Some(duration),
            role_session_name: session,
            ..Default::default()
        };
        let port = port.filter(|port| *port != 443).map(|p| format!(":{p}")).unwrap_or_default();
        let host = format!("rolesanywhere.eu-west-1.amazonaws.com{port}");
        let (query, body) = (request.query(), request.body().unwrap());
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let call = SessionCall { host: &host, region: "eu-west-1", query: &query, body: &body, time };
        let moment = call.date();
        let canonical = Canonical {
            query: &query,
            host: &host,
            moment: &moment,
            certificate: &certificate,
            chain: chain.as_deref(),
            body: &body,
        };
        let ours = sigv4_of_ours(&canonical, &moment, "eu-west-1", "secret");

        let credentials = Credentials::new("AKID", "secret", None, None, "test").into();
        let params = v4::SigningParams::builder()
            .identity(&credentials)
            .region("eu-west-1")
            .name("rolesanywhere")
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let mut headers = vec![("content-type", CONTENT_TYPE), ("x-amz-x509", &certificate)];
        headers.extend(chain.as_deref().map(|chain| ("x-amz-x509-chain", chain)));
        let uri = format!("https://{host}/sessions?{query}");
        let signable =
            SignableRequest::new("POST", &uri, headers.into_iter(), SignableBody::Bytes(&body));
        let theirs = sign(signable.unwrap(), &params).unwrap().into_parts().1;
        prop_assert_eq!(ours, theirs);
    }
}
