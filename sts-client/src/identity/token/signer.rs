use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rolecall_core::endpoint::Region;
use rolecall_core::{Credentials, CredentialsError, ErrorKind, Result, Secret};
use zeroize::Zeroizing;

use super::super::amz_date::AmzDate;
use super::super::{ALGORITHM, BODY_HASH, EMPTY_HASH, FORM};
use super::key::DayKey;
use super::{Dialect, Token, TokenFormat, write};
use crate::QueryEndpoint;
use crate::form;
use crate::query::check_url;

/// How long STS takes a signature.
const LIFE: Duration = Duration::from_secs(15 * 60);
/// What EKS takes.
const LONGEST_EKS_TOKEN: usize = 4096;

/// Makes tokens of one dialect with the same credentials, each for the price of two hashes: the
/// signing key is derived once a day.
pub struct TokenSigner {
    pub(super) dialect: Dialect,
    pub(super) scheme: &'static str,
    pub(super) host: String,
    pub(super) region: String,
    pub(super) access_key_id: String,
    pub(super) session_token: Option<Secret>,
    /// As it stands in a query.
    pub(super) encoded_token: Option<Secret>,
    pub(super) lifetime: String,
    secret: Secret,
    expires_at: Option<SystemTime>,
    key: Mutex<Option<DayKey>>,
}

impl std::fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenSigner")
            .field("dialect", &self.dialect)
            .field("host", &self.host)
            .field("region", &self.region)
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl TokenSigner {
    /// A signer for tokens that a verifier will show to `endpoint`.
    ///
    /// # Errors
    /// `InvalidConfiguration` if the endpoint is not a bare host, or if anything that goes into the
    /// token holds what cannot stand in it.
    pub fn new(
        dialect: Dialect,
        credentials: &Credentials,
        endpoint: &QueryEndpoint,
    ) -> Result<Self> {
        let (scheme, host) = bare_host(&endpoint.url).map_err(|flaw| refused(flaw.to_owned()))?;
        let region = Region::parse(&endpoint.signing_region, "the endpoint's region")?;
        let lifetime = check_dialect(&dialect)?;
        let key_id = credentials.access_key_id();
        let token = credentials.session_token();
        let word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if key_id.is_empty() || key_id.len() > 128 || !word(key_id) {
            return Err(refused("the access key id is not one of AWS's".to_owned()));
        }
        check("session token", token.map(Secret::expose), 8 * 1024)?;
        let encoded = |token: &Secret| {
            let mut text = String::with_capacity(token.expose().len() * 3);
            text.extend(form::encode(token.expose()));
            Secret::from(text)
        };
        Ok(Self {
            encoded_token: token.filter(|_| dialect.format() == TokenFormat::Eks).map(encoded),
            dialect,
            scheme,
            host,
            region: region.as_str().to_owned(),
            access_key_id: key_id.to_owned(),
            session_token: token.cloned(),
            lifetime: lifetime.as_secs().to_string(),
            secret: credentials.secret_access_key().clone(),
            expires_at: credentials.expires_at(),
            key: Mutex::default(),
        })
    }

    /// A token signed at `time`.
    ///
    /// # Errors
    /// `InvalidConfiguration` if the credentials have ended by then, or if it is before 1970.
    pub fn token(&self, time: SystemTime) -> Result<Token> {
        let date = AmzDate::at(time).ok_or_else(|| refused("the time is out of range".into()))?;
        if self.expires_at.is_some_and(|end| end <= date.time) {
            let message = "the credentials have ended, so no token can be made with them";
            return Err(refused(message.to_owned()).with_help("get new credentials first"));
        }
        let text = match self.dialect {
            Dialect::Eks { .. } => write::eks(self, &date),
            Dialect::Rolecall { .. } => write::rolecall(self, &date),
            _ => write::of_headers(self, &date),
        };
        if self.dialect.format() == TokenFormat::Eks && text.expose().len() > LONGEST_EKS_TOKEN {
            tracing::warn!(
                length = text.expose().len(),
                "EKS takes tokens of up to 4096 bytes: the session token is too long for it"
            );
        }
        let life = match self.dialect {
            Dialect::Rolecall { lifetime, .. } => lifetime,
            _ => LIFE,
        };
        let expires_at = self.expires_at.unwrap_or(date.time + life).min(date.time + life);
        Ok(Token { format: self.dialect.format(), text, signed_at: date.time, expires_at })
    }

    /// The signature of a POST with these signed headers: name and value, sorted by name.
    pub(super) fn sign_post(&self, date: &AmzDate, headers: &[(&str, &str)]) -> [u8; 64] {
        let mut parts: [&str; 64] = [""; 64];
        let mut count = 0;
        let mut put = |part| {
            parts[count] = part;
            count += 1;
        };
        put("POST\n/\n\n");
        for (name, value) in headers {
            [name, ":", value, "\n"].into_iter().for_each(&mut put);
        }
        for (index, (name, _)) in headers.iter().enumerate() {
            put(if index == 0 { "\n" } else { ";" });
            put(name);
        }
        put("\n");
        put(BODY_HASH);
        self.sign(date, &parts[..count])
    }

    /// The signature of a GET with this query and the header `x-k8s-aws-id`.
    pub(super) fn sign_get(&self, date: &AmzDate, query: &[&str], cluster: &str) -> [u8; 64] {
        let mut parts: Vec<&str> = Vec::with_capacity(query.len() + 8);
        parts.push("GET\n/\n");
        parts.extend_from_slice(query);
        parts.extend(["\nhost:", &self.host, "\nx-k8s-aws-id:", cluster]);
        parts.extend(["\n\nhost;x-k8s-aws-id\n", EMPTY_HASH]);
        self.sign(date, &parts)
    }

    fn sign(&self, date: &AmzDate, parts: &[&str]) -> [u8; 64] {
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = key.take().filter(|key| key.fits(date));
        let secret = self.secret.expose();
        let key = key.insert(fitting.unwrap_or_else(|| DayKey::derive(secret, date, &self.region)));
        key.sign(date, &self.region, parts)
    }

    /// The signed headers of a POST in this dialect, sorted.
    pub(super) fn signed_headers<'a>(&'a self, date: &'a AmzDate) -> Vec<(&'a str, &'a str)> {
        let mut headers = Vec::with_capacity(8);
        if !matches!(self.dialect, Dialect::Rolecall { .. }) {
            headers.push(("content-length", "43"));
        }
        headers.push(("content-type", FORM));
        headers.push(("host", &self.host));
        headers.push(("x-amz-date", date.text()));
        if let Some(token) = &self.session_token {
            headers.push(("x-amz-security-token", token.expose()));
        }
        match &self.dialect {
            Dialect::Vault { server_id: Some(server), .. } => {
                headers.push(("x-vault-aws-iam-server-id", server));
            }
            Dialect::Rolecall { audience, challenge, .. } => {
                headers.push(("x-rolecall-audience", audience));
                if let Some(challenge) = challenge {
                    headers.push(("x-rolecall-challenge", challenge));
                }
                headers.push(("x-rolecall-lifetime", &self.lifetime));
            }
            _ => {}
        }
        headers
    }

    /// `AWS4-HMAC-SHA256 Credential=…`, with `gap` after the first comma.
    pub(super) fn authorization(
        &self,
        date: &AmzDate,
        headers: &[(&str, &str)],
        gap: &str,
    ) -> Zeroizing<String> {
        let signature = self.sign_post(date, headers);
        let mut text = Zeroizing::new(String::with_capacity(512));
        for part in [ALGORITHM, " Credential="] {
            text.push_str(part);
        }
        self.push_credential(&mut text, date);
        text.push(',');
        text.push_str(gap);
        text.push_str("SignedHeaders=");
        for (index, (name, _)) in headers.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { ";" });
            text.push_str(name);
        }
        text.push_str(", Signature=");
        text.push_str(std::str::from_utf8(&signature).unwrap_or_default());
        text
    }

    /// `AKID/20260101/us-east-1/sts/aws4_request`.
    pub(super) fn push_credential(&self, text: &mut String, date: &AmzDate) {
        for part in [&self.access_key_id, "/", date.day(), "/", &self.region, "/sts/aws4_request"] {
            text.push_str(part);
        }
    }
}

