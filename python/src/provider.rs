use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use rolecall::{CredentialsError, ErrorKind, ProvideCredentials, Result, SharedProvider};

use crate::credentials::Credentials;
use crate::errors::from_python;
use crate::per_process::{Make, Maker};
use crate::record::methods;
use crate::session::{Options, Session};

/// Whatever gives credentials: a session, a chain, or something in Python.
#[derive(Clone)]
pub(crate) enum Provider {
    Session(Arc<Maker<Options>>),
    Chain(Arc<Maker<Links>>),
    Python(Arc<PythonProvider>),
}

impl<'py> FromPyObject<'_, 'py> for Provider {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(session) = value.cast::<Session>() {
            return Ok(Self::Session(session.get().0.clone()));
        }
        if let Ok(chain) = value.cast::<Chain>() {
            return Ok(Self::Chain(chain.get().0.clone()));
        }
        let method = value.getattr_opt("credentials")?.filter(|method| method.is_callable());
        let call = match method {
            Some(method) => method,
            None if value.is_callable() => value.to_owned(),
            None => {
                let message = "a provider is a function or has a method `credentials`";
                return Err(PyTypeError::new_err(message));
            }
        };
        let name = value.getattr_opt("__name__")?.and_then(|name| name.extract().ok());
        let name = match name {
            Some(name) => name,
            None => value.get_type().name()?.to_string(),
        };
        Ok(Self::Python(Arc::new(PythonProvider { name, call: Arc::new(call.unbind()) })))
    }
}

impl Provider {
    /// The provider in this process. It may block.
    pub(crate) fn resolve(&self) -> Result<SharedProvider> {
        match self {
            Self::Session(session) => Ok(session.make()?.provider()),
            Self::Chain(chain) => chain.make(),
            Self::Python(provider) => Ok(provider.clone()),
        }
    }
}

/// A function that gives credentials. What it gives is awaited, if it is to be, in an event loop of
/// its own.
#[derive(Clone)]
pub(crate) struct PythonProvider {
    name: String,
    call: Arc<Py<PyAny>>,
}

impl fmt::Debug for PythonProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PythonProvider").field(&self.name).finish()
    }
}

impl PythonProvider {
    fn call(&self, py: Python<'_>) -> PyResult<Result<rolecall::Credentials>> {
        let call = self.call.bind(py);
        let answer = match call.call0() {
            Ok(answer) if answer.hasattr("__await__")? => in_a_loop(py, "of", &answer)?,
            // A function that makes a future needs a loop that runs already, as ours do.
            Err(raised) if lacks_a_loop(py, &raised) => in_a_loop(py, "of_call", call)?,
            answer => answer?,
        };
        match answer.cast::<Credentials>() {
            Ok(credentials) => Ok(Ok(credentials.get().0.clone())),
            Err(_) => {
                let class = answer.get_type().name()?;
                let message = format!("it gave no rolecall.Credentials, but {class}");
                Ok(Err(CredentialsError::new(ErrorKind::Malformed, self.name.clone(), message)))
            }
        }
    }
}

/// Runs a coroutine of `rolecall._awaited` to its end.
fn in_a_loop<'py>(
    py: Python<'py>,
    coroutine: &str,
    of: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let coroutine = py.import("rolecall._awaited")?.call_method1(coroutine, (of,))?;
    py.import("asyncio")?.call_method1("run", (coroutine,))
}

fn lacks_a_loop(py: Python<'_>, raised: &PyErr) -> bool {
    let said = raised.value(py).to_string();
    raised.is_instance_of::<PyRuntimeError>(py)
        && (said == "no running event loop" || said.starts_with("There is no current event loop"))
}

#[async_trait]
impl ProvideCredentials for PythonProvider {
    async fn provide_credentials(&self) -> Result<rolecall::Credentials> {
        let provider = self.clone();
        // A thread of its own: it may block, and the interpreter may be busy.
        let answer = tokio::task::spawn_blocking(move || {
            Python::try_attach(|py| {
                let answer = provider.call(py);
                answer.unwrap_or_else(|raised| Err(from_python(py, &provider.name, raised)))
            })
        });
        match answer.await {
            Ok(Some(answer)) => answer,
            Ok(None) | Err(_) => {
                let message = "it was not asked, since the interpreter is ending";
                Err(CredentialsError::new(ErrorKind::Internal, self.name.clone(), message))
            }
        }
    }
}

/// Asks one provider after the other until one is configured. Only `NotConfiguredError` lets it go
/// on: a provider that is configured and fails is an answer.
#[pyclass(frozen, module = "rolecall")]
pub(crate) struct Chain(Arc<Maker<Links>>);

pub(crate) struct Links(Vec<(String, Provider)>);

impl Make for Links {
    type Made = SharedProvider;

    fn make(&self) -> Result<SharedProvider> {
        let links = self.0.iter();
        let links = links.map(|(name, provider)| Ok((name.clone(), provider.resolve()?)));
        Ok(Arc::new(rolecall::Chain::new(links.collect::<Result<_>>()?)))
    }
}

methods! {
    Chain {
        /// `links` are providers with names for messages, in order: sessions, chains, functions
        /// without arguments that give `Credentials`, or objects with such a method `credentials`.
        /// Functions may also be coroutines. They raise `NotConfiguredError` to be passed over.
        #[new]
        fn new(links: Vec<(String, Provider)>) -> Self {
            Self(Maker::new(Links(links)))
        }

        fn __repr__(&self) -> String {
            let names: Vec<_> = self.0.from.0.iter().map(|(name, _)| name.as_str()).collect();
            format!("Chain({})", names.join(", "))
        }
    }

    /// The first link's credentials that are there. Nothing is kept: a `Session` of the chain does.
    ///
    /// Raises the error of the first provider that is configured and fails; `NotConfiguredError` if
    /// none is.
    fn credentials / credentials_async [] (py, &self) -> Credentials {
        let provider = self.0.ready();
        async move { Ok(provider.await?.provide_credentials().await?.into()) }
    }
}
