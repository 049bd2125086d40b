//! IAM Identity Center: the portal that hands out role credentials for an access token, and the
//! part of its OIDC service that renews such tokens.

use std::collections::{BTreeMap, HashMap};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::calls::Call;
use crate::error::AwsError;
use crate::principal::Principal;
use crate::query::decode as decode_form;
use crate::secret::Secret;
use crate::server::Reply;
use crate::sigv4::SignedRequest;
use crate::state::State;
use crate::sts::issue_unasked;
use crate::world::{SsoUser, stable_id};
use crate::{clock, doors};

/// How long the credentials of a role last.
const ROLE_SECONDS: i64 = 3600;
const PORTAL: &str = "GetRoleCredentials";
const OIDC: &str = "CreateToken";

/// What a sign-in makes. In JSON, all but `user` may be left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SsoLogin {
    /// A user of the world's `sso_users`.
    pub user: String,
    /// What the token file is to say.
    pub start_url: String,
    /// What the token file is to say.
    pub region: String,
    /// How long its access tokens last, in seconds.
    pub token_lifetime: i64,
    /// How long the client stays registered, in seconds.
    pub registration_lifetime: i64,
    /// Whether there is a refresh token, as for an `[sso-session]`.
    pub refreshable: bool,
}

impl Default for SsoLogin {
    fn default() -> SsoLogin {
        SsoLogin {
            user: crate::names::SSO_USER.to_owned(),
            start_url: crate::names::SSO_START_URL.to_owned(),
            region: "us-east-1".to_owned(),
            token_lifetime: 3600,
            registration_lifetime: 90 * 24 * 3600,
            refreshable: true,
        }
    }
}

/// The tokens handed out.
#[derive(Default)]
pub(crate) struct Directory {
    access: HashMap<String, Access>,
    refresh: HashMap<String, Grant>,
}

struct Access {
    user: String,
    expires: i64,
}

#[derive(Clone)]
struct Grant {
    user: String,
    token_lifetime: i64,
    client_id: String,
    client_secret: String,
    registered_until: i64,
}

