use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rolecall_core::cache::{Freshness, MemoryCache};
use rolecall_core::endpoint::Region;
use rolecall_core::profile::Source;
use rolecall_core::{
    Clock, Context, Credentials, CredentialsError, ErrorKind, ProvideCredentials, Result,
    SharedProvider,
};
use tokio::sync::watch;

use crate::Session;

/// How long a request waits for a refresh. The refresh goes on.
const PATIENCE: Duration = Duration::from_secs(60);
/// For so long a failure is told to all who ask, before the source is asked again.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// What a part of a path may hold as it is: what role names may.
const PATH_PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'+')
    .remove(b'=')
    .remove(b',')
    .remove(b'@');

/// One profile that a [`Server`](super::Server) serves. Clones share the credentials.
#[derive(Clone)]
pub struct ServedProfile(Arc<Inner>);

struct Inner {
    name: String,
    /// Where the certificate is whose credentials these are, if no profile names it.
    certificate: Option<String>,
    role_arn: Option<String>,
    region: Option<Region>,
    cache: Arc<MemoryCache>,
    clock: Clock,
    refresh: Mutex<Refresh>,
}

type Outcome = watch::Receiver<Option<Result<Credentials>>>;

/// The refresh under way, and the last one if it failed.
#[derive(Default)]
struct Refresh {
    under_way: Option<Outcome>,
    failed: Option<(SystemTime, CredentialsError)>,
}

impl ServedProfile {
    /// The profile of a session; `default` names the default chain.
    pub fn new(session: &Session) -> Self {
        let plan = session.plan();
        let role_arn = match (plan.hops.last(), &plan.source) {
            (Some(hop), _) => Some(hop.role_arn.clone()),
            (
                None,
                Source::WebIdentity { role_arn, .. } | Source::RolesAnywhere { role_arn, .. },
            ) => Some(role_arn.clone()),
            (None, _) => None,
        };
        let certificate = match &plan.source {
            Source::RolesAnywhere { certificate, .. } if plan.profile.is_none() => {
                Some(certificate.clone())
            }
            _ => None,
        };
        Self(Arc::new(Inner {
            name: plan.profile.clone().unwrap_or_else(|| "default".to_owned()),
            certificate,
            role_arn,
            region: session.region().cloned(),
            cache: session.cache(),
            clock: session.context().clock.clone(),
            refresh: Mutex::default(),
        }))
    }

