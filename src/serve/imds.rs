//! EC2's metadata service, version 2: what SDKs ask it for.
//!
//! Source: AWS's "Use the Instance Metadata Service to access instance metadata", and
//! `aws_signing_helper serve` for what it answers to a wrong request.

use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use rolecall_core::timestamp;
use serde_json::json;

use super::answer::{self, Answer, failure, refused, text, wrong_method};
use super::profile::ServedProfile;
use super::token::SessionTokens;

static LIFETIME: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
static TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
/// The longest life of a token, and the one of who asks for none.
const LONGEST: u64 = 21_600;

/// Answers a path below `/latest/`. A server always has a profile; the first is the one that a
/// client sees which asks for no other.
pub(super) async fn answer(
    tokens: &SessionTokens,
    profiles: &[ServedProfile],
    now: SystemTime,
    request: &Parts,
    path: &[&str],
) -> Answer {
    if let ["api", "token"] = path {
        return match request.method {
            Method::PUT => issue(tokens, now, &request.headers),
            _ => wrong_method("PUT"),
        };
    }
    if !matches!(path, ["meta-data" | "dynamic", ..]) {
        return not_found();
    }
    if request.method != Method::GET {
        return wrong_method("GET");
    }
    let token = request.headers.get(&TOKEN);
    if !token.is_some_and(|token| tokens.is_good(token.as_bytes(), now)) {
        let message =
            "the token is missing, unknown or has ended: get one with PUT /latest/api/token";
        return refused(StatusCode::UNAUTHORIZED, message);
    }
    let region = profiles.first().and_then(|profile| profile.region()).map(|r| r.as_str());
    match (path, region) {
        (["meta-data", "iam", "security-credentials"], _) => {
            let name = profiles.first().map_or("", |profile| profile.role_name());
            text(ServedProfile::in_path(name))
        }
        (["meta-data", "iam", "security-credentials", name], _) => {
            match ServedProfile::named(profiles, name) {
                Some(profile) => credentials(profile, now).await,
                None => not_found(),
            }
        }
        (["meta-data", "placement", "region"], Some(region)) => text(region.to_owned()),
        // SDKs that are older than the path above take the region from the zone.
        (["meta-data", "placement", "availability-zone"], Some(region)) => {
            text(format!("{region}a"))
        }
        (["dynamic", "instance-identity", "document"], Some(region)) => {
            answer::json(&json!({"region": region, "availabilityZone": format!("{region}a")}))
        }
        _ => not_found(),
    }
}

fn issue(tokens: &SessionTokens, now: SystemTime, headers: &HeaderMap) -> Answer {
    let seconds = match headers.get(&LIFETIME) {
        None => Some(LONGEST),
        Some(value) => value.to_str().ok().and_then(|text| text.trim().parse().ok()),
    };
    let Some(seconds) = seconds.filter(|seconds| (1..=LONGEST).contains(seconds)) else {
        let message = "X-aws-ec2-metadata-token-ttl-seconds is not a number from 1 to 21600";
        return refused(StatusCode::BAD_REQUEST, message);
    };
    let mut answer = text(tokens.issue(now, Duration::from_secs(seconds)));
    answer.headers_mut().insert(LIFETIME.clone(), HeaderValue::from(seconds));
    answer
}

async fn credentials(profile: &ServedProfile, now: SystemTime) -> Answer {
    match profile.credentials().await {
        Err(error) => failure(&error),
        Ok(credentials) => {
            let now_text = timestamp::format(now);
            let about = [("Code", "Success"), ("LastUpdated", &*now_text), ("Type", "AWS-HMAC")];
            let fields = answer::fields(&credentials, now);
            answer::secrets(&[&about[..], &fields.list()].concat())
        }
    }
}

fn not_found() -> Answer {
    refused(StatusCode::NOT_FOUND, "there is nothing at this path")
}

#[cfg(test)]
mod tests {
    use rolecall_core::Credentials;

    use super::super::router::Router;
    use super::super::testing::{self, SECRET, Seen, ask, context, router};
    use super::*;

    const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";

    async fn token(router: &Router) -> String {
        ask(router, "PUT /latest/api/token", &[]).await.text
    }

    async fn get(router: &Router, path: &str) -> Seen {
        let token = token(router).await;
        ask(router, &format!("GET {path}"), &[("x-aws-ec2-metadata-token", &token)]).await
    }

    #[tokio::test]
    async fn a_token_lives_as_long_as_was_asked_for() {
        let router = router(&context());
        for (asked, given) in
            [(None, "21600"), (Some("1"), "1"), (Some(" 60 "), "60"), (Some("21600"), "21600")]
        {
            let headers: Vec<_> =
                asked.map(|asked| (LIFETIME.as_str(), asked)).into_iter().collect();
            let seen = ask(&router, "PUT /latest/api/token", &headers).await;
            assert_eq!(seen.status, 200);
            assert_eq!(seen.headers[&LIFETIME], given);
        }
        for asked in ["0", "21601", "-1", "", "x", "1.5", "99999999999999999999", "\u{ff}"] {
            let seen = ask(&router, "PUT /latest/api/token", &[(LIFETIME.as_str(), asked)]).await;
            assert_eq!(seen.status, 400, "{asked}");
        }
    }

