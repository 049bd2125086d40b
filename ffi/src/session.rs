//! Sessions.

use std::ffi::{CString, c_char};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use rolecall::{
    Blocking, Credentials, CredentialsError, ErrorKind, ProvideCredentials, Session, SharedProvider,
};

use crate::boundary::{Place, c_text, free, given, guard, text_of};
use crate::credentials::rolecall_credentials;
use crate::error::rolecall_error;
use crate::fork;
use crate::options::{options_or_default, rolecall_session_options};
use crate::status::rolecall_status;

/// Credentials of one profile, or of the default chain, kept in memory and renewed in time. Any
/// number of threads may use one session at the same time: one asks AWS, those who wait share its
/// outcome. In a forked child it makes itself anew. Free it with `rolecall_session_free`, when no
/// thread uses it any more.
pub struct rolecall_session {
    pub(crate) session: Arc<Blocking<Session>>,
    region: Option<CString>,
    /// The last that were handed out, in the form for C.
    last: ArcSwapOption<rolecall_credentials>,
}

impl rolecall_session {
    /// Makes one, and makes it anew in children.
    pub(crate) fn make(
        make: impl Fn() -> Result<Session, CredentialsError> + Send + Sync + 'static,
    ) -> Result<Self, CredentialsError> {
        fork::watch();
        let session = Blocking::new(move |_| make())?;
        let region = session.look(|session| session.region().map(|region| c_text(region.as_str())));
        Ok(Self { session: Arc::new(session), region: region?, last: ArcSwapOption::empty() })
    }

    /// Waits for what is to be done with the session.
    pub(crate) fn wait<T>(
        &self,
        work: impl AsyncFnOnce(&Session) -> Result<T, CredentialsError>,
    ) -> Result<T, CredentialsError> {
        self.session.wait(work)?
    }

    /// The session as a provider of another one.
    pub(crate) fn provider(&self, name: &str) -> SharedProvider {
        Arc::new(Behind { name: name.to_owned(), session: self.session.clone() })
    }

    fn in_c(
        &self,
        credentials: Credentials,
    ) -> Result<Arc<rolecall_credentials>, CredentialsError> {
        let last = self.last.load();
        if let Some(last) = last.as_ref().filter(|last| last.inner == credentials) {
            return Ok(last.clone());
        }
        let made = rolecall_credentials::new(credentials)?;
        self.last.store(Some(made.clone()));
        Ok(made)
    }
}

/// A session that another one asks. Each waits in a runtime of its own.
#[derive(Debug)]
struct Behind {
    name: String,
    session: Arc<Blocking<Session>>,
}

#[async_trait]
impl ProvideCredentials for Behind {
    async fn provide_credentials(&self) -> Result<Credentials, CredentialsError> {
        let session = self.session.clone();
        let wait = move || session.wait(async |session| session.credentials().await)?;
        tokio::task::spawn_blocking(wait).await.unwrap_or_else(|error| {
            let message = "the session was not asked";
            Err(CredentialsError::new(ErrorKind::Internal, self.name.clone(), message)
                .with_source(error))
        })
    }

    fn ready(&self) -> Option<Credentials> {
        self.session.look(Session::credentials_in_memory).ok()?
    }
}

/// Makes a session: reads the profile files and nothing else; no network, no program, no thread.
/// `options` may be NULL: the default chain.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_session_new(
    options: *const rolecall_session_options,
    session: *mut *mut rolecall_session,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let place = Place::at(session, "session")?;
        let options = options_or_default(options);
        place.hand_over(rolecall_session::make(move || Session::new(options.clone()))?);
        Ok(())
    })
}

/// Credentials that are good now: from memory, or waited for. Yours to free, also after the session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_session_credentials(
    session: *const rolecall_session,
    credentials: *mut *const rolecall_credentials,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let credentials = Place::at(credentials, "credentials")?;
        let session = given(session, "session")?;
        let found = match session.session.look(Session::credentials_in_memory)? {
            Some(found) => found,
            None => session.wait(async |session| session.credentials().await)?,
        };
        credentials.share(session.in_c(found)?);
        Ok(())
    })
}

/// The region; NULL if none is set. Borrowed from the session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_session_region(
    session: *const rolecall_session,
) -> *const c_char {
    text_of(session, |session| session.region.as_deref())
}

/// Frees a session; credentials that it gave stay. `session` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_session_free(session: *mut rolecall_session) {
    free(session);
}
