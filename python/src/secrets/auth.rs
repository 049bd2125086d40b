//! Auth methods of a store, and logins by them.

use std::sync::Arc;
use std::time::SystemTime;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rolecall::Secret;
use rolecall::identity::{self as facade, AuthMethod, LoginOptions, MethodEdit};

use super::opening::Opening;
use crate::credentials::no_pickle;
use crate::errors::to_python;
use crate::identity::token_format;
use crate::record::{Shown, methods};
use crate::session::Session;
use crate::values::{Json, Length, Text};

/// The auth methods of one store, and logins by them; `SecretStore.auth` gives it. A token is taken
/// once, by whichever process of the store sees it first.
#[pyclass(frozen, module = "rolecall.secrets")]
pub(crate) struct Auth {
    pub(super) opening: Arc<Opening>,
}

/// A session of an auth method, as `Auth.authenticate` and `Auth.log_in` begin it: whoever has its
/// token is who it names, until it ends. Leases that ask for a session take it as it is.
#[pyclass(frozen, module = "rolecall.secrets")]
pub(crate) struct AuthSession(facade::AuthSession);

#[pymethods]
impl AuthSession {
    /// The session itself, a JWT. **It is a secret**.
    #[getter]
    fn token(&self) -> &str {
        self.0.token.expose()
    }

    /// The value of the method's unique identifier, or the identity's ARN.
    #[getter]
    fn subject(&self) -> &str {
        &self.0.claims.subject
    }

    /// The method's name.
    #[getter]
    fn method(&self) -> &str {
        &self.0.claims.method
    }

    /// The method's access id.
    #[getter]
    fn access_id(&self) -> &str {
        &self.0.claims.access_id
    }

    /// Its own id. Not a secret.
    #[getter]
    fn session_id(&self) -> &str {
        &self.0.claims.session_id
    }

    /// When it began: a `datetime` in UTC.
    #[getter]
    fn issued_at(&self) -> SystemTime {
        self.0.claims.issued_at
    }

    /// When it ends: a `datetime` in UTC.
    #[getter]
    fn expires_at(&self) -> SystemTime {
        self.0.claims.expires_at
    }

    /// What it says, as a dictionary like that of `Auth.session`: the `identity` too, as STS said it.
    /// The token is not in it.
    fn to_dict(&self) -> Json {
        Json(self.0.claims.to_json())
    }

    fn __repr__(&self) -> String {
        let claims = &self.0.claims;
        format!(
            "AuthSession(method={:?}, subject={:?}, token=[redacted], expires_at={})",
            claims.method,
            claims.subject,
            claims.expires_at.shown(),
        )
    }

    fn __reduce_ex__(&self, _protocol: u32) -> PyResult<()> {
        Err(no_pickle("AuthSession"))
    }
}

/// A session of an auth method, or its token.
pub(super) struct SessionToken(pub(super) Secret);

impl<'py> FromPyObject<'_, 'py> for SessionToken {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match value.cast::<AuthSession>() {
            Ok(session) => Ok(Self(session.get().0.token.clone())),
            Err(_) => value.extract::<Text>().map(|text| Self(text.0)),
        }
    }
}

/// Reads the parts of a method from keywords.
fn edit(parts: Option<&Bound<'_, PyDict>>) -> PyResult<MethodEdit> {
    let mut edit = MethodEdit::default();
    let bounds = &mut edit.bounds;
    for (name, value) in parts.into_iter().flatten() {
        let name: String = name.extract()?;
        if value.is_none() {
            continue;
        }
        match name.as_str() {
            "account_ids" => bounds.account_ids = value.extract()?,
            "arns" => bounds.arns = value.extract()?,
            "role_names" => bounds.role_names = value.extract()?,
            "role_ids" => bounds.role_ids = value.extract()?,
            "user_names" => bounds.user_names = value.extract()?,
            "user_ids" => bounds.user_ids = value.extract()?,
            "session_names" => bounds.session_names = value.extract()?,
            "unique_identifier" => bounds.unique_identifier = value.extract()?,
            "sts_url" => bounds.sts_url = value.extract()?,
            "partition" => bounds.partition = value.extract()?,
            "formats" => {
                let names: Vec<String> = value.extract()?;
                let formats = names.iter().map(|name| token_format(name)).collect();
                let formats: rolecall::Result<_> = formats;
                edit.formats = Some(formats.map_err(|error| to_python(value.py(), error))?);
            }
            "description" => edit.description = value.extract()?,
            "server_id" => edit.server_id = value.extract()?,
            "cluster" => edit.cluster = value.extract()?,
            "audience" => edit.audience = value.extract()?,
            "jwt_ttl" => edit.jwt_ttl = Some(value.extract::<Length>()?.0),
            "access_expires" => edit.access_expires = value.extract()?,
            "delete_protection" => edit.delete_protection = value.extract()?,
            _ => return Err(PyTypeError::new_err(format!("a method has no part {name:?}"))),
        }
    }
    Ok(edit)
}