/// The operation of this service that a request asks for, if it is one of its paths.
pub(crate) fn operation_of(request: &SignedRequest<'_>) -> Option<&'static str> {
    match request.path {
        "/federation/credentials" => Some(PORTAL),
        "/token" => Some(OIDC),
        _ => None,
    }
}

/// Answers a request to one of this service's paths.
pub(crate) fn answer(state: &mut State, request: &SignedRequest<'_>, call: &mut Call) -> Reply {
    let outcome = match (request.method, request.path) {
        ("GET", "/federation/credentials") => role_credentials(state, request, call),
        ("POST", "/token") => create_token(state, request, call),
        _ => Err(AwsError::new(404, "UnknownOperationException", "there is no such operation")),
    };
    match outcome {
        Ok(value) => Reply::json(200, &value, None),
        Err(error) => failure(&error, &call.operation),
    }
}

/// An error in the form of the operation's service.
pub(crate) fn failure(error: &AwsError, operation: &str) -> Reply {
    let code = error.code.as_ref();
    let value = if operation == OIDC {
        json!({"error": oauth_code(code), "error_description": error.message})
    } else {
        json!({
            "message": error.message, "__type": format!("com.amazonaws.switchboard.portal#{code}"),
        })
    };
    Reply::json(error.status, &value, Some(code.to_owned()))
}

/// `InvalidGrantException` is `invalid_grant` in OAuth.
fn oauth_code(code: &str) -> String {
    let mut text = String::new();
    for letter in code.trim_end_matches("Exception").chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

fn role_credentials(
    state: &mut State,
    request: &SignedRequest<'_>,
    call: &mut Call,
) -> Result<Value, AwsError> {
    let query: BTreeMap<String, String> = decode_form(request.query)?.into_iter().collect();
    call.params.clone_from(&query);
    let invalid = |what: &str| AwsError::new(400, "InvalidRequestException", what);
    let wanted = |name: &str| {
        query.get(name).filter(|value| !value.is_empty()).ok_or_else(|| invalid("Bad request"))
    };
    let (account, role) = (wanted("account_id")?, wanted("role_name")?);
    let token = request.headers.get("x-amz-sso_bearer_token").and_then(|t| t.to_str().ok());
    let token = token.ok_or_else(|| invalid("no access token"))?;
    let now = state.clock.now();
    let known = state.sso.access.get(token).filter(|access| access.expires > now);
    let user = known.map(|access| access.user.clone()).ok_or_else(|| {
        AwsError::new(401, "UnauthorizedException", "Session token not found or invalid")
    })?;
    let assigned = state.world.sso_users.iter().find(|known| known.name == user).is_some_and(
        |user: &SsoUser| user.assignments.iter().any(|a| a.account == *account && a.role == *role),
    );
    if !assigned {
        return Err(AwsError::new(403, "ForbiddenException", "No access"));
    }
    let partition = state.world.partition(account);
    let id = stable_id("AROA", account, role);
    let name = format!("AWSReservedSSO_{role}_{}", id[4..].to_lowercase());
    let principal = Principal::AssumedRole {
        role_arn: format!(
            "arn:{partition}:iam::{account}:role/aws-reserved/sso.amazonaws.com/{name}"
        ),
        arn: format!("arn:{partition}:sts::{account}:assumed-role/{name}/{user}"),
        id: format!("{id}:{user}"),
    };
    call.principal = Some(principal.arn().to_owned());
    let session = issue_unasked(state, principal, now + ROLE_SECONDS);
    Ok(json!({"roleCredentials": {
        "accessKeyId": session.access_key_id,
        "secretAccessKey": session.secret.expose(),
        "sessionToken": session.token.expose(),
        "expiration": session.expires * 1000,
    }}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateToken {
    client_id: String,
    client_secret: String,
    grant_type: String,
    refresh_token: Option<String>,
}

fn create_token(
    state: &mut State,
    request: &SignedRequest<'_>,
    call: &mut Call,
) -> Result<Value, AwsError> {
    let input: CreateToken = serde_json::from_slice(request.body)
        .map_err(|error| AwsError::new(400, "InvalidRequestException", error.to_string()))?;
    call.params.insert("clientId".to_owned(), input.client_id.clone());
    call.params.insert("grantType".to_owned(), input.grant_type.clone());
    if input.grant_type != "refresh_token" {
        let message = "Unsupported grant type";
        return Err(AwsError::new(400, "UnsupportedGrantTypeException", message));
    }
    let refresh_token = input.refresh_token.unwrap_or_default();
    let grant = state.sso.refresh.get(&refresh_token).cloned().ok_or_else(|| {
        AwsError::new(400, "InvalidGrantException", "Invalid refresh token provided")
    })?;
    let now = state.clock.now();
    let registered = grant.client_id == input.client_id
        && grant.client_secret == input.client_secret
        && grant.registered_until > now;
    if !registered {
        return Err(AwsError::new(401, "InvalidClientException", "Invalid client provided"));
    }
    // Each is good for one refresh.
    state.sso.refresh.remove(&refresh_token);
    let lifetime = grant.token_lifetime;
    let (access_token, refresh_token) = issue(state, grant);
    Ok(json!({
        "accessToken": access_token, "expiresIn": lifetime, "refreshToken": refresh_token,
        "tokenType": "Bearer",
    }))
}

/// A new pair of tokens.
fn issue(state: &mut State, grant: Grant) -> (String, String) {
    // Letters that bad encoding breaks, as in AWS's own.
    let access_token = format!("aoaAAAAAG+/{}:M", STANDARD.encode(doors::random::<96>()));
    let refresh_token = format!("aorAAAAAG+/{}:M", STANDARD.encode(doors::random::<96>()));
    let expires = state.clock.now() + grant.token_lifetime;
    let access = Access { user: grant.user.clone(), expires };
    state.sso.access.insert(access_token.clone(), access);
    state.sso.refresh.insert(refresh_token.clone(), grant);
    state.minted.extend([&access_token, &refresh_token].map(|token| Secret::new(token.as_str())));
    (access_token, refresh_token)
}

/// Signs a user in: what `aws sso login` writes into its token file.
pub(crate) fn login(state: &mut State, login: &SsoLogin) -> Value {
    let now = state.clock.now();
    let grant = Grant {
        user: login.user.clone(),
        token_lifetime: login.token_lifetime,
        client_id: hex::encode(doors::random::<12>()),
        client_secret: format!("eyJraWQi.{}", hex::encode(doors::random::<64>())),
        registered_until: now + login.registration_lifetime,
    };
    state.minted.push(Secret::new(grant.client_secret.as_str()));
    let (access_token, refresh_token) = issue(state, grant.clone());
    let mut file = Map::new();
    let mut put = |name: &str, text: &str| file.insert(name.to_owned(), text.into());
    put("startUrl", &login.start_url);
    put("region", &login.region);
    put("accessToken", &access_token);
    put("expiresAt", &clock::extended(now + login.token_lifetime));
    if login.refreshable {
        put("clientId", &grant.client_id);
        put("clientSecret", &grant.client_secret);
        put("registrationExpiresAt", &clock::extended(grant.registered_until));
        put("refreshToken", &refresh_token);
    } else {
        state.sso.refresh.remove(&refresh_token);
    }
    Value::Object(file)
}

/// Ends every sign-in of a user.
pub(crate) fn sign_out(state: &mut State, user: &str) {
    state.sso.access.retain(|_, access| access.user != user);
    state.sso.refresh.retain(|_, grant| grant.user != user);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oauth_names_its_errors_otherwise() {
        assert_eq!(oauth_code("InvalidGrantException"), "invalid_grant");
        assert_eq!(oauth_code("InvalidClientException"), "invalid_client");
    }
}
