//! Credentials written into the credentials file, and kept good there, as `aws_signing_helper
//! update` does.

use std::future::Future;
use std::time::{Duration, SystemTime};

use rolecall_core::profile::edit::{
    Change, Document, Edit, SectionName, SettingKey, SettingValue, edit_files_if,
};
use rolecall_core::profile::{FileKind, Source};
use rolecall_core::source::KEYS_REREAD_AFTER;
use rolecall_core::{Context, Credentials, CredentialsError, ErrorKind, Result, Secret};
#[cfg(feature = "roles-anywhere")]
use rolecall_rolesanywhere::is_refused_by_key;

use crate::setup::Setup;
use crate::{Session, SessionOptions};

/// The pause after a first failure; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Timers stand still while a machine sleeps: the clock on the wall is looked at as often as this.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Writes a session's credentials into one section of the credentials file.
#[derive(Debug)]
pub struct Updater {
    session: Session,
    target: SectionName,
    /// Whether keys of a user in the section, which nobody could bring back, may be replaced: the
    /// section was named by whoever wants it written. Keys that are the source never are.
    pub replaces_long_lived_keys: bool,
}

/// What an [`Updater`] has to say.
#[derive(Debug)]
pub enum Update<'a> {
    /// New credentials are in the file.
    Written {
        /// The credentials.
        credentials: &'a Credentials,
        /// When they are replaced; `None` if that is not up to this updater.
        next: Option<SystemTime>,
    },
    /// There are none, or they could not be written: the file is as it was.
    Failed {
        /// Why.
        error: &'a CredentialsError,
        /// When it is tried again.
        pause: Duration,
    },
}

/// Why a refresh has nothing to write.
enum Refused {
    /// It failed.
    Failed(CredentialsError),
    /// The source gives those that are in the file, until they are closer to their end.
    NotYet,
}

impl Updater {
    /// Writes to section `target` what a session of `source` gives.
    ///
    /// Session keys in that section are never the source, nor on the way to it: they are what was
    /// written the last time, and what will be replaced.
    ///
    /// # Errors
    /// `InvalidConfiguration` for a name that cannot be a section's, and if there is no source but
    /// the keys of the very section that would be written; as [`Session::new`].
    pub fn new(target: &str, source: SessionOptions) -> Result<Self> {
        let section = SectionName::profile(target)?;
        let profiles = Setup::profiles(&source)?;
        let mut others = profiles.clone();
        let own_keys = others.forget_session_keys(target);
        let mut setup = Setup::of(source.clone(), others);
        match (&mut setup.plan, own_keys) {
            (Ok(plan), Some(origin)) => {
                let reason = format!("the keys of profile {target} ({origin}) are to be replaced");
                for link in plan.passed_over.iter_mut().filter(|link| link.name == "profile") {
                    link.reason.clone_from(&reason);
                }
            }
            // With them there would be a source, unless something else is wrong.
            (Err(_), Some(_)) => {
                let session = Session::of(Setup::of(source, profiles));
                return Err(session.err().unwrap_or(from_itself(target)));
            }
            (_, None) => {}
        }
        let session = Session::of(setup)?;
        match &session.plan().source {
            // A user's, which nobody could bring back.
            Source::StaticKeys { profile, .. } if profile == target => Err(from_itself(target)),
            _ => Ok(Self { session, target: section, replaces_long_lived_keys: false }),
        }
    }

    /// The section that is written.
    pub fn target(&self) -> &str {
        self.target.name()
    }

    /// Writes once.
    ///
    /// # Errors
    /// Whatever the source or the file says; the file is then as it was.
    pub async fn once(&self) -> Result<Credentials> {
        let credentials = self.session.credentials().await?;
        self.write(&credentials, None).await?;
        Ok(credentials)
    }

