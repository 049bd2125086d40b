//! Tags of users.

use std::collections::BTreeMap;

use super::page::{page, place};
use super::{Answer, Work, invalid_input, limit};
use crate::error::AwsError;
use crate::xml::Element;

const MOST: usize = 50;

/// Tag keys are not distinguished by case.
pub(super) fn folded(key: &str) -> String {
    key.to_lowercase()
}

/// `Tags` of a request, which must not name a key twice or use AWS's own.
pub(super) fn requested(work: &Work<'_>) -> Result<BTreeMap<String, String>, AwsError> {
    let tags = work.params.tags();
    let mut seen = Vec::new();
    for (key, _) in &tags {
        let key = folded(key);
        if key.starts_with("aws:") {
            return Err(invalid_input(
                "aws: prefixed tag key names are not allowed for external use.",
            ));
        }
        if seen.contains(&key) {
            return Err(invalid_input(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        seen.push(key);
    }
    Ok(tags.into_iter().collect())
}

pub(super) fn elements(tags: &BTreeMap<String, String>) -> Vec<Element> {
    let member = |(key, value): (&String, &String)| {
        let fields =
            vec![Element::text("Key", key.as_str()), Element::text("Value", value.as_str())];
        Element::parent("member", fields)
    };
    tags.iter().map(member).collect()
}

pub(super) fn tag_user(work: &mut Work<'_>) -> Answer {
    let new = requested(work)?;
    let user = work.user_mut()?;
    let mut tags = user.iam.tags.clone();
    for (key, value) in new {
        tags.retain(|old, _| folded(old) != folded(&key));
        tags.insert(key, value);
    }
    if tags.len() > MOST {
        return Err(limit("TagsPerUser", MOST));
    }
    user.iam.tags = tags;
    Ok(Vec::new())
}

pub(super) fn untag_user(work: &mut Work<'_>) -> Answer {
    let keys: Vec<String> = work.params.list("TagKeys", "").into_iter().map(folded).collect();
    work.user_mut()?.iam.tags.retain(|key, _| !keys.contains(&folded(key)));
    Ok(Vec::new())
}

pub(super) fn list_user_tags(work: &mut Work<'_>) -> Answer {
    let members = elements(&work.user()?.iam.tags);
    let items = members.into_iter().enumerate().map(|(at, element)| (place(at), element));
    page(work, "Tags", items.collect())
}
