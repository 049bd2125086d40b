//! Dynamic secrets and their leases.

use std::ffi::{c_char, c_void};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rolecall::leases::{self, Leases, OpenOptions};
use rolecall::{Blocking, CredentialsError, Secret};
use serde_json::{Value, json};

use crate::answer::rolecall_answer;
use crate::boundary::{
    Failure, Outcome, Place, free, given, given_mut, guard, shielded, text, text_or_null,
};
use crate::callback::{Callback, Data, rolecall_provide, rolecall_release};
use crate::error::rolecall_error;
use crate::fork;
use crate::options::{options_or_default, rolecall_session_options, secret_input};
use crate::status::rolecall_status;

/// Which store to open, and how AWS is reached from it. One thread at a time may change it; it may
/// be freed once the store is open. Free it with `rolecall_leases_options_free`.
#[derive(Default)]
pub struct rolecall_leases_options {
    inner: OpenOptions,
}

/// Options that say nothing: the store of this user.
#[unsafe(no_mangle)]
pub extern "C" fn rolecall_leases_options_new() -> *mut rolecall_leases_options {
    shielded(std::ptr::null_mut(), || Box::into_raw(Box::default()))
}

fn set(
    options: *mut rolecall_leases_options,
    error: *mut *mut rolecall_error,
    change: impl FnOnce(&mut OpenOptions) -> Outcome<()>,
) -> rolecall_status {
    guard(error, || change(&mut given_mut(options, "options")?.inner))
}

/// Where the store is: `sqlite:PATH` or a path, `postgres://…`; or `env:NAME` or `file://PATH`, where
/// one of these is written. Without one `ROLECALL_STORE` says, else it is
/// `~/.local/share/rolecall/leases.db`. `store` may be NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_options_set_store(
    options: *mut rolecall_leases_options,
    store: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        options.store = text_or_null(store, "store")?.map(str::to_owned);
        Ok(())
    })
}

/// Who does what is done, for the audit log. `actor` may be NULL: `user@host`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_options_set_actor(
    options: *mut rolecall_leases_options,
    actor: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        options.actor = text_or_null(actor, "actor")?.map(str::to_owned);
        Ok(())
    })
}

/// The key that secrets are kept under, 64 hexadecimal digits: `file://PATH`, `env:NAME`, `-` or the
/// digits. `source` may be NULL: none are kept.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_options_set_sealing_key(
    options: *mut rolecall_leases_options,
    source: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        options.sealing_key = text_or_null(source, "source")?.map(secret_input);
        Ok(())
    })
}

/// Calls of IAM a second and account; 0 is the default, 20.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_options_set_calls_per_second(
    options: *mut rolecall_leases_options,
    calls: u32,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        options.calls_per_second = Some(calls).filter(|calls| *calls != 0);
        Ok(())
    })
}

/// How connections are reached: region, endpoint, MFA, caches. The profile does not count:
/// definitions name theirs. They are copied; `session` may be NULL: the defaults.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_options_set_session(
    options: *mut rolecall_leases_options,
    session: *const rolecall_session_options,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        options.session = options_or_default(session);
        Ok(())
    })
}

/// Adds a provider of yours for definitions whose connection is `{"custom": "NAME"}`. `provide` gets
/// `data`, and `data` may be NULL. `release` is called when that is not needed any more; `release` may
/// be NULL. If this fails, it is not called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_options_add_provider(
    options: *mut rolecall_leases_options,
    name: *const c_char,
    provide: rolecall_provide,
    data: *mut c_void,
    release: rolecall_release,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(options, error, |options| {
        let name = text(name, "name")?;
        let provide = provide.ok_or_else(|| Failure::Argument("provide is NULL".to_owned()))?;
        let provider = Arc::new(Callback::new(name, provide, Data::new(data, release)));
        options.providers.insert(name.to_owned(), provider);
        Ok(())
    })
}

/// Frees options; `options` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_options_free(options: *mut rolecall_leases_options) {
    free(options);
}

