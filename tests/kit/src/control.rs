//! The control interface, for tests in other languages: JSON under `/_kit/` on the same port.
//!
//! | request | body or answer |
//! | --- | --- |
//! | `GET /_kit/calls` | `[{"service", "operation", "principal", "access_key_id", "params", "status", …}]` |
//! | `GET /_kit/counts` | `{"AssumeRole": 2}` |
//! | `GET /_kit/operations/iam` | `["CreateUser", …]`: a service's calls in the order of arrival |
//! | `POST /_kit/reset` | `{}`, or `{"sessions": true}`, which forgets sessions too, or `{"world": true}`, which brings back the world of the start |
//! | `GET /_kit/chaos` | the rules in force |
//! | `POST /_kit/chaos` | `{"operation": "AssumeRole", "count": 2, "after": 0, "fault": {"kind": "throttle"}}`, a list of such, or `{"clear": true}` |
//! | `POST /_kit/open` | `{"gate": "a"}`: lets go what `{"kind": "hold", "gate": "a"}` and `hold_reply` hold |
//! | `GET /_kit/clock` | `{"now": 1440938160}` |
//! | `POST /_kit/clock` | `{"freeze": 1440938160}`, `{"advance": 60}` or `{"skew": -3600}` |
//! | `GET /_kit/world` | the world, with its secrets |
//! | `POST /_kit/world` | parts of a world to add or replace |
//! | `GET /_kit/sessions` | the sessions handed out, without their secrets |
//! | `POST /_kit/expire-session` | `{"access_key_id": "ASIA…"}` |
//! | `POST /_kit/expire-imds-tokens` | lets every token of the metadata service end |
//! | `POST /_kit/web-identity-token` | `{"sub": "…", "aud": "…", "claims": {}}` -> `{"token": "…"}` |
//! | `POST /_kit/saml-assertion` | `{"role_arn", "provider_arn", "session_name", "lifetime"}` -> `{"assertion": "…"}` |
//! | `POST /_kit/sso-login` | `{"user", "start_url", "region", "token_lifetime", "registration_lifetime", "refreshable"}`, all optional -> the token file |
//! | `POST /_kit/sso-sign-out` | `{"user": "…"}` |
//! | `POST /_kit/authorization-message` | `{"message": "…"}` -> `{"encoded": "…"}` |
//! | `GET /_kit/secrets` | every secret, code and token that the kit knows or has handed out |
//! | `GET /_kit/iam/users`, `GET /_kit/iam/users/ACCOUNT` | every IAM user but the root users, with everything attached to it, without secrets: `[{"account", "name", "path", "arn", "id", "created", "tags", "permissions_boundary", "access_keys": [{"id", "active", "created", "last_used"}], "login_profile", "signing_certificates", "ssh_public_keys", "service_specific_credentials", "mfa_devices", "inline_policies", "attached_policies", "groups"}]` |
//! | `POST /_kit/iam/by-hand` | `{"user", "account", "login_profile": true, "access_key", "signing_certificate", "ssh_public_key", "service_specific_credential", "virtual_mfa", "hardware_mfa", "inline_policies": {}, "attached_policies": [], "groups": [], "tags": {}}`, all but `user` optional: adds these as somebody by hand -> the ids of what has one |
//! | `GET /_kit/iam/settings` | how IAM behaves |
//! | `POST /_kit/iam/settings` | `{"new_keys": {"seconds": 10, "calls": 3}, "new_users": {}, "lists": {}, "new_login_profiles": {}, "rates": [{"operation": "*", "per_second": 5, "burst": 10}], "page_limit": 2}`; what is left out is as usual again |
//! | `GET /_kit/oidc/.well-known/jwks.json` | the keys of GetWebIdentityToken |

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::chaos::FaultRule;
use crate::iam;
use crate::jwt::OutboundKey;
use crate::kit::{mint_saml_assertion, mint_web_identity_token};
use crate::server::{Reply, request_id};
use crate::sso::{self, SsoLogin};
use crate::state::Shared;
use crate::sts;
use crate::world::{World, names};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Reset {
    sessions: bool,
    world: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Chaos {
    Clear(Clear),
    One(FaultRule),
    Many(Vec<FaultRule>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clear {
    clear: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gate {
    gate: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SetClock {
    Freeze(i64),
    Advance(i64),
    Skew(i64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpireSession {
    access_key_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebIdentity {
    sub: String,
    #[serde(default = "sts_audience")]
    aud: String,
    #[serde(default)]
    claims: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saml {
    #[serde(default = "saml_role")]
    role_arn: String,
    #[serde(default = "saml_provider")]
    provider_arn: String,
    session_name: String,
    #[serde(default = "five_minutes")]
    lifetime: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SsoSignOut {
    user: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    message: String,
}

/// Answers a request under `/_kit/`; `path` is what follows.
pub(crate) fn answer(shared: &Shared, method: &str, path: &str, body: &[u8]) -> Reply {
    let outcome = match method {
        "GET" => get(shared, path),
        "POST" => post(shared, path, body),
        _ => Err((405, "GET or POST".to_owned())),
    };
    let (status, value) = match outcome {
        Ok(value) => (200, value),
        Err((status, problem)) => (status, json!({"error": problem})),
    };
    Reply {
        status,
        content_type: "application/json".to_owned(),
        body: value.to_string().into(),
        request_id: request_id(),
        error: None,
    }
}

type Outcome = Result<Value, (u16, String)>;

fn get(shared: &Shared, path: &str) -> Outcome {
    let mut state = shared.lock();
    match path {
        "calls" => to_json(&state.calls.list().collect::<Vec<_>>()),
        "counts" => to_json(state.calls.counts()),
        "chaos" => to_json(&state.chaos.rules()),
        "clock" => Ok(json!({"now": state.clock.now()})),
        "world" => to_json(&state.world),
        "sessions" => to_json(&state.sessions.values().collect::<Vec<_>>()),
        "secrets" => to_json(&state.secrets()),
        "iam/users" => to_json(&iam::look_at_users(&state.world, None)),
        "iam/settings" => to_json(&state.iam.settings),
        "oidc/.well-known/jwks.json" => {
            Ok(state.outbound.get_or_insert_with(OutboundKey::generate).jwks())
        }
        _ => match path.split_once('/') {
            Some(("operations", service)) => to_json(&state.calls.operations(service)),
            Some(("iam", part)) if let Some(account) = part.strip_prefix("users/") => {
                to_json(&iam::look_at_users(&state.world, Some(account)))
            }
            _ => Err((404, format!("nothing to get at /_kit/{path}"))),
        },
    }
}

fn post(shared: &Shared, path: &str, body: &[u8]) -> Outcome {
    let done = Ok(json!({}));
    match path {
        "reset" => {
            let reset: Reset = if body.is_empty() { Reset::default() } else { read(body)? };
            let mut state = shared.lock();
            state.reset();
            if reset.sessions {
                state.sessions.clear();
                state.minted.clear();
            }
            if reset.world {
                state.world = state.first_world.clone();
            }
            drop(state);
            shared.close_gates();
        }
        "chaos" => {
            let chaos: Chaos = read(body)?;
            let mut state = shared.lock();
            match chaos {
                Chaos::Clear(Clear { clear }) => {
                    if clear {
                        state.chaos.clear();
                    }
                }
                Chaos::One(rule) => state.chaos.add(rule),
                Chaos::Many(rules) => rules.into_iter().for_each(|rule| state.chaos.add(rule)),
            }
        }
        "open" => shared.open_gate(&read::<Gate>(body)?.gate),
        "clock" => {
            let set: SetClock = read(body)?;
            let clock = &mut shared.lock().clock;
            match set {
                SetClock::Freeze(at) => clock.freeze(at),
                SetClock::Advance(by) => clock.advance(by),
                SetClock::Skew(by) => clock.skew(by),
            }
            return Ok(json!({"now": clock.now()}));
        }
        "world" => {
            let world: World = read(body)?;
            let parts: Value = read(body)?;
            let state = &mut shared.lock();
            if parts.get("imds").is_some() {
                state.world.imds = world.imds.clone();
            }
            if parts.get("container").is_some() {
                state.world.container = world.container.clone();
            }
            state.world.merge(world);
        }
        "expire-session" => {
            let wanted: ExpireSession = read(body)?;
            let mut state = shared.lock();
            let now = state.clock.now();
            let session = state.sessions.get_mut(&wanted.access_key_id);
            session.ok_or_else(|| (404, "no such session".to_owned()))?.expires = now;
        }
        "iam/by-hand" => {
            let added = iam::add_by_hand(&mut shared.lock(), &read(body)?);
            return added.map_err(|problem| (400, problem));
        }
        "iam/settings" => shared.lock().iam.set(read(body)?),
        "expire-imds-tokens" => shared.lock().metadata.expire_tokens(),
        "web-identity-token" => {
            let wanted: WebIdentity = read(body)?;
            let mut state = shared.lock();
            let token =
                mint_web_identity_token(&mut state, &wanted.sub, &wanted.aud, &wanted.claims);
            return Ok(json!({"token": token}));
        }
        "saml-assertion" => {
            let wanted: Saml = read(body)?;
            let mut state = shared.lock();
            let assertion = mint_saml_assertion(
                &mut state,
                &wanted.role_arn,
                &wanted.provider_arn,
                &wanted.session_name,
                wanted.lifetime,
            );
            return Ok(json!({"assertion": assertion}));
        }
        "sso-login" => {
            let wanted = if body.is_empty() { SsoLogin::default() } else { read(body)? };
            return Ok(sso::login(&mut shared.lock(), &wanted));
        }
        "sso-sign-out" => sso::sign_out(&mut shared.lock(), &read::<SsoSignOut>(body)?.user),
        "authorization-message" => {
            let wanted: Message = read(body)?;
            let encoded =
                sts::encode_authorization_message(&shared.lock().message_key, &wanted.message);
            return Ok(json!({"encoded": encoded}));
        }
        _ => return Err((404, format!("nothing to post to at /_kit/{path}"))),
    }
    done
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, (u16, String)> {
    serde_json::from_slice(body).map_err(|error| (400, error.to_string()))
}

fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Outcome {
    serde_json::to_value(value).map_err(|error| (500, error.to_string()))
}

fn sts_audience() -> String {
    names::OIDC_AUDIENCE.to_owned()
}

fn saml_role() -> String {
    names::SAML.to_owned()
}

fn saml_provider() -> String {
    names::SAML_PROVIDER.to_owned()
}

fn five_minutes() -> i64 {
    300
}
