use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use crate::{
    Context, Credentials, ErrorKind, Program, ProvideCredentials, Result, Secret, timestamp,
};

const ANSWER_LIMIT: usize = 64 * 1024;

/// A program named by `credential_process`, which prints credentials as JSON.
///
/// Source: AWS SDKs and Tools Reference Guide, "Process credential provider".
pub struct ProcessProvider {
    program: Program,
    /// Used where the program names no account.
    pub account_id: Option<String>,
    /// How long the program may take; 60 seconds unless set. It is killed past it.
    pub deadline: Duration,
}

impl ProcessProvider {
    /// Runs `command`, split as a shell would split it and run without one. `place` says where it
    /// is configured, for messages: `profile x (~/.aws/config:7)`.
    pub fn new(context: Context, command: impl Into<Secret>, place: impl Into<String>) -> Self {
        let what = format!("credential_process of {}", place.into());
        Self {
            program: Program::new(context, command, what),
            account_id: None,
            deadline: Duration::from_secs(60),
        }
    }

    fn read(&self, stdout: &[u8]) -> Result<Credentials> {
        let malformed = |message: String| self.program.error(ErrorKind::Malformed, message);
        let answer: Answer = serde_json::from_slice(stdout).map_err(|error| {
            // serde_json's text may quote the input; its position does not.
            let (line, column) = (error.line(), error.column());
            malformed(format!("it printed no valid answer (line {line}, column {column})"))
                .with_help(EXPECTED)
        })?;
        if answer.version != 1 {
            let version = answer.version;
            return Err(malformed(format!(
                "its answer has Version {version}, and only 1 is known"
            )));
        }
        let (Some(id), Some(secret)) = (answer.access_key_id, answer.secret_access_key) else {
            return Err(malformed(
                "AccessKeyId or SecretAccessKey is missing in its answer".into(),
            )
            .with_help(EXPECTED));
        };
        let expires_at = match answer.expiration {
            None => None,
            Some(text) => Some(timestamp::parse(&text).ok_or_else(|| {
                malformed("Expiration in its answer is not an ISO 8601 time".into())
            })?),
        };
        if let Some(end) = expires_at.filter(|end| *end <= self.program.context().clock.now()) {
            let end = timestamp::format(end);
            let message = format!("it printed credentials that ended at {end}");
            return Err(self.program.error(ErrorKind::Denied, message));
        }
        Ok(Credentials::new(id, secret, self.program.what().to_owned())
            .with_session_token(answer.session_token)
            .with_expires_at(expires_at)
            .with_account_id(answer.account_id.or_else(|| self.account_id.clone())))
    }
}

const EXPECTED: &str = "it must print JSON with Version 1, AccessKeyId, SecretAccessKey and, for \
                        short-lived credentials, SessionToken and Expiration";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    version: u32,
    access_key_id: Option<String>,
    secret_access_key: Option<Secret>,
    session_token: Option<Secret>,
    expiration: Option<String>,
    account_id: Option<String>,
}

#[async_trait]
impl ProvideCredentials for ProcessProvider {
    async fn provide_credentials(&self) -> Result<Credentials> {
        let printed = self.program.run(ANSWER_LIMIT, self.deadline).await?;
        self.read(&printed)
    }
}

impl fmt::Debug for ProcessProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessProvider").field("program", &self.program).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, Process, ProcessOutput};

    fn provider(command: &str, stdout: &'static str, success: bool) -> ProcessProvider {
        let expected = shlex::split(command);
        let process = Process::fake(move |argv| {
            assert_eq!(Some(argv), expected.as_deref());
            Ok(ProcessOutput {
                status: "exit status: 9".into(),
                success,
                stdout: stdout.as_bytes().to_vec().into(),
            })
        });
        let context = Context { process, ..Context::fake() };
        ProcessProvider::new(context, command, "profile p (config:3)")
    }

    async fn run(stdout: &'static str) -> Result<Credentials> {
        provider("helper 'with spaces' --flag", stdout, true).provide_credentials().await
    }

    #[tokio::test]
    async fn reads_an_answer() {
        let found = run(r#"{"Version":1,"AccessKeyId":"AKID","SecretAccessKey":"s",
            "SessionToken":"t","Expiration":"2026-01-01T00:10:00+00:00","AccountId":"1"}"#)
        .await
        .unwrap();
        assert_eq!(found.access_key_id(), "AKID");
        assert_eq!(found.session_token().unwrap().expose(), "t");
        assert_eq!(found.time_left(Clock::fake_now()), Some(Duration::from_secs(600)));
        assert_eq!(found.account_id(), Some("1"));
    }

    #[tokio::test]
    async fn each_bad_answer_has_its_own_error_and_shows_nothing_of_it() {
        for (answer, kind, says) in [
            ("", ErrorKind::Malformed, "no valid answer"),
            ("hunter2 is the password", ErrorKind::Malformed, "no valid answer"),
            (r#"{"Version":2,"SecretAccessKey":"hunter2"}"#, ErrorKind::Malformed, "Version 2"),
            (r#"{"Version":1,"SecretAccessKey":"hunter2"}"#, ErrorKind::Malformed, "missing"),
            (
                r#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"hunter2","Expiration":"x"}"#,
                ErrorKind::Malformed,
                "Expiration",
            ),
            (
                r#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"hunter2",
                    "Expiration":"2025-12-31T00:00:00Z"}"#,
                ErrorKind::Denied,
                "ended at 2025-12-31T00:00:00Z",
            ),
        ] {
            let error = run(answer).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{answer}");
            let text = format!("{error} {error:?} {:?}", error.causes());
            assert!(text.contains(says) && text.contains("config:3"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_failing_program_is_named_with_its_status_and_without_its_arguments() {
        let failing = provider("helper --password hunter2", "", false);
        let error = failing.provide_credentials().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("exit status: 9"), "{error}");
        assert!(!format!("{error} {failing:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn a_program_that_asks_for_its_own_profile_is_stopped() {
        let env = crate::Env::from_pairs([("ROLECALL_PROCESS_DEPTH", "4")]);
        let context = Context { env, ..Context::fake() };
        let provider = ProcessProvider::new(context, "rolecall", "profile p (config:3)");
        let error = provider.provide_credentials().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.message().contains("run each other"), "{error}");
    }

    #[tokio::test]
    async fn an_open_quote_is_an_error_of_the_configuration() {
        let context = Context::fake();
        let provider = ProcessProvider::new(context, "helper 'open", "profile p (config:3)");
        let error = provider.provide_credentials().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    }
}
