use std::sync::Arc;

use rolecall_core::http::ScriptedHttp;
use rolecall_core::{ErrorKind, Fs};

use super::*;
use crate::testing::{self, Issued};

const BODY: &str = r#"{"credentialSet":[{"credentials":{"accessKeyId":"ASIAEXAMPLE",
    "expiration":"2026-01-01T01:00:00Z","secretAccessKey":"s","sessionToken":"t"}}]}"#;

fn provider(
    leaf: &Issued,
    request: RolesAnywhere,
    answers: usize,
) -> (RolesAnywhereProvider, Arc<ScriptedHttp>) {
    let http = ScriptedHttp::new((0..answers).map(|_| ScriptedHttp::answer(201, BODY)));
    let context = testing::context(http.clone(), Fs::rooted("/nonexistent"));
    let endpoint = testing::request().endpoint(&Default::default()).unwrap();
    (RolesAnywhereProvider::with_identity(context, endpoint, leaf.identity(), request), http)
}

fn leaf() -> Issued {
    Issued::new("me", Some(&Issued::authority("root", None)), &|_| {})
}

#[tokio::test]
async fn a_provider_gives_credentials_and_keeps_none() {
    let (provider, http) = provider(&leaf(), testing::request(), 2);
    for _ in 0..2 {
        let credentials = provider.provide_credentials().await.unwrap();
        assert_eq!(credentials.access_key_id(), "ASIAEXAMPLE");
    }
    assert_eq!(http.take_requests().len(), 2);
}

#[tokio::test]
async fn what_is_wrong_is_found_before_the_network() {
    let bad = RolesAnywhere { duration_seconds: Some(1), ..testing::request() };
    let ended = Issued::new("me", None, &|params| {
        params.not_after = (testing::now() - std::time::Duration::from_secs(1)).into();
    });
    for (leaf, request) in [(leaf(), bad), (ended, testing::request())] {
        let (provider, http) = provider(&leaf, request, 1);
        let error = provider.provide_credentials().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(http.take_requests().is_empty());
    }
}

#[test]
fn the_cache_tells_requests_apart() {
    let leaf = leaf();
    let text = |request: RolesAnywhere| provider(&leaf, request, 0).0.cache_identity().unwrap();
    let same = text(testing::request());
    assert_eq!(text(testing::request()), same);
    let duration = Some(RolesAnywhere::DEFAULT_DURATION);
    assert_eq!(text(RolesAnywhere { duration_seconds: duration, ..testing::request() }), same);
    let changes: [fn(&mut RolesAnywhere); 5] = [
        |request| request.duration_seconds = Some(900),
        |request| request.role_session_name = Some("x".to_owned()),
        |request| request.role_arn.push('x'),
        |request| request.trust_anchor_arn.push('x'),
        |request| _ = request.instance_properties.insert("a".to_owned(), "b".to_owned()),
    ];
    for change in changes {
        let mut request = testing::request();
        change(&mut request);
        assert_ne!(text(request), same);
    }
}
