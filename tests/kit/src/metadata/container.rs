//! The endpoints of ECS and of EKS Pod Identity.

use serde_json::json;

use super::{Answered, credentials, expiration, reply};
use crate::server::Reply;
use crate::sigv4::SignedRequest;
use crate::state::State;

const ECS_PATH: &str = "/v2/credentials/";
const EKS_PATH: &str = "/v1/credentials";

/// `container:ecs`, `container:eks`, or `container:` for all else.
pub(crate) fn operation_of(request: &SignedRequest<'_>) -> String {
    let operation = match request.path {
        EKS_PATH => "eks",
        path if path.starts_with(ECS_PATH) => "ecs",
        _ => "",
    };
    format!("container:{operation}")
}

pub(crate) fn answer(state: &mut State, request: &SignedRequest<'_>) -> Answered {
    let container = state.world.container.clone();
    if request.method != "GET" {
        return error(405, "MethodNotAllowed", "only GET is served").into();
    }
    let is_eks = match request.path {
        EKS_PATH => {
            let shown = request.headers.get(http::header::AUTHORIZATION);
            let Some(shown) = shown.and_then(|shown| shown.to_str().ok()) else {
                return error(400, "InvalidRequest", "Service account token cannot be empty")
                    .into();
            };
            if !container.pod_tokens.iter().any(|token| token.expose() == shown) {
                return error(400, "InvalidTokenException", "the token cannot be verified").into();
            }
            true
        }
        path => match path.strip_prefix(ECS_PATH) {
            Some(id) if id == container.id => false,
            Some(_) => {
                let message = "CredentialManager: No credentials found for the id in the request";
                return error(400, "InvalidIdInRequest", message).into();
            }
            None => return error(404, "NotFound", "there is nothing at this path").into(),
        },
    };
    let session = container
        .role
        .as_deref()
        .and_then(|role| credentials(state, role, "container", container.lifetime));
    let Some(session) = session else {
        return error(500, "InternalServerError", "the role cannot be assumed").into();
    };
    let mut body = json!({
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret,
        "Token": session.token,
        "Expiration": expiration(&session),
    });
    if is_eks {
        body["AccountId"] = session.principal.account().into();
    } else {
        body["RoleArn"] = container.role.into();
    }
    reply(200, "application/json", body.to_string()).into()
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    let body = json!({"code": code, "message": message, "HTTPErrorCode": status});
    Reply { error: Some(code.to_owned()), ..reply(status, "application/json", body.to_string()) }
}
