use std::process::ExitCode;

use rolecall::{Context, ProfileSet};

use crate::args::Global;
use crate::output::{Failure, print, print_json, warn};

pub(crate) fn run(global: &Global) -> Result<ExitCode, Failure> {
    let context = Context::real();
    let set = ProfileSet::load(&context.env, &context.fs)?;
    if global.json {
        return print_json(&rolecall::profiles_json(&set));
    }
    for warning in set.warnings() {
        warn(&warning.to_string());
    }
    let names: Vec<_> = set.profiles().map(|profile| format!("{}\n", profile.name)).collect();
    print(&names.concat())
}
