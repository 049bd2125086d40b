//! Which certificate of several is meant.

mod name;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use rolecall_core::{Context, CredentialsError, ErrorKind, Result, printable, timestamp};
use serde::Deserialize;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use self::name::Name;
use crate::Certificate;

/// The longest file of a selector.
const LIMIT: u64 = 64 * 1024;

/// How many certificates an error lists.
const LISTED: usize = 20;

/// Chooses a certificate by its subject, issuer and serial number, as `--cert-selector` of AWS's
/// helper says: `Key=x509Subject,Value=CN=web Key=x509Serial,Value=15D1`.
///
/// Names match whatever the order and spacing of their attributes and the case of the attributes'
/// names; serial numbers are hexadecimal, with or without leading zeros, colons or `0x`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateSelector {
    /// As it was written, for errors.
    text: String,
    subject: Option<Name>,
    issuer: Option<Name>,
    serial: Option<Vec<u8>>,
}

impl CertificateSelector {
    /// Reads a selector, or the file that `file://PATH` names: JSON,
    /// `[{"Key": "x509Subject", "Value": "CN=web"}]`.
    ///
    /// # Errors
    /// `InvalidConfiguration` if the file cannot be read or the selector makes no sense.
    pub fn read(text: &str, context: &Context) -> Result<Self> {
        let Some(path) = text.strip_prefix("file://") else { return text.parse() };
        let bytes = context.fs.read_also_pipe(Path::new(path), LIMIT).map_err(|error| {
            invalid(format!("{path} cannot be read: {error}")).with_source(error)
        })?;
        Self::from_json(&bytes).map_err(|error| error.with_place(path))
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it makes no sense.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let pairs: Vec<Pair> = serde_json::from_slice(json).map_err(|error| {
            invalid(format!("it is not as expected: {error}"))
                .with_help(r#"write [{"Key": "x509Subject", "Value": "CN=web"}]"#)
        })?;
        Self::new(pairs.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())))
    }

    fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut selector = Self::default();
        for (key, value) in pairs {
            let value = value.trim();
            let repeated = match key {
                "x509Subject" => selector.subject.replace(parse_name(key, value)?).is_some(),
                "x509Issuer" => selector.issuer.replace(parse_name(key, value)?).is_some(),
                "x509Serial" => selector.serial.replace(parse_serial(value)?).is_some(),
                _ => {
                    let key = printable(key, 40);
                    return Err(invalid(format!("the key `{key}` is unknown")).with_help(KEYS));
                }
            };
            if repeated {
                return Err(invalid(format!("the key `{key}` is given twice")));
            }
            let space = if selector.text.is_empty() { "" } else { " " };
            selector.text += &format!("{space}Key={key},Value={value}");
        }
        if selector.text.is_empty() {
            return Err(invalid("it is empty").with_help(KEYS));
        }
        Ok(selector)
    }

    fn matches(&self, certificate: &Certificate) -> bool {
        let Ok((_, parsed)) = X509Certificate::from_der(certificate.der()) else { return false };
        let is = |wanted: &Option<Name>, name, text| {
            wanted.as_ref().is_none_or(|wanted| wanted.is(name, text))
        };
        is(&self.subject, parsed.subject(), certificate.subject())
            && is(&self.issuer, parsed.issuer(), certificate.issuer())
            && self.serial.as_ref().is_none_or(|s| s == significant(parsed.raw_serial()))
    }
}

/// Whitespace separates pairs, and a value goes on to the next `Key=…,Value=`: it may hold spaces
/// and commas. Quotes around a value are taken off.
impl FromStr for CertificateSelector {
    type Err = CredentialsError;

    fn from_str(text: &str) -> Result<Self> {
        let mut pairs = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let Some((key, after)) = split_key(rest) else {
                let rest = printable(rest, 40);
                return Err(
                    invalid(format!("`{rest}` does not begin with Key=…,Value=")).with_help(KEYS)
                );
            };
            let is_end = |&(at, c): &(usize, char)| {
                c.is_whitespace() && split_key(after[at..].trim_start()).is_some()
            };
            let end = after.char_indices().find(is_end).map_or(after.len(), |(at, _)| at);
            pairs.push((key, unquote(after[..end].trim())));
            rest = after[end..].trim_start();
        }
        Self::new(pairs)
    }
}

impl fmt::Display for CertificateSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Pair {
    key: String,
    value: String,
}

