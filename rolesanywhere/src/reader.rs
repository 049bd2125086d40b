use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ring::digest::{Context as Hash, SHA256, digest};
use rolecall_core::{
    Context, CredentialsError, ErrorKind, PathKind, Result, Secret, SecretInput, timestamp,
};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::key::{encrypted, pkcs12};
use crate::material::{Input, Key, Material, place_of, plain};
use crate::{Certificate, Identity, IdentitySource, PrivateKey, SharedSigner};

const PROVIDER: &str = "Roles Anywhere identity";
/// How often a person may mistype a password.
const ATTEMPTS: u32 = 3;
/// How often a pair that does not fit is read again while somebody may be writing it, and how long
/// to wait in between.
const READINGS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(50);
/// A file that was written less than this ago may be one of a pair that is being replaced.
const FRESH: Duration = Duration::from_secs(5);

/// Reads an [`IdentitySource`], again whenever its files change, as a whole: a certificate is never
/// used with the key of another.
///
/// What is replaced while it is read, or is half written, does not count: the identity read before
/// goes on while its certificate is valid. Standard input and pipes are read once. A password that
/// a person typed is kept in memory for the next reading.
#[derive(Debug)]
pub struct IdentityReader {
    context: Context,
    source: IdentitySource,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Current>,
    /// What a person typed.
    typed: Option<Secret>,
    /// What can be read but once.
    once: Vec<(SecretInput, Arc<Zeroizing<Vec<u8>>>)>,
}

// It holds keys and passwords.
impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("is_read", &self.current.is_some()).finish_non_exhaustive()
    }
}

struct Current {
    contents: [u8; 32],
    identity: Identity,
}

/// The inputs as they were at one time.
struct Reading {
    certificate: Option<Part>,
    key: Option<Part>,
    intermediates: Option<Part>,
    contents: [u8; 32],
}

/// One input.
struct Part {
    place: String,
    data: Data,
}

enum Data {
    Bytes(Arc<Zeroizing<Vec<u8>>>),
    Token(String),
}

impl IdentityReader {
    /// Reads nothing yet.
    pub fn new(context: Context, source: IdentitySource) -> Self {
        Self { context, source, state: Mutex::default() }
    }

    /// The identity as it is now.
    ///
    /// # Errors
    /// `InvalidConfiguration` if something is missing, damaged or does not belong together;
    /// `Denied` if a password is wrong.
    pub async fn identity(&self) -> Result<Identity> {
        let mut state = self.state.lock().await;
        let mut attempt = 1;
        let error = loop {
            let error = match self.read(&mut state) {
                Err(error) => error,
                Ok(reading) => {
                    if let Some(current) = &state.current
                        && current.contents == reading.contents
                    {
                        return Ok(current.identity.clone());
                    }
                    match self.load(&reading, &mut state).await {
                        Ok(identity) => {
                            let contents = reading.contents;
                            state.current = Some(Current { contents, identity: identity.clone() });
                            return Ok(identity);
                        }
                        Err(error) => error,
                    }
                }
            };
            // A wrong password does not mend itself.
            let may_mend = error.kind() == ErrorKind::InvalidConfiguration;
            if !may_mend || attempt == READINGS || !self.is_being_written() {
                break error;
            }
            attempt += 1;
            self.context.clock.sleep(PAUSE).await;
        };
        let now = self.context.clock.now();
        match &state.current {
            Some(current) if current.identity.leaf().is_valid_at(now) => {
                tracing::warn!(
                    %error,
                    until = timestamp::format(current.identity.leaf().not_after()),
                    "the key and certificate cannot be read anew; going on with those from before"
                );
                Ok(current.identity.clone())
            }
            _ => Err(error),
        }
    }

    /// The signer alone: for the private key no certificate is needed.
    ///
    /// # Errors
    /// As [`Self::identity`].
    pub async fn signer(&self) -> Result<SharedSigner> {
        let mut state = self.state.lock().await;
        let reading = self.read(&mut state)?;
        let key = reading.key.as_ref().or(reading.certificate.as_ref()).ok_or_else(nothing)?;
        let (signer, _) = self.open_key(key, &mut state).await?;
        Ok(signer)
    }