/// Scheme and authority of a URL that holds nothing else, as they are sent.
pub(in crate::identity) fn bare_host(url: &str) -> Result<(&'static str, String), &'static str> {
    let url = check_url(url).map_err(|_| "the endpoint URL is not one of http or https")?;
    if !matches!(url.path(), "" | "/") {
        return Err("the endpoint URL has a path, which a token of STS cannot name");
    }
    let host = url.host_str().ok_or("the endpoint URL names no host")?;
    let scheme = if url.scheme() == "http" { "http" } else { "https" };
    Ok((scheme, url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))))
}

fn check_dialect(dialect: &Dialect) -> Result<Duration> {
    match dialect {
        Dialect::Akeyless => {}
        Dialect::Vault { role, server_id } => {
            check("role", role.as_deref(), 256)?;
            check("server id", server_id.as_deref(), 256)?;
        }
        Dialect::Infisical { identity_id } => check("identity id", Some(identity_id), 256)?,
        Dialect::Eks { cluster } => check("cluster's name", Some(cluster), 128)?,
        Dialect::Rolecall { audience, challenge, lifetime } => {
            check("audience", Some(audience), 256)?;
            check("challenge", challenge.as_deref(), 256)?;
            if !(1..=300).contains(&lifetime.as_secs()) || lifetime.subsec_nanos() != 0 {
                return Err(refused("the lifetime must be 1 to 300 whole seconds".to_owned()));
            }
            return Ok(*lifetime);
        }
    }
    Ok(LIFE)
}

/// Visible ASCII that needs no escaping in JSON. A comma would let one binding look like two.
fn check(what: &str, text: Option<&str>, longest: usize) -> Result<()> {
    let Some(text) = text else { return Ok(()) };
    let fits = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b',');
    if text.is_empty() || text.len() > longest || !text.bytes().all(fits) {
        return Err(refused(format!(
            "the {what} must be 1 to {longest} visible ASCII characters, without quotes, \
             backslashes and commas"
        )));
    }
    Ok(())
}

fn refused(message: String) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "identity token", message)
}
