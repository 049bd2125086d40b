use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::profile::{Origin, ProfileSet, Source, profile_keys};
use crate::{
    Context, Credentials, CredentialsError, ErrorKind, PathKind, ProvideCredentials, Result,
};

/// How old keys may be before their file is read again.
pub const KEYS_REREAD_AFTER: Duration = Duration::from_secs(60);

/// The static keys of a profile. Other programs write session keys there and replace them when they
/// end: the files are read again past [`KEYS_REREAD_AFTER`], and what they say then counts. Keys out
/// of a pipe, which gives them once, stay as they are.
#[derive(Debug)]
pub struct ProfileKeysProvider {
    context: Context,
    profile: String,
    /// Where the key id stands.
    origin: Origin,
    planned: Credentials,
    planned_at: SystemTime,
}

impl ProfileKeysProvider {
    /// Provides the keys that the plan's `source` holds, just read.
    ///
    /// # Errors
    /// `Internal` for a source that is no static keys.
    pub fn new(context: Context, source: &Source) -> Result<Self> {
        let Source::StaticKeys { profile, origin, .. } = source else {
            let message = "the source is no static keys";
            return Err(CredentialsError::new(ErrorKind::Internal, "plan", message));
        };
        let (profile, origin) = (profile.clone(), origin.clone());
        let planned_at = context.clock.local_now();
        Ok(Self { planned: credentials(source)?, planned_at, profile, origin, context })
    }

    /// The keys as the files have them now, or had them within the last minute.
    ///
    /// # Errors
    /// `InvalidConfiguration` if they are gone or only half there, and for files that make no
    /// sense.
    pub fn read(&self) -> Result<Credentials> {
        let age = self.context.clock.local_now().duration_since(self.planned_at);
        if age.is_ok_and(|age| age < KEYS_REREAD_AFTER) || self.is_read_once() {
            return Ok(self.planned.clone());
        }
        let set = ProfileSet::load_again(&self.context.env, &self.context.fs)?;
        credentials(&profile_keys(&set, &self.profile, &self.context.env)?)
    }

    /// Whether the keys came out of a pipe or the like. A file that is gone is no such thing.
    fn is_read_once(&self) -> bool {
        let facts = self.context.fs.facts(&self.origin.file).ok().flatten();
        facts.is_some_and(|facts| facts.kind == PathKind::Other)
    }
}

fn credentials(source: &Source) -> Result<Credentials> {
    let Source::StaticKeys {
        profile,
        access_key_id,
        secret_access_key,
        session_token,
        account_id,
        ..
    } = source
    else {
        let message = "the source is no static keys";
        return Err(CredentialsError::new(ErrorKind::Internal, "plan", message));
    };
    let provider = format!("profile {profile}");
    Ok(Credentials::new(access_key_id.clone(), secret_access_key.clone(), provider)
        .with_session_token(session_token.clone())
        .with_account_id(account_id.clone()))
}

#[async_trait]
impl ProvideCredentials for ProfileKeysProvider {
    async fn provide_credentials(&self) -> Result<Credentials> {
        self.read()
    }

    fn ready(&self) -> Option<Credentials> {
        self.read().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::profile::plan_profile;
    use crate::{Env, Fs};

    fn write(context: &Context, text: &str) {
        context.fs.write(Path::new("/credentials"), text.as_bytes()).unwrap();
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own files")]
    fn keys_are_those_of_the_file_as_it_is_and_no_older_than_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        let env = Env::from_pairs([
            ("AWS_CONFIG_FILE", "/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/credentials"),
        ]);
        let context = Context { fs: Fs::rooted(folder.path()), env, ..Context::fake() };
        let keys = |id: &str| {
            format!(
                "[a]\naws_access_key_id = {id}\naws_secret_access_key = s\n\
                     aws_session_token = t\n"
            )
        };
        write(&context, &keys("ONE"));
        let set = ProfileSet::load(&context.env, &context.fs).unwrap();
        let plan = plan_profile(&set, "a", &context.env).unwrap();
        let provider = ProfileKeysProvider::new(context.clone(), &plan.source).unwrap();
        write(&context, &keys("TWO"));
        let id = || provider.read().map(|keys| keys.access_key_id().to_owned());
        // What was just planned with is not read twice.
        assert_eq!(id().unwrap(), "ONE");
        context.clock.advance(KEYS_REREAD_AFTER);
        assert_eq!(id().unwrap(), "TWO");
        assert_eq!(provider.ready().unwrap().session_token().unwrap().expose(), "t");
        // A config file that is a pipe is not read again, and does not keep the keys from it.
        let pipe = folder.path().join("config");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let mut held = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
        std::io::Write::write_all(&mut held, b"theirs").unwrap();
        assert_eq!(id().unwrap(), "TWO");
        std::fs::remove_file(&pipe).unwrap();
        for (text, says) in [
            ("[b]\n", "there is no such profile"),
            ("[a]\nregion = x\n", "holds no keys any more"),
            ("[a]\naws_access_key_id = ONE\n", "but no aws_secret_access_key"),
            ("nonsense", "/credentials:1"),
        ] {
            write(&context, text);
            let error = id().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.to_string().contains(says), "{error}");
            assert!(provider.ready().is_none());
        }
    }

    #[test]
    fn keys_out_of_a_pipe_are_read_once() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let text = b"[a]\naws_access_key_id = ONE\naws_secret_access_key = s\n";
        std::io::Write::write_all(&mut writer, text).unwrap();
        drop(writer);
        let number = std::os::fd::AsRawFd::as_raw_fd(&reader);
        let path = format!("/proc/self/fd/{number}");
        let env = Env::from_pairs([
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", path.as_str()),
        ]);
        let context = Context { fs: Fs::real(), env, ..Context::fake() };
        let set = ProfileSet::load(&context.env, &context.fs).unwrap();
        let plan = plan_profile(&set, "a", &context.env).unwrap();
        let provider = ProfileKeysProvider::new(context.clone(), &plan.source).unwrap();
        context.clock.advance(KEYS_REREAD_AFTER * 2);
        assert_eq!(provider.read().unwrap().access_key_id(), "ONE");
    }
}