    /// The certificates of the certificate's input, in its order; of its key's, if it names none.
    ///
    /// # Errors
    /// As [`Self::identity`]; also if there is none.
    pub async fn certificates(&self) -> Result<Vec<Certificate>> {
        let mut state = self.state.lock().await;
        let reading = self.read(&mut state)?;
        let part = reading.certificate.as_ref().or(reading.key.as_ref()).ok_or_else(nothing)?;
        let material = match &part.data {
            Data::Token(uri) => return Err(no_token(uri)),
            Data::Bytes(bytes) => Material::read(bytes, &part.place)?,
        };
        let mut certificates = material.certificates.clone();
        if let Some(der) = &material.pkcs12 {
            certificates.extend(self.open_pkcs12(der, &material, &mut state).await?.1);
        }
        if certificates.is_empty() {
            let message = format!("there is no certificate: it holds {}", material.contents());
            return Err(material.refuse(message));
        }
        Ok(certificates)
    }

    /// A text that stays the same for one identity, also when its certificate is renewed, and needs
    /// neither the key nor a password: it names in the cache whose session it is.
    ///
    /// It tells identities apart by who their certificates are for: subject, issuer and alternative
    /// names. So a renewed certificate goes on with the session that the one before it got, and
    /// another identity at the same path does not. Where that cannot be seen without a password or
    /// a PIN (PKCS#12, a token), it is the file's contents or the URI.
    pub fn cache_identity(&self) -> String {
        let source = &self.source;
        let Some(input) = source.certificate.as_ref().or(source.private_key.as_ref()) else {
            return "nothing".to_owned();
        };
        let bytes = match input {
            // It can be read but once, and that is for the call itself.
            SecretInput::Stdin => return place_of(input),
            SecretInput::File(path) if !self.is_plain_file(path) => return place_of(input),
            _ => match Input::read(input, &self.context) {
                Ok(Input::Bytes(bytes)) => bytes,
                Ok(Input::Token(uri)) => return self.token_identity(&uri),
                Err(_) => return place_of(input),
            },
        };
        let Ok(material) = Material::read(&bytes, "") else { return place_of(input) };
        let mut hash = Hash::new(&SHA256);
        let mut add = |part: &[u8]| {
            hash.update(&part.len().to_be_bytes());
            hash.update(part);
        };
        let all_are_authorities = material.certificates.iter().all(Certificate::is_ca);
        let leaves = material.certificates.iter().filter(|c| all_are_authorities || !c.is_ca());
        leaves.flat_map(Certificate::holder).for_each(&mut add);
        if let Some(der) = &material.pkcs12 {
            add(digest(&SHA256, der).as_ref());
        }
        if material.certificates.is_empty() && material.pkcs12.is_none() {
            return place_of(input);
        }
        hex::encode(&hash.finish().as_ref()[..16])
    }

    /// The URI without its PIN, and the module.
    fn token_identity(&self, uri: &str) -> String {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let query: Vec<&str> = query.split('&').filter(|part| !part.starts_with("pin-")).collect();
        format!("{path}?{} {:?}", query.join("&"), self.source.pkcs11_module)
    }

    fn is_plain_file(&self, path: &Path) -> bool {
        matches!(self.context.fs.facts(path), Ok(Some(facts)) if facts.kind == PathKind::File)
    }

    fn read(&self, state: &mut State) -> Result<Reading> {
        let mut hash = Hash::new(&SHA256);
        let mut part = |input: &Option<SecretInput>| -> Result<Option<Part>> {
            let Some(input) = input else {
                hash.update(b"-");
                return Ok(None);
            };
            let data = self.read_input(input, state)?;
            let bytes = match &data {
                Data::Bytes(bytes) => bytes.as_slice(),
                Data::Token(uri) => uri.as_bytes(),
            };
            hash.update(&bytes.len().to_be_bytes());
            hash.update(bytes);
            Ok(Some(Part { place: place_of(input), data }))
        };
        let certificate = part(&self.source.certificate)?;
        let key = part(&self.source.private_key)?;
        let intermediates = part(&self.source.intermediates)?;
        let mut contents = [0; 32];
        contents.copy_from_slice(hash.finish().as_ref());
        Ok(Reading { certificate, key, intermediates, contents })
    }

    fn read_input(&self, input: &SecretInput, state: &mut State) -> Result<Data> {
        if let Some((_, bytes)) = state.once.iter().find(|(known, _)| known == input) {
            return Ok(Data::Bytes(bytes.clone()));
        }
        let bytes = match Input::read(input, &self.context)? {
            Input::Token(uri) => return Ok(Data::Token(uri)),
            Input::Bytes(bytes) => Arc::new(bytes),
        };
        let is_once = match input {
            SecretInput::Stdin => true,
            SecretInput::File(path) => !self.is_plain_file(path),
            _ => false,
        };
        if is_once {
            state.once.push((input.clone(), bytes.clone()));
        }
        Ok(Data::Bytes(bytes))
    }

