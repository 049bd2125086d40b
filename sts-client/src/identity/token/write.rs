//! The dialects, to the byte. Buffers are large enough from the start, as what grows leaves copies
//! of the session token behind.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rolecall_core::Secret;
use zeroize::Zeroizing;

use super::super::amz_date::AmzDate;
use super::super::{BODY, BODY_BASE64, EKS_PREFIX, FORM, ROLECALL_PREFIX};
use super::{Dialect, TokenSigner};

const _: () = assert!(BODY.len() == 43);

/// Separators of Python's `json.dumps`, or none at all as Go's.
#[derive(Clone, Copy)]
struct Style {
    comma: &'static str,
    colon: &'static str,
}

const PYTHON: Style = Style { comma: ", ", colon: ": " };
const GO: Style = Style { comma: ",", colon: ":" };

/// Akeyless, Vault and Infisical: the parts of a request, in base64, in JSON.
pub(super) fn of_headers(signer: &TokenSigner, date: &AmzDate) -> Secret {
    let headers = headers(signer, date);
    let mut url = String::with_capacity(signer.host.len() + 9);
    url.extend([signer.scheme, "://", &signer.host, "/"]);
    let mut json = Json::new(GO, headers.len() * 4 / 3 + url.len() * 2 + 1024);
    match &signer.dialect {
        Dialect::Vault { role, .. } => {
            if let Some(role) = role {
                json.field("role", role);
            }
            json.field("iam_http_request_method", "POST");
            json.base64("iam_request_url", url.as_bytes());
            json.field("iam_request_body", BODY_BASE64);
            json.base64("iam_request_headers", headers.as_bytes());
            Secret::from(json.done().as_str())
        }
        Dialect::Infisical { identity_id } => {
            json.style = PYTHON;
            json.field("identityId", identity_id);
            json.field("iamRequestBody", BODY_BASE64);
            json.base64("iamRequestHeaders", headers.as_bytes());
            json.field("iamHttpRequestMethod", "POST");
            Secret::from(json.done().as_str())
        }
        _ => {
            json.style = PYTHON;
            json.field("sts_request_method", "POST");
            json.base64("sts_request_url", url.as_bytes());
            json.field("sts_request_body", BODY_BASE64);
            json.base64("sts_request_headers", headers.as_bytes());
            encoded("", &STANDARD, json.done().as_bytes())
        }
    }
}

/// The headers as JSON, in the order and style of each client.
fn headers(signer: &TokenSigner, date: &AmzDate) -> Zeroizing<String> {
    let signed = signer.signed_headers(date);
    let token = signer.session_token.as_ref().map(Secret::expose);
    let room = 1024 + token.map_or(0, str::len);
    match &signer.dialect {
        // infisicalsdk (Python): botocore puts the date, the token and the signature last, and the
        // SDK takes the length out again.
        Dialect::Infisical { .. } => {
            let mut json = Json::new(PYTHON, room);
            json.field("Host", &signer.host);
            json.field("Content-Type", FORM);
            json.field("X-Amz-Date", date.text());
            if let Some(token) = token {
                json.field("X-Amz-Security-Token", token);
            }
            json.field("Authorization", &signer.authorization(date, &signed, " "));
            json.done()
        }
        dialect => {
            let akeyless = matches!(dialect, Dialect::Akeyless);
            let (style, gap) = if akeyless { (PYTHON, "  ") } else { (GO, " ") };
            let mut json = Json::new(style, room);
            json.list("Authorization", &signer.authorization(date, &signed, gap));
            json.list("Content-Length", "43");
            json.list("Content-Type", FORM);
            json.list("User-Agent", if akeyless { "aws-sdk-python" } else { "rolecall" });
            json.list("X-Amz-Date", date.text());
            if let Some(token) = token {
                json.list("X-Amz-Security-Token", token);
            }
            if let Dialect::Vault { server_id: Some(server), .. } = dialect {
                json.list("X-Vault-Aws-Iam-Server-Id", server);
            }
            json.done()
        }
    }
}

