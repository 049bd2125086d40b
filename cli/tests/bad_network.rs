//! Networks, proxies and peers that are wrong.

use std::net::TcpListener;

use rolecall_kit::{Fault, FaultRule, Kit, World};

use crate::support::{Expected, Sandbox, path_text};

/// A port that nobody listens on.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A sandbox whose AWS does this to every call, and which tries but once.
fn faulty(fault: Fault) -> Sandbox {
    let sandbox = Sandbox::new().set("AWS_MAX_ATTEMPTS", "1");
    sandbox.kit.inject(FaultRule::always("*", fault));
    sandbox
}

fn html(status: u16) -> Fault {
    Fault::Raw {
        status,
        content_type: "text/html".to_owned(),
        body: "<!DOCTYPE html><title>Sign in</title><p>hunter2<br>".to_owned(),
        headers: [].into(),
    }
}

fn failing<'a>(code: i32, kind: &'a str, says: &'a [&'a str], help: &'a str) -> Expected<'a> {
    Expected { code, kind, says, help }
}

#[test]
fn an_endpoint_that_cannot_be_reached() {
    let place = format!("127.0.0.1:{}", closed_port());
    let url = format!("http://{place}");
    let sandbox = Sandbox::new().set("AWS_ENDPOINT_URL_STS", url).set("AWS_MAX_ATTEMPTS", "1");
    let refused = format!("{place} could not be reached: Connection refused");
    let says = ["profile hop (", &refused];
    failing(6, "Unavailable", &says, "endpoint URL").of_profile(&sandbox, "hop");
    assert!(!sandbox.export("hop").stderr.contains("proxy is set"));
}

#[test]
fn a_name_that_does_not_exist() {
    let sandbox = Sandbox::new()
        .set("AWS_ENDPOINT_URL_STS", "http://nothing.invalid")
        .set("AWS_MAX_ATTEMPTS", "1");
    let says = ["nothing.invalid:80 could not be reached"];
    failing(6, "Unavailable", &says, "network").of_profile(&sandbox, "hop");
}

#[test]
fn an_endpoint_that_is_tried_again_says_how_often() {
    let url = format!("http://127.0.0.1:{}", closed_port());
    let sandbox = Sandbox::new().set("AWS_ENDPOINT_URL_STS", url).set("AWS_MAX_ATTEMPTS", "2");
    let finished = sandbox.export("hop");
    assert_eq!(finished.code(), 6);
    assert!(finished.stderr.contains("(2 attempts)"), "{finished:?}");
}

#[test]
fn a_proxy_that_cannot_be_reached() {
    let proxy = format!("http://127.0.0.1:{}", closed_port());
    for (variable, url, port) in
        [("HTTP_PROXY", "http://sts.example", 80), ("HTTPS_PROXY", "https://sts.example", 443)]
    {
        let sandbox = Sandbox::new()
            .set(variable, &proxy)
            .set("AWS_ENDPOINT_URL_STS", url)
            .set("AWS_MAX_ATTEMPTS", "1");
        let reached = format!("sts.example:{port} could not be reached");
        let says = [reached.as_str(), "it may be the proxy"];
        failing(6, "Unavailable", &says, "proxy variables").of_profile(&sandbox, "hop");
    }
}

#[test]
fn a_proxy_that_answers_html() {
    // To a plain request, and to CONNECT.
    let sandbox = faulty(html(200));
    let proxy = sandbox.kit.url();
    let sandbox =
        sandbox.set("HTTP_PROXY", proxy.clone()).set("AWS_ENDPOINT_URL_STS", "http://sts.example");
    failing(7, "Malformed", &["profile hop (", "text/html"], "proxy").of_profile(&sandbox, "hop");

    let sandbox = faulty(html(403));
    let proxy = sandbox.kit.url();
    let sandbox =
        sandbox.set("HTTPS_PROXY", proxy).set("AWS_ENDPOINT_URL_STS", "https://sts.example");
    failing(6, "Unavailable", &["profile hop (", "sts.example"], "proxy")
        .of_profile(&sandbox, "hop");
}

#[test]
fn an_endpoint_that_answers_html() {
    for (status, code, kind) in
        [(200, 7, "Malformed"), (403, 7, "Malformed"), (503, 6, "Unavailable")]
    {
        let sandbox = faulty(html(status));
        let says = ["profile hop (", "text/html", &status.to_string()];
        failing(code, kind, &says, "proxy").of_profile(&sandbox, "hop");
        assert!(!sandbox.export("hop").stderr.contains("hunter2"));
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Kit::start(World::default());
    for status in [301, 302, 307, 308] {
        let sandbox = faulty(Fault::Redirect { status, location: other.url() });
        let says = ["profile hop (", &status.to_string()];
        failing(7, "Malformed", &says, "endpoint URL").of_profile(&sandbox, "hop");
    }
    assert!(other.counts().is_empty(), "credentials went elsewhere");
}

#[test]
fn an_answer_of_ten_megabytes() {
    let sandbox = faulty(Fault::Large { bytes: 10_000_000 });
    let says = ["profile hop (", "larger than"];
    failing(7, "Malformed", &says, "endpoint URL").of_profile(&sandbox, "hop");
}

#[test]
fn an_answer_that_breaks_off() {
    for fault in [Fault::Truncate, Fault::Close, Fault::LoseReply] {
        let sandbox = faulty(fault);
        let says = ["profile hop (", "127.0.0.1", "broke off"];
        failing(6, "Unavailable", &says, "try again").of_profile(&sandbox, "hop");
    }
}

#[test]
fn aws_that_throttles_or_fails() {
    let sandbox = faulty(Fault::Throttle);
    failing(6, "Unavailable", &["profile hop (", "Throttling"], "").of_profile(&sandbox, "hop");
    let fault = Fault::Fail { status: 500, code: "InternalFailure".into(), message: "no".into() };
    let sandbox = faulty(fault);
    failing(6, "Unavailable", &["InternalFailure"], "").of_profile(&sandbox, "hop");
}

#[test]
fn what_passes_is_tried_again() {
    let sandbox = Sandbox::new();
    sandbox.kit.inject(FaultRule::next("AssumeRole", 1, Fault::Throttle));
    sandbox.kit.inject(FaultRule::next("AssumeRole", 1, Fault::Close));
    sandbox.export("hop").good();
    assert_eq!(sandbox.kit.count("AssumeRole"), 3);
}

#[test]
fn a_peer_whose_certificate_is_not_to_be_trusted() {
    let kit = Kit::start_tls(World::default());
    let (url, ca) = (kit.tls_url().unwrap(), kit.ca_pem().unwrap().to_owned());
    let sandbox = Sandbox::with_kit(kit).set("AWS_ENDPOINT_URL_STS", url);
    let says = ["profile hop (", "127.0.0.1", "could not be trusted"];
    failing(6, "Unavailable", &says, "AWS_CA_BUNDLE").of_profile(&sandbox, "hop");
    assert!(sandbox.kit.counts().is_empty());

    // With its authority it is trusted: by the variable, and by the profile.
    let ca = path_text(&sandbox.file("ca.pem", &ca));
    let line = format!(
        "[profile p]\nca_bundle = {ca}\nrole_arn = {}\nsource_profile = alice\n",
        rolecall_kit::names::HOP
    );
    sandbox.add_config(&line);
    sandbox.export("p").good();
    let sandbox = sandbox.set("AWS_CA_BUNDLE", ca);
    sandbox.export("deploy").good();
    assert_eq!(sandbox.kit.count("AssumeRole"), 2);
}
