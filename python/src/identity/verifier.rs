use std::sync::Arc;

use pyo3::prelude::*;
use rolecall::identity::{
    self as facade, Binding, Bounds, Mode, SubClaim, VerifierOptions, replay_guard,
};
use rolecall::{Context, PerProcess, Result, Secret};
use tokio::sync::OnceCell;

use super::token::token_format;
use crate::credentials::no_pickle;
use crate::errors::{to_python, wrong};
use crate::record::{Shown, methods};
use crate::runtime::Later;
use crate::secrets::{Opening, SecretStore};
use crate::values::{Json, Length};

/// Gives out challenges that `rolecall` tokens answer, and knows its own again without keeping them.
///
/// - `key`: 32 bytes that nobody can guess, for several processes that answer for one server;
///   without it a key of this process.
/// - `life`: how long a challenge may be answered, in seconds; 120 unless given.
///
/// Raises `ValueError` for a key of another length.
#[pyclass(frozen, module = "rolecall.identity")]
pub(crate) struct Challenges(Arc<facade::Challenges>);

#[pymethods]
impl Challenges {
    #[new]
    #[pyo3(signature = (key=None, *, life=None))]
    fn new(py: Python<'_>, key: Option<[u8; 32]>, life: Option<Length>) -> PyResult<Self> {
        let life = life.map_or(facade::Challenges::LIFE, |length| length.0);
        let made = match key {
            Some(key) => Ok(facade::Challenges::new(&key, life)),
            None => facade::Challenges::random(),
        };
        Ok(Self(Arc::new(made.map_err(|error| to_python(py, error))?)))
    }

    /// A new challenge for tokens of `audience`.
    fn issue(&self, py: Python<'_>, audience: &str) -> PyResult<String> {
        let now = Context::real().clock.now();
        self.0.issue(audience, now).map_err(|error| to_python(py, error))
    }

    fn __repr__(&self) -> &'static str {
        "Challenges(...)"
    }

    fn __reduce_ex__(&self, _protocol: u32) -> PyResult<()> {
        Err(no_pickle("Challenges"))
    }
}

/// Whom to let in, and with what.
///
/// - `account_ids`: 12 digits each. Required.
/// - `arns`: with `*` and `?` in names; `role_names`, `role_ids` (`AROA…`), `user_names`, `user_ids`
///   (`AIDA…`), `session_names`, **which the caller chooses**.
/// - `formats`: the dialects that are taken.
/// - `partition`: `aws` unless given.
/// - `unique_identifier`: what of the identity names it: `account_id`, `principal_arn`,
///   `role_name`, `role_id`, `user_name` or `user_id`.
/// - `sts_url`: the STS to ask instead of AWS's own.
/// - `server_id`, `cluster`, `audience`: what ties tokens of `vault`, `eks` and `rolecall` to this
///   server; `challenges`: those that `rolecall` tokens must answer.
///
/// Raises `InvalidConfigurationError` for bounds that let in nobody or anybody.
#[pyclass(frozen, module = "rolecall.identity")]
pub(crate) struct Policy(Arc<facade::Policy>);

#[pymethods]
impl Policy {
    #[new]
    #[pyo3(signature = (
        *, account_ids, formats, arns=Vec::new(), role_names=Vec::new(), role_ids=Vec::new(),
        user_names=Vec::new(), user_ids=Vec::new(), session_names=Vec::new(),
        partition="aws".to_owned(), unique_identifier=None, sts_url=None, server_id=None,
        cluster=None, audience=None, challenges=None,
    ))]
    #[allow(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn new(
        py: Python<'_>,
        account_ids: Vec<String>,
        formats: Vec<String>,
        arns: Vec<String>,
        role_names: Vec<String>,
        role_ids: Vec<String>,
        user_names: Vec<String>,
        user_ids: Vec<String>,
        session_names: Vec<String>,
        partition: String,
        unique_identifier: Option<&str>,
        sts_url: Option<String>,
        server_id: Option<String>,
        cluster: Option<String>,
        audience: Option<String>,
        challenges: Option<PyRef<'_, Challenges>>,
    ) -> PyResult<Self> {
        let made = (|| {
            let formats: Vec<_> =
                formats.iter().map(|name| token_format(name)).collect::<Result<_>>()?;
            let bounds = Bounds {
                partition,
                account_ids,
                arns,
                role_names,
                role_ids,
                user_names,
                user_ids,
                session_names,
                unique_identifier: unique_identifier.map(SubClaim::parse).transpose()?,
                sts_url,
            };
            let challenges = challenges.map(|challenges| challenges.0.clone());
            let binding = Binding { server_id, cluster, audience, challenges };
            facade::Policy::new(&bounds, &formats, binding)
        })();
        Ok(Self(Arc::new(made.map_err(|error| to_python(py, error))?)))
    }

    /// What to know about it: sentences.
    #[getter]
    fn warnings(&self) -> Vec<&str> {
        self.0.lints().iter().map(|lint| lint.message.as_str()).collect()
    }

    fn __repr__(&self) -> &'static str {
        "Policy(...)"
    }
}

