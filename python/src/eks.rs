//! Tokens of EKS clusters.

use pyo3::prelude::*;
use rolecall::Result;
use rolecall::identity::TokenFormat;

use crate::errors::to_python;
use crate::identity::Token;
use crate::runtime::{promise, wait};
use crate::session::Session;

/// Tokens of Amazon EKS.
#[pymodule]
pub(crate) mod eks {
    #[pymodule_export]
    use super::{Token, cluster_token, cluster_token_async};
}

async fn sign_for(session: rolecall::Session, cluster: String) -> Result<Token> {
    let token = rolecall::eks::token(&session, &cluster).await?;
    Ok(Token { format: TokenFormat::Eks, text: token.token, expires_at: token.expires_at })
}

/// A token for `cluster`, its name, or on Outposts its id. `expires_at` says when to make the next:
/// 14 minutes after it was signed, or when its credentials end.
///
/// Raises what `Session.credentials` does, and `InvalidConfigurationError` for a name that cannot be
/// a cluster's.
#[pyfunction(name = "token")]
pub(crate) fn cluster_token(
    py: Python<'_>,
    session: Py<Session>,
    cluster: String,
) -> PyResult<Token> {
    let session = session.get().native().map_err(|error| to_python(py, error))?;
    wait(py, sign_for(session, cluster))
}

/// `token` for asyncio: an awaitable of what that gives.
#[pyfunction(name = "token_async")]
pub(crate) fn cluster_token_async(
    py: Python<'_>,
    session: Py<Session>,
    cluster: String,
) -> PyResult<Bound<'_, PyAny>> {
    let session = session.get().native().map_err(|error| to_python(py, error))?;
    promise(py, sign_for(session, cluster))
}
