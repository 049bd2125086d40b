//! PKCS#11 URIs (RFC 7512): `pkcs11:token=work;object=web;type=private?pin-source=file:/run/pin`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use rolecall_core::{CredentialsError, ErrorKind, Result, Secret, printable};

use crate::material::token_uri;

/// What a URI says about a token, an object in it, the PIN and the module. What it does not say is
/// `None` and matches anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uri {
    pub(super) token: Option<String>,
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) slot_id: Option<u64>,
    pub(super) slot_description: Option<String>,
    pub(super) slot_manufacturer: Option<String>,
    pub(super) library_description: Option<String>,
    pub(super) library_manufacturer: Option<String>,
    pub(super) library_version: Option<(u8, Option<u8>)>,
    pub(super) object: Option<String>,
    pub(super) id: Option<Vec<u8>>,
    pub(super) kind: Option<ObjectKind>,
    pub(super) pin: Option<PinSource>,
    pub(super) module_path: Option<PathBuf>,
    pub(super) module_name: Option<String>,
}

/// `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    Certificate,
    Data,
    Private,
    Public,
    Secret,
}

/// Where a URI says the PIN is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PinSource {
    /// `pin-value`: in the URI itself, for everybody to see who sees the URI.
    Value(Secret),
    /// `pin-source`: in a file.
    File(PathBuf),
}

const KINDS: [(&str, ObjectKind); 5] = [
    ("cert", ObjectKind::Certificate),
    ("data", ObjectKind::Data),
    ("private", ObjectKind::Private),
    ("public", ObjectKind::Public),
    ("secret-key", ObjectKind::Secret),
];

/// No URI that names an object is longer.
const LONGEST: usize = 16 * 1024;

impl Uri {
    /// The same token and module, whatever the object.
    pub(crate) fn whole_token(&self) -> Self {
        Self { object: None, id: None, kind: None, ..self.clone() }
    }

    /// The same where it is a key that is named, and not perhaps its certificate.
    pub(crate) fn of_key(self) -> Self {
        Self { kind: self.kind.or(Some(ObjectKind::Private)), ..self }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let decoded = decode(value).ok_or_else(|| format!("`{name}` has a broken %-sequence"))?;
        if name == "id" {
            self.id = Some(decoded);
            return Ok(());
        }
        if name == "pin-value" {
            let pin = Secret::from_utf8(decoded).ok_or("`pin-value` is not UTF-8")?;
            self.pin = Some(PinSource::Value(pin));
            return Ok(());
        }
        let text = String::from_utf8(decoded).map_err(|_| format!("`{name}` is not UTF-8"))?;
        match name {
            "token" => self.token = Some(text),
            "manufacturer" => self.manufacturer = Some(text),
            "model" => self.model = Some(text),
            "serial" => self.serial = Some(text),
            "slot-id" => {
                let id = text.parse().map_err(|_| "`slot-id` is no number")?;
                self.slot_id = Some(id);
            }
            "slot-description" => self.slot_description = Some(text),
            "slot-manufacturer" => self.slot_manufacturer = Some(text),
            "library-description" => self.library_description = Some(text),
            "library-manufacturer" => self.library_manufacturer = Some(text),
            "library-version" => {
                let version = version(&text).ok_or("`library-version` is no version")?;
                self.library_version = Some(version);
            }
            "object" => self.object = Some(text),
            "type" => {
                let kind = KINDS.iter().find(|(name, _)| *name == text);
                let kind =
                    kind.ok_or("`type` is none of cert, data, private, public, secret-key")?;
                self.kind = Some(kind.1);
            }
            "pin-source" => self.pin = Some(PinSource::File(pin_file(&text)?)),
            "module-path" => self.module_path = Some(text.into()),
            _ => self.module_name = Some(text),
        }
        Ok(())
    }
}

const PATH: [&str; 13] = [
    "token",
    "manufacturer",
    "model",
    "serial",
    "slot-id",
    "slot-description",
    "slot-manufacturer",
    "library-description",
    "library-manufacturer",
    "library-version",
    "object",
    "id",
    "type",
];
const QUERY: [&str; 4] = ["pin-source", "pin-value", "module-path", "module-name"];

/// Every attribute once at most. Unknown ones are errors, as a misspelt one would match too much,
/// but for a vendor's `x-…`.
impl FromStr for Uri {
    type Err = CredentialsError;

