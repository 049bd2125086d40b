use std::process::ExitCode;

use rolecall::exec;

use crate::args::{ExecArgs, Global};
use crate::output::Failure;

pub(crate) fn run(global: &Global, args: &ExecArgs) -> Result<ExitCode, Failure> {
    let session = super::session(global)?;
    let credentials = session.credentials_blocking()?;
    let region = session.region().map(|region| region.as_str());
    let environment = exec::environment(session.context(), &credentials, region);
    // Comes back only if the command could not be run.
    Err(session.context().process.replace(&args.command, &environment).into())
}
