use std::process::ExitCode;

use rolecall::{CredentialsError, exec, serve};

use crate::args::{ExecArgs, Global};
use crate::output::Failure;

pub(crate) fn run(global: &Global, args: &ExecArgs) -> Result<ExitCode, Failure> {
    let session = super::session(global)?;
    if args.serve {
        let code = rolecall::block_on(serve::run_command(&session, &args.command))?;
        return Ok(ExitCode::from(code.map_err(failure)?));
    }
    let credentials = session.credentials_blocking()?;
    let region = session.region().map(|region| region.as_str());
    let environment = exec::environment(session.context(), &credentials, region);
    // Comes back only if the command could not be run.
    Err(failure(session.context().process.replace(&args.command, &environment)))
}

fn failure(error: CredentialsError) -> Failure {
    let code = exec::exit_code(&error);
    Failure::Error(error, code)
}
