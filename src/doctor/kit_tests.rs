//! What is asked over the network, against the kit.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rolecall_core::http::{WebClient, WebSettings};
use rolecall_core::{Clock, Context, ErrorKind};
use rolecall_kit::{Fault, FaultRule, Imds, Kit, World, names};

use super::testing::{Machine, has, has_not};
use super::{Diagnosis, Severity, diagnose};
use crate::SessionOptions;

const ALICE: &str = "[default]\naws_access_key_id = AKIA1\naws_secret_access_key = hunter2\n";

/// A profile that needs STS.
fn role() -> String {
    format!("{ALICE}[profile role]\nrole_arn = {}\nsource_profile = default\n", names::HOP)
}

/// Diagnoses `profile` of a machine whose clock is the kit's, `seconds` ahead.
async fn diagnosed(
    kit: &Kit,
    config: &str,
    pairs: &[(&str, &str)],
    profile: Option<&str>,
    seconds: i64,
) -> Diagnosis {
    kit.freeze(kit.now());
    let url = kit.url();
    let mut all = vec![("AWS_REGION", "us-east-1"), ("AWS_ENDPOINT_URL_STS", &url)];
    all.extend(pairs);
    let machine = Machine::new(&all).config(config);
    let now = (kit.now() + seconds).cast_unsigned();
    let context = Context {
        clock: Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(now)),
        http: Arc::new(WebClient::new(
            WebSettings::from_env(&machine.context.env),
            machine.context.fs.clone(),
        )),
        ..machine.context.clone()
    };
    let profile = profile.map(str::to_owned);
    diagnose(SessionOptions { context: Some(context), profile, ..SessionOptions::default() }).await
}

async fn with_role(kit: &Kit, pairs: &[(&str, &str)], seconds: i64) -> Diagnosis {
    diagnosed(kit, &role(), pairs, Some("role"), seconds).await
}

#[tokio::test]
async fn a_good_machine_has_nothing_wrong() {
    let kit = Kit::start(World::default());
    let found = with_role(&kit, &[], 0).await;
    has(found.findings(), "as AWS's", "", "");
    has(found.findings(), "reachable", &kit.url(), "");
    assert_eq!(found.first_error(), None, "{found}");
    assert!(found.to_string().starts_with("Nothing is wrong.\n"), "{found}");
    // One question, which tells AWS no key.
    assert_eq!(kit.calls().len(), 1);
    assert!(kit.sessions().is_empty());
}

#[tokio::test]
async fn a_wrong_clock_is_told_with_both_times() {
    for (seconds, way) in [(600, "ahead of"), (-600, "behind")] {
        let found = with_role(&Kit::start(World::default()), &[], seconds).await;
        has(found.findings(), &format!("clock is 600 s {way}"), "Z here, ", "run sudo");
        assert_eq!(found.first_error(), Some(ErrorKind::InvalidConfiguration));
        let found = with_role(&Kit::start(World::default()), &[], seconds / 10).await;
        has(found.findings(), &format!("clock is 60 s {way}"), "", "run sudo");
        assert_eq!(found.first_error(), None, "{found}");
    }
}

#[tokio::test]
async fn an_sts_that_cannot_be_reached_is_told_by_how() {
    let kit = Kit::start(World::default());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nowhere = format!("http://127.0.0.1:{port}");
    let found = with_role(&kit, &[("AWS_ENDPOINT_URL_STS", &nowhere)], 0).await;
    has(found.findings(), "STS cannot be reached", &nowhere, "check the network");
    assert_eq!(found.first_error(), Some(ErrorKind::Unavailable));
    has_not(found.findings(), "as AWS's");
    // Keys alone work without it.
    let found = diagnosed(&kit, ALICE, &[("AWS_ENDPOINT_URL_STS", &nowhere)], None, 0).await;
    has(found.findings(), "STS cannot be reached", "", "");
    assert_eq!(found.first_error(), None, "{found}");
    // By a proxy that is not there.
    let proxied = [("http_proxy", nowhere.as_str()), ("AWS_ENDPOINT_URL_STS", "http://sts.test")];
    has(with_role(&kit, &proxied, 0).await.findings(), "STS cannot be reached", "", "proxy");
}