/// Dynamic secrets and their leases in one store. Any number of threads may use it at the same
/// time; in a forked child it opens the store anew. Free it with `rolecall_leases_free`, when no
/// thread uses it any more.
pub struct rolecall_leases {
    pub(crate) inner: Arc<Blocking<Leases>>,
}

/// Opens a store, and makes it if there is none. `options` may be NULL: the store of this user.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_open(
    options: *const rolecall_leases_options,
    leases: *mut *mut rolecall_leases,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let place = Place::at(leases, "leases")?;
        let options = given(options, "options").map(|options| options.inner.clone());
        let options = options.unwrap_or_default();
        fork::watch();
        let inner = Blocking::new(move |waiting| waiting.wait(leases::open(options.clone()))?)?;
        place.hand_over(rolecall_leases { inner: Arc::new(inner) });
        Ok(())
    })
}

/// Does something with the store.
fn work<T, F>(leases: *const rolecall_leases, work: impl FnOnce(Leases) -> F) -> Outcome<T>
where
    F: Future<Output = Result<T, CredentialsError>>,
{
    let leases = given(leases, "leases")?;
    Ok(leases.inner.wait(async |leases| work(leases.clone()).await)??)
}

/// [`work`] that is told as JSON.
fn tell<F>(
    leases: *const rolecall_leases,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
    ask: impl FnOnce(Leases) -> Outcome<F>,
) -> rolecall_status
where
    F: Future<Output = Result<Value, CredentialsError>>,
{
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let leases = given(leases, "leases")?;
        let future = ask(leases.inner.look(Leases::clone)?)?;
        let found = leases.inner.wait(async |_| future.await)??;
        answer.hand_over(rolecall_answer::json(&found)?);
        Ok(())
    })
}

/// Adds a definition of a dynamic secret, after checking that it makes sense; `rolecall_leases_probe`
/// tries it. JSON as `rolecall secret show --json` prints it and docs/leases.md tells, such as `{"name": "ci/reader", "connection": {"profile": "admin"}, "kind": "iam-user",
/// "policy_arns": ["arn:…"], "default_ttl_seconds": 3600, "max_ttl_seconds": 86400}`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_define(
    leases: *const rolecall_leases,
    definition: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        given(leases, "leases")?;
        let secret = leases::read_definition(text(definition, "definition")?, None)?;
        work(leases, async |leases| leases.define(&secret).await)
    })
}

/// Changes a definition, for new leases and renewals. `version` is the one that was read, in
/// `rolecall_leases_definition`'s answer: if it was changed since, this is `ROLECALL_UNAVAILABLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_redefine(
    leases: *const rolecall_leases,
    definition: *const c_char,
    version: u32,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        given(leases, "leases")?;
        let secret = leases::read_definition(text(definition, "definition")?, None)?;
        work(leases, async |leases| leases.redefine(&secret, version).await)
    })
}

/// Takes a definition out of use; its leases must be over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_undefine(
    leases: *const rolecall_leases,
    name: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let name = text(name, "name")?;
        work(leases, async |leases| leases.undefine(name).await)
    })
}

/// A definition, with its version and when that was written: JSON.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_definition(
    leases: *const rolecall_leases,
    name: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(leases, answer, error, |leases| {
        let name = text(name, "name")?;
        Ok(async move { Ok(leases::secret_to_json(&leases.definition(name).await?)) })
    })
}

/// Every definition, in the order of their names: a JSON list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_definitions(
    leases: *const rolecall_leases,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(leases, answer, error, |leases| {
        Ok(async move {
            let all = leases::definitions(&leases).await?;
            Ok(all.iter().map(leases::secret_to_json).collect())
        })
    })
}

