//! Logging in by an auth method with a session's credentials: token, check and session in one go.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rolecall_core::profile::{Plan, ProfileSet, Source, aws_folder};
use rolecall_core::{Context, CredentialsError, ErrorKind, Result};
use rolecall_secrets::{Auth, AuthMethod, AuthSession, Conflict, StoredMethod};
use rolecall_sts::identity::{Check, Dialect, TokenFormat};
use serde_json::{Value, json};

use super::{TokenOptions, TokenSource};
use crate::Session;
use crate::configure::{Assignment, Settings};
use crate::resolve::fingerprint;

/// Where a profile names the auth method that it logs in by.
const ACCESS_ID: &str = "rolecall_access_id";
const ACCESS_TYPE: &str = "rolecall_access_type";
/// The one type of access that there is, by Akeyless's name.
const AWS_IAM: &str = "aws_iam";
/// A session that ends sooner is not used again.
const MARGIN: Duration = Duration::from_secs(60);
/// Tokens of the same credentials differ from one second to the next.
const NEXT_SECOND: Duration = Duration::from_secs(1);
/// How many of those who log in at the same time get on.
const ATTEMPTS: u32 = 5;
const LIMIT: u64 = 16 * 1024;

/// Which auth method to log in by.
#[derive(Clone, Debug, Default)]
pub struct LoginOptions {
    /// Its access id or name; `None` is what [`save_access_id`] has saved in the profile.
    pub access_id: Option<String>,
    /// Begins a new session also if there is one, and keeps none.
    pub no_cache: bool,
}

/// Saves in a profile by which auth method it logs in: what `identity configure` does.
///
/// # Errors
/// `InvalidConfiguration` for another access type than `aws_iam`, or an access id that makes no
/// sense; as [`Settings::set`].
pub async fn save_access_id(
    context: Context,
    profile: Option<String>,
    access_id: &str,
    access_type: &str,
) -> Result<()> {
    let wrong = |message: String, help: &str| {
        CredentialsError::new(ErrorKind::InvalidConfiguration, "identity", message).with_help(help)
    };
    if access_type != AWS_IAM {
        let shown = rolecall_core::printable(access_type, 40);
        return Err(wrong(format!("there is no access type {shown}"), "use aws_iam"));
    }
    let is_id = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    if access_id.is_empty() || !access_id.bytes().all(is_id) {
        let help = "take it from `rolecall identity method list`";
        return Err(wrong("it is no access id".to_owned(), help));
    }
    let assignments = [
        Assignment::new(ACCESS_ID.parse()?, access_id),
        Assignment::new(ACCESS_TYPE.parse()?, access_type),
    ];
    Settings::new(context, profile).set(&assignments).await.map(drop)
}

/// Logs in: makes a token with the credentials of `session`, has `auth` check it, and keeps the
/// session in `~/.aws/rolecall/sessions`, for its owner alone, as long as it holds. It is not kept
/// where the same plan may be somebody else later: with a provider of one's own, a program, SAML, the
/// metadata service or a container. `profile` is where the access id is looked up.
///
/// # Errors
/// `NotConfigured` without an access id; `Denied` if the method does not let this identity in, with
/// the check that failed; as [`Session::credentials`] and [`Auth::authenticate`].
pub async fn log_in(
    auth: &Auth,
    session: &Session,
    profile: Option<&str>,
    options: &LoginOptions,
) -> Result<AuthSession> {
    let context = session.context();
    let StoredMethod { method, .. } = match &options.access_id {
        Some(access_id) => auth.method(access_id).await?,
        None => saved_method(auth, context, profile).await?,
    };
    let place = match options.no_cache {
        true => None,
        false => place(session, &auth.issuer().await?, &method.access_id),
    };
    let place = place.as_deref();
    if let Some(found) = kept(auth, context, place).await {
        return Ok(found);
    }
    let begun = begin(auth, session, &method, place).await?;
    if let Some(place) = place {
        let folder = place.parent().map_or(Ok(()), |folder| context.fs.create_folder(folder));
        let bytes = begun.token.expose().as_bytes();
        if let Err(error) = folder.and_then(|()| context.fs.write(place, bytes)) {
            tracing::warn!("the session is not kept: {}: {error}", place.display());
        }
    }
    Ok(begun)
}

/// A session as JSON, with its token.
pub fn session_to_json(session: &AuthSession) -> Value {
    let mut json = session.claims.to_json();
    json["token"] = session.token.expose().into();
    json
}

/// A method as JSON: its own fields, with its version and when that was written.
pub fn method_to_json(stored: &StoredMethod) -> Value {
    let mut json = json!({ "access_type": AWS_IAM });
    if let Ok(Value::Object(fields)) = serde_json::to_value(&stored.method) {
        for (key, value) in fields {
            json[key] = value;
        }
    }
    json["version"] = stored.version.into();
    json["changed_at"] = rolecall_core::timestamp::format(stored.changed_at).into();
    json
}

