use std::process::ExitCode;

use crate::args::Global;
use crate::output::{Failure, print, print_json};

pub(crate) fn run(global: &Global) -> Result<ExitCode, Failure> {
    let explanation = rolecall::Explanation::new(super::options(global))?;
    if global.json {
        print_json(&explanation.to_json())?;
    } else {
        print(&explanation.to_string())?;
    }
    // A script learns by the exit code whether this profile can work at all.
    Ok(explanation.worst_problem().map_or(ExitCode::SUCCESS, |kind| kind.exit_code().into()))
}
