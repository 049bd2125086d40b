//! Sessions: JWTs (RFC 7519) signed with EdDSA.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, UnparsedPublicKey};
use rolecall_core::{CredentialsError, ErrorKind, Result, Secret, timestamp};
use rolecall_sts::identity::{CallerIdentity, Principal, SubClaim};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::keys::{SigningKey, StoredKey};

/// Longer than any that we make.
const LONGEST: usize = 8 * 1024;
/// How far the clocks of two machines may be apart.
const SKEW: u64 = 60;
const AUDIENCE: &str = "rolecall";

/// A session: whoever has it is who it names, until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthSession {
    /// The JWT.
    pub token: Secret,
    /// What it says.
    pub claims: SessionClaims,
}

/// What a session says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionClaims {
    /// The value of the method's unique identifier; the principal's ARN where it has none.
    pub subject: String,
    /// The method's name when the session began.
    pub method: String,
    /// The method.
    pub access_id: String,
    /// Who it is, as STS said.
    pub identity: CallerIdentity,
    /// When it began.
    pub issued_at: SystemTime,
    /// When it ends.
    pub expires_at: SystemTime,
    /// Its own id.
    pub session_id: String,
}

impl SessionClaims {
    /// The name of the role or user, without what the caller chose if there is another.
    pub fn name(&self) -> &str {
        match &self.identity.principal {
            Principal::User { name, .. } | Principal::FederatedUser { name } => name,
            Principal::AssumedRole { role_name, .. } => role_name,
            _ => "root",
        }
    }

    /// The same as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "subject": self.subject,
            "method": self.method,
            "access_id": self.access_id,
            "issued_at": timestamp::format(self.issued_at),
            "expires_at": timestamp::format(self.expires_at),
            "session_id": self.session_id,
            "sub_claims": sub_claims(&self.identity),
            "identity": self.identity.to_json(),
        })
    }
}

#[derive(Deserialize, Serialize)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crit: Option<Value>,
}

#[derive(Deserialize, Serialize)]
struct Payload {
    iss: String,
    aud: String,
    sub: String,
    iat: u64,
    nbf: u64,
    exp: u64,
    jti: String,
    method: String,
    access_id: String,
    account_id: String,
    arn: String,
    user_id: String,
    sub_claims: Map<String, Value>,
}

/// The issuer of a store's sessions.
pub(super) fn issuer(store_id: &str) -> String {
    format!("urn:rolecall:store:{store_id}")
}

/// Signs a session.
pub(super) fn sign(key: &SigningKey, store_id: &str, claims: &SessionClaims) -> Result<Secret> {
    let issued_at = seconds(claims.issued_at);
    let header = Header { alg: "EdDSA".into(), typ: "JWT".into(), kid: key.id.clone(), crit: None };
    let payload = Payload {
        iss: issuer(store_id),
        aud: AUDIENCE.to_owned(),
        sub: claims.subject.clone(),
        iat: issued_at,
        nbf: issued_at,
        exp: seconds(claims.expires_at),
        jti: claims.session_id.clone(),
        method: claims.method.clone(),
        access_id: claims.access_id.clone(),
        account_id: claims.identity.account.clone(),
        arn: claims.identity.arn.clone(),
        user_id: claims.identity.user_id.clone(),
        sub_claims: sub_claims(&claims.identity),
    };
    let encode = |json: serde_json::Result<Vec<u8>>| {
        json.map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|error| {
            let message = format!("the session cannot be written: {error}");
            CredentialsError::new(ErrorKind::Internal, "auth", message)
        })
    };
    let mut text = String::with_capacity(2048);
    text.push_str(&encode(serde_json::to_vec(&header))?);
    text.push('.');
    text.push_str(&encode(serde_json::to_vec(&payload))?);
    let signature = key.pair.sign(text.as_bytes());
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    Ok(text.into())
}

/// Checks a session of this store at `now`.
pub(super) fn verify(
    token: &str,
    keys: &[StoredKey],
    store_id: &str,
    now: SystemTime,
) -> Result<SessionClaims> {
    let malformed = || denied("it is no session of rolecall");
    if token.len() > LONGEST {
        return Err(malformed());
    }
    let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
    let (header, payload) = signed.split_once('.').ok_or_else(malformed)?;
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed());
    let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
    let header: Header = serde_json::from_slice(&header).map_err(|_| malformed())?;
    if header.alg != "EdDSA" || header.typ != "JWT" || header.crit.is_some() {
        return Err(malformed());
    }
    let key = keys.iter().find(|key| key.id == header.kid);
    let key = key.ok_or_else(|| {
        denied("the session's key was dropped, or the session is not of this store")
    })?;
    UnparsedPublicKey::new(&ED25519, &key.public)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| denied("the session's signature is wrong"))?;
    let payload: Payload = serde_json::from_slice(&payload).map_err(|_| malformed())?;
    if payload.iss != issuer(store_id) || payload.aud != AUDIENCE {
        return Err(denied("the session is not of this store"));
    }
    let now = seconds(now);
    if payload.nbf.max(payload.iat) > now.saturating_add(SKEW) {
        return Err(denied("the session is from the future").with_help("check both clocks"));
    }
    if payload.exp <= now {
        return Err(ended());
    }
    let at = |seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    let identity = CallerIdentity::new(&payload.account_id, &payload.arn, &payload.user_id)?;
    Ok(SessionClaims {
        subject: payload.sub,
        method: payload.method,
        access_id: payload.access_id,
        identity,
        issued_at: at(payload.iat).ok_or_else(malformed)?,
        expires_at: at(payload.exp).ok_or_else(malformed)?,
        session_id: payload.jti,
    })
}

/// What of an identity the caller did not choose.
fn sub_claims(identity: &CallerIdentity) -> Map<String, Value> {
    let claims = SubClaim::ALL.into_iter();
    let claims =
        claims.filter_map(|claim| Some((claim.name().to_owned(), claim.of(identity)?.into())));
    claims.collect()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

pub(super) fn ended() -> CredentialsError {
    denied("the session has ended").with_help("log in again")
}

fn denied(message: &str) -> CredentialsError {
    CredentialsError::new(ErrorKind::Denied, "session", message)
        .with_help("log in with `rolecall identity auth`")
}
