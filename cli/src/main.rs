//! The program `rolecall`: short-lived AWS credentials for any profile.
//!
//! It parses the command line and prints; everything else is the library's.

mod args;
mod commands;
mod helper_flags;
mod output;
mod shorthand;
mod talk;
mod usage;

use std::process::ExitCode;

use rolecall::Prompt;
use rolecall::rolesanywhere::command_line::HelperVerb;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use args::{Args, Command, ErrorFormat, ExecArgs};
use output::Failure;

fn main() -> ExitCode {
    // All handlers of this process are rolecall's own.
    Prompt::hear_signals();
    let mut arguments = std::env::args_os();
    if commands::helper::is_called(arguments.next().as_ref()) {
        return as_helper(arguments.collect());
    }
    let args = usage::parse();
    match &args.command {
        _ if args.global.debug => start_log(LevelFilter::TRACE),
        // What fails while nobody looks is told too.
        Command::Serve(_) | Command::Update(_) | Command::Exec(ExecArgs { serve: true, .. }) => {
            start_log(LevelFilter::WARN)
        }
        Command::Lease(lease) if lease.is_worker() => start_log(LevelFilter::INFO),
        Command::Lease(_) => start_log(LevelFilter::WARN),
        _ => talk::start(),
    }
    match run(&args) {
        Ok(code) => code,
        Err(failure) => failure.report(args.global.error_format),
    }
}

/// The program as AWS's helper.
fn as_helper(arguments: Vec<std::ffi::OsString>) -> ExitCode {
    let (verb, options) = match commands::helper::parse(arguments) {
        Ok(command) => command,
        Err(code) => return code,
    };
    match verb {
        _ if options.debug => start_log(LevelFilter::TRACE),
        HelperVerb::Serve | HelperVerb::Update => start_log(LevelFilter::WARN),
        _ => talk::start(),
    }
    commands::helper::run(verb, options).unwrap_or_else(|failure| failure.report(ErrorFormat::Text))
}

fn run(args: &Args) -> Result<ExitCode, Failure> {
    let global = &args.global;
    match &args.command {
        Command::Export(export) => commands::export::run(global, export),
        Command::CredentialProcess(certificate) => {
            commands::export::credential_process(global, certificate)
        }
        Command::Exec(exec) => commands::exec::run(global, exec),
        Command::Serve(serve) => commands::serve::run(global, serve),
        Command::Whoami => commands::whoami::run(global),
        Command::Sts(sts) => commands::sts::run(global, sts),
        Command::Profiles => commands::profiles::run(global),
        Command::Explain => commands::explain::run(global),
        Command::Doctor => commands::doctor::run(global),
        Command::Configure(configure) => commands::configure::run(global, configure),
        Command::Update(update) => commands::update::run(global, update),
        Command::SignString(sign) => commands::sign_string::run(global, sign),
        Command::ReadCertificateData(identity) => commands::certificate_data::run(global, identity),
        Command::Version => commands::version::run(global),
        Command::Identity(identity) => commands::identity::run(global, identity),
        Command::Eks(eks) => commands::eks::run(global, eks),
        Command::Secret(secret) => commands::secret::run(global, secret),
        Command::Lease(lease) => commands::lease::run(global, lease),
        Command::Cache(cache) => commands::cache::run(global, cache),
        Command::Completions { shell } => commands::completions::run(*shell),
    }
}

/// Talk goes to standard error. The filter keeps to the crates whose names begin with rolecall:
/// events of others may show requests.
fn start_log(level: LevelFilter) {
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
        .with(Targets::new().with_target("rolecall", level))
        .init();
}
