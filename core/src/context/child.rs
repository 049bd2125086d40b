use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;

use rustix::process::{Pid, Signal as RawSignal, kill_process};

use super::Process;
use crate::{CredentialsError, ErrorKind, Result};

/// A program that runs beside this one, on the same terminal and in the same process group.
#[derive(Debug)]
pub struct Child(State);

#[derive(Debug)]
enum State {
    Running(tokio::process::Child),
    /// A fake one, which had ended when it started.
    Ended(u8),
}

impl Process {
    /// Starts `argv` with this process's input and outputs, and the given changes to its
    /// environment (`None` removes). It is not killed when the handle is dropped.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it cannot be started.
    ///
    /// # Panics
    /// Outside an asynchronous runtime.
    pub fn spawn(
        &self,
        argv: &[OsString],
        environment: &[(String, Option<String>)],
    ) -> Result<Child> {
        if let Some(fake) = self.fake_output(argv) {
            let ended = fake.map_err(|error| Self::cannot_run(argv, error))?;
            return Ok(Child(State::Ended(u8::from(!ended.success))));
        }
        let command = Self::prepare(argv, environment)?;
        let child = tokio::process::Command::from(command).spawn();
        child.map(|child| Child(State::Running(child))).map_err(|e| Self::cannot_run(argv, e))
    }
}

impl Child {
    /// Waits for its end and gives its exit code: 128 and the signal's number if one ended it.
    ///
    /// # Errors
    /// `Internal` if the system does not say.
    pub async fn wait(&mut self) -> Result<u8> {
        let child = match &mut self.0 {
            State::Ended(code) => return Ok(*code),
            State::Running(child) => child,
        };
        let status = child.wait().await.map_err(|error| {
            let message = format!("the end of the command is not known: {error}");
            CredentialsError::new(ErrorKind::Internal, "exec", message).with_source(error)
        })?;
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
    }

    /// Sends it a signal by its number; nothing happens if it has ended.
    pub fn signal(&self, number: i32) {
        let State::Running(child) = &self.0 else { return };
        // The id is there as long as its end has not been waited for: it cannot be another's.
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let (Some(pid), Some(signal)) = (pid, RawSignal::from_named_raw(number)) {
            // It may have ended a moment ago.
            let _ = kill_process(pid, signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(script: &str, environment: &[(String, Option<String>)]) -> Child {
        let argv = ["sh", "-c", script].map(OsString::from);
        Process::real().spawn(&argv, environment).unwrap()
    }

    #[tokio::test]
    async fn gives_the_exit_code_or_128_and_the_signal() {
        assert_eq!(start("exit 7", &[]).wait().await.unwrap(), 7);
        assert_eq!(start("kill -KILL $$", &[]).wait().await.unwrap(), 128 + 9);
    }

    #[tokio::test]
    async fn takes_signals_while_it_runs_and_none_after() {
        let mut child = start("while :; do read line < /dev/zero; done", &[]);
        child.signal(RawSignal::TERM.as_raw());
        assert_eq!(child.wait().await.unwrap(), 128 + 15);
        child.signal(RawSignal::KILL.as_raw());
    }

    #[tokio::test]
    async fn gets_the_changed_environment() {
        let changes = [("ADDED".to_owned(), Some("x".to_owned())), ("HOME".to_owned(), None)];
        let mut child = start("test \"$ADDED\" = x && test -z \"$HOME\"", &changes);
        assert_eq!(child.wait().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn names_what_cannot_be_started() {
        let error = Process::real().spawn(&["/no/such/program".into()], &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.message().contains("/no/such/program"), "{error}");
        assert!(Process::real().spawn(&[], &[]).is_err());
    }
}
