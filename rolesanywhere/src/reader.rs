mod cache_identity;
mod open;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ring::digest::{Context as Hash, SHA256};
use rolecall_core::{
    Context, CredentialsError, ErrorKind, PathKind, Result, Secret, SecretInput, timestamp,
};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::material::{Input, place_of};
use crate::password::Password;
use crate::{Certificate, Identity, IdentitySource, SharedSigner, selector};

const PROVIDER: &str = "Roles Anywhere identity";
/// How often a pair that does not fit is read while somebody may be writing it, and how long to wait
/// in between.
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
    password: Option<Password>,
    state: Mutex<State>,
    #[cfg(feature = "pkcs11")]
    token: std::sync::OnceLock<crate::pkcs11::TokenSource>,
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
    Token(Secret),
}

/// Certificates from one place.
struct Certificates {
    /// Those that are meant: the leaf is one of them.
    named: Vec<Certificate>,
    /// These and the others there, which may be of the chain.
    all: Vec<Certificate>,
}

impl From<Vec<Certificate>> for Certificates {
    fn from(all: Vec<Certificate>) -> Self {
        Self { named: all.clone(), all }
    }
}

impl Reading {
    /// Whether a part is where a change is not seen.
    fn is_in_token(&self) -> bool {
        [&self.certificate, &self.key].into_iter().flatten().any(Part::is_in_token)
    }
}

impl Part {
    fn is_in_token(&self) -> bool {
        matches!(self.data, Data::Token(_))
    }
}

impl IdentityReader {
    /// Reads nothing yet.
    pub fn new(context: Context, source: IdentitySource) -> Self {
        Self {
            context,
            password: source.password.clone().map(Password::new),
            source,
            state: Mutex::default(),
            #[cfg(feature = "pkcs11")]
            token: std::sync::OnceLock::new(),
        }
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
                        && (!reading.is_in_token() || self.is_valid(current))
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
            if !may_mend || attempt == READINGS || !self.may_be_in_the_making(&state, attempt) {
                break error;
            }
            attempt += 1;
            self.context.clock.sleep(PAUSE).await;
        };
        match &state.current {
            Some(current) if self.is_valid(current) => {
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

    fn is_valid(&self, current: &Current) -> bool {
        current.identity.leaf().is_valid_at(self.context.clock.now())
    }

    /// The signer alone: for the private key no certificate is needed.
    ///
    /// # Errors
    /// As [`Self::identity`].
    pub async fn signer(&self) -> Result<SharedSigner> {
        let mut state = self.state.lock().await;
        let reading = self.read(&mut state)?;
        let key = reading.key.as_ref().or(reading.certificate.as_ref());
        let key = key.ok_or_else(|| self.nothing())?;
        Ok(self.open_key(key, &[], &mut state).await?.0)
    }

    /// The certificates of the certificate's input, in its order; of its key's, if it names none.
    /// With a selector, those that it matches, or the latest of them if that is meant.
    ///
    /// # Errors
    /// As [`Self::identity`]; also if there is none.
    pub async fn certificates(&self) -> Result<Vec<Certificate>> {
        let mut state = self.state.lock().await;
        let reading = self.read(&mut state)?;
        let part = reading.certificate.as_ref().or(reading.key.as_ref());
        let part = part.ok_or_else(|| self.nothing())?;
        let named = self.open_certificates(part, &mut state).await?.named;
        match &self.source.selector {
            Some(selector) if self.source.use_latest_expiring => {
                Ok(vec![selector::choose(&named, selector, true)?.clone()])
            }
            Some(selector) => {
                Ok(selector::matching(&named, selector)?.into_iter().cloned().collect())
            }
            None => Ok(named),
        }
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
                Data::Token(uri) => uri.expose().as_bytes(),
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

    fn nothing(&self) -> CredentialsError {
        if self.source.selector.is_some() {
            return selector::system_store();
        }
        let message = "neither a certificate nor a private key is given";
        CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
            .with_help("give both: --certificate and --private-key")
    }

    /// Whether one of the files was written just now, or may have been: `mv` and `cp -p` keep the
    /// time of what they put there. So with nothing to go on with, any is read twice.
    fn may_be_in_the_making(&self, state: &State, attempt: u32) -> bool {
        let source = &self.source;
        let inputs = [&source.certificate, &source.private_key, &source.intermediates];
        let now = self.context.clock.local_now();
        let is_first = attempt == 1 && !state.current.as_ref().is_some_and(|c| self.is_valid(c));
        inputs.into_iter().flatten().any(|input| {
            let SecretInput::File(path) = input else { return false };
            match self.context.fs.facts(path) {
                // A time ahead of ours may be a recent one too.
                Ok(Some(facts)) if facts.kind == PathKind::File => {
                    let is_fresh = |at| now.duration_since(at).unwrap_or_default() < FRESH;
                    is_first || facts.modified.is_some_and(is_fresh)
                }
                _ => false,
            }
        })
    }

    async fn load(&self, reading: &Reading, state: &mut State) -> Result<Identity> {
        let key = reading.key.as_ref().or(reading.certificate.as_ref());
        let key = key.ok_or_else(|| self.nothing())?;
        // A token may hold several keys: the certificate tells which is meant.
        let apart = match (&reading.certificate, &reading.key) {
            (Some(certificate), Some(_)) => Some(self.open_certificates(certificate, state).await?),
            _ if key.is_in_token() => Some(self.open_certificates(key, state).await?),
            _ => None,
        };
        let apart = apart.map(|found| self.select(found)).transpose()?;
        let wanted = apart.as_ref().map_or(&[][..], |found| &found.named);
        let (signer, beside_key) = self.open_key(key, wanted, state).await?;
        let mut pool = beside_key.clone();
        let candidates = match apart {
            None => self.select(Certificates::from(beside_key))?.named,
            Some(apart) => {
                pool.extend(apart.all);
                apart.named
            }
        };
        if let Some(part) = &reading.intermediates {
            pool.extend(self.open_certificates(part, state).await?.all);
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
}

fn places(reading: &Reading) -> String {
    let parts = [&reading.certificate, &reading.key];
    let places: Vec<&str> = parts.into_iter().flatten().map(|part| part.place.as_str()).collect();
    places.join(" and ")
}

#[cfg(test)]
mod tests;
