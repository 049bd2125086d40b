//! Names as Go's crypto/x509/pkix prints them, and so AWS's helper and people's selectors.

use x509_parser::asn1_rs::{BmpString, Tag};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Attribute types with the names that people and programs give them, of any case. Those that Go
/// prints by name come first, in the order of its text and with its name first.
pub(crate) const ATTRIBUTES: [(&str, &[&str]); 24] = [
    ("2.5.4.5", &["SERIALNUMBER"]),
    ("2.5.4.3", &["CN", "commonName"]),
    ("2.5.4.17", &["POSTALCODE"]),
    ("2.5.4.9", &["STREET", "streetAddress"]),
    ("2.5.4.8", &["ST", "S", "stateOrProvinceName"]),
    ("2.5.4.7", &["L", "localityName"]),
    ("2.5.4.11", &["OU", "organizationalUnitName"]),
    ("2.5.4.10", &["O", "organizationName"]),
    ("2.5.4.6", &["C", "countryName"]),
    // Go prints these by number.
    ("2.5.4.4", &["SN", "surname"]),
    ("2.5.4.12", &["title", "T"]),
    ("2.5.4.13", &["description"]),
    ("2.5.4.15", &["businessCategory"]),
    ("2.5.4.41", &["name"]),
    ("2.5.4.42", &["GN", "G", "givenName"]),
    ("2.5.4.43", &["initials"]),
    ("2.5.4.44", &["generationQualifier"]),
    ("2.5.4.45", &["x500UniqueIdentifier"]),
    ("2.5.4.46", &["dnQualifier"]),
    ("2.5.4.65", &["pseudonym"]),
    ("2.5.4.97", &["organizationIdentifier"]),
    ("0.9.2342.19200300.100.1.1", &["UID", "userId"]),
    ("0.9.2342.19200300.100.1.25", &["DC", "domainComponent"]),
    ("1.2.840.113549.1.9.1", &["emailAddress", "E", "EMAIL"]),
];
/// How many of them Go prints by name. Each but the first two may occur more than once, and then
/// stands as one part, joined by `+`.
const NAMED: usize = 9;
/// Of these Go keeps the last.
const SINGLE: [&str; 2] = ["SERIALNUMBER", "CN"];

/// `pkix.Name.String` of Go 1.2x.
pub(super) fn to_text(name: &X509Name<'_>) -> String {
    let attributes: Vec<(String, &AttributeTypeAndValue<'_>)> =
        name.iter_attributes().map(|a| (a.attr_type().to_id_string(), a)).collect();
    let mut parts = Vec::new();
    let (named, _) = ATTRIBUTES.split_at(NAMED);
    for (oid, names) in named {
        let shown = names[0];
        let values: Vec<String> = attributes
            .iter()
            .filter(|(found, _)| found == oid)
            .map(|(_, attribute)| format!("{shown}={}", escape(&text(attribute))))
            .collect();
        let values = match SINGLE.contains(&shown) {
            true => values.last().cloned().into_iter().collect(),
            false => values,
        };
        if !values.is_empty() {
            parts.push(values.join("+"));
        }
    }
    let others = attributes.iter().rev().filter(|(oid, _)| named.iter().all(|(n, _)| n != oid));
    parts.extend(others.map(|(oid, attribute)| format!("{oid}=#{}", hex(&text(attribute)))));
    parts.join(",")
}

/// The value as text. What has no such form is taken byte by byte (Latin-1).
fn text(attribute: &AttributeTypeAndValue<'_>) -> String {
    let value = attribute.attr_value();
    let wide =
        (value.tag() == Tag::BmpString).then(|| BmpString::try_from(value.clone()).ok()).flatten();
    match (wide, std::str::from_utf8(value.data)) {
        (Some(wide), _) => wide.string(),
        (None, Ok(text)) => text.to_owned(),
        (None, Err(_)) => value.data.iter().map(|byte| char::from(*byte)).collect(),
    }
}

fn escape(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(value.len());
    for (index, c) in value.chars().enumerate() {
        let special = match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            ' ' => index == 0 || index == last,
            '#' => index == 0,
            _ => false,
        };
        if special {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// The DER of a text as Go's encoding/asn1 writes it, in hexadecimal.
fn hex(value: &str) -> String {
    let printable = |b: u8| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&b);
    let tag = if value.bytes().all(printable) { 0x13 } else { 0x0c };
    let mut der = vec![tag];
    match u8::try_from(value.len()) {
        Ok(short @ ..0x80) => der.push(short),
        _ => {
            let length = value.len().to_be_bytes();
            let start = length.iter().position(|b| *b != 0).unwrap_or(length.len() - 1);
            let length = &length[start..];
            der.push(0x80 | u8::try_from(length.len()).unwrap_or(8));
            der.extend_from_slice(length);
        }
    }
    der.extend_from_slice(value.as_bytes());
    ::hex::encode(der)
}
