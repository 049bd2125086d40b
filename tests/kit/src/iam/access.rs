//! What a caller's policies allow.

use super::managed;
use super::policy::{Context, Document, Question, Verdict, judge};
use crate::caller::Caller;
use crate::clock;
use crate::error::AwsError;
use crate::principal::Principal;
use crate::query::Params;
use crate::state::State;
use crate::world::{Policies, World, denies};

/// The policies that bear on a principal.
#[derive(Default)]
pub(super) struct Grants {
    /// Root: nothing limits it.
    all: bool,
    /// The world's own short way to deny.
    denied_actions: Vec<String>,
    pub(super) identity: Vec<Document>,
    pub(super) boundary: Option<Vec<Document>>,
    session: Option<Vec<Document>>,
    /// STS wants an allowance, too.
    governed: bool,
}

/// Which policies decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Identity,
    Boundary,
    Session,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Allowed,
    ExplicitDeny(Source),
    ImplicitDeny(Source),
}

impl Grants {
    pub(super) fn of(state: &State, caller: &Caller) -> Grants {
        let world = &state.world;
        let mut grants = match &caller.principal {
            Principal::Root { .. } => Grants { all: true, ..Grants::default() },
            Principal::User { arn, .. } => Grants::of_user(world, arn),
            Principal::AssumedRole { role_arn, .. } => Grants::of_role(world, role_arn),
            // Everything that a federated user may ask for is decided before its policies are.
            Principal::Federated { .. } => Grants::default(),
        };
        if let Some(session) = &caller.session
            && (session.policy.is_some() || !session.policy_arns.is_empty())
        {
            let account = caller.principal.account();
            let managed = session.policy_arns.iter();
            let managed = managed.filter_map(|arn| managed::find(world, account, arn));
            let documents =
                session.policy.iter().cloned().chain(managed.map(|policy| policy.document));
            grants.session = Some(readable(documents));
        }
        grants
    }

    pub(super) fn of_user(world: &World, arn: &str) -> Grants {
        let Some(at) = world.user_index_of_arn(arn) else { return Grants::default() };
        let user = &world.users[at];
        let iam = &user.iam;
        let mut identity = documents(world, &user.account, &iam.policies);
        for name in &iam.groups {
            if let Some(group) = world.group(&user.account, name) {
                identity.extend(documents(world, &user.account, &group.policies));
            }
        }
        let governed = iam.governed
            || iam.permissions_boundary.is_some()
            || !(iam.policies.is_empty() && iam.groups.is_empty());
        Grants {
            all: user.root,
            denied_actions: user.denied_actions.clone(),
            identity,
            boundary: boundary(world, &user.account, iam.permissions_boundary.as_deref()),
            session: None,
            governed,
        }
    }

    pub(super) fn of_role(world: &World, arn: &str) -> Grants {
        let Some(role) = world.role(arn) else { return Grants::default() };
        let iam = &role.iam;
        Grants {
            all: false,
            denied_actions: role.denied_actions.clone(),
            identity: documents(world, &role.account, &iam.policies),
            boundary: boundary(world, &role.account, iam.permissions_boundary.as_deref()),
            session: None,
            governed: iam.governed
                || iam.permissions_boundary.is_some()
                || !iam.policies.is_empty(),
        }
    }

    /// Everything that could deny is asked first, then everything that must allow.
    pub(super) fn decide(&self, question: &Question<'_>) -> Decision {
        if self.all {
            return Decision::Allowed;
        }
        if denies(&self.denied_actions, question.action) {
            return Decision::ExplicitDeny(Source::Identity);
        }
        let verdicts = [
            (Source::Identity, Some(judge(&self.identity, question))),
            (Source::Boundary, self.boundary.as_ref().map(|boundary| judge(boundary, question))),
            (Source::Session, self.session.as_ref().map(|session| judge(session, question))),
        ];
        let first = |wanted: Verdict| {
            verdicts.iter().find(|(_, verdict)| *verdict == Some(wanted)).map(|(source, _)| *source)
        };
        match (first(Verdict::ExplicitDeny), first(Verdict::NoAllow)) {
            (Some(source), _) => Decision::ExplicitDeny(source),
            (None, Some(source)) => Decision::ImplicitDeny(source),
            (None, None) => Decision::Allowed,
        }
    }
}

fn documents(world: &World, account: &str, policies: &Policies) -> Vec<Document> {
    let attached = policies.attached.iter().filter_map(|arn| managed::find(world, account, arn));
    let texts = policies.inline.values().cloned().chain(attached.map(|policy| policy.document));
    readable(texts)
}

