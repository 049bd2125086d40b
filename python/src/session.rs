use std::fmt;
use std::sync::Arc;

use pyo3::prelude::*;
use rolecall::eks::{self, Role};
use rolecall::{CredentialsError, ErrorKind, Prompt, Result, Secret, SecretInput, SessionOptions};

use crate::credentials::Credentials;
use crate::errors::from_python;
use crate::per_process::{Make, Maker};
use crate::provider::Provider;
use crate::roles_anywhere::RolesAnywhere;
use crate::runtime::{promise, wait};
use crate::sts::Client;
use crate::values::{Length, Text};

/// What a session is for; in Python the arguments of `Session`.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) options: SessionOptions,
    pub(crate) provider: Option<Provider>,
    /// A role that is assumed with the credentials.
    pub(crate) role: Option<Role>,
}

impl Options {
    /// The options in this process.
    pub(crate) fn resolve(&self) -> Result<SessionOptions> {
        let provider = self.provider.as_ref().map(Provider::resolve).transpose()?;
        Ok(SessionOptions { provider, ..self.options.clone() })
    }
}

/// Somebody who answers questions: a function of the question.
pub(crate) fn prompt(ask: Py<PyAny>) -> Prompt {
    const NAME: &str = "prompt";
    Prompt::from_fn(move |question| {
        let answer = Python::try_attach(|py| {
            let answer =
                ask.bind(py).call1((question,)).and_then(|answer| answer.extract::<Text>());
            answer.map(|text| text.0).map_err(|raised| from_python(py, NAME, raised))
        });
        answer.unwrap_or_else(|| {
            let message = "nobody was asked, since the interpreter is ending";
            Err(CredentialsError::new(ErrorKind::Internal, NAME, message))
        })
    })
}

/// Reads what every function takes that makes a session.
#[allow(clippy::too_many_arguments, reason = "they are keywords in Python")]
pub(crate) fn options(
    profile: Option<String>,
    region: Option<String>,
    endpoint_url: Option<String>,
    mfa_code: Option<&str>,
    ask: Option<Py<PyAny>>,
    process_timeout: Option<Length>,
    disk_cache: bool,
    provider: Option<Provider>,
    roles_anywhere: Option<&RolesAnywhere>,
) -> Options {
    let mfa_code =
        mfa_code.map(|text| -> SecretInput { text.parse().unwrap_or_else(|never| match never {}) });
    let options = SessionOptions {
        profile,
        region,
        endpoint_url,
        mfa_code,
        prompt: ask.map(prompt),
        process_timeout: process_timeout.map(|length| length.0),
        no_disk_cache: !disk_cache,
        roles_anywhere: roles_anywhere.map(|asked| asked.options.clone()),
        ..SessionOptions::default()
    };
    Options { options, provider, role: None }
}

/// A function of the arguments of `Session`; some of its own may stand before them, others among the
/// keywords.
macro_rules! of_a_session {
    (
        $(#[$meta:meta])*
        fn $name:ident(
            $py:ident, $options:ident
            $(, $first:ident: $first_type:ty)*
            $(; $($own:ident: $type:ty = $default:tt,)*)?
        ) -> $output:ty
        $body:block
    ) => {
        $(#[$meta])*
        #[pyo3::pyfunction]
        #[pyo3(signature = (
            $($first,)* profile=None, *, $($($own=$default,)*)? region=None, endpoint_url=None, mfa_code=None, prompt=None,
            process_timeout=None, disk_cache=true, provider=None, roles_anywhere=None,
        ))]
        #[allow(clippy::too_many_arguments, reason = "they are keywords in Python")]
        pub(crate) fn $name<'py>(
            $py: pyo3::Python<'py>,
            $($first: $first_type,)*
            profile: Option<String>,
            $($($own: $type,)*)?
            region: Option<String>,
            endpoint_url: Option<String>,
            mfa_code: Option<&str>,
            prompt: Option<pyo3::Py<pyo3::PyAny>>,
            process_timeout: Option<$crate::values::Length>,
            disk_cache: bool,
            provider: Option<$crate::provider::Provider>,
            roles_anywhere: Option<pyo3::PyRef<'py, $crate::roles_anywhere::RolesAnywhere>>,
        ) -> pyo3::PyResult<$output> {
            let $options = $crate::session::options(
                profile,
                region,
                endpoint_url,
                mfa_code,
                prompt,
                process_timeout,
                disk_cache,
                provider,
                roles_anywhere.as_deref(),
            );
            $body
        }
    };
}
pub(crate) use of_a_session;

