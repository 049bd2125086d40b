//! Sessions without a role, and questions about keys.

use super::Work;
use super::issue::{Wishes, issue};
use super::roles::prove_mfa;
use crate::error::AwsError;
use crate::principal::Principal;
use crate::xml::Element;

const ROOT_MAX: i64 = 3600;

pub(super) fn get_caller_identity(work: &mut Work<'_>) -> Result<Vec<Element>, AwsError> {
    let principal = &work.signed_caller()?.principal;
    Ok(vec![
        Element::text("Arn", principal.arn()),
        Element::text("UserId", principal.id()),
        Element::text("Account", principal.account()),
    ])
}

pub(super) fn get_session_token(work: &mut Work<'_>) -> Result<Vec<Element>, AwsError> {
    let (params, caller) = (work.params, work.signed_caller()?);
    if caller.session.is_some() {
        return Err(AwsError::access_denied(
            "Cannot call GetSessionToken with session credentials",
        ));
    }
    let mfa = prove_mfa(work.state, caller, params.get("SerialNumber"), params.get("TokenCode"))?;
    let seconds = own_duration(work, 43_200)?;
    let wishes = Wishes { mfa, ..Wishes::default() };
    let principal = caller.principal.clone();
    Ok(vec![issue(work, principal, seconds, wishes)])
}

pub(super) fn get_federation_token(work: &mut Work<'_>) -> Result<Vec<Element>, AwsError> {
    let (params, caller) = (work.params, work.signed_caller()?);
    if caller.session.is_some() {
        return Err(AwsError::access_denied(
            "Cannot call GetFederationToken with session credentials",
        ));
    }
    let wishes = Wishes::from_params(params)?;
    let seconds = own_duration(work, 43_200)?;
    let (account, name) = (caller.principal.account(), params.required("Name"));
    let arn = format!("arn:{}:sts::{account}:federated-user/{name}", caller.principal.partition());
    let id = format!("{account}:{name}");
    let user = Element::parent(
        "FederatedUser",
        vec![Element::text("FederatedUserId", id.as_str()), Element::text("Arn", arn.as_str())],
    );
    let packed_size = wishes.packed_size;
    let credentials = issue(work, Principal::Federated { arn, id }, seconds, wishes);
    let mut elements = vec![credentials, user];
    elements
        .extend(packed_size.map(|percent| Element::text("PackedPolicySize", percent.to_string())));
    Ok(elements)
}

/// The root user's sessions end after an hour, whatever was asked.
fn own_duration(work: &Work<'_>, default: i64) -> Result<i64, AwsError> {
    let asked = work.params.number("DurationSeconds").unwrap_or(default);
    let root = matches!(work.signed_caller()?.principal, Principal::Root { .. });
    Ok(if root { asked.min(ROOT_MAX) } else { asked })
}

pub(super) fn get_access_key_info(work: &mut Work<'_>) -> Result<Vec<Element>, AwsError> {
    let id = work.params.required("AccessKeyId");
    let principal = work.state.principal(id).ok_or_else(|| {
        AwsError::validation(format!("Invalid value for parameter AccessKeyId: {id}"))
    })?;
    Ok(vec![Element::text("Account", principal.account())])
}

pub(super) fn assume_root(work: &mut Work<'_>) -> Result<Vec<Element>, AwsError> {
    const TASKS: [&str; 5] = [
        "IAMAuditRootUserCredentials",
        "IAMCreateRootUserPassword",
        "IAMDeleteRootUserCredentials",
        "S3UnlockBucketPolicy",
        "SQSUnlockQueuePolicy",
    ];
    let (params, caller) = (work.params, work.signed_caller()?);
    let target = params.required("TargetPrincipal");
    // Taken: an account's id, or the ARN of its root.
    let id = match target.split(':').collect::<Vec<_>>()[..] {
        [id] => id,
        ["arn", _, "iam", "", id, "root"] => id,
        _ => return Err(AwsError::validation(format!("{target} is not an account or its root"))),
    };
    let task = params.required("TaskPolicyArn.arn");
    let known =
        TASKS.iter().any(|name| task.ends_with(&format!(":iam::aws:policy/root-task/{name}")));
    if !known {
        return Err(AwsError::validation(format!("{task} is not a root task policy")));
    }
    let managed = work.state.world.accounts.iter().any(|account| {
        account.id == id && account.root_managed_by.as_deref() == Some(caller.principal.account())
    });
    let root = matches!(caller.principal, Principal::Root { .. });
    let arn = format!("arn:{}:iam::{id}:root", caller.principal.partition());
    if !managed || root {
        return Err(AwsError::not_authorized(caller.principal.arn(), "sts:AssumeRoot", &arn));
    }
    let source = caller.session.as_ref().and_then(|session| session.source_identity.clone());
    // Zero is in the model's range; AWS makes it the default.
    let seconds = params.number("DurationSeconds").filter(|asked| *asked > 0).unwrap_or(900);
    let wishes = Wishes {
        policy_arns: vec![task.to_owned()],
        source_identity: source.clone(),
        ..Wishes::default()
    };
    let credentials = issue(work, Principal::Root { arn, account: id.to_owned() }, seconds, wishes);
    let mut elements = vec![credentials];
    elements.extend(source.map(|source| Element::text("SourceIdentity", source)));
    Ok(elements)
}
