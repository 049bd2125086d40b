//! Cloud identity: tokens, and the verifier of such tokens.

mod token;
mod verifier;

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use rolecall::identity::{self as facade, Jwks, WebIdentityRules};
use rolecall::{Context, Secret};

pub(crate) use self::token::{Token, TokenSource, token_format};
pub(crate) use self::verifier::{Challenges, Decision, Policy, Verifier};
use crate::errors::to_python;
use crate::runtime::{apart, wait};
use crate::values::{Json, json_text};

/// Cloud identity: who a workload is in AWS, proved to others than AWS, and checked.
///
/// A `TokenSource` makes tokens with the credentials of a session, in the dialects `akeyless`,
/// `vault`, `infisical`, `eks` and `rolecall`. A `Verifier` checks tokens against a `Policy`. A token
/// is as good as a password for as long as it lives.
#[pymodule]
pub(crate) mod identity {
    #[pymodule_export]
    use super::{
        Challenges, Decision, Policy, Token, TokenSource, Verifier, inspect, save_access_id,
        verify_web_identity_token,
    };
}

/// What is in a token of any dialect, as a dictionary, without what would let somebody use it.
///
/// Raises `MalformedError` or `DeniedError` if it is none.
#[pyfunction]
pub(crate) fn inspect(py: Python<'_>, token: &str) -> PyResult<Json> {
    match facade::inspect(token) {
        Ok(found) => Ok(Json(found.to_json())),
        Err(refusal) => Err(to_python(py, refusal.into())),
    }
}

/// Checks a JWT of `sts:GetWebIdentityToken` without asking AWS: signature, issuer, audience and
/// times. Gives what it says as a dictionary.
///
/// - `jwks`: the issuer's keys, as its `jwks_uri` gives them: a path, the JSON as text or bytes, or a
///   dictionary.
/// - `issuer`, `audience`: who must have made it, and whom it must be for, to the letter.
///
/// Raises `InvalidConfigurationError` for what holds no keys, and `DeniedError` for a token that is
/// refused.
#[pyfunction]
#[pyo3(signature = (token, *, jwks, issuer, audience))]
pub(crate) fn verify_web_identity_token(
    py: Python<'_>,
    token: &str,
    jwks: Keys,
    issuer: String,
    audience: String,
) -> PyResult<Json> {
    let token = Secret::from(token);
    let rules = WebIdentityRules { issuer, audience };
    let check = apart(move || {
        let context = Context::real();
        let keys = match &jwks {
            Keys::Text(text) => Jwks::parse(text)?,
            Keys::File(path) => facade::read_jwks(&context, path)?,
        };
        let now = context.clock.now();
        let claims = facade::verify_web_identity_token(token.expose(), &keys, &rules, now)?;
        Ok(Json(claims.to_json()))
    });
    wait(py, check)
}

/// Saves in a profile by which auth method it logs in, for `Auth.log_in` without an access id.
///
/// - `profile`: that of `AWS_PROFILE`, else `default`, unless given.
///
/// Raises `InvalidConfigurationError` for an access id or an access type that makes no sense, and if
/// the profile files cannot be changed safely.
#[pyfunction]
#[pyo3(signature = (access_id, *, profile=None, access_type="aws_iam"))]
pub(crate) fn save_access_id(
    py: Python<'_>,
    access_id: String,
    profile: Option<String>,
    access_type: &str,
) -> PyResult<()> {
    let access_type = access_type.to_owned();
    wait(py, async move {
        facade::save_access_id(Context::real(), profile, &access_id, &access_type).await
    })
}

/// The keys of an issuer.
pub(crate) enum Keys {
    Text(String),
    File(PathBuf),
}

impl<'py> FromPyObject<'_, 'py> for Keys {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if value.is_instance_of::<PyDict>() {
            return json_text(&value).map(Self::Text);
        }
        if let Ok(bytes) = value.extract::<Vec<u8>>() {
            return Ok(Self::Text(String::from_utf8_lossy(&bytes).into_owned()));
        }
        match value.extract::<String>() {
            Ok(text) if text.trim_start().starts_with('{') => Ok(Self::Text(text)),
            _ => value.extract().map(Self::File),
        }
    }
}
