//! A client for the kit's own tests: signs with the kit's canonicalisation and speaks HTTP/1.1.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken client fails its test")]

use std::io::{Read, Write};
use std::net::TcpStream;

use http::{HeaderMap, HeaderValue};
use rolecall_kit::sigv4::{
    Rules, Scope, SignedRequest, canonical_request, hex_sha256, signature, string_to_sign,
    uri_encode,
};
use rolecall_kit::{Kit, basic_date, names};

/// Access key id, secret and session token.
#[derive(Clone)]
pub struct Keys {
    pub id: String,
    pub secret: String,
    pub token: Option<String>,
}

pub fn alice() -> Keys {
    Keys { id: names::ALICE_KEY.into(), secret: names::ALICE_SECRET.into(), token: None }
}

pub fn bob() -> Keys {
    Keys { id: names::BOB_KEY.into(), secret: names::BOB_SECRET.into(), token: None }
}

pub fn admin() -> Keys {
    Keys { id: names::ADMIN_KEY.into(), secret: names::ADMIN_SECRET.into(), token: None }
}

pub fn other_admin() -> Keys {
    Keys {
        id: names::OTHER_ADMIN_KEY.into(),
        secret: names::OTHER_ADMIN_SECRET.into(),
        token: None,
    }
}

pub fn root() -> Keys {
    Keys { id: names::ROOT_KEY.into(), secret: names::ROOT_SECRET.into(), token: None }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// Text of the first element of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
    }

    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_else(|| panic!("no {name} in {}", self.body))
    }

    /// Texts of all elements of that name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let close = format!("</{name}>");
        self.body
            .split(&format!("<{name}>"))
            .skip(1)
            .filter_map(|piece| piece.split_once(&close).map(|(text, _)| text))
            .collect()
    }

    /// The key of a session, or of a user.
    pub fn keys(&self) -> Keys {
        assert_eq!(self.status, 200, "{}", self.body);
        Keys {
            id: self.text("AccessKeyId").into(),
            secret: self.text("SecretAccessKey").into(),
            token: self.get("SessionToken").map(str::to_owned),
        }
    }

    #[track_caller]
    pub fn ok(&self) -> &Answer {
        assert_eq!(self.status, 200, "{}", self.body);
        self
    }

    #[track_caller]
    pub fn is(&self, status: u16, code: &str, message: &str) {
        assert_eq!((self.status, self.get("Code")), (status, Some(code)), "{}", self.body);
        assert!(self.text("Message").contains(message), "{}", self.body);
    }
}

