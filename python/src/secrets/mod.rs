//! Dynamic secrets and their leases.

mod auth;
mod lease;
mod opening;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rolecall::Result;
use rolecall::leases::{
    self, DefinitionEdit, Identity, LeaseFilter, LeaseId, LeaseRequest, LeaseState, ReapOptions,
    Reaped, WorkerOptions,
};

use self::auth::{Auth, AuthSession, SessionToken};
use self::lease::Lease;
pub(crate) use self::opening::Opening;
use self::worker::Worker;
use crate::credentials::no_pickle;
use crate::errors::{to_python, wrong};
use crate::provider::Provider;
use crate::record::methods;
use crate::runtime::{promise, wait};
use crate::values::{Json, Length, Text, json_text};

/// IAM users and STS sessions on lease, with nothing left behind.
///
/// A `SecretStore` keeps definitions of dynamic secrets and their leases, in a file of SQLite or in
/// PostgreSQL. Lengths of time are seconds, `timedelta`s or text such as `15m`.
#[pymodule]
pub(crate) mod secrets {
    #[pymodule_export]
    use super::{Auth, AuthSession, Lease, SecretStore, Worker};
}

/// The dynamic secrets and leases in one store. The file is made if there is none.
///
/// - `place`: `sqlite:PATH`, a path, `postgres://…`; or `env:NAME` or `file://PATH`, where one of
///   these is written. `None`: as `ROLECALL_STORE` says, else `~/.local/share/rolecall/leases.db`.
/// - `actor`: who does what is done, for the audit log; `user@host` unless given.
/// - `sealing_key`: the key that secrets are kept under, 64 hexadecimal digits; also `env:NAME` or
///   `file://PATH`.
/// - `calls_per_second`: calls of IAM a second and account; 20 unless given.
/// - `region`, `endpoint_url`: where connections reach AWS, above what profiles say.
/// - `prompt`: a function that is asked for MFA codes: it gets the question and gives the answer.
/// - `disk_cache`: whether `~/.aws/cli/cache` is used.
/// - `providers`: by name, what `custom:NAME` connections are reached with; as `Session` takes them.
///
/// Making one opens the store; with asyncio, `SecretStore.open_async` does. The child of a fork opens
/// it anew when it first needs it.
///
/// Raises `InvalidConfigurationError` for a place or a key that makes no sense, and what the store
/// says.
#[pyclass(frozen, module = "rolecall.secrets")]
pub(crate) struct SecretStore {
    pub(crate) opening: Arc<Opening>,
}

/// Reads the parts of a definition from keywords.
fn edit(parts: Option<&Bound<'_, PyDict>>) -> PyResult<DefinitionEdit> {
    let mut edit = DefinitionEdit::default();
    let Some(parts) = parts else { return Ok(edit) };
    for (name, value) in parts.iter() {
        let name: String = name.extract()?;
        if value.is_none() {
            continue;
        }
        match name.as_str() {
            "description" => edit.description = value.extract()?,
            "connection" => {
                let text: String = value.extract()?;
                let read = text.parse().map_err(|error| to_python(value.py(), error));
                edit.connection = Some(read?);
            }
            "region" => edit.region = value.extract()?,
            "default_ttl" => edit.default_ttl = Some(value.extract::<Length>()?.0),
            "max_ttl" => edit.max_ttl = Some(value.extract::<Length>()?.0),
            "path" => edit.path = value.extract()?,
            "permissions_boundary" => edit.permissions_boundary = value.extract()?,
            "groups" => edit.groups = value.extract()?,
            "policy_arns" => edit.policy_arns = value.extract()?,
            "policy_document" => edit.policy_document = Some(json_text(&value)?),
            "tags" => edit.tags = value.extract()?,
            "username_template" => edit.username_template = value.extract()?,
            "role_arn" => edit.role_arn = value.extract()?,
            "external_id" => edit.external_id = value.extract()?,
            "mfa_serial" => edit.mfa_serial = value.extract()?,
            "access" => {
                let texts: Vec<String> = value.extract()?;
                let read: Result<_> = texts.iter().map(|text| text.parse()).collect();
                edit.access = Some(read.map_err(|error| to_python(value.py(), error))?);
            }
            _ => {
                let message = format!("a definition has no part {name:?}");
                return Err(PyTypeError::new_err(message));
            }
        }
    }
    Ok(edit)
}

