use std::sync::Arc;
use std::time::SystemTime;

use pyo3::prelude::*;
use rolecall::identity::{self as facade, Dialect, TokenFormat, TokenOptions};
use rolecall::{CredentialsError, Result, Secret};

use crate::credentials::no_pickle;
use crate::errors::{to_python, wrong};
use crate::per_process::PerProcess;
use crate::record::{Shown, methods};
use crate::session::Session;
use crate::values::Length;

/// A token: whoever has it can be its maker until it ends.
#[pyclass(frozen, module = "rolecall.identity")]
pub(crate) struct Token {
    pub(crate) format: TokenFormat,
    pub(crate) text: Secret,
    pub(crate) expires_at: SystemTime,
}

#[pymethods]
impl Token {
    /// Its dialect: `akeyless`, `vault`, `infisical`, `eks` or `rolecall`.
    #[getter]
    fn format(&self) -> &'static str {
        self.format.name()
    }

    /// The token itself, as its server takes it.
    #[getter]
    fn text(&self) -> &str {
        self.text.expose()
    }

    /// From when on nobody takes it: a `datetime` in UTC.
    #[getter]
    fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    fn __repr__(&self) -> String {
        let (format, end) = (self.format.name(), self.expires_at.shown());
        format!("Token(format={format:?}, text=[redacted], expires_at={end})")
    }

    fn __reduce_ex__(&self, _protocol: u32) -> PyResult<()> {
        Err(no_pickle("Token"))
    }
}

impl From<facade::Token> for Token {
    fn from(token: facade::Token) -> Self {
        Self { format: token.format, text: token.text, expires_at: token.expires_at }
    }
}

/// Makes tokens with a session's credentials, whichever they are at the time. Making many is cheap;
/// those that are made in the same second are the same.
///
/// - `session`: whose credentials sign; the default chain's without it.
/// - `format`: the dialect: `akeyless`, `vault`, `infisical`, `eks` or `rolecall`.
/// - `role`, `server_id` (`vault`): the role to log in as, and the server that it is bound to.
/// - `identity_id` (`infisical`): the machine identity to log in as.
/// - `cluster` (`eks`): the cluster's name, or on Outposts its id.
/// - `audience`, `challenge`, `lifetime` (`rolecall`): whom it is for, what the server gave to be
///   signed, and for how long it is good: 1 to 300 seconds, 60 unless given.
/// - `region`, `sts_url`: the STS that the verifier will ask.
///
/// Raises `InvalidConfigurationError` if something is missing or makes no sense.
#[pyclass(frozen, module = "rolecall.identity")]
pub(crate) struct TokenSource {
    session: Py<Session>,
    options: TokenOptions,
    made: PerProcess<Arc<facade::TokenSource>>,
}

impl TokenSource {
    fn native(&self, py: Python<'_>) -> PyResult<Arc<facade::TokenSource>> {
        let made = self.made.or_make(|| {
            let session = self.session.get().native()?;
            Ok(Arc::new(facade::TokenSource::new(&session, self.options.clone())?))
        });
        made.map_err(|error: CredentialsError| to_python(py, error))
    }
}

/// What goes into a dialect.
struct For {
    role: Option<String>,
    server_id: Option<String>,
    identity_id: Option<String>,
    cluster: Option<String>,
    audience: Option<String>,
    challenge: Option<String>,
    lifetime: Option<Length>,
}

impl For {
    fn dialect(self, format: &str) -> Result<Dialect> {
        let given = [
            ("role", self.role.is_some(), TokenFormat::Vault),
            ("server_id", self.server_id.is_some(), TokenFormat::Vault),
            ("identity_id", self.identity_id.is_some(), TokenFormat::Infisical),
            ("cluster", self.cluster.is_some(), TokenFormat::Eks),
            ("audience", self.audience.is_some(), TokenFormat::Rolecall),
            ("challenge", self.challenge.is_some(), TokenFormat::Rolecall),
            ("lifetime", self.lifetime.is_some(), TokenFormat::Rolecall),
        ];
        let format = token_format(format)?;
        if let Some((name, ..)) = given.iter().find(|(_, is, of)| *is && *of != format) {
            return Err(wrong(TOKEN, format!("tokens of {format} have no {name}")));
        }
        let needed = |name: &str, value: Option<String>| {
            value.ok_or_else(|| wrong(TOKEN, format!("tokens of {format} need {name}")))
        };
        Ok(match format {
            TokenFormat::Akeyless => Dialect::Akeyless,
            TokenFormat::Vault => Dialect::Vault { role: self.role, server_id: self.server_id },
            TokenFormat::Infisical => {
                Dialect::Infisical { identity_id: needed("identity_id", self.identity_id)? }
            }
            TokenFormat::Eks => Dialect::Eks { cluster: needed("cluster", self.cluster)? },
            _ => Dialect::Rolecall {
                audience: needed("audience", self.audience)?,
                challenge: self.challenge,
                lifetime: self.lifetime.map_or(Dialect::LIFETIME, |length| length.0),
            },
        })
    }
}

const TOKEN: &str = "identity token";

pub(crate) fn token_format(name: &str) -> Result<TokenFormat> {
    TokenFormat::by_name(name).ok_or_else(|| {
        let names = TokenFormat::ALL.map(TokenFormat::name).join(", ");
        wrong(TOKEN, format!("there is no dialect {name:?}")).with_help(format!("use {names}"))
    })
}

methods! {
    TokenSource {
        #[new]
        #[pyo3(signature = (
            session=None, format="akeyless", *, role=None, server_id=None, identity_id=None,
            cluster=None, audience=None, challenge=None, lifetime=None, region=None, sts_url=None,
        ))]
        #[allow(clippy::too_many_arguments, reason = "they are keywords in Python")]
        fn new(
            py: Python<'_>,
            session: Option<Py<Session>>,
            format: &str,
            role: Option<String>,
            server_id: Option<String>,
            identity_id: Option<String>,
            cluster: Option<String>,
            audience: Option<String>,
            challenge: Option<String>,
            lifetime: Option<Length>,
            region: Option<String>,
            sts_url: Option<String>,
        ) -> PyResult<Self> {
            let parts =
                For { role, server_id, identity_id, cluster, audience, challenge, lifetime };
            let dialect = parts.dialect(format).map_err(|error| to_python(py, error))?;
            let session = match session {
                Some(session) => session,
                None => {
                    let made = Session::make(Default::default());
                    Py::new(py, made.map_err(|error| to_python(py, error))?)?
                }
            };
            let options = TokenOptions { dialect, region, sts_url };
            let source = Self { session, options, made: PerProcess::new(None) };
            source.native(py)?;
            Ok(source)
        }

        /// A token that is signed now.
        ///
        /// Raises what `Session.credentials` does.
        fn token(&self, py: Python<'_>) -> PyResult<Token> {
            let source = self.native(py)?;
            let token = match source.token_from_memory() {
                Some(token) => token.map_err(|error| to_python(py, error))?,
                None => crate::runtime::wait(py, async move { source.token().await })?,
            };
            Ok(token.into())
        }

        /// `token` for asyncio: an awaitable of what that gives.
        fn token_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
            let source = self.native(py)?;
            crate::runtime::promise(py, async move { Ok(Token::from(source.token().await?)) })
        }

        fn __repr__(&self) -> String {
            format!("TokenSource(format={:?})", self.options.dialect.format().name())
        }
    }
}
