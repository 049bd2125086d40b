//! Text that Debug must not show.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A secret key, token or code. Debug prints `[redacted]`; JSON holds the text, because worlds are
/// read from JSON and `/_kit/secrets` exists to be searched for.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret::new(text)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn debug_hides_the_text() {
        assert_eq!(format!("{:?}", super::Secret::from("hunter2")), "[redacted]");
    }
}
