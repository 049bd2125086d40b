//! IAM Roles Anywhere: short-lived AWS credentials for whoever holds a key and a certificate that a
//! trust anchor vouches for.
//!
//! - A [`Signer`] signs with a private key: one in memory, in a token, or one of yours (a KMS, an
//!   agent).
//! - An [`IdentitySource`] says where key, certificate and chain come from; reading it gives an
//!   identity whose parts belong together.
//! - [`RolesAnywhere`] is what is asked of AWS for it.

#![warn(missing_docs)]

mod arn;
mod canonical;
mod certificate;
mod chain;
mod identity;
mod identity_source;
mod key;
#[cfg(feature = "pkcs11")]
mod pkcs11;
mod request;
mod selector;
mod signer;
#[cfg(test)]
mod testing;

pub use canonical::SessionCall;
pub use certificate::Certificate;
pub use identity::Identity;
pub use identity_source::IdentitySource;
pub use key::PrivateKey;
pub use request::RolesAnywhere;
pub use selector::CertificateSelector;
pub use signer::{Digest, KeyKind, SharedSigner, Signer};
