//! A machine of the test's own, and the AWS it reaches.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rolecall::core::http::{WebClient, WebSettings};
use rolecall::core::{Env, Fs};
use rolecall::{
    Context, Credentials, CredentialsError, Explanation, Prompt, Result, Session, SessionOptions,
};
use rolecall_kit::{Kit, World, names};
use serde_json::Value;

/// 2026-01-01T00:00:00Z.
const NOW: u64 = 1_767_225_600;

pub(crate) struct Machine {
    pub(crate) kit: Kit,
    pub(crate) context: Context,
    env: Vec<(String, String)>,
    _folder: tempfile::TempDir,
}

impl Machine {
    /// With the default world and `~/.aws/config` as given.
    pub(crate) fn new(config: &str) -> Self {
        let kit = Kit::start(World::default());
        kit.freeze(NOW.cast_signed());
        let folder = tempfile::tempdir().unwrap();
        let env = [
            ("HOME", "/home".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ENDPOINT_URL", kit.url()),
        ];
        let env: Vec<_> = env.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let context = Context {
            env: Env::from_pairs(env.iter().cloned()),
            fs: Fs::rooted(folder.path()),
            http: Arc::new(WebClient::new(WebSettings::default(), Fs::real())),
            ..Context::fake()
        };
        let machine = Self { kit, context, env, _folder: folder };
        machine.write("/home/.aws/config", config);
        machine
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
        self.context.env = Env::from_pairs(self.env.iter().cloned());
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = Path::new(path);
        self.context.fs.create_folder(path.parent().unwrap()).unwrap();
        self.context.fs.write(path, text.as_bytes()).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> Value {
        serde_json::from_slice(&self.context.fs.read(Path::new(path), 1 << 20).unwrap()).unwrap()
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.kit.advance(time.as_secs().cast_signed());
        self.context.clock.advance(time);
    }

    pub(crate) fn options(&self, profile: &str) -> SessionOptions {
        let context = Some(self.context.clone());
        SessionOptions { profile: Some(profile.to_owned()), context, ..SessionOptions::default() }
    }

    /// What a process of its own would get.
    pub(crate) fn get(&self, options: SessionOptions) -> Result<Credentials> {
        let outcome = Session::new(options).and_then(|session| {
            let credentials = session.credentials_blocking()?;
            self.hides_secrets(&format!("{session:?} {:?} {credentials:?}", session.plan()));
            Ok(credentials)
        });
        outcome.inspect_err(|error| self.hides_secrets_of(error))
    }

    pub(crate) fn run(&self, profile: &str) -> Result<Credentials> {
        self.get(self.options(profile))
    }

    pub(crate) fn error(&self, profile: &str) -> CredentialsError {
        self.run(profile).unwrap_err()
    }

    pub(crate) fn explain(&self, profile: &str) -> (Value, String) {
        let explanation = Explanation::new(self.options(profile)).unwrap();
        let (json, text) = (explanation.to_json(), explanation.to_string());
        self.hides_secrets(&format!("{explanation:?} {json} {text}"));
        (json, text)
    }

    /// The ARN that AWS knows these credentials by.
    pub(crate) fn caller(&self, credentials: &Credentials) -> String {
        let sessions = self.kit.sessions();
        let key = credentials.access_key_id();
        let session = sessions.iter().find(|session| session.access_key_id == key);
        session.unwrap().principal.arn().to_owned()
    }

    fn hides_secrets_of(&self, error: &CredentialsError) {
        self.hides_secrets(&format!("{error} {error:?} {:?}", error.causes()));
    }

    fn hides_secrets(&self, shown: &str) {
        for secret in self.kit.secrets() {
            // Six digits are in many numbers.
            let hidden = secret.expose().len() <= 6 || !shown.contains(secret.expose());
            assert!(hidden, "a secret is shown: {shown}");
        }
    }
}

/// A person who reads a new code of alice's device off at each question.
#[derive(Clone, Default)]
pub(crate) struct Person(Arc<Mutex<Vec<String>>>);

impl Person {
    pub(crate) fn prompt(&self) -> Prompt {
        let asked = self.0.clone();
        Prompt::from_fn(move |question| {
            let mut asked = asked.lock().unwrap();
            asked.push(question.to_owned());
            Ok(names::ALICE_MFA_CODES[asked.len() - 1].into())
        })
    }

    pub(crate) fn asked(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}