async fn begin(
    auth: &Auth,
    session: &Session,
    method: &AuthMethod,
    place: Option<&Path>,
) -> Result<AuthSession> {
    let context = session.context();
    let options = TokenOptions {
        dialect: dialect(method)?,
        region: None,
        sts_url: method.bounds.sts_url.clone(),
    };
    let source = TokenSource::new(session, options)?;
    let mut attempt = 1;
    loop {
        let token = source.token().await?;
        let login = auth.authenticate(&method.access_id, token.text.expose()).await?;
        if let Some(session) = login.session {
            return Ok(session);
        }
        let refused = login.decision.accepted().err().cloned();
        // Somebody else has logged in with these credentials in this very second.
        let is_replay =
            refused.as_ref().is_some_and(|r| matches!(r.check, Check::Replay | Check::Spend));
        if is_replay && attempt < ATTEMPTS {
            // All of them would meet again in the next second.
            let pause = NEXT_SECOND + context.random.up_to(NEXT_SECOND * attempt);
            attempt += 1;
            context.clock.sleep(pause).await;
            match kept(auth, context, place).await {
                Some(found) => return Ok(found),
                None => continue,
            }
        }
        let error = refused.map(CredentialsError::from).unwrap_or_else(|| {
            CredentialsError::new(ErrorKind::Internal, "identity", "no session was begun")
        });
        return Err(error.with_place(format!("auth method {}", method.name)));
    }
}

/// The safest dialect that the method takes and that can be made without asking anybody.
fn dialect(method: &AuthMethod) -> Result<Dialect> {
    let has = |format| method.formats.contains(&format);
    if let Some(audience) = method.audience.clone().filter(|_| has(TokenFormat::Rolecall)) {
        let lifetime = Dialect::LIFETIME;
        return Ok(Dialect::Rolecall { audience, challenge: None, lifetime });
    }
    let vault = Dialect::Vault { role: None, server_id: method.server_id.clone() };
    if has(TokenFormat::Vault) && method.server_id.is_some() {
        return Ok(vault);
    }
    if let Some(cluster) = method.cluster.clone().filter(|_| has(TokenFormat::Eks)) {
        return Ok(Dialect::Eks { cluster });
    }
    // These are bound to no server.
    if has(TokenFormat::Vault) {
        return Ok(vault);
    }
    if has(TokenFormat::Akeyless) {
        return Ok(Dialect::Akeyless);
    }
    if has(TokenFormat::Infisical) {
        return Ok(Dialect::Infisical { identity_id: method.access_id.clone() });
    }
    let message = format!("the auth method {} takes no tokens that can be made here", method.name);
    Err(CredentialsError::new(ErrorKind::InvalidConfiguration, "identity", message))
}

/// The method that the profile names.
async fn saved_method(
    auth: &Auth,
    context: &Context,
    profile: Option<&str>,
) -> Result<StoredMethod> {
    let set = ProfileSet::load(&context.env, &context.fs)?;
    let name = profile.map_or_else(|| ProfileSet::selected_name(&context.env), str::to_owned);
    let help = format!(
        "run rolecall identity configure --profile {name} --access-id ID --access-type {AWS_IAM}"
    );
    let saved = set.get(&name).and_then(|profile| profile.get(ACCESS_ID));
    let Some(access_id) = saved.filter(|id| !id.is_empty()) else {
        let message = format!("profile {name} names no auth method to log in by");
        let error = CredentialsError::new(ErrorKind::NotConfigured, "identity", message);
        return Err(error.with_help(help));
    };
    auth.method(access_id).await.map_err(|error| match Conflict::of(&error) {
        Some(Conflict::NoSuchMethod) => {
            let message = format!("the auth method {access_id:?} of profile {name} is gone");
            CredentialsError::new(error.kind(), "identity", message).with_help(help)
        }
        _ => error,
    })
}

/// Where a session is kept: by store, method and whoever asks; `None` if that cannot be told.
fn place(session: &Session, issuer: &str, access_id: &str) -> Option<PathBuf> {
    let plan = session.plan();
    if !is_told_apart(plan) {
        return None;
    }
    let folder = aws_folder(&session.context().env)?.join("rolecall/sessions");
    let name = fingerprint(&format!("{issuer}\n{access_id}"), plan, &plan.hops);
    Some(folder.join(format!("{name}.jwt")))
}

/// Whether a plan is the same identity whenever it is run. The source's name alone does not say so:
/// a program, a service of the machine or a provider may answer as somebody else next time.
fn is_told_apart(plan: &Plan) -> bool {
    !matches!(
        plan.source,
        Source::Given
            | Source::Imds
            | Source::Container
            | Source::Process { .. }
            | Source::Saml { .. }
            | Source::RolesAnywhere { identity: None, .. }
    )
}

async fn kept(auth: &Auth, context: &Context, place: Option<&Path>) -> Option<AuthSession> {
    let place = place?;
    let bytes = context.fs.read(place, LIMIT).ok()?;
    let token = std::str::from_utf8(&bytes).unwrap_or_default().trim();
    let claims = match auth.session(token).await {
        Ok(claims) => claims,
        Err(error) => {
            if error.kind() == ErrorKind::Denied
                && let Err(error) = context.fs.remove(place)
            {
                tracing::warn!("{} is not removed: {error}", place.display());
            }
            return None;
        }
    };
    let is_long = claims.expires_at > context.clock.now() + MARGIN;
    is_long.then(|| AuthSession { token: token.into(), claims })
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
