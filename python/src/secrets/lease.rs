use std::sync::Arc;
use std::time::SystemTime;

use pyo3::prelude::*;
use rolecall::leases::{self, Leases};

use super::opening::Opening;
use crate::credentials::{Credentials, no_pickle};
use crate::record::{Shown, methods};
use crate::runtime::promise;
use crate::values::{Json, Length, Text};

/// A lease. It says how it was when it was asked for; `renew`, `revoke` and `refresh` give it as it
/// is then.
///
/// In a `with` block it is taken back at the end; sessions, which cannot be, end by themselves.
#[pyclass(frozen, module = "rolecall.secrets")]
pub(crate) struct Lease {
    pub(super) opening: Arc<Opening>,
    pub(super) lease: leases::Lease,
    pub(super) credentials: Option<Credentials>,
}

impl Lease {
    fn now(&self, lease: leases::Lease) -> Self {
        Self { opening: self.opening.clone(), lease, credentials: self.credentials.clone() }
    }

    fn parts(&self, py: Python<'_>) -> PyResult<(Leases, Self)> {
        Ok((self.opening.leases(py)?, self.now(self.lease.clone())))
    }
}

methods! {
    Lease {
        /// Its name: 26 characters.
        #[getter]
        fn id(&self) -> String {
            self.lease.id.to_string()
        }

        /// The definition it was made from.
        #[getter]
        fn secret(&self) -> &str {
            &self.lease.secret
        }

        /// `intent`, `active`, `revoking`, `revoked`, `expired`, `failed` or `forgotten`.
        #[getter]
        fn state(&self) -> &'static str {
            self.lease.state.name()
        }

        /// `iam-user`, `assumed-role`, `federation-token` or `session-token`.
        #[getter]
        fn kind(&self) -> &str {
            &self.lease.principal.kind
        }

        /// The user's or the session's name in AWS.
        #[getter]
        fn name(&self) -> &str {
            &self.lease.principal.name
        }

        /// The account: 12 digits.
        #[getter]
        fn account_id(&self) -> &str {
            &self.lease.principal.account_id
        }

        /// The access key's id, once there is one.
        #[getter]
        fn access_key_id(&self) -> Option<&str> {
            self.lease.access_key_id.as_deref()
        }

        /// Whom it was made for.
        #[getter]
        fn identity(&self) -> &str {
            &self.lease.identity
        }

        /// For people.
        #[getter]
        fn note(&self) -> &str {
            &self.lease.note
        }

        /// When it was asked for: a `datetime` in UTC.
        #[getter]
        fn created_at(&self) -> SystemTime {
            self.lease.created_at
        }

        /// When it ends unless it is renewed: a `datetime` in UTC.
        #[getter]
        fn expires_at(&self) -> SystemTime {
            self.lease.expires_at
        }

        /// Until when it may be renewed: a `datetime` in UTC.
        #[getter]
        fn max_expires_at(&self) -> SystemTime {
            self.lease.max_expires_at
        }

        /// Why taking it back failed last, or `None`.
        #[getter]
        fn failure(&self) -> Option<&str> {
            self.lease.failure.as_deref()
        }

        /// What is leased; `None` unless the lease was made just now, by `SecretStore.lease`.
        #[getter]
        fn credentials(&self) -> Option<Credentials> {
            self.credentials.clone()
        }

        /// All that is known of it, as a dictionary like that of `rolecall lease show --json`. There
        /// is no secret in it.
        fn to_dict(&self) -> Json {
            Json(leases::lease_to_json(&self.lease))
        }

        fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
            slf
        }

        fn __exit__(
            &self,
            py: Python<'_>,
            _kind: &Bound<'_, PyAny>,
            _error: &Bound<'_, PyAny>,
            _trace: &Bound<'_, PyAny>,
        ) -> PyResult<bool> {
            if self.lease.principal.kind == "iam-user" {
                self.revoke(py)?;
            }
            Ok(false)
        }

        fn __aenter__<'py>(slf: Py<Self>, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
            promise(py, async move { Ok(slf) })
        }

        fn __aexit__<'py>(
            &self,
            py: Python<'py>,
            _kind: &Bound<'_, PyAny>,
            _error: &Bound<'_, PyAny>,
            _trace: &Bound<'_, PyAny>,
        ) -> PyResult<Bound<'py, PyAny>> {
            let (leases, lease) = self.parts(py)?;
            promise(py, async move {
                if lease.lease.principal.kind == "iam-user" {
                    leases.revoke(lease.lease.id).await?;
                }
                Ok(false)
            })
        }

        fn __repr__(&self) -> String {
            let lease = &self.lease;
            format!(
                "Lease(id={:?}, secret={:?}, state={:?}, name={:?}, expires_at={})",
                lease.id.to_string(),
                lease.secret,
                lease.state.name(),
                lease.principal.name,
                lease.expires_at.shown(),
            )
        }

        fn __reduce_ex__(&self, _protocol: u32) -> PyResult<()> {
            Err(no_pickle("Lease"))
        }
    }

    /// Prolongs it: by `by`, or by what it was made for. `session` is of an auth method, where the
    /// definition asks for one.
    ///
    /// Raises `InvalidConfigurationError` beyond the definition's maximum, if it has ended, or if it
    /// is a session, which AWS cannot prolong.
    fn renew / renew_async [by=None, *, session=None] (
        py,
        &self,
        by: Option<Length>,
        session: Option<Text>
    ) -> Self {
        let (leases, lease) = self.parts(py)?;
        let (by, session) = (by.map(|by| by.0), session.map(|session| session.0));
        async move { Ok(lease.now(leases.renew(lease.lease.id, by, session.as_ref()).await?)) }
    }

    /// Takes it back now. If the first try fails the lease is `revoking`, `failure` says why, and
    /// workers go on with it.
    ///
    /// Raises `InvalidConfigurationError` if it is a session, which nobody can take back, or over
    /// already.
    fn revoke / revoke_async [] (py, &self) -> Self {
        let (leases, lease) = self.parts(py)?;
        async move { Ok(lease.now(leases.revoke(lease.lease.id).await?)) }
    }

    /// Stops caring for it, whatever AWS still holds of it.
    ///
    /// Raises `InvalidConfigurationError` if it is over already.
    fn forget / forget_async [] (py, &self) -> Self {
        let (leases, lease) = self.parts(py)?;
        async move { Ok(lease.now(leases.forget(lease.lease.id).await?)) }
    }

    /// The lease as it is now.
    fn refresh / refresh_async [] (py, &self) -> Self {
        let (leases, lease) = self.parts(py)?;
        async move { Ok(lease.now(leases.lease(lease.lease.id).await?)) }
    }

    /// Its credentials, if they were kept. `session` is of an auth method, where the definition asks
    /// for one.
    ///
    /// Raises `InvalidConfigurationError` if they were not, or the store was opened without a key,
    /// and `DeniedError` for another key.
    fn reveal / reveal_async [*, session=None] (
        py,
        &self,
        session: Option<Text>
    ) -> Credentials {
        let (leases, lease) = self.parts(py)?;
        let session = session.map(|session| session.0);
        async move { Ok(leases.reveal(lease.lease.id, session.as_ref()).await?.into()) }
    }
}
