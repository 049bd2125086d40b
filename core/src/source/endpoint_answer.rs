use serde::Deserialize;

use crate::{Credentials, Secret, timestamp};

/// The longest answer of an endpoint that hands out credentials, in bytes. A session token may take
/// a few thousand.
pub(super) const ANSWER_LIMIT: usize = 64 * 1024;
/// How much of a message from there is repeated.
const MESSAGE_LIMIT: usize = 300;

/// The JSON of the metadata service and of container endpoints: credentials or an error.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EndpointAnswer {
    /// `Success`, or what is wrong.
    #[serde(alias = "code")]
    pub(super) code: Option<String>,
    #[serde(alias = "message")]
    message: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<Secret>,
    token: Option<Secret>,
    expiration: Option<String>,
    account_id: Option<String>,
}

impl EndpointAnswer {
    /// Reads an answer.
    ///
    /// # Errors
    /// What is wrong with it, without any of it: it may hold secrets.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        if body.len() > ANSWER_LIMIT {
            return Err(format!("its answer is larger than {ANSWER_LIMIT} bytes"));
        }
        serde_json::from_slice(body).map_err(|error| {
            // serde_json's text may quote the input; its position does not.
            let (line, column) = (error.line(), error.column());
            format!("its answer is not the JSON expected (line {line}, column {column})")
        })
    }

    /// The credentials, if it holds any.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn credentials(self, provider: &'static str) -> Result<Credentials, String> {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let missing = |name: &str| format!("{name} is missing in its answer");
        let id = filled(self.access_key_id).ok_or_else(|| missing("AccessKeyId"))?;
        let secret = self.secret_access_key.filter(|secret| !secret.expose().is_empty());
        let secret = secret.ok_or_else(|| missing("SecretAccessKey"))?;
        let token = self.token.filter(|token| !token.expose().is_empty());
        let expires_at = match filled(self.expiration) {
            None => None,
            Some(text) => Some(
                timestamp::parse(&text)
                    .ok_or("Expiration in its answer is not an ISO 8601 time".to_owned())?,
            ),
        };
        Ok(Credentials::new(id, secret, provider)
            .with_session_token(token)
            .with_expires_at(expires_at)
            .with_account_id(filled(self.account_id)))
    }

    /// `CODE: message`, as far as it says any, for people. `hide` is what must not be repeated.
    pub(super) fn complaint(&self, hide: Option<&Secret>) -> Option<String> {
        let parts = [self.code.as_deref(), self.message.as_deref()];
        let text: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        let text: String =
            text.join(": ").chars().filter(|c| !c.is_control()).take(MESSAGE_LIMIT).collect();
        let is_hidden = hide.is_some_and(|secret| text.contains(secret.expose()));
        (!text.is_empty() && !is_hidden).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_or_its_fault_told_without_any_of_it() {
        let read = |body: &str| EndpointAnswer::read(body.as_bytes())?.credentials("test");
        let found = read(
            r#"{"Code":"Success","AccessKeyId":"A","SecretAccessKey":"hunter2","Token":"t",
                "Expiration":"2026-01-01T01:00:00Z","AccountId":"1"}"#,
        )
        .unwrap();
        assert_eq!((found.access_key_id(), found.account_id()), ("A", Some("1")));
        assert!(found.expires_at().is_some() && found.session_token().is_some());
        let large = format!("\"{}\"", "a".repeat(ANSWER_LIMIT));
        for (body, says) in [
            ("<html>hunter2</html>", "not the JSON"),
            (r#"["hunter2"]"#, "not the JSON"),
            (r#"{"SecretAccessKey":"hunter2"}"#, "AccessKeyId is missing"),
            (r#"{"AccessKeyId":"A","Token":"hunter2"}"#, "SecretAccessKey is missing"),
            (
                r#"{"AccessKeyId":"A","SecretAccessKey":"hunter2","Expiration":"hunter2"}"#,
                "Expiration",
            ),
            (&large, "larger"),
        ] {
            let fault = read(body).unwrap_err();
            assert!(fault.contains(says) && !fault.contains("hunter2"), "{fault}");
        }
    }

    #[test]
    fn a_complaint_is_short_and_repeats_no_secret() {
        let read = |body: &str| EndpointAnswer::read(body.as_bytes()).unwrap();
        let answer = read(r#"{"code":"AccessDenied","message":"token hunter2\nis bad"}"#);
        assert_eq!(answer.complaint(None).unwrap(), "AccessDenied: token hunter2is bad");
        assert_eq!(answer.complaint(Some(&"hunter2".into())), None);
        assert_eq!(read("{}").complaint(None), None);
    }
}
