//! What a session takes over from a certificate: tags and source identity.

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

/// The parts of names that become tags, by AWS's default mapping.
const NAMES: [(&str, &str); 14] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "T"),
    ("2.5.4.42", "GN"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "E"),
];

/// What Roles Anywhere knows of who signed.
pub(super) struct Attributes {
    /// Serial number in hex, lower case, as a session is named by default.
    pub(super) serial_hex: String,
    /// The subject as text.
    pub(super) subject: String,
    /// `CN=…`; the serial number for a subject without a common name.
    pub(super) source_identity: String,
    /// `x509Subject/CN` and so on.
    pub(super) tags: Vec<(String, String)>,
}

impl Attributes {
    /// Reads a certificate that has been checked; `None` if it is none.
    pub(super) fn of(certificate: &[u8]) -> Option<Attributes> {
        let (_, leaf) = X509Certificate::from_der(certificate).ok()?;
        let mut tags = name_tags("x509Subject", leaf.subject());
        tags.extend(name_tags("x509Issuer", leaf.issuer()));
        if let Some(names) = leaf.subject_alternative_name().ok().flatten() {
            tags.extend(alternative_tags(&names.value.general_names));
        }
        // Roles Anywhere leaves out what STS would not take as a tag.
        tags.retain(|(_, value)| !value.is_empty() && value.len() <= 256 && value.chars().all(tag));
        let serial_hex = hex::encode(leaf.tbs_certificate.serial.to_bytes_be());
        let name = tags.iter().find(|(key, _)| key == "x509Subject/CN");
        let source_identity =
            name.map_or_else(|| serial_hex.clone(), |(_, name)| format!("CN={name}"));
        Some(Attributes { serial_hex, subject: leaf.subject().to_string(), source_identity, tags })
    }
}

/// Several values of one kind make one tag, with `/` between them.
fn name_tags(field: &str, name: &X509Name<'_>) -> Vec<(String, String)> {
    let mut tags: Vec<(String, String)> = Vec::new();
    for attribute in name.iter_attributes() {
        let oid = attribute.attr_type().to_id_string();
        let known = NAMES.iter().find(|(known, _)| *known == oid);
        let (Some((_, short)), Ok(value)) = (known, attribute.as_str()) else { continue };
        let key = format!("{field}/{short}");
        match tags.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => {
                values.push('/');
                values.push_str(value);
            }
            None => tags.push((key, value.to_owned())),
        }
    }
    tags
}

/// The first name of each kind that is mapped.
fn alternative_tags(names: &[GeneralName<'_>]) -> Vec<(String, String)> {
    let dns = names.iter().find_map(|name| match name {
        GeneralName::DNSName(name) => Some(("x509SAN/DNS".to_owned(), (*name).to_owned())),
        _ => None,
    });
    let uri = names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => Some(("x509SAN/URI".to_owned(), (*uri).to_owned())),
        _ => None,
    });
    let directory = names.iter().find_map(|name| match name {
        GeneralName::DirectoryName(name) => Some(name_tags("x509SAN/Name", name)),
        _ => None,
    });
    dns.into_iter().chain(uri).chain(directory.unwrap_or_default()).collect()
}

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]`, what STS takes in a tag.
fn tag(letter: char) -> bool {
    letter.is_alphanumeric() || letter.is_whitespace() || "_.:/=+-@".contains(letter)
}
