use std::time::SystemTime;

use rolecall_core::timestamp;
use serde_json::{Map, Value};

use super::TokenFormat;
use crate::identity::refusal::Refusal;
use crate::identity::verify::Presented;

/// What is in a token, without its signature and session token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The dialect.
    pub format: TokenFormat,
    /// The host of STS it is signed for.
    pub host: String,
    /// The region it is signed for.
    pub region: String,
    /// Whose key signed it.
    pub access_key_id: String,
    /// When.
    pub signed_at: SystemTime,
    /// What the signature covers, by header name.
    pub signed_headers: Vec<String>,
    /// The server or audience it is bound to. A cluster's name is not in the token.
    pub binding: Option<String>,
    /// The challenge it answers.
    pub challenge: Option<String>,
    /// The life that it claims, in seconds.
    pub expires: Option<u32>,
    /// Whom it asks to log in as, which nobody signed: Vault's role, or Infisical's machine identity.
    pub asks_for: Option<String>,
    /// How long its session token is, in characters; `None`: a long-lived key signed it.
    pub session_token_length: Option<usize>,
}

/// Reads a token of any dialect, as strictly as the verifier does.
///
/// # Errors
/// Why it is none.
pub fn inspect(token: &str) -> Result<Inspection, Refusal> {
    let found = Presented::parse(token).map_err(|failed| failed.refusal)?;
    Ok(Inspection {
        signed_headers: found.signed_headers().map(str::to_owned).collect(),
        format: found.format,
        signed_at: found.date.time,
        session_token_length: found.session_token.as_ref().map(|token| token.len()),
        host: found.host,
        region: found.region,
        access_key_id: found.access_key_id,
        binding: found.binding,
        challenge: found.challenge,
        expires: found.expires,
        asks_for: found.asks_for,
    })
}

impl Inspection {
    /// The same as JSON, with `[redacted]` where the secrets are.
    pub fn to_json(&self) -> Value {
        let mut json = Map::new();
        let mut put = |key: &str, value: Value| json.insert(key.to_owned(), value);
        put("format", self.format.name().into());
        put("host", self.host.as_str().into());
        put("region", self.region.as_str().into());
        put("access_key_id", self.access_key_id.as_str().into());
        put("signed_at", timestamp::format(self.signed_at).into());
        put("signed_headers", self.signed_headers.clone().into());
        if let Some(binding) = &self.binding {
            put("binding", binding.as_str().into());
        }
        if let Some(challenge) = &self.challenge {
            put("challenge", challenge.as_str().into());
        }
        if let Some(expires) = self.expires {
            put("expires", expires.into());
        }
        if let Some(asks_for) = &self.asks_for {
            let is_vaults = self.format == TokenFormat::Vault;
            put(if is_vaults { "role" } else { "identity_id" }, asks_for.as_str().into());
        }
        if let Some(length) = self.session_token_length {
            put("session_token", format!("[redacted, {length} characters]").into());
        }
        put("signature", "[redacted]".into());
        Value::Object(json)
    }
}
