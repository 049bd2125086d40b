//! The metadata service.
//!
//! Source: Amazon EC2 User Guide, "Use the Instance Metadata Service".

use serde_json::json;

use super::{Answered, credentials, expiration, reply};
use crate::doors;
use crate::server::Reply;
use crate::sigv4::SignedRequest;
use crate::state::State;
use crate::world::ImdsTokens;

const TOKEN_PATH: &str = "/latest/api/token";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN: &str = "x-aws-ec2-metadata-token";
const LONGEST_LIFE: i64 = 21_600;
const MOST_TOKENS: usize = 10_000;
const ROLES: &str = "iam/security-credentials";
const EXTENDED_ROLES: &str = "iam/security-credentials-extended";

/// `imds:token`, `imds:roles`, `imds:credentials`, or `imds:metadata` for all else.
pub(crate) fn operation_of(request: &SignedRequest<'_>) -> String {
    let path = request.path.strip_prefix("/latest/meta-data/").unwrap_or_default();
    let below = path.strip_prefix(EXTENDED_ROLES).or_else(|| path.strip_prefix(ROLES));
    let operation = match below {
        _ if request.path == TOKEN_PATH => "token",
        Some("" | "/") => "roles",
        Some(_) => "credentials",
        None => "metadata",
    };
    format!("imds:{operation}")
}

pub(crate) fn answer(state: &mut State, request: &SignedRequest<'_>) -> Answered {
    let imds = &state.world.imds;
    if !imds.enabled {
        return error(403, "Forbidden").into();
    }
    match (request.method, request.path == TOKEN_PATH) {
        ("PUT", true) if imds.tokens == ImdsTokens::Unknown => error(404, "Not Found").into(),
        ("PUT", true) => {
            let lost = imds.hop_limit < 2;
            Answered { lost, ..token(state, request) }
        }
        ("GET" | "HEAD", false) => get(state, request),
        _ => error(405, "Method Not Allowed").into(),
    }
}

fn token(state: &mut State, request: &SignedRequest<'_>) -> Answered {
    // A proxy adds it: tokens are not for those behind one.
    if request.headers.contains_key("x-forwarded-for") {
        return error(403, "Forbidden").into();
    }
    let life = header(request, TTL).and_then(|life| life.parse().ok());
    let Some(life) = life.filter(|life| (1..=LONGEST_LIFE).contains(life)) else {
        return error(400, "Bad Request").into();
    };
    if state.metadata.tokens.len() >= MOST_TOKENS {
        state.metadata.tokens.clear();
    }
    let token = format!("AQAE{}==", hex::encode(doors::random::<26>()));
    let end = state.clock.now() + life;
    state.metadata.tokens.insert(token.clone(), end);
    with_life(reply(200, "text/plain", token), life)
}

fn get(state: &mut State, request: &SignedRequest<'_>) -> Answered {
    let now = state.clock.now();
    let life = match (header(request, TOKEN), state.world.imds.tokens) {
        (Some(token), ImdsTokens::Required | ImdsTokens::Optional) => {
            match state.metadata.tokens.get(token).filter(|end| **end > now) {
                Some(end) => Some(end - now),
                None => return error(401, "Unauthorized").into(),
            }
        }
        (None, ImdsTokens::Required) => return error(401, "Unauthorized").into(),
        _ => None,
    };
    let found = match request.path.strip_prefix("/latest/") {
        Some("dynamic/instance-identity/document") => Some(identity_document(state)),
        Some(path) => path.strip_prefix("meta-data/").and_then(|path| metadata(state, path)),
        None => None,
    };
    let reply = found.unwrap_or_else(|| error(404, "Not Found"));
    match life {
        Some(life) => with_life(reply, life),
        None => reply.into(),
    }
}

fn metadata(state: &mut State, path: &str) -> Option<Reply> {
    let imds = state.world.imds.clone();
    let role = imds.role.as_deref();
    let text = |text: String| Some(reply(200, "text/plain", text));
    if let Some(rest) = path.strip_prefix(EXTENDED_ROLES) {
        return if imds.extended { roles(state, rest, true) } else { None };
    }
    if let Some(rest) = path.strip_prefix(ROLES) {
        return roles(state, rest, false);
    }
    match path {
        "" => text("iam/\ninstance-id\nplacement/".to_owned()),
        "instance-id" => text(imds.instance_id),
        "placement/region" => text(imds.region),
        "iam/info" => {
            let profile = role?.replace(":role/", ":instance-profile/");
            let body = json!({"Code": "Success", "InstanceProfileArn": profile});
            text(format!("{body:#}"))
        }
        _ => None,
    }
}

/// The role's name, or its credentials.
fn roles(state: &mut State, rest: &str, extended: bool) -> Option<Reply> {
    let imds = state.world.imds.clone();
    let role = imds.role?;
    let name = role.rsplit('/').next().unwrap_or_default();
    let asked = rest.trim_start_matches('/');
    if asked.is_empty() {
        return Some(reply(200, "text/plain", name.to_owned()));
    }
    if asked != name {
        return None;
    }
    let Some(session) = credentials(state, &role, &imds.instance_id, imds.lifetime) else {
        let body = json!({
            "Code": "AssumeRoleUnauthorizedAccess",
            "Message": "EC2 cannot assume the role. Please see documentation.",
        });
        return Some(reply(200, "text/plain", format!("{body:#}")));
    };
    let mut body = json!({
        "Code": "Success",
        "LastUpdated": expiration(&session),
        "Type": "AWS-HMAC",
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret,
        "Token": session.token,
        "Expiration": expiration(&session),
    });
    if extended {
        body["AccountId"] = session.principal.account().into();
    }
    Some(reply(200, "text/plain", format!("{body:#}")))
}

fn identity_document(state: &State) -> Reply {
    let imds = &state.world.imds;
    let account = imds.role.as_deref().and_then(|arn| arn.split(':').nth(4));
    let body = json!({
        "accountId": account, "instanceId": imds.instance_id, "region": imds.region,
        "version": "2017-09-30",
    });
    reply(200, "text/plain", format!("{body:#}"))
}

fn header<'a>(request: &SignedRequest<'a>, name: &str) -> Option<&'a str> {
    request.headers.get(name).and_then(|value| value.to_str().ok())
}

fn with_life(reply: Reply, life: i64) -> Answered {
    Answered { headers: vec![(TTL.to_owned(), life.to_string())], ..reply.into() }
}

/// A page, as the service answers.
fn error(status: u16, name: &str) -> Reply {
    let title = format!("{status} - {name}");
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<html><head><title>{title}</title></head>\
         <body><h1>{title}</h1></body></html>\n"
    );
    Reply { error: Some(name.to_owned()), ..reply(status, "text/html", body) }
}
