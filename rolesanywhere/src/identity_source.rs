use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rolecall_core::{Secret, SecretInput};

use crate::CertificateSelector;
use crate::material::token_uri;

/// Where a private key, its certificate and the chain above it come from.
///
/// Each is a file, standard input, a variable, or the text itself: PEM, DER as base64, or a PKCS#11
/// URI (`pkcs11:…`, RFC 7512). Files may be PEM with any blocks, DER or PKCS#12, told apart by what
/// is in them. [`Self::locate`] reads what people write in a flag.
///
/// ```
/// use rolecall_core::SecretInput;
/// use rolecall_rolesanywhere::IdentitySource;
/// let source = IdentitySource {
///     certificate: Some(IdentitySource::locate("/etc/pki/client.pem")),
///     private_key: Some(IdentitySource::locate("pkcs11:object=client")),
///     ..IdentitySource::default()
/// };
/// assert_eq!(source.certificate, Some(SecretInput::File("/etc/pki/client.pem".into())));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentitySource {
    /// The certificate: PEM or DER, alone, with its chain or with its key; PKCS#12; or in a token.
    pub certificate: Option<SecretInput>,
    /// The private key; `None` if it lies with the certificate.
    pub private_key: Option<SecretInput>,
    /// More certificates of the chain.
    pub intermediates: Option<SecretInput>,
    /// The password of an encrypted key or PKCS#12 file, or the PIN of a token. `None`: it is asked
    /// for if it is needed.
    pub password: Option<SecretInput>,
    /// The module of the token (`--pkcs11-lib`); `None`: the URI's `module-path`, else p11-kit's.
    pub pkcs11_module: Option<PathBuf>,
    /// Uses the token's PIN for the key as well, if the key asks at each signature.
    pub reuse_pin: bool,
    /// Which certificate is meant, where there are several. `None`: the one that belongs to the key,
    /// and of several such the one that is valid longest.
    pub selector: Option<CertificateSelector>,
    /// Of several that the selector matches, takes the one that ends last
    /// (`--use-latest-expiring-certificate`).
    pub use_latest_expiring: bool,
}

impl IdentitySource {
    /// Where a flag's text says that key or certificate are: `-` (standard input), `env:NAME`,
    /// `file://PATH`, a PKCS#11 URI, `handle:…` (a TPM's), PEM itself, else the path of a file.
    pub fn locate(text: &str) -> SecretInput {
        let is_itself = token_uri(text).is_some()
            || text.starts_with("handle:")
            || text.contains("-----BEGIN ");
        match text {
            "-" => SecretInput::Stdin,
            _ if is_itself => SecretInput::Literal(Secret::from(text)),
            _ => match (text.strip_prefix("env:"), text.strip_prefix("file://")) {
                (Some(name), _) => SecretInput::Env(name.to_owned()),
                (None, Some(path)) => SecretInput::File(path.into()),
                (None, None) => SecretInput::File(text.into()),
            },
        }
    }

    /// Key or certificates that are at hand: PEM, DER or PKCS#12.
    pub fn at_hand(bytes: &[u8]) -> SecretInput {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.contains("-----BEGIN "));
        SecretInput::Literal(match text {
            Some(pem) => Secret::from(pem),
            None => {
                let room = base64::encoded_len(bytes.len(), true).unwrap_or_default();
                let mut text = String::with_capacity(room);
                BASE64.encode_string(bytes, &mut text);
                Secret::from(text)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_at_hand_is_text_in_either_form() {
        let pem = "-----BEGIN CERTIFICATE-----";
        assert_eq!(IdentitySource::at_hand(pem.as_bytes()), SecretInput::Literal(pem.into()));
        let der = IdentitySource::at_hand(&[0x30, 0x82, 0xff]);
        assert_eq!(der, SecretInput::Literal("MIL/".into()));
    }

    #[test]
    fn a_flag_names_a_file_unless_it_says_otherwise() {
        for (text, expected) in [
            ("key.pem", SecretInput::File("key.pem".into())),
            ("file:///etc/key.pem", SecretInput::File("/etc/key.pem".into())),
            ("-", SecretInput::Stdin),
            ("env:KEY", SecretInput::Env("KEY".to_owned())),
            ("pkcs11:object=a", SecretInput::Literal("pkcs11:object=a".into())),
            ("PKCS11:object=a", SecretInput::Literal("PKCS11:object=a".into())),
            ("handle:0x81000001", SecretInput::Literal("handle:0x81000001".into())),
        ] {
            assert_eq!(IdentitySource::locate(text), expected);
        }
    }
}
