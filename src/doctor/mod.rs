//! What is wrong on this machine with getting credentials, and what to do about it.
//!
//! Read-only: nothing is written, refreshed or run. All waits are bounded, together to less than
//! three seconds.

mod files;
mod finding;
mod imds;
#[cfg(test)]
mod kit_tests;
mod leftovers;
mod region;
mod report;
mod sources;
mod sts;
#[cfg(test)]
mod testing;
mod tokens;
mod variables;
mod web;

use std::time::Duration;

use rolecall_core::{Context, ErrorKind};

pub use finding::{Finding, Severity};
pub use report::Diagnosis;

use crate::SessionOptions;
use crate::setup::Setup;

/// For what is read from files. It takes milliseconds, unless a disk hangs or a pipe is silent.
const FILES_LIMIT: Duration = Duration::from_secs(1);
/// For what is asked over the network, all of it at once.
const NETWORK_LIMIT: Duration = Duration::from_millis(1700);

/// Looks for what is wrong with the session that `options` would make: in files and variables, and
/// by one unsigned question to STS and, where it matters, a look at the EC2 metadata service.
///
/// Takes less than three seconds.
pub async fn diagnose(options: SessionOptions) -> Diagnosis {
    let context = options.context.clone().unwrap_or_else(Context::real);
    let clock = context.clock.clone();
    let reading = tokio::task::spawn_blocking(move || Files::look(options, &context));
    let files = match clock.timeout(FILES_LIMIT, reading).await {
        Some(Ok(files)) => files,
        Some(Err(_)) => return Diagnosis::new(vec![unread(ErrorKind::Internal, "failed")]),
        None => {
            let what = format!("took longer than {} s", FILES_LIMIT.as_secs());
            return Diagnosis::new(vec![unread(ErrorKind::TimedOut, &what)]);
        }
    };
    let mut findings = Vec::new();
    if let Some(setup) = &files.setup {
        let (sts, imds) = tokio::join!(
            clock.timeout(NETWORK_LIMIT, sts::check(setup, files.web_works)),
            clock.timeout(NETWORK_LIMIT, imds::check(setup)),
        );
        findings.extend(sts.unwrap_or_else(|| vec![no_end(sts::CHECK)]));
        findings.extend(imds.unwrap_or_else(|| Some(no_end(imds::CHECK))));
    }
    findings.extend(files.findings);
    Diagnosis::new(findings)
}

/// What files and variables say.
struct Files {
    findings: Vec<Finding>,
    /// `None` if the profile files cannot be read.
    setup: Option<Setup>,
    /// Whether the settings of proxies and authorities can be used.
    web_works: bool,
}

impl Files {
    fn look(options: SessionOptions, context: &Context) -> Self {
        let region = options.region.clone();
        let named = options.profile.is_some();
        let (mut findings, setup) = match Setup::read(options) {
            Ok(setup) => {
                let mut findings = sources::check(&setup, named);
                findings.extend(region::check(&setup, region.is_some()));
                findings.extend(tokens::check(&setup));
                (findings, Some(setup))
            }
            Err(error) => (vec![Finding::of_error(sources::PROFILES, &error)], None),
        };
        let profiles = setup.as_ref().map(|setup| &setup.profiles);
        let profile = setup.as_ref().and_then(|setup| setup.profiles.get(&setup.selected));
        let client = setup.as_ref().and_then(|setup| setup.web.as_deref());
        let web = web::check(context, profile, client);
        let web_works = !web.iter().any(|finding| matches!(finding.severity, Severity::Error(_)));
        findings.extend(web);
        findings.extend(variables::check(&context.env));
        findings.extend(files::check(context, profiles));
        findings.extend(leftovers::check(context));
        Self { findings, setup, web_works }
    }
}

fn unread(kind: ErrorKind, what: &str) -> Finding {
    Finding::error(kind, "files", format!("reading the profile files and the cache {what}"))
        .fix("is HOME on a disk that does not answer, or does a variable name a silent pipe?")
}

fn no_end(check: &'static str) -> Finding {
    let what = format!("no answer within {} s", NETWORK_LIMIT.as_secs_f64());
    Finding::error(ErrorKind::TimedOut, check, what)
        .fix("check the network, name resolution and the proxy variables")
}