/// Takes `Key=KEY,Value=` off the front.
fn split_key(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("Key=")?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric())?;
    Some((&rest[..end], rest[end..].strip_prefix(",Value=")?))
}

fn unquote(text: &str) -> &str {
    let inside = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(text)
}

fn parse_name(key: &str, value: &str) -> Result<Name> {
    Name::parse(value).map_err(|part| {
        let part = printable(&part, 40);
        invalid(format!("{key} is no distinguished name: `{part}` is no attribute with a value"))
            .with_help(
                "write it as `openssl x509 -noout -subject -issuer -in FILE` prints it, such as \
                 CN=web,O=Acme",
            )
    })
}

fn parse_serial(text: &str) -> Result<Vec<u8>> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let mut digits: String =
        digits.chars().filter(|c| !c.is_whitespace() && !matches!(c, ':' | '-')).collect();
    if digits.len() % 2 == 1 {
        digits.insert(0, '0');
    }
    match hex::decode(&digits) {
        Ok(serial) if !serial.is_empty() => Ok(significant(&serial).to_vec()),
        _ => {
            let text = printable(text, 60);
            Err(invalid(format!("x509Serial is no hexadecimal number: `{text}`"))
                .with_help("write it as `openssl x509 -noout -serial -in FILE` prints it"))
        }
    }
}

/// A number without its leading zeros.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    &number[zeros..]
}

/// Those of `certificates` that `selector` matches, each once.
///
/// # Errors
/// `InvalidConfiguration`, with the certificates listed, if there is none.
pub(crate) fn matching<'a>(
    certificates: &'a [Certificate],
    selector: &CertificateSelector,
) -> Result<Vec<&'a Certificate>> {
    let mut different: Vec<&Certificate> = Vec::new();
    for certificate in certificates {
        if !different.contains(&certificate) {
            different.push(certificate);
        }
    }
    let found: Vec<_> = different.iter().copied().filter(|c| selector.matches(c)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let there = match different.len() {
        0 => "there are none".to_owned(),
        count => format!("there are {count}: {}", list(&different)),
    };
    Err(invalid(format!("no certificate is found for `{selector}`; {there}")))
}

/// Chooses the one of `certificates` that `selector` matches. Of several, `use_latest_expiring`
/// takes the one that expires last. Copies of one certificate count as one.
///
/// # Errors
/// `InvalidConfiguration`, with the certificates listed, if none or more than one is left.
pub(crate) fn choose<'a>(
    certificates: &'a [Certificate],
    selector: &CertificateSelector,
    use_latest_expiring: bool,
) -> Result<&'a Certificate> {
    let found = matching(certificates, selector)?;
    let one = match use_latest_expiring {
        // Of equals, the first.
        true => found.iter().copied().rev().max_by_key(|c| c.not_after()),
        false => found.first().copied().filter(|_| found.len() == 1),
    };
    one.ok_or_else(|| {
        let (count, all) = (found.len(), list(&found));
        invalid(format!("{count} certificates are found for `{selector}`: {all}")).with_help(
            "add x509Serial to the selector, or take the one that expires last \
             (--use-latest-expiring-certificate)",
        )
    })
}

/// Why a selector without a file or a token finds nothing: macOS's keychain and Windows' store are
/// not read yet, and Linux has none.
pub(crate) fn system_store() -> CredentialsError {
    invalid("certificate stores of the operating system are not supported here").with_help(
        "give a file (--certificate), or a token (--certificate pkcs11:… with --pkcs11-lib)",
    )
}

fn list(certificates: &[&Certificate]) -> String {
    let mut listed: Vec<_> = certificates.iter().take(LISTED).map(|c| describe(c)).collect();
    if certificates.len() > LISTED {
        listed.push(format!("and {} more", certificates.len() - LISTED));
    }
    listed.join("; ")
}

/// Subject, issuer, serial number and validity.
fn describe(certificate: &Certificate) -> String {
    format!(
        "{} (issuer {}, serial {}, valid {} to {})",
        printable(certificate.subject(), 200),
        printable(certificate.issuer(), 200),
        certificate.serial_hex(),
        timestamp::format(certificate.not_before()),
        timestamp::format(certificate.not_after()),
    )
}

const KEYS: &str = "write Key=x509Subject,Value=… Key=x509Issuer,Value=… Key=x509Serial,Value=HEX, \
                    each once at most";

fn invalid(message: impl Into<String>) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "certificate selector", message)
}

#[cfg(test)]
mod tests;
