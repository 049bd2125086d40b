use std::process::ExitCode;

use rolecall::export::{self, ExportFormat};
use rolecall::{RolesAnywhereOptions, Session, SessionOptions};

use crate::args::{ExportArgs, Global};
use crate::helper_flags::{CertificateFlags, certificate};
use crate::output::{Failure, print};

pub(crate) fn run(global: &Global, args: &ExportArgs) -> Result<ExitCode, Failure> {
    write(global, global.form(args.format))
}

pub(crate) fn credential_process(
    global: &Global,
    flags: &CertificateFlags,
) -> Result<ExitCode, Failure> {
    match flags.are_given() {
        true => credential_process_of(global, certificate(flags.options(global))?),
        false => write(global, ExportFormat::Process),
    }
}

/// Prints the credentials of a certificate.
pub(crate) fn credential_process_of(
    global: &Global,
    certificate: RolesAnywhereOptions,
) -> Result<ExitCode, Failure> {
    let options = SessionOptions { roles_anywhere: Some(certificate), ..super::options(global) };
    let credentials = Session::new(options)?.credentials_blocking()?;
    print(&export::format(&credentials, ExportFormat::Process)?)
}

fn write(global: &Global, format: ExportFormat) -> Result<ExitCode, Failure> {
    let credentials = super::session(global)?.credentials_blocking()?;
    print(&export::format(&credentials, format)?)
}
