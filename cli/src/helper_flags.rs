//! The flags of `aws_signing_helper` as clap knows them: made from the library's table, so that
//! each is written down once.

use clap::builder::ValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches};
use rolecall::rolesanywhere::command_line::{
    BadUsage, Flag, HelperOptions, IDENTITY_FLAGS, REQUEST_FLAGS,
};
use rolecall::{Context, CredentialsError, RolesAnywhereOptions};

use crate::args::Global;
use crate::output::{Failure, warn_of_exposed};
use crate::usage::refuse;

/// Those that are global here.
const GLOBAL: [&str; 2] = ["region", "debug"];

/// Where key and certificate come from and, with `REQUEST`, what is asked of Roles Anywhere.
#[derive(Clone, Default)]
pub(crate) struct HelperFlags<const REQUEST: bool>(Vec<(&'static str, String)>);

/// Who asks, and what for.
pub(crate) type CertificateFlags = HelperFlags<true>;
/// Who asks.
pub(crate) type IdentityFlags = HelperFlags<false>;

impl<const REQUEST: bool> HelperFlags<REQUEST> {
    fn table() -> impl Iterator<Item = Flag> {
        let request: &[Flag] = if REQUEST { &REQUEST_FLAGS } else { &[] };
        let flags = IDENTITY_FLAGS.iter().chain(request);
        flags.filter(|flag| !GLOBAL.contains(&flag.name)).copied()
    }

    /// Whether any is given.
    pub(crate) fn are_given(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether this one is given, and not as `false`.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.0.iter().any(|(given, value)| *given == name && value == "true")
    }

    /// What they say, with what the global options say. Ends the program where that makes no sense.
    pub(crate) fn options(&self, global: &Global) -> HelperOptions {
        refuse_beside("--profile", global.profile.is_some());
        self.options_beside_profile(global)
    }

    /// [`Self::options`] where `--profile` is no source.
    pub(crate) fn options_beside_profile(&self, global: &Global) -> HelperOptions {
        let region = global.region.as_deref().filter(|_| REQUEST);
        let flags = self.0.iter().map(|(name, value)| (*name, value.as_str()));
        let options = HelperOptions::from_flags(flags.chain(region.map(|r| ("region", r))));
        let mut options = options.unwrap_or_else(|error| bad_usage(&error));
        // Here it needs no flag.
        options.with_proxy = true;
        options
    }
}

impl<const REQUEST: bool> clap::FromArgMatches for HelperFlags<REQUEST> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = Self::table().filter_map(|flag| {
            let value = matches.get_one::<String>(flag.name)?;
            Some((flag.name, value.clone()))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<const REQUEST: bool> clap::Args for HelperFlags<REQUEST> {
    fn augment_args(command: clap::Command) -> clap::Command {
        command.args(Self::table().map(|flag| arg(&flag)))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

fn arg(flag: &Flag) -> Arg {
    let arg = Arg::new(flag.name)
        .long(flag.name)
        .help(flag.help)
        .help_heading("IAM Roles Anywhere")
        .action(ArgAction::Set)
        .value_parser(ValueParser::string())
        .overrides_with(flag.name);
    match flag.value {
        Some(value) => arg.value_name(value).allow_hyphen_values(true),
        // As the helper takes it: alone, or as in --debug=false.
        None => arg
            .value_name("true|false")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .hide_possible_values(true),
    }
}

/// Ends the program if `flag`, which names another source, is given beside a certificate's flags.
pub(crate) fn refuse_beside(flag: &str, is_given: bool) {
    if is_given {
        let message = format!("{flag} does not go with a certificate's flags");
        refuse(ErrorKind::ArgumentConflict, &message)
    }
}

/// Ends the program with what the library says of the command line.
pub(crate) fn bad_usage(error: &BadUsage) -> ! {
    refuse(ErrorKind::ValueValidation, &error.to_string())
}

/// What a call of Roles Anywhere is made from.
pub(crate) fn certificate(mut options: HelperOptions) -> Result<RolesAnywhereOptions, Failure> {
    options.check_request().unwrap_or_else(|error| bad_usage(&error));
    check(&mut options)?;
    Ok(options.into())
}

/// Checks that this program can do what `options` ask of a key, and reads their selector.
pub(crate) fn check(options: &mut HelperOptions) -> Result<(), Failure> {
    for flag in &options.exposed {
        warn_of_exposed(&format!("--{flag}"));
    }
    match options.unsupported {
        None => Ok(options.read_selector(&Context::real())?),
        Some(reason) => {
            let kind = rolecall::ErrorKind::InvalidConfiguration;
            Err(CredentialsError::new(kind, "Roles Anywhere", reason)
                .with_help("use AWS's own aws_signing_helper for this key until they are")
                .into())
        }
    }
}
