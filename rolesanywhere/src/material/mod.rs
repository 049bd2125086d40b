//! What a file, a variable or standard input holds: keys and certificates in any of their forms.

mod input;
mod pem;

use rolecall_core::{CredentialsError, ErrorKind, Result};
use zeroize::Zeroizing;

pub(crate) use self::input::{Input, is_secret, place_of, token_uri, without_pin};
use crate::Certificate;
use crate::key::{self, Form, PrivateKey};
use crate::unsupported::not_supported;

const PROVIDER: &str = "Roles Anywhere identity";

/// What was found at one place.
#[derive(Default)]
pub(crate) struct Material {
    /// Where, for messages: `/etc/pki/tls.pem`, `standard input`.
    pub(crate) place: String,
    pub(crate) keys: Vec<Key>,
    pub(crate) certificates: Vec<Certificate>,
    /// PKCS#12, not opened yet.
    pub(crate) pkcs12: Option<Zeroizing<Vec<u8>>>,
    /// What else there is, for messages.
    others: Vec<String>,
}

/// A key as it was found.
pub(crate) enum Key {
    /// In PKCS#8, PKCS#1 or SEC 1.
    Plain(Zeroizing<Vec<u8>>),
    /// In PKCS#8, encrypted.
    Encrypted(Zeroizing<Vec<u8>>),
    /// One that cannot be used, and why.
    Unusable(CredentialsError),
}

impl Material {
    /// Reads `bytes`: PEM with any blocks, DER, or DER as base64 text (as variables hold it).
    ///
    /// # Errors
    /// `InvalidConfiguration` if it is none of these or damaged.
    pub(crate) fn read(bytes: &[u8], place: &str) -> Result<Self> {
        let mut found = Self { place: place.to_owned(), ..Self::default() };
        if bytes.windows(pem::BEGIN.len()).any(|part| part == pem::BEGIN.as_bytes()) {
            // Comments in between may be in any encoding.
            let text = Zeroizing::new(String::from_utf8_lossy(bytes).into_owned());
            // One line, as some files of variables need it.
            match text.contains('\n') {
                true => found.add_pem(&text)?,
                false => found.add_pem(&Zeroizing::new(text.replace("\\n", "\n")))?,
            }
        } else if Form::of(bytes).is_some() {
            found.add_der(bytes)?;
        } else {
            let der = std::str::from_utf8(bytes).ok().and_then(from_base64);
            found.add_der(&der.ok_or_else(|| found.strange(bytes))?)?;
        }
        Ok(found)
    }

