//! The JWTs of `sts:GetWebIdentityToken`, checked against AWS's published keys without asking AWS.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use rolecall_core::{CredentialsError, ErrorKind, Result, timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::json::{self, Text};
use super::refusal::{Check, Refusal};

/// AWS's tokens have a few thousand bytes.
const LONGEST: usize = 16 * 1024;
/// How far our clock may be behind.
const SKEW: u64 = 60;
/// The longest life that AWS gives.
const LONGEST_LIFE: u64 = 3600;
/// Where AWS puts what is not of OpenID Connect.
const NAMESPACE: &str = "https://sts.amazonaws.com/";

/// The keys of an issuer: a JSON Web Key Set.
#[derive(Debug)]
pub struct Jwks(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: String,
    material: Material,
}

#[derive(Debug)]
enum Material {
    /// An uncompressed point of P-384.
    Es384(Vec<u8>),
    /// Modulus and exponent.
    Rs256(Vec<u8>, Vec<u8>),
}

impl Material {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Es384(_) => "ES384",
            Self::Rs256(..) => "RS256",
        }
    }
}

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<RawKey>,
}

#[derive(Deserialize)]
struct RawKey {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl Jwks {
    /// Reads the document that an issuer publishes as its `jwks_uri`. Keys that AWS's tokens cannot
    /// be signed with are passed over.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it is no key set, if no key is left, or if two have one id.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = |message: &str| {
            CredentialsError::new(ErrorKind::InvalidConfiguration, "JWKS", message)
                .with_help("take the document that the issuer publishes as its jwks_uri")
        };
        let set: RawSet = serde_json::from_str(text).map_err(|_| refused("it is no JWKS"))?;
        let keys: Vec<Key> = set.keys.into_iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(refused("it holds no key of ES384 or RS256 with an id"));
        }
        for (index, key) in keys.iter().enumerate() {
            if keys[..index].iter().any(|other| other.id == key.id) {
                return Err(refused("two of its keys have the same id"));
            }
        }
        Ok(Self(keys))
    }
}

impl Key {
    fn read(raw: RawKey) -> Option<Self> {
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        if raw.usage.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let material = match (raw.kty.as_str(), raw.crv.as_deref()) {
            ("EC", Some("P-384")) => {
                let (x, y) = (bytes(raw.x)?, bytes(raw.y)?);
                if x.len() != 48 || y.len() != 48 {
                    return None;
                }
                Material::Es384([&[4], &x[..], &y[..]].concat())
            }
            // ring refuses keys of less than 2048 bits.
            ("RSA", None) => Material::Rs256(bytes(raw.n)?, bytes(raw.e)?),
            _ => return None,
        };
        if raw.alg.is_some_and(|algorithm| algorithm != material.algorithm()) {
            return None;
        }
        Some(Self { id: raw.kid.filter(|id| !id.is_empty())?, material })
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let checked = match &self.material {
            Material::Es384(point) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
            }
            Material::Rs256(n, e) => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
        };
        checked.is_ok()
    }
}

/// What a web identity token must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebIdentityRules {
    /// Who made it, to the letter: `https://….tokens.sts.global.api.aws`. Each AWS account has its
    /// own, so that this binds the account.
    pub issuer: String,
    /// Whom it must be for.
    pub audience: String,
}

/// What a web identity token says, once it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebIdentityClaims {
    /// Whose it is: the ARN of a role or user.
    pub subject: String,
    /// The account, where AWS says it; it is the subject's.
    pub account: Option<String>,
    /// All whom it is for.
    pub audiences: Vec<String>,
    /// When it was made.
    pub issued_at: SystemTime,
    /// When it ends.
    pub expires_at: SystemTime,
    /// The token's own id, for replay protection.
    pub token_id: Option<String>,
    /// What AWS adds: `principal_id`, `org_id`, `principal_tags`; and `request_tags`, which the
    /// caller chose.
    pub aws: Map<String, Value>,
}

impl WebIdentityClaims {
    /// The same as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "subject": self.subject,
            "account": self.account,
            "audiences": self.audiences,
            "issued_at": timestamp::format(self.issued_at),
            "expires_at": timestamp::format(self.expires_at),
            "token_id": self.token_id,
            "aws": self.aws,
        })
    }
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Text<'a>,
    #[serde(borrow)]
    kid: Option<Text<'a>>,
    #[serde(borrow)]
    typ: Option<Text<'a>>,
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audiences,
    iat: u64,
    exp: u64,
    nbf: Option<u64>,
    jti: Option<String>,
    #[serde(default, rename = "https://sts.amazonaws.com/")]
    aws: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Many(Vec<String>),
}

