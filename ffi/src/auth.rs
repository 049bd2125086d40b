//! Auth methods, and the sessions they begin.

use std::ffi::c_char;
use std::future::Future;
use std::sync::Arc;

use rolecall::identity::{self, Auth, LoginOptions};
use rolecall::leases::Leases;
use rolecall::{Blocking, Context, CredentialsError, Session};
use serde_json::Value;

use crate::answer::rolecall_answer;
use crate::boundary::{Outcome, Place, free, given, guard, text, text_or_null};
use crate::error::rolecall_error;
use crate::leases::rolecall_leases;
use crate::session::rolecall_session;
use crate::status::rolecall_status;

/// Named ways to log in with an IAM identity, kept in a store of leases. Any number of threads may
/// use it at the same time. Free it with `rolecall_auth_free`.
pub struct rolecall_auth {
    // Before the store, whose runtime it may need at its end.
    auth: Blocking<Arc<Auth>>,
    leases: Arc<Blocking<Leases>>,
}

/// The auth methods of a store, whose handle may be freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_auth_new(
    leases: *const rolecall_leases,
    auth: *mut *mut rolecall_auth,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let place = Place::at(auth, "auth")?;
        let leases = given(leases, "leases")?.inner.clone();
        let of = leases.clone();
        let auth = Blocking::new(move |_| of.look(|leases| leases.auth())?)?;
        place.hand_over(rolecall_auth { leases, auth });
        Ok(())
    })
}

/// Does something that is told as JSON, in the runtime of the store.
fn tell<F>(
    auth: *const rolecall_auth,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
    ask: impl FnOnce(Arc<Auth>) -> Outcome<F>,
) -> rolecall_status
where
    F: Future<Output = Result<Value, CredentialsError>>,
{
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let this = given(auth, "auth")?;
        let future = ask(this.auth.look(Arc::clone)?)?;
        let found = this.leases.wait(async |_| future.await)??;
        answer.hand_over(rolecall_answer::json(&found)?);
        Ok(())
    })
}

/// Adds a method, after checking it: JSON with `name` and `bounds` (`{"account_ids": ["…"],
/// "role_names": ["Deploy"]}`, as of `rolecall_verifier_new`), and as wanted `formats`, `server_id`,
/// `cluster`, `audience`, `jwt_ttl_seconds`, `description`, `access_expires`, `delete_protection`. The
/// answer is the method, with its access id and version.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_auth_create(
    auth: *const rolecall_auth,
    method: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(auth, answer, error, |auth| {
        let method = identity::read_method(text(method, "method")?)?;
        Ok(async move {
            auth.create(&method).await?;
            Ok(identity::method_to_json(&auth.method(&method.name).await?))
        })
    })
}

/// Changes a method, which is given whole. `version` is the one that was read: if it was changed
/// since, this fails. The answer is the method.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_auth_update(
    auth: *const rolecall_auth,
    method: *const c_char,
    version: u32,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(auth, answer, error, |auth| {
        let method = identity::read_method(text(method, "method")?)?;
        Ok(async move {
            auth.update(&method, version).await?;
            Ok(identity::method_to_json(&auth.method(&method.name).await?))
        })
    })
}

/// A method, by its name or access id: JSON.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_auth_method(
    auth: *const rolecall_auth,
    name: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(auth, answer, error, |auth| {
        let name = text(name, "name")?;
        Ok(async move { Ok(identity::method_to_json(&auth.method(name).await?)) })
    })
}

/// Up to `limit` methods in the order of their names, those after `after`, which is empty for the
/// first: a JSON list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_auth_methods(
    auth: *const rolecall_auth,
    after: *const c_char,
    limit: u32,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(auth, answer, error, |auth| {
        let after = Some(text(after, "after")?).filter(|after| !after.is_empty());
        Ok(async move {
            let methods = auth.methods(after, limit).await?;
            Ok(methods.iter().map(identity::method_to_json).collect())
        })
    })
}

