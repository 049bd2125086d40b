use std::ffi::OsString;
use std::fmt;
use std::io;
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

#[cfg(unix)]
use super::PathKind;
use super::{Env, Fs};
use crate::{CredentialsError, ErrorKind, Result};

type Fake = dyn Fn(&[String]) -> io::Result<ProcessOutput> + Send + Sync;

/// Other programs, real or played by a function.
#[derive(Clone)]
pub struct Process(Option<Arc<Fake>>);

/// What a program left behind.
#[derive(Debug)]
pub struct ProcessOutput {
    /// How it ended: `exit status: 1`, `signal: 9 (SIGKILL)`.
    pub status: String,
    /// Whether it ended well.
    pub success: bool,
    /// What it printed: zeroed on drop, as it may be credentials.
    pub stdout: Zeroizing<Vec<u8>>,
}

impl Process {
    /// Programs of this machine.
    pub fn real() -> Self {
        Self(None)
    }

    /// Programs played by `run`, which gets the argument vector.
    pub fn fake(
        run: impl Fn(&[String]) -> io::Result<ProcessOutput> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(run)))
    }

    /// Why the program `name` could not be started, as far as its file shows; `None` if nothing is
    /// wrong. A fake plays every program.
    #[cfg(unix)]
    pub(crate) fn why_not(&self, name: &str, env: &Env, fs: &Fs) -> Option<&'static str> {
        if self.0.is_some() {
            return None;
        }
        let path = env.get("PATH").unwrap_or_else(|| "/bin:/usr/bin".to_owned());
        let (places, nowhere): (Vec<PathBuf>, _) = match name.contains('/') {
            true => (vec![name.into()], "there is no such file"),
            false => (
                path.split(':').map(|folder| Path::new(folder).join(name)).collect(),
                "it is in no folder of PATH",
            ),
        };
        let mut reason = nowhere;
        for place in places {
            let Ok(Some(facts)) = fs.facts(&place) else { continue };
            match facts.kind {
                PathKind::File if facts.mode & 0o111 != 0 => return None,
                PathKind::File => reason = "it is not executable (Permission denied)",
                PathKind::DanglingLink => reason = "it is a link to nothing",
                _ if reason == nowhere => reason = "it is no file",
                _ => {}
            }
        }
        Some(reason)
    }

    /// Elsewhere names are looked up by other rules.
    #[cfg(not(unix))]
    pub(crate) fn why_not(&self, _: &str, _: &Env, _: &Fs) -> Option<&'static str> {
        None
    }

    /// Runs `argv` without a shell, its standard error passed on, its input empty and `environment`
    /// added to its own, and gives what it printed: at most `limit` bytes, within `deadline`. It is
    /// killed past either.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it cannot be started, `TimedOut`, `Malformed` past the limit.
    pub async fn output(
        &self,
        argv: &[String],
        environment: &[(&str, String)],
        limit: usize,
        deadline: Duration,
    ) -> Result<ProcessOutput> {
        let name = argv.first().cloned().unwrap_or_default();
        let fail = |kind, message: String| CredentialsError::new(kind, "process", message);
        let cannot_start = |error: io::Error| {
            fail(ErrorKind::InvalidConfiguration, format!("cannot run {name:?}: {error}"))
                .with_help("check the path of the program and that it is executable")
                .with_source(error)
        };
        if let Some(fake) = &self.0 {
            return fake(argv).map_err(cannot_start);
        }
        let mut child = command(argv)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(cannot_start)?;
        let Some(stdout) = child.stdout.take() else {
            return Err(fail(ErrorKind::Internal, format!("{name:?} has no standard output")));
        };
        let finish = async {
            // Room for all of it from the start: growing would leave unzeroed copies behind.
            let mut text = Zeroizing::new(Vec::with_capacity(limit + 1));
            stdout.take(limit as u64 + 1).read_to_end(&mut text).await?;
            let status = if text.len() > limit { None } else { Some(child.wait().await?) };
            io::Result::Ok((text, status))
        };
        let finished = tokio::time::timeout(deadline, finish).await;
        match finished {
            Err(_) => Err(fail(
                ErrorKind::TimedOut,
                format!("{name:?} did not finish within {} s and was killed", deadline.as_secs()),
            )
            .with_help("run it by hand to see what it waits for")),
            Ok(Err(error)) => {
                Err(fail(ErrorKind::Unavailable, format!("{name:?} could not be read: {error}"))
                    .with_source(error))
            }
            Ok(Ok((_, None))) => Err(fail(
                ErrorKind::Malformed,
                format!("{name:?} printed more than {limit} bytes and was killed"),
            )
            .with_help("check that it is the right program; its talk belongs on standard error")),
            Ok(Ok((stdout, Some(status)))) => {
                Ok(ProcessOutput { status: status.to_string(), success: status.success(), stdout })
            }
        }
    }

    /// Becomes `argv`: this process is replaced, with the given changes to its environment
    /// (`None` removes). Returns only if that fails.
    #[cfg(unix)]
    pub fn replace(
        &self,
        argv: &[OsString],
        environment: &[(String, Option<String>)],
    ) -> CredentialsError {
        use std::os::unix::process::CommandExt;
        match Self::prepare(argv, environment) {
            Ok(mut command) => Self::cannot_run(argv, command.exec()),
            Err(error) => error,
        }
    }

    #[cfg(unix)]
    pub(super) fn prepare(
        argv: &[OsString],
        environment: &[(String, Option<String>)],
    ) -> Result<std::process::Command> {
        let Some((program, arguments)) = argv.split_first() else {
            let kind = ErrorKind::InvalidConfiguration;
            return Err(CredentialsError::new(kind, "exec", "no command"));
        };
        let mut command = std::process::Command::new(program);
        command.args(arguments);
        for (name, value) in environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Ok(command)
    }

    #[cfg(unix)]
    pub(super) fn cannot_run(argv: &[OsString], error: io::Error) -> CredentialsError {
        let program = argv.first().map(|program| program.to_string_lossy()).unwrap_or_default();
        let is_path = program.contains('/');
        let (what, help) = match error.kind() {
            io::ErrorKind::NotFound if is_path => (
                "there is no such file, or not the interpreter that its first line names",
                "check the path, and for a script the path after #!",
            ),
            io::ErrorKind::NotFound => (
                "it is in no folder of PATH",
                "check its name and PATH; what only a shell knows is run with sh -c 'COMMAND'",
            ),
            io::ErrorKind::PermissionDenied => {
                ("it is not executable", "name a program; make a file one with chmod +x")
            }
            io::ErrorKind::ArgumentListTooLong => {
                ("its arguments and environment are too long", "give it fewer arguments")
            }
            _ => ("the system does not take it", "check that it is a program for this machine"),
        };
        let message = format!("cannot run {program}: {what} ({error})");
        CredentialsError::new(ErrorKind::InvalidConfiguration, "exec", message)
            .with_help(help)
            .with_source(error)
    }

    /// What a fake leaves behind; `None` if programs are real.
    #[cfg(all(unix, feature = "children"))]
    pub(super) fn fake_output(&self, argv: &[OsString]) -> Option<io::Result<ProcessOutput>> {
        let fake = self.0.as_ref()?;
        Some(fake(&argv.iter().map(|text| text.to_string_lossy().into_owned()).collect::<Vec<_>>()))
    }
}

fn command(argv: &[String]) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(argv.first().map_or("", String::as_str));
    command.args(argv.get(1..).unwrap_or_default());
    command
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Process(fake)" } else { "Process(real)" })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(String::from).to_vec()
    }

    async fn run(script: &str, limit: usize, deadline: Duration) -> Result<ProcessOutput> {
        Process::real().output(&shell(script), &[], limit, deadline).await
    }

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn gives_output_and_status() {
        let output = run("echo hi; exit 3", 100, LONG).await.unwrap();
        assert_eq!(output.stdout.as_slice(), b"hi\n");
        assert!(!output.success);
        assert_eq!(output.status, "exit status: 3");
    }

    #[tokio::test]
    async fn kills_what_prints_too_much_or_takes_too_long() {
        let error = run("while :; do echo more; done", 1000, LONG).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        let error =
            run("read line < /dev/zero", 1000, Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn names_what_cannot_be_started() {
        let argv = ["/no/such/program".to_owned()];
        let error = Process::real().output(&argv, &[], 10, LONG).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.message().contains("/no/such/program"), "{error}");
    }
}
