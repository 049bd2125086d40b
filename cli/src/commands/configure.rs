use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::ErrorKind;
use rolecall::configure::{Assignment, Setting, SettingPath, Settings};
use rolecall::rolesanywhere::{IdentityReader, trust_policy};
use rolecall::{Context, ProfileSet};
use serde_json::json;

use crate::args::{Args, ConfigureArgs, ConfigureCommand, ConfigureRolesAnywhereArgs, Global};
use crate::helper_flags::{bad_usage, check};
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
        Some(ConfigureCommand::RolesAnywhere(args)) if args.print_trust_policy => {
            print_trust_policy(global, args)
        }
        Some(ConfigureCommand::RolesAnywhere(args)) => roles_anywhere(global, &settings, args),
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

fn roles_anywhere(
    global: &Global,
    settings: &Settings,
    args: &ConfigureRolesAnywhereArgs,
) -> Result<ExitCode, Failure> {
    let mut options = args.certificate.options_beside_profile(global);
    check(&mut options)?;
    // The line is for AWS's helper too, which uses a proxy only with the flag.
    options.with_proxy = args.certificate.is_given("with-proxy");
    let (file, warnings) = rolecall::block_on(async {
        settings.ask_for_certificate(&mut options).await?;
        settings.set_roles_anywhere(&args.program, &options, args.force).await
    })??;
    if options.identity.password.is_some() {
        warn(
            "warning: AWS's own aws_signing_helper takes --pkcs8-password only as it is: this \
              profile is for rolecall",
        );
    }
    let name = settings.profile_name();
    let file = file.display();
    warn(&format!("wrote profile {name} to {file}; try: rolecall whoami --profile {name}"));
    warn_of(&warnings)
}

fn print_trust_policy(
    global: &Global,
    args: &ConfigureRolesAnywhereArgs,
) -> Result<ExitCode, Failure> {
    let mut options = args.certificate.options_beside_profile(global);
    options.check_identity().unwrap_or_else(|error| bad_usage(&error));
    check(&mut options)?;
    let reader = IdentityReader::new(Context::real(), options.identity.clone());
    let certificates = rolecall::block_on(reader.certificates())??;
    let policy = trust_policy(&certificates, &options.request.trust_anchor_arn)?;
    for attribute in &policy.left_out {
        warn(&format!("warning: not among the conditions is {attribute}"));
    }
    if !policy.names_subject {
        warn("warning: every certificate of the trust anchor can get this role");
    }
    print_json(&policy.document)
}

fn warn_of(warnings: &[rolecall::core::profile::Warning]) -> Result<ExitCode, Failure> {
    for warning in warnings {
        warn(&format!("warning: {warning}"));
    }
    Ok(ExitCode::SUCCESS)
}
