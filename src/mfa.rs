//! MFA once: which profiles share one session of a device.

use std::time::Duration;

use rolecall_core::cache::own_name;
use rolecall_core::profile::{Plan, RoleHop, Source};
use rolecall_core::{Context, Program, Prompt};

use crate::setup::Setup;

/// How long a session of GetSessionToken lasts where nothing else is asked for.
pub(crate) const SESSION_LIFETIME: Duration = Duration::from_secs(43_200);
/// A role's session from another session's credentials lasts no longer.
const LONGEST_CHAINED: u32 = 3600;

/// The device whose session the first role of `plan` is assumed with, and the access key of the
/// user whose session it is. `None`: each role that wants a code is given one of its own.
pub(crate) fn session<'a>(context: &Context, plan: &'a Plan) -> Option<(&'a str, &'a str)> {
    let first = plan.hops.first()?;
    let serial = first.mfa_serial.as_deref()?;
    if !first.mfa_session || first.duration_seconds.is_some_and(|s| s > LONGEST_CHAINED) {
        return None;
    }
    // Session credentials cannot call GetSessionToken.
    match &plan.source {
        Source::StaticKeys { access_key_id, session_token: None, .. } => {
            Some((serial, access_key_id))
        }
        Source::Environment { access_key_id, .. }
            if context.env.get("AWS_SESSION_TOKEN").is_none() =>
        {
            Some((serial, access_key_id))
        }
        _ => None,
    }
}

/// The name of the session's cache entry. It serves profiles of all regions of one authority.
pub(crate) fn cache_name(serial: &str, access_key_id: &str, authority: &str) -> String {
    own_name(
        "mfa-session",
        &[("SerialNumber", serial), ("AccessKeyId", access_key_id), ("Authority", authority)],
    )
}

/// Whether the hop `number` is to prove its device itself. Later roles do not where the first was
/// assumed with a session that had proven the same device: a role cannot prove a user's.
pub(crate) fn proves_device(session: Option<(&str, &str)>, number: usize, hop: &RoleHop) -> bool {
    match (session, hop.mfa_serial.as_deref()) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some((proven, _)), Some(serial)) => number > 0 && (proven != serial || !hop.mfa_session),
    }
}

/// Who is asked for the codes of `hop`: the caller's own prompt goes before the profile's program,
/// and that before the terminal.
pub(crate) fn prompt(setup: &Setup, hop: &RoleHop) -> Prompt {
    let context = &setup.context;
    match &hop.mfa_process {
        Some(command) if !setup.has_own_prompt => {
            let what = format!("mfa_process of profile {} ({})", hop.profile, hop.origin);
            let program = Program::new(context.clone(), command.clone(), what);
            Prompt::from_program(program, setup.program_deadline())
        }
        _ => context.prompt.clone(),
    }
}
