//! The token file that `aws sso login` writes and both programs renew.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rolecall_core::{Fs, Secret, timestamp};
use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

use super::oidc::NewToken;

/// Token files hold a few kilobytes.
const LIMIT: u64 = 256 * 1024;

/// The folder of token files below `~/.aws`.
pub(super) fn path(aws_folder: &Path, name: &str) -> PathBuf {
    aws_folder.join("sso").join("cache").join(format!("{name}.json"))
}

/// Why there is no token in a file.
#[derive(Debug)]
pub(super) enum Unreadable {
    Missing,
    Other(String),
}

/// An access token, and what renews it.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) access_token: Secret,
    pub(super) expires_at: SystemTime,
    pub(super) renewal: Option<Renewal>,
}

/// What a token is renewed with.
#[derive(Clone)]
pub(super) struct Renewal {
    pub(super) client_id: String,
    pub(super) client_secret: Secret,
    pub(super) refresh_token: Secret,
    pub(super) registered_until: SystemTime,
}

impl Token {
    /// Reads a token file.
    pub(super) fn read(fs: &Fs, path: &Path) -> Result<Self, Unreadable> {
        let document = Document::read(fs, path)?;
        let (Some(access_token), Some(expires_at)) =
            (document.secret("accessToken"), document.moment("expiresAt"))
        else {
            let what = "accessToken or expiresAt is missing in it or makes no sense";
            return Err(Unreadable::Other(what.to_owned()));
        };
        Ok(Self { access_token, expires_at, renewal: document.renewal() })
    }

    pub(super) fn time_left(&self, now: SystemTime) -> Duration {
        self.expires_at.duration_since(now).unwrap_or_default()
    }

    /// What renews it at `now`; `None` if signing in is all that helps.
    pub(super) fn renewal(&self, now: SystemTime) -> Option<&Renewal> {
        self.renewal.as_ref().filter(|renewal| renewal.registered_until > now)
    }

    /// Takes over a new token, in the file too: what else is in there stays as it is. A file that
    /// is gone, as after `aws sso logout`, stays gone.
    ///
    /// # Errors
    /// If the file cannot be written, or read first: this token has been taken over all the same.
    pub(super) fn renew(
        &mut self,
        fs: &Fs,
        path: &Path,
        new: NewToken,
        now: SystemTime,
    ) -> std::io::Result<()> {
        let renewed = self.renewal.as_ref().map(|renewal| renewal.refresh_token.clone());
        self.access_token = new.access_token;
        self.expires_at = now + Duration::from_secs(new.expires_in);
        if let (Some(renewal), Some(next)) = (&mut self.renewal, new.refresh_token) {
            renewal.refresh_token = next;
        }
        let mut document = match Document::read(fs, path) {
            Ok(document) => document,
            Err(Unreadable::Missing) => return Ok(()),
            Err(Unreadable::Other(why)) => return Err(std::io::Error::other(why)),
        };
        // Somebody has signed in meanwhile: AWS CLI takes no lock, and its token counts.
        if document.text_of("refreshToken") != renewed.as_ref().map(Secret::expose) {
            return Ok(());
        }
        document.put("accessToken", self.access_token.expose());
        document.put("expiresAt", &timestamp::format(self.expires_at));
        if let Some(renewal) = &self.renewal {
            document.put("refreshToken", renewal.refresh_token.expose());
        }
        fs.write(path, &document.text()?)
    }
}

// Not derived, so that no field can be added that shows.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// The file as JSON, zeroed on drop.
struct Document(Map<String, Value>);

impl Document {
    fn read(fs: &Fs, path: &Path) -> Result<Self, Unreadable> {
        let bytes = fs.read(path, LIMIT).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Unreadable::Missing,
            _ => Unreadable::Other(error.to_string()),
        })?;
        match serde_json::from_slice(&bytes) {
            Ok(map) => Ok(Self(map)),
            // serde_json's text may quote the file; its position does not.
            Err(error) => Err(Unreadable::Other(format!(
                "it is not a JSON object (line {}, column {})",
                error.line(),
                error.column()
            ))),
        }
    }

    fn text_of(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str().filter(|text| !text.is_empty())
    }

    fn secret(&self, key: &str) -> Option<Secret> {
        self.text_of(key).map(Secret::from)
    }

    fn moment(&self, key: &str) -> Option<SystemTime> {
        timestamp::parse(self.text_of(key)?)
    }

    fn renewal(&self) -> Option<Renewal> {
        Some(Renewal {
            client_id: self.text_of("clientId")?.to_owned(),
            client_secret: self.secret("clientSecret")?,
            refresh_token: self.secret("refreshToken")?,
            registered_until: self.moment("registrationExpiresAt")?,
        })
    }

    fn put(&mut self, key: &str, text: &str) {
        if let Some(mut old) = self.0.insert(key.to_owned(), text.into()) {
            wipe(&mut old);
        }
    }

    fn text(&self) -> std::io::Result<Zeroizing<Vec<u8>>> {
        // Room for all of it at once: a buffer that grows leaves unzeroed copies behind.
        let room = usize::try_from(LIMIT).unwrap_or(usize::MAX);
        let mut text = Zeroizing::new(Vec::with_capacity(room));
        serde_json::to_writer(&mut *text, &self.0).map_err(std::io::Error::other)?;
        Ok(text)
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(values) => values.values_mut().for_each(wipe),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    /// Renews the token of a file that has become `text` meanwhile, or is gone.
    fn renewed(text: Option<&str>) -> (std::io::Result<()>, Token) {
        let folder = tempfile::tempdir().unwrap();
        let (fs, path) = (Fs::rooted(folder.path()), Path::new("/token"));
        if let Some(text) = text {
            fs.write(path, text.as_bytes()).unwrap();
        }
        let mut token = Token { access_token: "old".into(), expires_at: NOW, renewal: None };
        let new = NewToken { access_token: "new".into(), expires_in: 60, refresh_token: None };
        let written = token.renew(&fs, path, new, NOW);
        assert_eq!(fs.read(path, 99).ok().is_some(), text.is_some());
        (written, token)
    }

    #[test]
    fn a_file_that_is_gone_is_no_failure_and_a_torn_one_is() {
        assert!(renewed(None).0.is_ok());
        for torn in ["", "{\"accessToken\": \"hunter2"] {
            let (written, token) = renewed(Some(torn));
            let error = written.unwrap_err().to_string();
            assert!(error.contains("not a JSON object") && !error.contains("hunter2"), "{error}");
            assert_eq!(token.access_token.expose(), "new");
        }
    }
}