/// A boundary that is not there allows nothing.
fn boundary(world: &World, account: &str, arn: Option<&str>) -> Option<Vec<Document>> {
    let found = managed::find(world, account, arn?);
    Some(readable(found.into_iter().map(|policy| policy.document)))
}

/// IAM takes no document that it cannot read; one that a world was written with allows nothing.
fn readable(documents: impl Iterator<Item = String>) -> Vec<Document> {
    documents.filter_map(|document| Document::parse(&document).ok()).collect()
}

/// What is known of a caller and the moment, whatever it asks for.
pub(super) fn context(state: &State, caller: &Caller) -> Context {
    let mut context = Context::new();
    let mut put = |key: &str, value: String| {
        context.insert(key.to_lowercase(), vec![value]);
    };
    let now = state.clock.now();
    let principal = &caller.principal;
    put("aws:CurrentTime", clock::extended(now));
    put("aws:EpochTime", now.to_string());
    put("aws:SourceIp", "127.0.0.1".to_owned());
    put("aws:userid", principal.id().to_owned());
    put("aws:PrincipalAccount", principal.account().to_owned());
    let (kind, arn) = match principal {
        Principal::User { arn, .. } => ("User", arn),
        Principal::Root { arn, .. } => ("Account", arn),
        Principal::AssumedRole { role_arn, .. } => ("AssumedRole", role_arn),
        Principal::Federated { arn, .. } => ("FederatedUser", arn),
    };
    put("aws:PrincipalType", kind.to_owned());
    put("aws:PrincipalArn", arn.clone());
    if let Principal::User { arn, .. } = principal
        && let Some(at) = state.world.user_index_of_arn(arn)
    {
        let user = &state.world.users[at];
        put("aws:username", user.name.clone());
        for (key, value) in &user.iam.tags {
            put(&format!("aws:PrincipalTag/{key}"), value.clone());
        }
    }
    if let Some(session) = &caller.session {
        put("aws:MultiFactorAuthPresent", session.mfa.to_string());
        for (key, value) in &session.tags {
            put(&format!("aws:PrincipalTag/{key}"), value.clone());
        }
    }
    context
}

/// 403 `AccessDenied`, saying which kind of policy decided; `shown` is the resource in AWS's words.
pub(super) fn refusal(caller: &Caller, action: &str, shown: &str, decision: Decision) -> AwsError {
    let (source, is_explicit) = match decision {
        Decision::ExplicitDeny(source) => (source, true),
        Decision::ImplicitDeny(source) => (source, false),
        Decision::Allowed => (Source::Identity, false),
    };
    let policy = match source {
        Source::Identity => "identity-based policy",
        Source::Boundary => "permissions boundary",
        Source::Session => "session policy",
    };
    let reason = if is_explicit {
        let article = if source == Source::Identity { "an" } else { "a" };
        format!("with an explicit deny in {article} {policy}")
    } else {
        format!("because no {policy} allows the {action} action")
    };
    AwsError::access_denied(format!(
        "User: {} is not authorized to perform: {action} on resource: {shown} {reason}",
        caller.principal.arn()
    ))
}

/// Whether a caller's own policies let it call an operation of STS.
pub(crate) fn authorize_sts(
    state: &State,
    caller: &Caller,
    operation: &str,
    params: &Params,
) -> Result<(), AwsError> {
    let action = format!("sts:{operation}");
    let resource = params.get("RoleArn").unwrap_or("*");
    let mut context = context(state, caller);
    for (key, param) in
        [("sts:externalid", "ExternalId"), ("sts:rolesessionname", "RoleSessionName")]
    {
        if let Some(value) = params.get(param) {
            context.insert(key.to_owned(), vec![value.to_owned()]);
        }
    }
    let grants = Grants::of(state, caller);
    let decision = grants.decide(&Question { action: &action, resource, context: &context });
    // The role's trust policy may name a caller of its own account, which is then enough; and
    // nobody needs permission to call GetSessionToken.
    let enough = operation == "GetSessionToken" || is_named(state, caller, resource);
    match decision {
        Decision::Allowed => Ok(()),
        Decision::ImplicitDeny(_) if enough || !grants.governed => Ok(()),
        refused => Err(refusal(caller, &action, resource, refused)),
    }
}

/// Whether a role of the caller's account trusts it by name, and not just its account.
fn is_named(state: &State, caller: &Caller, role_arn: &str) -> bool {
    let principal = &caller.principal;
    let root = format!(":iam::{}:root", principal.account());
    state.world.role(role_arn).is_some_and(|role| {
        role.account == principal.account()
            && role.trust.principals.iter().any(|pattern| {
                !pattern.ends_with(&root)
                    && pattern != principal.account()
                    && principal.is_named_by(pattern)
            })
    })
}
