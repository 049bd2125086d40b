//! JSON that somebody wrote.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::{CredentialsError, ErrorKind, Result};

/// Reads `text`, which is of `what`. What is wrong is told without the values, which may be secrets.
///
/// # Errors
/// `InvalidConfiguration` if it is no JSON, or not of this form.
pub fn read<T: DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        let told = error.to_string();
        let message = match error.classify() {
            Category::Data if is_of_names(&told) => format!("the input is wrong: {told}"),
            Category::Data => format!("a value of the input is of the wrong type at {place}"),
            _ => format!("the input is no JSON at {place}"),
        };
        CredentialsError::new(ErrorKind::InvalidConfiguration, what.to_owned(), message)
    })
}

/// Whether an error of `serde_json` quotes names of fields alone.
fn is_of_names(told: &str) -> bool {
    ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .any(|of| told.starts_with(of))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        #[allow(dead_code)]
        name: BTreeMap<String, u8>,
    }

    #[test]
    fn what_is_wrong_is_told_without_values() {
        for (text, part) in [
            ("", "no JSON at line 1"),
            (r#"{"name": {"hunter2"#, "no JSON"),
            (r#"{"name": "hunter2"}"#, "wrong type at line 1, column 18"),
            (r#"{"name": {"a": 900}}"#, "wrong type"),
            (r#"{"names": "hunter2"}"#, "unknown field `names`"),
            ("{}", "missing field `name`"),
        ] {
            let error = read::<Form>("test", text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.message().contains(part), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
