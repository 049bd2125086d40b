//! Challenges of the server: a token that answers one was made after it.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use rolecall_core::{CredentialsError, ErrorKind, Result, Secret};
use zeroize::Zeroizing;

use crate::identity::refusal::{Check, Refusal};

/// Gives out challenges and knows its own again, without keeping them: each holds when it ends, for
/// which audience it is, and a mark that only this key makes. All processes that answer for one
/// server share the key.
pub struct Challenges {
    key: hmac::Key,
    life: Duration,
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenges").field("life", &self.life).finish_non_exhaustive()
    }
}

const NONCE: usize = 16;
const END: usize = 8;
const MARK: usize = 32;

impl Challenges {
    /// How long a challenge may be answered unless somebody says otherwise.
    pub const LIFE: Duration = Duration::from_secs(120);

    /// `key` is 32 bytes that nobody can guess.
    pub fn new(key: &[u8; 32], life: Duration) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), life }
    }

    /// With a key of 64 hexadecimal digits, for servers that share one: each takes the challenges of
    /// all.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it is none.
    pub fn from_hex(key: &Secret, life: Duration) -> Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(key.trimmed().expose(), bytes.as_mut_slice()).map_err(|_| {
            let message = "the key of challenges is not 64 hexadecimal digits";
            CredentialsError::new(ErrorKind::InvalidConfiguration, "verifier", message)
                .with_help("make one with `openssl rand -hex 32`")
        })?;
        Ok(Self::new(&bytes, life))
    }

    /// With a key of chance, which ends with this value.
    ///
    /// # Errors
    /// `Internal` if the system has no random bytes.
    pub fn random() -> Result<Self> {
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()?), life: Self::LIFE })
    }

    /// With challenges that may be answered for `life`.
    #[must_use]
    pub fn with_life(self, life: Duration) -> Self {
        Self { life, ..self }
    }

    /// A new challenge for tokens of `audience`.
    ///
    /// # Errors
    /// `Internal` if the system has no random bytes.
    pub fn issue(&self, audience: &str, now: SystemTime) -> Result<String> {
        let end = now + self.life;
        let seconds = end.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut bytes = Vec::with_capacity(NONCE + END + MARK);
        bytes.extend_from_slice(&random::<NONCE>()?);
        bytes.extend_from_slice(&seconds.to_be_bytes());
        let mark = hmac::sign(&self.key, &marked(&bytes, audience));
        bytes.extend_from_slice(mark.as_ref());
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// When a challenge of ours ends.
    pub(super) fn check(
        &self,
        challenge: &str,
        audience: &str,
        now: SystemTime,
    ) -> Result<SystemTime, Refusal> {
        let refuse = |code, message: &str| Refusal::new(Check::Challenge, code, message);
        let foreign = || refuse("challenge-foreign", "the challenge is not one of this server's");
        let bytes = URL_SAFE_NO_PAD.decode(challenge).map_err(|_| foreign())?;
        if bytes.len() != NONCE + END + MARK {
            return Err(foreign());
        }
        let (start, mark) = bytes.split_at(NONCE + END);
        hmac::verify(&self.key, &marked(start, audience), mark).map_err(|_| foreign())?;
        let seconds = start[NONCE..].try_into().map_or(0, u64::from_be_bytes);
        let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        let end = end.ok_or_else(foreign)?;
        if end < now {
            return Err(refuse("challenge-ended", "the challenge has ended"));
        }
        Ok(end)
    }
}

fn marked(start: &[u8], audience: &str) -> Vec<u8> {
    [b"rolecall-challenge-v1\0", start, audience.as_bytes()].concat()
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        CredentialsError::new(ErrorKind::Internal, "challenge", "the system gives no random bytes")
    })?;
    Ok(bytes)
}
