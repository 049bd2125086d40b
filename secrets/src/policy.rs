//! Policies that rolecall writes itself.

use std::time::SystemTime;

use rolecall_core::timestamp;
use serde_json::{Value, json};

/// The name of the inline policy that ends a user by itself.
pub(crate) const DEAD_MAN: &str = "rolecall-expiry";
/// The name of the inline policy of the definition.
pub(crate) const INLINE: &str = "rolecall";
/// What the inline policies of a user may have in all, without white space.
pub(crate) const INLINE_LIMIT: usize = 2048;

/// Denies everything after `end`: if every machine dies, the key still goes inert.
pub(crate) fn dead_man(end: SystemTime) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": { "DateGreaterThan": { "aws:CurrentTime": timestamp::format(end) } },
        }],
    })
    .to_string()
}

/// How much of a limit a policy takes: IAM does not count white space.
pub(crate) fn size(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

/// What is wrong with the form of a policy document, if anything is.
///
/// Source: IAM User Guide, "Grammar of the IAM JSON policy language".
pub(crate) fn flaw(document: &str) -> Option<String> {
    let value: Value = match serde_json::from_str(document) {
        Ok(value) => value,
        Err(error) => return Some(format!("is not JSON: {error}")),
    };
    let Value::Object(policy) = value else { return Some("is not a JSON object".to_owned()) };
    if let Some(key) = policy.keys().find(|k| !["Version", "Id", "Statement"].contains(&k.as_str()))
    {
        return Some(format!("has {key:?}, which is no element of a policy"));
    }
    let versions = ["2012-10-17", "2008-10-17"];
    if policy.get("Version").is_some_and(|v| !v.as_str().is_some_and(|v| versions.contains(&v))) {
        return Some("has a Version that is neither 2012-10-17 nor 2008-10-17".to_owned());
    }
    let statements = match policy.get("Statement") {
        Some(Value::Array(statements)) if !statements.is_empty() => statements.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => return Some("has no Statement".to_owned()),
    };
    statements.iter().enumerate().find_map(|(index, statement)| {
        statement_flaw(statement)
            .map(|flaw| format!("has a flaw in statement {}: {flaw}", index + 1))
    })
}

fn statement_flaw(statement: &Value) -> Option<String> {
    const KNOWN: [&str; 7] =
        ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"];
    let Value::Object(statement) = statement else { return Some("it is no object".to_owned()) };
    if let Some(key) = statement.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Some(match key.as_str() {
            "Principal" | "NotPrincipal" => format!("{key} belongs into policies of resources"),
            _ => format!("{key:?} is no element of a statement"),
        });
    }
    if !matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
        return Some("its Effect is neither Allow nor Deny".to_owned());
    }
    for (one, other) in [("Action", "NotAction"), ("Resource", "NotResource")] {
        let value = match (statement.get(one), statement.get(other)) {
            (Some(value), None) | (None, Some(value)) => value,
            _ => return Some(format!("it needs either {one} or {other}")),
        };
        if !is_texts(value) {
            return Some(format!("its {one} is neither a text nor a list of texts"));
        }
    }
    let condition = statement.get("Condition");
    let is_condition =
        |value: &Value| value.as_object().is_some_and(|c| c.values().all(Value::is_object));
    (!condition.is_none_or(is_condition))
        .then(|| "its Condition is no object of objects".to_owned())
}

fn is_texts(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(texts) => {
            !texts.is_empty() && texts.iter().all(|t| t.as_str().is_some_and(|t| !t.is_empty()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_dead_mans_policy_is_a_policy_that_denies_after_the_end() {
        let policy = dead_man(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        assert_eq!(flaw(&policy), None);
        assert!(policy.contains(r#""aws:CurrentTime":"2023-11-14T22:13:20Z""#), "{policy}");
        assert!(size(&policy) < 200, "{}", size(&policy));
    }

    #[test]
    fn white_space_does_not_count() {
        assert_eq!(size("{ \"a\":\n\t1 }"), 7);
    }

    #[test]
    fn flaws_are_told() {
        let allow = |rest: &str| format!(r#"{{"Statement":{{"Effect":"Allow",{rest}}}}}"#);
        for (document, part) in [
            ("{", "not JSON"),
            ("[]", "not a JSON object"),
            ("{}", "no Statement"),
            (r#"{"Statement":[]}"#, "no Statement"),
            (r#"{"Statement":[1]}"#, "no object"),
            (r#"{"Statements":[]}"#, "Statements"),
            (r#"{"Version":"2017","Statement":[]}"#, "Version"),
            (r#"{"Statement":{"Effect":"allow","Action":"*","Resource":"*"}}"#, "Effect"),
            (&allow(r#""Action":"*""#), "Resource"),
            (&allow(r#""Resource":"*""#), "Action"),
            (&allow(r#""Action":"*","NotAction":"s3:*","Resource":"*""#), "either Action"),
            (&allow(r#""Action":[],"Resource":"*""#), "list of texts"),
            (&allow(r#""Action":"*","Resource":[1]"#), "list of texts"),
            (&allow(r#""Action":"*","Resource":"*","Principal":"*""#), "policies of resources"),
            (&allow(r#""Action":"*","Resource":"*","Condition":{"a":1}"#), "Condition"),
        ] {
            let flaw = flaw(document).expect(document);
            assert!(flaw.contains(part), "{document}: {flaw}");
        }
        assert_eq!(flaw(&allow(r#""Action":["s3:*"],"Resource":"*","Condition":{}"#)), None);
    }
}
