//! Tokens of EKS clusters, and their entries in kubeconfig files.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use rolecall::eks::{self as facade, ClusterToken, ExecApi, ExecCommand, Role, UpdateKubeconfig};
use rolecall::identity::TokenFormat;
use rolecall::{Context, Result};

use crate::errors::{to_python, wrong};
use crate::identity::Token;
use crate::per_process::Maker;
use crate::runtime::{apart, promise, wait};
use crate::session::{Options, Session, of_a_session};
use crate::values::Json;

/// Amazon EKS: tokens of clusters, and their entries in kubeconfig files.
#[pymodule]
pub(crate) mod eks {
    #[pymodule_export]
    use super::{
        Token, cluster_token, cluster_token_async, exec_credential, session, update_kubeconfig,
    };
}

async fn sign_for(session: Arc<Maker<Options>>, cluster: String) -> Result<Token> {
    let token = facade::token(&session.ready().await?, &cluster).await?;
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
    wait(py, sign_for(session.get().0.clone(), cluster))
}

/// `token` for asyncio: an awaitable of what that gives.
#[pyfunction(name = "token_async")]
pub(crate) fn cluster_token_async(
    py: Python<'_>,
    session: Py<Session>,
    cluster: String,
) -> PyResult<Bound<'_, PyAny>> {
    promise(py, sign_for(session.get().0.clone(), cluster))
}

of_a_session! {
    /// A session of a role that is assumed before the token is signed, as `aws eks get-token
    /// --role-arn` does; it is kept in the shared cache as the roles of profiles are.
    ///
    /// - `role_arn`: the role; `external_id`: what its trust policy asks for.
    /// - `role_session_name`: `EKSGetTokenAuth` unless given.
    ///
    /// The other arguments are those of `Session`, whose credentials assume the role.
    ///
    /// Raises what `Session` does.
    fn session(
        py, options, role_arn: String;
        external_id: Option<String> = None,
        role_session_name: Option<String> = None,
    ) -> Session {
        let role = Role { role_arn, external_id, session_name: role_session_name };
        Session::make(py, Options { role: Some(role), ..options })
    }
}

/// A token of `token` as a Kubernetes client reads it from the program that its kubeconfig names: the
/// JSON object `ExecCredential`, in the version that the variable `KUBERNETES_EXEC_INFO` asks for.
/// **It holds the token**.
///
/// Raises `InvalidConfigurationError` for a token of another dialect.
#[pyfunction]
pub(crate) fn exec_credential(py: Python<'_>, token: &Bound<'_, Token>) -> PyResult<String> {
    let token = token.get();
    if token.format != TokenFormat::Eks {
        let message = format!("a token of {} is none of a cluster", token.format);
        return Err(to_python(py, wrong("EKS", message)));
    }
    let token = ClusterToken { token: token.text.clone(), expires_at: token.expires_at };
    let text = facade::exec_credential(&token, &ExecApi::asked_for(&Context::real()));
    Ok(text.to_string())
}

of_a_session! {
    /// Puts a cluster into a kubeconfig, as `aws eks update-kubeconfig` does, and makes it the current
    /// one. Gives a dictionary with the file, `kubeconfig`, the name of the `context`, `changed`, whether
    /// the file is another now, `updated`, whether it had the cluster before, `overruled_by`, a file that kubectl believes instead, and
    /// `warnings`.
    ///
    /// - `name`: the cluster.
    /// - `kubeconfig`: the file; those of `KUBECONFIG`, else `~/.kube/config`, unless given.
    /// - `role_arn`: the role that tokens are to be made with; `assume_role_arn`: the one that asks
    ///   EKS for the cluster.
    /// - `proxy_url`: the proxy in front of the cluster.
    /// - `alias`: the context's name; `user_alias`: the user's. The cluster's ARN unless given.
    /// - `command`: the program for tokens, `aws` or `rolecall`.
    /// - `eks_endpoint_url`: the URL of EKS.
    /// - `dry_run`: writes nothing, and gives what the file is to hold as `text` too. **That may hold
    ///   secrets of others**.
    ///
    /// The other arguments are those of `Session`.
    ///
    /// Raises `UnavailableError` for a cluster that is being made, `InvalidConfigurationError` for one
    /// that is not there and for a file that cannot be read or changed safely, and what
    /// `Session.credentials` does.
    fn update_kubeconfig(
        py, options, name: String;
        kubeconfig: Option<PathBuf> = None,
        role_arn: Option<String> = None,
        assume_role_arn: Option<String> = None,
        proxy_url: Option<String> = None,
        alias: Option<String> = None,
        user_alias: Option<String> = None,
        command: &str = "aws",
        eks_endpoint_url: Option<String> = None,
        dry_run: bool = false,
    ) -> Json {
        let known = [ExecCommand::Aws, ExecCommand::Rolecall];
        let command = known.into_iter().find(|known| known.name() == command).ok_or_else(|| {
            let error = wrong("kubeconfig", format!("there is no command {command:?}"));
            to_python(py, error.with_help("use aws or rolecall"))
        })?;
        let wanted = UpdateKubeconfig {
            name,
            kubeconfig,
            role_arn,
            assume_role_arn,
            proxy_url,
            alias,
            user_alias,
            command,
            endpoint_url: eks_endpoint_url,
        };
        wait(py, async move {
            let options = apart(move || options.resolve()).await?;
            let update = wanted.plan(options).await?;
            if dry_run {
                let mut told = update.to_json(false);
                told["text"] = update.text()?.to_string().into();
                return Ok(Json(told));
            }
            Ok(Json(update.to_json(update.write().await?)))
        })
    }
}
