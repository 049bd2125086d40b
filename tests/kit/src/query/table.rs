//! What a parameter is, as AWS's API models describe it.

pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    /// Never recorded and never repeated in a message.
    pub(crate) secret: bool,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    Text(Text),
    Number {
        min: i64,
        max: i64,
    },
    /// `name.member.N`; the item's own name is not used.
    List {
        min: usize,
        max: usize,
        item: &'static Param,
    },
    Fields(&'static [Param]),
}

pub(crate) struct Text {
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) pattern: Pattern,
    /// Allowed values; empty for any.
    pub(crate) one_of: &'static [&'static str],
}

/// What a value may look like.
#[derive(Clone, Copy)]
pub(crate) struct Pattern {
    /// The model's regular expression, for messages.
    pub(crate) pattern: &'static str,
    pub(crate) holds: fn(&str) -> bool,
    /// What IAM says instead of quoting the expression.
    pub(crate) advice: Option<&'static str>,
}

pub(crate) const fn param(name: &'static str, kind: Kind) -> Param {
    Param { name, required: false, secret: false, kind }
}

pub(crate) const fn required(name: &'static str, kind: Kind) -> Param {
    Param { name, required: true, secret: false, kind }
}

pub(crate) const fn secret(param: Param) -> Param {
    Param { secret: true, ..param }
}

pub(crate) const fn text(min: usize, max: usize, pattern: Pattern) -> Kind {
    Kind::Text(Text { min, max, pattern, one_of: &[] })
}

pub(crate) const fn one_of(values: &'static [&'static str]) -> Kind {
    Kind::Text(Text { min: 0, max: 128, pattern: ANY, one_of: values })
}

/// A pattern that is a set of letters, as most are.
macro_rules! letters {
    ($name:ident, $pattern:literal, $holds:expr) => {
        pub(crate) const $name: Pattern =
            Pattern { pattern: $pattern, holds: |value| value.chars().all($holds), advice: None };
    };
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

letters!(NAME, r"[\w+=,.@-]*", |c| word(c) || "+=,.@-".contains(c));
letters!(EXTERNAL, r"[\w+=,.@:\/-]*", |c| word(c) || "+=,.@:/-".contains(c));
letters!(SERIAL, r"[\w+=/:,.@-]*", |c| word(c) || "+=/:,.@-".contains(c));
letters!(DIGITS, r"[\d]*", |c| c.is_ascii_digit());
letters!(WORD, r"[\w]*", word);
letters!(
    ARN,
    r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+",
    |c| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
);
letters!(POLICY, r"[\u0009\u000A\u000D\u0020-\u00FF]+", |c| matches!(
    c,
    '\t' | '\n' | '\r' | ' '..='\u{ff}'
));
letters!(MARKER, r"[\u0020-\u00FF]+", |c| matches!(c, ' '..='\u{ff}'));
letters!(TAG, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", |c| c.is_alphanumeric()
    || c.is_whitespace()
    || "_.:/=+-@".contains(c));
letters!(ANY, ".*", |_| true);

/// A name of IAM, which says in words what is wrong with one.
pub(crate) const IAM_NAME: Pattern = Pattern {
    advice: Some("It must contain only alphanumeric characters and/or the following: +=,.@_-"),
    ..NAME
};
/// `/`, or `/…/`.
pub(crate) const PATH: Pattern = Pattern {
    pattern: r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)",
    holds: |value| starts_a_path(value) && value.ends_with('/'),
    advice: Some(
        "It must begin and end with / and contain only alphanumeric characters and/or / characters.",
    ),
};
pub(crate) const PATH_PREFIX: Pattern =
    Pattern { pattern: r"\u002F[\u0021-\u007F]*", holds: starts_a_path, advice: None };

fn starts_a_path(value: &str) -> bool {
    value.starts_with('/') && value.chars().all(|c| matches!(c, '!'..='~'))
}