/// `a=b&c=d`, encoded.
pub fn form(values: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| {
        format!("{}={}", uri_encode(name.as_bytes()), uri_encode(value.as_bytes()))
    };
    values.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// A signed call of STS.
pub fn call(kit: &Kit, keys: &Keys, action: &str, values: &[(&str, &str)]) -> Answer {
    let head = [("Action", action), ("Version", "2011-06-15")];
    let all: Vec<_> = head.iter().chain(values).copied().collect();
    post(kit, Some(keys), &form(&all), &[]).expect("an answer")
}

/// A signed call of IAM.
pub fn iam(kit: &Kit, keys: &Keys, action: &str, values: &[(&str, &str)]) -> Answer {
    try_iam(kit, keys, action, values).expect("an answer")
}

/// The same; `None` if the connection is closed without an answer.
pub fn try_iam(kit: &Kit, keys: &Keys, action: &str, values: &[(&str, &str)]) -> Option<Answer> {
    let head = [("Action", action), ("Version", "2010-05-08")];
    let all: Vec<_> = head.iter().chain(values).copied().collect();
    post_to(kit, "iam", Some(keys), &form(&all), &[])
}

/// An unsigned call of STS.
pub fn call_unsigned(kit: &Kit, action: &str, values: &[(&str, &str)]) -> Answer {
    let head = [("Action", action), ("Version", "2011-06-15")];
    let all: Vec<_> = head.iter().chain(values).copied().collect();
    post(kit, None, &form(&all), &[]).expect("an answer")
}

pub fn assume(kit: &Kit, keys: &Keys, role: &str, more: &[(&str, &str)]) -> Answer {
    let base = [("RoleArn", role), ("RoleSessionName", "test")];
    call(kit, keys, "AssumeRole", &base.iter().chain(more).copied().collect::<Vec<_>>())
}

/// A POST of a form to `/`, signed if there are keys.
pub fn post(
    kit: &Kit,
    keys: Option<&Keys>,
    body: &str,
    headers: &[(&str, &str)],
) -> Option<Answer> {
    post_to(kit, "sts", keys, body, headers)
}

/// The same, signed for a service.
pub fn post_to(
    kit: &Kit,
    service: &str,
    keys: Option<&Keys>,
    body: &str,
    headers: &[(&str, &str)],
) -> Option<Answer> {
    let mut all = HeaderMap::new();
    all.insert("host", format!("127.0.0.1:{}", kit.port()).parse().unwrap());
    all.insert(
        "content-type",
        HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"),
    );
    for (name, value) in headers {
        all.insert(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    if let Some(keys) = keys {
        sign(&mut all, keys, &basic_date(kit.now()), service, body);
    }
    send(kit.port(), "POST", "/", &all, body)
}

pub fn sign(headers: &mut HeaderMap, keys: &Keys, date: &str, service: &str, body: &str) {
    headers.insert("x-amz-date", date.parse().unwrap());
    if let Some(token) = &keys.token {
        headers.insert("x-amz-security-token", token.parse().unwrap());
    }
    let mut names: Vec<String> = headers.keys().map(|name| name.as_str().to_owned()).collect();
    names.sort();
    let scope = Scope {
        date: date[..8].to_owned(),
        region: "us-east-1".to_owned(),
        service: service.to_owned(),
    };
    let request =
        SignedRequest { method: "POST", path: "/", query: "", headers, body: body.as_bytes() };
    let canonical =
        canonical_request(&request, Rules::STANDARD, &names, &hex_sha256(body.as_bytes()));
    let signature = signature(&keys.secret, &scope, &string_to_sign(date, &scope, &canonical));
    let value = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
        keys.id,
        names.join(";")
    );
    headers.insert("authorization", value.parse().unwrap());
}

/// The target of a presigned GetCallerIdentity, with `x-k8s-aws-id` signed, as EKS wants it.
pub fn presign(kit: &Kit, keys: &Keys, cluster: &str) -> (String, HeaderMap) {
    let mut headers = HeaderMap::new();
    headers.insert("host", format!("127.0.0.1:{}", kit.port()).parse().unwrap());
    headers.insert("x-k8s-aws-id", cluster.parse().unwrap());
    let date = basic_date(kit.now());
    let scope = Scope { date: date[..8].into(), region: "us-east-1".into(), service: "sts".into() };
    let mut query = format!(
        "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={date}&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id",
        uri_encode(format!("{}/{scope}", keys.id).as_bytes())
    );
    if let Some(token) = &keys.token {
        query.push_str(&format!("&X-Amz-Security-Token={}", uri_encode(token.as_bytes())));
    }
    let request =
        SignedRequest { method: "GET", path: "/", query: &query, headers: &headers, body: b"" };
    let names = ["host".to_owned(), "x-k8s-aws-id".to_owned()];
    let canonical = canonical_request(&request, Rules::STANDARD, &names, &hex_sha256(b""));
    let signature = signature(&keys.secret, &scope, &string_to_sign(&date, &scope, &canonical));
    (format!("/?{query}&X-Amz-Signature={signature}"), headers)
}

/// JSON of the control interface.
pub fn control(kit: &Kit, method: &str, path: &str, body: &str) -> serde_json::Value {
    let answer =
        send(kit.port(), method, &format!("/_kit/{path}"), &HeaderMap::new(), body).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// Sends one request on a connection of its own; `None` if it is closed without an answer.
pub fn send(
    port: u16,
    method: &str,
    target: &str,
    headers: &HeaderMap,
    body: &str,
) -> Option<Answer> {
    #[expect(clippy::disallowed_methods, reason = "the test is its own client")]
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut head = format!(
        "{method} {target} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    if !headers.contains_key("host") {
        head.push_str("host: kit\r\n");
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // A reset in the middle is an answer cut short, like an end.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        headers.append(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    Some(Answer { status, headers, body: body.to_owned() })
}
