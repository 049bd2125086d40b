//! Reading policy documents, as strictly as IAM does.

use serde_json::{Map, Value};

use super::condition::Condition;
use super::{Context, Question, Verdict, matching};
use crate::error::AwsError;

const VARIABLES_SINCE: &str = "2012-10-17";

/// An identity-based policy, a permissions boundary or a session policy.
#[derive(Debug)]
pub(crate) struct Document {
    statements: Vec<Statement>,
    /// Whether `${…}` stands for the value of a key.
    has_variables: bool,
}

#[derive(Debug)]
struct Statement {
    allows: bool,
    actions: Patterns,
    resources: Patterns,
    conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug)]
struct Patterns {
    except: bool,
    patterns: Vec<String>,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// `MalformedPolicyDocument`, in IAM's words.
    pub(crate) fn parse(text: &str) -> Result<Document, AwsError> {
        let json: Value = serde_json::from_str(text).map_err(|_| syntax())?;
        let document = json.as_object().ok_or_else(syntax)?;
        known(document, &["Version", "Id", "Statement"])?;
        let version = match document.get("Version") {
            None => "2008-10-17",
            Some(version) => version.as_str().ok_or_else(syntax)?,
        };
        if !["2008-10-17", VARIABLES_SINCE].contains(&version) {
            return Err(syntax());
        }
        if document.get("Id").is_some_and(|id| !id.is_string()) {
            return Err(syntax());
        }
        let statements = match document.get("Statement") {
            Some(Value::Array(list)) if !list.is_empty() => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err(syntax()),
        };
        let mut sids = Vec::new();
        let statements = statements
            .into_iter()
            .map(|statement| Statement::parse(statement, &mut sids))
            .collect::<Result<_, _>>()?;
        Ok(Document { statements, has_variables: version == VARIABLES_SINCE })
    }

    /// What this document says alone.
    pub(super) fn judge(&self, question: &Question<'_>) -> Verdict {
        let mut verdict = Verdict::NoAllow;
        for statement in &self.statements {
            if !statement.speaks_of(question, self.has_variables) {
                continue;
            }
            if !statement.allows {
                return Verdict::ExplicitDeny;
            }
            verdict = Verdict::Allow;
        }
        verdict
    }
}

impl Statement {
    fn parse(json: &Value, sids: &mut Vec<String>) -> Result<Statement, AwsError> {
        let statement = json.as_object().ok_or_else(syntax)?;
        if statement.contains_key("Principal") || statement.contains_key("NotPrincipal") {
            return Err(malformed("Policy document should not specify a principal."));
        }
        known(
            statement,
            &["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"],
        )?;
        if let Some(sid) = statement.get("Sid") {
            let sid = sid.as_str().ok_or_else(syntax)?;
            if !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(malformed(
                    "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
                ));
            }
            if !sid.is_empty() && sids.iter().any(|known| known == sid) {
                return Err(malformed("Statement IDs (SID) in a single policy must be unique."));
            }
            sids.push(sid.to_owned());
        }
        let allows = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err(syntax()),
        };
        let actions = Patterns::parse(statement, "Action", "NotAction")?
            .ok_or_else(|| malformed("Policy statement must contain actions."))?;
        for action in &actions.patterns {
            check_action(action)?;
        }
        let resources = Patterns::parse(statement, "Resource", "NotResource")?
            .ok_or_else(|| malformed("Policy statement must contain resources."))?;
        for resource in &resources.patterns {
            if resource != "*"
                && !(resource.starts_with("arn:") && resource.split(':').count() >= 6)
            {
                return Err(malformed(format!(
                    "Resource {resource} must be in ARN format or \"*\"."
                )));
            }
        }
        let conditions = match statement.get("Condition") {
            None => Vec::new(),
            Some(Value::Object(operators)) => {
                let mut conditions = Vec::new();
                for (operator, keys) in operators {
                    for (key, values) in keys.as_object().ok_or_else(syntax)? {
                        conditions.push(Condition::parse(operator, key, &scalars(values)?)?);
                    }
                }
                conditions
            }
            Some(_) => return Err(syntax()),
        };
        Ok(Statement { allows, actions, resources, conditions })
    }

    fn speaks_of(&self, question: &Question<'_>, has_variables: bool) -> bool {
        let resource = |pattern: &str| {
            if has_variables {
                fill(pattern, question.context)
                    .is_some_and(|filled| matching::arn(&filled, question.resource))
            } else {
                matching::arn(pattern, question.resource)
            }
        };
        let action = |pattern: &str| matching::action(pattern, question.action);
        self.actions.take(action)
            && self.resources.take(resource)
            && self.conditions.iter().all(|condition| {
                condition.holds(question.context, &|value| {
                    if has_variables {
                        fill(value, question.context)
                    } else {
                        Some(value.to_owned())
                    }
                })
            })
    }
}

impl Patterns {
    /// `None` if neither is there.
    fn parse(
        statement: &Map<String, Value>,
        only: &str,
        except: &str,
    ) -> Result<Option<Patterns>, AwsError> {
        let (except, value) = match (statement.get(only), statement.get(except)) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(syntax()),
            (Some(value), None) => (false, value),
            (None, Some(value)) => (true, value),
        };
        let patterns = match value {
            Value::String(one) => vec![one.clone()],
            Value::Array(list) => list
                .iter()
                .map(|item| item.as_str().map(str::to_owned).ok_or_else(syntax))
                .collect::<Result<_, _>>()?,
            _ => return Err(syntax()),
        };
        Ok((!patterns.is_empty()).then_some(Patterns { except, patterns }))
    }

    fn take(&self, takes: impl Fn(&str) -> bool) -> bool {
        self.patterns.iter().any(|pattern| takes(pattern)) != self.except
    }
}

fn check_action(action: &str) -> Result<(), AwsError> {
    if action == "*" {
        return Ok(());
    }
    let Some((vendor, name)) = action.split_once(':') else {
        return Err(malformed(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ));
    };
    if vendor.is_empty() || !vendor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(malformed(format!("Vendor {vendor} is not valid")));
    }
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"*?".contains(&b)) {
        return Err(malformed("Actions/Condition can contain only one colon."));
    }
    Ok(())
}

/// One value or several, as text: numbers and booleans may come without quotes.
fn scalars(value: &Value) -> Result<Vec<String>, AwsError> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(syntax()),
    };
    match value {
        Value::Array(list) => list.iter().map(one).collect(),
        other => Ok(vec![one(other)?]),
    }
}

/// Puts values in for `${key}`, `${key, 'default'}`, `${*}`, `${?}` and `${$}`; `None` if one has
/// no value, and then nothing matches.
fn fill(text: &str, context: &Context) -> Option<String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}')?;
        filled.push_str(before);
        let (key, default) = match name.split_once(',') {
            Some((key, default)) => (key.trim(), Some(default.trim().trim_matches('\''))),
            None => (name.trim(), None),
        };
        match key {
            "*" | "?" | "$" => filled.push_str(key),
            key => {
                let value = context.get(&key.to_lowercase()).and_then(|values| values.first());
                filled.push_str(value.map(String::as_str).or(default)?);
            }
        }
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

fn known(object: &Map<String, Value>, names: &[&str]) -> Result<(), AwsError> {
    if object.keys().all(|key| names.contains(&key.as_str())) { Ok(()) } else { Err(syntax()) }
}

pub(super) fn syntax() -> AwsError {
    malformed("Syntax errors in policy.")
}

pub(super) fn malformed(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "MalformedPolicyDocument", message)
}
