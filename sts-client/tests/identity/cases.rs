//! The attack table as data: tokens and answers, and the reason why each is refused. The same cases
//! are in `identity-vectors.json`, for verifiers in other languages.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rolecall_sts::identity::{Dialect, TokenFormat};
use serde_json::{Value, json};

use crate::support::{self, ACCOUNT, SERVER, dialect, role_session, success, token, user};

/// One token, what STS would say, and what must come of it.
pub(crate) struct Case {
    pub(crate) row: u8,
    pub(crate) name: String,
    pub(crate) token: String,
    /// Status and body; `None`: STS must not be asked.
    pub(crate) answer: Option<(u16, String)>,
    pub(crate) bounds: Value,
    /// The reason's code, or `accepted`.
    pub(crate) expected: &'static str,
}

const GLOBAL: &str = "https://sts.amazonaws.com/";
const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// An Akeyless or Vault token, to be spoilt.
#[derive(Clone)]
struct Parts {
    method: String,
    url: String,
    body: String,
    headers: Vec<(String, Value)>,
}

impl Parts {
    fn good(format: TokenFormat) -> Self {
        let text = token(format);
        let (json, key) = match format {
            TokenFormat::Vault => (text.into_bytes(), "iam_request_headers"),
            _ => (STANDARD.decode(text).unwrap(), "sts_request_headers"),
        };
        let json: Value = serde_json::from_slice(&json).unwrap();
        let headers = STANDARD.decode(json[key].as_str().unwrap()).unwrap();
        let headers: Value = serde_json::from_slice(&headers).unwrap();
        let headers = headers.as_object().unwrap().iter();
        Self {
            method: "POST".to_owned(),
            url: GLOBAL.to_owned(),
            body: BODY.to_owned(),
            headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    }

    fn header_json(&self) -> String {
        let pairs = self.headers.iter().map(|(name, value)| format!("{}:{value}", json!(name)));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    }

    fn akeyless(&self) -> String {
        STANDARD.encode(self.inner(&self.header_json()))
    }

    fn inner(&self, headers: &str) -> String {
        format!(
            "{{\"sts_request_method\":{},\"sts_request_url\":\"{}\",\"sts_request_body\":\"{}\",\
             \"sts_request_headers\":\"{}\"}}",
            json!(self.method),
            STANDARD.encode(&self.url),
            STANDARD.encode(&self.body),
            STANDARD.encode(headers)
        )
    }

    fn vault(&self) -> String {
        format!(
            "{{\"iam_http_request_method\":{},\"iam_request_url\":\"{}\",\"iam_request_body\":\
             \"{}\",\"iam_request_headers\":\"{}\"}}",
            json!(self.method),
            STANDARD.encode(&self.url),
            STANDARD.encode(&self.body),
            STANDARD.encode(self.header_json())
        )
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        match self.headers.iter_mut().find(|(known, _)| known == name) {
            Some((_, held)) => *held = value,
            None => self.headers.push((name.to_owned(), value)),
        }
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    fn authorization(self, from: &str, to: &str) -> Self {
        let held = self.headers.iter().find(|(name, _)| name == "Authorization").unwrap();
        let text = held.1[0].as_str().unwrap();
        assert!(text.contains(from), "{from}");
        let text = text.replace(from, to);
        self.with("Authorization", json!([text]))
    }
}

fn akeyless() -> Parts {
    Parts::good(TokenFormat::Akeyless)
}

fn vault() -> Parts {
    Parts::good(TokenFormat::Vault)
}

fn url(url: &str) -> String {
    Parts { url: url.to_owned(), ..akeyless() }.akeyless()
}

fn body(body: &str) -> String {
    Parts { body: body.to_owned(), ..akeyless() }.akeyless()
}

/// An EKS token whose URL is changed.
fn eks(from: &str, to: &str) -> String {
    let token = token(TokenFormat::Eks);
    let url = URL_SAFE_NO_PAD.decode(token.strip_prefix("k8s-aws-v1.").unwrap()).unwrap();
    let url = String::from_utf8(url).unwrap();
    assert!(url.contains(from), "{from}");
    format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(url.replacen(from, to, 1)))
}

/// A token of rolecall's own whose JSON is changed.
fn own(from: &str, to: &str) -> String {
    let token = token(TokenFormat::Rolecall);
    let json = URL_SAFE_NO_PAD.decode(token.strip_prefix("rolecall-v1.").unwrap()).unwrap();
    let json = String::from_utf8(json).unwrap();
    assert!(json.contains(from), "{from}");
    format!("rolecall-v1.{}", URL_SAFE_NO_PAD.encode(json.replacen(from, to, 1)))
}

fn at(seconds: i64) -> std::time::SystemTime {
    let step = std::time::Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { support::now() - step } else { support::now() + step }
}

struct Table {
    row: u8,
    cases: Vec<Case>,
    bounds: Value,
}

impl Table {
    fn add(
        &mut self,
        name: &str,
        token: String,
        answer: Option<(u16, String)>,
        expected: &'static str,
    ) {
        let (row, bounds) = (self.row, self.bounds.clone());
        self.cases.push(Case { row, name: name.to_owned(), token, answer, bounds, expected });
    }

