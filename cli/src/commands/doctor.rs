use std::process::ExitCode;

use crate::args::Global;
use crate::output::{Failure, print, print_json};

pub(crate) fn run(global: &Global) -> Result<ExitCode, Failure> {
    let diagnosis = rolecall::block_on(rolecall::diagnose(super::options(global)))?;
    if global.json {
        print_json(&diagnosis.to_json())?;
    } else {
        print(&diagnosis.to_string())?;
    }
    Ok(diagnosis.first_error().map_or(ExitCode::SUCCESS, |kind| kind.exit_code().into()))
}
