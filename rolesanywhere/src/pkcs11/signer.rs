//! Signing with a key in a token.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cryptoki::error::RvError;
use cryptoki::mechanism::MechanismType;
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};
use rolecall_core::{Context, CredentialsError, ErrorKind, Result};

use super::TokenSource;
use super::failure::{code, fail, invalid, is_gone, token_failed};
use super::module::{CALL_LIMIT, Module, PIN_PAD_LIMIT, State};
use super::object::{KeyFacts, private_keys, public_keys, there_are};
use super::pin::Answer;
use super::signature::{Request, finish, verifies};
use super::token::{self, Token};
use super::uri::{ObjectKind, Uri};
use crate::{Certificate, Digest, KeyKind, SharedSigner, Signer};

/// A key in a token. Opens the token again, once a signature, when it was taken out and put back.
struct TokenSigner {
    context: Context,
    module: Arc<Module>,
    /// Of this token alone, and this key.
    source: TokenSource,
    token: Token,
    /// How errors and questions name it.
    name: String,
    kind: KeyKind,
    public_key: Vec<u8>,
    /// Nothing in the token tells the key's public half: it is what the certificate says, and each
    /// signature is checked with it.
    is_assumed: bool,
    always_authenticate: bool,
    /// `None` after a failure. Used under the module's lock alone.
    open: Arc<Mutex<Option<Open>>>,
}

/// A session that may use the key.
struct Open {
    session: Session,
    key: ObjectHandle,
    mechanisms: Vec<MechanismType>,
}

/// What is looked for: a public key and its kind.
type Wanted = (Vec<u8>, KeyKind);

/// A key that was found.
struct Found {
    token: Token,
    open: Open,
    key: KeyFacts,
    kind: KeyKind,
    public_key: Vec<u8>,
    is_assumed: bool,
}

/// See [`TokenSource::signer`].
pub(super) async fn open(
    context: &Context,
    source: &TokenSource,
    wanted: &[Certificate],
) -> Result<SharedSigner> {
    let wanted = match wanted {
        [] => None,
        certificates => {
            let usable = |c: &Certificate| Some((c.public_key().to_vec(), c.key_kind()?));
            Some(certificates.iter().filter_map(usable).collect())
        }
    };
    let module = Module::find(context, source.module.as_deref(), &source.uri)?;
    let found = connect(context, &module, source, wanted).await?;
    let uri = found.token.narrow(&source.uri);
    Ok(Arc::new(TokenSigner {
        context: context.clone(),
        module,
        source: source.with_uri(uri),
        name: found.key.to_string(),
        token: found.token,
        kind: found.kind,
        public_key: found.public_key,
        is_assumed: found.is_assumed,
        always_authenticate: found.key.always_authenticate,
        open: Arc::new(Mutex::new(Some(found.open))),
    }))
}

/// Where the key is.
enum Search {
    Found(Box<Found>),
    /// It may be behind the login of this token.
    Closed(Token),
}

/// Finds the key, and logs in if it is not to be seen otherwise.
async fn connect(
    context: &Context,
    module: &Arc<Module>,
    source: &TokenSource,
    wanted: Option<Vec<Wanted>>,
) -> Result<Found> {
    let (shared, source_there, wanted_there) = (module.clone(), source.clone(), wanted.clone());
    let search = module
        .call(context, CALL_LIMIT, move |state| {
            search(&shared, state, &source_there, wanted_there.as_deref())
        })
        .await?;
    let token = match search {
        Search::Found(found) => return Ok(*found),
        Search::Closed(token) => token,
    };
    let pin = source.pin.of(context, &token).await?;
    let limit = if pin.is_none() { PIN_PAD_LIMIT } else { CALL_LIMIT };
    let (shared, source) = (module.clone(), source.clone());
    module
        .call(context, limit, move |state| {
            let library = shared.library(state)?;
            let session = token::session(&library, &token)?;
            if !token::is_logged_in(&session) {
                let user = UserType::User;
                token::log_in(state, &library, &session, &token, user, pin.as_ref())
                    .inspect_err(|_| source.pin.forget(&token))?;
            }
            let keys = named_keys(&session, &token, &source.uri, wanted.is_some())?;
            if keys.is_empty() {
                let others = private_keys(&session, &token, &source.uri.whole_token())?;
                return Err(no_key(&source, &[token], &others));
            }
            choose(&shared, state, session, token, keys, wanted.as_deref())
        })
        .await
}

