//! The command line of `aws_signing_helper`, AWS's own program for Roles Anywhere, as data.
//!
//! [`HelperCommand::parse`] reads a command line as the program does (the rules are those of Go's
//! pflag: `--flag value`, `--flag=value`, `--switch`, `--switch=false`). [`ProfileLine`] says
//! whether the `credential_process` of a profile is such a command line, so that it can be run in
//! this process, and [`profile_line`] writes one.

mod flags;
mod line;
mod list;
mod options;
mod parse;

pub use flags::{Flag, HelperVerb, IDENTITY_FLAGS, REQUEST_FLAGS};
pub use line::{ProfileLine, is_helper_name, profile_line};
pub use list::matching_identities;
pub use options::{HelperOptions, SignFormat};
pub use parse::{BadUsage, HelperCommand};