    fn refuse(&mut self, expected: &'static str, name: &str, token: String) {
        self.add(name, token, None, expected);
    }

    fn answered(&mut self, expected: &'static str, name: &str, body: &str) {
        self.add(name, token(TokenFormat::Akeyless), Some((200, body.to_owned())), expected);
    }

    fn row(&mut self, row: u8) {
        self.row = row;
        self.bounds = json!({"account_ids": [ACCOUNT]});
    }

    fn bound(&mut self, more: Value) {
        self.bounds = json!({"account_ids": [ACCOUNT]});
        for (key, value) in more.as_object().unwrap() {
            self.bounds[key] = value.clone();
        }
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    let mut table = Table { row: 0, cases: Vec::new(), bounds: Value::Null };
    let t = &mut table;
    t.row(0);
    for format in TokenFormat::ALL {
        t.add(format.name(), token(format), Some((200, role_session())), "accepted");
    }
    requests(t);
    headers(t);
    times(t);
    answers(t);
    names(t);
    table.cases
}

fn requests(t: &mut Table) {
    t.row(1);
    let action = "Action=GetSessionToken&Version=2011-06-15";
    t.refuse("body-not-exact", "another action", body(action));
    let other = eks("Action=GetCallerIdentity", "Action=GetSessionToken");
    t.refuse("action-not-exact", "another action in a query", other);
    let accept = akeyless().with("Accept", json!(["application/json"]));
    let other = Parts { body: action.to_owned(), ..accept }.akeyless();
    t.refuse("body-not-exact", "another action, and JSON is asked for", other);

    t.row(2);
    let credential = "X-Amz-Credential=";
    t.refuse(
        "parameter-duplicate",
        "credentials twice, in another case",
        eks(credential, "x-amz-credential=AKIAEVIL%2F20260101&X-Amz-Credential="),
    );
    t.refuse(
        "parameter-duplicate",
        "action twice",
        eks("Action=", "action=GetCallerIdentity&Action="),
    );
    t.refuse("parameter-case", "one in another case", eks(credential, "x-amz-credential="));
    t.refuse("parameter-unknown", "one too many", eks("&X-Amz-Date", "&Foo=bar&X-Amz-Date"));
    t.refuse("parameter-encoding", "%41ction", eks("GetCallerIdentity", "%47etCallerIdentity"));
    t.refuse("parameter-unknown", "an encoded name", eks("Action=", "%41ction="));

    t.row(3);
    for (code, host) in [
        ("host-unknown", "sts.s3.amazonaws.com"),
        ("host-unknown", "sts.amazonaws.com.evil.tld"),
        ("url-user", "sts.amazonaws.com@evil.tld"),
        ("host-unknown", "sts.amazonaws.com:444"),
        ("host-unknown", "sts.amazonaws.com:443"),
        ("host-dot", "sts.amazonaws.com."),
        ("host-characters", "STS.amazonaws.com"),
        ("host-unknown", "xn--sts-9na.amazonaws.com"),
        ("host-characters", "sts%2eamazonaws.com"),
        ("url-backslash", "sts.amazonaws.com\\@evil.tld"),
        ("host-unknown", "127.0.0.1"),
        ("host-characters", "[::1]"),
        ("host-unknown", "169.254.169.254"),
        ("host-length", ""),
        ("url-characters", "sts.amazonaws.com\r\nHost: evil.tld"),
        ("url-characters", "sts.àmazonaws.com"),
        ("url-path", "sts.amazonaws.com/evil"),
        ("url-fragment", "sts.amazonaws.com#"),
        ("host-unknown", "sts.evil-region-1.amazonaws.com"),
    ] {
        t.refuse(code, &format!("host {host}"), url(&format!("https://{host}/")));
    }
    t.refuse("endpoint-http", "http", url("http://sts.amazonaws.com/"));
    t.refuse("url-scheme", "file", url("file://sts.amazonaws.com/"));
    t.refuse("url-path", "no path", url("https://sts.amazonaws.com"));
    let evil = akeyless().authorization("/us-east-1/", "/evil.tld?/").akeyless();
    t.refuse("scope-region", "region evil.tld?", evil);
    t.refuse("host-unknown", "own dialect", own("sts.amazonaws.com", "sts.amazonaws.com.evil.tld"));
    t.refuse("host-unknown", "EKS", eks("sts.amazonaws.com/", "sts.evil.tld/"));

    t.row(5);
    t.refuse("region-mismatch", "region", url("https://sts.eu-west-1.amazonaws.com/"));
    let china = "https://sts.cn-north-1.amazonaws.com.cn/";
    let token = Parts { url: china.to_owned(), ..akeyless() };
    let token = token.authorization("/us-east-1/", "/cn-north-1/").akeyless();
    t.refuse("partition-not-bound", "partition", token.clone());
    t.bound(json!({"sts_url": "https://sts.eu-west-1.amazonaws.com"}));
    t.refuse("endpoint-mismatch", "the configured STS wins", url(GLOBAL));
    t.bound(json!({"sts_url": "http://127.0.0.1:4566"}));
    t.refuse("endpoint-mismatch", "the configured scheme wins", url("https://127.0.0.1:4566/"));

    t.row(6);
    t.refuse("url-query", "a query", url("https://sts.amazonaws.com/?Action=GetCallerIdentity"));
    t.refuse("url-query", "an empty query", url("https://sts.amazonaws.com/?"));

    t.row(8);
    for (name, text) in [
        ("empty", ""),
        ("no action", "Version=2011-06-15"),
        ("action twice", "Action=GetCallerIdentity&Version=2011-06-15&Action=GetSessionToken"),
        ("%41ction", "%41ction=GetCallerIdentity&Version=2011-06-15"),
        ("semicolon", "Action=GetCallerIdentity;Version=2011-06-15"),
        ("version twice", "Action=GetCallerIdentity&Version=2011-06-15&Version=2011-06-15"),
        ("line end", "Action=GetCallerIdentity&Version=2011-06-15\n"),
        ("NUL", "Action=GetCallerIdentity&Version=2011-06-15\0"),
        ("another order", "Version=2011-06-15&Action=GetCallerIdentity"),
    ] {
        t.refuse("body-not-exact", name, body(text));
    }
    let get = Parts { method: "GET".to_owned(), ..akeyless() };
    t.refuse("method-not-post", "GET", get.akeyless());
}

fn headers(t: &mut Table) {
    t.row(9);
    let with = |name: &str, value: Value| akeyless().with(name, value).akeyless();
    t.refuse("header-duplicate", "another case", with("x-amz-date", json!(["20260101T000000Z"])));
    let twice = json!(["20260101T000000Z", "20260101T000001Z"]);
    t.refuse("header-values", "two values", with("X-Amz-Date", twice));
    t.refuse("header-values", "no value", with("X-Amz-Date", json!([])));
    t.refuse("header-values", "[null]", with("X-Amz-Security-Token", json!([null])));
    t.refuse("header-values", "null", with("X-Amz-Security-Token", json!(null)));
    t.refuse("json-type", "number", with("Content-Length", json!([43])));
    let broken = with("X-Amz-Security-Token", json!(["a\r\nHost: evil.tld"]));
    t.refuse("header-characters", "CR LF", broken);
    t.refuse("header-characters", "NUL", with("User-Agent", json!(["a\u{0}b"])));
    t.refuse("header-unknown", "transfer", with("Transfer-Encoding", json!(["chunked"])));
    t.refuse("header-unknown", "connection", with("Connection", json!(["X-Amz-Date"])));
    t.refuse("header-unknown", "x-amz-*", with("X-Amz-Target", json!(["x"])));
    t.refuse("header-unknown", "a name with a line end", with("X\r\nHost", json!(["x"])));
    t.refuse("host-differs", "second host", with("Host", json!(["evil.tld"])));
    t.refuse("content-length", "length", with("Content-Length", json!(["44"])));
    t.refuse("content-type", "type", with("Content-Type", json!(["application/json"])));
    let mut doubled = akeyless();
    doubled.headers.push(("Host".to_owned(), json!(["sts.amazonaws.com"])));
    doubled.headers.push(("Host".to_owned(), json!(["sts.amazonaws.com"])));
    t.refuse("header-duplicate", "a JSON key twice", doubled.akeyless());
    let inner = akeyless().inner(&akeyless().header_json());
    let twice = inner.replacen('{', "{\"sts_request_method\":\"GET\",", 1);
    t.refuse("json-duplicate-key", "an outer JSON key twice", STANDARD.encode(twice));
    let extra = inner.replacen('{', "{\"more\":1,", 1);
    t.refuse("json-unknown-key", "an outer JSON key too many", STANDARD.encode(extra));
    t.refuse("json-trailing", "something behind", STANDARD.encode(format!("{inner}x")));

    t.row(10);
    let auth = |from: &str, to: &str| akeyless().authorization(from, to).akeyless();
    let two = "Credential=AKIAEVIL/20260101/us-east-1/sts/aws4_request, Credential=";
    t.refuse("authorization-duplicate", "two credentials", auth("Credential=", two));
    t.refuse("scope-service", "another service", auth("/sts/", "/iam/"));
    t.refuse("scope-date", "another day", auth("/20260101/", "/20251231/"));
    t.refuse("scope-malformed", "no terminator", auth("/aws4_request", "/aws4_requests"));
    t.refuse("host-unsigned", "host", auth("content-type;host;", "content-type;"));
    t.refuse("date-unsigned", "date", auth("x-amz-date;", ""));
    t.refuse("token-unsigned", "session token", auth(";x-amz-security-token", ""));
    t.refuse("content-type-unsigned", "content type", auth("content-type;", ""));
    t.refuse("signed-headers-unsorted", "unsorted", auth("content-type;host", "host;content-type"));
    t.refuse("signed-headers-unsorted", "twice", auth("host;", "host;host;"));
    t.refuse("signed-header-unknown", "another header", auth("host;", "host;x-amz-acl;"));
    let missing = akeyless().without("X-Amz-Security-Token").akeyless();
    t.refuse("signed-header-missing", "a signed header is missing", missing);
    t.refuse("date-missing", "no date", akeyless().without("X-Amz-Date").akeyless());
    t.refuse("authorization-missing", "none", akeyless().without("Authorization").akeyless());
    t.refuse("authorization-algorithm", "algorithm", auth("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"));
    t.refuse("authorization-malformed", "three spaces", auth(",  Signed", ",   Signed"));
    t.refuse("signature-malformed", "upper case", auth("Signature=", "Signature=A"));
    t.refuse("authorization-malformed", "a fourth part", auth(", Signature", ", X=y, Signature"));
    let one = auth(",  Signed", ", Signed");
    t.add("one space is fine", one, Some((200, role_session())), "accepted");
    let unsigned = vault().authorization(";x-vault-aws-iam-server-id", "").vault();
    t.refuse("binding-unsigned", "Vault's server id", unsigned);
    t.refuse("binding-unsigned", "EKS's cluster", eks("host%3Bx-k8s-aws-id", "host"));

    t.row(11);
    let name = "X-Vault-Aws-Iam-Server-Id";
    let missing = vault().without(name).authorization(";x-vault-aws-iam-server-id", "");
    t.refuse("binding-missing", "missing", missing.vault());
    let named = |value: &str| vault().with(name, json!([value])).vault();
    t.refuse("binding-wrong", "another server's", named("other.test"));
    t.refuse("binding-partial", "a part", named("vault.example"));
    t.refuse("binding-partial", "more", named("vault.example.com.evil.tld"));
    t.refuse("binding-list", "a list", named(&format!("evil.tld,{SERVER}")));
    t.refuse(
        "header-unknown",
        "in a dialect without",
        akeyless().with(name, json!([SERVER])).akeyless(),
    );
    let audience = own("https://login.example.com", "https://other.example.com");
    t.refuse("binding-wrong", "another audience", audience);
}

fn times(t: &mut Table) {
    t.row(12);
    let made = |format, seconds| support::made(dialect(format), at(seconds));
    t.refuse("future", "61 s ahead", made(TokenFormat::Akeyless, 61));
    let ahead = made(TokenFormat::Akeyless, 60);
    t.add("60 s ahead", ahead, Some((200, role_session())), "accepted");
    t.refuse("too-old", "301 s old", made(TokenFormat::Akeyless, -301));
    let old = made(TokenFormat::Akeyless, -300);
    t.add("300 s old", old, Some((200, role_session())), "accepted");
    t.refuse("lifetime-over", "own dialect, 61 s old", made(TokenFormat::Rolecall, -61));
    for (code, text) in [
        ("expires-range", "604800"),
        ("expires-range", "901"),
        ("expires-range", "0"),
        ("expires-malformed", "-1"),
        ("expires-malformed", ""),
        ("expires-malformed", "99999999999"),
    ] {
        let token = eks("X-Amz-Expires=60", &format!("X-Amz-Expires={text}"));
        t.refuse(code, &format!("X-Amz-Expires={text}"), token);
    }
    t.refuse("expires-missing", "no X-Amz-Expires", eks("&X-Amz-Expires=60", ""));
    t.refuse(
        "expires-range",
        "own dialect, a long life",
        own("\"lifetime\":60", "\"lifetime\":301"),
    );
    for text in ["20260230T000000Z", "2026-01-01T00:00:00Z", "20260101T000000+0100", ""] {
        let token = eks(
            "X-Amz-Date=20260101T000000Z",
            &format!("X-Amz-Date={}", text.replace(':', "%3A").replace('+', "%2B")),
        );
        t.refuse("date-malformed", &format!("date {text}"), token);
    }

    t.row(23);
    t.refuse("too-long", "5 MB", "e".repeat(5_000_000));
    let deep = STANDARD.encode(format!("{}{}", "[".repeat(5000), "]".repeat(5000)));
    t.refuse("json-type", "deep nesting", deep);
    let many = (0..40).fold(akeyless(), |parts, n| parts.with(&format!("X-{n}"), json!(["x"])));
    t.refuse("headers-many", "many headers", many.akeyless());
    let long = support::credentials().with_session_token(Some("s".repeat(3072).into()));
    let made = rolecall_sts::identity::Token::create(
        Dialect::Akeyless,
        &long,
        &support::global(),
        support::now(),
    );
    let long = made.unwrap().text.expose().to_owned();
    t.add("a session token of 3 KB", long, Some((200, role_session())), "accepted");
}

fn answers(t: &mut Table) {
    let good = role_session();
    let arn = "arn:aws:sts::123456789012:assumed-role/Deploy/ci-1";
    t.row(14);
    t.answered("answer-not-xml", "HTML", "<html><body>ok</body></html>");
    t.answered("answer-not-xml", "JSON", "{\"GetCallerIdentityResponse\":{}}");
    t.answered("answer-not-xml", "nothing", "");
    t.answered("answer-not-xml", "leading junk", &format!("junk{good}"));
    t.answered("answer-not-xml", "leading white space", &format!("\n{good}"));
    t.answered("answer-malformed", "trailing junk", &format!("{good}junk"));
    t.answered("answer-malformed", "two documents", &format!("{good}{good}"));
    let twice = good.replace("<UserId>", "<Arn>arn:aws:iam::123456789012:root</Arn><UserId>");
    t.answered("answer-duplicate", "Arn twice", &twice);
    let result = &good
        [good.find("<GetCallerIdentityResult>").unwrap()..good.find("<ResponseMetadata>").unwrap()];
    let twice = good.replace(result, &format!("{result}{result}"));
    t.answered("answer-duplicate", "two results", &twice);
    t.answered("answer-not-xml", "DTD first", &format!("<!DOCTYPE a>{good}"));
    let declared = format!("<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY x \"y\">]>{good}");
    t.answered("answer-dtd", "DTD", &declared);
    t.answered("answer-entity", "entity", &good.replace(arn, "arn&#58;aws"));
    t.answered("answer-comment", "comment inside Arn", &good.replace("Deploy", "De<!-- -->ploy"));
    t.answered("answer-cdata", "CDATA", &good.replace(arn, &format!("<![CDATA[{arn}]]>")));
    t.answered(
        "answer-unknown",
        "unknown element",
        &good.replace("<UserId>", "<X/><X></X><UserId>"),
    );
    t.answered("answer-namespace", "namespace", &good.replace("sts.amazonaws", "evil.amazonaws"));
    t.answered("answer-incomplete", "no Arn", &good.replace(&format!("<Arn>{arn}</Arn>"), ""));
    t.answered("answer-malformed", "cut short", &good[..good.len() - 20]);
    let long = good.replace("<UserId>", &format!("{}<UserId>", " ".repeat(64 * 1024)));
    t.answered("answer-too-long", "64 KiB", &long);
    t.answered(
        "accepted",
        "with a declaration",
        &format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{good}"),
    );

    t.row(15);
    for (code, name, arn, id, account) in [
        ("account-differs", "account", arn, "AROAX:ci-1", "999999999999"),
        ("user-id-differs", "a user's id for a role", arn, "AIDAX", ACCOUNT),
        ("user-id-differs", "a user's id with a session", arn, "AIDAX:ci-1", ACCOUNT),
        ("session-differs", "session", arn, "AROAX:other", ACCOUNT),
        (
            "user-id-differs",
            "a role's id for a user",
            "arn:aws:iam::123456789012:user/a",
            "AROAX:a",
            ACCOUNT,
        ),
        ("user-id-differs", "root with an id", "arn:aws:iam::123456789012:root", "AIDAX", ACCOUNT),
        (
            "user-id-differs",
            "federated user of another account",
            "arn:aws:sts::123456789012:federated-user/a",
            "999999999999:a",
            ACCOUNT,
        ),
        ("partition-differs", "partition", "arn:aws-cn:iam::123456789012:user/a", "AIDAX", ACCOUNT),
    ] {
        t.answered(code, name, &success(arn, id, account));
    }

    t.row(16);
    for (code, arn, id, account) in [
        ("arn-name", "arn:aws:sts::123456789012:assumed-role/R/s/x", "AROAX:s/x", ACCOUNT),
        (
            "arn-malformed",
            "arn:aws:sts::123456789012:assumed-role/R/x:role/Admin",
            "AROAX:x",
            ACCOUNT,
        ),
        ("arn-malformed", "arn:aws:sts::123456789012", "AROAX:x", ACCOUNT),
        ("arn-malformed", "arn:aws:sts::123456789012:assumed-role/R/s:", "AROAX:s", ACCOUNT),
        (
            "arn-malformed",
            "arn:aws:sts:us-east-1:123456789012:assumed-role/R/s",
            "AROAX:s",
            ACCOUNT,
        ),
        ("account-malformed", "arn:aws:iam::12345678901:root", "12345678901", "12345678901"),
        ("account-malformed", "arn:aws:iam::١٢٣٤٥٦٧٨٩٠١٢:root", "١٢٣٤٥٦٧٨٩٠١٢", "١٢٣٤٥٦٧٨٩٠١٢"),
        ("arn-kind", "arn:aws:iam::123456789012:role/R", "AROAX", ACCOUNT),
        ("arn-kind", "arn:aws:iam::123456789012:assumed-role/R/s", "AROAX:s", ACCOUNT),
        ("arn-name", "arn:aws:sts::123456789012:assumed-role//s", "AROAX:s", ACCOUNT),
        ("arn-name", "arn:aws:sts::123456789012:assumed-role/R/é", "AROAX:é", ACCOUNT),
        ("arn-name", "arn:aws:iam::123456789012:user/a\u{200b}b", "AIDAX", ACCOUNT),
        ("arn-partition", "arn:aws-moon:iam::123456789012:user/a", "AIDAX", ACCOUNT),
        ("arn-malformed", " arn:aws:iam::123456789012:root", ACCOUNT, ACCOUNT),
    ] {
        t.answered(code, arn, &success(arn, id, account));
    }
}

fn names(t: &mut Table) {
    let good = role_session();
    t.row(4);
    t.bound(json!({"role_names": ["Deploy"]}));
    let elsewhere = good.replace(ACCOUNT, "999999999999");
    t.answered("account-not-bound", "the same role in another account", &elsewhere);
    t.bound(json!({"arns": ["arn:aws:iam::123456789012:role/Deploy"]}));
    t.answered("account-not-bound", "the same ARN in another account", &elsewhere);

    t.row(17);
    let looks = user("/Admin/", "bob");
    for bounds in [json!({"role_names": ["Admin"]}), json!({"role_names": ["bob"]})] {
        t.bound(bounds);
        t.answered("role-name-not-bound", "a user's path that looks like a role", &looks);
    }
    t.bound(json!({"arns": ["arn:aws:sts::123456789012:assumed-role/Admin/*"]}));
    t.answered("arn-not-bound", "the same by ARN", &looks);
    t.bound(json!({"arns": ["arn:aws:iam::123456789012:role/*"]}));
    t.answered("arn-not-bound", "any role", &looks);

    t.row(18);
    for (expected, pattern) in [
        ("accepted", "arn:aws:iam::123456789012:role/Deploy"),
        ("accepted", "arn:aws:iam::123456789012:role/D*"),
        ("accepted", "arn:aws:sts::123456789012:assumed-role/Deploy/*"),
        ("accepted", "arn:aws:sts::123456789012:assumed-role/Deploy"),
        ("accepted", "arn:aws:sts::123456789012:assumed-role/D?pl?y/ci-?"),
        ("arn-not-bound", "arn:aws:sts::123456789012:assumed-role/Deploy?/*"),
        ("arn-not-bound", "arn:aws:sts::123456789012:assumed-role/Deploy/ci-1?"),
        // A star that reached across / would let the caller choose what fits.
        ("arn-not-bound", "arn:aws:sts::123456789012:assumed-role/*1"),
        ("arn-not-bound", "arn:aws:sts::123456789012:assumed-role/De.loy/*"),
        ("arn-not-bound", "arn:aws:sts::123456789012:assumed-role/[A-Z]*/*"),
        ("arn-not-bound", "arn:aws:sts::123456789012:assumed-role/Deploy|x/*"),
        ("arn-not-bound", "arn:aws:iam::123456789012:user/*"),
        ("arn-not-bound", "arn:aws:iam::123456789012:role/team/Deploy"),
    ] {
        t.bound(json!({"arns": [pattern]}));
        t.answered(expected, pattern, &good);
    }

    t.row(19);
    t.bound(json!({"session_names": ["ci-*"]}));
    t.answered("accepted", "a session that fits", &good);
    t.bound(json!({"session_names": ["cd-*"]}));
    t.answered("session-name-not-bound", "a session that does not", &good);
    t.bound(json!({"session_names": ["*"]}));
    t.answered("session-name-not-bound", "no session", &user("/", "bob"));

    t.row(20);
    t.bound(json!({"role_ids": ["AROAEXAMPLEROLEID0001"]}));
    t.answered("accepted", "the role", &good);
    let again = good.replace("AROAEXAMPLEROLEID0001", "AROAEXAMPLEROLEID0002");
    t.answered("role-id-not-bound", "deleted and made again", &again);
    t.bound(json!({"user_ids": ["AIDAEXAMPLEUSERID0002"]}));
    t.answered("user-id-not-bound", "a user made again", &user("/", "bob"));
}
