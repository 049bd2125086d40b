//! Cloud identity: tokens that prove who a workload is in AWS, and the verifier of such tokens.
//!
//! A [`TokenSource`] makes tokens with the credentials of a [`crate::Session`]: in the dialects of
//! Akeyless, Vault, Infisical and EKS, and in rolecall's own. [`verifier`] makes the [`Verifier`]
//! that a server checks them with, against a [`Policy`]. [`inspect`] shows what is in a token.
//!
//! ```no_run
//! use rolecall::identity::{self, Bounds, Policy, TokenFormat, TokenOptions, TokenSource};
//! use rolecall::{Session, SessionOptions};
//!
//! # async fn example() -> rolecall::Result<()> {
//! let session = Session::new(SessionOptions::default())?;
//! let token = TokenSource::new(&session, TokenOptions::default())?.token().await?;
//!
//! let bounds = Bounds {
//!     account_ids: vec!["123456789012".into()],
//!     role_names: vec!["Deploy".into()],
//!     ..Bounds::default()
//! };
//! let policy = Policy::new(&bounds, &[TokenFormat::Akeyless], Default::default())?;
//! let verifier = identity::verifier(Default::default());
//! let decision = verifier.verify(token.text.expose(), &policy).await;
//! println!("{} is in", decision.accepted().map_err(Clone::clone)?.arn);
//! # Ok(())
//! # }
//! ```
//!
//! A JWT of `sts:GetWebIdentityToken` comes from [`crate::Session::sts`], and
//! [`verify_web_identity_token`] checks it offline.
//!
//! With the feature `leases`, a store keeps auth methods: `Leases::auth` gives them, `log_in` does
//! token, check and session in one go, and definitions of dynamic secrets can ask for sessions.

mod edit;
mod input;
#[cfg(all(unix, feature = "leases"))]
mod login;
mod tokens;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rolecall_core::{Context, CredentialsError, ErrorKind, Result};

pub use rolecall_sts::identity::{
    Binding, Bounds, CallerIdentity, Challenges, Check, Decision, Dialect, Inspection, Jwks, Lint,
    MemoryReplayGuard, Mode, Outcome, Policy, Principal, Refusal, ReplayGuard, ReplayKey, Severity,
    SubClaim, Token, TokenFormat, TokenSigner, Verifier, WebIdentityClaims, WebIdentityRules,
    inspect, verify_web_identity_token,
};

pub use self::edit::BoundsEdit;
#[cfg(all(unix, feature = "leases"))]
pub use self::edit::MethodEdit;
#[cfg(all(unix, feature = "leases"))]
pub use self::input::read_method;
pub use self::input::{Checking, TokenParts, new_challenge, read_checking, read_token_options};
#[cfg(all(unix, feature = "leases"))]
pub use self::login::{LoginOptions, log_in, method_to_json, save_access_id, session_to_json};
pub use self::tokens::{TokenOptions, TokenSource};
#[cfg(all(unix, feature = "leases"))]
pub use rolecall_secrets::{
    Access, Auth, AuthMethod, AuthOptions, AuthSession, Login, SessionClaims, StoredMethod,
    replay_guard,
};

/// Issuers have a handful of keys.
const JWKS_LIMIT: u64 = 1024 * 1024;

/// How tokens are checked. The default takes each token once, remembers that in memory, and takes
/// none that is older than five minutes.
#[derive(Clone, Debug, Default)]
pub struct VerifierOptions {
    /// How often a token may be used.
    pub mode: Mode,
    /// What remembers the tokens that were used; `None` is this process's memory.
    pub guard: Option<Arc<dyn ReplayGuard>>,
    /// How old a token may be: 15 minutes at most; `None` is five.
    pub max_age: Option<Duration>,
    /// How long STS may take; `None` is five seconds.
    pub time_limit: Option<Duration>,
    /// The machine that asks STS; `None` is this one, with the proxies and the CA bundle of its
    /// environment.
    pub context: Option<Context>,
}

/// A verifier. One serves for all policies, and for as long as the process runs: it holds what was
/// used, what is being asked and the connections to STS.
pub fn verifier(options: VerifierOptions) -> Verifier {
    let context = options.context.unwrap_or_else(Context::real);
    let guard = options.guard.unwrap_or_else(|| Arc::new(MemoryReplayGuard::default()));
    Verifier::new(context, options.mode, guard)
        .with_max_age(options.max_age.unwrap_or(Verifier::MAX_AGE))
        .with_time_limit(options.time_limit.unwrap_or(Verifier::TIME_LIMIT))
}

/// The keys of an issuer of JWTs, from the file of its `jwks_uri`.
///
/// # Errors
/// `InvalidConfiguration` if it cannot be read or holds no keys of AWS's kinds.
pub fn read_jwks(context: &Context, path: &Path) -> Result<Jwks> {
    let refuse = |what: String| {
        CredentialsError::new(ErrorKind::InvalidConfiguration, "JWKS", what)
            .with_place(path.display().to_string())
    };
    let bytes = context.fs.read_also_pipe(path, JWKS_LIMIT);
    let bytes = bytes.map_err(|error| refuse(format!("it cannot be read: {error}")))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| refuse("it is not UTF-8".to_owned()))?;
    Jwks::parse(text).map_err(|error| error.with_place(path.display().to_string()))
}

/// [`Verifier::verify`] for code that is not asynchronous.
///
/// # Errors
/// `Internal` if the system has no means for a runtime. What is wrong with the token is in the
/// decision.
///
/// # Panics
/// Inside an asynchronous runtime.
pub fn verify_blocking(verifier: &Verifier, token: &str, policy: &Policy) -> Result<Decision> {
    crate::block_on(verifier.verify(token, policy))
}