    #[tokio::test]
    async fn nothing_is_said_without_a_good_token() {
        let context = context();
        let router = router(&context);
        let path = "GET /latest/meta-data/iam/security-credentials/Deploy";
        let short = [(LIFETIME.as_str(), "5")];
        let token = ask(&router, "PUT /latest/api/token", &short).await.text;
        assert_eq!(ask(&router, path, &[(TOKEN_HEADER, &token)]).await.status, 200);
        for headers in [&[][..], &[(TOKEN_HEADER, "")], &[(TOKEN_HEADER, "unknown")]] {
            assert_eq!(ask(&router, path, headers).await.status, 401);
        }
        context.clock.advance(Duration::from_secs(5));
        assert_eq!(ask(&router, path, &[(TOKEN_HEADER, &token)]).await.status, 401);
    }

    #[tokio::test]
    async fn a_hundred_thousand_tokens_leave_the_first_one_good() {
        let router = router(&context());
        let first = token(&router).await;
        for _ in 0..100_000 {
            ask(&router, "PUT /latest/api/token", &[]).await;
        }
        let headers = [(TOKEN_HEADER, first.as_str())];
        let seen = ask(&router, "GET /latest/meta-data/placement/region", &headers).await;
        assert_eq!(seen.text, "eu-west-1");
    }

    #[tokio::test]
    async fn the_role_and_its_credentials_are_given() {
        let router = router(&context());
        for path in [
            "/latest/meta-data/iam/security-credentials",
            "/latest//meta-data/iam/security-credentials/",
        ] {
            assert_eq!(get(&router, path).await.text, "Deploy");
        }
        for path in ["Deploy", "Deploy/", "deploy"] {
            let seen =
                get(&router, &format!("/latest/meta-data/iam/security-credentials/{path}")).await;
            assert_eq!(seen.headers["content-type"], "application/json");
            assert_eq!(
                seen.json(),
                json!({
                    "Code": "Success", "LastUpdated": "2026-01-01T00:00:00Z", "Type": "AWS-HMAC",
                    "AccessKeyId": "ASIADEPLOY", "SecretAccessKey": SECRET, "Token": testing::TOKEN,
                    "Expiration": "2026-01-01T01:00:00Z", "AccountId": "123456789012",
                })
            );
        }
    }

    #[tokio::test]
    async fn keys_without_end_are_given_an_empty_token_and_an_hour() {
        let seen =
            get(&router(&context()), "/latest/meta-data/iam/security-credentials/plain%20one")
                .await;
        assert_eq!(seen.json()["Token"], "");
        assert_eq!(seen.json()["Expiration"], "2026-01-01T01:00:00Z");
    }

    #[test]
    fn clients_come_back_soon_for_a_session_whose_end_nobody_knows() {
        let session = Credentials::new("ASIA", SECRET, "test").with_session_token(Some("t".into()));
        let fields = answer::fields(&session, testing::start());
        assert!(fields.list().contains(&("Expiration", "2026-01-01T00:20:00Z")));
    }

    #[tokio::test]
    async fn the_region_is_given_where_sdks_look_for_it() {
        let router = router(&context());
        for (path, expected) in [
            ("meta-data/placement/region", "eu-west-1"),
            ("meta-data/placement/availability-zone/", "eu-west-1a"),
        ] {
            assert_eq!(get(&router, &format!("/latest/{path}")).await.text, expected);
        }
        let document = get(&router, "/latest/dynamic/instance-identity/document").await.json();
        assert_eq!(document["region"], "eu-west-1");
    }

    #[tokio::test]
    async fn a_failure_is_an_error_and_never_empty_credentials() {
        let seen =
            get(&router(&context()), "/latest/meta-data/iam/security-credentials/broken").await;
        assert_eq!(seen.status, 502);
        let expected = json!({"Code": "Denied", "Message": "test: it said no; ask another"});
        assert_eq!(seen.json(), expected);
    }

    #[tokio::test]
    async fn wrong_methods_and_paths_are_told_apart() {
        let router = router(&context());
        let token = token(&router).await;
        for (line, status) in [
            ("GET /latest/api/token", 405),
            ("POST /latest/api/token", 405),
            ("PUT /latest/meta-data/iam/security-credentials/", 405),
            ("HEAD /latest/meta-data/placement/region", 405),
            ("GET /latest/meta-data/iam/security-credentials/Other", 404),
            ("GET /latest/meta-data/iam/security-credentials/Deploy/more", 404),
            ("GET /latest/meta-data/iam/security-credentials/%ff", 404),
            ("GET /latest/meta-data", 404),
            ("GET /latest/user-data", 404),
            ("GET /latest", 404),
            ("GET /", 404),
            ("GET /1.0/meta-data/iam/security-credentials/Deploy", 404),
        ] {
            let seen = ask(&router, line, &[(TOKEN_HEADER, &token)]).await;
            assert_eq!(seen.status, status, "{line}");
            assert!(!seen.text.contains(SECRET) && !seen.text.contains(testing::TOKEN), "{line}");
        }
        let seen = ask(&router, "GET /latest/api/token", &[]).await;
        assert_eq!(seen.headers["allow"], "PUT");
    }
}
