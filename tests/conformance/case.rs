//! One case: what its folder says, and how it is played.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rolecall::core::{Clock, Env, Fs, Process, ProcessOutput};
use rolecall::{
    Context, Credentials, CredentialsError, Explanation, ProfileSet, Session, SessionOptions,
    profiles_json, timestamp,
};
use serde_json::{Map, Value};

use crate::leaks::{Log, Secrets, Shown};
use crate::replay::{Exchange, Replay};
use crate::{Outcome, tables};

/// The largest file of a case.
const LIMIT: u64 = 1 << 20;
const HOUR: Duration = Duration::from_secs(3600);
/// 2022-01-01T00:00:00Z, since 1970: any time will do where none is recorded.
const ANY_TIME: Duration = Duration::from_secs(1_640_995_200);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suite {
    /// The chain as a whole.
    DefaultChain,
    /// Its link for profiles alone.
    ProfileProvider,
}

impl Suite {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DefaultChain => "default-chain",
            Self::ProfileProvider => "profile-provider",
        }
    }

    pub(crate) fn folder(self) -> PathBuf {
        let name = match self {
            Self::DefaultChain => "default-credential-provider-chain",
            Self::ProfileProvider => "profile-provider",
        };
        rolecall_kit::conformance(name)
    }
}

pub(crate) struct Case {
    name: String,
    env: Vec<(String, String)>,
    files: Vec<(PathBuf, Vec<u8>)>,
    traffic: Vec<Exchange>,
    /// `Ok` or `ErrorContains`.
    result: Value,
}

/// How a case went.
pub(crate) struct Report {
    pub(crate) outcome: Outcome,
    /// Where its secrets show up.
    pub(crate) leaks: Vec<String>,
}

impl Case {
    pub(crate) fn read(suite: Suite, name: String, folder: &Path) -> Outcome<Self> {
        let mut env = Vec::new();
        for (name, value) in json(&folder.join("env.json"))?.as_object().ok_or("env.json")? {
            env.push((name.clone(), value.as_str().ok_or("env.json has no text")?.to_owned()));
        }
        if suite == Suite::ProfileProvider {
            // Nothing comes after the profile.
            env.push(("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()));
        }
        let mut files = Vec::new();
        read_files(&folder.join("fs"), Path::new("/"), &mut files)?;
        let traffic = Exchange::read_all(&json(&folder.join("http-traffic.json"))?)?;
        // For its check of the corrections, which also cases that wait must pass.
        Replay::new(&name, &traffic, false)?;
        let result = json(&folder.join("test-case.json"))?["result"].take();
        Ok(Self { name, env, files, traffic, result })
    }

    pub(crate) fn run(&self) -> Report {
        let mut shown = Shown::default();
        let (log, guard) = Log::start();
        let outcome = self.play(&mut shown);
        drop(guard);
        shown.add("the log", log.text());
        Report { outcome, leaks: self.secrets().leaks(&shown) }
    }

    fn play(&self, shown: &mut Shown) -> Outcome {
        let (_folder, fs) = self.lay_out().map_err(|e| format!("cannot copy the files: {e}"))?;
        let replay = Arc::new(Replay::new(&self.name, &self.traffic, self.names_sessions())?);
        let context = Context {
            env: Env::from_pairs(self.env.iter().cloned()),
            fs,
            process: self.process(),
            clock: Clock::manual(self.now()),
            http: replay.clone(),
            ..Context::fake()
        };
        show_offline(&context, shown);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| format!("there is no runtime: {e}"))?;
        let found = runtime.block_on(credentials(context, shown));
        let compared = match &found {
            Ok(credentials) => self.compare(credentials),
            Err(error) => self.compare_error(error),
        };
        // What was wrong with a request explains what came of it.
        let faults: Vec<String> =
            [replay.finish(), compared].into_iter().filter_map(Result::err).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
    }

    /// The case's files in a folder of their own, as the cache is written among them.
    fn lay_out(&self) -> io::Result<(tempfile::TempDir, Fs)> {
        let folder = tempfile::tempdir()?;
        let fs = Fs::rooted(folder.path());
        for (path, bytes) in &self.files {
            if let Some(parent) = path.parent() {
                fs.create_folder(parent)?;
            }
            fs.write(path, bytes)?;
        }
        Ok((folder, fs))
    }

    fn process(&self) -> Process {
        if tables::NEED_SHELL.contains(&self.name.as_str()) {
            Process::fake(shell)
        } else {
            Process::real()
        }
    }

    /// An hour before the first of the recorded times.
    fn now(&self) -> SystemTime {
        let expiry = self.result["Ok"]["expiry"].as_u64().map(Duration::from_secs);
        let answers = self.traffic.iter().flat_map(Exchange::texts);
        let times = answers.filter_map(timestamp::parse);
        let first = times.chain(expiry.map(|e| SystemTime::UNIX_EPOCH + e)).min();
        first.unwrap_or(SystemTime::UNIX_EPOCH + ANY_TIME) - HOUR
    }

    /// Whether the case says how sessions are called; otherwise the name is anyone's to make up.
    fn names_sessions(&self) -> bool {
        let in_files = self.files.iter().any(|(_, bytes)| {
            String::from_utf8_lossy(bytes).lines().any(|line| line.contains("role_session_name"))
        });
        in_files || self.env.iter().any(|(name, _)| name == "AWS_ROLE_SESSION_NAME")
    }

    fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        self.env.iter().for_each(|(name, value)| secrets.of_variable(name, value));
        self.files.iter().for_each(|(path, bytes)| secrets.of_file(path, bytes));
        self.traffic.iter().for_each(|exchange| secrets.of_exchange(exchange));
        secrets.of_json(&self.result);
        secrets
    }

