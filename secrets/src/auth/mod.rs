//! Auth methods and sessions: who may log in with a token of cloud identity, and what they get.
//!
//! An [`AuthMethod`] names the bounds; [`Auth::authenticate`] checks a token against them and gives
//! an [`AuthSession`], a JWT that anybody can verify with the store's public keys. Definitions of
//! dynamic secrets can ask for sessions ([`Access`]). That is enforced here, in the library: whoever
//! can open the store can also read and write it by hand.

mod access;
mod keys;
mod method;
mod session;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rolecall_core::{Context, CredentialsError, ErrorKind, Result};
use rolecall_sts::identity::{Decision, Mode, Policy, ReplayGuard, ReplayKey, Verifier};
use serde_json::{Value, json};

pub use access::Access;
pub use keys::StoredKey;
pub use method::{AuthMethod, StoredMethod};
pub use session::{AuthSession, SessionClaims};

use self::keys::SigningKey;
use crate::audit::{Outcome, Record};
use crate::seal::SealingKey;
use crate::store::{AuthStore, Conflict, STORE_SUBJECT, Store};

/// How tokens are checked and sessions signed. The default takes each token once.
#[derive(Clone, Debug, Default)]
pub struct AuthOptions {
    /// How often a token may be used.
    pub mode: Mode,
    /// How old a token may be: 15 minutes at most; `None` is five.
    pub max_age: Option<Duration>,
    /// The key that the signing key is kept under, in the store; `None` keeps it in a file below
    /// `~/.aws/rolecall/keys`.
    pub sealing_key: Option<SealingKey>,
    /// Who does what is done, for the audit log.
    pub actor: String,
}

/// The auth methods of one store, and logins by them. One serves a process: it knows which tokens
/// are being checked.
#[derive(Debug)]
pub struct Auth {
    context: Context,
    store: Arc<dyn Store>,
    verifier: Verifier,
    options: AuthOptions,
    /// The one that this process signs with.
    key: tokio::sync::Mutex<Option<Arc<SigningKey>>>,
    /// By access id: the version that it is of.
    policies: Mutex<HashMap<String, (u32, Arc<Policy>)>>,
}

/// What became of a login: how each check of the token went, and the session if it may come in.
#[derive(Clone, Debug)]
pub struct Login {
    /// The decision.
    pub decision: Decision,
    /// The session; `None` if it was refused.
    pub session: Option<AuthSession>,
}

impl Login {
    /// The session that was begun.
    ///
    /// # Errors
    /// The refusal, as `Denied` mostly.
    pub fn into_session(self) -> Result<AuthSession> {
        self.decision.accepted().map_err(Clone::clone)?;
        self.session.ok_or_else(|| {
            CredentialsError::new(ErrorKind::Internal, "auth", "no session was begun")
        })
    }
}

impl Auth {
    /// The methods that `store` keeps.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it is a store of a kind that keeps none.
    pub fn new(context: Context, store: Arc<dyn Store>, options: AuthOptions) -> Result<Self> {
        let guard = replay_guard(store.clone())?;
        let verifier = Verifier::new(context.clone(), options.mode, guard)
            .with_max_age(options.max_age.unwrap_or(Verifier::MAX_AGE));
        let (key, policies) = (Default::default(), Mutex::default());
        Ok(Self { context, store, verifier, options, key, policies })
    }

    /// The machine it works on.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Adds a method, after checking it.
    ///
    /// # Errors
    /// `InvalidConfiguration` for whatever is wrong with it, or if there is one of its name; else
    /// the store's.
    pub async fn create(&self, method: &AuthMethod) -> Result<()> {
        method.policy()?;
        of(&*self.store)?.create_method(method, &self.record("create")).await
    }

    /// Changes a method, for new logins and for the sessions there are. Its access id stays.
    ///
    /// # Errors
    /// As [`Self::create`]; `Unavailable` if it was changed since `version`.
    pub async fn update(&self, method: &AuthMethod, version: u32) -> Result<()> {
        method.policy()?;
        of(&*self.store)?.update_method(method, version, &self.record("update")).await
    }

