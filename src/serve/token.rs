//! The two kinds of tokens: IMDS's, which anybody may ask for and which end, and the container
//! endpoint's, which is the one thing to know.

use std::time::{Duration, SystemTime};

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use rolecall_core::{CredentialsError, ErrorKind, Result, Secret};

/// A token of 256 random bits, as text.
///
/// # Errors
/// `Internal` if the system has no randomness.
pub fn random_token() -> Result<Secret> {
    Ok(hex::encode(random()?).into())
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        CredentialsError::new(ErrorKind::Internal, "serve", "the system gives no random numbers")
    })?;
    Ok(bytes)
}

/// Knows a secret text again, in a time that says nothing about it.
#[derive(Debug)]
pub(super) struct Known {
    key: hmac::Key,
    tag: hmac::Tag,
}

impl Known {
    pub(super) fn new(secret: &Secret) -> Result<Self> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &random()?);
        let tag = hmac::sign(&key, secret.expose().as_bytes());
        Ok(Self { key, tag })
    }

    pub(super) fn is(&self, text: &[u8]) -> bool {
        hmac::verify(&self.key, text, self.tag.as_ref()).is_ok()
    }
}

/// IMDS's session tokens: the moment of their end, signed. Nothing is kept, so however many are
/// asked for, memory stays as it is and none pushes another out.
#[derive(Debug)]
pub(super) struct SessionTokens(hmac::Key);

impl SessionTokens {
    pub(super) fn new() -> Result<Self> {
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &random()?)))
    }

    pub(super) fn issue(&self, now: SystemTime, lifetime: Duration) -> String {
        let end = millis(now + lifetime).to_be_bytes();
        hex::encode([&end, hmac::sign(&self.0, &end).as_ref()].concat())
    }

    pub(super) fn is_good(&self, token: &[u8], now: SystemTime) -> bool {
        let mut bytes = [0; 8 + 32];
        if hex::decode_to_slice(token, &mut bytes).is_err() {
            return false;
        }
        let Some((end, tag)) = bytes.split_first_chunk::<8>() else { return false };
        hmac::verify(&self.0, end, tag).is_ok() && millis(now) < u64::from_be_bytes(*end)
    }
}

fn millis(moment: SystemTime) -> u64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_session_token_is_good_until_its_end() {
        let tokens = SessionTokens::new().unwrap();
        let token = tokens.issue(NOW, HOUR);
        assert!(tokens.is_good(token.as_bytes(), NOW));
        assert!(tokens.is_good(token.as_bytes(), NOW + HOUR - Duration::from_millis(1)));
        assert!(!tokens.is_good(token.as_bytes(), NOW + HOUR));
    }

    #[test]
    fn any_change_to_a_session_token_makes_it_unknown() {
        let tokens = SessionTokens::new().unwrap();
        let token = tokens.issue(NOW, HOUR).into_bytes();
        for place in 0..token.len() {
            let mut changed = token.clone();
            changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
            assert!(!tokens.is_good(&changed, NOW), "{place}");
        }
        for other in [&token[1..], &token[..2], b"", b"\xff"] {
            assert!(!tokens.is_good(other, NOW));
        }
        assert!(!SessionTokens::new().unwrap().is_good(&token, NOW), "another server's");
    }

    #[test]
    fn the_known_text_is_known_and_no_other() {
        let secret = random_token().unwrap();
        let known = Known::new(&secret).unwrap();
        assert!(known.is(secret.expose().as_bytes()));
        for other in ["", "x", &secret.expose()[1..], random_token().unwrap().expose()] {
            assert!(!known.is(other.as_bytes()));
        }
        assert!(!format!("{known:?}").contains(secret.expose()));
    }
}
