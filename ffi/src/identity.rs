//! Cloud identity: tokens, their verifier, and tokens for EKS clusters.

use std::ffi::c_char;
use std::sync::Arc;

use rolecall::eks::{self, ExecApi, Role};
use rolecall::identity::{
    self, Challenges, Checking, Decision, Jwks, MemoryReplayGuard, Policy, TokenSource, Verifier,
    VerifierOptions, WebIdentityRules,
};
use rolecall::leases::Leases;
use rolecall::{Blocking, Context, CredentialsError, Session};
use serde_json::Value;

use crate::answer::rolecall_answer;
use crate::boundary::{Outcome, Place, free, given, guard, text, text_or_null};
use crate::error::rolecall_error;
use crate::fork;
use crate::leases::rolecall_leases;
use crate::options::{options_or_default, rolecall_session_options};
use crate::session::rolecall_session;
use crate::status::rolecall_status;

/// Makes tokens that prove who a session is in AWS. Any number of threads may use it at the same
/// time. Free it with `rolecall_token_source_free`.
pub struct rolecall_token_source {
    // Before the session, whose runtime it may need at its end.
    source: Blocking<Arc<TokenSource>>,
    session: Arc<Blocking<Session>>,
}

/// Says what tokens are for, and asks nobody yet. `options` is JSON: `{"format": "vault", "role",
/// "server_id"}`, `{"format": "infisical", "identity_id"}`, `{"format": "eks", "cluster_name"}`,
/// `{"format": "rolecall", "audience", "challenge", "lifetime_seconds": 60}` (1 to 300) or
/// `{"format": "akeyless"}`, which also holds where no format is named; with any of them `region`
/// and `sts_url`, those of the STS that the verifier asks. The session may be freed before the
/// source.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_token_source_new(
    session: *const rolecall_session,
    options: *const c_char,
    source: *mut *mut rolecall_token_source,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let place = Place::at(source, "source")?;
        let session = given(session, "session")?.session.clone();
        let options = identity::read_token_options(text(options, "options")?)?;
        let of = session.clone();
        let source = Blocking::new(move |_| {
            let session = of.look(Session::clone)?;
            Ok(Arc::new(TokenSource::new(&session, options.clone())?))
        })?;
        place.hand_over(rolecall_token_source { session, source });
        Ok(())
    })
}

/// A token that is signed now: a text as its format has it, not JSON of ours. It is as good as a
/// password for as long as it lives, which `rolecall_answer_expires_at` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_token_source_token(
    source: *const rolecall_token_source,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let this = given(source, "source")?;
        let source = this.source.look(Arc::clone)?;
        let token = this.session.wait(async |_| source.token().await)??;
        let told = rolecall_answer::secret(token.text.expose())?;
        answer.hand_over(told.with_expires_at(token.expires_at));
        Ok(())
    })
}

/// Frees a source; `source` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_token_source_free(source: *mut rolecall_token_source) {
    free(source);
}

/// Shows what is in a token, without what would let somebody use it: JSON. It checks nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_token_inspect(
    token: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let found = identity::inspect(text(token, "token")?).map_err(CredentialsError::from)?;
        answer.hand_over(rolecall_answer::json(&found.to_json())?);
        Ok(())
    })
}

/// Checks tokens, for a server that is shown them. One serves for as long as the process runs: it
/// remembers which were used. Any number of threads may use it at the same time; each process of a
/// fork remembers for itself. Free it with `rolecall_verifier_free`.
pub struct rolecall_verifier {
    // Before the store, whose runtime it may need at its end.
    verifier: Blocking<Arc<Verifier>>,
    /// What remembers, if that is no memory of the verifier's own.
    store: Option<Arc<Blocking<Leases>>>,
    policy: Policy,
    challenges: Option<(Arc<Challenges>, String)>,
}