    /// What any provider gives, under a name.
    pub fn from_provider(
        context: &Context,
        name: impl Into<String>,
        role_arn: Option<String>,
        region: Option<Region>,
        provider: SharedProvider,
    ) -> Self {
        Self(Arc::new(Inner {
            name: name.into(),
            certificate: None,
            role_arn,
            region,
            cache: Arc::new(MemoryCache::new(context, provider)),
            clock: context.clock.clone(),
            refresh: Mutex::default(),
        }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is, for people.
    pub(super) fn title(&self) -> String {
        match &self.0.certificate {
            Some(place) => format!("the certificate in {place}"),
            None => format!("profile {}", self.name()),
        }
    }

    /// The role its credentials are of, where that is known.
    pub fn role_arn(&self) -> Option<&str> {
        self.0.role_arn.as_deref()
    }

    /// The profile that IMDS knows as `name`: the first one's role, a profile's name, or a role's
    /// that no two profiles share, as two accounts may have roles of one name.
    pub(super) fn named<'a>(profiles: &'a [Self], name: &str) -> Option<&'a Self> {
        let first = profiles.first().filter(|first| first.role_name() == name);
        let mut by_role = profiles.iter().filter(|profile| profile.role_name() == name);
        let only = by_role.next().filter(|_| by_role.next().is_none());
        first.or_else(|| profiles.iter().find(|profile| profile.name() == name)).or(only)
    }

    /// The name that IMDS gives: the role's, else the profile's.
    pub fn role_name(&self) -> &str {
        let role = self.role_arn().and_then(|arn| arn.rsplit('/').next());
        role.filter(|name| !name.is_empty()).unwrap_or(&self.0.name)
    }

    pub(super) fn region(&self) -> Option<&Region> {
        self.0.region.as_ref()
    }

    /// A name as a part of a path, for clients that do not quote it.
    pub(super) fn in_path(name: &str) -> String {
        utf8_percent_encode(name, PATH_PART).to_string()
    }

    /// Credentials that are good now. They are refreshed ahead of their end and in the background,
    /// so that a client which hangs up after a second neither waits for it nor stops it.
    pub(super) async fn credentials(&self) -> Result<Credentials> {
        let old = match self.0.cache.look() {
            Some((Freshness::Fresh, credentials)) => return Ok(credentials),
            Some((Freshness::Advisory, credentials)) => Some(credentials),
            Some((Freshness::Stale, _)) | None => None,
        };
        let joined = self.join_refresh();
        if let Some(old) = old {
            return Ok(old);
        }
        let mut outcome = joined?;
        let landed = self.0.clock.timeout(PATIENCE, outcome.wait_for(Option::is_some)).await;
        let error = |kind, message: &str| CredentialsError::new(kind, "serve", message);
        match landed.map(|landed| landed.ok().and_then(|outcome| outcome.clone())) {
            Some(Some(outcome)) => outcome,
            Some(None) => Err(error(ErrorKind::Internal, "the refresh was given up")),
            None => Err(error(ErrorKind::TimedOut, "the refresh takes more than a minute")),
        }
    }

    /// The first credentials, for who waits for them and tells of a failure.
    pub(super) async fn first_credentials(&self) -> Result<Credentials> {
        self.0.cache.provide_credentials().await
    }

    /// The refresh that is under way, or a new one; or why the last one failed just now.
    fn join_refresh(&self) -> Result<Outcome> {
        let mut refresh = self.refresh();
        // One whose task is gone will never have an outcome.
        if let Some(outcome) = refresh.under_way.as_ref().filter(|o| o.has_changed().is_ok()) {
            return Ok(outcome.clone());
        }
        let now = self.0.clock.local_now();
        if let Some((until, error)) = &refresh.failed
            && now < *until
        {
            return Err(error.clone());
        }
        let (sender, outcome) = watch::channel(None);
        refresh.under_way = Some(outcome.clone());
        let this = self.clone();
        tokio::spawn(async move {
            let outcome = this.0.cache.provide_credentials().await;
            let mut refresh = this.refresh();
            refresh.under_way = None;
            refresh.failed = outcome.as_ref().err().map(|error| {
                tracing::error!(profile = this.name(), %error, "no credentials");
                (this.0.clock.local_now() + PAUSE_AFTER_FAILURE, error.clone())
            });
            drop(refresh);
            sender.send_replace(Some(outcome));
        });
        Ok(outcome)
    }

    fn refresh(&self) -> MutexGuard<'_, Refresh> {
        // Its parts are set one at a time: a panic cannot leave half of it.
        self.0.refresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ServedProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServedProfile").field("name", &self.0.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rolecall_core::source::KEYS_REREAD_AFTER;
    use rolecall_core::{Env, Fs};

    use super::super::testing::{Scripted, context, failed, profile, session};
    use super::*;
    use crate::SessionOptions;

    async fn settle() {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_does_not_stop_the_refresh() {
        let provider = Scripted::new(vec![session("A", 3600)], 0);
        let profile = profile(&context(), "p", provider.clone());
        for _ in 0..3 {
            let profile = profile.clone();
            let client = tokio::spawn(async move { profile.credentials().await });
            settle().await;
            client.abort();
            assert!(client.await.unwrap_err().is_cancelled());
        }
        provider.gate.add_permits(1);
        assert_eq!(profile.credentials().await.unwrap().access_key_id(), "A");
        assert_eq!(provider.calls(), 1);
    }

    #[tokio::test]
    async fn near_their_end_the_old_are_given_while_new_ones_are_fetched() {
        let context = context();
        let provider = Scripted::new(vec![session("A", 3600), session("B", 7200)], 1);
        let profile = profile(&context, "p", provider.clone());
        assert_eq!(profile.credentials().await.unwrap().access_key_id(), "A");
        context.clock.advance(Duration::from_secs(3600 - 400));
        for _ in 0..10 {
            assert_eq!(profile.credentials().await.unwrap().access_key_id(), "A");
        }
        settle().await;
        provider.gate.add_permits(1);
        settle().await;
        assert_eq!(profile.credentials().await.unwrap().access_key_id(), "B");
        assert_eq!(provider.calls(), 2);
    }

    #[tokio::test]
    async fn a_failure_is_told_to_all_for_a_second_and_then_tried_anew() {
        let context = context();
        let provider = Scripted::new(vec![failed(ErrorKind::Denied), session("A", 3600)], 2);
        let profile = profile(&context, "p", provider.clone());
        for _ in 0..100 {
            assert_eq!(profile.credentials().await.unwrap_err().kind(), ErrorKind::Denied);
        }
        assert_eq!(provider.calls(), 1);
        context.clock.advance(PAUSE_AFTER_FAILURE);
        assert_eq!(profile.credentials().await.unwrap().access_key_id(), "A");
    }

    #[tokio::test]
    async fn a_refresh_that_is_lost_is_begun_anew() {
        // The script is empty: the provider panics.
        let provider = Scripted::new(vec![], 2);
        let profile = profile(&context(), "p", provider.clone());
        for _ in 0..2 {
            assert_eq!(profile.credentials().await.unwrap_err().kind(), ErrorKind::Internal);
        }
        assert_eq!(provider.calls(), 2);
    }

    #[tokio::test]
    async fn keys_that_another_program_rewrites_are_read_again_and_those_that_are_gone_end() {
        let folder = tempfile::tempdir().unwrap();
        let env = Env::from_pairs([("HOME", "/home")]);
        let context = Context { fs: Fs::rooted(folder.path()), env, ..context() };
        context.fs.create_folder(Path::new("/home/.aws")).unwrap();
        let write = |text: &str| {
            context.fs.write(Path::new("/home/.aws/credentials"), text.as_bytes()).unwrap();
        };
        let keys = |id: &str| {
            format!(
                "[saml]\naws_access_key_id = {id}\naws_secret_access_key = s\n\
                 aws_session_token = t\n"
            )
        };
        write(&keys("ONE"));
        let options = SessionOptions {
            profile: Some("saml".to_owned()),
            context: Some(context.clone()),
            ..SessionOptions::default()
        };
        let profile = ServedProfile::new(&Session::new(options).unwrap());
        let id = async || profile.credentials().await.unwrap().access_key_id().to_owned();
        assert_eq!(id().await, "ONE");
        write(&keys("TWO"));
        context.clock.advance(KEYS_REREAD_AFTER);
        // Read again while the old are given out a last time.
        id().await;
        settle().await;
        assert_eq!(id().await, "TWO");
        write("[saml]\n");
        let mut passed = Duration::ZERO;
        let error = loop {
            match profile.credentials().await {
                Ok(old) => assert_eq!(old.access_key_id(), "TWO"),
                Err(error) => break error,
            }
            settle().await;
            context.clock.advance(Duration::from_secs(1));
            passed += Duration::from_secs(1);
            assert!(passed <= 2 * KEYS_REREAD_AFTER, "keys that are gone are still served");
        };
        assert!(error.message().contains("holds no keys any more"), "{error}");
        write(&keys("THREE"));
        context.clock.advance(PAUSE_AFTER_FAILURE);
        assert_eq!(id().await, "THREE");
    }

    #[test]
    fn names_go_into_paths_as_they_are_or_quoted() {
        for (name, expected) in [
            ("Role+=,.@-_1", "Role+=,.@-_1"),
            ("a b/c%?#\n", "a%20b%2Fc%25%3F%23%0A"),
            ("é", "%C3%A9"),
        ] {
            assert_eq!(ServedProfile::in_path(name), expected);
        }
    }
}
