//! One unsigned question to STS: whether it can be reached, and what time it is there.

use std::time::{Duration, SystemTime};

use http::header::{ACCEPT, CONTENT_TYPE};
use rolecall_core::http::{HttpError, HttpFailure, Request, Response, TimeLimit, date_of};
use rolecall_core::{ErrorKind, timestamp};

use super::region::is_needed;
use super::{Finding, Severity};
use crate::setup::Setup;

pub(super) const CHECK: &str = "sts";
const CLOCK: &str = "clock";
const TIME_LIMIT: Duration = Duration::from_millis(1500);
/// Beyond this AWS refuses signatures.
const REFUSED_SKEW: Duration = Duration::from_secs(5 * 60);
/// More than a network may make of it.
const NOTABLE_SKEW: Duration = Duration::from_secs(20);

const SET_CLOCK: &str = if cfg!(target_os = "macos") {
    "run sudo sntp -sS time.apple.com"
} else {
    "run sudo timedatectl set-ntp true (in a container or virtual machine, on its host)"
};

pub(super) async fn check(setup: &Setup, web_works: bool) -> Vec<Finding> {
    let endpoint = setup.sts.as_ref().ok().and_then(|sts| sts.endpoint.as_ref().ok());
    let Some(endpoint) = endpoint.filter(|_| web_works) else {
        let finding = Finding::info(CLOCK, "not compared with AWS's: STS cannot be asked");
        return vec![finding.fix("correct the region, the endpoint, the proxy or the CA bundle")];
    };
    let url = &endpoint.url;
    let clock = &setup.context.clock;
    let before = clock.local_now();
    let answer = match question(url) {
        Ok(question) => setup.context.http.send(question).await,
        Err(error) => Err(HttpError::new(HttpFailure::Unusable, error.to_string())),
    };
    let took = clock.local_now().duration_since(before).unwrap_or_default();
    // Without STS some sources work all the same.
    let is_needed = is_needed(setup.plan.as_ref().ok());
    let lessened = |finding: Finding| match finding.severity {
        Severity::Error(_) if !is_needed => Finding { severity: Severity::Warning, ..finding },
        _ => finding,
    };
    match answer {
        Err(error) => vec![lessened(unreachable(url, &error))],
        Ok(answer) => {
            let reached = lessened(reached(url, &answer, took));
            // Only AWS's own time counts.
            let is_aws = reached.severity == Severity::Info;
            let date = date_of(&answer).filter(|_| is_aws);
            date.map(|date| judge(before + took / 2, date, url))
                .into_iter()
                .chain([reached])
                .collect()
        }
    }
}

/// STS refuses it, in its own words, as it bears no signature.
fn question(url: &str) -> http::Result<Request> {
    http::Request::post(format!("{url}/"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
        .header(ACCEPT, "text/xml")
        .extension(TimeLimit(TIME_LIMIT))
        .body(b"Action=GetCallerIdentity&Version=2011-06-15".to_vec().into())
}

fn judge(here: SystemTime, there: SystemTime, url: &str) -> Finding {
    let (skew, way) = match here.duration_since(there) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    let evidence =
        format!("{} here, {} at {url}", timestamp::format(here), timestamp::format(there));
    let what = format!("this machine's clock is {} s {way} AWS's", skew.as_secs());
    let finding = if skew >= REFUSED_SKEW {
        let kind = ErrorKind::InvalidConfiguration;
        Finding::error(kind, CLOCK, format!("{what}, and AWS refuses such signatures"))
    } else if skew >= NOTABLE_SKEW {
        Finding::warning(CLOCK, what)
    } else {
        return Finding::info(CLOCK, "as AWS's");
    };
    finding.evidence(evidence).fix(SET_CLOCK)
}

fn reached(url: &str, answer: &Response, took: Duration) -> Finding {
    let text = String::from_utf8_lossy(answer.body());
    let status = answer.status().as_u16();
    let is_sts = ["<ErrorResponse", "<GetCallerIdentityResponse"].iter().any(|t| text.contains(t));
    if status >= 500 {
        Finding::error(ErrorKind::Unavailable, CHECK, "STS is failing")
            .evidence(format!("{url} answered {status}"))
            .fix("try again later, or use the endpoint of another region")
    } else if is_sts {
        let millis = took.as_millis();
        Finding::info(CHECK, "reachable").evidence(format!("{url} answered in {millis} ms"))
    } else {
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let evidence = format!("{url} answered {status}, {}", kind.unwrap_or("of no type"));
        Finding::error(ErrorKind::Malformed, CHECK, "something else answers in place of STS")
            .evidence(evidence)
            .fix("is a proxy or a sign-in page in between, or is the endpoint URL another's?")
    }
}

fn unreachable(url: &str, error: &HttpError) -> Finding {
    let (kind, what, fix) = match error.failure {
        HttpFailure::Tls => (
            ErrorKind::Unavailable,
            "the certificate of STS is not to be trusted",
            "behind a proxy that inspects TLS, set AWS_CA_BUNDLE to the file with its authority",
        ),
        HttpFailure::TimedOut => (
            ErrorKind::TimedOut,
            "STS does not answer in time",
            "check the proxy variables and the firewall; in a VPC, the endpoint of STS",
        ),
        HttpFailure::Interrupted => (
            ErrorKind::Unavailable,
            "STS breaks the connection off",
            "is a proxy or a firewall in between?",
        ),
        HttpFailure::TooLarge => (
            ErrorKind::Malformed,
            "something else answers in place of STS",
            "check the endpoint URL and the proxy variables",
        ),
        HttpFailure::Unusable => (
            ErrorKind::InvalidConfiguration,
            "STS cannot be asked",
            "check the proxy variables, the CA bundle and the endpoint URL",
        ),
        _ => (
            ErrorKind::Unavailable,
            "STS cannot be reached",
            "check the network, the region, the endpoint URL and the proxy variables",
        ),
    };
    Finding::error(kind, CHECK, what).evidence(format!("{url}: {}", error.message)).fix(fix)
}