    /// Takes a method out of use, and with it all its sessions.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is none of that name; `Denied` if it is protected.
    pub async fn delete(&self, name: &str) -> Result<()> {
        let stored = self.method(name).await?;
        if stored.method.delete_protection {
            let message = format!("the auth method {name} is protected from deletion");
            return Err(CredentialsError::new(ErrorKind::Denied, "auth method", message)
                .with_help("take the protection off first: --delete-protection false"));
        }
        of(&*self.store)?.delete_method(&stored.method.name, &self.record("delete")).await
    }

    /// The method of this name or access id.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is none.
    pub async fn method(&self, name: &str) -> Result<StoredMethod> {
        let found = of(&*self.store)?.method(name).await?;
        found.ok_or_else(|| {
            let message = format!("there is no auth method {name:?}");
            CredentialsError::new(ErrorKind::InvalidConfiguration, "auth method", message)
                .with_source(Conflict::NoSuchMethod)
                .with_help("`rolecall identity method list` names those there are")
        })
    }

    /// Up to `limit` methods in the order of their names, those after `after`.
    ///
    /// # Errors
    /// The store's.
    pub async fn methods(&self, after: Option<&str>, limit: u32) -> Result<Vec<StoredMethod>> {
        of(&*self.store)?.methods(after, limit).await
    }

    /// Checks a token by the method of this name or access id, and begins a session.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is no such method; `Denied` if its time is over; the store's.
    /// What is wrong with the token is in the decision.
    pub async fn authenticate(&self, method: &str, token: &str) -> Result<Login> {
        let stored = self.method(method).await?;
        let method = &stored.method;
        method.check_time(self.context.clock.now())?;
        let policy = self.policy(&stored)?;
        let decision = self.verifier.verify(token, &policy).await;
        let Ok(identity) = decision.accepted() else {
            return Ok(Login { decision, session: None });
        };
        let issued_at = whole_seconds(self.context.clock.now());
        let claims = SessionClaims {
            subject: decision.subject.clone().unwrap_or_else(|| identity.principal_arn()),
            method: method.name.clone(),
            access_id: method.access_id.clone(),
            identity: identity.clone(),
            issued_at,
            expires_at: end_of(method, issued_at),
            session_id: {
                let random = &self.context.random;
                format!("{:016x}{:016x}", random.bits(), random.bits())
            },
        };
        let store_id = self.store.info().await?.id;
        let token = session::sign(&*self.key(&store_id).await?, &store_id, &claims)?;
        tracing::info!(method = method.name, arn = identity.arn, "a session was begun");
        Ok(Login { decision, session: Some(AuthSession { token, claims }) })
    }

    /// Who has this session, if it still holds: its method must be in use and let the identity in
    /// as it is now.
    ///
    /// # Errors
    /// `Denied` if not; the store's.
    pub async fn session(&self, token: &str) -> Result<SessionClaims> {
        let store = of(&*self.store)?;
        let now = self.context.clock.now();
        let store_id = self.store.info().await?.id;
        let mut claims = session::verify(token, &store.signing_keys().await?, &store_id, now)?;
        let stored = store.method(&claims.access_id).await?;
        let stored = stored.filter(|stored| stored.method.access_id == claims.access_id);
        let Some(stored) = stored else {
            let message = format!("the auth method {} of the session is gone", claims.method);
            return Err(CredentialsError::new(ErrorKind::Denied, "session", message)
                .with_help("log in by another method"));
        };
        stored.method.check_time(now)?;
        // As the method is now: its sessions may have become shorter.
        claims.expires_at = claims.expires_at.min(end_of(&stored.method, claims.issued_at));
        if claims.expires_at <= now {
            return Err(session::ended());
        }
        let subject = self.policy(&stored)?.admits(&claims.identity)?;
        claims.subject = subject.unwrap_or_else(|| claims.identity.principal_arn());
        Ok(claims)
    }

    /// Who the sessions of this store are of: `urn:rolecall:store:ID`.
    ///
    /// # Errors
    /// The store's.
    pub async fn issuer(&self) -> Result<String> {
        Ok(session::issuer(&self.store.info().await?.id))
    }

