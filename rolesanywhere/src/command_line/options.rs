use rolecall_core::{Context, CredentialsError, SecretInput};

use super::parse::BadUsage;
use crate::material::is_secret;
use crate::{CertificateSelector, Digest, IdentitySource, RolesAnywhere};

/// What the flags of one command line say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelperOptions {
    /// What is asked for.
    pub request: RolesAnywhere,
    /// Who asks.
    pub identity: IdentitySource,
    /// `--cert-selector`, not yet read: [`Self::read_selector`].
    pub cert_selector: Option<String>,
    /// `--endpoint`.
    pub endpoint: Option<String>,
    /// `--no-verify-ssl`.
    pub no_verify_ssl: bool,
    /// `--with-proxy`.
    pub with_proxy: bool,
    /// `--debug`.
    pub debug: bool,
    /// `--profile` of `update`: the section that is written.
    pub target: Option<String>,
    /// `--once`.
    pub once: bool,
    /// `--port`.
    pub port: u16,
    /// `--hop-limit`.
    pub hop_limit: u8,
    /// `--digest`.
    pub digest: Digest,
    /// `--format`.
    pub format: SignFormat,
    /// The flags whose secret stands on the command line itself, for a warning.
    pub exposed: Vec<&'static str>,
    /// Why this library cannot do it, while the helper can.
    pub unsupported: Option<&'static str>,
}

/// How `sign-string` prints a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignFormat {
    /// Hexadecimal digits in quotes.
    #[default]
    Json,
    /// Hexadecimal digits.
    Text,
    /// The bytes.
    Bin,
}

const STORE: &str = "the certificate stores of Windows and macOS are not supported yet";
const TPM: &str = "keys in a TPM are not supported yet";

impl Default for HelperOptions {
    fn default() -> Self {
        Self {
            request: RolesAnywhere::default(),
            identity: IdentitySource::default(),
            cert_selector: None,
            endpoint: None,
            no_verify_ssl: false,
            with_proxy: false,
            debug: false,
            target: None,
            once: false,
            port: 9911,
            hop_limit: 64,
            digest: Digest::Sha256,
            format: SignFormat::Json,
            exposed: Vec::new(),
            unsupported: None,
        }
    }
}

