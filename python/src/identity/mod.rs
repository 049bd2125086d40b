//! Cloud identity: tokens, and the verifier of such tokens.

mod token;
mod verifier;

use std::path::PathBuf;

use pyo3::prelude::*;
use rolecall::Context;
use rolecall::identity::{self as facade, WebIdentityRules};

pub(crate) use self::token::{Token, TokenSource, token_format};
pub(crate) use self::verifier::{Challenges, Decision, Policy, Verifier};
use crate::errors::to_python;
use crate::values::Json;

/// Cloud identity: who a workload is in AWS, proved to others than AWS, and checked.
///
/// A `TokenSource` makes tokens with the credentials of a session, in the dialects `akeyless`,
/// `vault`, `infisical`, `eks` and `rolecall`. A `Verifier` checks tokens against a `Policy`. A token
/// is as good as a password for as long as it lives.
#[pymodule]
pub(crate) mod identity {
    #[pymodule_export]
    use super::{
        Challenges, Decision, Policy, Token, TokenSource, Verifier, inspect,
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
/// - `jwks`: the file of the issuer's keys, its `jwks_uri`.
/// - `issuer`, `audience`: who must have made it, and whom it must be for, to the letter.
///
/// Raises `InvalidConfigurationError` for a file that holds no keys, and `DeniedError` for a token
/// that is refused.
#[pyfunction]
#[pyo3(signature = (token, *, jwks, issuer, audience))]
pub(crate) fn verify_web_identity_token(
    py: Python<'_>,
    token: &str,
    jwks: PathBuf,
    issuer: String,
    audience: String,
) -> PyResult<Json> {
    let context = Context::real();
    let rules = WebIdentityRules { issuer, audience };
    let claims = facade::read_jwks(&context, &jwks).and_then(|keys| {
        let now = context.clock.now();
        Ok(facade::verify_web_identity_token(token, &keys, &rules, now)?)
    });
    claims.map(|claims| Json(claims.to_json())).map_err(|error| to_python(py, error))
}
