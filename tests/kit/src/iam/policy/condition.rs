//! Conditions: an operator, a key, and the values it is compared with.

use std::net::IpAddr;

use super::document::{malformed, syntax};
use super::{Context, matching};
use crate::clock;
use crate::error::AwsError;

/// One key of one operator of a statement's `Condition`.
#[derive(Debug)]
pub(super) struct Condition {
    quantifier: Quantifier,
    compare: Compare,
    /// `StringNotEquals` and the like: none of the values may match.
    negated: bool,
    if_exists: bool,
    /// In lower case.
    key: String,
    values: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Quantifier {
    One,
    AllValues,
    AnyValue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Text,
    TextIgnoringCase,
    Wildcard,
    Arn,
    Bool,
    Number(Order),
    Date(Order),
    Address,
    /// `Null`: whether the key is missing.
    Missing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Condition {
    pub(super) fn parse(
        operator: &str,
        key: &str,
        values: &[String],
    ) -> Result<Condition, AwsError> {
        let (quantifier, name) = match operator.split_once(':') {
            None => (Quantifier::One, operator),
            Some(("ForAllValues", name)) => (Quantifier::AllValues, name),
            Some(("ForAnyValue", name)) => (Quantifier::AnyValue, name),
            Some(_) => return Err(syntax()),
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (compare, negated) = compare(name).ok_or_else(syntax)?;
        if !key.contains(':') {
            return Err(malformed(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            ));
        }
        // A variable's value is not known yet.
        let legible = |value: &String| value.contains("${") || is_legible(compare, value);
        if values.is_empty() || (compare == Compare::Missing && if_exists) {
            return Err(syntax());
        }
        if !values.iter().all(legible) {
            return Err(malformed("The policy failed legacy parsing"));
        }
        Ok(Condition {
            quantifier,
            compare,
            negated,
            if_exists,
            key: key.to_lowercase(),
            values: values.to_vec(),
        })
    }

    /// `fill` puts values in for variables; `None` if one has none.
    pub(super) fn holds(&self, context: &Context, fill: &dyn Fn(&str) -> Option<String>) -> bool {
        let actual = context.get(&self.key).filter(|values| !values.is_empty());
        if self.compare == Compare::Missing {
            let missing = actual.is_none().to_string();
            return self.values.iter().any(|value| value.eq_ignore_ascii_case(&missing));
        }
        let Some(actual) = actual else {
            return match self.quantifier {
                Quantifier::One => self.if_exists || self.negated,
                Quantifier::AllValues => true,
                Quantifier::AnyValue => self.if_exists,
            };
        };
        let one = |actual: &String| {
            let matched = self
                .values
                .iter()
                .filter_map(|value| fill(value))
                .any(|value| matches(self.compare, actual, &value));
            matched != self.negated
        };
        match self.quantifier {
            Quantifier::AnyValue => actual.iter().any(one),
            Quantifier::One | Quantifier::AllValues => actual.iter().all(one),
        }
    }
}

fn compare(name: &str) -> Option<(Compare, bool)> {
    Some(match name {
        "StringEquals" | "BinaryEquals" => (Compare::Text, false),
        "StringNotEquals" => (Compare::Text, true),
        "StringEqualsIgnoreCase" => (Compare::TextIgnoringCase, false),
        "StringNotEqualsIgnoreCase" => (Compare::TextIgnoringCase, true),
        "StringLike" => (Compare::Wildcard, false),
        "StringNotLike" => (Compare::Wildcard, true),
        "ArnEquals" | "ArnLike" => (Compare::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Compare::Arn, true),
        "Bool" => (Compare::Bool, false),
        "IpAddress" => (Compare::Address, false),
        "NotIpAddress" => (Compare::Address, true),
        "Null" => (Compare::Missing, false),
        _ => {
            let (kind, order): (fn(Order) -> Compare, _) = match name.strip_prefix("Numeric") {
                Some(order) => (Compare::Number, order),
                None => (Compare::Date, name.strip_prefix("Date")?),
            };
            let (order, negated) = match order {
                "Equals" => (Order::Equal, false),
                "NotEquals" => (Order::Equal, true),
                "LessThan" => (Order::Less, false),
                "LessThanEquals" => (Order::LessOrEqual, false),
                "GreaterThan" => (Order::Greater, false),
                "GreaterThanEquals" => (Order::GreaterOrEqual, false),
                _ => return None,
            };
            (kind(order), negated)
        }
    })
}

fn is_legible(compare: Compare, value: &str) -> bool {
    match compare {
        Compare::Bool | Compare::Missing => bool_of(value).is_some(),
        Compare::Number(_) => number_of(value).is_some(),
        Compare::Date(_) => date_of(value).is_some(),
        Compare::Address => network_of(value).is_some(),
        Compare::Arn => value == "*" || value.split(':').count() >= 6,
        Compare::Text | Compare::TextIgnoringCase | Compare::Wildcard => true,
    }
}

fn matches(compare: Compare, actual: &str, wanted: &str) -> bool {
    match compare {
        Compare::Text => actual == wanted,
        Compare::TextIgnoringCase => actual.to_lowercase() == wanted.to_lowercase(),
        Compare::Wildcard => matching::glob(wanted, actual),
        Compare::Arn => matching::arn(wanted, actual),
        Compare::Bool => bool_of(actual).is_some_and(|actual| Some(actual) == bool_of(wanted)),
        Compare::Number(order) => ordered(order, number_of(actual), number_of(wanted)),
        Compare::Date(order) => ordered(order, date_of(actual), date_of(wanted)),
        Compare::Address => {
            let actual: Option<IpAddr> = actual.parse().ok();
            actual.zip(network_of(wanted)).is_some_and(|(actual, (network, bits))| {
                prefix(actual, bits).is_some_and(|prefixed| Some(prefixed) == prefix(network, bits))
            })
        }
        Compare::Missing => false,
    }
}

fn ordered<T: PartialOrd>(order: Order, actual: Option<T>, wanted: Option<T>) -> bool {
    let (Some(actual), Some(wanted)) = (actual, wanted) else { return false };
    match order {
        Order::Equal => actual == wanted,
        Order::Less => actual < wanted,
        Order::LessOrEqual => actual <= wanted,
        Order::Greater => actual > wanted,
        Order::GreaterOrEqual => actual >= wanted,
    }
}

fn bool_of(text: &str) -> Option<bool> {
    text.to_ascii_lowercase().parse().ok()
}

fn number_of(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Seconds since 1970: a time of ISO 8601, its date alone, or the seconds themselves.
fn date_of(text: &str) -> Option<i64> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    clock::parse_extended(text).or_else(|| clock::parse_extended(&format!("{text}T00:00:00Z")))
}

fn network_of(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let all = if address.is_ipv4() { 32 } else { 128 };
    Some((address, bits.unwrap_or(all))).filter(|(_, bits)| *bits <= all)
}

/// The first bits of an address, and which kind it is.
fn prefix(address: IpAddr, bits: u32) -> Option<(bool, u128)> {
    let (number, all) = match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    // All of the bits shifted out is more than the shift can do.
    Some((address.is_ipv4(), number.checked_shr(all - bits.min(all)).unwrap_or(0)))
}
