//! What is said about a machine's settings, as data.

use pyo3::prelude::*;
use rolecall::{Explanation, ProfileSet, SessionOptions};

use crate::errors::to_python;
use crate::runtime::{promise, wait};
use crate::values::Json;

fn session(
    profile: Option<String>,
    region: Option<String>,
    endpoint_url: Option<String>,
) -> SessionOptions {
    SessionOptions { profile, region, endpoint_url, ..SessionOptions::default() }
}

/// Says what a session would do for its credentials and what is wrong with that: a dictionary like
/// that of `rolecall explain --json`, with `source`, `hops`, `problems` and more. Nobody is asked,
/// and no secret is shown.
///
/// Raises `InvalidConfigurationError` only if the profile files cannot be read at all.
#[pyfunction]
#[pyo3(signature = (profile=None, *, region=None, endpoint_url=None))]
pub(crate) fn explain(
    py: Python<'_>,
    profile: Option<String>,
    region: Option<String>,
    endpoint_url: Option<String>,
) -> PyResult<Json> {
    let options = session(profile, region, endpoint_url);
    let explained = py.detach(|| Explanation::new(options).map(|found| found.to_json()));
    explained.map(Json).map_err(|error| to_python(py, error))
}

/// Looks for what is wrong on this machine with getting credentials, in less than three seconds: a
/// dictionary like that of `rolecall doctor --json`, with `errors`, `warnings` and `findings`.
#[pyfunction]
#[pyo3(signature = (profile=None, *, region=None, endpoint_url=None))]
pub(crate) fn doctor(
    py: Python<'_>,
    profile: Option<String>,
    region: Option<String>,
    endpoint_url: Option<String>,
) -> PyResult<Json> {
    let options = session(profile, region, endpoint_url);
    wait(py, async move { Ok(Json(rolecall::diagnose(options).await.to_json())) })
}

/// `doctor` for asyncio: an awaitable of what that gives.
#[pyfunction]
#[pyo3(signature = (profile=None, *, region=None, endpoint_url=None))]
pub(crate) fn doctor_async(
    py: Python<'_>,
    profile: Option<String>,
    region: Option<String>,
    endpoint_url: Option<String>,
) -> PyResult<Bound<'_, PyAny>> {
    let options = session(profile, region, endpoint_url);
    promise(py, async move { Ok(Json(rolecall::diagnose(options).await.to_json())) })
}

/// The profile files as a dictionary: `profiles`, `sso_sessions` and `services` by name, and
/// `warnings`. Values that are or may hold secrets are `[redacted]`.
///
/// Raises `InvalidConfigurationError` if the files cannot be read.
#[pyfunction]
pub(crate) fn profiles(py: Python<'_>) -> PyResult<Json> {
    let context = rolecall::Context::real();
    let set = py.detach(|| ProfileSet::load(&context.env, &context.fs));
    set.map(|set| Json(rolecall::profiles_json(&set))).map_err(|error| to_python(py, error))
}
