//! The SigV4 suite that the AWS SDKs share, one test for each case and form.

#![expect(clippy::unwrap_used, reason = "a test without a harness")]

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use libtest_mimic::{Arguments, Failed, Trial};
use rolecall_core::http::Request;
use rolecall_core::{Credentials, timestamp};
use rolecall_sts::{SigningRules, SigningScope, presign_with, sign_with};
use serde_json::Value;
use zeroize::Zeroizing;

/// As many as there are; a case that vanishes must not pass unseen.
const CASES: usize = 20;

fn main() {
    let folder = rolecall_kit::conformance("sigv4");
    let mut cases: Vec<PathBuf> = folders(&folder);
    cases.sort();
    assert_eq!(cases.len(), CASES, "cases in {}", folder.display());
    let mut trials = Vec::new();
    for folder in cases {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let case = Case::read(&folder);
        let other = case.clone();
        trials.push(Trial::test(format!("{name}::header"), move || case.header()));
        // One case has nothing to compare its query form with.
        if folder.join("query-signed-request.txt").exists() {
            trials.push(Trial::test(format!("{name}::query"), move || other.query()));
        } else {
            assert_eq!(name, "double-encode-path", "a case lost its query form");
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

#[expect(clippy::disallowed_methods, reason = "the suite is read in place")]
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

#[expect(clippy::disallowed_methods, reason = "the suite is read in place")]
fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[derive(Clone)]
struct Case {
    folder: PathBuf,
    credentials: Credentials,
    region: String,
    service: String,
    time: SystemTime,
    expires_in: Duration,
    rules: SigningRules,
}

impl Case {
    fn read(folder: &Path) -> Self {
        let canonical = read(&folder.join("header-canonical-request.txt")).unwrap();
        let path = canonical.lines().nth(1).unwrap();
        // The contexts do not say how the path is encoded: the canonical requests do.
        let double_encode_path = !path.contains('%') || path.contains("%25");
        let Some(context) = read(&folder.join("context.json")) else {
            return Self::without_context(folder);
        };
        let context: Value = serde_json::from_str(&context).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let keys = &context["credentials"];
        let token = keys["token"].as_str().map(Into::into);
        Self {
            folder: folder.to_owned(),
            credentials: Credentials::new(
                text(&keys["access_key_id"]),
                text(&keys["secret_access_key"]),
                "test",
            )
            .with_session_token(token),
            region: text(&context["region"]),
            service: text(&context["service"]),
            time: timestamp::parse(&text(&context["timestamp"])).unwrap(),
            expires_in: Duration::from_secs(context["expiration_in_seconds"].as_u64().unwrap()),
            rules: SigningRules {
                normalize_path: context["normalize"].as_bool().unwrap(),
                double_encode_path,
                content_hash_header: context["sign_body"].as_bool().unwrap(),
                sign_session_token: context["omit_session_token"].as_bool() != Some(true),
            },
        }
    }

    /// `double-encode-path` has no context; these are the values that aws-sdk-rust tests it with.
    fn without_context(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            credentials: Credentials::new("ANOTREAL", "notrealrnrELgWzOk3IfjzDKtFBhDby", "test"),
            region: "us-east-1".to_owned(),
            service: "service".to_owned(),
            time: timestamp::parse("2015-08-30T12:36:00Z").unwrap(),
            expires_in: Duration::from_secs(3600),
            rules: SigningRules::default(),
        }
    }

    fn scope(&self) -> SigningScope<'_> {
        SigningScope { region: &self.region, service: &self.service, time: self.time }
    }

    fn file(&self, name: &str) -> Message {
        Message::parse(&read(&self.folder.join(name)).unwrap())
    }

    fn header(&self) -> Result<(), Failed> {
        let expected = self.file("header-signed-request.txt");
        let request = self.file("request.txt").request();
        let signed = sign_with(request, &self.credentials, &self.scope(), self.rules)?;
        if let Some(signature) = read(&self.folder.join("header-signature.txt")) {
            let authorization = signed.headers()["authorization"].to_str()?;
            assert!(authorization.ends_with(&format!("Signature={}", signature.trim())));
        }
        let mut found: Vec<(String, String)> = signed
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let mut expected_headers = expected.headers;
        // The host is in the URI of ours.
        expected_headers.retain(|(name, _)| name != "host");
        found.sort();
        expected_headers.sort();
        assert_eq!(found, expected_headers);
        Ok(())
    }

    fn query(&self) -> Result<(), Failed> {
        let expected = self.file("query-signed-request.txt");
        let request = self.file("request.txt").request();
        let url =
            presign_with(&request, &self.credentials, &self.scope(), self.expires_in, self.rules)?;
        let parameters = |target: &str| {
            let (_, query) = target.split_once('?').expect("a signed URL has a query");
            let mut pairs: Vec<(String, String)> =
                url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            pairs.sort();
            pairs
        };
        assert_eq!(parameters(url.expose()), parameters(&expected.target));
        let signature = read(&self.folder.join("query-signature.txt")).unwrap();
        let expected = ("X-Amz-Signature".to_owned(), signature.trim().to_owned());
        assert!(parameters(url.expose()).contains(&expected));
        let base = request.uri().to_string();
        assert!(url.expose().starts_with(&base), "the URL itself must stay as it is");
        Ok(())
    }
}

/// A request as the suite writes it.
struct Message {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Message {
    fn parse(text: &str) -> Self {
        let text = text.replace("\r\n", "\n");
        let (head, body) = text.split_once("\n\n").unwrap_or((text.as_str(), ""));
        let mut lines = head.lines();
        let (method, rest) = lines.next().unwrap().split_once(' ').unwrap();
        let target = rest.strip_suffix(" HTTP/1.1").unwrap();
        let headers = lines.filter(|line| !line.is_empty()).map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_lowercase(), value.to_owned())
        });
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: headers.collect(),
            body: body.trim_end_matches('\n').to_owned(),
        }
    }

    fn request(self) -> Request {
        let host = &self.headers.iter().find(|(name, _)| name == "host").unwrap().1;
        let mut request = http::Request::builder()
            .method(self.method.as_str())
            .uri(format!("https://{host}{}", self.target));
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "host") {
            request = request.header(name, value);
        }
        request.body(Zeroizing::new(self.body.into_bytes())).unwrap()
    }
}
