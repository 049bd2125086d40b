//! IAM Identity Center (SSO): credentials of a role for the token that `aws sso login` left.

mod oidc;
mod portal;
mod token;
mod unfinished;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rolecall_core::cache::{CacheFolder, SsoCacheKey, Turn};
use rolecall_core::http::RetryPolicy;
use rolecall_core::{
    Context, Credentials, CredentialsError, ErrorKind, FileLock, ProvideCredentials, Result,
    timestamp,
};

use self::token::{Token, Unreadable};
use self::unfinished::Renewal;
pub use self::unfinished::finish_renewals;
use crate::ServiceError;

/// A token with less time left is renewed, as AWS CLI does.
const RENEWAL_WINDOW: Duration = Duration::from_secs(15 * 60);
/// While the old token serves, nobody is to wait for further attempts.
const ONE_ATTEMPT: RetryPolicy = RetryPolicy { max_attempts: 1 };
/// How long a renewal is waited for while the old token serves. It goes on without anybody.
const EARLY_LIMIT: Duration = Duration::from_secs(3);
/// How long to leave it after a renewal that failed, or did not come to an end, while the old token
/// serves.
const EARLY_PAUSE: Duration = Duration::from_secs(60);
/// How long to wait for another process's renewal, which is bounded by its own retries.
const PATIENCE: Duration = Duration::from_secs(120);

/// A role of IAM Identity Center.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sso {
    /// The profile that asks for it, for messages.
    pub profile: String,
    /// Its `[sso-session]`, if it names one.
    pub session: Option<String>,
    /// The start URL.
    pub start_url: String,
    /// `sso_account_id`.
    pub account_id: String,
    /// `sso_role_name`.
    pub role_name: String,
}

impl Sso {
    /// Under which names AWS CLI keeps the token and the credentials.
    pub fn cache_key(&self) -> SsoCacheKey<'_> {
        SsoCacheKey {
            account_id: &self.account_id,
            role_name: &self.role_name,
            session: self.session.as_deref(),
            start_url: &self.start_url,
        }
    }

    /// The command line that signs in: `run: aws sso login …`.
    pub fn sign_in(&self) -> String {
        match &self.session {
            Some(session) => format!("run: aws sso login --sso-session {session}"),
            None => format!("run: aws sso login --profile {}", self.profile),
        }
    }
}

/// The URLs of IAM Identity Center in the directory's region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsoEndpoints {
    /// `https://portal.sso.eu-west-1.amazonaws.com`.
    pub portal: String,
    /// `https://oidc.eu-west-1.amazonaws.com`.
    pub oidc: String,
}

/// A sign-in to IAM Identity Center that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsoSignIn {
    /// When its token ends.
    pub expires_at: SystemTime,
    /// Whether the token can be renewed.
    pub is_renewable: bool,
    /// The token's file.
    pub file: PathBuf,
}

/// Credentials of a role of IAM Identity Center. Keeps nothing but the token in its file, which it
/// shares with AWS CLI: core's caches go around it.
#[derive(Clone, Debug)]
pub struct SsoProvider {
    context: Context,
    endpoints: SsoEndpoints,
    sso: Sso,
    file: PathBuf,
    lock: String,
    folder: CacheFolder,
    /// How often a call is tried.
    pub retry: RetryPolicy,
}

impl SsoProvider {
    /// For the token below `aws_folder`, which is `~/.aws`.
    pub fn new(context: Context, endpoints: SsoEndpoints, aws_folder: &Path, sso: Sso) -> Self {
        let name = sso.cache_key().token_name();
        Self {
            context,
            endpoints,
            file: token::path(aws_folder, &name),
            lock: format!("sso-{name}"),
            folder: CacheFolder::below(aws_folder),
            sso,
            retry: RetryPolicy::default(),
        }
    }

    /// What can be seen of the sign-in without the network.
    ///
    /// # Errors
    /// `InvalidConfiguration` without a token file that can be read; `Denied` if the token has
    /// ended and cannot be renewed.
    pub fn check(&self) -> Result<SsoSignIn> {
        let token = self.read()?;
        let now = self.context.clock.now();
        let is_renewable = token.renewal(now).is_some();
        if token.time_left(now).is_zero() && !is_renewable {
            return Err(self.ended(&token));
        }
        Ok(SsoSignIn { expires_at: token.expires_at, is_renewable, file: self.file.clone() })
    }

    fn error(&self, kind: ErrorKind, message: String) -> CredentialsError {
        CredentialsError::new(kind, "SSO token", message).with_help(self.sso.sign_in())
    }

    fn read(&self) -> Result<Token> {
        Token::read(&self.context.fs, &self.file).map_err(|unreadable| {
            let path = self.file.display();
            let message = match unreadable {
                Unreadable::Missing => format!("nobody has signed in: there is no {path}"),
                Unreadable::Other(why) => format!("{path} cannot be used: {why}"),
            };
            self.error(ErrorKind::InvalidConfiguration, message)
        })
    }

    fn ended(&self, token: &Token) -> CredentialsError {
        let end = timestamp::format(token.expires_at);
        let message = format!("the sign-in ended at {end} and cannot be renewed");
        self.error(ErrorKind::Denied, message)
    }

