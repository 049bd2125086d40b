//! Checks the parameters of a call against the operation's table, as AWS's front end does.

use std::collections::BTreeMap;

use super::params::Params;
use super::table::{Kind, Param, Text};
use crate::error::AwsError;

/// Checks everything and says all that is wrong in one `ValidationError`.
pub(crate) fn check(
    operation: &str,
    params: &[Param],
    arguments: Vec<(String, String)>,
) -> Result<Params, AwsError> {
    let mut checker =
        Checker { left: arguments.iter().cloned().collect(), problems: Vec::new(), advice: None };
    for param in params {
        checker.param(param, param.name, &camel(param.name))?;
    }
    if let Some(unknown) = checker.left.keys().next() {
        // AWS ignores some of these; a client that sends one has a mistake, so the kit does not.
        return Err(AwsError::new(
            400,
            "InvalidQueryParameter",
            format!("{unknown} is not a parameter of {operation}"),
        ));
    }
    if let Some(advice) = checker.advice {
        return Err(AwsError::validation(advice));
    }
    if !checker.problems.is_empty() {
        let count = checker.problems.len();
        let plural = if count == 1 { "" } else { "s" };
        return Err(AwsError::validation(format!(
            "{count} validation error{plural} detected: {}",
            checker.problems.join("; ")
        )));
    }
    Ok(Params::new(arguments))
}

struct Checker {
    left: BTreeMap<String, String>,
    problems: Vec<String>,
    /// IAM's own words about a value, which come instead of everything else.
    advice: Option<String>,
}

impl Checker {
    /// `name` is the parameter as sent, `shown` as AWS names it in messages.
    fn param(&mut self, param: &Param, name: &str, shown: &str) -> Result<(), AwsError> {
        match &param.kind {
            Kind::Text(text) => match self.left.remove(name) {
                Some(value) => self.text(text, &value, shown, param.secret),
                None if param.required => self.missing(shown),
                None => {}
            },
            Kind::Number { min, max } => match self.left.remove(name) {
                Some(value) => self.number(&value, *min, *max, shown)?,
                None if param.required => self.missing(shown),
                None => {}
            },
            Kind::Fields(fields) => {
                let prefix = format!("{name}.");
                let given = self.left.keys().any(|key| key.starts_with(&prefix));
                if given {
                    for field in *fields {
                        let (name, shown) = (
                            format!("{name}.{}", field.name),
                            format!("{shown}.{}", camel(field.name)),
                        );
                        self.param(field, &name, &shown)?;
                    }
                } else if param.required {
                    self.missing(shown);
                }
            }
            Kind::List { min, max, item } => self.list(param, *min, *max, item, name, shown)?,
        }
        Ok(())
    }

    fn list(
        &mut self,
        param: &Param,
        min: usize,
        max: usize,
        item: &Param,
        name: &str,
        shown: &str,
    ) -> Result<(), AwsError> {
        // botocore writes an empty list as `Name=`.
        let empty = self.left.get(name).is_some_and(String::is_empty);
        if empty {
            self.left.remove(name);
        }
        let mut count = 0;
        loop {
            let one = format!("{name}.member.{}", count + 1);
            let inside = format!("{one}.");
            if !self.left.keys().any(|key| *key == one || key.starts_with(&inside)) {
                break;
            }
            count += 1;
            self.param(item, &one, &format!("{shown}.{count}.member"))?;
        }
        if count == 0 && !empty {
            if param.required {
                self.missing(shown);
            }
            return Ok(());
        }
        if count > max {
            self.problem(
                shown,
                "'[...]'",
                &format!("Member must have length less than or equal to {max}"),
            );
        }
        if count < min {
            self.problem(
                shown,
                "'[]'",
                &format!("Member must have length greater than or equal to {min}"),
            );
        }
        Ok(())
    }

    fn text(&mut self, text: &Text, value: &str, shown: &str, secret: bool) {
        // Values of secrets are left out of the message, as AWS does for sensitive members.
        let quoted = if secret { String::new() } else { format!("'{value}'") };
        let length = value.chars().count();
        if length < text.min {
            self.problem(
                shown,
                &quoted,
                &format!("Member must have length greater than or equal to {}", text.min),
            );
        }
        if length > text.max {
            self.problem(
                shown,
                &quoted,
                &format!("Member must have length less than or equal to {}", text.max),
            );
        }
        if !(text.pattern.holds)(value) {
            if let Some(advice) = text.pattern.advice {
                self.advice = Some(format!("The specified value for {shown} is invalid. {advice}"));
            }
            self.problem(
                shown,
                &quoted,
                &format!(
                    "Member must satisfy regular expression pattern: {}",
                    text.pattern.pattern
                ),
            );
        }
        if !text.one_of.is_empty() && !text.one_of.contains(&value) {
            self.problem(
                shown,
                &quoted,
                &format!("Member must satisfy enum value set: [{}]", text.one_of.join(", ")),
            );
        }
    }

