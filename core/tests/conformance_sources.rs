//! The test data that the AWS SDKs share for where credentials are fetched, each case a test of its
//! own.

#![allow(clippy::panic, reason = "so tests fail")]

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use libtest_mimic::{Arguments, Failed, Trial};
use rolecall_core::http::{HttpClient, HttpError, HttpFailure, Request, Response};
use rolecall_core::profile::ProfileSet;
use rolecall_core::source::{
    ContainerEndpoint, ContainerProvider, ImdsEndpoint, ImdsProvider, ImdsSettings,
};
use rolecall_core::{Context, CredentialsError, Env, ErrorKind, Fs, ProvideCredentials, Result};
use serde_json::Value;

fn main() {
    let mut trials = trials("imds-endpoint.json", imds);
    trials.extend(self::trials("container-endpoint.json", container));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn trials(file: &str, run: fn(&Value) -> Result<(), Failed>) -> Vec<Trial> {
    let path = rolecall_kit::conformance(file);
    let bytes =
        Fs::real().read(&path, 1 << 20).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let table: Value = serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{file}: {e}"));
    let cases = table["tests"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(!cases.is_empty(), "no cases in {file}");
    let trial = |case: &Value| {
        let case = case.clone();
        let name = format!("{file}: {}", case["docs"].as_str().unwrap_or_default());
        Trial::test(name, move || run(&case))
    };
    cases.iter().map(trial).collect()
}

/// Notes where requests go, and answers none.
#[derive(Debug, Default)]
struct Noting(Mutex<Vec<String>>);

#[async_trait]
impl HttpClient for Noting {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(request.uri().to_string());
        Err(HttpError::new(HttpFailure::Unusable, "there is no network in this test"))
    }
}

struct Machine {
    context: Context,
    requests: Arc<Noting>,
    _folder: tempfile::TempDir,
}

impl Machine {
    fn of(case: &Value) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let fs = Fs::rooted(folder.path());
        let texts = |name: &str| {
            let pairs = case[name].as_object().into_iter().flatten();
            pairs.map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned()))
        };
        for (path, text) in texts("fs") {
            fs.write(&Path::new("/").join(path), text.as_bytes())?;
        }
        // A file is named without a folder in the data; ours have a root.
        let env = texts("env").map(|(name, value)| match name.as_str() {
            "AWS_CONFIG_FILE" => (name, format!("/{value}")),
            _ => (name, value),
        });
        let requests = Arc::new(Noting::default());
        let context = Context {
            env: Env::from_pairs(env.chain([("HOME".to_owned(), "/home".to_owned())])),
            fs,
            http: requests.clone(),
            ..Context::fake()
        };
        Ok(Self { context, requests, _folder: folder })
    }

    /// The first URL that `provider` asks.
    fn asked(&self, provider: &dyn ProvideCredentials) -> Result<String, Failed> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let outcome = runtime.block_on(provider.provide_credentials());
        let requests = self.requests.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(requests.first().cloned().ok_or(format!("nothing was asked: {outcome:?}"))?)
    }
}

fn imds(case: &Value) -> Result<(), Failed> {
    let machine = Machine::of(case)?;
    let profiles = ProfileSet::load(&machine.context.env, &machine.context.fs)?;
    let name = ProfileSet::selected_name(&machine.context.env);
    let settings = ImdsSettings::read(&machine.context.env, profiles.get(&name));
    if let Some(theirs) = case["result"]["Err"].as_str() {
        let word = match theirs {
            "`error` is not a valid endpoint mode" => {
                "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is \"error\""
            }
            "invalid uri character" => "AWS_EC2_METADATA_SERVICE_ENDPOINT is not the URL",
            other => return Err(format!("a new error, {other:?}: say here what it means").into()),
        };
        let error = settings.err().ok_or("an error was expected")?;
        return is(&error, ErrorKind::InvalidConfiguration, word);
    }
    let mut settings = settings?;
    if let Some(url) = case["endpoint_override"].as_str() {
        settings.endpoint = ImdsEndpoint::parse(url, "the case")?;
    }
    let provider = ImdsProvider::new(machine.context.clone(), settings);
    assert_eq!(machine.asked(&provider)?, case["result"]["Ok"].as_str().unwrap_or_default());
    Ok(())
}

fn container(case: &Value) -> Result<(), Failed> {
    let machine = Machine::of(case)?;
    let endpoint = ContainerEndpoint::from_env(&machine.context.env);
    if let Some(theirs) = case["result"]["ErrorContains"].as_str() {
        let (kind, word) = match theirs {
            "No environment variables were set to configure ECS provider" => {
                (ErrorKind::NotConfigured, "are not set")
            }
            "URI did not specify a host" => (ErrorKind::InvalidConfiguration, "with a host"),
            other => return Err(format!("a new error, {other:?}: say here what it means").into()),
        };
        return is(&endpoint.err().ok_or("an error was expected")?, kind, word);
    }
    let expected = case["result"]["Ok"].as_str().unwrap_or_default();
    assert_eq!(endpoint?.url(), expected);
    let provider = ContainerProvider::new(machine.context.clone());
    assert_eq!(machine.asked(&provider)?, expected);
    Ok(())
}

fn is(error: &CredentialsError, kind: ErrorKind, word: &str) -> Result<(), Failed> {
    if error.kind() == kind && error.message().contains(word) {
        return Ok(());
    }
    Err(format!("expected {} with {word:?}, found {}: {error}", kind.name(), error.kind().name())
        .into())
}