    fn from_str(text: &str) -> Result<Self> {
        let Some(parts) = token_uri(text).filter(|parts| parts.len() <= LONGEST) else {
            return Err(invalid("it does not begin with `pkcs11:`, or is too long"));
        };
        let (path, query) = parts.split_once('?').unwrap_or((parts, ""));
        let parts = path.split(';').map(|part| (part, &PATH[..]));
        let parts = parts.chain(query.split('&').map(|part| (part, &QUERY[..])));
        let (mut uri, mut seen) = (Self::default(), Vec::new());
        for (part, known) in parts.filter(|(part, _)| !part.is_empty()) {
            // A value may be a PIN: only names are told.
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if name.starts_with("x-") {
                continue;
            }
            let shown = printable(name, 40);
            if part.len() == name.len() || !known.contains(&name) {
                let misplaced = PATH.contains(&name) || QUERY.contains(&name);
                let problem = match (part.len() == name.len(), misplaced) {
                    (true, _) => format!("`{shown}` has no value"),
                    (_, true) => format!("`{shown}` is on the wrong side of the `?`"),
                    _ => format!("`{shown}` is unknown"),
                };
                return Err(invalid(problem).with_help(format!(
                    "known are {}; after a `?`: {}; `p11tool --list-all` prints URIs",
                    PATH.join(", "),
                    QUERY.join(", ")
                )));
            }
            // With the separator of the other side: the PIN would be part of a name, and shown.
            if value.contains("pin-value=") || value.contains("pin-source=") {
                return Err(invalid("its PIN does not stand after the `?` or, there, after a `&`"));
            }
            if seen.contains(&name) {
                return Err(invalid(format!("`{shown}` is given twice")));
            }
            seen.push(name);
            uri.set(name, value).map_err(invalid)?;
        }
        if seen.contains(&"pin-source") && seen.contains(&"pin-value") {
            return Err(invalid("it has both pin-source and pin-value: leave one out"));
        }
        Ok(uri)
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let digits = rest.as_bytes().get(at + 1..at + 3)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        rest = &rest[at + 3..];
    }
    Some(percent_decode_str(text).collect())
}

fn version(text: &str) -> Option<(u8, Option<u8>)> {
    match text.split_once('.') {
        Some((major, minor)) => Some((major.parse().ok()?, Some(minor.parse().ok()?))),
        None => Some((text.parse().ok()?, None)),
    }
}

/// `file:/run/pin`, `file:///run/pin` or a plain path.
fn pin_file(text: &str) -> Result<PathBuf, String> {
    if text.starts_with('|') {
        return Err("`pin-source` is a command, and none is run for a PIN: give a file \
                    (pin-source=file:/run/pin)"
            .to_owned());
    }
    let path = match text.strip_prefix("file:") {
        Some(rest) => match rest.strip_prefix("//") {
            Some(rest) => rest.strip_prefix("localhost").unwrap_or(rest),
            None => rest,
        },
        None if text.contains("://") => return Err("`pin-source` is no file".to_owned()),
        None => text,
    };
    if path.is_empty() {
        return Err("`pin-source` is empty".to_owned());
    }
    Ok(path.into())
}

/// The characters RFC 7512 leaves as they are in a path (its unreserved ones).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Without the PIN.
impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |text: &Option<String>| text.as_ref().map(|text| text.as_bytes().to_vec());
        let number = |number: Option<String>| number.map(String::into_bytes);
        let version = self.library_version.map(|(major, minor)| match minor {
            Some(minor) => format!("{major}.{minor}"),
            None => major.to_string(),
        });
        let kind = self.kind.and_then(|kind| KINDS.iter().find(|(_, known)| *known == kind));
        let values = [
            text(&self.token),
            text(&self.manufacturer),
            text(&self.model),
            text(&self.serial),
            number(self.slot_id.map(|id| id.to_string())),
            text(&self.slot_description),
            text(&self.slot_manufacturer),
            text(&self.library_description),
            text(&self.library_manufacturer),
            number(version),
            text(&self.object),
            self.id.clone(),
            number(kind.map(|(name, _)| (*name).to_owned())),
        ];
        f.write_str("pkcs11:")?;
        let path = PATH.iter().zip(values).filter_map(|(name, value)| Some((*name, value?)));
        write_pairs(f, path, "", ";")?;
        let pin_file = match &self.pin {
            Some(PinSource::File(path)) => Some(path.as_os_str().as_encoded_bytes().to_vec()),
            _ => None,
        };
        let module = self.module_path.as_ref().map(|p| p.as_os_str().as_encoded_bytes().to_vec());
        let query = [
            ("pin-source", pin_file),
            ("module-path", module),
            ("module-name", text(&self.module_name)),
        ];
        write_pairs(f, query.into_iter().filter_map(|(n, v)| Some((n, v?))), "?", "&")
    }
}

fn write_pairs<'a>(
    f: &mut fmt::Formatter<'_>,
    pairs: impl Iterator<Item = (&'a str, Vec<u8>)>,
    first: &str,
    next: &str,
) -> fmt::Result {
    let mut before = first;
    for (name, value) in pairs {
        write!(f, "{before}{name}={}", percent_encode(&value, RESERVED))?;
        before = next;
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "PKCS#11 URI", message)
}

#[cfg(test)]
mod tests {
    use proptest::option::of;
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> String {
        text.parse::<Uri>().unwrap_err().to_string()
    }

