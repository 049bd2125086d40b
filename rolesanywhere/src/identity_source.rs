use std::path::PathBuf;

use rolecall_core::SecretInput;

/// Where a private key, its certificate and the chain above it come from.
///
/// Text that names a file, standard input (`-`), a variable (`env:NAME`) or a PKCS#11 URI
/// (`pkcs11:…`, RFC 7512) is told apart when it is read; bytes are given as
/// [`SecretInput::Literal`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentitySource {
    /// The certificate: PEM or DER, alone, with its chain or with its key; PKCS#12; or in a token.
    pub certificate: Option<SecretInput>,
    /// The private key; `None` if it lies with the certificate.
    pub private_key: Option<SecretInput>,
    /// More certificates of the chain.
    pub intermediates: Option<SecretInput>,
    /// The password of an encrypted key or PKCS#12 file, or the PIN of a token.
    pub password: Option<SecretInput>,
    /// The module of the token (`--pkcs11-lib`); `None`: the URI's `module-path`, else p11-kit's.
    pub pkcs11_module: Option<PathBuf>,
    /// Uses the token's PIN for the key as well, if the key asks at each signature.
    pub reuse_pin: bool,
}
