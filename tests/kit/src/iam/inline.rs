//! Inline policies of users.

use super::page::page;
use super::policy::Document;
use super::{Answer, Work, no_such};
use crate::error::AwsError;
use crate::sigv4::uri_encode;
use crate::xml::Element;

pub(super) fn put_user_policy(work: &mut Work<'_>) -> Answer {
    let (name, document) =
        (work.params.required("PolicyName").to_owned(), work.params.required("PolicyDocument"));
    let document = document.to_owned();
    let parsed = Document::parse(&document);
    let quota = work.world().quotas(work.account()).user_policy_size;
    let user = work.user_mut()?;
    parsed?;
    let size = |text: &String| text.chars().filter(|letter| !letter.is_whitespace()).count();
    let others = user.iam.policies.inline.iter().filter(|(other, _)| **other != name);
    let total = others.map(|(_, text)| size(text)).sum::<usize>() + size(&document);
    if total > quota {
        return Err(AwsError::new(
            409,
            "LimitExceeded",
            format!("Maximum policy size of {quota} bytes exceeded for user {}", user.name),
        ));
    }
    user.iam.policies.inline.insert(name, document);
    Ok(Vec::new())
}

fn missing(name: &str) -> AwsError {
    no_such(format!("The user policy with name {name} cannot be found."))
}

pub(super) fn get_user_policy(work: &mut Work<'_>) -> Answer {
    let name = work.params.required("PolicyName").to_owned();
    let user = work.user()?;
    let document = user.iam.policies.inline.get(&name).ok_or_else(|| missing(&name))?;
    Ok(vec![
        Element::text("UserName", user.name.as_str()),
        Element::text("PolicyName", name),
        Element::text("PolicyDocument", uri_encode(document.as_bytes())),
    ])
}

pub(super) fn delete_user_policy(work: &mut Work<'_>) -> Answer {
    let name = work.params.required("PolicyName").to_owned();
    let removed = work.user_mut()?.iam.policies.inline.remove(&name);
    removed.map(|_| Vec::new()).ok_or_else(|| missing(&name))
}

pub(super) fn list_user_policies(work: &mut Work<'_>) -> Answer {
    let names = work.user()?.iam.policies.inline.keys();
    let items = names.map(|name| (name.clone(), Element::text("member", name.as_str()))).collect();
    page(work, "PolicyNames", items)
}
