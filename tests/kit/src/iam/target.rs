//! What an operation is about: the resource and the condition keys that policies are asked with.

use super::access::{Decision, Grants, context, refusal};
use super::policy::{Context, Question};
use super::{Work, tags};
use crate::error::AwsError;
use crate::world::User;

/// What kind of resource an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `UserName`, or the caller itself.
    User,
    /// `UserName`, which need not exist yet.
    NewUser,
    /// All users under `PathPrefix`.
    Users,
    /// `GroupName`.
    Group,
    /// `GroupName`, which need not exist yet.
    NewGroup,
    /// `PolicyArn`.
    Policy,
    /// `SerialNumber`.
    Mfa,
    /// All virtual MFA devices.
    Mfas,
    /// The user that has `AccessKeyId`.
    KeyOwner,
    /// `PolicySourceArn`.
    Source,
    /// The account.
    Account,
}

/// A resource as policies know it, and as AWS's messages call it.
struct Resource {
    arn: String,
    shown: String,
}

/// Refuses what the caller's policies do not allow.
pub(super) fn authorize(work: &mut Work<'_>, target: Target) -> Result<(), AwsError> {
    let refused = check(work, target);
    if refused.is_err() && target == Target::User {
        // A call that is refused as its user is not seen yet is one of those that do not see it.
        let _ = work.user_at();
    }
    refused
}

fn check(work: &Work<'_>, target: Target) -> Result<(), AwsError> {
    let mut context = context(work.state, work.caller);
    request_keys(work, &mut context);
    let resource = resource(work, target, &mut context)?;
    let grants = Grants::of(work.state, work.caller);
    let mut actions = vec![format!("iam:{}", work.operation)];
    // Tagging what is being made is an action of its own.
    if target == Target::NewUser && !work.params.tags().is_empty() {
        actions.push("iam:TagUser".to_owned());
    }
    for action in &actions {
        let question = Question { action, resource: &resource.arn, context: &context };
        let decision = grants.decide(&question);
        if decision != Decision::Allowed {
            return Err(refusal(work.caller, action, &resource.shown, decision));
        }
    }
    Ok(())
}

/// Condition keys whose values are in the request.
fn request_keys(work: &Work<'_>, context: &mut Context) {
    let params = work.params;
    let mut keys = Vec::new();
    for (key, value) in params.tags() {
        context.insert(format!("aws:requesttag/{}", key.to_lowercase()), vec![value]);
        keys.push(key);
    }
    keys.extend(params.list("TagKeys", "").into_iter().map(str::to_owned));
    if !keys.is_empty() {
        context.insert("aws:tagkeys".to_owned(), keys);
    }
    for (key, param) in
        [("iam:permissionsboundary", "PermissionsBoundary"), ("iam:policyarn", "PolicyArn")]
    {
        if let Some(value) = params.get(param) {
            context.insert(key.to_owned(), vec![value.to_owned()]);
        }
    }
}

/// Condition keys whose values are the user's.
fn user_keys(user: &User, context: &mut Context) {
    for (key, value) in &user.iam.tags {
        for prefix in ["aws:resourcetag/", "iam:resourcetag/"] {
            let key = format!("{prefix}{}", tags::folded(key));
            context.insert(key, vec![value.clone()]);
        }
    }
    // What a call sets counts, not what it replaces.
    if let Some(boundary) = &user.iam.permissions_boundary {
        context
            .entry("iam:permissionsboundary".to_owned())
            .or_insert_with(|| vec![boundary.clone()]);
    }
}

fn resource(work: &Work<'_>, target: Target, context: &mut Context) -> Result<Resource, AwsError> {
    let (world, account, params) = (work.world(), work.account(), work.params);
    let prefix = format!("arn:{}:iam::{account}:", work.caller.principal.partition());
    let same = |arn: String| Resource { shown: arn.clone(), arn };
    let mut of_user = |name: &str| {
        // Of a user that is not seen yet, IAM knows no path either.
        let found = world.user_index(account, name).filter(|at| !work.is_unseen(*at));
        let arn = match found {
            Some(at) => {
                user_keys(&world.users[at], context);
                world.user_arn(&world.users[at])
            }
            // Of a user that is not there, the path is not known either.
            None => format!("{prefix}user/{name}"),
        };
        Resource { arn, shown: format!("user {name}") }
    };
    let path = params.get("Path").unwrap_or("/");
    Ok(match target {
        Target::User => of_user(work.user_name()?),
        Target::KeyOwner => {
            let id = params.required("AccessKeyId");
            match world.user_index_of_key(id).map(|at| &world.users[at]) {
                Some(user) if user.account == account => of_user(&user.name),
                _ => same(format!("{prefix}user/*")),
            }
        }
        Target::NewUser => same(format!("{prefix}user{path}{}", params.required("UserName"))),
        Target::Users => same(format!("{prefix}user{}", params.get("PathPrefix").unwrap_or("/"))),
        Target::NewGroup => same(format!("{prefix}group{path}{}", params.required("GroupName"))),
        Target::Group => {
            let name = params.required("GroupName");
            let arn = match world.group(account, name) {
                Some(group) => world.group_arn(group),
                None => format!("{prefix}group/{name}"),
            };
            Resource { arn, shown: format!("group {name}") }
        }
        Target::Policy => {
            let arn = params.required("PolicyArn");
            Resource { arn: arn.to_owned(), shown: format!("policy {arn}") }
        }
        Target::Mfa => same(params.required("SerialNumber").to_owned()),
        Target::Mfas => same(format!("{prefix}mfa/")),
        Target::Source => same(params.required("PolicySourceArn").to_owned()),
        Target::Account => same("*".to_owned()),
    })
}
