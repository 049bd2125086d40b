use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::{Context, CredentialsError, ErrorKind, Result, Secret};

/// Tells a program how many such lines it is below, so that a profile whose program asks for the
/// same profile ends in an error and not in a machine full of processes.
const DEPTH: &str = "ROLECALL_PROCESS_DEPTH";
const DEEPEST: u32 = 4;

/// A command line of a profile that is run for what it prints: `credential_process`,
/// `mfa_process`, `saml_process`. It is split as a shell would split it and run without one.
#[derive(Clone)]
pub struct Program {
    context: Context,
    command: Secret,
    what: String,
}

impl Program {
    /// Runs `command`. `what` says what it is and where, for messages: `credential_process of
    /// profile x (~/.aws/config:7)`.
    pub fn new(context: Context, command: impl Into<Secret>, what: impl Into<String>) -> Self {
        Self { context, command: command.into(), what: what.into() }
    }

    /// An error of this program. The command line may hold secrets, so no message shows more of it
    /// than the program's name.
    pub(crate) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> CredentialsError {
        CredentialsError::new(kind, self.what.clone(), message)
    }

    /// The machine it runs on.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// What it is and where it is configured.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    fn argv(&self) -> Result<Vec<String>> {
        let argv = shlex::split(self.command.expose()).filter(|argv| !argv.is_empty());
        argv.ok_or_else(|| {
            self.error(ErrorKind::InvalidConfiguration, "the command line cannot be split")
                .with_help("close every quote; it is split like a shell's, but run without one")
        })
    }

    fn depth(&self) -> Result<String> {
        let depth = self.context.env.get(DEPTH).and_then(|depth| depth.parse().ok()).unwrap_or(0);
        if depth >= DEEPEST {
            let message = format!("{DEEPEST} of them run each other already");
            return Err(self
                .error(ErrorKind::InvalidConfiguration, message)
                .with_help("the program probably asks for the profile that names it"));
        }
        Ok((depth + 1).to_string())
    }

    /// Whether the program is there and may be run, found without running it. A command line that
    /// cannot be split is for [`crate::profile::problems`] to tell.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it cannot be started.
    pub fn check(&self) -> Result<()> {
        let Ok(argv) = self.argv() else { return Ok(()) };
        let (name, Context { env, fs, process, .. }) = (&argv[0], &self.context);
        let Some(reason) = process.why_not(name, env, fs) else { return Ok(()) };
        let message = format!("cannot run {name:?}: {reason}");
        Err(self.error(ErrorKind::InvalidConfiguration, message).with_help(
            match name.starts_with("~/") {
                true => "write the path in full: only a shell knows ~, and it is run without one",
                false => "check the path of the program and that it is executable",
            },
        ))
    }

    /// Runs it once, and gives what it prints: at most `limit` bytes, within `deadline`.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it cannot be started, `Unavailable` if it fails, `TimedOut`,
    /// `Malformed` past the limit.
    pub async fn run(&self, limit: usize, deadline: Duration) -> Result<Zeroizing<Vec<u8>>> {
        let argv = self.argv()?;
        let environment = [(DEPTH, self.depth()?)];
        let run = self.context.process.output(&argv, &environment, limit, deadline);
        let output = run.await.map_err(|error| {
            let here = self.error(error.kind(), error.message());
            match error.help() {
                Some(help) => here.with_help(help),
                None => here,
            }
        })?;
        if !output.success {
            let program = &argv[0];
            return Err(self
                .error(ErrorKind::Unavailable, format!("{program:?} failed with {}", output.status))
                .with_help("what it says is on standard error; run it by hand to see more"));
        }
        Ok(output.stdout)
    }

    /// Runs it for one secret, without white space around it.
    ///
    /// # Errors
    /// As [`Self::run`]; `Malformed` if it prints nothing or what is not UTF-8.
    pub async fn secret(&self, limit: usize, deadline: Duration) -> Result<Secret> {
        let mut printed = self.run(limit, deadline).await?;
        let text = Secret::from_utf8(std::mem::take(&mut *printed));
        match text.map(|text| text.trimmed()) {
            Some(secret) if !secret.expose().is_empty() => Ok(secret),
            Some(_) => Err(self.error(ErrorKind::Malformed, "it printed nothing")),
            None => Err(self.error(ErrorKind::Malformed, "it printed what is not UTF-8")),
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("what", &self.what).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Process, ProcessOutput};

    async fn secret(stdout: &'static [u8]) -> Result<Secret> {
        let process = Process::fake(move |_| {
            let status = "exit status: 0".to_owned();
            Ok(ProcessOutput { status, success: true, stdout: stdout.to_vec().into() })
        });
        let context = Context { process, ..Context::fake() };
        let program = Program::new(context, "helper --password hunter2", "mfa_process of x");
        assert!(!format!("{program:?}").contains("hunter2"));
        program.secret(100, Duration::from_secs(1)).await
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_started_is_seen_without_starting_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let fs = crate::Fs::rooted(folder.path());
        fs.create_folder(std::path::Path::new("/bin/folder")).unwrap();
        for (name, mode) in [("tool", 0o755), ("text", 0o644)] {
            fs.write(&std::path::Path::new("/bin").join(name), b"").unwrap();
            let mode = PermissionsExt::from_mode(mode);
            #[expect(clippy::disallowed_methods, reason = "a test's own files")]
            std::fs::set_permissions(folder.path().join("bin").join(name), mode).unwrap();
        }
        let check = |command: &str, path: &str| {
            let env = crate::Env::from_pairs([("PATH", path)]);
            let (fs, process) = (fs.clone(), Process::real());
            let context = Context { fs, env, process, ..Context::fake() };
            Program::new(context, command, "credential_process of x").check()
        };
        for (command, path) in
            [("/bin/tool --a", ""), ("tool", "/none:/bin"), ("tool", ""), ("'tool' x", ":/bin")]
        {
            assert!(check(command, path).is_ok(), "{command}");
        }
        for (command, path, says, help) in [
            ("/bin/none hunter2", "", "\"/bin/none\": there is no such file", "check the path"),
            ("none", "/bin:/none", "\"none\": it is in no folder of PATH", "check the path"),
            ("/bin/text", "", "\"/bin/text\": it is not executable", "executable"),
            ("text", "/bin", "it is not executable", "executable"),
            ("/bin/folder", "", "it is no file", "check the path"),
            ("~/bin/tool", "/bin", "there is no such file", "only a shell knows ~"),
        ] {
            let error = check(command, path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.message().contains(says), "{error}");
            assert!(error.help().unwrap().contains(help), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[tokio::test]
    async fn a_secret_is_one_text_without_white_space_around_it() {
        assert_eq!(secret(b" 123456\n").await.unwrap().expose(), "123456");
        for bad in [b" \n".as_slice(), b"\xff"] {
            let error = secret(bad).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed);
            assert!(error.to_string().contains("mfa_process of x"), "{error}");
        }
    }
}
