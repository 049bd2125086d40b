//! Users themselves.

use super::page::page;
use super::{Answer, New, Work, already_exists, delete_conflict, limit, managed, no_such, tags};
use crate::clock;
use crate::error::AwsError;
use crate::world::{User, UserIam, World};
use crate::xml::Element;

/// A user as lists show it: without tags and boundary.
pub(super) fn elements(world: &World, user: &User) -> Vec<Element> {
    vec![
        Element::text("Path", user.path.as_str()),
        Element::text("UserName", user.name.as_str()),
        Element::text("UserId", user.unique_id()),
        Element::text("Arn", world.user_arn(user)),
        Element::text("CreateDate", clock::extended(user.iam.created)),
    ]
}

/// A user with everything that is its own.
fn full(world: &World, user: &User) -> Element {
    let mut elements = elements(world, user);
    if let Some(arn) = &user.iam.permissions_boundary {
        elements.push(Element::parent(
            "PermissionsBoundary",
            vec![
                Element::text("PermissionsBoundaryType", "PermissionsBoundaryPolicy"),
                Element::text("PermissionsBoundaryArn", arn.as_str()),
            ],
        ));
    }
    if !user.iam.tags.is_empty() {
        elements.push(Element::parent("Tags", tags::elements(&user.iam.tags)));
    }
    Element::parent("User", elements)
}

pub(super) fn create_user(work: &mut Work<'_>) -> Answer {
    let name = work.params.required("UserName").to_owned();
    let tags = tags::requested(work)?;
    let boundary = requested_boundary(work)?;
    let users = check_name(work, &name, None)?;
    let account = work.account().to_owned();
    let quota = work.world().quotas(&account).users;
    if users >= quota {
        return Err(limit("UsersPerAccount", quota));
    }
    let user = User {
        account,
        name,
        path: work.params.get("Path").unwrap_or("/").to_owned(),
        id: format!("AIDA{}", crate::sts::letters::<17>()),
        iam: UserIam {
            created: work.now,
            governed: true,
            tags,
            permissions_boundary: boundary,
            ..UserIam::default()
        },
        ..User::default()
    };
    work.state.iam.made(New::User, &user.id, work.now);
    work.state.iam.made(New::Listed, &user.id, work.now);
    let element = full(work.world(), &user);
    work.state.world.users.push(user);
    Ok(vec![element])
}

/// Names are unique whatever their case; `except` is the user that may have it. How many users the
/// account has.
fn check_name(work: &Work<'_>, name: &str, except: Option<usize>) -> Result<usize, AwsError> {
    let account = work.account();
    let mut count = 0;
    for (at, user) in work.world().users.iter().enumerate() {
        if user.account != account || user.root {
            continue;
        }
        count += 1;
        // The lengths first: this runs through thousands of users.
        let is_same = user.name.len() == name.len() && user.name.eq_ignore_ascii_case(name);
        if is_same && Some(at) != except {
            return Err(already_exists(format!("User with name {name} already exists.")));
        }
    }
    Ok(count)
}

fn requested_boundary(work: &Work<'_>) -> Result<Option<String>, AwsError> {
    let Some(arn) = work.params.get("PermissionsBoundary") else { return Ok(None) };
    if managed::find(work.world(), work.account(), arn).is_none() {
        return Err(no_such(format!("Scope ARN: {arn} does not exist or is not attachable.")));
    }
    Ok(Some(arn.to_owned()))
}

pub(super) fn get_user(work: &mut Work<'_>) -> Answer {
    let at = work.user_at()?;
    let world = work.world();
    Ok(vec![full(world, &world.users[at])])
}

pub(super) fn update_user(work: &mut Work<'_>) -> Answer {
    let at = work.user_at()?;
    let (name, path) = (work.params.get("NewUserName"), work.params.get("NewPath"));
    if let Some(name) = name {
        check_name(work, name, Some(at))?;
    }
    let (name, path) = (name.map(str::to_owned), path.map(str::to_owned));
    let user = &mut work.state.world.users[at];
    // An id that was made from the name stays when the name goes.
    user.id = user.unique_id();
    user.name = name.unwrap_or_else(|| user.name.clone());
    user.path = path.unwrap_or_else(|| user.path.clone());
    Ok(Vec::new())
}

pub(super) fn delete_user(work: &mut Work<'_>) -> Answer {
    let at = work.user_at()?;
    let user = &work.world().users[at];
    let iam = &user.iam;
    for (is_there, what) in [
        (iam.login_profile.is_some(), "must delete login profile first."),
        (!user.access_keys.is_empty(), "must delete access keys first."),
        (!iam.signing_certificates.is_empty(), "must delete signing certificates first."),
        (!iam.ssh_public_keys.is_empty(), "must delete SSH public keys first."),
        (
            !iam.service_specific_credentials.is_empty(),
            "must delete service specific credentials first.",
        ),
        (!user.mfa_devices.is_empty(), "must delete MFA device first."),
        (!iam.policies.inline.is_empty(), "must delete policies first."),
        (!iam.policies.attached.is_empty(), "must detach all policies first."),
        (!iam.groups.is_empty(), "must remove users from group first."),
    ] {
        if is_there {
            return Err(delete_conflict(format!("Cannot delete entity, {what}")));
        }
    }
    work.state.world.users.swap_remove(at);
    Ok(Vec::new())
}

pub(super) fn list_users(work: &mut Work<'_>) -> Answer {
    let prefix = work.params.get("PathPrefix").unwrap_or("/");
    let account = work.caller.principal.account();
    let crate::state::State { world, iam, .. } = &mut *work.state;
    let mut items = Vec::new();
    for user in &world.users {
        if user.account != account || user.root || !user.path.starts_with(prefix) {
            continue;
        }
        if iam.is_unseen(New::Listed, &user.id, work.now) {
            continue;
        }
        items.push((user.name.clone(), Element::parent("member", elements(world, user))));
    }
    page(work, "Users", items)
}

pub(super) fn put_boundary(work: &mut Work<'_>) -> Answer {
    let boundary = requested_boundary(work);
    let at = work.user_at()?;
    work.state.world.users[at].iam.permissions_boundary = boundary?;
    Ok(Vec::new())
}

pub(super) fn delete_boundary(work: &mut Work<'_>) -> Answer {
    let name = work.user_name()?.to_owned();
    let boundary = work.user_mut()?.iam.permissions_boundary.take();
    boundary
        .map(|_| Vec::new())
        .ok_or_else(|| no_such(format!("No permissions boundary found for user {name}.")))
}