fn lease_id(text: &str) -> Result<LeaseId> {
    text.parse().map_err(|flaw| wrong("lease", flaw))
}

/// Users that no lease needs, as dictionaries; an exception that has them, if not all were looked for.
struct Users(Reaped);

impl<'py> IntoPyObject<'py> for Users {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        let Reaped { orphans, failure } = self.0;
        let users: Vec<_> = orphans.iter().map(leases::orphan_to_json).map(Json).collect();
        let users = users.into_pyobject(py)?.into_any();
        match failure {
            None => Ok(users),
            Some(failure) => {
                let failure = to_python(py, failure);
                failure.value(py).setattr("partial", users)?;
                Err(failure)
            }
        }
    }
}

methods! {
    SecretStore {
        /// Opens the store, and waits for that.
        #[new]
        #[pyo3(signature = (
            place=None, *, actor=None, sealing_key=None, calls_per_second=None, region=None,
            endpoint_url=None, prompt=None, disk_cache=true, providers=BTreeMap::new(),
        ))]
        #[allow(clippy::too_many_arguments, reason = "they are keywords in Python")]
        fn new(
            py: Python<'_>,
            place: Option<String>,
            actor: Option<String>,
            sealing_key: Option<Text>,
            calls_per_second: Option<u32>,
            region: Option<String>,
            endpoint_url: Option<String>,
            prompt: Option<Py<PyAny>>,
            disk_cache: bool,
            providers: BTreeMap<String, Provider>,
        ) -> PyResult<Self> {
            let opening = Opening::of(
                place,
                actor,
                sealing_key,
                calls_per_second,
                region,
                endpoint_url,
                prompt,
                disk_cache,
                providers,
            );
            wait(py, opening.leases())?;
            Ok(Self { opening })
        }

        /// A `SecretStore` for asyncio: an awaitable of one that is open. The arguments are those of
        /// `SecretStore`.
        #[staticmethod]
        #[pyo3(signature = (
            place=None, *, actor=None, sealing_key=None, calls_per_second=None, region=None,
            endpoint_url=None, prompt=None, disk_cache=true, providers=BTreeMap::new(),
        ))]
        #[allow(clippy::too_many_arguments, reason = "they are keywords in Python")]
        fn open_async(
            py: Python<'_>,
            place: Option<String>,
            actor: Option<String>,
            sealing_key: Option<Text>,
            calls_per_second: Option<u32>,
            region: Option<String>,
            endpoint_url: Option<String>,
            prompt: Option<Py<PyAny>>,
            disk_cache: bool,
            providers: BTreeMap<String, Provider>,
        ) -> PyResult<Bound<'_, PyAny>> {
            let opening = Opening::of(
                place,
                actor,
                sealing_key,
                calls_per_second,
                region,
                endpoint_url,
                prompt,
                disk_cache,
                providers,
            );
            promise(py, async move {
                opening.leases().await?;
                Ok(Self { opening })
            })
        }

        /// Works on what is due in this store: ends leases whose time is up, and tries again what
        /// failed. `concurrency` is how many leases it works on at once.
        #[pyo3(signature = (*, concurrency=16))]
        fn worker(&self, concurrency: usize) -> Worker {
            Worker::new(self.opening.clone(), WorkerOptions { concurrency })
        }

        /// The auth methods of this store, and logins by them.
        fn auth(&self) -> Auth {
            Auth { opening: self.opening.clone() }
        }

        fn __repr__(&self) -> &'static str {
            "SecretStore(...)"
        }

        fn __reduce_ex__(&self, _protocol: u32) -> PyResult<()> {
            Err(no_pickle("SecretStore"))
        }
    }

    /// Adds a definition and gives it as a dictionary.
    ///
    /// - `kind`: `iam-user`, `assumed-role`, `federation-token` or `session-token`.
    /// - `connection`: how AWS is reached: `default`, `profile:NAME`,
    ///   `access-key:ID=env:NAME`, `role:ARN[,external-id=ID][,source=CONNECTION]`,
    ///   `web-identity:ARN=FILE` or `custom:NAME`.
    /// - `default_ttl`, `max_ttl`: how long a lease lasts if nobody says (an hour), and may last in
    ///   all (a day; 12 hours for roles).
    /// - Other parts: `description`, `region`, `path`, `permissions_boundary`, `groups`,
    ///   `policy_arns`, `policy_document`, `tags`, `username_template`, `role_arn`, `external_id`,
    ///   `mfa_serial`; and `access`, who may take a lease, by the sessions of auth methods:
    ///   `ACCESS-ID` or `ACCESS-ID,role_name=Deploy`.
    ///
    /// Raises `InvalidConfigurationError` for whatever is wrong with it, and `TypeError` for a part
    /// that there is not.
    fn define / define_async [name, kind, **parts] (
        py,
        &self,
        name: String,
        kind: &str,
        parts: Option<&Bound<'_, PyDict>>
    ) -> Json {
        let made = edit(parts)?.define(&name, kind).map_err(|error| to_python(py, error))?;
        let leases = self.opening.leases();
        async move {
            let leases = leases.await?;
            leases.define(&made).await?;
            Ok(Json(leases::secret_to_json(&leases.definition(&name).await?)))
        }
    }

    /// Changes parts of a definition, for new leases and renewals; gives it as it is then. Empty
    /// texts and lists clear a part. The parts are those of `define`. `version` is the one that was
    /// read, if only that is to be changed.
    ///
    /// Raises what `define` does, and `UnavailableError` if somebody else has changed it since.
    fn redefine / redefine_async [name, *, version=None, **parts] (
        py,
        &self,
        name: String,
        version: Option<u32>,
        parts: Option<&Bound<'_, PyDict>>
    ) -> Json {
        let edit = edit(parts)?;
        let leases = self.opening.leases();
        async move {
            let leases = leases.await?;
            let stored = leases.definition(&name).await?;
            let mut secret = stored.secret;
            edit.apply(&mut secret)?;
            leases.redefine(&secret, version.unwrap_or(stored.version)).await?;
            Ok(Json(leases::secret_to_json(&leases.definition(&name).await?)))
        }
    }

    /// Takes a definition out of use.
    ///
    /// Raises `InvalidConfigurationError` if there is none of that name, `DeniedError` while leases of
    /// it run.
    fn undefine / undefine_async [name] (py, &self, name: String) -> () {
        let leases = self.opening.leases();
        async move { leases.await?.undefine(&name).await }
    }

    /// A definition as a dictionary.
    ///
    /// Raises `InvalidConfigurationError` if there is none of that name.
    fn definition / definition_async [name] (py, &self, name: String) -> Json {
        let leases = self.opening.leases();
        async move { Ok(Json(leases::secret_to_json(&leases.await?.definition(&name).await?))) }
    }

    /// Every definition as a dictionary, in the order of their names.
    fn definitions / definitions_async [] (py, &self) -> Vec<Json> {
        let leases = self.opening.leases();
        async move {
            let leases = leases.await?;
            let all = leases::definitions(&leases).await?;
            Ok(all.iter().map(leases::secret_to_json).map(Json).collect())
        }
    }

    /// Tries a definition: its connection, and for IAM users every step, with a user that is removed
    /// again. Gives a dictionary with `account_id`, `arn`, the actions that are `missing`, and the
    /// `policy` that would allow them.
    fn probe / probe_async [name] (py, &self, name: String) -> Json {
        let leases = self.opening.leases();
        async move { Ok(Json(leases::probe_to_json(&leases.await?.probe(&name).await?))) }
    }

    /// Makes what a definition says and leases it. The `Lease` has the credentials.
    ///
    /// - `ttl`: how long it lasts; the definition's default unless given.
    /// - `identity`: whom it is for, with `identity_arn` and `identity_account_id`, where they are
    ///   known; `note`: for people.
    /// - `session`: of an auth method, where the definition asks for one; it says whom it is for.
    /// - `mfa_code`: where the definition names an MFA device.
    /// - `keep`: keeps the secret, sealed, for `Lease.reveal`.
    /// - `wait`: waits until the key works: AWS needs some seconds to know a new one everywhere.
    ///
    /// Whatever happens on the way, nothing is left behind. Raises `InvalidConfigurationError` for a
    /// TTL beyond the definition's limits; else what AWS or the store says.
    fn lease / lease_async [
        secret, *, ttl=None, identity=None, identity_arn=None, identity_account_id=None, session=None,
        note=String::new(), mfa_code=None, keep=false, wait=true
    ] (
        py,
        &self,
        secret: String,
        ttl: Option<Length>,
        identity: Option<String>,
        identity_arn: Option<String>,
        identity_account_id: Option<String>,
        session: Option<SessionToken>,
        note: String,
        mfa_code: Option<Text>,
        keep: bool,
        wait: bool
    ) -> Lease {
        let opening = self.opening.clone();
        let leases = opening.leases();
        let mut request = LeaseRequest {
            secret,
            ttl: ttl.map(|ttl| ttl.0),
            session: session.map(|session| session.0),
            note,
            mfa_code: mfa_code.map(|code| code.0),
            keep,
            wait,
            ..LeaseRequest::default()
        };
        async move {
            let leases = leases.await?;
            request.identity = Identity {
                name: identity.unwrap_or_else(|| leases::user_name(leases.context())),
                arn: identity_arn,
                account_id: identity_account_id,
            };
            let issued = leases.create(&request).await?;
            Ok(Lease { opening, lease: issued.lease, credentials: Some(issued.credentials.into()) })
        }
    }

    /// The lease of that id, without its credentials.
    ///
    /// Raises `InvalidConfigurationError` if there is none.
    fn find / find_async [id] (py, &self, id: &str) -> Lease {
        let id = lease_id(id).map_err(|error| to_python(py, error))?;
        let opening = self.opening.clone();
        let leases = opening.leases();
        async move {
            let leases = leases.await?;
            let lease = leases.lease(id).await?;
            Ok(Lease { opening, lease, credentials: None })
        }
    }

    /// Up to `limit` leases in the order in which they were made, without their credentials.
    ///
    /// - `secret`: of this definition only.
    /// - `states`: in these states only: `intent`, `active`, `revoking`, `revoked`, `expired`,
    ///   `failed`, `forgotten`.
    /// - `identity`: for this identity only.
    /// - `expires_within`: ending in this time only, or ended already.
    /// - `after`: those made after the lease of this id.
    fn leases / leases_async [
        *, secret=None, states=None, identity=None, expires_within=None, after=None, limit=1000
    ] (
        py,
        &self,
        secret: Option<String>,
        states: Option<Vec<String>>,
        identity: Option<String>,
        expires_within: Option<Length>,
        after: Option<&str>,
        limit: u32
    ) -> Vec<Lease> {
        let named = |name: &String| {
            let state = LeaseState::named(name);
            state.ok_or_else(|| wrong("leases", format!("there is no state {name:?}")))
        };
        let states = states.iter().flatten().map(named).collect::<Result<Vec<_>>>();
        let after = after.map(lease_id).transpose().map_err(|error| to_python(py, error))?;
        let states = states.map_err(|error| to_python(py, error))?;
        let mut filter = LeaseFilter { secret, states, identity, expires_before: None };
        let opening = self.opening.clone();
        let leases = opening.leases();
        async move {
            let leases = leases.await?;
            if let Some(Length(within)) = expires_within {
                filter.expires_before = leases.store().now().await?.checked_add(within);
            }
            let found = leases.leases(&filter, after, limit).await?;
            let lease = |lease| Lease { opening: opening.clone(), lease, credentials: None };
            Ok(found.into_iter().map(lease).collect())
        }
    }

    /// Compares the users that IAM has with the store, and gives those that no lease needs any more,
    /// as dictionaries.
    ///
    /// - `secret`: for this definition only.
    /// - `remove`: removes them, `most` at most; otherwise they are only told.
    /// - `unexpired`: also those of which the store knows nothing and whose end has not come.
    /// - `store_id`: looks for the users of another store, one that is lost.
    ///
    /// Raises what broke the search off, if it could not look everywhere; its `partial` is what was
    /// found and removed all the same. The rest is found by the next call.
    fn reap / reap_async [secret=None, *, remove=false, most=50, unexpired=false, store_id=None] (
        py,
        &self,
        secret: Option<String>,
        remove: bool,
        most: usize,
        unexpired: bool,
        store_id: Option<String>
    ) -> Users {
        let options = ReapOptions { remove, most, unexpired, store_id };
        let leases = self.opening.leases();
        async move {
            let leases = leases.await?;
            Ok(Users(leases::reap_all(&leases, secret.as_deref(), &options).await))
        }
    }

    /// The audit log of a lease, by its id, or of a definition, by its name: dictionaries.
    fn trail / trail_async [subject] (py, &self, subject: String) -> Vec<Json> {
        let leases = self.opening.leases();
        async move {
            let leases = leases.await?;
            let entries = leases.trail(&subject).await?;
            Ok(entries.iter().map(leases::entry_to_json).map(Json).collect())
        }
    }
    /// What is wrong with the audit log of a lease, of a definition or, as `@store`, of the store: a
    /// sentence, if lines of it were changed or left out; else `None`.
    fn verify_trail / verify_trail_async [subject] (py, &self, subject: String) -> Option<String> {
        let leases = self.opening.leases();
        async move { Ok(leases.await?.verify(&subject).await?.map(|flaw| flaw.to_string())) }
    }

    /// Takes back all leases of a definition that are not over, several at once: a dictionary with
    /// how many were `revoked`, and `failures`, those that were not, each with its `lease`, a
    /// `message` and `help`. Workers go on with them, unless they are sessions.
    ///
    /// Raises `InvalidConfigurationError` if there is no definition of that name.
    fn revoke_all / revoke_all_async [secret] (py, &self, secret: String) -> Json {
        let leases = self.opening.leases();
        async move {
            let leases = leases.await?;
            let ids = leases::running(&leases, &secret).await?;
            let failures = leases::revoke_all(&leases, &ids, |_| {}).await;
            Ok(Json(leases::revoked_to_json(ids.len(), &failures)))
        }
    }

    /// Which store this is: a dictionary with its `id`, which is in the paths of its users; its
    /// `epoch`, which counts the restorations that were accepted; and `doubt`, why it may be a copy
    /// from the past, whose leases workers leave alone, or `None`.
    fn info / info_async [] (py, &self) -> Json {
        let leases = self.opening.leases();
        async move { Ok(Json(leases::store_to_json(&leases.await?.store().info().await?))) }
    }

    /// Says that the store is right, though it was restored from a backup or moved: what is due is
    /// taken back from now on. Gives what `info` gives.
    fn accept_restored / accept_restored_async [] (py, &self) -> Json {
        let leases = self.opening.leases();
        async move { Ok(Json(leases::store_to_json(&leases.await?.accept_restored().await?))) }
    }
}
