use std::sync::Arc;
use std::time::SystemTime;

use pyo3::prelude::*;
use rolecall::identity::{self as facade, TokenFormat, TokenOptions, TokenParts};
use rolecall::{Result, Secret};

use crate::credentials::no_pickle;
use crate::errors::{to_python, wrong};
use crate::per_process::{Make, Maker};
use crate::record::{Shown, methods};
use crate::runtime::{promise, wait};
use crate::session::{Options, Session};
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
pub(crate) struct TokenSource(Arc<Maker<Signing>>);

/// Who signs, and what.
struct Signing {
    session: Arc<Maker<Options>>,
    options: TokenOptions,
}

impl Make for Signing {
    type Made = Arc<facade::TokenSource>;

    fn make(&self) -> Result<Arc<facade::TokenSource>> {
        let source = facade::TokenSource::new(&self.session.make()?, self.options.clone())?;
        Ok(Arc::new(source))
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
            session: Option<PyRef<'_, Session>>,
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
            let parts = TokenParts {
                format: Some(format.to_owned()),
                role,
                server_id,
                identity_id,
                cluster,
                audience,
                challenge,
                lifetime: lifetime.map(|length| length.0),
                region,
                sts_url,
            };
            let options = parts.options().map_err(|error| to_python(py, error))?;
            let session = match session {
                Some(session) => session.0.clone(),
                None => Maker::new(Options::default()),
            };
            let source = Maker::new(Signing { session, options });
            source.wait(py)?;
            Ok(Self(source))
        }

        /// A token that is signed now.
        ///
        /// Raises what `Session.credentials` does.
        fn token(&self, py: Python<'_>) -> PyResult<Token> {
            let at_once = self.0.look().and_then(|source| source.token_from_memory());
            let source = self.0.ready();
            let token = match at_once {
                Some(token) => token.map_err(|error| to_python(py, error))?,
                None => wait(py, async move { source.await?.token().await })?,
            };
            Ok(token.into())
        }

        /// `token` for asyncio: an awaitable of what that gives.
        fn token_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
            let source = self.0.ready();
            promise(py, async move { Ok(Token::from(source.await?.token().await?)) })
        }

        fn __repr__(&self) -> String {
            format!("TokenSource(format={:?})", self.0.from.options.dialect.format().name())
        }
    }
}
