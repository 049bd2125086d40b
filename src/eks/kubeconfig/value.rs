//! What a kubeconfig says, without how it is written, and how rolecall writes it.

use zeroize::Zeroizing;

use super::yaml::{Kind, Node, Style, is_null};

/// A value. Texts that YAML takes for something else (`7`, `yes`, nothing) are kept as they are. It may
/// hold secrets of others, such as tokens.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(in crate::eks) enum Value {
    Text(Zeroizing<String>),
    /// A number, a truth value, a date or nothing, as it is written.
    Other(String),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
    /// A node that is written elsewhere, by the number of its anchor.
    Alias(usize),
}

/// What the names of keys that are no texts begin with.
pub(super) const NO_TEXT: char = '\0';

impl Value {
    pub(in crate::eks) fn text(text: impl Into<String>) -> Self {
        Self::Text(Zeroizing::new(text.into()))
    }

    pub(in crate::eks) fn map<const N: usize>(entries: [(&str, Value); N]) -> Self {
        Self::Map(entries.map(|(key, value)| (key.to_owned(), value)).into())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Gives a key of a mapping a value: in its old place, else at the end.
    pub(in crate::eks) fn set(&mut self, name: &str, value: Value) {
        let Self::Map(entries) = self else { return };
        match entries.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => entries.push((name.to_owned(), value)),
        }
    }

    /// Whether a key that is no text is in it.
    pub(super) fn has_odd_keys(&self) -> bool {
        match self {
            Self::List(items) => items.iter().any(Self::has_odd_keys),
            Self::Map(entries) => {
                entries.iter().any(|(key, value)| key.starts_with(NO_TEXT) || value.has_odd_keys())
            }
            _ => false,
        }
    }

    /// What a node says.
    pub(super) fn of(node: &Node) -> Self {
        match &node.kind {
            Kind::Scalar { value, style: Style::Plain } if !is_plain_text(value) => {
                // Nothing is nothing, however it is written.
                Self::Other(if is_null(value) { String::new() } else { value.to_string() })
            }
            Kind::Scalar { value, .. } => Self::Text(value.clone()),
            Kind::Sequence { items, .. } => Self::List(items.iter().map(Self::of).collect()),
            Kind::Mapping { entries, .. } => {
                // A key that is no text has no name that we could mean, nor could write: what is
                // written with its stand-in reads as another.
                let key = |node: &Node| match node.text() {
                    Some(text) if text.starts_with(NO_TEXT) => format!("{NO_TEXT}t{text}"),
                    Some(text) => text.to_owned(),
                    None => format!("{NO_TEXT}n{}", Self::of(node).inline()),
                };
                Self::Map(
                    entries.iter().map(|entry| (key(&entry.key), Self::of(&entry.value))).collect(),
                )
            }
            Kind::Alias(anchor) => Self::Alias(*anchor),
        }
    }

    /// As AWS CLI writes it: block style, lists not indented. Ends in a line's end.
    pub(super) fn to_yaml(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, 0);
        text
    }

    /// Writes a value that begins in column `indent` of the line that `text` ends in.
    pub(super) fn write(&self, text: &mut String, indent: usize) {
        match self {
            Self::List(items) if !items.is_empty() => {
                for (number, item) in items.iter().enumerate() {
                    start_line(text, indent, number);
                    text.push_str("- ");
                    item.write(text, indent + 2);
                }
            }
            Self::Map(entries) if !entries.is_empty() => {
                for (number, (key, value)) in entries.iter().enumerate() {
                    start_line(text, indent, number);
                    write_entry(text, indent, key, value);
                }
            }
            value => {
                text.push_str(&value.inline());
                text.push('\n');
            }
        }
    }

    /// In one line: scalars as they are, the rest as JSON, which YAML contains.
    pub(super) fn inline(&self) -> String {
        match self {
            Self::Text(plain) if is_safe(plain) => plain.to_string(),
            Self::Text(other) => quoted(other),
            Self::Other(text) if text.is_empty() => "null".to_owned(),
            Self::Other(text) => text.clone(),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::json).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(k, v)| format!("{}: {}", quoted(k), v.json())).collect();
                format!("{{{}}}", entries.join(", "))
            }
            // Never written: what has one is left alone.
            Self::Alias(anchor) => format!("*{anchor}"),
        }
    }

    /// In one line that can stand in brackets: JSON, as far as its values allow.
    pub(super) fn json(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            other => other.inline(),
        }
    }
}

/// Writes `key: value`, and what follows from it, in column `indent`.
pub(super) fn write_entry(text: &mut String, indent: usize, key: &str, value: &Value) {
    text.push_str(&Value::text(key).inline());
    text.push(':');
    write_behind_colon(text, indent, value);
}

/// Writes the value of a key that stands in column `indent`.
pub(super) fn write_behind_colon(text: &mut String, indent: usize, value: &Value) {
    match value {
        Value::List(items) if !items.is_empty() => {
            text.push('\n');
            spaces(text, indent);
            value.write(text, indent);
        }
        Value::Map(entries) if !entries.is_empty() => {
            text.push('\n');
            spaces(text, indent + 2);
            value.write(text, indent + 2);
        }
        scalar => {
            text.push(' ');
            scalar.write(text, indent);
        }
    }
}

fn start_line(text: &mut String, indent: usize, number: usize) {
    if number > 0 {
        spaces(text, indent);
    }
}

pub(super) fn spaces(text: &mut String, count: usize) {
    text.extend(std::iter::repeat_n(' ', count));
}

/// Whether a plain text is a text for every reader of YAML, 1.1 or 1.2.
///
/// Source: YAML 1.1, "Language-Independent Types for YAML"; YAML 1.2.2, chapter 10.
fn is_plain_text(text: &str) -> bool {
    const WORDS: [&str; 12] =
        ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "<<"];
    let lower = text.to_ascii_lowercase();
    if WORDS.contains(&lower.as_str()) || text == "=" {
        return false;
    }
    // Numbers of all kinds, dates and times begin so, and hold nothing else.
    let digits = text.trim_start_matches(['+', '-']);
    let is_special = matches!(digits.to_ascii_lowercase().as_str(), ".inf" | ".nan");
    let like_number = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.chars().all(|c| c.is_ascii_hexdigit() || "_.:+-xXoOtTzZ ".contains(c));
    !is_special && !like_number
}

/// Whether a text can stand without quotes.
fn is_safe(text: &str) -> bool {
    let begins = |c: char| c.is_ascii_alphanumeric() || "/._+$(".contains(c);
    let holds = |c: char| c.is_ascii_alphanumeric() || "/._+-=:@$()%~^,;<>".contains(c);
    let starts_like_option = text.strip_prefix("--").is_some_and(|rest| rest.starts_with(begins));
    (text.starts_with(begins) || starts_like_option)
        && text.chars().all(holds)
        && !text.ends_with(':')
        && is_plain_text(text)
}

/// In double quotes, as JSON. What readers of YAML take for the end of a line or refuse is escaped.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut quoted = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted
}
