use std::fmt::Write;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use zeroize::Zeroizing;

/// The name under which AWS CLI caches a role's credentials: the SHA-1 of the call's arguments as
/// Python's `json.dumps(arguments, sort_keys=True)` writes them.
#[derive(Clone, Debug, Default)]
pub struct RoleCacheKey<'a> {
    /// The role.
    pub role_arn: &'a str,
    /// Only if the profile names one.
    pub role_session_name: Option<&'a str>,
    /// `external_id`.
    pub external_id: Option<&'a str>,
    /// `mfa_serial`.
    pub serial_number: Option<&'a str>,
    /// `duration_seconds`.
    pub duration_seconds: Option<u32>,
    /// The contents of the token file: AWS CLI v1 keys web identity by them, v2 does not.
    pub web_identity_token: Option<&'a str>,
}

impl RoleCacheKey<'_> {
    /// The name of the entry, without `.json`.
    pub fn name(&self) -> String {
        // Room for all of it: a buffer that grows leaves copies of the token behind.
        let length = |text: Option<&str>| text.map_or(0, str::len);
        let room = self.role_arn.len()
            + length(self.role_session_name)
            + length(self.external_id)
            + length(self.serial_number)
            + length(self.web_identity_token);
        let mut arguments = Zeroizing::new(String::with_capacity(256 + 6 * room));
        arguments.push('{');
        if let Some(seconds) = self.duration_seconds {
            // Writing to a string cannot fail.
            let _ = write!(arguments, "\"DurationSeconds\": {seconds}, ");
        }
        let texts = [
            ("ExternalId", self.external_id),
            ("RoleArn", Some(self.role_arn)),
            ("RoleSessionName", self.role_session_name),
            ("SerialNumber", self.serial_number),
            ("WebIdentityToken", self.web_identity_token),
        ];
        for (name, value) in texts {
            let Some(value) = value else { continue };
            let _ = write!(arguments, "\"{name}\": ");
            push_python_string(&mut arguments, value);
            arguments.push_str(", ");
        }
        let end = arguments.len() - 2;
        arguments.truncate(end);
        arguments.push('}');
        hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, arguments.as_bytes()))
    }
}

/// Writes a string as Python's `json.dumps` does: ASCII only, `\uXXXX` in UTF-16 for the rest.
fn push_python_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            // Python escapes control characters and everything beyond ASCII, but not DEL.
            ' '..='\u{7f}' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::123456789012:role/R";

    #[test]
    fn names_are_aws_clis() {
        let plain = RoleCacheKey { role_arn: ROLE, ..Default::default() };
        assert_eq!(plain.name(), "c03ce438bc208f6214854d85d3ca930ff73e3004");
        let full = RoleCacheKey {
            role_arn: ROLE,
            role_session_name: Some("me"),
            external_id: Some("ext"),
            duration_seconds: Some(3600),
            ..Default::default()
        };
        assert_eq!(full.name(), "250bc493a2665d8d8302775947a42dac7c9a4c56");
    }

    #[test]
    fn strings_are_written_as_python_writes_them() {
        let mut out = String::new();
        push_python_string(&mut out, "a\"\\\n\u{1}\u{7f}é😀");
        assert_eq!(out, r#""a\"\\\n\u0001"#.to_owned() + "\u{7f}" + r#"\u00e9\ud83d\ude00""#);
    }
}