    fn number(&mut self, value: &str, min: i64, max: i64, shown: &str) -> Result<(), AwsError> {
        let digits = value.strip_prefix('-').unwrap_or(value);
        let number = value.parse::<i64>().ok();
        let Some(number) = number.filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
        else {
            return Err(AwsError::new(400, "MalformedInput", format!("{shown} is not an integer")));
        };
        let quoted = format!("'{number}'");
        if number < min {
            self.problem(
                shown,
                &quoted,
                &format!("Member must have value greater than or equal to {min}"),
            );
        }
        if number > max {
            self.problem(
                shown,
                &quoted,
                &format!("Member must have value less than or equal to {max}"),
            );
        }
        Ok(())
    }

    fn missing(&mut self, shown: &str) {
        self.problem(shown, "null", "Member must not be null");
    }

    fn problem(&mut self, shown: &str, value: &str, constraint: &str) {
        let space = if value.is_empty() { "" } else { " " };
        self.problems.push(format!(
            "Value{space}{value} at '{shown}' failed to satisfy constraint: {constraint}"
        ));
    }
}

/// `RoleArn` -> `roleArn`, `SAMLAssertion` -> `sAMLAssertion`, as AWS writes it.
fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sts::params_of;

    fn check_assume_role(extra: &[(&str, &str)]) -> Result<Params, AwsError> {
        let base = [("RoleArn", "arn:aws:iam::111111111111:role/R"), ("RoleSessionName", "me")];
        let given = base.iter().chain(extra).map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let by_name: BTreeMap<_, _> = given.collect();
        check("AssumeRole", params_of("AssumeRole"), by_name.into_iter().collect())
    }

    #[test]
    fn every_limit_of_assume_role_is_checked() {
        assert!(check_assume_role(&[]).is_ok());
        let long = "x".repeat(65);
        for (name, value, part) in [
            (
                "RoleArn",
                "arn:short",
                "at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20",
            ),
            ("RoleSessionName", "a", "greater than or equal to 2"),
            ("RoleSessionName", long.as_str(), "less than or equal to 64"),
            ("RoleSessionName", "a b", r"[\w+=,.@-]*"),
            ("DurationSeconds", "899", "value greater than or equal to 900"),
            ("DurationSeconds", "43201", "value less than or equal to 43200"),
            ("DurationSeconds", "1h", "durationSeconds is not an integer"),
            ("ExternalId", "a", "externalId"),
            ("TokenCode", "12345", "tokenCode"),
            ("TokenCode", "12345x", "tokenCode"),
            ("SerialNumber", "short", "serialNumber"),
            ("SourceIdentity", "a", "sourceIdentity"),
            ("Tags.member.1.Value", "v", "Value null at 'tags.1.member.key'"),
            ("PolicyArns.member.1.arn", "x", "policyArns.1.member.arn"),
        ] {
            let error = check_assume_role(&[(name, value)]).err().unwrap();
            assert_eq!(error.status, 400);
            assert!(error.message.contains(part), "{name}={value}: {}", error.message);
        }
    }

    #[test]
    fn unknown_parameters_and_gaps_in_lists_are_refused() {
        for name in [
            "Rolearn",
            "Tags.member.2.Key",
            "Tags.1.Key",
            "TransitiveTagKeys.member.0",
            "PolicyArns.member.1.Arn",
        ] {
            let error = check_assume_role(&[(name, "arn:aws:iam::aws:policy/X")]).err().unwrap();
            assert_eq!(error.status, 400, "{name}");
        }
    }

    #[test]
    fn secret_values_are_not_repeated() {
        let error = check_assume_role(&[("TokenCode", "98765")]).err().unwrap();
        assert!(!error.message.contains("98765"), "{}", error.message);
    }

    #[test]
    fn several_problems_come_in_one_message() {
        let error = check("AssumeRole", params_of("AssumeRole"), Vec::new()).err().unwrap();
        assert!(error.message.starts_with("2 validation errors detected: Value null at 'roleArn'"));
    }
}