    /// A token that is good now.
    async fn token(&self) -> Result<Token> {
        let token = self.read()?;
        let now = self.context.clock.now();
        let left = token.time_left(now);
        match (left > RENEWAL_WINDOW, left.is_zero(), token.renewal(now).is_some()) {
            (true, _, _) | (_, false, false) => Ok(token),
            (_, true, false) => Err(self.ended(&token)),
            (_, false, true) => Ok(self.renew_early(token).await),
            (_, true, true) => self.renew_or_wait().await,
        }
    }

    /// Near the end of `old`: one process tries, and each has something to go on with.
    async fn renew_early(&self, old: Token) -> Token {
        let Ok(Some(lock)) = self.folder.try_lock(&self.context.fs, &self.lock) else {
            return old;
        };
        let now = self.context.clock.local_now();
        let note = lock.note();
        let last_try = std::str::from_utf8(&note).ok().and_then(timestamp::parse);
        if last_try.is_some_and(|at| (now - EARLY_PAUSE..=now).contains(&at)) {
            return old;
        }
        // A renewal that does well takes it away again.
        lock.write_note(timestamp::format(now).as_bytes());
        let renewing = self.renew_to_the_end(ONE_ATTEMPT, Some(lock));
        match self.context.clock.timeout(EARLY_LIMIT, renewing).await {
            Some(Ok(token)) => token,
            Some(Err(error)) => {
                tracing::warn!(%error, "the SSO token could not be renewed; it is still good");
                old
            }
            None => {
                tracing::warn!("the renewal of the SSO token takes long; the old is still good");
                old
            }
        }
    }

    async fn renew_or_wait(&self) -> Result<Token> {
        let renewed = |_: Option<&FileLock>| {
            let token = self.read().ok()?;
            Some(token).filter(|token| !token.time_left(self.context.clock.now()).is_zero())
        };
        match self.folder.turn(&self.context, &self.lock, PATIENCE, renewed).await {
            Turn::Found(token) => Ok(token),
            Turn::Mine(lock) => self.renew_to_the_end(self.retry, lock).await,
        }
    }

    /// Renews in a task of its own, which goes on if nobody waits for it any more: a refresh token
    /// is used once, and the next one must get into the file. See [`finish_renewals`].
    async fn renew_to_the_end(&self, retry: RetryPolicy, lock: Option<FileLock>) -> Result<Token> {
        let (provider, renewal) = (self.clone(), Renewal::begin());
        let renewing = tokio::spawn(async move {
            let _alive = renewal;
            // The lock is held until the new token is written.
            let outcome = provider.renew(retry).await;
            if let (Ok(_), Some(lock)) = (&outcome, &lock) {
                lock.write_note(&[]);
            }
            outcome
        });
        renewing.await.unwrap_or_else(|error| {
            let message = "the renewal was broken off".to_owned();
            Err(self.error(ErrorKind::Internal, message).with_source(error))
        })
    }

    /// Renews what is in the file now, unless another process has just done so.
    async fn renew(&self, retry: RetryPolicy) -> Result<Token> {
        let mut token = self.read()?;
        let now = self.context.clock.now();
        if token.time_left(now) > RENEWAL_WINDOW {
            return Ok(token);
        }
        let renewal = token.renewal(now).ok_or_else(|| self.ended(&token))?;
        let new = oidc::create_token(&self.context, retry, &self.endpoints.oidc, renewal);
        let new = match new.await {
            Ok(new) => new,
            // AWS CLI knows no lock: it may have used the refresh token up between our two calls.
            Err(error) => match self.read() {
                Ok(other) if other.expires_at > token.expires_at => return Ok(other),
                _ => return Err(self.not_renewed(error)),
            },
        };
        if let Err(error) = token.renew(&self.context.fs, &self.file, new, now) {
            tracing::warn!(%error, "the renewed SSO token could not be written");
        }
        Ok(token)
    }

    fn not_renewed(&self, error: CredentialsError) -> CredentialsError {
        match ServiceError::of(&error) {
            // Whatever AWS says about it, only a person can mend it.
            Some(service)
                if error.kind() != ErrorKind::Unavailable
                    && (400..500).contains(&service.status) =>
            {
                let text = format!("the sign-in could not be renewed: {}", error.message());
                self.error(ErrorKind::Denied, text).with_source(service.clone())
            }
            _ => error,
        }
    }

    fn explain(&self, error: CredentialsError) -> CredentialsError {
        match ServiceError::of(&error).map(|service| service.status) {
            Some(401) => error.with_help(self.sso.sign_in()),
            Some(403 | 404) => error.with_help(format!(
                "check sso_account_id ({}) and sso_role_name ({}): the person who signed in must \
                 have that role there",
                self.sso.account_id, self.sso.role_name
            )),
            _ => error,
        }
    }
}

#[async_trait]
impl ProvideCredentials for SsoProvider {
    async fn provide_credentials(&self) -> Result<Credentials> {
        let token = self.token().await?;
        let role = (self.sso.account_id.as_str(), self.sso.role_name.as_str());
        let (portal, token) = (&self.endpoints.portal, &token.access_token);
        portal::role_credentials(&self.context, self.retry, portal, token, role)
            .await
            .map_err(|error| self.explain(error))
    }
}
