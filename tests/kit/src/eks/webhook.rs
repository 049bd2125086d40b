//! Whether a bearer token of Kubernetes is one of EKS, and whose: what the webhook of a cluster
//! does.
//!
//! Source: kubernetes-sigs/aws-iam-authenticator, `pkg/token`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};

use crate::calls::Call;
use crate::clock;
use crate::query::decode as decode_form;
use crate::server::Reply;
use crate::sigv4::SignedRequest;
use crate::state::State;
use crate::sts;

const PREFIX: &str = "k8s-aws-v1.";
const LONGEST: usize = 4096;
/// How old a token may be, in seconds, whatever it says itself.
const LIFE: i64 = 15 * 60;
const ALLOWED: [&str; 9] = [
    "action",
    "version",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// The ARN behind a token for a cluster, as STS says it; or what is wrong, for the kit's record.
pub(super) fn identify(state: &mut State, token: &str, cluster: &str) -> Result<String, String> {
    let (host, query) = presigned(state, token)?;
    let mut headers = HeaderMap::new();
    for (name, value) in [("host", host.as_str()), ("x-k8s-aws-id", cluster)] {
        let value = HeaderValue::from_str(value).map_err(|_| format!("{name} is no header"))?;
        headers.insert(name, value);
    }
    headers.insert("accept", HeaderValue::from_static("application/json"));
    let request =
        SignedRequest { method: "GET", path: "/", query: &query, headers: &headers, body: b"" };
    let reply = ask_sts(state, &request);
    if reply.status != 200 {
        return Err(format!("STS says {} {}", reply.status, reply.error.unwrap_or_default()));
    }
    let answer: serde_json::Value =
        serde_json::from_slice(&reply.body).map_err(|error| error.to_string())?;
    let result = &answer["GetCallerIdentityResponse"]["GetCallerIdentityResult"];
    result["Arn"].as_str().map(str::to_owned).ok_or_else(|| "STS says no ARN".to_owned())
}

/// Counts and records the call as if it had come over the network.
fn ask_sts(state: &mut State, request: &SignedRequest<'_>) -> Reply {
    let operation = sts::operation_of(request);
    let number = state.calls.arrive(&operation);
    let at = state.clock.now();
    let mut call = Call::new(number, "sts", operation, at);
    let reply = sts::answer(state, request, &mut call);
    call.status = reply.status;
    call.error.clone_from(&reply.error);
    state.calls.finish(call);
    reply
}

/// Host and query of the URL in a token.
fn presigned(state: &State, token: &str) -> Result<(String, String), String> {
    if token.len() > LONGEST {
        return Err("the token is longer than 4096 bytes".to_owned());
    }
    let encoded = token.strip_prefix(PREFIX).ok_or("the token has another prefix")?;
    let url = URL_SAFE_NO_PAD.decode(encoded).map_err(|error| format!("no base64: {error}"))?;
    let url = String::from_utf8(url).map_err(|_| "the URL is not UTF-8")?;
    // The kit's own STS speaks plain HTTP, too.
    let rest = url.strip_prefix("https://").or(url.strip_prefix("http://"));
    let (host, query) = rest.and_then(|rest| rest.split_once("/?")).ok_or("not a URL of STS")?;
    if !state.addresses.sts.iter().any(|known| known == host) {
        return Err(format!("{host} is not STS"));
    }
    let mut found = BTreeMap::new();
    for (name, value) in decode_form(query).map_err(|error| error.to_string())? {
        let name = name.to_ascii_lowercase();
        if !ALLOWED.contains(&name.as_str()) {
            return Err(format!("the parameter {name} is not allowed"));
        }
        if found.insert(name.clone(), value).is_some() {
            return Err(format!("the parameter {name} stands twice"));
        }
    }
    let of = |name: &str| found.get(name).map(String::as_str).unwrap_or_default();
    if of("action") != "GetCallerIdentity" {
        return Err("the action is another".to_owned());
    }
    if !of("x-amz-signedheaders").split(';').any(|name| name == "x-k8s-aws-id") {
        return Err("the cluster is not signed".to_owned());
    }
    let expires: Option<i64> = of("x-amz-expires").parse().ok();
    if !expires.is_some_and(|seconds| (0..=LIFE).contains(&seconds)) {
        return Err("X-Amz-Expires is out of range".to_owned());
    }
    let signed_at = clock::parse_basic(of("x-amz-date")).ok_or("X-Amz-Date is no date")?;
    if signed_at + LIFE < state.clock.now() {
        return Err("the token is expired".to_owned());
    }
    Ok((host.to_owned(), query.to_owned()))
}