    #[test]
    fn every_attribute_is_read() {
        let uri: Uri = "PKCS11:token=My%20token;manufacturer=M;model=v1;serial=0a;slot-id=7;\
                        slot-description=D;slot-manufacturer=S;library-description=LD;\
                        library-manufacturer=LM;library-version=2.40;object=web%3bkey;\
                        id=%00%ffA;type=private;x-vendor=1\
                        ?pin-source=file:/run/pin&module-path=/usr/lib/x.so&module-name=x"
            .parse()
            .unwrap();
        let text = |text: &str| Some(text.to_owned());
        let expected = Uri {
            token: text("My token"),
            manufacturer: text("M"),
            model: text("v1"),
            serial: text("0a"),
            slot_id: Some(7),
            slot_description: text("D"),
            slot_manufacturer: text("S"),
            library_description: text("LD"),
            library_manufacturer: text("LM"),
            library_version: Some((2, Some(40))),
            object: text("web;key"),
            id: Some(vec![0, 0xff, b'A']),
            kind: Some(ObjectKind::Private),
            pin: Some(PinSource::File("/run/pin".into())),
            module_path: Some("/usr/lib/x.so".into()),
            module_name: text("x"),
        };
        assert_eq!(uri, expected);
        assert_eq!("pkcs11:".parse::<Uri>().unwrap(), Uri::default());
    }

    #[test]
    fn a_pin_is_a_value_or_a_file_but_no_command() {
        let pin = |text: &str| text.parse::<Uri>().unwrap().pin;
        assert_eq!(pin("pkcs11:?pin-value=1%2634"), Some(PinSource::Value("1&34".into())));
        for file in ["file:/run/pin", "file:///run/pin", "file://localhost/run/pin", "/run/pin"] {
            let file_pin = pin(&format!("pkcs11:?pin-source={file}"));
            assert_eq!(file_pin, Some(PinSource::File("/run/pin".into())), "{file}");
        }
        assert!(error("pkcs11:?pin-source=|/bin/pin").contains("is a command"));
        assert!(error("pkcs11:?pin-source=%7C/bin/pin").contains("is a command"));
        assert!(error("pkcs11:?pin-source=https://x").contains("no file"));
        assert!(error("pkcs11:?pin-source=file:").contains("empty"));
        assert!(error("pkcs11:?pin-value=1&pin-source=/p").contains("both"));
    }

    #[test]
    fn a_pin_is_in_no_text() {
        let uri: Uri = "pkcs11:token=a?pin-value=hunter2".parse().unwrap();
        assert!(!format!("{uri} {uri:?}").contains("hunter2"));
        for text in [
            "pkcs11:?pin-value=hunter2%zz",
            "pkcs11:pin-value=hunter2",
            "pkcs11:?pin-value=hunter2&pin-value=hunter2",
            "pkcs11:token=a&pin-value=hunter2",
            "pkcs11:?module-path=/m;pin-value=hunter2",
        ] {
            assert!(!error(text).contains("hunter2"), "{}", error(text));
        }
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (text, says) in [
            ("token=a", "does not begin with `pkcs11:`"),
            ("pkcs11:tokn=a", "`tokn` is unknown"),
            ("pkcs11:token", "`token` has no value"),
            ("pkcs11:token=a;token=b", "`token` is given twice"),
            ("pkcs11:pin-value=1", "wrong side of the `?`"),
            ("pkcs11:?token=1", "wrong side of the `?`"),
            ("pkcs11:slot-id=x", "`slot-id` is no number"),
            ("pkcs11:type=key", "`type` is none of"),
            ("pkcs11:id=%4", "broken %-sequence"),
            ("pkcs11:token=%ff", "`token` is not UTF-8"),
            ("pkcs11:library-version=300", "no version"),
        ] {
            assert!(error(text).contains(says), "{text}: {}", error(text));
        }
    }

    fn name() -> impl Strategy<Value = Option<String>> {
        of("\\PC{0,12}")
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = text.parse::<Uri>();
            let _ = format!("pkcs11:{text}").parse::<Uri>();
            let _ = format!("pkcs11:token={text};id={text}?pin-source={text}").parse::<Uri>();
        }

        #[test]
        fn what_is_written_is_read_again(
            names in (name(), name(), name(), name(), name(), name()),
            (slot_id, id, version) in (of(any::<u64>()), of(any::<Vec<u8>>()), of(any::<(u8, Option<u8>)>())),
            kind in of(prop::sample::select(KINDS.map(|(_, kind)| kind).to_vec())),
            (pin, module_path) in (of("/[ -~]{1,9}"), of("/[ -~]{1,9}")),
        ) {
            let (token, serial, object, model, slot_description, module_name) = names;
            let uri = Uri {
                token, serial, object, model, slot_description, module_name, slot_id, id, kind,
                library_version: version,
                pin: pin.map(|path| PinSource::File(path.into())),
                module_path: module_path.map(PathBuf::from),
                ..Uri::default()
            };
            prop_assert_eq!(uri.to_string().parse::<Uri>().unwrap(), uri);
        }
    }
}