methods! {
    Auth {
        fn __repr__(&self) -> &'static str {
            "Auth(...)"
        }

        fn __reduce_ex__(&self, _protocol: u32) -> PyResult<()> {
            Err(no_pickle("Auth"))
        }
    }

    /// Adds a method and gives it as a dictionary, with the `access_id` that logins name.
    ///
    /// Its parts are whom it lets in, `account_ids`, `arns`, `role_names`, `role_ids`, `user_names`,
    /// `user_ids`, `session_names`, `unique_identifier`, `sts_url`, `partition`, as for `Policy`;
    /// what it takes, `formats`, `server_id`, `cluster`, `audience`; `jwt_ttl`, how long a session
    /// lasts, an hour unless given; `access_expires`, from when on nobody comes in, in seconds since
    /// 1970; `delete_protection`; and a `description`.
    ///
    /// Raises `InvalidConfigurationError` for whatever is wrong with it, and `TypeError` for a part
    /// that there is not.
    fn create_method / create_method_async [name, **parts] (
        py,
        &self,
        name: String,
        parts: Option<&Bound<'_, PyDict>>
    ) -> Json {
        let edit = edit(parts)?;
        let auth = self.opening.auth();
        async move {
            let auth = auth.await?;
            let mut method = AuthMethod::new(auth.context(), name);
            edit.apply(&mut method)?;
            auth.create(&method).await?;
            Ok(Json(facade::method_to_json(&auth.method(&method.access_id).await?)))
        }
    }

    /// Changes parts of a method, for new logins and for the sessions there are. Empty texts and
    /// lists clear a part. `version` is the one that was read, if only that is to be changed.
    ///
    /// Raises what `create_method` does, and `UnavailableError` if somebody else has changed it since.
    fn update_method / update_method_async [name, *, version=None, **parts] (
        py,
        &self,
        name: String,
        version: Option<u32>,
        parts: Option<&Bound<'_, PyDict>>
    ) -> Json {
        let edit = edit(parts)?;
        let auth = self.opening.auth();
        async move {
            let auth = auth.await?;
            let stored = auth.method(&name).await?;
            let mut method = stored.method;
            edit.apply(&mut method)?;
            auth.update(&method, version.unwrap_or(stored.version)).await?;
            Ok(Json(facade::method_to_json(&auth.method(&method.access_id).await?)))
        }
    }

    /// Takes a method out of use, and with it all its sessions.
    ///
    /// Raises `InvalidConfigurationError` if there is none of that name, `DeniedError` if it is
    /// protected.
    fn delete_method / delete_method_async [name] (py, &self, name: String) -> () {
        let auth = self.opening.auth();
        async move { auth.await?.delete(&name).await }
    }

    /// The method of this name or access id, as a dictionary.
    ///
    /// Raises `InvalidConfigurationError` if there is none.
    fn method / method_async [name] (py, &self, name: String) -> Json {
        let auth = self.opening.auth();
        async move { Ok(Json(facade::method_to_json(&auth.await?.method(&name).await?))) }
    }

    /// Up to `limit` methods as dictionaries, in the order of their names, those after `after`.
    fn methods / methods_async [*, after=None, limit=1000] (
        py,
        &self,
        after: Option<String>,
        limit: u32
    ) -> Vec<Json> {
        let auth = self.opening.auth();
        async move {
            let auth = auth.await?;
            let found = auth.methods(after.as_deref(), limit).await?;
            Ok(found.iter().map(facade::method_to_json).map(Json).collect())
        }
    }

    /// Checks somebody's token by a method, its access id or name, and begins a session.
    ///
    /// Raises the refusal, as `DeniedError` mostly; `InvalidConfigurationError` if there is no such
    /// method.
    fn authenticate / authenticate_async [method, token] (
        py,
        &self,
        method: String,
        token: Text
    ) -> AuthSession {
        let auth = self.opening.auth();
        async move {
            let auth = auth.await?;
            let login = auth.authenticate(&method, token.0.expose()).await?;
            Ok(AuthSession(login.into_session()?))
        }
    }

    /// Logs in with the credentials of `session`: makes a token, checks it and begins a session, or
    /// takes the one that was kept. Gives what `authenticate` gives.
    ///
    /// - `access_id`: the method's; without it the one that the session's profile names.
    /// - `cache`: whether a session that was kept will do, and this one is kept.
    ///
    /// Raises `NotConfiguredError` without an access id; `DeniedError` if the method does not let
    /// this identity in; and what `Session.credentials` does.
    fn log_in / log_in_async [session, *, access_id=None, cache=true] (
        py,
        &self,
        session: Py<Session>,
        access_id: Option<String>,
        cache: bool
    ) -> AuthSession {
        let auth = self.opening.auth();
        let profile = session.get().profile_name();
        let session = session.get().0.ready();
        let options = LoginOptions { access_id, no_cache: !cache };
        async move {
            let auth = auth.await?;
            let begun = facade::log_in(&auth, &session.await?, profile.as_deref(), &options).await?;
            Ok(AuthSession(begun))
        }
    }

    /// What a session of this store says, if it still holds: a dictionary.
    ///
    /// Raises `DeniedError` if not.
    fn session / session_async [token] (py, &self, token: SessionToken) -> Json {
        let auth = self.opening.auth();
        let token: Secret = token.0;
        async move { Ok(Json(auth.await?.session(token.expose()).await?.to_json())) }
    }

    /// Drops a signing key for ever, by its `kid` in `jwks`, and with it all sessions that it has
    /// signed: for one that others may have. The next login makes another. Other processes that have
    /// the key in memory must open the store anew.
    ///
    /// Raises `InvalidConfigurationError` if there is no such key.
    fn remove_key / remove_key_async [kid] (py, &self, kid: String) -> () {
        let auth = self.opening.auth();
        async move { auth.await?.remove_key(&kid).await }
    }

    /// The public keys of the sessions, a JSON Web Key Set: others verify them by it. None before the
    /// first login.
    fn jwks / jwks_async [] (py, &self) -> Json {
        let auth = self.opening.auth();
        async move { Ok(Json(auth.await?.jwks().await?)) }
    }
}
