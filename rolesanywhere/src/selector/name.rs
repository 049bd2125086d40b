//! Distinguished names as people write them.

use x509_parser::asn1_rs::{Any, FromDer, Tag};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::certificate::ATTRIBUTES;

/// No name of an attribute type is longer.
const LONGEST_TYPE: usize = 80;

/// A distinguished name as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    text: String,
    /// Sorted: Go, and so AWS's helper, prints attributes in an order of its own, and joins those of
    /// one kind by `+`, whatever the certificate has.
    attributes: Vec<Attribute>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Attribute {
    /// The type as a dotted object identifier.
    oid: String,
    value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    /// With single spaces between words, and none around.
    Text(String),
    /// The content of what is no text.
    Der(Vec<u8>),
}

impl Name {
    /// Reads `CN=x, O=Acme` (RFC 4514, as Go and openssl print it) or `/O=Acme/CN=x`. A separator counts only where an attribute follows, so that
    /// `O=Acme, Inc.` needs no quotes. The error names the part that is no attribute.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (separators, mut rest): (&[char], _) = match text.strip_prefix('/') {
            Some(rest) => (&['/'], rest),
            None => (&[',', ';', '+'], text),
        };
        let mut attributes = Vec::new();
        loop {
            let Some((oid, after)) = attribute_type(rest) else {
                return Err(rest.chars().take(40).collect());
            };
            let (value, next) = split_value(after, separators);
            attributes.push(Attribute { oid, value: Value::parse(value) });
            let Some(next) = next else { break };
            rest = next;
        }
        attributes.sort();
        Ok(Self { text: text.to_owned(), attributes })
    }

    /// Whether it is `name`, which AWS's helper prints as `text`: with the same attributes, in any
    /// order.
    pub(super) fn is(&self, name: &X509Name<'_>, text: &str) -> bool {
        let mut attributes: Vec<_> = name.iter_attributes().map(Attribute::of).collect();
        attributes.sort();
        // The helper leaves out all but the last of several common names.
        self.attributes == attributes || self.text == text
    }
}

impl Attribute {
    fn of(attribute: &AttributeTypeAndValue<'_>) -> Self {
        let oid = attribute.attr_type().to_id_string();
        Self { oid, value: Value::of(attribute.attr_value()) }
    }
}

fn utf16(bytes: &[u8]) -> Option<String> {
    let (pairs, []) = bytes.as_chunks::<2>() else { return None };
    String::from_utf16(&pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect::<Vec<_>>()).ok()
}

impl Value {
    fn of(value: &Any<'_>) -> Self {
        let text = match value.tag() {
            Tag::BmpString => utf16(value.data),
            // By the letter T.61, in practice Latin-1.
            Tag::T61String => Some(value.data.iter().map(|&byte| char::from(byte)).collect()),
            Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
                std::str::from_utf8(value.data).ok().map(str::to_owned)
            }
            _ => None,
        };
        text.map_or_else(|| Self::Der(value.data.to_vec()), |text| Self::text(&text))
    }

    fn text(text: &str) -> Self {
        Self::Text(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn parse(text: &str) -> Self {
        let text = text.trim();
        if let Some(hex) = text.strip_prefix('#')
            && let Ok(der) = hex::decode(hex)
            && let Ok((_, value)) = Any::from_der(&der)
        {
            return Self::of(&value);
        }
        let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        Self::text(&unescape(quoted.unwrap_or(text)))
    }
}

/// Takes a type and `=` off the front of `text`.
fn attribute_type(text: &str) -> Option<(String, &str)> {
    let end = text.bytes().take(LONGEST_TYPE).position(|byte| byte == b'=')?;
    let name = text[..end].trim();
    let rest = &text[end + 1..];
    let dotted =
        name.get(..4).filter(|p| p.eq_ignore_ascii_case("OID.")).map_or(name, |_| &name[4..]);
    let is_dotted = dotted.contains('.')
        && dotted.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()));
    if is_dotted {
        return Some((dotted.to_owned(), rest));
    }
    let known = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    let (oid, _) = ATTRIBUTES.iter().find(|(_, names)| known(names))?;
    Some(((*oid).to_owned(), rest))
}

/// Splits a value from the attributes that follow.
fn split_value<'a>(text: &'a str, separators: &[char]) -> (&'a str, Option<&'a str>) {
    let mut is_quoted = text.trim_start().starts_with('"');
    let start = if is_quoted { text.find('"').map_or(0, |at| at + 1) } else { 0 };
    let mut escaped = false;
    for (at, c) in text[start..].char_indices() {
        let at = start + at;
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if is_quoted {
            is_quoted = c != '"';
        } else if separators.contains(&c) {
            let next = &text[at + 1..];
            if attribute_type(next).is_some() {
                return (&text[..at], Some(next));
            }
        }
    }
    (text, None)
}

/// Resolves `\,` and `\C3\A9` (RFC 4514, 2.4).
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let pair = rest.get(..2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        // `+1` would pass for a number.
        match pair.filter(|_| rest.as_bytes()[0].is_ascii_hexdigit()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[2..];
            }
            None => {
                let length = rest.chars().next().map_or(0, char::len_utf8);
                bytes.extend_from_slice(&rest.as_bytes()[..length]);
                rest = &rest[length..];
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}
