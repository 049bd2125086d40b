//! IAM Roles Anywhere: short-lived AWS credentials for whoever holds a key and a certificate that a
//! trust anchor vouches for.
//!
//! - A [`Signer`] signs with a private key: one in memory, in a token, or one of yours (a KMS, an
//!   agent).
//! - An [`IdentitySource`] says where key, certificate and chain come from; reading it gives an
//!   identity whose parts belong together.
//! - [`RolesAnywhere`] is what is asked of AWS for it.
//! - [`command_line`] reads and writes the command lines of AWS's own program.

#![warn(missing_docs)]

mod arn;
mod canonical;
mod certificate;
mod chain;
pub mod command_line;
mod create_session;
mod error;
mod helper;
mod identity;
mod identity_source;
mod inputs;
mod key;
mod material;
mod password;
#[cfg(feature = "pkcs11")]
mod pkcs11;
mod preflight;
mod provider;
mod reader;
mod refused;
mod request;
mod selector;
mod signer;
#[cfg(test)]
mod testing;
mod trust_policy;
mod unsupported;

pub use canonical::SessionCall;
pub use certificate::Certificate;
pub use create_session::{AssumedRoleUser, Session, create_session};
pub use helper::{CertificateData, read_certificate_data, sign_string};
pub use identity::Identity;
pub use identity_source::IdentitySource;
pub use key::PrivateKey;
pub use provider::RolesAnywhereProvider;
pub use reader::IdentityReader;
pub use refused::is_refused_by_key;
pub use request::RolesAnywhere;
pub use rolecall_core::ServiceError;
pub use selector::CertificateSelector;
pub use signer::{Digest, KeyKind, SharedSigner, Signer};
pub use trust_policy::{TrustPolicy, trust_policy};
pub use unsupported::is_not_supported;

/// What the fuzz targets need and nobody else.
#[cfg(all(fuzzing, feature = "pkcs11"))]
#[doc(hidden)]
pub mod fuzzing {
    /// A PKCS#11 URI written anew, if it is one.
    pub fn pkcs11_uri(text: &str) -> Option<String> {
        text.parse::<crate::pkcs11::Uri>().ok().map(|uri| uri.to_string())
    }
}