/// Makes a verifier. `options` is JSON that says whom to let in: `account_ids`, at least one, and
/// as wanted `arns`, `role_names`, `role_ids`, `user_names`, `user_ids`, `session_names`: of each
/// kind that is given one must fit, and all kinds must; `unique_identifier` (`role_id`,
/// `user_name`, …): what the decision gives as the token's `subject`; `sts_url`, `partition`. What
/// tokens are taken: `formats` (left out: akeyless, vault, infisical, and eks and rolecall where
/// the cluster and the audience are named), `server_id` (Vault), `cluster_name` (EKS), `audience`
/// (rolecall's own) and `"challenges": true`, if they must answer one, or `{"key": "file://PATH",
/// "life_seconds": 120}` for servers that take each other's: the key is 64 hexadecimal digits,
/// `env:NAME` or `file://PATH`. How: `cached` (a token may be used again while it is fresh),
/// `max_age_seconds` (300), `time_limit_seconds` (5).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_verifier_new(
    options: *const c_char,
    verifier: *mut *mut rolecall_verifier,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let place = Place::at(verifier, "verifier")?;
        place.hand_over(verifier_of(text(options, "options")?, None)?);
        Ok(())
    })
}

/// Makes a verifier that remembers in a store which tokens were used: for several processes and
/// machines that share it, each of which then takes a token once. The store's handle may be freed
/// before it. Else as `rolecall_verifier_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_verifier_new_in_store(
    options: *const c_char,
    leases: *const rolecall_leases,
    verifier: *mut *mut rolecall_verifier,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let place = Place::at(verifier, "verifier")?;
        let store = given(leases, "leases")?.inner.clone();
        place.hand_over(verifier_of(text(options, "options")?, Some(store))?);
        Ok(())
    })
}

fn verifier_of(
    options: &str,
    store: Option<Arc<Blocking<Leases>>>,
) -> Result<rolecall_verifier, CredentialsError> {
    fork::watch();
    let Checking { options, policy, challenges } = identity::read_checking(options)?;
    let within = store.clone();
    let verifier = Blocking::new(move |_| {
        // With the rest, as a lock of it may be held while the process forks.
        let guard = match &within {
            Some(store) => identity::replay_guard(store.look(|leases| leases.store().clone())?)?,
            None => Arc::new(MemoryReplayGuard::default()),
        };
        let guard = Some(guard);
        Ok(Arc::new(identity::verifier(VerifierOptions { guard, ..options.clone() })))
    })?;
    Ok(rolecall_verifier { verifier, store, policy, challenges })
}

/// What to know about whom the verifier lets in: a JSON list of warnings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_verifier_lints(
    verifier: *const rolecall_verifier,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let lints = given(verifier, "verifier")?.policy.lints();
        let lints: Value = lints.iter().map(identity::Lint::to_json).collect();
        answer.hand_over(rolecall_answer::json(&lints)?);
        Ok(())
    })
}

/// A new challenge for a client to have signed, a text and not JSON. Fails with
/// `ROLECALL_INVALID_CONFIGURATION` unless the verifier was made with `"challenges": true`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_verifier_challenge(
    verifier: *const rolecall_verifier,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let challenge = identity::new_challenge(given(verifier, "verifier")?.challenges.as_ref())?;
        answer.hand_over(rolecall_answer::secret(&challenge)?);
        Ok(())
    })
}

fn decide(verifier: *const rolecall_verifier, token: *const c_char) -> Outcome<Decision> {
    let this = given(verifier, "verifier")?;
    let token = text(token, "token")?;
    let Some(store) = &this.store else {
        return Ok(this
            .verifier
            .wait(async |verifier| verifier.verify(token, &this.policy).await)?);
    };
    let verifier = this.verifier.look(Arc::clone)?;
    Ok(store.wait(async |_| verifier.verify(token, &this.policy).await)?)
}

