//! One module a command.

pub(crate) mod cache;
pub(crate) mod certificate_data;
pub(crate) mod completions;
pub(crate) mod configure;
pub(crate) mod doctor;
pub(crate) mod eks;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod helper;
pub(crate) mod identity;
pub(crate) mod lease;
pub(crate) mod profiles;
pub(crate) mod secret;
pub(crate) mod serve;
pub(crate) mod sign_string;
mod store;
pub(crate) mod sts;
pub(crate) mod update;
pub(crate) mod version;
pub(crate) mod whoami;

use std::time::Duration;

use rolecall::{Session, SessionOptions};

use crate::args::Global;
use crate::output::Failure;

/// The session that the global options ask for.
fn session(global: &Global) -> Result<Session, Failure> {
    Ok(Session::new(options(global))?)
}

fn options(global: &Global) -> SessionOptions {
    SessionOptions {
        profile: global.profile.clone(),
        region: global.region.clone(),
        endpoint_url: global.endpoint_url.clone(),
        no_disk_cache: global.no_cache,
        mfa_code: global.mfa_code.clone(),
        process_timeout: global.process_timeout.map(Duration::from_secs),
        ..SessionOptions::default()
    }
}
