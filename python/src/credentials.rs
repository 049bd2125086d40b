use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use rolecall::{Context, Secret, exec, export};

use crate::errors::to_python;
use crate::record::Shown;
use crate::values::{Convert, Text};

/// AWS credentials: an access key id, its secret, and for short-lived ones a session token and the
/// moment they end.
///
/// They cannot be changed, and are shown without their secrets. They cannot be pickled: whoever
/// needs them in another process is to get them there.
#[pyclass(frozen, eq, module = "rolecall")]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials(pub(crate) rolecall::Credentials);

#[pymethods]
impl Credentials {
    /// `expiration` is a `datetime` with a time zone; `None` for credentials that do not end.
    /// `account_id` has 12 digits.
    #[new]
    #[pyo3(signature = (access_key_id, secret_access_key, session_token=None, *, expiration=None, account_id=None))]
    fn new(
        access_key_id: String,
        secret_access_key: Text,
        session_token: Option<Text>,
        expiration: Option<SystemTime>,
        account_id: Option<String>,
    ) -> Self {
        let credentials = rolecall::Credentials::new(access_key_id, secret_access_key.0, "Python")
            .with_session_token(session_token.map(|token| token.0))
            .with_expires_at(expiration)
            .with_account_id(account_id);
        Self(credentials)
    }

    /// The access key id. Not a secret: it shows in every request.
    #[getter]
    fn access_key_id(&self) -> &str {
        self.0.access_key_id()
    }

    /// The secret access key.
    #[getter]
    fn secret_access_key(&self) -> &str {
        self.0.secret_access_key().expose()
    }

    /// The session token, or `None`.
    #[getter]
    fn session_token(&self) -> Option<&str> {
        self.0.session_token().map(Secret::expose)
    }

    /// When they end, as a `datetime` in UTC; `None` if they do not.
    #[getter]
    fn expiration(&self) -> Option<SystemTime> {
        self.0.expires_at()
    }

    /// The account they belong to, 12 digits, where known.
    #[getter]
    fn account_id(&self) -> Option<&str> {
        self.0.account_id()
    }

    /// Where they came from, for messages.
    #[getter]
    fn provider(&self) -> &str {
        self.0.provider()
    }

    /// The credentials as text for other programs: `process`, the JSON of a `credential_process`; or
    /// assignments, `env`, `env-no-export`, `fish`, `powershell` or `windows-cmd`. **It holds the
    /// secrets**.
    ///
    /// Raises `InvalidConfigurationError` for another format, and if the format cannot express them.
    fn export(&self, py: Python<'_>, format: &str) -> PyResult<String> {
        let text = format.parse().and_then(|format| export::format(&self.0, format));
        text.map(|text| text.to_string()).map_err(|error| to_python(py, error))
    }

    /// What to change in the environment of a program that is to use them: a dictionary of values to
    /// set, **which are secret**, and of `None` for variables to remove, as they would compete.
    ///
    /// - `region`: the program's region.
    #[pyo3(signature = (*, region=None))]
    fn environment(&self, region: Option<&str>) -> BTreeMap<String, Option<String>> {
        exec::environment(&Context::real(), &self.0, region).into_iter().collect()
    }

    fn __repr__(&self) -> String {
        self.to_string()
    }

    fn __reduce_ex__(&self, _protocol: u32) -> PyResult<()> {
        Err(no_pickle("Credentials"))
    }

    fn __copy__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: PyRef<'py, Self>, _memo: &Bound<'py, PyAny>) -> PyRef<'py, Self> {
        slf
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, account) = (self.0.access_key_id(), self.0.account_id().map(str::to_owned));
        let token = if self.0.session_token().is_some() { "[redacted]" } else { "None" };
        let end = self.0.expires_at().shown();
        write!(
            f,
            "Credentials(access_key_id={id:?}, secret_access_key=[redacted], \
             session_token={token}, expiration={end}, account_id={})",
            account.shown()
        )
    }
}

impl From<rolecall::Credentials> for Credentials {
    fn from(credentials: rolecall::Credentials) -> Self {
        Self(credentials)
    }
}

impl Convert<Self> for Credentials {
    fn convert(self) -> Self {
        self
    }
}

impl Convert<Credentials> for rolecall::Credentials {
    fn convert(self) -> Credentials {
        Credentials(self)
    }
}

/// Why something cannot be pickled.
pub(crate) fn no_pickle(what: &str) -> PyErr {
    PyTypeError::new_err(format!("{what} cannot be pickled: it may hold secrets"))
}