/// Tries a definition: the connection, and every step with a user that is made and removed again,
/// or with a session of 15 minutes that nobody gets. `{"account_id", "arn", "missing":
/// ["CreateUser"], "untried": [], "policy": …}`: the actions that are not allowed, those that could
/// not be tried before those are, and a policy that allows what is missing. A user that cannot be
/// removed is a lease that the worker goes on with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_probe(
    leases: *const rolecall_leases,
    name: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(leases, answer, error, |leases| {
        let name = text(name, "name")?;
        Ok(async move { Ok(leases::probe_to_json(&leases.probe(name).await?)) })
    })
}

/// Makes a user or a session in AWS, and hands it out. `request` is JSON: `{"secret": "ci/reader",
/// "ttl_seconds": 900, "identity": {"name": "build-7"}, "session": "JWT", "note": "…", "mfa_code":
/// "123456", "keep": false, "wait": true}`, all but `secret` optional: without `identity` it is for
/// the user whose process this is; with `wait`, which is not the default, the call ends when the
/// key works everywhere in AWS; `session` is one of `rolecall_auth_authenticate`. The answer is the
/// lease, without the secret, and has the credentials.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_create(
    leases: *const rolecall_leases,
    request: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let context = given(leases, "leases")?.inner.look(|leases| leases.context().clone())?;
        let request = leases::read_request(&context, text(request, "request")?)?;
        let issued = work(leases, async |leases| leases.create(&request).await)?;
        let told = rolecall_answer::json(&leases::lease_to_json(&issued.lease))?;
        answer.hand_over(told.with_credentials(Some(issued.credentials))?);
        Ok(())
    })
}

/// A lease: JSON.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_lease(
    leases: *const rolecall_leases,
    id: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(leases, answer, error, |leases| {
        let id = leases::read_lease_id(text(id, "id")?)?;
        Ok(async move { Ok(leases::lease_to_json(&leases.lease(id).await?)) })
    })
}

/// Lists leases in the order in which they were made. `listing` is JSON, all of it optional:
/// `{"secret": "ci/reader", "states": ["active"], "identity": "build-7", "expires_within_seconds":
/// 3600, "after": "LEASE", "limit": 100}`; without `states` those that are not over. The answer is a
/// list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_list(
    leases: *const rolecall_leases,
    listing: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(leases, answer, error, |leases| {
        let listing = text(listing, "listing")?;
        Ok(async move {
            let listing = leases::read_listing(listing, leases.store().now().await?)?;
            let page = leases.leases(&listing.filter, listing.after, listing.limit).await?;
            Ok(page.iter().map(leases::lease_to_json).collect())
        })
    })
}

/// Moves the end of a lease by `ttl_seconds`, up to its maximum; 0 is the definition's default. The
/// answer is the lease. `session` is one of `rolecall_auth_authenticate`, where the definition asks
/// for one; `session` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_renew(
    leases: *const rolecall_leases,
    id: *const c_char,
    ttl_seconds: u64,
    session: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(leases, answer, error, |leases| {
        let id = leases::read_lease_id(text(id, "id")?)?;
        let ttl = Some(Duration::from_secs(ttl_seconds)).filter(|ttl| !ttl.is_zero());
        let session = text_or_null(session, "session")?.map(Secret::from);
        Ok(
            async move { Ok(leases::lease_to_json(&leases.renew(id, ttl, session.as_ref()).await?)) },
        )
    })
}

/// Takes a lease back now. The answer is the lease, whose `state` is `revoking` if AWS could not be
/// brought to it yet: whoever works on leases goes on with it. One that is over already is
/// `ROLECALL_INVALID_CONFIGURATION`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_revoke(
    leases: *const rolecall_leases,
    id: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(leases, answer, error, |leases| {
        let id = leases::read_lease_id(text(id, "id")?)?;
        Ok(async move { Ok(leases::lease_to_json(&leases.revoke(id).await?)) })
    })
}

