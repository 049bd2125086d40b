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

const LIFETIME: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
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
    let token = request.headers.get(TOKEN);
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
            let found = profiles.iter().find(|p| p.role_name() == *name || p.name() == *name);
            match found {
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
    let seconds = match headers.get(LIFETIME) {
        None => Some(LONGEST),
        Some(value) => value.to_str().ok().and_then(|text| text.trim().parse().ok()),
    };
    let Some(seconds) = seconds.filter(|seconds| (1..=LONGEST).contains(seconds)) else {
        let message = "X-aws-ec2-metadata-token-ttl-seconds is not a number from 1 to 21600";
        return refused(StatusCode::BAD_REQUEST, message);
    };
    let mut answer = text(tokens.issue(now, Duration::from_secs(seconds)));
    answer.headers_mut().insert(LIFETIME, HeaderValue::from(seconds));
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