/// Checks a JWT of `sts:GetWebIdentityToken` at the time `now`: its signature (ES384 or RS256, by
/// the key that it names), its issuer, its audience and its times.
///
/// # Errors
/// Why it is refused.
pub fn verify_web_identity_token(
    token: &str,
    keys: &Jwks,
    rules: &WebIdentityRules,
    now: SystemTime,
) -> Result<WebIdentityClaims, Refusal> {
    let refuse = |check, code, message: &str| Refusal::new(check, code, message);
    if token.len() > LONGEST {
        return Err(refuse(Check::Size, "too-long", "the token is longer than 16 KiB"));
    }
    let malformed = || refuse(Check::Format, "jwt-malformed", "it is not a JWT of three parts");
    let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
    let (header, payload) = signed.split_once('.').ok_or_else(malformed)?;
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed());
    let (header, signature) = (decode(header)?, decode(signature)?);
    let payload = decode(payload)?;

    let header: Header<'_> = json::read(&header, Check::Format)?;
    let authorization = |code, message| refuse(Check::Authorization, code, message);
    if header.crit.is_some() {
        return Err(authorization("jwt-critical", "the token asks for extensions (crit)"));
    }
    if header.typ.is_some_and(|typ| !typ.0.eq_ignore_ascii_case("JWT")) {
        return Err(authorization("jwt-type", "the token's type is not JWT"));
    }
    if !matches!(&*header.alg.0, "ES384" | "RS256") {
        let message = "the token's algorithm is neither ES384 nor RS256";
        return Err(authorization("jwt-algorithm", message));
    }
    let id =
        header.kid.ok_or_else(|| authorization("jwt-key-missing", "the token names no key"))?;
    let key = keys.0.iter().find(|key| key.id == id.0).ok_or_else(|| {
        authorization(
            "jwt-key-unknown",
            "the token's key is not among the issuer's; fetch them again",
        )
    })?;
    if key.material.algorithm() != header.alg.0 {
        let message = "the token's algorithm is not that of the key that it names";
        return Err(authorization("jwt-algorithm-differs", message));
    }
    if !key.verify(signed.as_bytes(), &signature) {
        return Err(authorization("jwt-signature", "the token's signature is wrong"));
    }
    let claims: Claims = json::read(&payload, Check::Format)?;
    check_claims(claims, rules, now)
}

fn check_claims(
    claims: Claims,
    rules: &WebIdentityRules,
    now: SystemTime,
) -> Result<WebIdentityClaims, Refusal> {
    let refuse = |check, code, message: &str| Err(Refusal::new(check, code, message));
    if claims.iss != rules.issuer {
        return refuse(Check::Endpoint, "jwt-issuer", "the token is of another issuer");
    }
    let audiences = match claims.aud {
        Audiences::One(one) => vec![one],
        Audiences::Many(many) => many,
    };
    if !audiences.contains(&rules.audience) {
        return refuse(Check::Binding, "jwt-audience", "the token is for another audience");
    }
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    if claims.exp <= claims.iat || claims.exp - claims.iat > LONGEST_LIFE {
        let message = "the token's life is not one that AWS gives";
        return refuse(Check::Expires, "jwt-life", message);
    }
    if claims.iat > now + SKEW || claims.nbf.is_some_and(|from| from > now + SKEW) {
        return refuse(Check::Freshness, "future", "the token is from the future");
    }
    if claims.exp <= now {
        return refuse(Check::Freshness, "too-old", "the token has ended");
    }
    let account = claims.aws.get("aws_account").and_then(Value::as_str).map(str::to_owned);
    let subjects = claims.sub.split(':').nth(4);
    if !claims.sub.starts_with("arn:") || account.as_deref().is_some_and(|a| Some(a) != subjects) {
        let message = format!("the token's subject is not an ARN of its account ({NAMESPACE})");
        return Err(Refusal::new(Check::Identity, "jwt-subject", message));
    }
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    Ok(WebIdentityClaims {
        subject: claims.sub,
        account,
        audiences,
        issued_at: at(claims.iat),
        expires_at: at(claims.exp),
        token_id: claims.jti,
        aws: claims.aws,
    })
}
