mod auth;
mod bounds;
mod method;
mod token;
mod verify;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::args::Global;
use crate::output::Failure;

#[derive(Args)]
#[command(subcommand_required = true)]
pub(crate) struct IdentityCommand {
    #[command(subcommand)]
    operation: Operation,
}

// Built only for `identity`: all other commands start without it.
#[derive(Subcommand)]
#[command(defer = true)]
enum Operation {
    /// Print a token that proves this identity, as `akeyless get-cloud-identity` does
    Token(Box<token::TokenArgs>),
    /// Show what is in a token, without what would let somebody use it
    Inspect(verify::InspectArgs),
    /// Check a token, as a server does, and say who it is
    Verify(Box<verify::VerifyArgs>),
    /// Say what is wrong with bounds: that they cross accounts, or can never fit
    Lint(Box<bounds::LintArgs>),
    /// Auth methods: who may log in, and what their sessions are
    Method(Box<method::MethodCommand>),
    /// Save in a profile by which auth method it logs in
    Configure(auth::ConfigureArgs),
    /// Log in by an auth method, and print the session; it is kept as long as it holds
    Auth(auth::AuthArgs),
    /// Check a session, and say who has it
    Session(auth::SessionArgs),
    /// Print the public keys that sessions can be verified with, as a JSON Web Key Set, or drop one
    Jwks(auth::JwksArgs),
}

pub(crate) fn run(global: &Global, command: &IdentityCommand) -> Result<ExitCode, Failure> {
    match &command.operation {
        Operation::Token(args) => token::run(global, args),
        Operation::Inspect(args) => verify::inspect(global, args),
        Operation::Verify(args) => verify::run(global, args),
        Operation::Lint(args) => bounds::lint(global, args),
        Operation::Method(args) => method::run(global, args),
        Operation::Configure(args) => auth::configure(global, args),
        Operation::Auth(args) => auth::auth(global, args),
        Operation::Session(args) => auth::session(global, args),
        Operation::Jwks(args) => auth::jwks(global, args),
    }
}