/// Takes a method out of use, and with it its sessions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_auth_delete(
    auth: *const rolecall_auth,
    name: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let this = given(auth, "auth")?;
        let name = text(name, "name")?;
        let auth = this.auth.look(Arc::clone)?;
        this.leases.wait(async |_| auth.delete(name).await)??;
        Ok(())
    })
}

/// Checks a token of `rolecall_token_source_token` by a method, and begins a session. `ROLECALL_OK`
/// means that it is who may come in; the answer is the session: `{"token": "JWT", "subject",
/// "method", "expires_at", …}`, as good as a password until it ends.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_auth_authenticate(
    auth: *const rolecall_auth,
    method: *const c_char,
    token: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(auth, answer, error, |auth| {
        let (method, token) = (text(method, "method")?, text(token, "token")?);
        Ok(async move {
            let login = auth.authenticate(method, token).await?;
            login.decision.accepted().map_err(Clone::clone)?;
            Ok(login.session.as_ref().map(identity::session_to_json).unwrap_or_default())
        })
    })
}

/// Who has a session, if it still holds: its method must be in use and let the identity in as it is
/// now. The answer is what it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_auth_session(
    auth: *const rolecall_auth,
    token: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(auth, answer, error, |auth| {
        let token = text(token, "token")?;
        Ok(async move { Ok(auth.session(token).await?.to_json()) })
    })
}

/// The keys that sessions are signed with, for others to verify them by: a JSON Web Key Set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_auth_jwks(
    auth: *const rolecall_auth,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(auth, answer, error, |auth| Ok(async move { auth.jwks().await }))
}

/// Drops a signing key for ever, by its `kid` in `rolecall_auth_jwks`, and with it all sessions that
/// it has signed: for one that others may have. Free the handles of the store that have signed with
/// it, and open it again: they have the key in memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_auth_remove_key(
    auth: *const rolecall_auth,
    id: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let this = given(auth, "auth")?;
        let id = text(id, "id")?;
        let auth = this.auth.look(Arc::clone)?;
        this.leases.wait(async |_| auth.remove_key(id).await)??;
        Ok(())
    })
}

/// Logs in with the credentials of a session: makes a token, has it checked by the method of
/// `access_id`, and keeps what is begun in `~/.aws/rolecall/sessions`, unless `uses_cache` is
/// false, for as long as it holds. `access_id` may be NULL: the one that
/// `rolecall_identity_save_access_id` has saved in `profile`, which says nothing else; `profile`
/// may be NULL: the one of `AWS_PROFILE`. The answer is as of `rolecall_auth_authenticate`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_auth_log_in(
    auth: *const rolecall_auth,
    session: *const rolecall_session,
    profile: *const c_char,
    access_id: *const c_char,
    uses_cache: bool,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let (this, session) = (given(auth, "auth")?, given(session, "session")?);
        let profile = text_or_null(profile, "profile")?;
        let access_id = text_or_null(access_id, "access_id")?.map(str::to_owned);
        let options = LoginOptions { access_id, no_cache: !uses_cache };
        let auth = this.auth.look(Arc::clone)?;
        // Its connections are its runtime's, and the store's the other's.
        session.wait(async |session| session.credentials().await)?;
        let session = session.session.look(Session::clone)?;
        let begun = this
            .leases
            .wait(async |_| identity::log_in(&auth, &session, profile, &options).await)??;
        answer.hand_over(rolecall_answer::json(&identity::session_to_json(&begun))?);
        Ok(())
    })
}

/// Saves in a profile by which auth method it logs in, as `rolecall identity configure` does.
/// `profile` may be NULL: the one of `AWS_PROFILE`, else `default`. The one `access_type` is
/// `aws_iam`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_identity_save_access_id(
    profile: *const c_char,
    access_id: *const c_char,
    access_type: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let profile = text_or_null(profile, "profile")?.map(str::to_owned);
        let (id, kind) = (text(access_id, "access_id")?, text(access_type, "access_type")?);
        let saving = identity::save_access_id(Context::real(), profile, id, kind);
        rolecall::block_on(saving)??;
        Ok(())
    })
}

/// Frees it; `auth` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_auth_free(auth: *mut rolecall_auth) {
    free(auth);
}
