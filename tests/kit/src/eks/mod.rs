//! Amazon EKS: DescribeCluster, and the API servers of its clusters.

mod api_server;
mod webhook;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::calls::Call;
use crate::error::AwsError;
use crate::principal::Principal;
use crate::server::Reply;
use crate::sigv4::{Expected, SignedRequest};
use crate::state::State;
use crate::world::{EksCluster, denies};

pub(crate) use api_server::{answer as answer_kubernetes, operation_of as kubernetes_operation_of};

const OPERATION: &str = "DescribeCluster";
/// The path below which the API servers are, each at its cluster's name or id.
const SERVERS: &str = "/k8s/";

/// Where the kit itself is, as its clusters need to know it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses {
    /// The hosts at which STS answers.
    pub(crate) sts: Vec<String>,
    /// The URL below which the API servers are.
    pub(crate) servers: String,
    /// The authority that clients of theirs must trust, in PEM.
    pub(crate) ca_pem: String,
}

/// The operation of this service that a request asks for, if it is at its path.
pub(crate) fn operation_of(request: &SignedRequest<'_>) -> Option<&'static str> {
    name_in(request.path).map(|_| OPERATION)
}

fn name_in(path: &str) -> Option<&str> {
    path.strip_prefix("/clusters/").filter(|name| !name.is_empty() && !name.contains('/'))
}

/// Answers a request to this service's path.
pub(crate) fn answer(state: &mut State, request: &SignedRequest<'_>, call: &mut Call) -> Reply {
    match describe(state, request, call) {
        Ok(value) => Reply::json(200, &value, None),
        Err(error) => failure(&error),
    }
}

/// An error in this service's form.
pub(crate) fn failure(error: &AwsError) -> Reply {
    // What STS calls so has other names in services that speak JSON.
    let code = match error.code.as_ref() {
        "Throttling" => "ThrottlingException",
        "SignatureDoesNotMatch" => "InvalidSignatureException",
        "InvalidClientTokenId" => "UnrecognizedClientException",
        "ExpiredToken" => "ExpiredTokenException",
        "MissingAuthenticationToken" => "MissingAuthenticationTokenException",
        "AccessDenied" => "AccessDeniedException",
        code => code,
    };
    Reply::json(error.status, &json!({"message": error.message}), Some(code.to_owned()))
}

fn describe(
    state: &mut State,
    request: &SignedRequest<'_>,
    call: &mut Call,
) -> Result<Value, AwsError> {
    if request.method != "GET" {
        return Err(AwsError::new(404, "UnknownOperationException", "there is no such operation"));
    }
    let name = name_in(request.path).unwrap_or_default();
    call.params.insert("name".to_owned(), name.to_owned());
    let caller = Caller::authenticate(state, request, &Expected::service("eks"), call)?;
    let principal = &caller.principal;
    let region = call.region.clone().unwrap_or_default();
    let arn = format!(
        "arn:{}:eks:{region}:{}:cluster/{name}",
        principal.partition(),
        principal.account()
    );
    if is_denied(state, principal) {
        return Err(AwsError::not_authorized(principal.arn(), "eks:DescribeCluster", &arn));
    }
    let world = &state.world;
    let cluster = world.eks_clusters.iter().find(|cluster| {
        cluster.name == name && cluster.account == principal.account() && cluster.region == region
    });
    let cluster = cluster.ok_or_else(|| {
        let message = format!("No cluster found for name: {name}.");
        AwsError::new(404, "ResourceNotFoundException", message)
    })?;
    Ok(json!({"cluster": description(cluster, &arn, &state.addresses)}))
}

/// The world's own short way to deny.
fn is_denied(state: &State, principal: &Principal) -> bool {
    let world = &state.world;
    let denied = match principal {
        Principal::User { arn, .. } => {
            world.user_index_of_arn(arn).map(|at| &world.users[at].denied_actions)
        }
        Principal::AssumedRole { role_arn, .. } => {
            world.role(role_arn).map(|role| &role.denied_actions)
        }
        Principal::Federated { .. } | Principal::Root { .. } => None,
    };
    denied.is_some_and(|denied| denies(denied, "eks:DescribeCluster"))
}

fn description(cluster: &EksCluster, arn: &str, addresses: &Addresses) -> Value {
    let mut description = json!({
        "name": cluster.name,
        "arn": arn,
        "createdAt": 1_767_225_600.0,
        "version": "1.33",
        "roleArn": format!("arn:aws:iam::{}:role/EksCluster", cluster.account),
        "status": cluster.status,
        "tags": {},
    });
    // A cluster that is being made has neither yet.
    if cluster.status != "CREATING" {
        description["endpoint"] = format!("{}{SERVERS}{}", addresses.servers, cluster.id()).into();
        let data = STANDARD.encode(&addresses.ca_pem);
        description["certificateAuthority"] = json!({"data": data});
    }
    if let Some(id) = &cluster.local_id {
        description["id"] = id.as_str().into();
        description["outpostConfig"] = json!({"outpostArns": []});
    }
    description
}