impl HelperOptions {
    /// The options that `flags` say: names without dashes, with their values; a switch has the
    /// value `true` or `false`. The last of several counts, and an empty value is none.
    ///
    /// # Errors
    /// For a flag that there is not, and for a value that makes no sense.
    pub fn from_flags<'a>(
        flags: impl IntoIterator<Item = (&'static str, &'a str)>,
    ) -> Result<Self, BadUsage> {
        let mut options = Self::default();
        for (name, value) in flags {
            options.set(name, value)?;
        }
        // Without a certificate it is one of the system's store that is meant.
        if options.cert_selector.is_some() && options.identity.certificate.is_none() {
            options.unsupported = Some(STORE);
        }
        Ok(options)
    }

    /// Reads the selector into [`Self::identity`], from its file if it names one.
    ///
    /// # Errors
    /// As [`CertificateSelector::read`].
    pub fn read_selector(&mut self, context: &Context) -> Result<(), CredentialsError> {
        if let Some(text) = &self.cert_selector {
            self.identity.selector = Some(CertificateSelector::read(text, context)?);
        }
        Ok(())
    }

    fn set(&mut self, name: &'static str, value: &str) -> Result<(), BadUsage> {
        let wrong = |what: &str| BadUsage::new(format!("--{name} is {value:?}, not {what}"));
        let text = Some(value.to_owned()).filter(|text| !text.is_empty());
        let source = text.as_deref().map(IdentitySource::locate);
        if ["certificate", "private-key", "intermediates"].contains(&name)
            && matches!(&source, Some(SecretInput::Literal(text)) if is_secret(text.expose()))
        {
            self.exposed.push(name);
        }
        let (identity, request) = (&mut self.identity, &mut self.request);
        match name {
            "certificate" => identity.certificate = source,
            "private-key" => identity.private_key = source,
            "intermediates" => identity.intermediates = source,
            "pkcs8-password" => {
                identity.password = text.as_deref().map(secret);
                if matches!(identity.password, Some(SecretInput::Literal(_))) {
                    self.exposed.push(name);
                }
            }
            "pkcs11-lib" => identity.pkcs11_module = text.map(Into::into),
            "reuse-pin" => identity.reuse_pin = is_on(name, value)?,
            "cert-selector" => self.cert_selector = text,
            "system-store-name" | "system-store-location" => {
                self.unsupported = text.and(Some(STORE)).or(self.unsupported);
            }
            "tpm-key-password" => self.unsupported = text.and(Some(TPM)).or(self.unsupported),
            "no-tpm-key-password" => {
                self.unsupported = is_on(name, value)?.then_some(TPM).or(self.unsupported);
            }
            "use-latest-expiring-certificate" => {
                identity.use_latest_expiring = is_on(name, value)?;
            }
            "role-arn" => request.role_arn = value.to_owned(),
            "profile-arn" => request.profile_arn = value.to_owned(),
            "trust-anchor-arn" => request.trust_anchor_arn = value.to_owned(),
            "session-duration" => {
                let seconds = value.parse().map_err(|_| wrong("a number of seconds"))?;
                request.duration_seconds = Some(seconds);
            }
            "role-session-name" => request.role_session_name = text,
            "region" => request.region = text,
            "endpoint" => self.endpoint = text,
            "with-proxy" => self.with_proxy = is_on(name, value)?,
            "no-verify-ssl" => self.no_verify_ssl = is_on(name, value)?,
            "debug" => self.debug = is_on(name, value)?,
            "profile" => self.target = text,
            "once" => self.once = is_on(name, value)?,
            // What may pass by itself is tried again anyway.
            "retry-errors" => _ = is_on(name, value)?,
            "port" => self.port = value.parse().map_err(|_| wrong("a port"))?,
            "hop-limit" => match value.parse() {
                Ok(limit @ 1..) => self.hop_limit = limit,
                _ => return Err(wrong("a number from 1 to 255")),
            },
            "digest" => {
                self.digest = match value {
                    "SHA256" => Digest::Sha256,
                    "SHA384" => Digest::Sha384,
                    "SHA512" => Digest::Sha512,
                    _ => return Err(wrong("SHA256, SHA384 or SHA512")),
                }
            }
            "format" => {
                self.format = match value {
                    "json" => SignFormat::Json,
                    "text" => SignFormat::Text,
                    "bin" => SignFormat::Bin,
                    _ => return Err(wrong("json, text or bin")),
                }
            }
            _ => return Err(BadUsage::unknown(name)),
        }
        let is_in_tpm = |text: &str| text.starts_with("handle:");
        if ["certificate", "private-key"].contains(&name) && is_in_tpm(value) {
            self.unsupported = Some(TPM);
        }
        Ok(())
    }

    /// Checks that there is what a call of Roles Anywhere needs.
    ///
    /// # Errors
    /// Names the flags that are missing.
    pub fn check_request(&self) -> Result<(), BadUsage> {
        let request = &self.request;
        let needed = [
            ("--certificate", !self.has_identity()),
            ("--trust-anchor-arn", request.trust_anchor_arn.is_empty()),
            ("--profile-arn", request.profile_arn.is_empty()),
            ("--role-arn", request.role_arn.is_empty()),
        ];
        let missing: Vec<&str> = needed
            .into_iter()
            .filter(|(_, is_missing)| *is_missing)
            .map(|(flag, _)| flag)
            .collect();
        if missing.is_empty() { Ok(()) } else { Err(BadUsage::missing(&missing)) }
    }

    /// Checks that there is a certificate or a key.
    ///
    /// # Errors
    /// Names the flag that is missing.
    pub fn check_identity(&self) -> Result<(), BadUsage> {
        if self.has_identity() { Ok(()) } else { Err(BadUsage::missing(&["--certificate"])) }
    }

    /// Checks that there is something to sign with.
    ///
    /// # Errors
    /// Names the flag that is missing.
    pub fn check_signer(&self) -> Result<(), BadUsage> {
        if self.has_identity() {
            return Ok(());
        }
        let message = "--private-key is missing; it is enough, and with --certificate too it is \
                       seen whether they belong together";
        Err(BadUsage::new(message.to_owned()))
    }

    fn has_identity(&self) -> bool {
        let identity = &self.identity;
        self.unsupported.is_some()
            || identity.certificate.is_some()
            || identity.private_key.is_some()
    }

    /// Whether something of it is read from standard input, which a program of a profile does not
    /// have.
    pub(super) fn reads_stdin(&self) -> bool {
        let IdentitySource { certificate, private_key, intermediates, password, .. } =
            &self.identity;
        [certificate, private_key, intermediates, password]
            .into_iter()
            .any(|input| matches!(input, Some(SecretInput::Stdin)))
    }
}

fn secret(text: &str) -> SecretInput {
    let Ok(input) = text.parse();
    input
}

/// Reads what Go's `strconv.ParseBool` takes.
fn is_on(name: &'static str, value: &str) -> Result<bool, BadUsage> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(BadUsage::new(format!("--{name} is {value:?}, neither true nor false"))),
    }
}
