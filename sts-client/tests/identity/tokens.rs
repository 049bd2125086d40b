//! What tokens look like, and that their signatures are aws-sigv4's.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use proptest::prelude::*;
use rolecall_core::http::Request;
use rolecall_core::{Credentials, ErrorKind};
use rolecall_sts::identity::{Dialect, Token, TokenFormat, TokenSigner, inspect};
use rolecall_sts::{SigningScope, presign, sign};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::support::{self, CLUSTER, SESSION, credentials, dialect, endpoint, global, now};

fn unpacked(format: TokenFormat, token: &str) -> (Value, Value) {
    let decode = |text: &str| STANDARD.decode(text).unwrap();
    let (json, key) = match format {
        TokenFormat::Akeyless => (decode(token), "sts_request_headers"),
        TokenFormat::Vault => (token.as_bytes().to_vec(), "iam_request_headers"),
        _ => (token.as_bytes().to_vec(), "iamRequestHeaders"),
    };
    let json: Value = serde_json::from_slice(&json).unwrap();
    let headers = serde_json::from_slice(&decode(json[key].as_str().unwrap())).unwrap();
    (json, headers)
}

fn value<'a>(headers: &'a Value, name: &str) -> &'a str {
    headers[name].as_str().or_else(|| headers[name][0].as_str()).unwrap()
}