    fn compare(&self, found: &Credentials) -> Outcome {
        let mut fields = Map::new();
        let mut add = |name: &str, value: Option<Value>| {
            fields.extend(value.map(|value| (name.to_owned(), value)));
        };
        add("access_key_id", Some(found.access_key_id().into()));
        add("secret_access_key", Some(found.secret_access_key().expose().into()));
        add("session_token", found.session_token().map(|token| token.expose().into()));
        add("account_id", found.account_id().map(Into::into));
        let since = |end: SystemTime| end.duration_since(SystemTime::UNIX_EPOCH).ok();
        add("expiry", found.expires_at().and_then(since).map(|end| end.as_secs().into()));
        let found = Value::Object(fields);
        match self.result.get("Ok") {
            Some(expected) if *expected == found => Ok(()),
            _ => Err(format!("expected {}, found credentials {found}", self.result)),
        }
    }

    fn compare_error(&self, found: &CredentialsError) -> Outcome {
        let text = format!("{found} {:?}", found.causes());
        let found = format!("found {}: {text}", found.kind().name());
        let Some(theirs) = self.result["ErrorContains"].as_str() else {
            return Err(format!("expected {}, {found}", self.result));
        };
        let row = tables::ERRORS.iter().find(|row| row.0 == self.name);
        let (_, kind, word) =
            row.ok_or_else(|| format!("say in ERRORS what {theirs:?} means; {found}"))?;
        if found.starts_with(&format!("found {}:", kind.name())) && text.contains(word) {
            return Ok(());
        }
        Err(format!("expected {} with {word:?} for {theirs:?}, {found}", kind.name()))
    }
}

/// What can be shown without asking anyone.
fn show_offline(context: &Context, shown: &mut Shown) {
    shown.debug("the context", context);
    match Explanation::new(options(context)) {
        Ok(explanation) => {
            shown.debug("the explanation", &explanation);
            shown.add("the explanation", explanation.to_string());
            shown.add("the explanation", explanation.to_json().to_string());
        }
        Err(error) => show_error(&error, shown),
    }
    match ProfileSet::load(&context.env, &context.fs) {
        Ok(profiles) => {
            shown.debug("the profiles", &profiles);
            shown.add("the profiles", profiles_json(&profiles).to_string());
        }
        Err(error) => show_error(&error, shown),
    }
}

async fn credentials(context: Context, shown: &mut Shown) -> rolecall::Result<Credentials> {
    let session = Session::new(options(&context)).inspect_err(|e| show_error(e, shown))?;
    shown.debug("the session", &session);
    shown.debug("the plan", session.plan());
    let found = session.credentials().await.inspect_err(|e| show_error(e, shown))?;
    shown.debug("the credentials", &found);
    shown.debug("the session", &session);
    Ok(found)
}

fn show_error(error: &CredentialsError, shown: &mut Shown) {
    shown.debug("an error", error);
    shown.add("an error", format!("{error} {:?}", error.causes()));
}

fn options(context: &Context) -> SessionOptions {
    SessionOptions { context: Some(context.clone()), ..SessionOptions::default() }
}

#[expect(clippy::disallowed_methods, reason = "the seam gives a fake no other way")]
fn shell(argv: &[String]) -> io::Result<ProcessOutput> {
    let output = std::process::Command::new("sh").arg("-c").arg(argv.join(" ")).output()?;
    Ok(ProcessOutput {
        status: output.status.to_string(),
        success: output.status.success(),
        stdout: output.stdout.into(),
    })
}

fn json(path: &Path) -> Outcome<Value> {
    let bytes = Fs::real().read(path, LIMIT).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_slice(&bytes).map_err(|e| format!("{}: {e}", path.display()))
}

/// The files below `folder`, under the paths that they have for the case.
fn read_files(folder: &Path, at: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) -> Outcome {
    let fs = Fs::real();
    let fail = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    for name in fs.list(folder).map_err(|e| fail(folder, e))? {
        let (path, at) = (folder.join(&name), at.join(&name));
        match fs.read(&path, LIMIT) {
            Ok(bytes) => files.push((at, bytes.to_vec())),
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                read_files(&path, &at, files)?;
            }
            Err(error) => return Err(fail(&path, error)),
        }
    }
    Ok(())
}
