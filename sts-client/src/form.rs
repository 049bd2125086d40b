//! The bodies of AWS Query requests.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use rolecall_core::Secret;
use zeroize::Zeroizing;

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The parameters of one call, in order.
///
/// ```
/// use rolecall_sts::Params;
/// let mut params = Params::new();
/// params.add("UserName", "me+you");
/// params.add_list("PolicyArns", "arn", ["arn:aws:iam::aws:policy/ReadOnlyAccess"]);
/// let body = params.encode("CreateUser", "2010-05-08");
/// assert_eq!(
///     std::str::from_utf8(&body).unwrap(),
///     "Action=CreateUser&Version=2010-05-08&UserName=me%2Byou\
///      &PolicyArns.member.1.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FReadOnlyAccess"
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, ParamValue)>);

/// The value of a parameter. `Debug` redacts a secret one.
#[derive(Clone)]
pub enum ParamValue {
    /// May be seen.
    Plain(String),
    /// Must not be seen.
    Secret(Secret),
}

impl Params {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one parameter.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<ParamValue>) {
        self.0.push((name.into(), value.into()));
    }

    /// Whether there is a parameter of this name.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.0.iter().any(|(held, _)| held == name)
    }

    /// Adds one parameter if there is a value.
    pub fn add_if(&mut self, name: impl Into<String>, value: Option<impl Into<ParamValue>>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    /// Adds a list: `name.member.1`, or `name.member.1.field` where `field` is not empty.
    pub fn add_list<V: Into<ParamValue>>(
        &mut self,
        name: &str,
        field: &str,
        values: impl IntoIterator<Item = V>,
    ) {
        for (index, value) in values.into_iter().enumerate() {
            self.add(member(name, index, field), value);
        }
    }

    /// Adds a list of pairs: `name.member.1.first`, `name.member.1.second`, as tags are.
    pub fn add_pairs<A: Into<ParamValue>, B: Into<ParamValue>>(
        &mut self,
        name: &str,
        (first, second): (&str, &str),
        pairs: impl IntoIterator<Item = (A, B)>,
    ) {
        for (index, (a, b)) in pairs.into_iter().enumerate() {
            self.add(member(name, index, first), a);
            self.add(member(name, index, second), b);
        }
    }

    /// The body: `Action=…&Version=…` and then the parameters, encoded. Zeroed on drop.
    pub fn encode(&self, action: &str, version: &str) -> Zeroizing<Vec<u8>> {
        let head = [("Action", action), ("Version", version)];
        let rest = self.0.iter().map(|(name, value)| (name.as_str(), value.text()));
        let pairs = || head.into_iter().chain(rest.clone());
        let length: usize = pairs()
            .map(|(name, value)| encode(name).chain(encode(value)).map(str::len).sum::<usize>() + 2)
            .sum();
        // The right size from the start: growing would leave copies of secrets behind.
        let mut body = Zeroizing::new(Vec::with_capacity(length - 1));
        for (index, (name, value)) in pairs().enumerate() {
            if index > 0 {
                body.push(b'&');
            }
            encode(name).for_each(|part| body.extend_from_slice(part.as_bytes()));
            body.push(b'=');
            encode(value).for_each(|part| body.extend_from_slice(part.as_bytes()));
        }
        body
    }

    /// The values that must not be seen.
    pub(crate) fn into_secrets(self) -> Vec<Secret> {
        let secret = |(_, value)| match value {
            ParamValue::Secret(secret) => Some(secret),
            ParamValue::Plain(_) => None,
        };
        self.0.into_iter().filter_map(secret).collect()
    }
}

fn member(name: &str, index: usize, field: &str) -> String {
    let dot = if field.is_empty() { "" } else { "." };
    format!("{name}.member.{}{dot}{field}", index + 1)
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
pub(crate) fn encode(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

impl ParamValue {
    fn text(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }
}

impl fmt::Debug for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => fmt::Debug::fmt(text, f),
            Self::Secret(secret) => fmt::Debug::fmt(secret, f),
        }
    }
}

impl From<&str> for ParamValue {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl From<&String> for ParamValue {
    fn from(text: &String) -> Self {
        Self::Plain(text.clone())
    }
}

impl From<String> for ParamValue {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

impl From<u32> for ParamValue {
    fn from(number: u32) -> Self {
        Self::Plain(number.to_string())
    }
}

impl From<bool> for ParamValue {
    fn from(flag: bool) -> Self {
        Self::Plain(flag.to_string())
    }
}

impl From<&Secret> for ParamValue {
    fn from(secret: &Secret) -> Self {
        Self::Secret(secret.clone())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(body: &[u8]) -> Vec<(String, String)> {
        url::form_urlencoded::parse(body).into_owned().collect()
    }

    #[test]
    fn lists_and_pairs_count_from_one() {
        let mut params = Params::new();
        params.add_list("Keys", "", ["a", "b"]);
        params.add_pairs("Tags", ("Key", "Value"), [("k", "v")]);
        params.add_if("None", None::<&str>);
        params.add_if("Some", Some(3_u32));
        let body = params.encode("A", "1");
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            "Action=A&Version=1&Keys.member.1=a&Keys.member.2=b\
             &Tags.member.1.Key=k&Tags.member.1.Value=v&Some=3"
        );
    }

    #[test]
    fn only_unreserved_characters_stay() {
        let encoded: String = encode("aZ09-._~ +/=&*%é").collect();
        assert_eq!(encoded, "aZ09-._~%20%2B%2F%3D%26%2A%25%C3%A9");
    }

    #[test]
    fn debug_redacts_secrets() {
        let mut params = Params::new();
        params.add("Plain", "seen");
        params.add("Secret", &Secret::from("hunter2"));
        let shown = format!("{params:?}");
        assert!(shown.contains("seen") && !shown.contains("hunter2"), "{shown}");
    }

    proptest! {
        #[test]
        fn encoding_round_trips_and_fills_its_buffer_exactly(
            pairs in prop::collection::vec((".{1,20}", ".{0,40}"), 0..8),
        ) {
            let mut params = Params::new();
            for (name, value) in &pairs {
                params.add(name.clone(), value.clone());
            }
            let body = params.encode("Act", "1");
            prop_assert!(body.is_ascii());
            prop_assert_eq!(body.len(), body.capacity());
            let decoded = decode(&body);
            prop_assert_eq!(&decoded[0], &("Action".to_owned(), "Act".to_owned()));
            prop_assert_eq!(&decoded[2..], &pairs[..]);
        }
    }
}
