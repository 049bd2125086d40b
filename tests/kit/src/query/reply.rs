//! Answers of the Query protocol.

use std::collections::BTreeMap;

use super::Param;
use crate::error::AwsError;
use crate::server::{Reply, request_id};
use crate::xml::{self, Element};

/// An error of a service, also used for injected faults.
pub(crate) fn failure(error: &AwsError, namespace: &str, json: bool) -> Reply {
    let request_id = request_id();
    let details = Element::parent(
        "Error",
        vec![
            Element::text("Type", error.kind()),
            Element::text("Code", error.code.as_ref()),
            Element::text("Message", error.message.as_str()),
        ],
    );
    let elements = [details, Element::text("RequestId", request_id.as_str())];
    Reply {
        error: Some(error.code.to_string()),
        ..document(error.status, "ErrorResponse", namespace, &elements, request_id, json)
    }
}

/// `result` is `None` for an operation whose answer holds nothing.
pub(crate) fn success(
    response: &str,
    result: Option<&'static str>,
    elements: Vec<Element>,
    namespace: &str,
    json: bool,
) -> Reply {
    let request_id = request_id();
    let metadata = vec![Element::text("RequestId", request_id.as_str())];
    let mut all = Vec::new();
    all.extend(result.map(|result| Element::parent(result, elements)));
    all.push(Element::parent("ResponseMetadata", metadata));
    document(200, response, namespace, &all, request_id, json)
}

fn document(
    status: u16,
    root: &str,
    namespace: &str,
    elements: &[Element],
    request_id: String,
    json: bool,
) -> Reply {
    let (content_type, body) = if json {
        ("application/json", xml::json_document(root, elements))
    } else {
        ("text/xml", xml::document(root, namespace, elements))
    };
    Reply { status, content_type: content_type.into(), body: body.into(), request_id, error: None }
}

/// The parameters as they may be recorded.
pub(crate) fn redacted(
    params: &[Param],
    arguments: &[(String, String)],
) -> BTreeMap<String, String> {
    let value = |name: &str, value: &str| {
        let first = name.split('.').next().unwrap_or_default();
        // A parameter that the operation does not have may be anything.
        let shown = params.iter().any(|param| param.name == first && !param.secret);
        if shown { value.to_owned() } else { "[redacted]".to_owned() }
    };
    arguments.iter().map(|(name, text)| (name.clone(), value(name, text))).collect()
}
