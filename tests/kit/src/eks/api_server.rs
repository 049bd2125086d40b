//! The API server of a cluster, as far as `kubectl get namespaces` needs one.

use serde_json::{Value, json};

use super::{SERVERS, webhook};
use crate::calls::Call;
use crate::principal::Principal;
use crate::server::Reply;
use crate::sigv4::SignedRequest;
use crate::state::State;

/// What a request to an API server asks for, if it is one: `k8s:/api/v1/namespaces`.
pub(crate) fn operation_of(request: &SignedRequest<'_>) -> Option<String> {
    server_and_path(request.path).map(|(_, path)| format!("k8s:{path}"))
}

fn server_and_path(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix(SERVERS)?;
    Some(rest.split_at(rest.find('/').unwrap_or(rest.len())))
}

/// Answers a request to one of the API servers.
pub(crate) fn answer(state: &mut State, request: &SignedRequest<'_>, call: &mut Call) -> Reply {
    let (id, path) = server_and_path(request.path).unwrap_or_default();
    call.params.insert("cluster".to_owned(), id.to_owned());
    match authenticate(state, request, id) {
        Ok(arn) => call.principal = Some(arn),
        Err(reason) => {
            call.params.insert("refused_because".to_owned(), reason);
            return status(401, "Unauthorized", "Unauthorized");
        }
    }
    match (request.method, path) {
        ("GET", "/version") => Reply::json(200, &json!({"major": "1", "minor": "33"}), None),
        ("GET", "/api") => {
            Reply::json(200, &json!({"kind": "APIVersions", "versions": ["v1"]}), None)
        }
        ("GET", "/apis") => {
            let groups = json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": []});
            Reply::json(200, &groups, None)
        }
        ("GET", "/api/v1") => Reply::json(200, &resources(), None),
        ("GET", "/api/v1/namespaces") => Reply::json(200, &namespaces(), None),
        _ => status(404, "NotFound", "the server could not find the requested resource"),
    }
}

/// Who calls, if the cluster lets it in.
fn authenticate(
    state: &mut State,
    request: &SignedRequest<'_>,
    id: &str,
) -> Result<String, String> {
    let header = request.headers.get("authorization").and_then(|header| header.to_str().ok());
    let token = header.and_then(|header| header.strip_prefix("Bearer ")).ok_or("no token")?;
    let arn = webhook::identify(state, token, id)?;
    let session = state.sessions.values().find(|session| session.principal.arn() == arn);
    let role = session.and_then(|session| match &session.principal {
        Principal::AssumedRole { role_arn, .. } => Some(role_arn.as_str()),
        _ => None,
    });
    let cluster = state.world.eks_clusters.iter().find(|cluster| cluster.id() == id);
    let access = cluster.map(|cluster| &cluster.access).ok_or("there is no such cluster")?;
    if !access.iter().any(|entry| *entry == arn || Some(entry.as_str()) == role) {
        return Err(format!("{arn} has no access"));
    }
    Ok(arn)
}

fn resources() -> Value {
    json!({
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [{
            "name": "namespaces",
            "singularName": "namespace",
            "namespaced": false,
            "kind": "Namespace",
            "verbs": ["get", "list"],
            "shortNames": ["ns"],
        }],
    })
}

fn namespaces() -> Value {
    let namespace = |name: &str| {
        json!({
            "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        })
    };
    json!({
        "kind": "NamespaceList",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": "1"},
        "items": [namespace("default"), namespace("kube-system")],
    })
}

/// Kubernetes' form of an error.
fn status(code: u16, reason: &str, message: &str) -> Reply {
    let value = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    });
    Reply::json(code, &value, Some(reason.to_owned()))
}
