use std::process::ExitCode;

use rolecall::export::{self, ExportFormat};

use crate::args::{ExportArgs, Global};
use crate::output::{Failure, print};

pub(crate) fn run(global: &Global, args: &ExportArgs) -> Result<ExitCode, Failure> {
    write(global, args.format)
}

pub(crate) fn credential_process(global: &Global) -> Result<ExitCode, Failure> {
    write(global, ExportFormat::Process)
}

fn write(global: &Global, format: ExportFormat) -> Result<ExitCode, Failure> {
    let credentials = super::session(global)?.credentials_blocking()?;
    print(&export::format(&credentials, format)?)
}
