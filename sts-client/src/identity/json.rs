//! JSON, read strictly: no key twice, none that is not known, nothing behind the end.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::refusal::{Check, Refusal};

/// More headers than any client sends.
const MOST_HEADERS: usize = 32;

/// Reads `text` as `T`, which should deny unknown fields.
pub(super) fn read<'a, T: Deserialize<'a>>(text: &'a [u8], check: Check) -> Result<T, Refusal> {
    serde_json::from_slice(text).map_err(|error| explain(&error, check))
}

/// serde_json's own messages quote the document, so only what they begin with is looked at.
fn explain(error: &serde_json::Error, check: Check) -> Refusal {
    let text = error.to_string();
    let starts = |start: &str| text.starts_with(start);
    let (code, message) = match () {
        () if starts(MANY) => ("headers-many", "there are too many headers"),
        () if starts(VALUES) => ("header-values", "a header has no value, or several"),
        () if starts("duplicate field") => ("json-duplicate-key", "a JSON key is there twice"),
        () if starts("unknown field") => ("json-unknown-key", "there is a JSON key too many"),
        () if starts("missing field") => ("json-missing-key", "a JSON key is missing"),
        () if starts("trailing characters") => ("json-trailing", "something follows the JSON"),
        () if starts("recursion limit") => ("json-deep", "the JSON is nested too deeply"),
        () if starts("invalid type") => ("json-type", "a JSON value is of another type"),
        () => ("json-malformed", "it is not JSON"),
    };
    Refusal::new(check, code, message)
}

const MANY: &str = "too many headers";
const VALUES: &str = "not one value";

/// A JSON object of headers: each value a string, or a list of one string.
#[derive(Debug)]
pub(super) struct Headers<'a>(pub(super) Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Headers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Headers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("headers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(8);
                while let Some((name, value)) = map.next_entry::<Text<'de>, One<'de>>()? {
                    if pairs.len() == MOST_HEADERS {
                        return Err(A::Error::custom(MANY));
                    }
                    pairs.push((name.0, value.0));
                }
                Ok(Headers(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

/// A string, borrowed where it holds no escapes.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Text)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A string, or a list of one.
struct One<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for One<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneVisitor;

        impl<'de> Visitor<'de> for OneVisitor {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one value")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Err(E::custom(VALUES))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let one = list.next_element::<Option<Text<'de>>>()?.flatten();
                let one = one.ok_or_else(|| A::Error::custom(VALUES))?;
                match list.next_element::<serde::de::IgnoredAny>()? {
                    None => Ok(one.0),
                    Some(_) => Err(A::Error::custom(VALUES)),
                }
            }
        }

        deserializer.deserialize_any(OneVisitor).map(One)
    }
}
