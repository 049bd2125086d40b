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
    if set.profiles().len() == 0 {
        let places = set.locations().map_or(String::new(), |places| {
            format!(" in {} and {}", places.config.display(), places.credentials.display())
        });
        warn(&format!("there are no profiles{places}"));
    }
    let names: Vec<_> = set.profiles().map(|profile| format!("{}\n", profile.name)).collect();
    print(&names.concat())
}
