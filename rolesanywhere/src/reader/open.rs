//! Opening what was read: keys, certificates, PKCS#12, tokens.

use std::sync::Arc;

use rolecall_core::{CredentialsError, ErrorKind, Result, Secret};
use zeroize::Zeroizing;

use super::{Certificates, Data, IdentityReader, PROVIDER, Part, State};
use crate::key::{encrypted, pkcs12};
use crate::material::{Key, Material, plain};
#[cfg(feature = "pkcs11")]
use crate::pkcs11::{TokenCertificates, TokenSource, Uri};
use crate::{Certificate, PrivateKey, SharedSigner, selector};

/// How often a person may mistype a password.
const ATTEMPTS: u32 = 3;

impl IdentityReader {
    /// The key at one place, and the certificates that lie with it.
    ///
    /// A key in a token is that of one of the certificates `wanted`, if there are any.
    pub(super) async fn open_key(
        &self,
        part: &Part,
        wanted: &[Certificate],
        state: &mut State,
    ) -> Result<(SharedSigner, Vec<Certificate>)> {
        let bytes = match &part.data {
            Data::Token(uri) => return Ok((self.token_signer(uri, wanted).await?, Vec::new())),
            Data::Bytes(bytes) => bytes.clone(),
        };
        let mut material = Material::read(&bytes, &part.place)?;
        if let Some(der) = material.pkcs12.take() {
            let (key, certificates) = self.open_pkcs12(&der, &material, state).await?;
            let key = key.ok_or_else(|| {
                material.refuse("the PKCS#12 file holds certificates, but no private key")
            })?;
            return Ok((Arc::new(plain(&key, &part.place)?), certificates));
        }
        let key: PrivateKey = match material.keys.as_slice() {
            [Key::Plain(der)] => plain(der, &part.place)?,
            [Key::Encrypted(der)] => {
                let opened = self
                    .with_password(&part.place, state, |password| encrypted::decrypt(der, password))
                    .await?;
                plain(&opened, &part.place)?
            }
            [Key::Unusable(error)] => return Err(error.clone().with_place(part.place.as_str())),
            [] => {
                let message = format!("there is no private key: it holds {}", material.contents());
                let error = material.refuse(message);
                return Err(match self.source.private_key.is_some() {
                    true => error.with_help("were key and certificate given the wrong way round?"),
                    false => error.with_help("give the private key too (--private-key)"),
                });
            }
            several => {
                let message = format!("it holds {} private keys", several.len());
                return Err(material.refuse(message).with_help("leave the one that is meant"));
            }
        };
        Ok((Arc::new(key), material.certificates))
    }

    /// The certificates at one place, at least one.
    pub(super) async fn open_certificates(
        &self,
        part: &Part,
        state: &mut State,
    ) -> Result<Certificates> {
        let bytes = match &part.data {
            Data::Token(uri) => {
                let found = self.token_certificates(uri).await;
                return found.map_err(|error| error.with_place(part.place.as_str()));
            }
            Data::Bytes(bytes) => bytes.clone(),
        };
        let mut material = Material::read(&bytes, &part.place)?;
        if let Some(der) = material.pkcs12.take() {
            return Ok(self.open_pkcs12(&der, &material, state).await?.1.into());
        }
        if material.certificates.is_empty() {
            let message = format!("there is no certificate: it holds {}", material.contents());
            return Err(material
                .refuse(message)
                .with_help("were key and certificate given the wrong way round?"));
        }
        Ok(material.certificates.into())
    }

    /// Leaves the certificate that the selector means.
    pub(super) fn select(&self, found: Certificates) -> Result<Certificates> {
        let Some(selector) = &self.source.selector else { return Ok(found) };
        let latest = self.source.use_latest_expiring;
        let named = selector::choose(&found.named, selector, latest)?.clone();
        Ok(Certificates { named: vec![named], ..found })
    }

