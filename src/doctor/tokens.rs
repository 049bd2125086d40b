//! Credentials and tokens that have ended or soon will.

use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rolecall_core::cache::CacheFolder;
use rolecall_core::profile::{Plan, Source, aws_folder};
use rolecall_core::{Context, ErrorKind, PathKind, timestamp};
use rolecall_sts::read_token_file;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Finding;
use super::variables::mismatch;
use crate::setup::Setup;
use crate::sso;

const CHECK: &str = "tokens";
/// AWS CLI does not use what ends sooner.
const SOON: Duration = Duration::from_secs(15 * 60);
/// Whoever writes token files renews them long before.
const SOON_IN_FILE: Duration = Duration::from_secs(5 * 60);
/// No session of a role or of MFA lasts longer.
const LONGEST: Duration = Duration::from_secs(36 * 3600 + 5 * 60);

pub(super) fn check(setup: &Setup) -> Vec<Finding> {
    let context = &setup.context;
    let mut findings = Vec::new();
    if let Ok(plan) = &setup.plan {
        findings.extend(of_source(setup, plan));
    }
    findings.extend(cached(context));
    findings
}

fn of_source(setup: &Setup, plan: &Plan) -> Option<Finding> {
    let context = &setup.context;
    match &plan.source {
        Source::Environment { .. } => environment(context),
        Source::WebIdentity { token_file, .. } => web_identity(context, token_file),
        Source::Sso { .. } => sso(setup, &plan.source),
        Source::StaticKeys { profile, access_key_id, session_token, .. } => {
            let place = format!("profile {profile}");
            mismatch(CHECK, access_key_id, session_token.is_some(), "aws_session_token", &place)
        }
        _ => None,
    }
}

/// That it has ended is among what `explain` finds.
fn environment(context: &Context) -> Option<Finding> {
    let end = timestamp::parse(&context.env.get("AWS_CREDENTIAL_EXPIRATION")?)?;
    let left = end.duration_since(context.clock.now()).ok().filter(|left| !left.is_zero())?;
    Some(if left < SOON {
        Finding::warning(CHECK, format!("the environment's credentials end {}", in_time(left)))
            .evidence(format!("AWS_CREDENTIAL_EXPIRATION is {}", timestamp::format(end)))
            .fix("get new ones, or run the command by rolecall exec --serve, which renews them")
    } else {
        Finding::info(CHECK, format!("the environment's credentials end {}", in_time(left)))
    })
}

/// The end that a JSON Web Token states; its signature is for STS to check.
#[derive(Deserialize)]
struct Claims {
    exp: f64,
}

/// That there is no token is among what `explain` finds.
fn web_identity(context: &Context, path: &Path) -> Option<Finding> {
    let facts = context.fs.facts(path).ok()??;
    // A pipe gives its token once.
    if facts.kind != PathKind::File {
        return None;
    }
    let token = read_token_file(&context.fs, path).ok()?;
    let payload = token.expose().split('.').nth(1)?;
    let payload = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?);
    let seconds = serde_json::from_slice::<Claims>(&payload).ok()?.exp;
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    let end = SystemTime::UNIX_EPOCH.checked_add(since)?;
    let now = context.clock.now();
    // Years of more than four digits are no time to show.
    let shown = match since.as_secs() {
        0..253_402_300_800 => timestamp::format(end),
        _ => "far from now".to_owned(),
    };
    let evidence = format!("{}: exp is {shown}", path.display());
    let fix = "whatever writes the file must renew it: on EKS the kubelet does, elsewhere look at \
               the CI job or the helper that wrote it";
    Some(match end.duration_since(now) {
        Ok(left) if left > SOON_IN_FILE => {
            Finding::info(CHECK, format!("the web identity token ends {}", in_time(left)))
        }
        Ok(left) if !left.is_zero() => {
            Finding::warning(CHECK, format!("the web identity token ends {}", in_time(left)))
                .evidence(evidence)
                .fix(fix)
        }
        _ => Finding::error(ErrorKind::Denied, CHECK, "the web identity token has ended")
            .evidence(evidence)
            .fix(fix),
    })
}

/// That nobody has signed in, or the sign-in has ended, is among what `explain` finds.
fn sso(setup: &Setup, source: &Source) -> Option<Finding> {
    sso::role(source)?;
    let sign_in = sso::provider(setup, source).ok()?.check().ok()?;
    if sign_in.is_renewable {
        let what = "the token of IAM Identity Center is renewed when it is used";
        return Some(Finding::info(CHECK, what));
    }
    let left = sign_in.expires_at.duration_since(setup.context.clock.now()).unwrap_or_default();
    let what = format!("the token of IAM Identity Center ends {}", in_time(left));
    Some(if left >= SOON {
        Finding::info(CHECK, what)
    } else {
        Finding::warning(CHECK, what)
            .evidence(sign_in.file.display().to_string())
            .fix(sso::role(source)?.sign_in())
    })
}

/// Role credentials are renewed as they are needed: what has ended is no fault.
fn cached(context: &Context) -> Vec<Finding> {
    let Some(folder) = aws_folder(&context.env).map(|folder| CacheFolder::below(&folder)) else {
        return Vec::new();
    };
    // That it cannot be read is told with the permissions.
    let entries = folder.list(&context.fs).unwrap_or_default();
    if entries.is_empty() {
        return Vec::new();
    }
    let now = context.clock.now();
    let ends: Vec<_> = entries.iter().filter_map(|entry| entry.expires_at).collect();
    let ended = ends.iter().filter(|end| **end <= now).count();
    let soon = ends.iter().filter(|end| **end > now && **end < now + SOON).count();
    let what = format!(
        "{} cached credentials: {ended} have ended, {soon} end within {} min",
        entries.len(),
        SOON.as_secs() / 60
    );
    let place = folder.entries().display().to_string();
    let mut findings = vec![Finding::info(CHECK, what).evidence(&place)];
    let odd = entries.iter().filter(|entry| entry.expires_at.is_some_and(|e| e > now + LONGEST));
    let odd: Vec<_> = odd.map(|entry| entry.name.as_str()).collect();
    if !odd.is_empty() {
        findings.push(
            Finding::warning(CHECK, "cached credentials last longer than any session can")
                .evidence(format!("{place}: {}", odd.join(", ")))
                .fix("a machine with a wrong clock wrote them: run rolecall cache clear"),
        );
    }
    findings
}

fn in_time(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..120 => format!("in {seconds} s"),
        seconds @ 120..7200 => format!("in {} min", seconds / 60),
        seconds => format!("in {} h", seconds / 3600),
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
