//! `exec --serve`: one command, on a server of its own.

use std::ffi::OsString;

use rolecall_core::profile::{ProfileSet, plan_profile};
use rolecall_core::{Context, CredentialsError, ErrorKind, Result, Signals};

use super::announcement::{CONTAINER_TOKEN, CONTAINER_URI, container_uri};
use super::{ServeOptions, ServedProfile, Server, random_token};
use crate::{Session, exec};

/// Runs `command` with the session's credentials behind a container endpoint of its own, so that it
/// gets new ones however long it runs, and gives its exit code: 128 and the signal's number if a
/// signal ended it.
///
/// Signals are passed on to it, save those of the terminal, which it gets itself. It shares the
/// terminal and the process group with this process: Ctrl-Z stops both, and nobody is asked for an
/// MFA code while it runs.
///
/// # Errors
/// Whatever there is to say about the credentials, then without the command having run;
/// `InvalidConfiguration` if it cannot be started.
///
/// # Panics
/// Outside an asynchronous runtime.
pub async fn run_command(session: &Session, command: &[OsString]) -> Result<u8> {
    session.credentials().await?;
    let context = session.context();
    let token = random_token()?;
    let profile = ServedProfile::new(session);
    let options = ServeOptions {
        port: 0,
        imds: false,
        authorization: Some(token.clone()),
        ..ServeOptions::default()
    };
    let server = Server::bind(context, vec![profile.clone()], &options)?;

    let mut environment =
        exec::cleared_environment(context, session.region().map(|region| region.as_str()));
    exec::set(&mut environment, CONTAINER_URI, &container_uri(server.port(), &profile));
    exec::set(&mut environment, CONTAINER_TOKEN, token.expose());
    if default_profile_comes_first(context) {
        tracing::warn!(
            "the command does not see ~/.aws: SDKs would take the credentials of its default profile"
        );
        for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
            exec::set(&mut environment, name, "/dev/null");
        }
    }

    // Before the command starts, so that none is lost.
    let mut signals = Signals::to_pass_on(&context.fs).map_err(|error| {
        let message = format!("cannot listen for signals: {error}");
        CredentialsError::new(ErrorKind::Internal, "exec", message).with_source(error)
    })?;
    context.prompt.leave_terminal();
    let mut child = context.process.spawn(command, &environment)?;
    drop(environment);
    let mut serving = std::pin::pin!(server.run(std::future::pending()));
    loop {
        tokio::select! {
            code = child.wait() => return code,
            signal = signals.next() => {
                if !signal.has_reached_child() {
                    child.signal(signal.number);
                }
            }
            served = &mut serving => served?,
        }
    }
}

/// SDKs ask the profile `default` before the container endpoint.
fn default_profile_comes_first(context: &Context) -> bool {
    let Ok(profiles) = ProfileSet::load(&context.env, &context.fs) else { return true };
    let plan = profiles.get("default").map(|_| plan_profile(&profiles, "default", &context.env));
    match plan {
        None => false,
        Some(Ok(_)) => true,
        Some(Err(error)) => error.kind() != ErrorKind::NotConfigured,
    }
}