    fn add_pem(&mut self, text: &str) -> Result<()> {
        let blocks = pem::blocks(text)
            .map_err(|flaw| self.refuse(format!("line {}: {}", flaw.line, flaw.what)))?;
        if blocks.is_empty() {
            let error = self.refuse("its PEM blocks do not stand on lines of their own");
            return Err(error.with_help("keep the line ends when it is copied"));
        }
        for block in blocks {
            let at_line = |error: CredentialsError| {
                let place = format!("{}, line {}", self.place, block.line);
                error.with_place(place)
            };
            match block.label {
                "CERTIFICATE" | "X509 CERTIFICATE" => {
                    let certificate = Certificate::from_der(&block.der).map_err(at_line)?;
                    self.add_certificate(certificate);
                }
                _ if block.is_encrypted_as_of_old => {
                    let error = key::refuse("it is encrypted in OpenSSL's old way, which is weak");
                    let help = format!(
                        "convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in {} -out NEW",
                        self.place
                    );
                    self.keys.push(Key::Unusable(at_line(error.with_help(help))));
                }
                "ENCRYPTED PRIVATE KEY" => self.keys.push(Key::Encrypted(block.der)),
                "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => {
                    self.add_key(Key::Plain(block.der));
                }
                "TSS2 PRIVATE KEY" | "TSS2 KEY BLOB" => {
                    self.keys.push(Key::Unusable(at_line(in_tpm())));
                }
                label if label.ends_with("PRIVATE KEY") => {
                    let error = key::refuse(format!("a key of the form {label} is not read"));
                    let help = match label {
                        "OPENSSH PRIVATE KEY" => {
                            "convert a copy of it: ssh-keygen -p -m PKCS8 -f COPY"
                        }
                        _ => key::SUPPORTED,
                    };
                    self.keys.push(Key::Unusable(at_line(error.with_help(help))));
                }
                // They come with EC keys, and say what those say too.
                "EC PARAMETERS" => {}
                label => self.others.push(format!("a block {label}")),
            }
        }
        Ok(())
    }

    fn add_der(&mut self, der: &[u8]) -> Result<()> {
        let copy = || Zeroizing::new(der.to_vec());
        match Form::of(der) {
            Some(Form::Certificate) => match Certificate::from_der(der) {
                Ok(certificate) => self.add_certificate(certificate),
                Err(error) => return Err(error.with_place(self.place.as_str())),
            },
            Some(Form::Pkcs8 | Form::Pkcs1 | Form::Sec1) => self.add_key(Key::Plain(copy())),
            Some(Form::EncryptedPkcs8) => self.keys.push(Key::Encrypted(copy())),
            Some(Form::Pkcs12) => self.pkcs12 = Some(copy()),
            Some(form @ (Form::Pkcs7 | Form::PublicKey)) => {
                self.others.push(form.name().to_owned());
            }
            None => return Err(self.strange(der)),
        }
        Ok(())
    }

    fn add_key(&mut self, key: Key) {
        let is_known = |known: &Key| match (known, &key) {
            (Key::Plain(known), Key::Plain(new)) => known == new,
            _ => false,
        };
        if !self.keys.iter().any(is_known) {
            self.keys.push(key);
        }
    }

    fn add_certificate(&mut self, certificate: Certificate) {
        if !self.certificates.contains(&certificate) {
            self.certificates.push(certificate);
        }
    }

    /// What there is, for messages: `a certificate and a private key`.
    pub(crate) fn contents(&self) -> String {
        let count = |number: usize, one: &str, many: &str| match number {
            0 => None,
            1 => Some(one.to_owned()),
            _ => Some(format!("{number} {many}")),
        };
        let mut parts: Vec<String> = Vec::new();
        parts.extend(count(self.certificates.len(), "a certificate", "certificates"));
        parts.extend(count(self.keys.len(), "a private key", "private keys"));
        parts.extend(self.pkcs12.as_ref().map(|_| "a PKCS#12 file".to_owned()));
        parts.extend(self.others.iter().cloned());
        match parts.split_last() {
            None => "nothing".to_owned(),
            Some((only, [])) => only.clone(),
            Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        }
    }

    /// An error about this place.
    pub(crate) fn refuse(&self, message: impl Into<String>) -> CredentialsError {
        CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
            .with_place(self.place.as_str())
    }

    /// What is not recognised. Nothing of it is shown: it may be a key.
    fn strange(&self, bytes: &[u8]) -> CredentialsError {
        let (what, help) = match bytes {
            [] => ("it is empty", "was it cut off while it was written?"),
            _ if bytes.iter().all(u8::is_ascii_whitespace) => ("it is empty", "fill it"),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                ("it is text in UTF-16", "save it as UTF-8 or ASCII")
            }
            [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => (
                "it is a Java key store",
                "convert it: keytool -importkeystore -srckeystore OLD -destkeystore NEW.p12 \
                 -deststoretype pkcs12",
            ),
            _ if bytes.starts_with(b"ssh-") || bytes.starts_with(b"ecdsa-sha2-") => {
                ("it is a public key of SSH", "give the private key, and its certificate")
            }
            _ => (
                "it is neither PEM nor DER: no key, no certificate, no PKCS#12 file",
                "look at it: openssl asn1parse -inform DER -in FILE, or head -1 FILE",
            ),
        };
        self.refuse(what).with_help(help)
    }
}

/// DER as base64 text; `None` if it is none.
fn from_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    use base64::Engine;
    let mut compact = Zeroizing::new(String::with_capacity(text.len()));
    compact.extend(text.split_whitespace());
    let mut der = Zeroizing::new(Vec::with_capacity(compact.len()));
    pem::BASE64.decode_vec(compact.as_bytes(), &mut der).ok()?;
    Form::of(&der).is_some().then_some(der)
}

pub(crate) fn in_tpm() -> CredentialsError {
    not_supported(key::refuse("it is a key in a TPM, which is not supported yet"))
        .with_help("use a key in a file or in a PKCS#11 token; tpm2-pkcs11 makes a token of a TPM")
}

/// The key, if it is not encrypted.
pub(crate) fn plain(der: &[u8], place: &str) -> Result<PrivateKey> {
    PrivateKey::from_der(der).map_err(|error| error.with_place(place))
}

#[cfg(test)]
mod tests;