/// Checks a token, and asks STS whose it is. `ROLECALL_OK` means that it is who may come in, and
/// nothing else does; the answer is the decision: `{"accepted": true, "format", "identity":
/// {"account", "arn", "user_id", …}, "checks": […]}`, and `"subject"` where the verifier has a
/// `unique_identifier`. A token that is refused is an error that says why.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_verifier_verify(
    verifier: *const rolecall_verifier,
    token: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let decision = decide(verifier, token)?;
        decision.accepted().map_err(|refusal| CredentialsError::from(refusal.clone()))?;
        answer.hand_over(rolecall_answer::json(&decision.to_json())?);
        Ok(())
    })
}

/// Checks a token as `rolecall_verifier_verify` does, and spends it, for a log: the answer is the
/// decision also if the token is refused. `ROLECALL_OK` lets nobody in here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_verifier_explain(
    verifier: *const rolecall_verifier,
    token: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        answer.hand_over(rolecall_answer::json(&decide(verifier, token)?.to_json())?);
        Ok(())
    })
}

/// Frees a verifier; `verifier` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_verifier_free(verifier: *mut rolecall_verifier) {
    free(verifier);
}

/// Checks a JWT of `GetWebIdentityToken`, offline: `jwks` is the issuer's keys, the text of its
/// `/.well-known/jwks.json`. The answer is what it claims.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_verify_web_identity_token(
    token: *const c_char,
    jwks: *const c_char,
    issuer: *const c_char,
    audience: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let keys = || Ok(Jwks::parse(text(jwks, "jwks")?)?);
        answer.hand_over(claims(token, keys, issuer, audience)?);
        Ok(())
    })
}

/// As `rolecall_verify_web_identity_token`, with the issuer's keys from the file `path`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_verify_web_identity_token_by_file(
    token: *const c_char,
    path: *const c_char,
    issuer: *const c_char,
    audience: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let keys = || Ok(identity::read_jwks(&Context::real(), text(path, "path")?.as_ref())?);
        answer.hand_over(claims(token, keys, issuer, audience)?);
        Ok(())
    })
}

fn claims(
    token: *const c_char,
    keys: impl FnOnce() -> Outcome<Jwks>,
    issuer: *const c_char,
    audience: *const c_char,
) -> Outcome<rolecall_answer> {
    let token = text(token, "token")?;
    let rules = WebIdentityRules {
        issuer: text(issuer, "issuer")?.to_owned(),
        audience: text(audience, "audience")?.to_owned(),
    };
    let now = Context::real().clock.now();
    let claims = identity::verify_web_identity_token(token, &keys()?, &rules, now);
    Ok(rolecall_answer::json(&claims.map_err(CredentialsError::from)?.to_json())?)
}

/// Makes a session of a role that is assumed with what `options` say, for tokens of EKS clusters.
/// `options` may be NULL: the default chain. `external_id` may be NULL; `session_name` may be NULL:
/// AWS CLI's `EKSGetTokenAuth`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_eks_session_new(
    options: *const rolecall_session_options,
    role_arn: *const c_char,
    external_id: *const c_char,
    session_name: *const c_char,
    session: *mut *mut rolecall_session,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let place = Place::at(session, "session")?;
        let options = options_or_default(options);
        let role = Role {
            role_arn: text(role_arn, "role_arn")?.to_owned(),
            external_id: text_or_null(external_id, "external_id")?.map(str::to_owned),
            session_name: text_or_null(session_name, "session_name")?.map(str::to_owned),
        };
        place
            .hand_over(rolecall_session::make(move || eks::session(options.clone(), Some(&role)))?);
        Ok(())
    })
}

/// A token for an EKS cluster, its name or on Outposts its id: the JSON (`ExecCredential`) that
/// kubectl reads and `rolecall eks get-token` prints, with the token in `status.token`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_eks_token(
    session: *const rolecall_session,
    cluster: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let session = given(session, "session")?;
        let cluster = text(cluster, "cluster")?;
        let told = session.wait(async |session| {
            let token = eks::token(session, cluster).await?;
            Ok(eks::exec_credential(&token, &ExecApi::asked_for(session.context())))
        })?;
        answer.hand_over(rolecall_answer::secret(&told)?);
        Ok(())
    })
}