    /// Writes, and writes anew shortly before the end, until `stop`: within the last quarter of
    /// their time and at most 15 minutes, or where a person may be asked for new ones (SSO, SAML,
    /// MFA) the last twelfth and at most 5. What fails is tried again, for as long as it takes. Ends
    /// by itself where nothing will ever give others: credentials without an end, unless they are
    /// session keys out of a file, which is looked at every minute.
    ///
    /// # Errors
    /// A first failure that will not pass by itself. Later ones are told to `report`, but for a
    /// password or PIN that the key refuses, which might be locked by a next try.
    pub async fn run_until(
        &self,
        stop: impl Future<Output = ()>,
        report: impl FnMut(Update<'_>),
    ) -> Result<()> {
        // A file is replaced between two points at which this can stop: never by half.
        tokio::select! {
            biased;
            () = stop => Ok(()),
            ended = self.run(report) => ended,
        }
    }

    /// [`Self::run_until`] SIGTERM or SIGINT, where the feature `serve` brings a way to hear them.
    ///
    /// # Errors
    /// As [`Self::run_until`]; `Internal` if signals cannot be heard.
    pub async fn run_until_signal(&self, report: impl FnMut(Update<'_>)) -> Result<()> {
        let stop = stop().map_err(|error| {
            let message = format!("cannot listen for signals: {error}");
            CredentialsError::new(ErrorKind::Internal, "update", message).with_source(error)
        })?;
        self.run_until(stop, report).await
    }

    async fn run(&self, mut report: impl FnMut(Update<'_>)) -> Result<()> {
        let context = self.session.context();
        let mut written = None;
        let mut failures = 0;
        loop {
            match self.refresh(written.as_ref()).await {
                Ok(credentials) => {
                    let next = self.next_refresh(&credentials);
                    report(Update::Written { credentials: &credentials, next });
                    let Some(next) = next else { return Ok(()) };
                    written = Some(credentials);
                    failures = 0;
                    sleep_until(context, next).await;
                }
                Err(Refused::NotYet) => {
                    tracing::debug!("the source gives the same credentials again");
                    self.pause(&mut failures, written.as_ref()).await;
                }
                Err(Refused::Failed(error)) => {
                    let may_pass =
                        matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut);
                    if (written.is_none() && !may_pass) || is_refused_by_key(&error) {
                        return Err(error);
                    }
                    let pause = self.next_pause(failures, written.as_ref());
                    report(Update::Failed { error: &error, pause });
                    failures += 1;
                    context.clock.sleep(pause).await;
                }
            }
        }
    }

    async fn refresh(&self, old: Option<&Credentials>) -> Result<Credentials, Refused> {
        let credentials = self.session.credentials().await.map_err(Refused::Failed)?;
        if old.is_some_and(|old| *old == credentials) {
            return Err(Refused::NotYet);
        }
        self.write(&credentials, old).await.map_err(Refused::Failed)?;
        Ok(credentials)
    }

    async fn pause(&self, failures: &mut u32, old: Option<&Credentials>) {
        let pause = match old {
            Some(old) if old.expires_at().is_none() => KEYS_REREAD_AFTER,
            _ => self.next_pause(*failures, old),
        };
        *failures += 1;
        self.session.context().clock.sleep(pause).await;
    }

    /// Shorter while the `old` are good but not for long.
    fn next_pause(&self, failures: u32, old: Option<&Credentials>) -> Duration {
        let context = self.session.context();
        let left = old.and_then(|old| old.time_left(context.clock.now()));
        let longest = match left {
            Some(left) if !left.is_zero() => (left / 8).clamp(FIRST_PAUSE, LONGEST_PAUSE),
            _ => LONGEST_PAUSE,
        };
        let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(longest);
        pause / 2 + context.random.up_to(pause / 2)
    }

    /// When to replace `credentials`: well inside the time in which the session itself would, and
    /// not at the same moment on every machine. `None` if nothing will give others.
    fn next_refresh(&self, credentials: &Credentials) -> Option<SystemTime> {
        let context = self.session.context();
        let now = context.clock.now();
        let Some(end) = credentials.expires_at() else {
            // Other programs replace session keys in a file; nobody else's come to be others.
            let may_change = matches!(self.session.plan().source, Source::StaticKeys { .. });
            let may_change = may_change && credentials.session_token().is_some();
            return may_change.then(|| now + KEYS_REREAD_AFTER);
        };
        let from = self.session.cache().replaced_from().unwrap_or(end);
        // Into the window by a tenth to a fifth of what is left at its beginning.
        let tenth = end.duration_since(from).unwrap_or_default() / 10;
        Some((from + tenth + context.random.up_to(tenth)).max(now))
    }

    /// Replaces the keys of the section, all at once. Nothing that could not be used is written.
    /// `written` is what this updater wrote last.
    async fn write(&self, credentials: &Credentials, written: Option<&Credentials>) -> Result<()> {
        let context = self.session.context();
        let is_empty = |secret: &Secret| secret.expose().is_empty();
        let wrong = if credentials.access_key_id().is_empty()
            || is_empty(credentials.secret_access_key())
            || credentials.session_token().is_some_and(is_empty)
        {
            "empty"
        } else if credentials.time_left(context.clock.now()).is_some_and(|left| left.is_zero()) {
            "at their end already"
        } else {
            let allows = |_: FileKind, document: &Document| self.check_replaced(document, written);
            return edit_files_if(context, &self.edits(credentials)?, allows).await;
        };
        let message = format!("the credentials are {wrong} and were not written");
        Err(CredentialsError::new(ErrorKind::Malformed, credentials.provider().to_owned(), message)
            .with_help("check the source, and this machine's clock"))
    }

    /// Whether the keys that are in the section may be replaced.
    fn check_replaced(&self, document: &Document, written: Option<&Credentials>) -> Result<()> {
        let get = |name| {
            let value = document.get(&self.target, &SettingKey::new(name, None)?)?;
            Ok::<_, CredentialsError>(value.filter(|value| !value.expose().is_empty()))
        };
        let keys = get("aws_access_key_id")?.zip(get("aws_secret_access_key")?);
        let Some((id, _)) = keys.filter(|_| !self.replaces_long_lived_keys) else { return Ok(()) };
        let has_token = get("aws_session_token")?.or(get("aws_security_token")?).is_some();
        let is_session = has_token && !id.expose().starts_with("AKIA");
        if is_session || written.is_some_and(|written| written.access_key_id() == id.expose()) {
            return Ok(());
        }
        let target = self.target();
        let message = format!("profile {target} holds long-lived keys, which would be lost");
        Err(CredentialsError::new(ErrorKind::InvalidConfiguration, "update", message).with_help(
            format!("name another section with --profile, or --profile {target} to replace them"),
        ))
    }

    fn edits(&self, credentials: &Credentials) -> Result<Vec<Edit>> {
        let values = [
            ("aws_access_key_id", Some(credentials.access_key_id().into())),
            ("aws_secret_access_key", Some(credentials.secret_access_key().clone())),
            ("aws_session_token", credentials.session_token().cloned()),
            // An old name of the token, which some programs still read first.
            ("aws_security_token", None),
        ];
        let edits = values.into_iter().map(|(name, value)| {
            let key = SettingKey::new(name, None)?;
            let change = match value {
                Some(value) => Change::Set(key, SettingValue::new(value)?),
                None => Change::Remove(key),
            };
            Ok(Edit { file: FileKind::Credentials, section: self.target.clone(), change })
        });
        edits.collect()
    }
}

fn from_itself(target: &str) -> CredentialsError {
    CredentialsError::new(
        ErrorKind::InvalidConfiguration,
        "update",
        format!("the keys of profile {target} are the source, and would be overwritten"),
    )
    .with_help("name another source with --from, or another target with --profile")
}

/// Without certificates there is no key that could refuse.
#[cfg(not(feature = "roles-anywhere"))]
fn is_refused_by_key(_: &CredentialsError) -> bool {
    false
}

async fn sleep_until(context: &Context, moment: SystemTime) {
    const A_MOMENT: Duration = Duration::from_millis(1);
    while let Ok(left) = moment.duration_since(context.clock.now())
        && left >= A_MOMENT
    {
        context.clock.sleep(left.min(LONGEST_SLEEP)).await;
    }
}

/// Waits for SIGTERM or SIGINT, which from here on no longer end the process by themselves.
#[cfg(all(unix, feature = "serve"))]
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut signals = rolecall_core::Signals::to_stop()?;
    Ok(async move {
        signals.next().await;
    })
}

/// Never: the process is ended from outside, which does a file no harm either.
#[cfg(not(all(unix, feature = "serve")))]
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    Ok(std::future::pending())
}

#[cfg(test)]
mod tests;