/// The signature that aws-sigv4 makes of the same request.
fn by_aws_sigv4(
    format: TokenFormat,
    credentials: &Credentials,
    host: &str,
    region: &str,
    time: std::time::SystemTime,
    more: &[(&'static str, String)],
) -> String {
    let scope = SigningScope { region, service: "sts", time };
    if format == TokenFormat::Eks {
        let mut request = Request::default();
        *request.uri_mut() =
            format!("https://{host}/?Action=GetCallerIdentity&Version=2011-06-15").parse().unwrap();
        request.headers_mut().insert("x-k8s-aws-id", CLUSTER.parse().unwrap());
        let url = presign(&request, credentials, &scope, Duration::from_secs(60)).unwrap();
        let signature = url.expose().split("X-Amz-Signature=").nth(1).unwrap();
        return signature[..64].to_owned();
    }
    let body = b"Action=GetCallerIdentity&Version=2011-06-15".to_vec();
    let mut request = Request::new(Zeroizing::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = format!("https://{host}/").parse().unwrap();
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    request.headers_mut().insert("content-type", form.parse().unwrap());
    if format != TokenFormat::Rolecall {
        request.headers_mut().insert("content-length", "43".parse().unwrap());
    }
    for (name, value) in more {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let signed = sign(request, credentials, &scope).unwrap();
    let text = signed.headers()["authorization"].to_str().unwrap().to_owned();
    text.split_once("Signature=").unwrap().1.to_owned()
}

fn signature_in(format: TokenFormat, token: &str) -> String {
    match format {
        TokenFormat::Eks => {
            let url = URL_SAFE_NO_PAD.decode(token.strip_prefix("k8s-aws-v1.").unwrap()).unwrap();
            String::from_utf8(url).unwrap().split_once("X-Amz-Signature=").unwrap().1.to_owned()
        }
        TokenFormat::Rolecall => {
            let json = URL_SAFE_NO_PAD.decode(token.strip_prefix("rolecall-v1.").unwrap()).unwrap();
            let json: Value = serde_json::from_slice(&json).unwrap();
            json["signature"].as_str().unwrap().to_owned()
        }
        _ => {
            let (_, headers) = unpacked(format, token);
            let text = value(&headers, "Authorization");
            text.split_once("Signature=").unwrap().1.to_owned()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn signatures_are_those_of_aws_sigv4(
        key in "[A-Z0-9]{16,20}",
        secret in "[A-Za-z0-9/+]{40}",
        session in prop::option::of("[A-Za-z0-9/+=]{1,900}"),
        seconds in 0_u64..3_000_000_000,
        region in prop::sample::select(vec!["us-east-1", "eu-west-1", "cn-north-1"]),
        server in "[a-z.]{1,20}",
        challenge in prop::option::of("[A-Za-z0-9_-]{1,80}"),
    ) {
        let time = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let credentials = Credentials::new(key, secret, "test")
            .with_session_token(session.map(Into::into));
        let host = format!("sts.{region}.example.com");
        let at = endpoint(&format!("https://{host}"), region);
        for format in TokenFormat::ALL {
            let mut more = Vec::new();
            let dialect = match format {
                TokenFormat::Vault => {
                    more.push(("x-vault-aws-iam-server-id", server.clone()));
                    Dialect::Vault { role: None, server_id: Some(server.clone()) }
                }
                TokenFormat::Rolecall => {
                    more.push(("x-rolecall-audience", server.clone()));
                    more.extend(challenge.clone().map(|text| ("x-rolecall-challenge", text)));
                    more.push(("x-rolecall-lifetime", "60".to_owned()));
                    Dialect::Rolecall {
                        audience: server.clone(),
                        challenge: challenge.clone(),
                        lifetime: Dialect::LIFETIME,
                    }
                }
                other => dialect(other),
            };
            let signer = TokenSigner::new(dialect, &credentials, &at).unwrap();
            // Another day first: the key must not outlive its day.
            signer.token(time + Duration::from_secs(86_400)).unwrap();
            let token = signer.token(time).unwrap();
            let theirs = by_aws_sigv4(format, &credentials, &host, region, time, &more);
            prop_assert_eq!(signature_in(format, token.text.expose()), theirs, "{}", format);
        }
    }
}

#[test]
fn akeyless_is_what_its_python_client_writes() {
    let (json, headers) = unpacked(TokenFormat::Akeyless, &support::token(TokenFormat::Akeyless));
    let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["sts_request_method", "sts_request_url", "sts_request_body", "sts_request_headers"]
    );
    let names: Vec<_> = headers.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "Authorization",
            "Content-Length",
            "Content-Type",
            "User-Agent",
            "X-Amz-Date",
            "X-Amz-Security-Token"
        ]
    );
    let authorization = value(&headers, "Authorization");
    assert!(authorization.contains(
        "us-east-1/sts/aws4_request,  SignedHeaders=\
         content-length;content-type;host;x-amz-date;x-amz-security-token, Signature="
    ));
    // A key without a session has no header for one: the Python client writes `[null]`.
    let alone = Credentials::new("AKIAIOSFODNN7EXAMPLE", support::SECRET, "test");
    let token = Token::create(Dialect::Akeyless, &alone, &global(), now()).unwrap();
    let (_, headers) = unpacked(TokenFormat::Akeyless, token.text.expose());
    assert!(headers.get("X-Amz-Security-Token").is_none());
}

#[test]
fn eks_is_a_presigned_url_in_the_order_of_aws_cli() {
    let token = support::token(TokenFormat::Eks);
    let url = URL_SAFE_NO_PAD.decode(token.strip_prefix("k8s-aws-v1.").unwrap()).unwrap();
    let url = String::from_utf8(url).unwrap();
    let start = "https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15\
                 &X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAIOSFODNN7EXAMPLE%2F20260101\
                 %2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60\
                 &X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Security-Token=FwoGZXIvYXdzEBYaDEXAMPLE\
                 %2Bsession%2Ftoken%3D%3D&X-Amz-Signature=";
    assert!(url.starts_with(start), "{url}");
}

#[test]
fn a_look_into_a_token_shows_no_secret() {
    for format in TokenFormat::ALL {
        let token = support::token(format);
        let signature = signature_in(format, &token);
        let inside = inspect(&token).unwrap();
        let shown = format!("{inside:?} {}", inside.to_json());
        assert!(!shown.contains(&signature) && !shown.contains(SESSION), "{shown}");
        assert_eq!(inside.format, format);
        assert_eq!(inside.host, "sts.amazonaws.com");
        assert_eq!(inside.access_key_id, "ASIAIOSFODNN7EXAMPLE");
        assert_eq!(inside.session_token_length, Some(SESSION.len()));
        assert_eq!(inside.signed_at, now());
        assert!(inside.signed_headers.contains(&"host".to_owned()));
    }
    let signer = TokenSigner::new(Dialect::Akeyless, &credentials(), &global()).unwrap();
    let shown = format!("{signer:?} {:?}", signer.token(now()).unwrap());
    assert!(!shown.contains(SESSION) && !shown.contains(support::SECRET), "{shown}");
}

#[test]
fn a_token_ends_with_its_credentials_or_after_its_life() {
    let minutes = |m: u64| now() + Duration::from_secs(m * 60);
    for (format, end) in [(TokenFormat::Akeyless, 15), (TokenFormat::Rolecall, 1)] {
        let token = Token::create(dialect(format), &credentials(), &global(), now()).unwrap();
        assert_eq!(token.expires_at, minutes(end));
    }
    let short = credentials().with_expires_at(Some(minutes(5)));
    let token = Token::create(Dialect::Akeyless, &short, &global(), now()).unwrap();
    assert_eq!(token.expires_at, minutes(5));
    let error = Token::create(Dialect::Akeyless, &short, &global(), minutes(5)).unwrap_err();
    assert!(error.message().contains("have ended"), "{error}");
}

#[test]
fn what_cannot_stand_in_a_token_is_an_error() {
    let vault = |id: &str| Dialect::Vault { role: None, server_id: Some(id.to_owned()) };
    let own = |lifetime| Dialect::Rolecall {
        audience: "a".to_owned(),
        challenge: None,
        lifetime: Duration::from_secs(lifetime),
    };
    for dialect in [
        vault(""),
        vault("a,b"),
        vault("a b"),
        vault("a\r\nb"),
        vault("a\"b"),
        own(0),
        own(301),
        Dialect::Eks { cluster: "x".repeat(129) },
        Dialect::Infisical { identity_id: "é".to_owned() },
    ] {
        let error = TokenSigner::new(dialect, &credentials(), &global()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    }
    for (url, region) in [
        ("https://sts.amazonaws.com/path", "us-east-1"),
        ("ftp://sts.amazonaws.com", "us-east-1"),
        ("https://me@sts.amazonaws.com", "us-east-1"),
        ("https://sts.amazonaws.com", "evil.tld?"),
    ] {
        let made = TokenSigner::new(Dialect::Akeyless, &credentials(), &endpoint(url, region));
        assert!(made.is_err(), "{url} {region}");
    }
    let bad = credentials().with_session_token(Some("a\"b".into()));
    assert!(TokenSigner::new(Dialect::Akeyless, &bad, &global()).is_err());
}

#[test]
fn a_custom_sts_and_other_partitions_stand_in_the_token() {
    for (url, region, host) in [
        ("http://127.0.0.1:4566", "us-east-1", "127.0.0.1:4566"),
        (
            "https://sts.cn-north-1.amazonaws.com.cn/",
            "cn-north-1",
            "sts.cn-north-1.amazonaws.com.cn",
        ),
        (
            "https://sts.us-gov-west-1.amazonaws.com:443",
            "us-gov-west-1",
            "sts.us-gov-west-1.amazonaws.com",
        ),
    ] {
        for format in TokenFormat::ALL {
            let at = endpoint(url, region);
            let token = Token::create(dialect(format), &credentials(), &at, now()).unwrap();
            let inside = inspect(token.text.expose()).unwrap();
            assert_eq!((inside.host.as_str(), inside.region.as_str()), (host, region));
        }
    }
}

proptest! {
    #[test]
    fn a_look_into_any_text_never_panics(text in ".{0,200}") {
        let _ = inspect(&text);
        let _ = inspect(&STANDARD.encode(&text));
        let _ = inspect(&format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(&text)));
        let url = format!("https://sts.amazonaws.com/?{text}");
        let _ = inspect(&format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(url)));
        let _ = inspect(&format!("rolecall-v1.{}", URL_SAFE_NO_PAD.encode(&text)));
    }

    /// A token with one byte changed below its wrapping is refused, or says something else.
    #[test]
    fn no_byte_of_a_token_is_overlooked(at in any::<prop::sample::Index>(), byte in b'!'..b'~') {
        let token = support::token(TokenFormat::Rolecall);
        let mut json = URL_SAFE_NO_PAD.decode(token.strip_prefix("rolecall-v1.").unwrap()).unwrap();
        let at = at.index(json.len());
        prop_assume!(json[at] != byte);
        json[at] = byte;
        let changed = format!("rolecall-v1.{}", URL_SAFE_NO_PAD.encode(&json));
        if inspect(&changed).is_ok() {
            // Whatever was changed is signed, or the signature itself: the verifier asks STS for
            // another request, which is refused.
            let field = |json: &[u8]| serde_json::from_slice::<Value>(json).unwrap();
            let before = URL_SAFE_NO_PAD.decode(token.strip_prefix("rolecall-v1.").unwrap());
            prop_assert_ne!(field(&json), field(&before.unwrap()));
        }
    }
}