    /// Whether one of the files was written just now.
    fn is_being_written(&self) -> bool {
        let source = &self.source;
        let inputs = [&source.certificate, &source.private_key, &source.intermediates];
        let now = self.context.clock.local_now();
        inputs.into_iter().flatten().any(|input| {
            let SecretInput::File(path) = input else { return false };
            match self.context.fs.facts(path) {
                // A time ahead of ours may be a recent one too.
                Ok(Some(facts)) => facts
                    .modified
                    .is_some_and(|at| now.duration_since(at).unwrap_or_default() < FRESH),
                _ => false,
            }
        })
    }

    async fn load(&self, reading: &Reading, state: &mut State) -> Result<Identity> {
        let key_part = reading.key.as_ref().or(reading.certificate.as_ref()).ok_or_else(nothing)?;
        let (signer, beside_key) = self.open_key(key_part, state).await?;
        let candidates = match (&reading.certificate, &reading.key) {
            (Some(certificate), Some(_)) => self.open_certificates(certificate, state).await?,
            _ => beside_key.clone(),
        };
        let mut pool = candidates.clone();
        pool.extend(beside_key);
        if let Some(part) = &reading.intermediates {
            pool.extend(self.open_certificates(part, state).await?);
        }
        let now = self.context.clock.now();
        let identity = Identity::with_leaf_among(signer, &candidates, &pool, now)
            .map_err(|error| error.with_place(places(reading)))?;
        self.check_chain(&identity, reading, state)?;
        if state.current.is_some() {
            // One that AWS would refuse, such as a certificate that begins tomorrow, can wait.
            identity.check(now)?;
        }
        Ok(identity)
    }

    /// A leaf of today with the intermediates of yesterday would be refused by AWS.
    fn check_chain(&self, identity: &Identity, reading: &Reading, state: &State) -> Result<()> {
        let Some(part) = &reading.intermediates else { return Ok(()) };
        if !identity.chain().is_empty() || identity.leaf().is_self_issued() {
            return Ok(());
        }
        let had_chain = state.current.as_ref().is_some_and(|c| !c.identity.chain().is_empty());
        let message = format!(
            "none of the certificates there has issued {}: its issuer is {}",
            identity.leaf(),
            identity.leaf().issuer()
        );
        if had_chain {
            let error = CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message);
            return Err(error.with_place(part.place.as_str()));
        }
        // It may be the trust anchor's own certificate, which is needless but not wrong.
        tracing::debug!(file = part.place, "{message}");
        Ok(())
    }

    /// The key at one place, and the certificates that lie with it.
    async fn open_key(
        &self,
        part: &Part,
        state: &mut State,
    ) -> Result<(SharedSigner, Vec<Certificate>)> {
        let bytes = match &part.data {
            Data::Token(uri) => return Err(no_token(uri)),
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

    async fn open_certificates(&self, part: &Part, state: &mut State) -> Result<Vec<Certificate>> {
        let bytes = match &part.data {
            Data::Token(uri) => return Err(no_token(uri)),
            Data::Bytes(bytes) => bytes.clone(),
        };
        let mut material = Material::read(&bytes, &part.place)?;
        if let Some(der) = material.pkcs12.take() {
            return Ok(self.open_pkcs12(&der, &material, state).await?.1);
        }
        if material.certificates.is_empty() {
            let message = format!("there is no certificate: it holds {}", material.contents());
            return Err(material
                .refuse(message)
                .with_help("were key and certificate given the wrong way round?"));
        }
        Ok(material.certificates)
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
        if let Some(input) = &self.source.password {
            let password = input.read(&self.context).map_err(at)?;
            return open(&password).map_err(at);
        }
        if let Some(typed) = &state.typed
            && let Ok(opened) = open(typed)
        {
            return Ok(opened);
        }
        let mut attempt = 1;
        loop {
            let question = format!("Password of {place}: ");
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

fn places(reading: &Reading) -> String {
    let parts = [&reading.certificate, &reading.key];
    let places: Vec<&str> = parts.into_iter().flatten().map(|part| part.place.as_str()).collect();
    places.join(" and ")
}

fn nothing() -> CredentialsError {
    let message = "neither a certificate nor a private key is given";
    CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
        .with_help("give both: --certificate and --private-key")
}

fn no_token(uri: &str) -> CredentialsError {
    let place = place_of(&SecretInput::Literal(uri.into()));
    let message = "this rolecall is built without PKCS#11";
    CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
        .with_place(place)
        .with_help("build it with the feature pkcs11, or use a key in a file")
}

#[cfg(test)]
mod tests;