/// Looks for the key without logging in.
fn search(
    module: &Module,
    state: &mut State,
    source: &TokenSource,
    wanted: Option<&[Wanted]>,
) -> Result<Search> {
    let library = module.library(state)?;
    let tokens = token::named(&library, &source.uri, &module.to_string())?;
    let (mut open, mut closed, mut hinted) = (Vec::new(), Vec::new(), Vec::new());
    let mut others = Vec::new();
    for token in &tokens {
        let session = token::session(&library, token)?;
        let keys = named_keys(&session, token, &source.uri, wanted.is_some())?;
        if !keys.is_empty() {
            open.push((token.clone(), choose(module, state, session, token.clone(), keys, wanted)));
        } else if token.needs_login && !token::is_logged_in(&session) {
            // A public key or certificate tells behind which login the private key is.
            let public = public_keys(&session, &source.uri).unwrap_or_default();
            let is_wanted = |key: &Vec<u8>| wanted.is_none_or(|w| w.iter().any(|(k, _)| k == key));
            if public.iter().any(|(_, key)| is_wanted(key)) {
                hinted.push(token.clone());
            }
            closed.push(token.clone());
        } else {
            others.extend(private_keys(&session, token, &source.uri.whole_token())?);
        }
    }
    if open.iter().any(|(_, found)| found.is_ok()) {
        open.retain(|(_, found)| found.is_ok());
    }
    match (open.len(), &closed[..], &hinted[..]) {
        (1, ..) if open[0].1.is_ok() || closed.is_empty() => {
            open.remove(0).1.map(|found| Search::Found(Box::new(found)))
        }
        (0 | 1, [token], _) | (0 | 1, _, [token]) => Ok(Search::Closed(token.clone())),
        (0, [], _) => Err(no_key(source, &tokens, &others)),
        _ => {
            let all = open.iter().map(|(token, _)| token).chain(&closed);
            let all: Vec<_> = all.map(ToString::to_string).collect();
            Err(invalid(format!("the key may be in {} tokens: {}", all.len(), all.join(", ")))
                .with_help("add serial= or token= to the URI"))
        }
    }
}

/// The private keys that `uri` names. One that names none may name the certificate, whose key may
/// have another label: then all, if it is known which is wanted.
fn named_keys(
    session: &Session,
    token: &Token,
    uri: &Uri,
    is_known: bool,
) -> Result<Vec<KeyFacts>> {
    let keys = match uri.kind {
        Some(ObjectKind::Certificate) => Vec::new(),
        _ => private_keys(session, token, uri)?,
    };
    if !keys.is_empty() || !is_known || uri.kind == Some(ObjectKind::Private) {
        return Ok(keys);
    }
    private_keys(session, token, &uri.whole_token())
}

/// The one of `keys` that is wanted.
fn choose(
    module: &Module,
    state: &mut State,
    session: Session,
    token: Token,
    keys: Vec<KeyFacts>,
    wanted: Option<&[Wanted]>,
) -> Result<Found> {
    let list = || keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (mut fitting, mut unknown) = (Vec::new(), Vec::new());
    for key in &keys {
        let Some(kind) = key.kind else { continue };
        match (&key.public_key, wanted) {
            (Some(public), Some(wanted)) if wanted.iter().all(|(key, _)| key != public) => {}
            (Some(public), _) => fitting.push((key, kind, public.clone(), false)),
            (None, Some(wanted)) => {
                let same_kind = wanted.iter().filter(|(_, wanted)| *wanted == kind);
                unknown.extend(same_kind.map(|(public, _)| (key, kind, public.clone(), true)));
            }
            (None, None) => {}
        }
    }
    // A copy of the key is as good.
    fitting.sort_by(|a, b| a.2.cmp(&b.2));
    fitting.dedup_by(|a, b| a.2 == b.2);
    if fitting.is_empty() {
        fitting = unknown;
    }
    let (key, kind, public_key, is_assumed) = match fitting.len() {
        1 => fitting.remove(0),
        0 if wanted.is_some() => {
            return Err(invalid(format!(
                "no private key in {token} belongs to the certificate; there are: {}",
                list()
            )));
        }
        0 => {
            return Err(invalid(format!(
                "no private key in {token} can be used; there are: {} (RSA, P-256, P-384 and P-521 \
                 can, if the token holds the public key or certificate too)",
                list()
            )));
        }
        count => {
            return Err(invalid(format!("{count} private keys in {token} fit: {}", list()))
                .with_help("add object= or id= to the URI"));
        }
    };
    let library = module.library(state)?;
    // A token that does not tell is asked for what all have.
    let mechanisms = library.get_mechanism_list(token.slot).unwrap_or_default();
    let open = Open { session, key: key.handle, mechanisms };
    Ok(Found { token, open, key: key.clone(), kind, public_key, is_assumed })
}

/// The error for a key that is not among `others`, all that can be seen.
fn no_key(source: &TokenSource, tokens: &[Token], others: &[KeyFacts]) -> CredentialsError {
    let tokens: Vec<_> = tokens.iter().map(ToString::to_string).collect();
    let there = there_are(others.iter().map(ToString::to_string));
    let message = format!("no private key for {} is in {}; {there}", source.uri, tokens.join(", "));
    invalid(message).with_help("name it by its label or its id: object=LABEL, or id=%01")
}

