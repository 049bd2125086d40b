//! The SigV4 suite that the SDKs share, read in place: the kit must arrive at the same canonical
//! request, string to sign and signature, accept the signed request and refuse a changed one.

#![expect(clippy::disallowed_methods, reason = "tests read the suite from disk")]
#![expect(clippy::panic, reason = "a suite that cannot be read fails the run")]

use std::fs;
use std::path::{Path, PathBuf};

use http::{HeaderMap, HeaderName, HeaderValue};
use libtest_mimic::{Arguments, Failed, Trial};
use rolecall_kit::parse_basic_date;
use rolecall_kit::sigv4::{
    Expected, Key, PathEncoding, Presented, PresignedLife, Rules, SignedRequest, canonical_request,
    hex_sha256, signature, string_to_sign, verify,
};
use serde_json::Value;

/// The secret of the one case without a context, as aws-sigv4's own test of it has it.
const CONTEXTLESS_SECRET: &str = "notrealrnrELgWzOk3IfjzDKtFBhDby";
const NOW: &str = "20150830T123600Z";

fn main() {
    let suite = rolecall_kit::conformance("sigv4");
    let mut trials = Vec::new();
    let mut cases: Vec<PathBuf> = fs::read_dir(&suite)
        .unwrap_or_else(|error| panic!("{}: {error}", suite.display()))
        .map(|entry| entry.expect("the suite can be listed").path())
        .collect();
    cases.sort();
    for case in cases {
        let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let before = trials.len();
        for form in ["header", "query"] {
            if !case.join(format!("{form}-signed-request.txt")).exists() {
                continue;
            }
            let mut add = |kind: &str, run: fn(&Case) -> Result<(), Failed>| {
                let (case, form) = (case.clone(), form.to_owned());
                trials.push(Trial::test(format!("{name}::{form}::{kind}"), move || {
                    run(&Case::read(&case, &form)?)
                }));
            };
            add("canonical_request", Case::canonical_request);
            // The last cases give no further files; their signature is in the signed request.
            if case.join(format!("{form}-string-to-sign.txt")).exists() {
                add("string_to_sign", Case::string_to_sign);
            }
            add("signature", Case::signature);
            add("accepted", Case::accepted);
            add("refused_with_a_changed_signature", Case::refused);
            add("refused_with_another_secret", Case::refused_with_another_secret);
        }
        assert!(trials.len() > before, "{name} gave no test");
    }
    assert!(trials.len() > 200, "the suite is not all there");
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

struct Case {
    folder: PathBuf,
    form: String,
    signed: Parsed,
    rules: Rules,
    secret: String,
    token: Option<String>,
}

impl Case {
    fn read(folder: &Path, form: &str) -> Result<Case, Failed> {
        let context: Value = match fs::read_to_string(folder.join("context.json")) {
            Ok(text) => serde_json::from_str(&text)?,
            Err(_) => Value::Null,
        };
        let double = folder.ends_with("double-encode-path");
        let rules = Rules {
            // The suite was written for paths that are encoded once; one case says otherwise.
            path: if double { PathEncoding::Double } else { PathEncoding::Single },
            normalize_path: context["normalize"].as_bool().unwrap_or(true),
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Ok(Case {
            folder: folder.to_owned(),
            form: form.to_owned(),
            signed: Parsed::parse(&fs::read_to_string(
                folder.join(format!("{form}-signed-request.txt")),
            )?)?,
            rules,
            secret: text(&context["credentials"]["secret_access_key"])
                .unwrap_or_else(|| CONTEXTLESS_SECRET.into()),
            token: text(&context["credentials"]["token"]),
        })
    }

    fn expected(&self, part: &str) -> Result<String, Failed> {
        let path = self.folder.join(format!("{}-{part}.txt", self.form));
        Ok(fs::read_to_string(path)?.trim_end_matches('\n').to_owned())
    }

    fn derive(&self) -> Result<(Presented, String, String, String), Failed> {
        let request = self.signed.request();
        let presented = Presented::of(&request)?.ok_or("not signed")?;
        let canonical = canonical_request(
            &request,
            self.rules,
            &presented.signed_headers,
            &hex_sha256(request.body),
        );
        let to_sign = string_to_sign(&presented.amz_date, &presented.scope, &canonical);
        let signature = signature(&self.secret, &presented.scope, &to_sign);
        Ok((presented, canonical, to_sign, signature))
    }

    fn canonical_request(&self) -> Result<(), Failed> {
        let expected = self.expected("canonical-request")?;
        // In one case the two files were made on different days: the day is not what they test.
        let date = expected.lines().find_map(|line| line.strip_prefix("x-amz-date:"));
        let dated = self.signed.replaced(NOW, date.unwrap_or(NOW));
        let (request, hash) = (dated.request(), hex_sha256(&dated.body));
        let signed_headers = self.derive()?.0.signed_headers;
        same(&canonical_request(&request, self.rules, &signed_headers, &hash), &expected)
    }

    fn string_to_sign(&self) -> Result<(), Failed> {
        same(&self.derive()?.2, &self.expected("string-to-sign")?)
    }

    fn signature(&self) -> Result<(), Failed> {
        let (presented, _, _, signature) = self.derive()?;
        if let Ok(expected) = self.expected("signature") {
            same(&signature, &expected)?;
        }
        same(&signature, &presented.signature)
    }

    fn verify(&self, signed: &Parsed, secret: &str) -> Result<(), String> {
        let (presented, ..) = self.derive().map_err(|error| format!("{error:?}"))?;
        let expected = Expected {
            service: &presented.scope.service,
            region: Some("us-east-1"),
            rules: self.rules,
            presigned: PresignedLife::AsSigned,
        };
        let key = Key {
            secret: secret.into(),
            token: self.token.as_deref().map(Into::into),
            expires: None,
        };
        let now = parse_basic_date(NOW).ok_or("bad date")?;
        verify(&signed.request(), &expected, now, |id| {
            (id == presented.access_key_id).then_some(key)
        })
        .map(drop)
        .map_err(|error| error.code.into_owned())
    }

    fn accepted(&self) -> Result<(), Failed> {
        self.verify(&self.signed, &self.secret).map_err(Failed::from)
    }

    fn refused(&self) -> Result<(), Failed> {
        let right = self.derive()?.3;
        let last = if right.ends_with('0') { "1" } else { "0" };
        let wrong = format!("{}{last}", &right[..63]);
        let changed = self.signed.replaced(&right, &wrong);
        same(
            &self.verify(&changed, &self.secret).err().unwrap_or_default(),
            "SignatureDoesNotMatch",
        )
    }

    fn refused_with_another_secret(&self) -> Result<(), Failed> {
        let refusal = self.verify(&self.signed, "another").err().unwrap_or_default();
        same(&refusal, "SignatureDoesNotMatch")
    }
}

/// A request in the suite's form.
struct Parsed {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Parsed {
    fn parse(text: &str) -> Result<Parsed, Failed> {
        let (head, rest) = text.split_once("\n\n").unwrap_or((text.trim_end_matches('\n'), ""));
        let mut lines = head.lines();
        let line = lines.next().ok_or("empty request")?;
        let (method, rest_of_line) = line.split_once(' ').ok_or("no method")?;
        let target = rest_of_line.strip_suffix(" HTTP/1.1").ok_or("no version")?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':').ok_or("not a header")?;
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "bad header name")?;
            headers.append(name, HeaderValue::from_str(value).map_err(|_| "bad header value")?);
        }
        // Only Content-Length says whether what follows is a body or the file's last line.
        let length = headers.get("content-length").and_then(|value| value.to_str().ok());
        let length = length.map_or(Ok(0), str::parse::<usize>)?;
        Ok(Parsed {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: rest.as_bytes().get(..length).ok_or("body too short")?.to_vec(),
        })
    }

    fn request(&self) -> SignedRequest<'_> {
        SignedRequest {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        }
    }

    /// The same request with another signature.
    fn replaced(&self, from: &str, to: &str) -> Parsed {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let text = String::from_utf8_lossy(value.as_bytes()).replace(from, to);
            headers.append(name, HeaderValue::from_str(&text).expect("was a header value before"));
        }
        Parsed {
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.replace(from, to),
            headers,
            body: self.body.clone(),
        }
    }
}

fn same(found: &str, expected: &str) -> Result<(), Failed> {
    if found == expected {
        return Ok(());
    }
    Err(format!("found:\n{found}\nexpected:\n{expected}").into())
}
