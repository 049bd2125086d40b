//! Keys and certificates in PKCS#11 tokens: smart cards, HSMs, SoftHSM.
//!
//! A token's calls block, and may block for ever: each runs in a thread of its own, one at a time in
//! each module, and is waited for only so long. See [`module::Module::call`].

mod failure;
mod module;
mod object;
mod pin;
mod signature;
mod signer;
mod token;
mod uri;

use std::path::PathBuf;

use rolecall_core::{Context, Result};

use self::pin::Pin;
pub(crate) use self::uri::Uri;
use crate::password::Password;
use crate::{Certificate, SharedSigner};

/// As errors name what fails here.
pub(crate) const PROVIDER: &str = "PKCS#11";

/// A token, an object in it, and how to log in.
#[derive(Clone, Debug)]
pub(crate) struct TokenSource {
    uri: Uri,
    /// Above the URI's.
    module: Option<PathBuf>,
    pin: Pin,
}

/// What [`TokenSource::certificates`] finds.
#[derive(Debug, Default)]
pub(crate) struct TokenCertificates {
    /// Those that the URI names.
    pub(crate) named: Vec<Certificate>,
    /// All of the tokens that these lie in: a chain may be among them.
    pub(crate) all: Vec<Certificate>,
    /// How those are called that lie where none is named, for an error.
    pub(crate) others: Vec<String>,
}

impl TokenCertificates {
    /// What there is instead of a certificate that is not named.
    pub(crate) fn there_are(self) -> String {
        object::there_are(self.others.into_iter())
    }
}

impl TokenSource {
    /// `module` is above the URI's, and `password` below the URI's PIN. With `reuse_pin`, a key that
    /// asks for a PIN at each signature gets the token's.
    pub(crate) fn new(
        uri: Uri,
        module: Option<PathBuf>,
        password: Option<Password>,
        reuse_pin: bool,
    ) -> Self {
        let pin = Pin::new(uri.pin.clone(), password, reuse_pin);
        Self { uri, module, pin }
    }

    /// Another object, by default with the PIN that was given for this one.
    pub(crate) fn with_uri(&self, uri: Uri) -> Self {
        let pin = self.pin.or(uri.pin.clone());
        Self { uri, pin, ..self.clone() }
    }

    /// The certificates that the URI names, without logging in if they are public; all, if it names
    /// a private key and no certificate. `named` may be empty.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is no such module or token; `Denied` if the PIN is wrong;
    /// `Unavailable` or `TimedOut` if the token fails.
    pub(crate) async fn certificates(&self, context: &Context) -> Result<TokenCertificates> {
        object::certificates(context, self).await
    }

    /// A signer with the private key that the URI names and whose public key is in one of
    /// `wanted`; any key if that is empty. The URI may name a certificate of `wanted` instead,
    /// unless its type is `private`.
    ///
    /// # Errors
    /// As [`Self::certificates`]; `InvalidConfiguration` if there is no such key, or several.
    pub(crate) async fn signer(
        &self,
        context: &Context,
        wanted: &[Certificate],
    ) -> Result<SharedSigner> {
        signer::open(context, self, wanted).await
    }
}

#[cfg(test)]
mod tests;