/// Why a signature was not made.
enum Failure {
    /// The session is of no more use, but another may be.
    Gone(CredentialsError),
    Final(CredentialsError),
}

impl TokenSigner {
    async fn attempt(
        &self,
        digest: Digest,
        message: &[u8],
        pin: Option<Answer>,
    ) -> Result<Result<Vec<u8>, Failure>> {
        let limit = if self.token.pin_pad { PIN_PAD_LIMIT } else { CALL_LIMIT };
        let (module, token, name) = (self.module.clone(), self.token.clone(), self.name.clone());
        let (open, always) = (self.open.clone(), self.always_authenticate);
        let (kind, message, asked) = (self.kind, message.to_vec(), self.source.pin.clone());
        let call = self.module.call(&self.context, limit, move |state| {
            let mut slot = open.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(open) = slot.take() else {
                let error = fail(ErrorKind::Unavailable, format!("{token}: no session is open"));
                return Ok(Err(Failure::Gone(error)));
            };
            let request = Request::new(kind, digest, &message, &open.mechanisms, always);
            let signed = if always {
                let library = module.library(state)?;
                let (session, mechanism) = (&open.session, &request.mechanism);
                if let Err(error) = session.sign_init(mechanism, open.key) {
                    Err(error)
                } else {
                    let user = UserType::ContextSpecific;
                    let login = token::log_in(state, &library, session, &token, user, pin.as_ref());
                    if let Err(error) = login {
                        asked.forget(&token);
                        return Ok(Err(Failure::Final(error)));
                    }
                    // A call in one part would begin anew, without the login.
                    session.sign_update(&request.data).and_then(|()| session.sign_final())
                }
            } else {
                open.session.sign(&request.mechanism, open.key, &request.data)
            };
            Ok(match signed {
                Ok(raw) => {
                    *slot = Some(open);
                    finish(kind, raw).map_err(Failure::Final)
                }
                Err(error) => Err(refusal(error, &token, &name, always)),
            })
        });
        call.await
    }

    async fn reconnect(&self) -> Result<()> {
        let wanted = vec![(self.public_key.clone(), self.kind)];
        let found = connect(&self.context, &self.module, &self.source, Some(wanted)).await?;
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.open);
        Ok(())
    }
}

fn refusal(error: cryptoki::error::Error, token: &Token, name: &str, always: bool) -> Failure {
    let in_parts = matches!(
        code(&error),
        Some(RvError::OperationNotInitialized | RvError::FunctionNotSupported)
    );
    if always && in_parts {
        let message = format!(
            "{token}: the key {name} asks for its PIN at each signature, and the token's module \
             cannot sign in parts with it, as that needs"
        );
        return Failure::Final(
            fail(ErrorKind::InvalidConfiguration, message)
                .with_help("use an RSA key, or one that asks once (CKA_ALWAYS_AUTHENTICATE false)")
                .with_source(error),
        );
    }
    let is_gone = is_gone(&error);
    let failed = token_failed(&format!("sign with the key {name}"), &token.to_string(), error);
    if is_gone { Failure::Gone(failed) } else { Failure::Final(failed) }
}

#[async_trait]
impl Signer for TokenSigner {
    fn kind(&self) -> KeyKind {
        self.kind
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    async fn sign(&self, digest: Digest, message: &[u8]) -> Result<Vec<u8>> {
        let pin = match self.always_authenticate {
            true => self.source.pin.of_key(&self.context, &self.token, &self.name).await?,
            false => None,
        };
        let mut signed = self.attempt(digest, message, pin.clone()).await?;
        if let Err(Failure::Gone(error)) = &signed {
            tracing::debug!(%error, "opening the token again");
            self.reconnect().await?;
            signed = self.attempt(digest, message, pin).await?;
        }
        let signature = signed.map_err(|(Failure::Gone(error) | Failure::Final(error))| error)?;
        if self.is_assumed && !verifies(self.kind, &self.public_key, digest, message, &signature) {
            let (name, token) = (&self.name, &self.token);
            return Err(invalid(format!(
                "the private key {name} in {token} does not belong to the certificate"
            )));
        }
        Ok(signature)
    }
}

impl Drop for TokenSigner {
    fn drop(&mut self) {
        // A call that hangs still holds it, and closes it should it ever end.
        let open = self.open.try_lock().ok().and_then(|mut open| open.take());
        if let Some(open) = open {
            // Closing is a call as any other.
            self.module.drop_in_turn(open);
        }
    }
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSigner")
            .field("module", &self.module)
            .field("token", &self.token.to_string())
            .field("key", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
