//! Trust policies, as far as they speak of services: statements, actions and conditions.

use serde_json::Value;

/// What a condition may ask for: names of keys (whose case does not matter) and their values.
pub(super) type Facts<'a> = [(String, &'a str)];

/// Whether a policy lets a service do something.
///
/// # Errors
/// What in the policy is not understood: guessing would make a test pass that AWS would not.
pub(super) fn allows(
    policy: &Value,
    service: &str,
    action: &str,
    facts: &Facts<'_>,
) -> Result<bool, String> {
    let statements = policy.get("Statement").ok_or("the trust policy has no Statement")?;
    let mut allowed = false;
    for statement in one_or_many(statements) {
        if !speaks_of(statement, service, action)? || !holds(statement, facts)? {
            continue;
        }
        match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => allowed = true,
            Some("Deny") => return Ok(false),
            other => return Err(format!("Effect is {other:?}")),
        }
    }
    Ok(allowed)
}

fn speaks_of(statement: &Value, service: &str, action: &str) -> Result<bool, String> {
    for element in ["NotPrincipal", "NotAction"] {
        if statement.get(element).is_some() {
            return Err(format!("{element} is not evaluated here"));
        }
    }
    let named = match statement.get("Principal") {
        Some(Value::String(all)) if all == "*" => true,
        Some(principal) => texts(principal.get("Service"))?.contains(&service),
        None => return Err("a statement has no Principal".into()),
    };
    let actions = texts(statement.get("Action"))?;
    // Names of actions are compared without case, as IAM does.
    let (action, mut actions) =
        (action.to_lowercase(), actions.iter().map(|pattern| pattern.to_lowercase()));
    Ok(named && actions.any(|pattern| like(&pattern, &action)))
}