/// Takes back all leases of a dynamic secret that are not over, several at once: `{"revoked": 7,
/// "failures": [{"lease", "message", "help"}]}`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_revoke_all(
    leases: *const rolecall_leases,
    secret: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(leases, answer, error, |leases| {
        let secret = text(secret, "secret")?;
        Ok(async move {
            let ids = leases::running(&leases, secret).await?;
            let failures = leases::revoke_all(&leases, &ids, |_| {}).await;
            let revoked = ids.len() - failures.len();
            let failures = failures.iter().map(|(id, error)| {
                json!({"lease": id.to_string(), "message": error.message(), "help": error.help()})
            });
            Ok(json!({"revoked": revoked, "failures": failures.collect::<Vec<_>>()}))
        })
    })
}

/// Stops caring for a lease: AWS may still hold its user, with a key that works to its end. The
/// answer is the lease.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_forget(
    leases: *const rolecall_leases,
    id: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(leases, answer, error, |leases| {
        let id = leases::read_lease_id(text(id, "id")?)?;
        Ok(async move { Ok(leases::lease_to_json(&leases.forget(id).await?)) })
    })
}

/// The credentials of a lease that were kept, under the sealing key of the options. `session` is
/// one of `rolecall_auth_authenticate`, where the definition asks for one; `session` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_reveal(
    leases: *const rolecall_leases,
    id: *const c_char,
    session: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        given(leases, "leases")?;
        let id = leases::read_lease_id(text(id, "id")?)?;
        let session = text_or_null(session, "session")?.map(Secret::from);
        let (lease, credentials) = work(leases, async |leases| {
            let credentials = leases.reveal(id, session.as_ref()).await?;
            Ok((leases.lease(id).await?, credentials))
        })?;
        let told = rolecall_answer::json(&leases::lease_to_json(&lease))?;
        answer.hand_over(told.with_credentials(Some(credentials))?);
        Ok(())
    })
}

/// The audit log of a lease, of a dynamic secret or, as `@store`, of the store, checked for lines
/// that were changed or left out: `{"entries": […], "flaw": null}`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_audit(
    leases: *const rolecall_leases,
    subject: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(leases, answer, error, |leases| {
        let subject = text(subject, "subject")?;
        Ok(async move {
            let entries = leases.trail(subject).await?;
            let flaw = leases.verify(subject).await?.map(|flaw| flaw.to_string());
            let entries: Vec<_> = entries.iter().map(leases::entry_to_json).collect();
            Ok(json!({"entries": entries, "flaw": flaw}))
        })
    })
}

/// Looks in IAM for users that no lease needs any more. `request` is JSON, all of it optional:
/// `{"secret": "ci/reader", "remove": false, "most": 50, "unexpired": false, "store_id": "…"}`;
/// nothing is removed without `remove`. The answer is what was found and its fate, and why the search
/// was broken off, if it was: `{"orphans": […], "failure": null}`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_reap(
    leases: *const rolecall_leases,
    request: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(leases, answer, error, |leases| {
        let (secret, options) = leases::read_reap(text(request, "request")?)?;
        Ok(async move {
            let found = leases::reap_all(&leases, secret.as_deref(), &options).await;
            let failure = found.failure.map(
                |failure| json!({"kind": failure.kind().name(), "message": failure.to_string()}),
            );
            let orphans: Vec<_> = found.orphans.iter().map(leases::orphan_to_json).collect();
            Ok(json!({"orphans": orphans, "failure": failure}))
        })
    })
}

/// Which store this is: `{"id", "epoch", "doubt"}`. With `accept_restored` it is right from now on,
/// though it was restored from a backup or moved: what is due will be taken back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_store(
    leases: *const rolecall_leases,
    accept_restored: bool,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    tell(leases, answer, error, |leases| {
        Ok(async move {
            let info = match accept_restored {
                true => leases.accept_restored().await?,
                false => leases.store().info().await?,
            };
            let doubt = info.doubt.map(|doubt| doubt.to_string());
            Ok(json!({"id": info.id, "epoch": info.epoch, "doubt": doubt}))
        })
    })
}

/// Closes a store; `leases` may be NULL. Workers on it go on until they are stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_leases_free(leases: *mut rolecall_leases) {
    free(leases);
}
