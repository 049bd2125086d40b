//! Requests for sessions of IAM Roles Anywhere, signed as a right client would, or not quite.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a broken client fails its test")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use rolecall_kit::rolesanywhere::Issued;
use rolecall_kit::sigv4::{Rules, SignedRequest, canonical_request, hex_sha256, uri_encode};
use rolecall_kit::{Kit, basic_date, names};
use serde_json::{Value, json};

use crate::support::{Answer, Keys, send};

/// The region of the default world's trust anchor.
pub const REGION: &str = "us-east-1";

/// A request to sign and send; each test changes one thing.
pub struct Draft<'a> {
    pub issued: &'a Issued,
    pub algorithm: String,
    pub method: &'static str,
    pub path: &'static str,
    pub arns: Vec<(&'static str, String)>,
    pub body: Value,
    pub date: String,
    pub scope: String,
    pub serial: String,
    pub headers: Vec<(&'static str, String)>,
    pub unsigned: Vec<&'static str>,
    /// Changes a request after it has been signed.
    pub spoil: fn(&mut String, &mut HeaderMap),
}

impl<'a> Draft<'a> {
    pub fn new(kit: &Kit, issued: &'a Issued) -> Draft<'a> {
        let ders: Vec<String> = issued.ders().iter().map(|der| STANDARD.encode(der)).collect();
        let date = basic_date(kit.now());
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("host", format!("127.0.0.1:{}", kit.port())),
            ("x-amz-x509", ders[0].clone()),
        ];
        if ders.len() > 1 {
            headers.push(("x-amz-x509-chain", ders[1..].join(",")));
        }
        Draft {
            issued,
            algorithm: "AWS4-X509-ECDSA-SHA256".into(),
            method: "POST",
            path: "/sessions",
            arns: vec![
                ("profileArn", names::PROFILE.into()),
                ("roleArn", names::WORKLOAD.into()),
                ("trustAnchorArn", names::TRUST_ANCHOR.into()),
            ],
            body: json!({"durationSeconds": 900}),
            scope: format!("{}/{REGION}/rolesanywhere/aws4_request", &date[..8]),
            date,
            serial: issued.serial.clone(),
            headers,
            unsigned: Vec::new(),
            spoil: |_, _| {},
        }
    }

    pub fn arn(mut self, name: &str, arn: &str) -> Draft<'a> {
        self.arns.iter_mut().find(|(known, _)| *known == name).unwrap().1 = arn.into();
        self
    }

    pub fn body(self, body: Value) -> Draft<'a> {
        Draft { body, ..self }
    }

    pub fn send(&self, kit: &Kit) -> Answer {
        self.try_send(kit).unwrap()
    }

    /// `None` if the connection is closed without an answer.
    pub fn try_send(&self, kit: &Kit) -> Option<Answer> {
        let arns = self.arns.iter();
        let query: Vec<String> =
            arns.map(|(name, arn)| format!("{name}={}", uri_encode(arn.as_bytes()))).collect();
        let (query, body) = (query.join("&"), self.body.to_string());
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-date", self.date.parse().unwrap());
        for (name, value) in &self.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let mut signed: Vec<String> = headers.keys().map(|name| name.as_str().to_owned()).collect();
        signed.retain(|name| !self.unsigned.contains(&name.as_str()));
        signed.sort();
        let request = SignedRequest {
            method: self.method,
            path: self.path,
            query: &query,
            headers: &headers,
            body: body.as_bytes(),
        };
        let hash = hex_sha256(body.as_bytes());
        let canonical = canonical_request(&request, Rules::STANDARD, &signed, &hash);
        let string_to_sign = format!(
            "{}\n{}\n{}\n{}",
            self.algorithm,
            self.date,
            self.scope,
            hex_sha256(canonical.as_bytes())
        );
        let signature = self.issued.sign(string_to_sign.as_bytes()).unwrap();
        let authorization = format!(
            "{} Credential={}/{}, SignedHeaders={}, Signature={}",
            self.algorithm,
            self.serial,
            self.scope,
            signed.join(";"),
            hex::encode(signature)
        );
        headers.insert("authorization", authorization.parse().unwrap());
        let mut target =
            if query.is_empty() { self.path.to_owned() } else { format!("{}?{query}", self.path) };
        (self.spoil)(&mut target, &mut headers);
        send(kit.port(), self.method, &target, &headers, &body)
    }

    #[track_caller]
    pub fn is_session(&self, kit: &Kit) -> Value {
        let answer = self.send(kit);
        assert_eq!(answer.status, 201, "{} {:?}", answer.body, kit.calls().last());
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Refused in AWS's words, with a reason in the record.
    #[track_caller]
    pub fn is_refused(&self, kit: &Kit, code: &str, message: &str, reason: &str) {
        let answer = self.send(kit);
        let status = match code {
            "AccessDeniedException" => 403,
            "ResourceNotFoundException" => 404,
            _ => 400,
        };
        let call = kit.calls().pop().unwrap();
        let found: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, &found), (status, &json!({"message": message})), "{call:?}");
        assert_eq!(answer.headers["x-amzn-errortype"], code);
        assert_eq!(call.error.as_deref(), Some(code));
        let because = &call.params["refused_because"];
        assert!(because.contains(reason), "{because}");
    }

    #[track_caller]
    pub fn is_denied(&self, kit: &Kit, message: &str, reason: &str) {
        self.is_refused(kit, "AccessDeniedException", message, reason);
    }

    #[track_caller]
    pub fn has_invalid_signature(&self, kit: &Kit, reason: &str) {
        self.is_denied(kit, "Invalid signature", reason);
    }
}

/// The credentials of an answer.
pub fn keys(answer: &Value) -> Keys {
    let credentials = &answer["credentialSet"][0]["credentials"];
    let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
    Keys {
        id: text("accessKeyId"),
        secret: text("secretAccessKey"),
        token: Some(text("sessionToken")),
    }
}
