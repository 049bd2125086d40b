use std::fmt;

use zeroize::Zeroize;

/// A string that must not be seen: zeroed when dropped, `[redacted]` in `Debug`, never serialised.
///
/// ```
/// let secret = rolecall_core::Secret::from("wJalrXUtnFEMI");
/// assert_eq!(format!("{secret:?}"), "[redacted]");
/// assert_eq!(secret.expose(), "wJalrXUtnFEMI");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// The text itself. Named so that every place that reads a secret can be searched for.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Takes over UTF-8 bytes. Bytes that are not UTF-8 are zeroed and given up.
    pub fn from_utf8(bytes: Vec<u8>) -> Option<Self> {
        match String::from_utf8(bytes) {
            Ok(text) => Some(Self::from(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                None
            }
        }
    }

    /// The same secret without white space at either end.
    pub fn trimmed(&self) -> Self {
        Self::from(self.0.trim())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Secret {
    fn from(mut text: String) -> Self {
        if text.len() == text.capacity() {
            return Self(text.into_boxed_str());
        }
        // `into_boxed_str` would move the text to a smaller place and leave the old one unzeroed.
        let secret = Self::from(text.as_str());
        text.zeroize();
        secret
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_text() {
        let shown = format!("{:?}", Some(Secret::from("hunter2".to_owned())));
        assert_eq!(shown, "Some([redacted])");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_given_up() {
        assert!(Secret::from_utf8(vec![0xff, 0xfe]).is_none());
        assert_eq!(Secret::from_utf8(b"ok".to_vec()).unwrap().expose(), "ok");
    }

    #[test]
    fn a_string_with_spare_room_is_copied_exactly() {
        let mut text = String::with_capacity(64);
        text.push_str("abc");
        assert_eq!(Secret::from(text).expose(), "abc");
    }
}
