//! The program `rolecall`: short-lived AWS credentials for any profile.
//!
//! It parses the command line and prints; everything else is the library's.

mod args;
mod commands;
mod output;
mod shorthand;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command, ExecArgs};
use output::Failure;

fn main() -> ExitCode {
    let args = Args::parse();
    match &args.command {
        _ if args.global.debug => start_log("trace"),
        // What fails while nobody looks is told too.
        Command::Serve(_) | Command::Exec(ExecArgs { serve: true, .. }) => start_log("warn"),
        Command::Lease(lease) => start_log(if lease.is_worker() { "info" } else { "warn" }),
        _ => {}
    }
    match run(&args) {
        Ok(code) => code,
        Err(failure) => failure.report(args.global.error_format),
    }
}

fn run(args: &Args) -> Result<ExitCode, Failure> {
    let global = &args.global;
    match &args.command {
        Command::Export(export) => commands::export::run(global, export),
        Command::CredentialProcess => commands::export::credential_process(global),
        Command::Exec(exec) => commands::exec::run(global, exec),
        Command::Serve(serve) => commands::serve::run(global, serve),
        Command::Whoami => commands::whoami::run(global),
        Command::Sts(sts) => commands::sts::run(global, sts),
        Command::Profiles => commands::profiles::run(global),
        Command::Explain => commands::explain::run(global),
        Command::Doctor => commands::doctor::run(global),
        Command::Configure(configure) => commands::configure::run(global, configure),
        Command::Update(update) => commands::update::run(global, update),
        Command::Secret(secret) => commands::secret::run(global, secret),
        Command::Lease(lease) => commands::lease::run(global, lease),
        Command::Cache(cache) => commands::cache::run(global, cache),
        Command::Completions { shell } => commands::completions::run(*shell),
    }
}

/// Talk goes to standard error. The filter keeps to rolecall's own events: those of libraries may
/// show requests.
fn start_log(level: &str) {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            ["rolecall", "rolecall_core", "rolecall_sts", "rolecall_secrets"]
                .map(|krate| format!("{krate}={level}"))
                .join(","),
        )
        .init();
}
