//! What is said about a machine's settings, as data.

use pyo3::prelude::*;
use rolecall::{Context, Explanation, ProfileSet};

use crate::runtime::{apart, promise, wait};
use crate::session::{Options, of_a_session};
use crate::values::Json;

of_a_session! {
    /// Says what a session would do for its credentials and what is wrong with that: a dictionary
    /// like that of `rolecall explain --json`, with `source`, `hops`, `problems` and more. Nobody is
    /// asked, and no secret is shown. The arguments are those of `Session`.
    ///
    /// Raises `InvalidConfigurationError` only if the profile files cannot be read at all.
    fn explain(py, options) -> Json {
        let explain = move || Explanation::new(options.resolve()?).map(|found| Json(found.to_json()));
        wait(py, apart(explain))
    }
}

async fn diagnosis(options: Options) -> rolecall::Result<Json> {
    let options = apart(move || options.resolve()).await?;
    Ok(Json(rolecall::diagnose(options).await.to_json()))
}

of_a_session! {
    /// Looks for what is wrong on this machine with getting credentials, in less than three seconds:
    /// a dictionary like that of `rolecall doctor --json`, with `errors`, `warnings` and `findings`.
    /// The arguments are those of `Session`.
    fn doctor(py, options) -> Json {
        wait(py, diagnosis(options))
    }
}

of_a_session! {
    /// `doctor` for asyncio: an awaitable of what that gives.
    fn doctor_async(py, options) -> Bound<'py, PyAny> {
        promise(py, diagnosis(options))
    }
}

/// The profile files as a dictionary: `profiles`, `sso_sessions` and `services` by name, and
/// `warnings`. Values that are or may hold secrets are `[redacted]`.
///
/// Raises `InvalidConfigurationError` if the files cannot be read.
#[pyfunction]
pub(crate) fn profiles(py: Python<'_>) -> PyResult<Json> {
    let read = || {
        let context = Context::real();
        let set = ProfileSet::load(&context.env, &context.fs)?;
        Ok(Json(rolecall::profiles_json(&set)))
    };
    wait(py, apart(read))
}
