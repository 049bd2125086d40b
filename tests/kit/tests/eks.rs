//! EKS and the API servers of its clusters: what they refuse, and why.

#![allow(clippy::unwrap_used, reason = "the helpers are tests too")]

mod support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use rolecall_kit::{Kit, World, names};

use support::{Answer, alice, bob, presign, send};

fn kit() -> Kit {
    let kit = Kit::start(World::default());
    // 2026-01-01T00:00:00Z
    kit.freeze(1_767_225_600);
    kit
}

/// What the API server of `prod` answers to a bearer token.
fn namespaces(kit: &Kit, token: &str) -> Answer {
    let path = format!("/k8s/{}/api/v1/namespaces", names::CLUSTER);
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    send(kit.port(), "GET", &path, &headers, "").unwrap()
}

/// Why it refuses it.
fn reason(kit: &Kit, token: &str) -> String {
    assert_eq!(namespaces(kit, token).status, 401, "{token}");
    let calls = kit.calls();
    let call = calls.iter().rev().find(|call| call.service == "kubernetes").unwrap();
    call.params["refused_because"].clone()
}

fn token(url: &str) -> String {
    format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(url))
}

#[test]
fn a_token_lets_in_whom_the_cluster_knows() {
    let kit = kit();
    let of =
        |keys: support::Keys| token(&format!("{}{}", kit.url(), presign(&kit, &keys, "prod").0));
    let answer = namespaces(&kit, &of(alice()));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("kube-system"), "{answer:?}");
    assert!(reason(&kit, &of(bob())).contains("user/bob has no access"));
    let other = presign(&kit, &alice(), "local").0;
    let refused = reason(&kit, &token(&format!("{}{other}", kit.url())));
    assert!(refused.contains("SignatureDoesNotMatch"), "{refused}");
}

#[test]
fn what_is_no_token_of_eks_is_refused_before_sts() {
    let kit = kit();
    let base = kit.url();
    let good = presign(&kit, &alice(), "prod").0;
    let good = good.trim_start_matches("/?");
    let of = |query: &str| token(&format!("{base}/?{query}"));
    for (token, said) in [
        ("k8s-aws-v2.x".to_owned(), "prefix"),
        ("k8s-aws-v1.$".to_owned(), "base64"),
        (format!("k8s-aws-v1.{}", "A".repeat(5000)), "4096"),
        (token("ftp://x/?a=b"), "not a URL"),
        (token(&format!("https://evil.test/?{good}")), "evil.test is not STS"),
        (token(&format!("{base}@evil.test/?{good}")), "is not STS"),
        (of(&good.replace("GetCallerIdentity", "AssumeRole")), "action"),
        (of(&format!("{good}&action=GetCallerIdentity")), "twice"),
        (of(&format!("{good}&RoleArn=x")), "not allowed"),
        (of(&good.replace("%3Bx-k8s-aws-id", "")), "cluster is not signed"),
        (of(&good.replace("Expires=60", "Expires=604800")), "X-Amz-Expires"),
        (of(&good.replace("Expires=60", "Expires=-1")), "X-Amz-Expires"),
        (of(&good.replace("20260101T000000Z", "yesterday")), "no date"),
        (of(&good.replace("20260101T000000Z", "20251231T234459Z")), "expired"),
    ] {
        let refused = reason(&kit, &token);
        assert!(refused.contains(said), "{token}: {refused}");
    }
    assert_eq!(kit.count("GetCallerIdentity"), 0);
}

#[test]
fn a_cluster_is_described_to_who_signs() {
    let kit = kit();
    let answer = send(kit.port(), "GET", "/clusters/prod", &HeaderMap::new(), "").unwrap();
    assert_eq!(answer.status, 403, "{answer:?}");
    let calls = kit.calls();
    assert_eq!(calls[0].operation, "DescribeCluster");
    assert_eq!(calls[0].error.as_deref(), Some("MissingAuthenticationTokenException"));
}
