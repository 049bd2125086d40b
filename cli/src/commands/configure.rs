use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::ErrorKind;
use rolecall::configure::{Assignment, Setting, SettingPath, Settings};
use rolecall::{Context, ProfileSet};
use serde_json::json;

use crate::args::{Args, ConfigureArgs, ConfigureCommand, Global};
use crate::output::{Failure, print, print_json, warn, warn_of_exposed};

pub(crate) fn run(global: &Global, args: &ConfigureArgs) -> Result<ExitCode, Failure> {
    let settings = Settings::new(Context::real(), global.profile.clone());
    match &args.command {
        Some(_) if !args.set.is_empty() => {
            let message = "--set goes with `rolecall configure` itself, not with its commands";
            Args::command().error(ErrorKind::ArgumentConflict, message).exit()
        }
        Some(ConfigureCommand::ListProfiles) => list_profiles(global),
        Some(ConfigureCommand::Get { key }) => get(global, &settings, key),
        Some(ConfigureCommand::Set { key, value }) => {
            set(&settings, &[Assignment::new(key.clone(), value)])
        }
        None if args.set.is_empty() => warn_of(&rolecall::block_on(settings.ask())??),
        None => {
            let assignments = args.set.iter().map(|text| Assignment::parse(text));
            set(&settings, &assignments.collect::<Result<Vec<_>, _>>()?)
        }
    }
}

fn list_profiles(global: &Global) -> Result<ExitCode, Failure> {
    if !global.json {
        return super::profiles::run(global);
    }
    let context = Context::real();
    let set = ProfileSet::load(&context.env, &context.fs)?;
    let names: Vec<_> = set.profiles().map(|profile| profile.name.as_str()).collect();
    print_json(&json!(names))
}

fn get(global: &Global, settings: &Settings, key: &SettingPath) -> Result<ExitCode, Failure> {
    // The exit codes are AWS CLI's.
    match settings.get(key)? {
        Some(Setting::Value(value)) if global.json => {
            print_json(&json!({"key": key.to_string(), "value": value.expose()}))
        }
        Some(Setting::Value(value)) => {
            print(value.expose())?;
            print("\n")
        }
        Some(Setting::Group) => {
            warn(&format!("{key} has no value: it holds other settings; name one, as {key}.NAME"));
            Ok(ExitCode::FAILURE)
        }
        None => Ok(ExitCode::FAILURE),
    }
}

fn set(settings: &Settings, assignments: &[Assignment]) -> Result<ExitCode, Failure> {
    for path in assignments.iter().filter_map(Assignment::exposed) {
        warn_of_exposed(&path.to_string());
    }
    warn_of(&rolecall::block_on(settings.set(assignments))??)
}

fn warn_of(warnings: &[rolecall::core::profile::Warning]) -> Result<ExitCode, Failure> {
    for warning in warnings {
        warn(&format!("warning: {warning}"));
    }
    Ok(ExitCode::SUCCESS)
}
