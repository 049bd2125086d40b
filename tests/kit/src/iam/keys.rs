//! Access keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::page::page;
use super::{Answer, New, Work, limit, no_such};
use crate::error::AwsError;
use crate::secret::Secret;
use crate::state::State;
use crate::world::AccessKey;
use crate::xml::Element;
use crate::{clock, doors, sts};

/// A new key of AWS's lengths.
pub(super) fn generate(now: i64) -> AccessKey {
    AccessKey {
        id: format!("AKIA{}", sts::letters::<16>()),
        secret: Secret::new(STANDARD.encode(doors::random::<30>())),
        active: true,
        created: now,
        last_used: None,
    }
}

/// What lists show of a key: everything but its secret.
fn elements(user: &str, key: &AccessKey) -> Vec<Element> {
    vec![
        Element::text("UserName", user),
        Element::text("AccessKeyId", key.id.as_str()),
        Element::text("Status", if key.active { "Active" } else { "Inactive" }),
        Element::text("CreateDate", clock::extended(key.created)),
    ]
}

pub(super) fn create_access_key(work: &mut Work<'_>) -> Answer {
    let quota = work.world().quotas(work.account()).access_keys_per_user;
    let now = work.now;
    let user = work.user_mut()?;
    if user.access_keys.len() >= quota {
        return Err(limit("AccessKeysPerUser", quota));
    }
    let key = generate(now);
    let mut elements = elements(&user.name, &key);
    elements.push(Element::text("SecretAccessKey", key.secret.expose()));
    user.access_keys.push(key.clone());
    for what in [New::Key, New::Listed] {
        work.state.iam.made(what, &key.id, now);
    }
    // A key that is deleted is still one that no log may hold.
    work.state.minted.push(key.secret);
    Ok(vec![Element::parent("AccessKey", elements)])
}

/// The key that a call names, which must be the user's.
fn key_mut<'a>(work: &'a mut Work<'_>) -> Result<(&'a mut Vec<AccessKey>, usize), AwsError> {
    let id = work.params.required("AccessKeyId").to_owned();
    let keys = &mut work.user_mut()?.access_keys;
    let at = keys.iter().position(|key| key.id == id);
    at.map(|at| (keys, at))
        .ok_or_else(|| no_such(format!("The Access Key with id {id} cannot be found.")))
}

pub(super) fn delete_access_key(work: &mut Work<'_>) -> Answer {
    let (keys, at) = key_mut(work)?;
    keys.remove(at);
    Ok(Vec::new())
}

pub(super) fn update_access_key(work: &mut Work<'_>) -> Answer {
    let active = work.params.required("Status") == "Active";
    let (keys, at) = key_mut(work)?;
    keys[at].active = active;
    Ok(Vec::new())
}

pub(super) fn list_access_keys(work: &mut Work<'_>) -> Answer {
    let at = work.user_at()?;
    let State { world, iam, .. } = &mut *work.state;
    let user = &world.users[at];
    let seen = user.access_keys.iter().filter(|key| !iam.is_unseen(New::Listed, &key.id, work.now));
    let items =
        seen.map(|key| (key.id.clone(), Element::parent("member", elements(&user.name, key))));
    let items = items.collect();
    page(work, "AccessKeyMetadata", items)
}

pub(super) fn get_access_key_last_used(work: &mut Work<'_>) -> Answer {
    let id = work.params.required("AccessKeyId");
    let world = work.world();
    let user = world.user_index_of_key(id).map(|at| &world.users[at]);
    let user = user
        .filter(|user| user.account == work.account())
        .ok_or_else(|| no_such(format!("The Access Key with id {id} cannot be found.")))?;
    let used =
        user.access_keys.iter().find(|key| key.id == id).and_then(|key| key.last_used.as_ref());
    let mut elements = Vec::new();
    elements.extend(used.map(|used| Element::text("LastUsedDate", clock::extended(used.at))));
    elements.push(Element::text("ServiceName", used.map_or("N/A", |used| used.service.as_str())));
    elements.push(Element::text("Region", used.map_or("N/A", |used| used.region.as_str())));
    Ok(vec![
        Element::text("UserName", user.name.as_str()),
        Element::parent("AccessKeyLastUsed", elements),
    ])
}
