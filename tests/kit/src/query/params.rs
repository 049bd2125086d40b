//! Parameters that passed the shape's check.

use std::collections::BTreeMap;

/// Names and values; whatever is read from here has been checked against the table.
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    pub(crate) fn new(values: impl IntoIterator<Item = (String, String)>) -> Params {
        Params(values.into_iter().collect())
    }

    /// A value, if given.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A required value: the check has seen that it is there.
    pub(crate) fn required(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// A number, if given.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    /// `name.member.N`, or `name.member.N.field`, for N = 1, 2, …
    pub(crate) fn list<'a>(&'a self, name: &'a str, field: &'a str) -> Vec<&'a str> {
        let dot = if field.is_empty() { "" } else { "." };
        (1..).map_while(|at| self.get(&format!("{name}.member.{at}{dot}{field}"))).collect()
    }

    /// `Tags`.
    pub(crate) fn tags(&self) -> Vec<(String, String)> {
        let keys = self.list("Tags", "Key").into_iter().map(str::to_owned);
        keys.zip(self.list("Tags", "Value").into_iter().map(str::to_owned)).collect()
    }
}