/// A presigned URL, as botocore writes it.
pub(super) fn eks(signer: &TokenSigner, date: &AmzDate) -> Secret {
    let Dialect::Eks { cluster } = &signer.dialect else { return Secret::from("") };
    let token = signer.encoded_token.as_ref().map(Secret::expose);
    let start = [
        "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=",
        &signer.access_key_id,
        "%2F",
        date.day(),
        "%2F",
        &signer.region,
        "%2Fsts%2Faws4_request&X-Amz-Date=",
        date.text(),
        "&X-Amz-Expires=60",
    ];
    let names = "&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id";
    let with_token = token.map(|token| ["&X-Amz-Security-Token=", token]);
    let with_token = with_token.as_ref().map_or(&[][..], |parts| &parts[..]);

    // What is signed is sorted, and what is sent is not.
    let query = [&start[..], with_token, &[names]].concat();
    let signature = signer.sign_get(date, &query, cluster);
    let room = 512 + signer.host.len() + token.map_or(0, str::len);
    let mut url = Zeroizing::new(String::with_capacity(room));
    url.extend([signer.scheme, "://", &signer.host, "/?"]);
    start.iter().for_each(|part| url.push_str(part));
    url.push_str(names);
    with_token.iter().for_each(|part| url.push_str(part));
    url.push_str("&X-Amz-Signature=");
    url.push_str(std::str::from_utf8(&signature).unwrap_or_default());
    encoded(EKS_PREFIX, &URL_SAFE_NO_PAD, url.as_bytes())
}

/// What cannot be known goes in, and nothing else.
pub(super) fn rolecall(signer: &TokenSigner, date: &AmzDate) -> Secret {
    let Dialect::Rolecall { audience, challenge, .. } = &signer.dialect else {
        return Secret::from("");
    };
    let signature = signer.sign_post(date, &signer.signed_headers(date));
    let token = signer.session_token.as_ref().map(Secret::expose);
    let mut json = Json::new(GO, 1024 + token.map_or(0, str::len) + audience.len());
    json.field("host", &signer.host);
    let mut credential = String::with_capacity(160);
    signer.push_credential(&mut credential, date);
    json.field("credential", &credential);
    json.field("date", date.text());
    if let Some(token) = token {
        json.field("session_token", token);
    }
    json.field("audience", audience);
    if let Some(challenge) = challenge {
        json.field("challenge", challenge);
    }
    json.raw("lifetime", &signer.lifetime);
    json.field("signature", std::str::from_utf8(&signature).unwrap_or_default());
    encoded(ROLECALL_PREFIX, &URL_SAFE_NO_PAD, json.done().as_bytes())
}

fn encoded(prefix: &str, engine: &impl Engine, bytes: &[u8]) -> Secret {
    let mut text = vec![b'='; prefix.len() + bytes.len().div_ceil(3) * 4];
    text[..prefix.len()].copy_from_slice(prefix.as_bytes());
    let written = engine.encode_slice(bytes, &mut text[prefix.len()..]).unwrap_or_default();
    text.truncate(prefix.len() + written);
    Secret::from_utf8(text).unwrap_or_else(|| Secret::from(""))
}

/// A JSON object of texts that need no escaping.
struct Json {
    style: Style,
    text: Zeroizing<String>,
}

impl Json {
    fn new(style: Style, room: usize) -> Self {
        Self { style, text: Zeroizing::new(String::with_capacity(room)) }
    }

    fn key(&mut self, key: &str) {
        let before = if self.text.is_empty() { "{" } else { self.style.comma };
        self.text.push_str(before);
        self.text.push('"');
        self.text.push_str(key);
        self.text.push('"');
        self.text.push_str(self.style.colon);
    }

    fn raw(&mut self, key: &str, value: &str) {
        self.key(key);
        self.text.push_str(value);
    }

    fn field(&mut self, key: &str, value: &str) {
        self.key(key);
        self.text.push('"');
        self.text.push_str(value);
        self.text.push('"');
    }

    fn list(&mut self, key: &str, value: &str) {
        self.key(key);
        self.text.push_str("[\"");
        self.text.push_str(value);
        self.text.push_str("\"]");
    }

    fn base64(&mut self, key: &str, value: &[u8]) {
        self.key(key);
        self.text.push('"');
        STANDARD.encode_string(value, &mut self.text);
        self.text.push('"');
    }

    fn done(mut self) -> Zeroizing<String> {
        self.text.push('}');
        self.text
    }
}