/// Credentials of one profile, or of the default chain, kept in memory and renewed in time.
///
/// Making one reads the profile files and nothing else. Threads may share it, and the child of a
/// fork may go on with it.
///
/// - `profile`: a profile of `~/.aws/config`, used alone. `None`: the environment's keys, else
///   the profile that `AWS_PROFILE` names, else what else is set up.
/// - `region`: above `AWS_REGION` and the profile's.
/// - `endpoint_url`: the URL of STS, above `AWS_ENDPOINT_URL_STS` and the profile's.
/// - `mfa_code`: the code of an MFA device, or `env:NAME` or `file://PATH`.
/// - `prompt`: a function that is asked for MFA codes and passwords of keys: it gets the question
///   and gives the answer. Without it the terminal is asked.
/// - `process_timeout`: seconds that a program of a profile may take; 60 unless given.
/// - `disk_cache`: whether `~/.aws/cli/cache` is used.
/// - `provider`: takes the place of all profiles as the source. A function without arguments that
///   gives `Credentials`, a coroutine function that does, an object with such a method
///   `credentials`, a `Session` or a `Chain`. It is asked in a thread of its own.
/// - `roles_anywhere`: a certificate, which takes the place of all profiles as the source.
///
/// Raises `InvalidConfigurationError` for what is wrong in files, variables or arguments, and
/// `NotConfiguredError` if nothing is set up.
#[pyclass(frozen, module = "rolecall")]
pub(crate) struct Session(pub(crate) Arc<Maker<Options>>);

impl Make for Options {
    type Made = rolecall::Session;

    fn make(&self) -> Result<rolecall::Session> {
        eks::session(self.resolve()?, self.role.as_ref())
    }
}

impl Session {
    pub(crate) fn make(py: Python<'_>, options: Options) -> PyResult<Self> {
        let maker = Maker::new(options);
        maker.wait(py)?;
        Ok(Self(maker))
    }

    fn options(&self) -> &Options {
        &self.0.from
    }

    pub(crate) fn profile_name(&self) -> Option<String> {
        self.options().options.profile.clone()
    }
}

#[pymethods]
impl Session {
    #[new]
    #[pyo3(signature = (
        profile=None, *, region=None, endpoint_url=None, mfa_code=None, prompt=None,
        process_timeout=None, disk_cache=true, provider=None, roles_anywhere=None,
    ))]
    #[allow(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn new(
        py: Python<'_>,
        profile: Option<String>,
        region: Option<String>,
        endpoint_url: Option<String>,
        mfa_code: Option<&str>,
        prompt: Option<Py<PyAny>>,
        process_timeout: Option<Length>,
        disk_cache: bool,
        provider: Option<Provider>,
        roles_anywhere: Option<PyRef<'_, RolesAnywhere>>,
    ) -> PyResult<Self> {
        let options = options(
            profile,
            region,
            endpoint_url,
            mfa_code,
            prompt,
            process_timeout,
            disk_cache,
            provider,
            roles_anywhere.as_deref(),
        );
        Self::make(py, options)
    }

    /// Credentials that are good now. What is in memory is given at once; else it waits for the
    /// source or AWS, with the interpreter released.
    ///
    /// Raises whatever the source or AWS says, as a `RolecallError`.
    fn credentials(&self, py: Python<'_>) -> PyResult<Credentials> {
        let in_memory = self.0.look().and_then(|session| session.credentials_in_memory());
        if let Some(credentials) = in_memory {
            return Ok(credentials.into());
        }
        let session = self.0.ready();
        let credentials = wait(py, async move { session.await?.credentials().await })?;
        Ok(credentials.into())
    }

    /// `credentials` for asyncio: an awaitable of `Credentials`.
    fn credentials_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let session = self.0.ready();
        promise(py, async move { Ok(Credentials(session.await?.credentials().await?)) })
    }

    /// A client of STS with this session's credentials, region and endpoint.
    ///
    /// Raises `InvalidConfigurationError` without a region, or with one or an endpoint that makes
    /// no sense.
    fn sts(&self, py: Python<'_>) -> PyResult<Client> {
        Client::of_session(py, &self.0)
    }

    /// The region, if one is set.
    #[getter]
    fn region(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.0.wait(py)?.region().map(|region| region.as_str().to_owned()))
    }

    /// The profile, if one was named.
    #[getter]
    fn profile(&self) -> Option<&str> {
        self.options().options.profile.as_deref()
    }

    fn __repr__(&self) -> String {
        self.to_string()
    }

    fn __reduce_ex__(&self, _protocol: u32) -> PyResult<()> {
        Err(crate::credentials::no_pickle("Session"))
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { options: SessionOptions { profile, roles_anywhere, .. }, provider, .. } =
            self.options();
        match (profile, roles_anywhere, provider) {
            (_, Some(asked), _) => {
                write!(f, "Session(roles_anywhere={:?})", asked.request.role_arn)
            }
            (_, None, Some(_)) => f.write_str("Session(provider=...)"),
            (Some(profile), None, None) => write!(f, "Session(profile={profile:?})"),
            (None, None, None) => f.write_str("Session()"),
        }
    }
}

/// A secret that is given as text, or by what names it: `env:NAME`, `file://PATH`.
pub(crate) fn secret_input(text: &Secret) -> SecretInput {
    text.expose().parse().unwrap_or_else(|never| match never {})
}
