use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use rolecall_core::{Credentials, CredentialsError, ErrorKind, Result, Secret};
use zeroize::Zeroizing;

use crate::lease::LeaseId;

/// The key under which secrets of leases are kept, where that is asked for: AES-256-GCM (NIST SP
/// 800-38D), a nonce of chance for each, bound to the lease it belongs to.
#[derive(Clone)]
pub struct SealingKey(Zeroizing<[u8; 32]>);

impl SealingKey {
    /// A key of 64 hexadecimal digits.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it is none.
    pub fn from_hex(text: &Secret) -> Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trimmed().expose(), key.as_mut_slice()).map_err(|_| {
            error(ErrorKind::InvalidConfiguration, "the key is not 64 hexadecimal digits")
                .with_help("make one with `openssl rand -hex 32`")
        })?;
        Ok(Self(key))
    }

    /// Seals the secret access key and the session token.
    pub(crate) fn seal(&self, id: LeaseId, credentials: &Credentials) -> Result<Vec<u8>> {
        let secret = credentials.secret_access_key().expose();
        let token = credentials.session_token().map_or("", Secret::expose);
        let room = secret.len() + 1 + token.len();
        // Secrets contain no line feed. The right size at once: growing would leave copies.
        let mut text = Zeroizing::new(Vec::with_capacity(room));
        text.extend_from_slice(secret.as_bytes());
        text.push(b'\n');
        text.extend_from_slice(token.as_bytes());
        self.seal_bytes(&id.0.to_be_bytes(), text)
    }

    /// Opens what [`Self::seal`] sealed: the secret access key, and the session token if there is
    /// one.
    pub(crate) fn open(&self, id: LeaseId, sealed: &[u8]) -> Result<(Secret, Option<Secret>)> {
        let text = self.open_bytes(&id.0.to_be_bytes(), sealed).and_then(|text| {
            let (secret, token) = std::str::from_utf8(&text).ok()?.split_once('\n')?;
            Some((secret.into(), (!token.is_empty()).then(|| token.into())))
        });
        text.ok_or_else(|| {
            error(ErrorKind::Denied, "the secret was sealed with another key, or is damaged")
                .with_help("give the key that the lease was made with")
        })
    }

    /// Seals `bytes`, so that they open only as what `about` names.
    pub(crate) fn seal_bytes(
        &self,
        about: &[u8],
        mut bytes: Zeroizing<Vec<u8>>,
    ) -> Result<Vec<u8>> {
        let mut chance = [0; NONCE_LEN];
        let filled = SystemRandom::new().fill(&mut chance);
        filled.map_err(|_| error(ErrorKind::Internal, "this machine gives no random numbers"))?;
        let nonce = Nonce::assume_unique_for_key(chance);
        let tag = self.key()?.seal_in_place_separate_tag(nonce, Aad::from(about), &mut bytes);
        let tag = tag.map_err(|_| error(ErrorKind::Internal, "the secret cannot be sealed"))?;
        Ok([&chance, bytes.as_slice(), tag.as_ref()].concat())
    }

    /// Opens what [`Self::seal_bytes`] sealed; `None` with another key, for something else, or if
    /// it is damaged.
    pub(crate) fn open_bytes(&self, about: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, bytes) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = Zeroizing::new(bytes.to_vec());
        let length =
            self.key().ok()?.open_in_place(nonce, Aad::from(about), &mut bytes).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }

    fn key(&self) -> Result<LessSafeKey> {
        let key = UnboundKey::new(&AES_256_GCM, self.0.as_slice());
        let key = key.map_err(|_| error(ErrorKind::Internal, "the key has the wrong length"))?;
        Ok(LessSafeKey::new(key))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey([redacted])")
    }
}

fn error(kind: ErrorKind, message: &str) -> CredentialsError {
    CredentialsError::new(kind, "sealing key", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: &str) -> SealingKey {
        SealingKey::from_hex(&digit.repeat(64).into()).unwrap()
    }

    #[test]
    fn only_the_same_key_opens_it_and_only_for_its_lease() {
        let credentials =
            Credentials::new("AKIA", "hunter2", "test").with_session_token(Some("token".into()));
        let sealed = key("a").seal(LeaseId(7), &credentials).unwrap();
        assert!(!sealed.windows(7).any(|bytes| bytes == b"hunter2"));
        let (secret, token) = key("a").open(LeaseId(7), &sealed).unwrap();
        assert_eq!((secret.expose(), token.unwrap().expose()), ("hunter2", "token"));
        assert_ne!(sealed, key("a").seal(LeaseId(7), &credentials).unwrap(), "nonces differ");
        for (key, id, sealed) in [
            (key("b"), LeaseId(7), sealed.clone()),
            (key("a"), LeaseId(8), sealed.clone()),
            (key("a"), LeaseId(7), sealed[1..].to_vec()),
            (key("a"), LeaseId(7), Vec::new()),
        ] {
            assert_eq!(key.open(id, &sealed).unwrap_err().kind(), ErrorKind::Denied);
        }
    }

    #[test]
    fn keys_are_hexadecimal_and_never_shown() {
        for text in ["", "abc", &"g".repeat(64), &"a".repeat(66)] {
            let error = SealingKey::from_hex(&text.into()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        }
        assert!(!format!("{:?}", key("a")).contains("aa"));
    }
}
