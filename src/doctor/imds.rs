//! The EC2 metadata service, where credentials are to come from it.

use std::time::Duration;

use rolecall_core::profile::{Plan, Source, nothing_found};
use rolecall_core::source::{ImdsProbe, ImdsSettings, probe_imds};
use rolecall_core::{CredentialsError, ErrorKind};

use super::Finding;
use crate::setup::Setup;

pub(super) const CHECK: &str = "imds";
/// For each of its answers: it is on this machine or the next, and has little to do.
const TIME_LIMIT: Duration = Duration::from_millis(500);

pub(super) async fn check(setup: &Setup) -> Option<Finding> {
    let plan = setup.plan.as_ref().ok().filter(|plan| plan.source == Source::Imds)?;
    // Settings that make no sense are among what `explain` finds.
    let settings = setup.imds.as_ref().ok()?;
    let timeout = settings.timeout.min(TIME_LIMIT);
    let settings = ImdsSettings { timeout, ..settings.clone() };
    let probe = probe_imds(&setup.context, &settings).await;
    Some(judge(plan, &settings, probe))
}

fn judge(plan: &Plan, settings: &ImdsSettings, probe: ImdsProbe) -> Finding {
    let at = settings.endpoint.to_string();
    match probe {
        ImdsProbe::Working { version, role: Some(role), took } => {
            let what = format!("the EC2 metadata service has credentials of role {role}");
            let millis = took.as_millis();
            Finding::info(CHECK, what).evidence(format!("IMDSv{version} at {at}, {millis} ms"))
        }
        ImdsProbe::Working { role: None, .. } => nothing(
            plan,
            "the EC2 metadata service has no credentials: no role is attached to the instance",
        )
        .evidence(at)
        .fix("attach an instance profile to the instance, or name a profile"),
        ImdsProbe::Absent { reason } => {
            nothing(plan, "there is no EC2 metadata service here: this is no EC2 instance")
                .evidence(format!("{at}: {reason}"))
                .fix("outside EC2, name a profile with --profile or AWS_PROFILE, or sign in")
        }
        ImdsProbe::HopLimit { command } => Finding::error(
            ErrorKind::InvalidConfiguration,
            CHECK,
            "the EC2 metadata service is there, but its tokens do not get as far as this process \
             (hop limit)",
        )
        .evidence(format!("{at} answers GET and not PUT"))
        .fix(format!("run {command}")),
        ImdsProbe::Disabled => {
            Finding::error(ErrorKind::Denied, CHECK, "the EC2 metadata service is switched off")
                .evidence(format!("{at} answered 403"))
                .fix(
                    "run aws ec2 modify-instance-metadata-options --instance-id INSTANCE_ID \
                     --http-endpoint enabled",
                )
        }
        ImdsProbe::Slow { limit } => {
            Finding::error(ErrorKind::TimedOut, CHECK, "the EC2 metadata service does not answer")
                .evidence(format!(
                    "{at} takes connections; nothing within {} s",
                    limit.as_secs_f64()
                ))
                .fix(
                    "is it overloaded, or is a firewall in between? \
                     AWS_METADATA_SERVICE_TIMEOUT gives it more seconds",
                )
        }
        ImdsProbe::Faulty(error) => Finding::of_error(CHECK, &error),
        _ => Finding::info(CHECK, "the EC2 metadata service is in a state of no name").evidence(at),
    }
}

/// At the end of the chain nothing is an answer; a profile counts on it.
fn nothing(plan: &Plan, what: &str) -> Finding {
    if plan.profile.is_some() {
        return Finding::error(ErrorKind::InvalidConfiguration, CHECK, what);
    }
    let error = CredentialsError::new(ErrorKind::NotConfigured, CHECK, what);
    Finding::error(ErrorKind::NotConfigured, CHECK, nothing_found(plan, &error).message())
}
