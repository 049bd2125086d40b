//! Tokens that a cluster takes in the place of a password.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rolecall_core::profile::{Origin, RoleHop};
use rolecall_core::{Credentials, Result, Secret};
use rolecall_sts::identity::{Dialect, Token};

use crate::setup::Setup;
use crate::{Session, SessionOptions};

/// How long clients use a token: a minute less than STS takes it. As AWS CLI and
/// aws-iam-authenticator say.
const USABLE: Duration = Duration::from_secs(14 * 60);
/// The session's name where none is asked for, as AWS CLI's.
const SESSION_NAME: &str = "EKSGetTokenAuth";

/// A role that is assumed before the token is signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// Its ARN.
    pub role_arn: String,
    /// The external id that its trust policy asks for.
    pub external_id: Option<String>,
    /// The session's name; `None` is AWS CLI's `EKSGetTokenAuth`.
    pub session_name: Option<String>,
}

/// A token: whoever has it can be its maker in the cluster until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterToken {
    /// `k8s-aws-v1.…`.
    pub token: Secret,
    /// When to make the next: 14 minutes after it was signed, or when its credentials end.
    pub expires_at: SystemTime,
}

/// The session that signs tokens: the one of `options`, or that of `role` assumed from it, which is
/// kept in the shared cache as the roles of profiles are.
///
/// # Errors
/// As [`Session::new`]; `InvalidConfiguration` for a role that cannot be one.
pub fn session(options: SessionOptions, role: Option<&Role>) -> Result<Session> {
    let mut setup = Setup::read(options)?;
    if let Some(role) = role {
        assume(&mut setup, role, SESSION_NAME, "--role-arn");
    }
    Session::of(setup)
}

/// Adds `role` to the plan of `setup`; `place` is where it was asked for.
pub(super) fn assume(setup: &mut Setup, role: &Role, session_name: &str, place: &str) {
    if let Ok(plan) = &mut setup.plan {
        let session_name = role.session_name.as_deref().unwrap_or(session_name);
        plan.hops.push(RoleHop {
            profile: String::new(),
            role_arn: role.role_arn.clone(),
            external_id: role.external_id.clone(),
            role_session_name: Some(session_name.to_owned()),
            duration_seconds: None,
            mfa_serial: None,
            mfa_process: None,
            mfa_session: false,
            region: None,
            origin: Origin { file: Arc::from(Path::new(place)), line: 0 },
        });
    }
}

/// A token for `cluster`: its name, or on Outposts its id.
///
/// # Errors
/// As [`Session::credentials`] and [`Session::sts`]; `InvalidConfiguration` for a name that cannot
/// be a cluster's.
pub async fn token(session: &Session, cluster: &str) -> Result<ClusterToken> {
    sign(session, cluster, &session.credentials().await?)
}

/// [`token`] for code that is not asynchronous, as [`Session::credentials_blocking`].
///
/// # Errors
/// As [`token`].
///
/// # Panics
/// Inside an asynchronous runtime, if it has to wait.
pub fn token_blocking(session: &Session, cluster: &str) -> Result<ClusterToken> {
    sign(session, cluster, &session.credentials_blocking()?)
}

fn sign(session: &Session, cluster: &str, credentials: &Credentials) -> Result<ClusterToken> {
    let endpoint = session.sts()?.query.endpoint;
    let dialect = Dialect::Eks { cluster: cluster.to_owned() };
    let token = Token::create(dialect, credentials, &endpoint, session.context().clock.now())?;
    let end = token.signed_at + USABLE;
    Ok(ClusterToken { expires_at: end.min(token.expires_at), token: token.text })
}

#[cfg(test)]
mod tests {
    use rolecall_core::{Context, Env, ErrorKind, Fs, timestamp};

    use super::*;

    fn machine(variables: &[(&str, &str)]) -> SessionOptions {
        let keys = [
            ("HOME", "/home"),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI"),
            ("AWS_REGION", "eu-west-1"),
        ];
        let env = Env::from_pairs(keys.iter().chain(variables).copied());
        let context = Context { env, fs: Fs::rooted("/nonexistent"), ..Context::fake() };
        SessionOptions { context: Some(context), ..SessionOptions::default() }
    }

    #[test]
    fn a_token_is_used_for_fourteen_minutes() {
        let session = session(machine(&[]), None).unwrap();
        let token = token_blocking(&session, "prod").unwrap();
        assert!(token.token.expose().starts_with("k8s-aws-v1."));
        assert_eq!(timestamp::format(token.expires_at), "2026-01-01T00:14:00Z");
        assert!(!format!("{token:?}").contains("k8s-aws-v1"));
    }

    #[test]
    fn a_token_ends_with_its_credentials() {
        let session = session(machine(&[("AWS_REGION", "us-east-1")]), None).unwrap();
        let end = session.context().clock.now() + Duration::from_secs(60);
        let keys = Credentials::new("ASIAX", "s", "test").with_expires_at(Some(end));
        assert_eq!(sign(&session, "prod", &keys).unwrap().expires_at, end);
    }

    #[test]
    fn what_is_no_cluster_or_role_is_refused_before_the_network() {
        let plain = session(machine(&[]), None).unwrap();
        for cluster in ["", "a b", "a\nb", &"x".repeat(129)] {
            let error = token_blocking(&plain, cluster).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{cluster:?}");
        }
        let role = Role { role_arn: "prod-admin".into(), ..Role::default() };
        let error = session(machine(&[]), Some(&role)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{error}");
        assert!(error.to_string().contains("--role-arn"), "{error}");
    }

    #[test]
    fn without_a_region_there_is_no_token() {
        let session = session(machine(&[("AWS_REGION", "")]), None).unwrap();
        let error = token_blocking(&session, "prod").unwrap_err();
        assert!(error.to_string().contains("AWS_REGION"), "{error}");
    }
}
