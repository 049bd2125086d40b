use std::process::ExitCode;

use rolecall::update::{Update, Updater};
use rolecall::{Credentials, RolesAnywhereOptions, SessionOptions, timestamp};
use serde_json::json;

use crate::args::{Global, UpdateArgs};
use crate::helper_flags::{certificate, refuse_beside};
use crate::output::{Failure, print_json, warn};

pub(crate) fn run(global: &Global, args: &UpdateArgs) -> Result<ExitCode, Failure> {
    if !args.certificate.are_given() {
        let source = SessionOptions { profile: args.from.clone(), ..super::options(global) };
        return run_with(global, args, source);
    }
    refuse_beside("--from", args.from.is_some());
    run_for(global, args, certificate(args.certificate.options_beside_profile(global))?)
}

/// Writes the credentials of a certificate.
pub(crate) fn run_for(
    global: &Global,
    args: &UpdateArgs,
    certificate: RolesAnywhereOptions,
) -> Result<ExitCode, Failure> {
    let options = super::options(global);
    let source = SessionOptions { profile: None, roles_anywhere: Some(certificate), ..options };
    run_with(global, args, source)
}

fn run_with(
    global: &Global,
    args: &UpdateArgs,
    source: SessionOptions,
) -> Result<ExitCode, Failure> {
    let mut updater = Updater::new(args.profile.as_deref().unwrap_or("default"), source)?;
    updater.replaces_long_lived_keys = args.profile.is_some();
    if args.once {
        let credentials = rolecall::block_on(updater.once())??;
        written(global, &updater, &credentials, None);
        return Ok(ExitCode::SUCCESS);
    }
    let report = |update: Update<'_>| match update {
        Update::Written { credentials, next } => {
            written(global, &updater, credentials, next.map(timestamp::format));
        }
        Update::Failed { error, pause } => {
            let seconds = pause.as_secs_f64().ceil();
            warn(&format!("warning: {error}; trying again in {seconds} s"));
        }
    };
    rolecall::block_on(updater.run_until_signal(report))??;
    Ok(ExitCode::SUCCESS)
}

fn written(global: &Global, updater: &Updater, credentials: &Credentials, next: Option<String>) {
    let (target, key) = (updater.target(), credentials.access_key_id());
    let end = credentials.expires_at().map(timestamp::format);
    if global.json {
        // Nobody may be reading any more: the credentials are renewed all the same.
        let _ = print_json(&json!({
            "profile": target,
            "access_key_id": key,
            "expiration": end,
            "next_refresh": next,
        }));
        return;
    }
    let until = end.map_or("without an end".to_owned(), |end| format!("until {end}"));
    let again = next.map(|next| format!(", again at {next}")).unwrap_or_default();
    warn(&format!("wrote {key} to profile {target}, good {until}{again}"));
}