    /// The keys that sessions of this store are signed with, as a JSON Web Key Set: others can
    /// verify them by it. A session is of the issuer `urn:rolecall:store:ID` and for `rolecall`.
    /// None before the first login.
    ///
    /// # Errors
    /// The store's.
    pub async fn jwks(&self) -> Result<Value> {
        let keys = of(&*self.store)?.signing_keys().await?;
        let keys: Vec<_> = keys.iter().map(StoredKey::to_jwk).collect();
        Ok(json!({ "keys": keys }))
    }

    /// Drops a signing key for ever, by its `kid` in [`Self::jwks`], and with it all sessions that
    /// it has signed: for one that others may have. The log of the store tells of it. The next
    /// login makes another key; an [`Auth`] of another process that has the old one in memory must
    /// be made again.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is no such key; the store's.
    pub async fn remove_key(&self, id: &str) -> Result<()> {
        if !of(&*self.store)?.drop_signing_key(id).await? {
            let id = rolecall_core::printable(id, 80);
            let message = format!("there is no signing key {id}");
            return Err(CredentialsError::new(ErrorKind::InvalidConfiguration, "auth", message)
                .with_help("`rolecall identity jwks` lists them, each with its kid"));
        }
        self.key.lock().await.take_if(|key| key.id == id);
        let actor = self.options.actor.clone();
        let record = Record::new(actor, "drop-key", Outcome::Done, format!("signing key {id}"));
        self.store.note(STORE_SUBJECT, &record).await
    }

    async fn key(&self, store_id: &str) -> Result<Arc<SigningKey>> {
        let mut key = self.key.lock().await;
        if let Some(key) = &*key {
            return Ok(key.clone());
        }
        let sealing = self.options.sealing_key.as_ref();
        let store = of(&*self.store)?;
        let loaded = SigningKey::load(&self.context, store, store_id, sealing).await?;
        Ok(key.insert(Arc::new(loaded)).clone())
    }

    /// Made once a version: bounds may be many.
    fn policy(&self, stored: &StoredMethod) -> Result<Arc<Policy>> {
        let mut policies = self.policies.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = policies.get(&stored.method.access_id);
        if let Some((_, policy)) = kept.filter(|(version, _)| *version == stored.version) {
            return Ok(policy.clone());
        }
        let policy = Arc::new(stored.method.policy()?);
        let id = stored.method.access_id.clone();
        policies.insert(id, (stored.version, policy.clone()));
        Ok(policy)
    }

    fn record(&self, action: &'static str) -> Record {
        Record::new(self.options.actor.clone(), action, Outcome::Done, "")
    }
}

/// When a session of a method ends at the latest.
fn end_of(method: &AuthMethod, issued_at: SystemTime) -> SystemTime {
    let end = issued_at + method.jwt_ttl;
    method.end().map_or(end, |last| last.min(end))
}

/// What keeps the methods of `store`.
fn of(store: &dyn Store) -> Result<&dyn AuthStore> {
    store.auth().ok_or_else(|| {
        let message = "this store keeps no auth methods";
        CredentialsError::new(ErrorKind::InvalidConfiguration, "auth", message)
    })
}

fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

/// What remembers used tokens in `store`, for a verifier of one's own.
///
/// # Errors
/// `InvalidConfiguration` if it is a store of a kind that remembers none.
pub fn replay_guard(store: Arc<dyn Store>) -> Result<Arc<dyn ReplayGuard>> {
    of(&*store)?;
    Ok(Arc::new(Guard(store)))
}

/// The store as what remembers tokens.
#[derive(Debug)]
struct Guard(Arc<dyn Store>);

#[async_trait]
impl ReplayGuard for Guard {
    async fn is_spent(&self, key: ReplayKey, now: SystemTime) -> Result<bool> {
        of(&*self.0)?.is_spent(key, now).await
    }

    async fn spend(&self, key: ReplayKey, until: SystemTime, now: SystemTime) -> Result<bool> {
        of(&*self.0)?.spend(key, until, now).await
    }
}
