//! Command lines that make no sense.

use std::io::Write;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, Error, Parser};
use serde_json::json;

use crate::args::Args;

/// Reads the command line. Ends the program where it makes no sense, and after help.
pub(crate) fn parse() -> Args {
    Args::try_parse().unwrap_or_else(|error| end(&error))
}

/// Ends the program: the command line makes no sense.
pub(crate) fn refuse(kind: ErrorKind, message: &str) -> ! {
    let mut command = Args::command();
    command.build();
    let given = command.clone().try_get_matches_from(std::env::args_os()).ok();
    // The usage that is shown is that of the command which was given.
    let mut given = given.as_ref().and_then(ArgMatches::subcommand);
    while let Some((name, below)) = given {
        let Some(next) = command.find_subcommand(name).cloned() else { break };
        (command, given) = (next, below.subcommand());
    }
    end(&command.error(kind, message))
}

/// Says it in the form that is asked for, and ends the program.
fn end(error: &Error) -> ! {
    let is_error =
        error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if !is_error || !asks_for_json() {
        error.exit();
    }
    // If standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{}", to_json(error));
    std::process::exit(error.exit_code());
}

/// What [`crate::output::Failure`] prints of other errors.
fn to_json(error: &Error) -> serde_json::Value {
    let text = error.render().to_string();
    let text = text.trim_start_matches("error: ");
    // The message, what may be meant, the usage, and where help is.
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut parts = text.split("\n\n").map(one_line).filter(|part| !part.is_empty());
    let message = parts.next();
    let help = parts.collect::<Vec<_>>().join("; ");
    json!({"error": {
        "kind": "BadUsage",
        "provider": "command line",
        "place": null,
        "message": message,
        "help": help,
        "causes": [],
    }})
}

/// Whether the command line, which cannot be read as a whole, says `--error-format json`.
fn asks_for_json() -> bool {
    let arguments = std::env::args_os().skip(1).take_while(|argument| argument != "--");
    let arguments: Vec<_> = arguments.collect();
    let is_pair = |pair: &[_]| pair[0] == *"--error-format" && pair[1] == *"json";
    arguments.iter().any(|argument| argument == "--error-format=json")
        || arguments.windows(2).any(is_pair)
}
