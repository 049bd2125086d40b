//! The program under the name of AWS's helper, `aws_signing_helper`.

use std::ffi::OsString;
use std::fmt::Write;
use std::process::ExitCode;

use rolecall::rolesanywhere::command_line::{
    BadUsage, HelperCommand, HelperOptions, HelperVerb, is_helper_name,
};

use super::{certificate_data, export, serve, sign_string, update};
use crate::args::{ErrorFormat, Global, ServeArgs, UpdateArgs};
use crate::helper_flags::certificate;
use crate::output::{Failure, print, warn};

/// Whether the program is called by the helper's name.
pub(crate) fn is_called(program: Option<&OsString>) -> bool {
    program.and_then(|program| program.to_str()).is_some_and(is_helper_name)
}

/// Reads the arguments after the program's name; without a command line to run, says why.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<(HelperVerb, HelperOptions), ExitCode> {
    let arguments: Vec<String> =
        arguments.into_iter().map(|text| text.to_string_lossy().into_owned()).collect();
    match HelperCommand::parse(&arguments).and_then(check) {
        Ok(HelperCommand::Run(verb, options)) => Ok((verb, *options)),
        Ok(HelperCommand::Help(verb)) => {
            Err(print(&help(verb)).unwrap_or_else(|failure| failure.report(ErrorFormat::Text)))
        }
        Err(error) => {
            warn(&format!("{error}; see aws_signing_helper --help"));
            Err(ExitCode::from(2))
        }
    }
}

fn check(command: HelperCommand) -> Result<HelperCommand, BadUsage> {
    if let HelperCommand::Run(verb, options) = &command {
        match verb {
            HelperVerb::CredentialProcess | HelperVerb::Update | HelperVerb::Serve => {
                options.check_request()?;
            }
            HelperVerb::SignString => options.check_signer()?,
            HelperVerb::ReadCertificateData => options.check_identity()?,
            HelperVerb::Version => {}
        }
    }
    Ok(command)
}

/// Runs a command.
pub(crate) fn run(verb: HelperVerb, options: HelperOptions) -> Result<ExitCode, Failure> {
    let global = Global { debug: options.debug, ..Global::default() };
    match verb {
        HelperVerb::CredentialProcess => {
            export::credential_process_of(&global, certificate(options)?)
        }
        HelperVerb::Update => {
            let target = options.target.clone();
            let args = UpdateArgs { profile: target, once: options.once, ..UpdateArgs::default() };
            update::run_for(&global, &args, certificate(options)?)
        }
        HelperVerb::Serve => {
            let args = ServeArgs {
                port: options.port,
                hop_limit: options.hop_limit,
                imds: true,
                ..ServeArgs::default()
            };
            serve::run_for(&global, &args, certificate(options)?)
        }
        HelperVerb::SignString => sign_string::run_for(options),
        HelperVerb::ReadCertificateData => certificate_data::run_for(&global, options),
        HelperVerb::Version => version(),
    }
}

pub(crate) fn version() -> Result<ExitCode, Failure> {
    print(concat!(env!("CARGO_PKG_VERSION"), "\n"))
}

fn help(verb: Option<HelperVerb>) -> String {
    let mut text = format!(
        "rolecall {} in the place of AWS's aws_signing_helper: credentials from IAM Roles Anywhere\n",
        env!("CARGO_PKG_VERSION")
    );
    // Writing to a string cannot fail.
    let _ = match verb {
        None => writeln!(text, "\nUsage: aws_signing_helper COMMAND [FLAGS]\n\nCommands:"),
        Some(verb) => {
            let about = HelperVerb::ALL.into_iter().find(|(known, ..)| *known == verb);
            let (name, about) = about.map_or(("", ""), |(_, name, about)| (name, about));
            writeln!(text, "\n{about}.\n\nUsage: aws_signing_helper {name} [FLAGS]\n\nFlags:")
        }
    };
    match verb {
        None => {
            for (_, name, about) in HelperVerb::ALL {
                let _ = writeln!(text, "  {name:<24}{about}");
            }
        }
        Some(verb) => {
            for flag in verb.flags() {
                let value = flag.value.map(|value| format!(" {value}")).unwrap_or_default();
                let _ = writeln!(text, "  --{}{value}\n        {}", flag.name, flag.help);
            }
        }
    }
    text
}