    /// The first is kept, so that nobody is asked twice for a PIN.
    #[cfg(feature = "pkcs11")]
    fn token(&self, uri: Uri) -> TokenSource {
        let source = &self.source;
        let (module, password) = (source.pkcs11_module.clone(), self.password.clone());
        let first = || TokenSource::new(uri.clone(), module, password, source.reuse_pin);
        self.token.get_or_init(first).with_uri(uri.clone())
    }

    #[cfg(feature = "pkcs11")]
    async fn token_signer(&self, uri: &Secret, wanted: &[Certificate]) -> Result<SharedSigner> {
        let uri: Uri = uri.expose().parse()?;
        // With a URI of its own for the key, that is what it names.
        let uri = if self.source.private_key.is_some() { uri.of_key() } else { uri };
        self.token(uri).signer(&self.context, wanted).await
    }

    #[cfg(feature = "pkcs11")]
    async fn token_certificates(&self, uri: &Secret) -> Result<Certificates> {
        let found = self.token(uri.expose().parse()?).certificates(&self.context).await?;
        if found.named.is_empty() {
            let message = format!("the token has no such certificate; {}", found.there_are());
            let error = CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message);
            return Err(error.with_help(
                "name it by its label or its id (object=LABEL, or id=%01), or give the certificate \
                 in a file (--certificate)",
            ));
        }
        let TokenCertificates { named, all, .. } = found;
        Ok(Certificates { named, all })
    }

    #[cfg(not(feature = "pkcs11"))]
    async fn token_signer(&self, uri: &Secret, _: &[Certificate]) -> Result<SharedSigner> {
        Err(no_token(uri))
    }

    #[cfg(not(feature = "pkcs11"))]
    async fn token_certificates(&self, uri: &Secret) -> Result<Certificates> {
        Err(no_token(uri))
    }

    /// Opens a PKCS#12 file: with no password, as many have none, else with the one there is.
    async fn open_pkcs12(
        &self,
        der: &[u8],
        material: &Material,
        state: &mut State,
    ) -> Result<(Option<Zeroizing<Vec<u8>>>, Vec<Certificate>)> {
        let place = material.place.as_str();
        let opened = match pkcs12::open(der, None) {
            Err(error) if error.kind() == ErrorKind::Denied => {
                self.with_password(place, state, |password| pkcs12::open(der, Some(password)))
                    .await?
            }
            opened => opened.map_err(|error| error.with_place(place))?,
        };
        let certificates = opened
            .certificates
            .iter()
            .map(|der| Certificate::from_der(der).map_err(|error| error.with_place(place)));
        Ok((opened.key, certificates.collect::<Result<_>>()?))
    }

    /// Opens something with the configured password, else with one that a person types.
    async fn with_password<T>(
        &self,
        place: &str,
        state: &mut State,
        open: impl Fn(&Secret) -> Result<T>,
    ) -> Result<T> {
        let at = |error: CredentialsError| error.with_place(place);
        if let Some(password) = &self.password {
            let password = password.read(&self.context).map_err(at)?;
            return open(&password).map_err(at);
        }
        if let Some(typed) = &state.typed
            && let Ok(opened) = open(typed)
        {
            return Ok(opened);
        }
        let mut attempt = 1;
        loop {
            let again = if attempt > 1 { "Wrong password. " } else { "" };
            let question = format!("{again}Password of {place}: ");
            let typed = self.context.prompt.ask(&question).await.map_err(|error| {
                error.with_help("give the password: --pkcs8-password file://PATH, - or env:NAME")
            });
            let typed = typed.map_err(at)?;
            match open(&typed) {
                Err(error) if error.kind() == ErrorKind::Denied && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => return Err(at(error)),
                Ok(opened) => {
                    state.typed = Some(typed);
                    return Ok(opened);
                }
            }
        }
    }
}

#[cfg(not(feature = "pkcs11"))]
fn no_token(uri: &Secret) -> CredentialsError {
    let place = crate::material::place_of(&rolecall_core::SecretInput::Literal(uri.clone()));
    let message = "this rolecall is built without PKCS#11";
    let error = CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message);
    crate::unsupported::not_supported(error)
        .with_place(place)
        .with_help("build it with the feature pkcs11, or use a key in a file")
}