/// Checks tokens. One serves for all policies and threads: it holds what was used, what is being
/// asked and the connections to STS.
///
/// - `mode`: `single-use`, each token once; or `cached`, as often as wanted while it is fresh.
/// - `max_age`: seconds that a token may be old: 900 at most, 300 unless given.
/// - `time_limit`: seconds that STS may take; 5 unless given.
///
/// - `guard`: the `SecretStore` that remembers what was used. **Several processes that take the same
///   tokens need one**, as the workers of a web server do: without it what was used is remembered in
///   this process alone, the child of a fork begins anew, and each of them lets a token in once.
///
/// Raises `InvalidConfigurationError` for a mode that there is not.
#[pyclass(frozen, module = "rolecall.identity")]
pub(crate) struct Verifier {
    options: VerifierOptions,
    guard: Option<Arc<Opening>>,
    made: PerProcess<OnceCell<Arc<facade::Verifier>>>,
}

impl Verifier {
    /// The verifier of this process.
    fn native(&self) -> Later<Arc<facade::Verifier>> {
        let made = self.made.get_or_make(OnceCell::new);
        let (options, guard) = (self.options.clone(), self.guard.clone());
        Box::pin(async move {
            let make = || async {
                let guard = match guard {
                    Some(store) => Some(replay_guard(store.leases().await?.store().clone())?),
                    None => None,
                };
                Ok(Arc::new(facade::verifier(VerifierOptions { guard, ..options })))
            };
            made.get_or_try_init(make).await.cloned()
        })
    }
}

methods! {
    Verifier {
        #[new]
        #[pyo3(signature = (*, mode="single-use", max_age=None, time_limit=None, guard=None))]
        fn new(
            py: Python<'_>,
            mode: &str,
            max_age: Option<Length>,
            time_limit: Option<Length>,
            guard: Option<PyRef<'_, SecretStore>>,
        ) -> PyResult<Self> {
            let mode = match mode {
                "single-use" => Mode::SingleUse,
                "cached" => Mode::Cached,
                _ => {
                    let error = wrong("verifier", format!("there is no mode {mode:?}"));
                    return Err(to_python(py, error.with_help("use single-use or cached")));
                }
            };
            let options = VerifierOptions {
                mode,
                max_age: max_age.map(|length| length.0),
                time_limit: time_limit.map(|length| length.0),
                ..VerifierOptions::default()
            };
            let guard = guard.map(|store| store.opening.clone());
            Ok(Self { options, guard, made: PerProcess::empty() })
        }

        fn __repr__(&self) -> &'static str {
            "Verifier(...)"
        }
    }

    /// Checks a token against a policy. Whatever is wrong with the token is in the decision, and what
    /// keeps it from being checked too, as STS or the guard that cannot be reached.
    ///
    /// Raises what the guard's store does if it cannot be opened in this process.
    fn verify / verify_async [token, policy] (py, &self, token: String, policy: PyRef<'_, Policy>)
        -> Decision
    {
        let (verifier, policy, token) = (self.native(), policy.0.clone(), Secret::from(token));
        async move { Ok(Decision(verifier.await?.verify(token.expose(), &policy).await)) }
    }
}

/// What became of a token. It is true if its maker may come in, and only then.
#[pyclass(frozen, module = "rolecall.identity")]
pub(crate) struct Decision(facade::Decision);

#[pymethods]
impl Decision {
    /// Whether its maker may come in.
    #[getter]
    fn accepted(&self) -> bool {
        self.0.accepted().is_ok()
    }

    fn __bool__(&self) -> bool {
        self.accepted()
    }

    /// Who comes in, as a dictionary with `arn`, `account` and more.
    ///
    /// Raises the refusal, as `DeniedError` mostly, if nobody does.
    fn caller(&self, py: Python<'_>) -> PyResult<Json> {
        match self.0.accepted() {
            Ok(identity) => Ok(Json(identity.to_json())),
            Err(refusal) => Err(to_python(py, refusal.clone().into())),
        }
    }

    /// The value of the policy's unique identifier, or `None`.
    #[getter]
    fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// The check that refuses it, or `None`.
    #[getter]
    fn refused_by(&self) -> Option<&'static str> {
        self.0.refusal.as_ref().map(|refusal| refusal.check.name())
    }

    /// Why it is refused, or `None`.
    #[getter]
    fn reason(&self) -> Option<&str> {
        self.0.refusal.as_ref().map(|refusal| refusal.message.as_str())
    }

    /// The whole record, as a dictionary: every check by name and how it went. Holds no secret.
    fn to_dict(&self) -> Json {
        Json(self.0.to_json())
    }

    fn __repr__(&self) -> String {
        let reason = self.reason().map(str::to_owned);
        format!("Decision(accepted={}, reason={})", self.accepted().shown(), reason.shown())
    }
}
