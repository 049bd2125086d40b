//! Groups and who is in them.

use super::page::page;
use super::{Answer, Work, already_exists, limit, no_such, users};
use crate::clock;
use crate::error::AwsError;
use crate::world::{Group, World};
use crate::xml::Element;

fn elements(world: &World, group: &Group) -> Vec<Element> {
    vec![
        Element::text("Path", group.path.as_str()),
        Element::text("GroupName", group.name.as_str()),
        Element::text("GroupId", group.unique_id()),
        Element::text("Arn", world.group_arn(group)),
        Element::text("CreateDate", clock::extended(group.created)),
    ]
}

/// The group that a call names.
fn group<'a>(work: &'a Work<'_>) -> Result<&'a Group, AwsError> {
    let name = work.params.required("GroupName");
    let group = work.world().group(work.account(), name);
    group.ok_or_else(|| no_such(format!("The group with name {name} cannot be found.")))
}

pub(super) fn create_group(work: &mut Work<'_>) -> Answer {
    let (account, name) = (work.account().to_owned(), work.params.required("GroupName"));
    let groups = || work.world().groups.iter().filter(|group| group.account == account);
    if groups().any(|group| group.name.eq_ignore_ascii_case(name)) {
        return Err(already_exists(format!("Group with name {name} already exists.")));
    }
    let quota = work.world().quotas(&account).groups;
    if groups().count() >= quota {
        return Err(limit("GroupsPerAccount", quota));
    }
    let group = Group {
        name: name.to_owned(),
        path: work.params.get("Path").unwrap_or("/").to_owned(),
        created: work.now,
        account,
        ..Group::default()
    };
    let element = Element::parent("Group", elements(work.world(), &group));
    work.state.world.groups.push(group);
    Ok(vec![element])
}

pub(super) fn get_group(work: &mut Work<'_>) -> Answer {
    let group = group(work)?;
    let (world, account) = (work.world(), work.account());
    let members = world
        .users
        .iter()
        .filter(|user| user.account == account && user.iam.groups.contains(&group.name));
    let items = members
        .map(|user| (user.name.clone(), Element::parent("member", users::elements(world, user))))
        .collect();
    let mut answer = vec![Element::parent("Group", elements(world, group))];
    answer.extend(page(work, "Users", items)?);
    Ok(answer)
}

pub(super) fn add_user_to_group(work: &mut Work<'_>) -> Answer {
    let name = group(work)?.name.clone();
    let quota = work.world().quotas(work.account()).groups_per_user;
    let groups = &mut work.user_mut()?.iam.groups;
    if groups.contains(&name) {
        return Ok(Vec::new());
    }
    if groups.len() >= quota {
        return Err(limit("GroupsPerUser", quota));
    }
    groups.push(name);
    Ok(Vec::new())
}

pub(super) fn remove_user_from_group(work: &mut Work<'_>) -> Answer {
    let name = group(work)?.name.clone();
    let user = work.user_mut()?;
    let at = user
        .iam
        .groups
        .iter()
        .position(|group| *group == name)
        .ok_or_else(|| no_such(format!("User {} is not in the group {name}.", user.name)))?;
    user.iam.groups.remove(at);
    Ok(Vec::new())
}

pub(super) fn list_groups_for_user(work: &mut Work<'_>) -> Answer {
    let at = work.user_at()?;
    let (world, account) = (work.world(), work.account());
    let names = world.users[at].iam.groups.iter();
    let groups = names.filter_map(|name| world.group(account, name));
    let items = groups
        .map(|group| (group.name.clone(), Element::parent("member", elements(world, group))))
        .collect();
    page(work, "Groups", items)
}
