//! Managed policies of users.

use super::page::page;
use super::{Answer, Work, invalid_input, limit, managed, no_such};
use crate::clock;
use crate::error::AwsError;
use crate::xml::Element;

/// `PolicyArn`, if it looks like the ARN of a policy.
fn policy_arn<'a>(work: &'a Work<'_>) -> Result<&'a str, AwsError> {
    let arn = work.params.required("PolicyArn");
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let is_policy = matches!(parts[..], ["arn", _, "iam", "", account, name]
        if !account.is_empty() && name.starts_with("policy/"));
    if is_policy { Ok(arn) } else { Err(invalid_input(format!("ARN {arn} is not valid."))) }
}

pub(super) fn attach_user_policy(work: &mut Work<'_>) -> Answer {
    let arn = policy_arn(work)?.to_owned();
    let found = managed::find(work.world(), work.account(), &arn).is_some();
    let quota = work.world().quotas(work.account()).attached_policies_per_user;
    let attached = &mut work.user_mut()?.iam.policies.attached;
    if !found {
        return Err(no_such(format!("Policy {arn} does not exist or is not attachable.")));
    }
    if attached.contains(&arn) {
        return Ok(Vec::new());
    }
    if attached.len() >= quota {
        return Err(limit("PoliciesPerUser", quota));
    }
    attached.push(arn);
    Ok(Vec::new())
}

pub(super) fn detach_user_policy(work: &mut Work<'_>) -> Answer {
    let arn = policy_arn(work)?.to_owned();
    let attached = &mut work.user_mut()?.iam.policies.attached;
    let at = attached.iter().position(|attached| *attached == arn);
    let at = at.ok_or_else(|| no_such(format!("Policy {arn} was not found.")))?;
    attached.remove(at);
    Ok(Vec::new())
}

pub(super) fn list_attached_user_policies(work: &mut Work<'_>) -> Answer {
    let prefix = work.params.get("PathPrefix").unwrap_or("/").to_owned();
    let attached = work.user()?.iam.policies.attached.clone();
    let items = attached.into_iter().filter_map(|arn| {
        let (_, path_and_name) = arn.split_once(":policy")?;
        let (_, name) = path_and_name.rsplit_once('/')?;
        let fields =
            vec![Element::text("PolicyName", name), Element::text("PolicyArn", arn.as_str())];
        let item = (name.to_owned(), Element::parent("member", fields));
        path_and_name.starts_with(&prefix).then_some(item)
    });
    let items = items.collect();
    page(work, "AttachedPolicies", items)
}

pub(super) fn get_policy(work: &mut Work<'_>) -> Answer {
    let arn = policy_arn(work)?;
    let (world, account) = (work.world(), work.account());
    let policy = managed::find(world, account, arn)
        .ok_or_else(|| no_such(format!("Policy {arn} was not found.")))?;
    let users = || world.users.iter().filter(|user| user.account == account);
    let attached = users().filter(|user| user.iam.policies.attached.iter().any(|it| it == arn));
    let bounding = users().filter(|user| user.iam.permissions_boundary.as_deref() == Some(arn));
    Ok(vec![Element::parent(
        "Policy",
        vec![
            Element::text("PolicyName", policy.name),
            Element::text("PolicyId", policy.id),
            Element::text("Arn", arn),
            Element::text("Path", policy.path),
            Element::text("DefaultVersionId", "v1"),
            Element::text("AttachmentCount", attached.count().to_string()),
            Element::text("PermissionsBoundaryUsageCount", bounding.count().to_string()),
            Element::text("IsAttachable", "true"),
            Element::text("CreateDate", clock::extended(0)),
            Element::text("UpdateDate", clock::extended(0)),
        ],
    )])
}
