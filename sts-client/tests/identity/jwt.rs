//! JWTs of GetWebIdentityToken, made by the kit and spoilt here.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use rolecall_core::ErrorKind;
use rolecall_core::http::Request;
use rolecall_kit::{Kit, World, names};
use rolecall_sts::GetWebIdentityToken;
use rolecall_sts::identity::{Jwks, WebIdentityRules, verify_web_identity_token};
use serde_json::{Value, json};

use crate::kit::{alice, client, context};

const AUDIENCE: &str = "https://api.example.com";

struct Issuer {
    kit: Kit,
    jwks: String,
}

impl Issuer {
    async fn start() -> Self {
        let kit = Kit::start(World::default());
        kit.freeze(kit.now());
        let mut request = Request::default();
        *request.method_mut() = Method::GET;
        let url = format!("{}/_kit/oidc/.well-known/jwks.json", kit.url());
        *request.uri_mut() = url.parse().unwrap();
        let answer = context(&kit).http.send(request).await.unwrap();
        let jwks = String::from_utf8(answer.body().to_vec()).unwrap();
        Self { kit, jwks }
    }

    async fn token(&self, algorithm: &str) -> String {
        let input = GetWebIdentityToken {
            audience: vec![AUDIENCE.to_owned(), "https://other.example.com".to_owned()],
            signing_algorithm: algorithm.to_owned(),
            ..GetWebIdentityToken::default()
        };
        let output = client(&self.kit, &alice()).get_web_identity_token(&input).await.unwrap();
        output.web_identity_token.expose().to_owned()
    }

    fn rules(&self) -> WebIdentityRules {
        WebIdentityRules {
            issuer: format!("{}/_kit/oidc", self.kit.url()),
            audience: AUDIENCE.to_owned(),
        }
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.kit.now().cast_unsigned())
    }

    fn code(&self, token: &str) -> &'static str {
        let keys = Jwks::parse(&self.jwks).unwrap();
        match verify_web_identity_token(token, &keys, &self.rules(), self.now()) {
            Ok(_) => "accepted",
            Err(refusal) => refusal.code,
        }
    }
}

fn part(token: &str, at: usize) -> Value {
    let text = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

fn with_header(token: &str, header: &Value) -> String {
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

#[tokio::test]
async fn tokens_of_both_algorithms_are_believed() {
    let issuer = Issuer::start().await;
    let keys = Jwks::parse(&issuer.jwks).unwrap();
    for algorithm in ["ES384", "RS256"] {
        let token = issuer.token(algorithm).await;
        let claims = verify_web_identity_token(&token, &keys, &issuer.rules(), issuer.now());
        let claims = claims.unwrap();
        assert_eq!(claims.subject, format!("arn:aws:iam::{}:user/alice", names::ACCOUNT));
        assert_eq!(claims.account.as_deref(), Some(names::ACCOUNT));
        assert_eq!(claims.expires_at, issuer.now() + Duration::from_secs(300));
        assert_eq!(claims.audiences.len(), 2);
    }
}

#[tokio::test]
async fn a_spoilt_token_is_not() {
    let issuer = Issuer::start().await;
    let token = issuer.token("ES384").await;
    let other = issuer.token("RS256").await;
    let header = part(&token, 0);
    let with = |key: &str, value: Value| {
        let mut header = header.clone();
        header[key] = value;
        with_header(&token, &header)
    };
    let mut claims = part(&token, 1);
    claims["sub"] = json!("arn:aws:iam::111111111111:root");
    let parts: Vec<&str> = token.split('.').collect();
    let forged = URL_SAFE_NO_PAD.encode(claims.to_string());
    let mut without_key = header.clone();
    without_key.as_object_mut().unwrap().remove("kid");
    for (text, expected) in [
        (with("alg", json!("none")), "jwt-algorithm"),
        (with("alg", json!("None")), "jwt-algorithm"),
        (with("alg", json!("HS256")), "jwt-algorithm"),
        (with("alg", json!("ES256")), "jwt-algorithm"),
        (with("alg", json!("RS256")), "jwt-algorithm-differs"),
        (with("kid", json!("kit-rs256")), "jwt-algorithm-differs"),
        (with("kid", json!("unknown")), "jwt-key-unknown"),
        (with_header(&token, &without_key), "jwt-key-missing"),
        (with("crit", json!(["b64"])), "jwt-critical"),
        (with("typ", json!("at+jwt")), "jwt-type"),
        (with("more", json!(1)), "jwt-signature"),
        (format!("{}.{forged}.{}", parts[0], parts[2]), "jwt-signature"),
        (format!("{}.{}.", parts[0], parts[1]), "jwt-signature"),
        (
            format!("{}.{}", token.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1),
            "jwt-signature",
        ),
        (format!("{}.{}", parts[0], parts[1]), "jwt-malformed"),
        (format!("{token}="), "jwt-malformed"),
        (format!("{token}.x"), "jwt-malformed"),
        ("..".to_owned(), "json-malformed"),
        (String::new(), "jwt-malformed"),
        ("x".repeat(20_000), "too-long"),
    ] {
        assert_eq!(issuer.code(&text), expected, "{text}");
    }
}

#[tokio::test]
async fn issuer_audience_and_time_are_asked() {
    let issuer = Issuer::start().await;
    let keys = Jwks::parse(&issuer.jwks).unwrap();
    let token = issuer.token("ES384").await;
    let check = |rules: WebIdentityRules, ahead: i64| {
        let step = Duration::from_secs(ahead.unsigned_abs());
        let now = if ahead < 0 { issuer.now() - step } else { issuer.now() + step };
        verify_web_identity_token(&token, &keys, &rules, now).err().map(|refusal| refusal.code)
    };
    let other = |text: &str| text.to_owned() + "/";
    let rules = issuer.rules();
    let wrong_issuer = WebIdentityRules { issuer: other(&rules.issuer), ..rules.clone() };
    assert_eq!(check(wrong_issuer, 0), Some("jwt-issuer"));
    let wrong = WebIdentityRules { audience: other(&rules.audience), ..rules.clone() };
    assert_eq!(check(wrong, 0), Some("jwt-audience"));
    assert_eq!(check(rules.clone(), 299), None);
    assert_eq!(check(rules.clone(), 300), Some("too-old"));
    assert_eq!(check(rules.clone(), -60), None);
    assert_eq!(check(rules, -61), Some("future"));
}

#[tokio::test]
async fn keys_that_are_of_no_use_are_passed_over_and_none_is_an_error() {
    let issuer = Issuer::start().await;
    let mut set: Value = serde_json::from_str(&issuer.jwks).unwrap();
    let keys = set["keys"].as_array_mut().unwrap();
    keys.push(json!({"kty": "oct", "kid": "x", "k": "AAAA"}));
    keys.push(json!({"kty": "EC", "crv": "P-256", "kid": "y", "x": "AA", "y": "AA"}));
    Jwks::parse(&set.to_string()).unwrap();
    let first = set["keys"][0].clone();
    for (text, said) in [
        ("nonsense".to_owned(), "no JWKS"),
        ("{\"keys\":[]}".to_owned(), "no key"),
        ("{\"keys\":[{\"kty\":\"oct\",\"kid\":\"x\"}]}".to_owned(), "no key"),
        (json!({"keys": [first, first]}).to_string(), "same id"),
    ] {
        let error = Jwks::parse(&text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.message().contains(said), "{error}");
    }
}
