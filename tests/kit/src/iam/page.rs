//! Lists in pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Answer, Work};
use crate::error::AwsError;
use crate::xml::Element;

const USUAL: usize = 100;

/// The page that `Marker` and `MaxItems` ask for, of items in the order of their keys. A marker
/// holds the last key given, so that items which come and go between two pages move no other.
pub(super) fn page(work: &Work<'_>, list: &'static str, items: Vec<(String, Element)>) -> Answer {
    let mut items = items;
    items.sort_by(|a, b| a.0.cmp(&b.0));
    let scope = format!("{}/{}/", work.operation, work.params.get("UserName").unwrap_or_default());
    if let Some(marker) = work.params.get("Marker") {
        let last = URL_SAFE_NO_PAD
            .decode(marker)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.strip_prefix(&scope).map(str::to_owned))
            .ok_or_else(|| AwsError::validation("Invalid Marker."))?;
        items.retain(|(key, _)| *key > last);
    }
    let asked = work.params.number("MaxItems").and_then(|max| usize::try_from(max).ok());
    let most = asked.unwrap_or(USUAL);
    let most = work.state.iam.settings.page_limit.map_or(most, |limit| most.min(limit.max(1)));
    let is_truncated = items.len() > most;
    items.truncate(most);
    let marker = items.last().filter(|_| is_truncated);
    let marker = marker.map(|(key, _)| URL_SAFE_NO_PAD.encode(format!("{scope}{key}")));
    let members = items.into_iter().map(|(_, element)| element).collect();
    let mut elements = vec![
        Element::parent(list, members),
        Element::text("IsTruncated", is_truncated.to_string()),
    ];
    elements.extend(marker.map(|marker| Element::text("Marker", marker)));
    Ok(elements)
}

/// The key of an item in a list that keeps its order.
pub(super) fn place(at: usize) -> String {
    format!("{at:06}")
}
