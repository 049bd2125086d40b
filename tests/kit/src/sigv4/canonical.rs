//! The canonical request, the string to sign and the signature.

use http::HeaderMap;
use ring::{digest, hmac};

use super::presented::Scope;

/// A request as it came over the wire.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// Method, upper case.
    pub method: &'a str,
    /// Path exactly as sent, without the query.
    pub path: &'a str,
    /// Query exactly as sent, without the `?`; empty if none.
    pub query: &'a str,
    /// All headers. Names are lower case by type; repeated ones keep their order.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
}

/// How often the path is percent-encoded in the canonical request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathEncoding {
    /// Once: S3, which signs the path as sent.
    Single,
    /// Twice: every other service encodes the path that was sent once more.
    Double,
}

/// What differs between services when a request is made canonical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How the path is encoded.
    pub path: PathEncoding,
    /// Whether `.`, `..` and repeated slashes are taken out of the path (all but S3).
    pub normalize_path: bool,
}

impl Rules {
    /// What every service but S3 does.
    pub const STANDARD: Rules = Rules { path: PathEncoding::Double, normalize_path: true };
}

/// The canonical request over the named headers, which must be lower case.
///
/// `query_signature` says that the signature is in the query, where `X-Amz-Signature` itself is
/// left out.
pub fn canonical_request(
    request: &SignedRequest<'_>,
    rules: Rules,
    signed_headers: &[String],
    payload_hash: &str,
) -> String {
    let mut out = String::with_capacity(512 + request.query.len());
    out.push_str(request.method);
    out.push('\n');
    out.push_str(&canonical_path(request.path, rules));
    out.push('\n');
    out.push_str(&canonical_query(request.query));
    out.push('\n');
    for name in signed_headers {
        out.push_str(name);
        out.push(':');
        for (at, value) in request.headers.get_all(name.as_str()).iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            push_trimmed(&mut out, value.as_bytes());
        }
        out.push('\n');
    }
    out.push('\n');
    out.push_str(&signed_headers.join(";"));
    out.push('\n');
    out.push_str(payload_hash);
    out
}

fn canonical_path(path: &str, rules: Rules) -> String {
    let path = if path.is_empty() { "/" } else { path };
    let path = if rules.normalize_path { normalize(path) } else { path.to_owned() };
    match rules.path {
        PathEncoding::Double => encode_path(path.as_bytes()),
        PathEncoding::Single => encode_path(&percent_decode(path.as_bytes())),
    }
}

/// RFC 3986 section 6, plus one slash for many.
fn normalize(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let ends_open = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    let mut out = String::with_capacity(path.len() + 1);
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if out.is_empty() || ends_open {
        out.push('/');
    }
    out
}

fn encode_path(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for (at, segment) in path.split(|byte| *byte == b'/').enumerate() {
        if at > 0 {
            out.push('/');
        }
        uri_encode_into(&mut out, segment);
    }
    out
}

/// Sorted by encoded name, then by encoded value; `X-Amz-Signature` is never part of it.
pub(crate) fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| {
            (
                uri_encode(&percent_decode(name.as_bytes())),
                uri_encode(&percent_decode(value.as_bytes())),
            )
        })
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort_unstable();
    let mut out = String::with_capacity(query.len());
    for (name, value) in &pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
    out
}

/// White space trimmed at both ends, runs of spaces inside made one.
fn push_trimmed(out: &mut String, value: &[u8]) {
    let text = String::from_utf8_lossy(value);
    let mut after_space = false;
    for letter in text.trim_matches([' ', '\t']).chars() {
        let space = letter == ' ';
        if !(space && after_space) {
            out.push(letter);
        }
        after_space = space;
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters, in upper case.
pub fn uri_encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 16);
    uri_encode_into(&mut out, bytes);
    out
}

fn uri_encode_into(out: &mut String, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// Percent-decodes; a `%` that starts no escape stays as it is, and `+` stays `+`.
pub(super) fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let mut decoded = [0];
        match escape {
            Some(digits) if hex::decode_to_slice(digits, &mut decoded).is_ok() => {
                out.push(decoded[0]);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

/// SHA-256 in lower-case hex.
pub fn hex_sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// The string to sign for a canonical request.
pub fn string_to_sign(amz_date: &str, scope: &Scope, canonical_request: &str) -> String {
    let hash = hex_sha256(canonical_request.as_bytes());
    format!("AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{hash}")
}

/// The signature, in lower-case hex.
pub fn signature(secret: &str, scope: &Scope, string_to_sign: &str) -> String {
    let mut key = hmac_sha256(format!("AWS4{secret}").as_bytes(), scope.date.as_bytes());
    for part in [scope.region.as_str(), scope.service.as_str(), "aws4_request"] {
        key = hmac_sha256(key.as_ref(), part.as_bytes());
    }
    hex::encode(hmac_sha256(key.as_ref(), string_to_sign.as_bytes()))
}

fn hmac_sha256(key: &[u8], data: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_trimmed_and_inner_spaces_joined() {
        let mut out = String::new();
        push_trimmed(&mut out, b"  a   b  c\t ");
        assert_eq!(out, "a b c");
    }

    #[test]
    fn the_query_is_sorted_by_encoded_name_then_value() {
        assert_eq!(
            canonical_query("b=2&a=%7e&a=1&A=x&&X-Amz-Signature=no&flag&p=a+b"),
            "A=x&a=1&a=~&b=2&flag=&p=a%2Bb"
        );
    }

    #[test]
    fn paths_are_normalized_and_encoded_twice() {
        let path = |text| canonical_path(text, Rules::STANDARD);
        assert_eq!(path(""), "/");
        assert_eq!(path("/a/../.."), "/");
        assert_eq!(path("//a//b/./c"), "/a/b/c");
        assert_eq!(path("/a%20b/@"), "/a%2520b/%40");
        let once = Rules { path: PathEncoding::Single, normalize_path: false };
        assert_eq!(canonical_path("/a%20b//c", once), "/a%20b//c");
    }
}