#[tokio::test]
async fn what_answers_in_place_of_sts_is_told() {
    let fault = |status| Fault::Raw {
        status,
        content_type: "text/html".to_owned(),
        body: "<title>Sign in</title>".to_owned(),
        headers: [].into(),
    };
    for (fault, kind, what) in [
        (fault(200), ErrorKind::Malformed, "something else answers"),
        (fault(503), ErrorKind::Unavailable, "STS is failing"),
        (Fault::Close, ErrorKind::Unavailable, "breaks the connection off"),
        (Fault::Large { bytes: 10_000_000 }, ErrorKind::Malformed, "something else answers"),
        (Fault::Stall, ErrorKind::TimedOut, "does not answer in time"),
    ] {
        let kit = Kit::start(World::default());
        kit.inject(FaultRule::always("*", fault));
        // Whoever that is, its time is not AWS's.
        let found = with_role(&kit, &[], 600).await;
        has(found.findings(), what, &kit.url(), "");
        has_not(found.findings(), "clock is");
        assert_eq!(found.first_error(), Some(kind), "{found}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_to_be_trusted_is_told() {
    let kit = Kit::start_tls(World::default());
    let url = kit.tls_url().unwrap();
    let found = with_role(&kit, &[("AWS_ENDPOINT_URL_STS", &url)], 0).await;
    has(found.findings(), "certificate of STS", &url, "AWS_CA_BUNDLE");
    assert_eq!(found.first_error(), Some(ErrorKind::Unavailable));
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_told_once() {
    let kit = Kit::start(World::default());
    let found = with_role(&kit, &[("AWS_CA_BUNDLE", "/gone.pem")], 0).await;
    assert_eq!(found.first_error(), Some(ErrorKind::InvalidConfiguration));
    let errors = found.findings().iter().filter(|f| matches!(f.severity, Severity::Error(_)));
    assert_eq!(errors.count(), 1, "{found}");
    has(found.findings(), "not compared", "", "");
    assert!(kit.calls().is_empty());
}

#[tokio::test]
async fn profile_files_that_cannot_be_read_are_told_with_the_rest() {
    let kit = Kit::start(World::default());
    let found = diagnosed(&kit, "[default", &[("AWS_SESSION_TOKEN", "hunter2")], None, 0).await;
    has(found.findings(), "/home/.aws/config:1", "profile files", "");
    has(found.findings(), "left over from a session", "", "");
    assert_eq!(found.first_error(), Some(ErrorKind::InvalidConfiguration));
}

async fn metadata(change: impl FnOnce(&mut Imds), config: &str) -> (Kit, Diagnosis) {
    let kit = Kit::start(World::default());
    kit.change_world(|world| change(&mut world.imds));
    let url = kit.imds_url();
    let found =
        diagnosed(&kit, config, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)], None, 0).await;
    (kit, found)
}

#[tokio::test]
async fn the_metadata_service_is_looked_at_where_it_counts() {
    let (kit, found) = metadata(|_| {}, "").await;
    has(found.findings(), "credentials of role Instance", "IMDSv2 at", "");
    assert_eq!(found.first_error(), None, "{found}");
    // Its credentials are not taken.
    assert_eq!((kit.count("imds:credentials"), kit.sessions().len()), (0, 0));
    let (kit, _) = metadata(|_| {}, ALICE).await;
    assert!(!kit.counts().keys().any(|name| name.starts_with("imds")), "{:?}", kit.counts());
}

#[tokio::test]
async fn what_is_wrong_with_the_metadata_service_is_told_apart() {
    let lost = |imds: &mut Imds| imds.hop_limit = 1;
    let (_kit, found) = metadata(lost, "").await;
    let command = "run aws ec2 modify-instance-metadata-options --instance-id INSTANCE_ID \
                   --http-put-response-hop-limit 2";
    has(found.findings(), "(hop limit)", "answers GET and not PUT", command);
    assert_eq!(found.first_error(), Some(ErrorKind::InvalidConfiguration));
    let (_kit, found) = metadata(|imds| imds.enabled = false, "").await;
    has(found.findings(), "switched off", "403", "--http-endpoint enabled");
    assert_eq!(found.first_error(), Some(ErrorKind::Denied));
    let (_kit, found) = metadata(|imds| imds.role = None, "").await;
    has(found.findings(), "no role is attached", "", "instance profile");
    assert_eq!(found.first_error(), Some(ErrorKind::NotConfigured));
    let wanted =
        format!("[default]\nrole_arn = {}\ncredential_source = Ec2InstanceMetadata\n", names::HOP);
    let (_kit, found) = metadata(|imds| imds.role = None, &wanted).await;
    assert_eq!(found.first_error(), Some(ErrorKind::InvalidConfiguration));
}

#[tokio::test]
async fn no_metadata_service_and_a_slow_one_are_told_apart() {
    let kit = Kit::start(World::default());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nowhere = format!("http://127.0.0.1:{port}");
    let variable = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
    let found = diagnosed(&kit, "", &[(variable, &nowhere)], None, 0).await;
    has(found.findings(), "no EC2 metadata service", &nowhere, "--profile");
    has(found.findings(), "no EC2 metadata service", "", "");
    assert_eq!(found.first_error(), Some(ErrorKind::NotConfigured));
    for operation in ["imds:token", "imds:roles", "imds:instance-id"] {
        kit.inject(FaultRule::always(operation, Fault::Stall));
    }
    kit.inject(FaultRule::always("*", Fault::Stall));
    let found = diagnosed(&kit, "", &[(variable, &kit.imds_url())], None, 0).await;
    has(found.findings(), "metadata service does not answer", "0.5 s", "firewall");
}
