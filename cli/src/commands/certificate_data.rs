use std::process::ExitCode;

use rolecall::Context;
use rolecall::rolesanywhere::command_line::{HelperOptions, matching_identities};
use rolecall::rolesanywhere::{IdentityReader, read_certificate_data};
use serde_json::json;

use crate::args::Global;
use crate::helper_flags::{IdentityFlags, bad_usage, check};
use crate::output::{Failure, print, print_json};

pub(crate) fn run(global: &Global, flags: &IdentityFlags) -> Result<ExitCode, Failure> {
    run_for(global, flags.options(global))
}

/// Prints what a certificate says, or in a list the certificates of a token or those that a selector
/// matches, as AWS's helper does.
pub(crate) fn run_for(global: &Global, mut options: HelperOptions) -> Result<ExitCode, Failure> {
    options.check_identity().unwrap_or_else(|error| bad_usage(&error));
    check(&mut options)?;
    let reader = IdentityReader::new(Context::real(), options.identity.clone());
    let certificates = rolecall::block_on(reader.certificates())??;
    let is_in_token = options.identity.place().is_some_and(|place| place.starts_with("pkcs11:"));
    let is_list = is_in_token || (options.identity.selector.is_some() && certificates.len() > 1);
    if is_list && !global.json {
        return print(&matching_identities(&certificates));
    }
    let data: Vec<_> = certificates.iter().map(read_certificate_data).collect();
    match (is_list, data.first()) {
        (false, Some(first)) if !global.json => print(&json!(first).to_string()),
        (false, Some(first)) => print_json(&json!(first)),
        _ => print_json(&json!(data)),
    }
}