/// Whether all of a statement's conditions hold.
fn holds(statement: &Value, facts: &Facts<'_>) -> Result<bool, String> {
    let Some(conditions) = statement.get("Condition") else { return Ok(true) };
    let conditions = conditions.as_object().ok_or("Condition is not an object")?;
    for (operator, keys) in conditions {
        let keys = keys.as_object().ok_or_else(|| format!("{operator} is not an object"))?;
        for (key, values) in keys {
            let fact = facts.iter().find(|(known, _)| known.eq_ignore_ascii_case(key));
            if !operator_holds(operator, fact.map(|(_, value)| *value), &texts(Some(values))?)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn operator_holds(operator: &str, fact: Option<&str>, wanted: &[&str]) -> Result<bool, String> {
    if operator == "Null" {
        return Ok(wanted.contains(&if fact.is_none() { "true" } else { "false" }));
    }
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let compare: fn(&str, &str) -> bool = match operator.replacen("Not", "", 1).as_str() {
        "StringEquals" => |pattern, fact| pattern == fact,
        "StringEqualsIgnoreCase" => str::eq_ignore_ascii_case,
        "StringLike" => like,
        // IAM treats the two alike.
        "ArnEquals" | "ArnLike" => arn_like,
        _ => return Err(format!("the condition operator {operator} is not evaluated here")),
    };
    let negated = operator.contains("Not");
    Ok(match fact {
        None => if_exists || negated,
        Some(fact) => wanted.iter().any(|pattern| compare(pattern, fact)) != negated,
    })
}

/// `*` is any text, `?` any one letter.
fn like(pattern: &str, text: &str) -> bool {
    let mut letters = pattern.chars();
    match letters.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = letters.as_str();
            let mut tails = text.char_indices().map(|(at, _)| &text[at..]).chain([""]);
            tails.any(|tail| like(rest, tail))
        }
        Some(letter) => {
            let mut text = text.chars();
            text.next().is_some_and(|found| letter == '?' || letter == found)
                && like(letters.as_str(), text.as_str())
        }
    }
}

/// Each of an ARN's six parts for itself, so that a `*` does not reach over a colon.
fn arn_like(pattern: &str, arn: &str) -> bool {
    let (patterns, parts) = (pattern.splitn(6, ':'), arn.splitn(6, ':'));
    pattern.splitn(6, ':').count() == arn.splitn(6, ':').count()
        && patterns.zip(parts).all(|(pattern, part)| like(pattern, part))
}

fn one_or_many(value: &Value) -> &[Value] {
    match value {
        Value::Array(many) => many,
        one => std::slice::from_ref(one),
    }
}

/// A text, a list of texts, or nothing.
fn texts(value: Option<&Value>) -> Result<Vec<&str>, String> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let texts: Option<Vec<_>> = one_or_many(value)
        .iter()
        .map(|value| match value {
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            value => value.as_str(),
        })
        .collect();
    texts.ok_or_else(|| format!("{value} is neither a text nor a list of texts"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SERVICE: &str = "rolesanywhere.amazonaws.com";

    fn decide(statements: Value) -> Result<bool, String> {
        let facts = [
            ("aws:SourceArn".to_owned(), "arn:aws:rolesanywhere:r:1:trust-anchor/a"),
            ("aws:PrincipalTag/x509Subject/CN".to_owned(), "alice"),
        ];
        allows(&json!({"Statement": statements}), SERVICE, "sts:TagSession", &facts)
    }

    fn allow_if(condition: Value) -> Result<bool, String> {
        decide(json!([{
            "Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:*",
            "Condition": condition,
        }]))
    }

    #[test]
    fn a_statement_must_name_the_service_and_the_action() {
        let statement = |principal: Value, action: Value| {
            decide(json!({"Effect": "Allow", "Principal": principal, "Action": action})).unwrap()
        };
        let ours = json!({"Service": ["ec2.amazonaws.com", SERVICE]});
        assert!(statement(ours.clone(), json!(["sts:AssumeRole", "sts:tagsession"])));
        assert!(statement(json!("*"), json!("sts:*")));
        assert!(!statement(ours, json!("sts:AssumeRole")));
        assert!(!statement(json!({"Service": "ec2.amazonaws.com"}), json!("sts:*")));
        assert!(!statement(json!({"AWS": "111111111111"}), json!("sts:*")));
    }

    #[test]
    fn conditions_are_compared_as_iam_does() {
        let tag = "aws:PrincipalTag/x509Subject/CN";
        for (condition, expected) in [
            (json!({"StringEquals": {tag: "alice"}}), true),
            (json!({"StringEquals": {tag: ["bob", "alice"]}}), true),
            (json!({"StringEquals": {"aws:principaltag/X509subject/cn": "alice"}}), true),
            (json!({"StringEquals": {tag: "Alice"}}), false),
            (json!({"StringEquals": {tag: "al*"}}), false),
            (json!({"StringEqualsIgnoreCase": {tag: "ALICE"}}), true),
            (json!({"StringLike": {tag: "a?i*"}}), true),
            (json!({"StringLike": {tag: "?"}}), false),
            (json!({"StringNotEquals": {tag: "bob"}}), true),
            (json!({"StringNotLike": {tag: "a*"}}), false),
            (json!({"StringEquals": {"aws:PrincipalTag/x509Subject/OU": "x"}}), false),
            (json!({"StringNotEquals": {"aws:PrincipalTag/x509Subject/OU": "x"}}), true),
            (json!({"StringEqualsIfExists": {"aws:PrincipalTag/x509Subject/OU": "x"}}), true),
            (json!({"Null": {"aws:PrincipalTag/x509Subject/OU": "true"}}), true),
            (json!({"Null": {tag: true}}), false),
            (
                json!({"ArnEquals": {"aws:SourceArn": "arn:aws:rolesanywhere:r:1:trust-anchor/a"}}),
                true,
            ),
            (
                json!({"ArnLike": {"aws:SourceArn": "arn:aws:rolesanywhere:*:1:trust-anchor/*"}}),
                true,
            ),
            (json!({"ArnLike": {"aws:SourceArn": "arn:aws:*:trust-anchor/a"}}), false),
            (
                json!({"StringEquals": {tag: "alice"}, "ArnEquals": {"aws:SourceArn": "arn:x"}}),
                false,
            ),
        ] {
            assert_eq!(allow_if(condition.clone()), Ok(expected), "{condition}");
        }
    }

    #[test]
    fn a_deny_is_above_every_allow() {
        let allow = json!({"Effect": "Allow", "Principal": "*", "Action": "sts:*"});
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "sts:TagSession"});
        assert_eq!(decide(json!([allow, deny])), Ok(false));
        assert_eq!(decide(json!([deny, allow])), Ok(false));
        assert_eq!(decide(json!([])), Ok(false));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        assert!(allow_if(json!({"DateLessThan": {"aws:CurrentTime": "2030"}})).is_err());
        assert!(allow_if(json!("x")).is_err());
        assert!(decide(json!({"Effect": "Allow", "NotPrincipal": "*", "Action": "*"})).is_err());
        assert!(decide(json!({"Effect": "Maybe", "Principal": "*", "Action": "*"})).is_err());
        assert!(allows(&json!({}), SERVICE, "sts:AssumeRole", &[]).is_err());
    }
}
