use std::ffi::CString;
use std::sync::Arc;
use std::time::SystemTime;

use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;
use pyo3::types::PyBool;
use rolecall::Result;
use rolecall::leases::{self, LeaseId, Leases};

use super::auth::SessionToken;
use super::opening::Opening;
use crate::credentials::{Credentials, no_pickle};
use crate::errors::to_python;
use crate::record::{Shown, methods};
use crate::runtime::{Later, promise, wait};
use crate::values::{Json, Length};

/// A lease. It says how it was when it was asked for; `renew`, `revoke` and `refresh` give it as it
/// is then.
///
/// In a `with` block it is ended with the block: a user is taken back, if that was not done before;
/// sessions, which cannot be, end by themselves. What fails then is raised as by `revoke`, and
/// `UnavailableError` if the user is not gone yet, which workers go on with. If the block itself
/// raised, that goes on, and the failure is a note of it and a `RuntimeWarning`.
#[pyclass(frozen, module = "rolecall.secrets")]
pub(crate) struct Lease {
    pub(super) opening: Arc<Opening>,
    pub(super) lease: leases::Lease,
    pub(super) credentials: Option<Credentials>,
}

impl Lease {
    fn now(&self, lease: leases::Lease) -> Self {
        // A user's key ends with its lease.
        let credentials =
            self.credentials.clone().map(|held| match lease.principal.is_revocable() {
                true => held.0.with_expires_at(Some(lease.expires_at)).into(),
                false => held,
            });
        Self { opening: self.opening.clone(), lease, credentials }
    }

    /// The store, and this lease for what is done later.
    fn parts(&self) -> (Later<Leases>, Self) {
        (self.opening.leases(), self.now(self.lease.clone()))
    }

    /// Ends it, as a block is left.
    fn end(&self, block: &Bound<'_, PyAny>) -> Later<Left> {
        let (leases, id) = (self.opening.leases(), self.lease.id);
        let raised = (!block.is_none()).then(|| block.clone().unbind());
        Box::pin(async move {
            let end = async { leases::end(&leases.await?, id).await };
            Ok(Left { id, raised, ended: end.await })
        })
    }
}

/// How a block was left.
struct Left {
    id: LeaseId,
    /// What the block itself raised.
    raised: Option<Py<PyAny>>,
    ended: Result<()>,
}

impl<'py> IntoPyObject<'py> for Left {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    /// `False`: what the block raised goes on. What fails besides is told with it, and must not take
    /// its place.
    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        let goes_on = PyBool::new(py, false).to_owned().into_any();
        let (error, raised) = match (self.ended, self.raised) {
            (Ok(()), _) => return Ok(goes_on),
            (Err(error), None) => return Err(to_python(py, error)),
            (Err(error), Some(raised)) => (error, raised),
        };
        let told = format!("lease {} is not taken back: {error}", self.id);
        // Python 3.11 and later.
        if let Ok(Some(add_note)) = raised.bind(py).getattr_opt("add_note") {
            _ = add_note.call1((&told,));
        }
        let category = py.get_type::<PyRuntimeWarning>();
        // Where warnings are errors, this one is still not the block's.
        _ = PyErr::warn(py, &category, &CString::new(told).unwrap_or_default(), 1);
        Ok(goes_on)
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
            error: &Bound<'_, PyAny>,
            _trace: &Bound<'_, PyAny>,
        ) -> PyResult<Left> {
            let left = wait(py, self.end(error));
            // Ctrl-C: what the block raised is its context, as if Python had raised it here.
            left.inspect_err(|interrupted| {
                if !error.is_none() {
                    _ = interrupted.value(py).setattr("__context__", error);
                }
            })
        }

        fn __aenter__<'py>(slf: Py<Self>, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
            promise(py, async move { Ok(slf) })
        }

        fn __aexit__<'py>(
            &self,
            py: Python<'py>,
            _kind: &Bound<'_, PyAny>,
            error: &Bound<'_, PyAny>,
            _trace: &Bound<'_, PyAny>,
        ) -> PyResult<Bound<'py, PyAny>> {
            promise(py, self.end(error))
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
    /// is a session, which AWS cannot prolong; `DeniedError` without a session that the definition
    /// asks for; `UnavailableError` while somebody else works on it.
    fn renew / renew_async [by=None, *, session=None] (
        py,
        &self,
        by: Option<Length>,
        session: Option<SessionToken>
    ) -> Self {
        let (leases, lease) = self.parts();
        let (by, session) = (by.map(|by| by.0), session.map(|session| session.0));
        async move { Ok(lease.now(leases.await?.renew(lease.lease.id, by, session.as_ref()).await?)) }
    }

    /// Takes it back now. If the first try fails the lease is `revoking`, `failure` says why, and
    /// workers go on with it.
    ///
    /// Raises `InvalidConfigurationError` if it is a session, which nobody can take back, or over
    /// already.
    fn revoke / revoke_async [] (py, &self) -> Self {
        let (leases, lease) = self.parts();
        async move { Ok(lease.now(leases.await?.revoke(lease.lease.id).await?)) }
    }

    /// Stops caring for it, whatever AWS still holds of it.
    ///
    /// Raises `DeniedError` if it is over already, `UnavailableError` while somebody works on it.
    fn forget / forget_async [] (py, &self) -> Self {
        let (leases, lease) = self.parts();
        async move { Ok(lease.now(leases.await?.forget(lease.lease.id).await?)) }
    }

    /// The lease as it is now.
    fn refresh / refresh_async [] (py, &self) -> Self {
        let (leases, lease) = self.parts();
        async move { Ok(lease.now(leases.await?.lease(lease.lease.id).await?)) }
    }

    /// Its credentials, if they were kept. `session` is of an auth method, where the definition asks
    /// for one.
    ///
    /// Raises `InvalidConfigurationError` if they were not, or the store was opened without a key,
    /// and `DeniedError` for another key.
    fn reveal / reveal_async [*, session=None] (
        py,
        &self,
        session: Option<SessionToken>
    ) -> Credentials {
        let (leases, lease) = self.parts();
        let session = session.map(|session| session.0);
        async move { Ok(leases.await?.reveal(lease.lease.id, session.as_ref()).await?.into()) }
    }
}
