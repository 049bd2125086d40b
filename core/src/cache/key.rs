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
        name_of(&arguments)
    }
}

/// The name under which AWS CLI caches the credentials of a role of IAM Identity Center: the SHA-1
/// of the same kind of text, without the spaces.
#[derive(Clone, Copy, Debug)]
pub struct SsoCacheKey<'a> {
    /// `sso_account_id`.
    pub account_id: &'a str,
    /// `sso_role_name`.
    pub role_name: &'a str,
    /// The `[sso-session]`, if the profile names one.
    pub session: Option<&'a str>,
    /// The start URL, which counts without a session.
    pub start_url: &'a str,
}

impl SsoCacheKey<'_> {
    /// The name of the file of the access token in `~/.aws/sso/cache`, without `.json`.
    pub fn token_name(&self) -> String {
        name_of(self.session.unwrap_or(self.start_url))
    }

    /// The name of the entry, without `.json`.
    pub fn name(&self) -> String {
        let of_token = match self.session {
            Some(session) => ("sessionName", session),
            None => ("startUrl", self.start_url),
        };
        name_of(&object(&[("accountId", self.account_id), ("roleName", self.role_name), of_token]))
    }
}

/// A name for what AWS CLI does not cache: `kind`, and what the entry depends on. No secrets.
pub fn own_name(kind: &str, parts: &[(&str, &str)]) -> String {
    let parts: Vec<_> = [("Rolecall", kind)].into_iter().chain(parts.iter().copied()).collect();
    name_of(&object(&parts))
}

fn object(members: &[(&str, &str)]) -> String {
    let mut text = String::from("{");
    for (number, (name, value)) in members.iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}\"{name}\":");
        push_python_string(&mut text, value);
    }
    text + "}"
}

fn name_of(text: &str) -> String {
    hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
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
    fn names_of_sso_are_aws_clis() {
        let key = SsoCacheKey {
            account_id: "123456789012",
            role_name: "Adminé",
            session: Some("dev"),
            start_url: "https://d.awsapps.com/start",
        };
        assert_eq!(key.name(), "7bae12b7886b8fe153849ce5aaed5ccd9b9097bc");
        assert_eq!(key.token_name(), "34c6fceca75e456f25e7e99531e2425c6c1de443");
        let legacy = SsoCacheKey { role_name: "Admin", session: None, ..key };
        assert_eq!(legacy.name(), "d4b1606cd2bccf59b6b5478ce7a79614224ee844");
    }

    #[test]
    fn own_names_are_nobody_elses() {
        let of = |kind, value| own_name(kind, &[("Part", value)]);
        assert_eq!(of("a", "b"), of("a", "b"));
        assert_ne!(of("a", "b"), of("a", "c"));
        assert_ne!(of("a", "b"), of("b", "b"));
    }

    #[test]
    fn strings_are_written_as_python_writes_them() {
        let mut out = String::new();
        push_python_string(&mut out, "a\"\\\n\u{1}\u{7f}é😀");
        assert_eq!(out, r#""a\"\\\n\u0001"#.to_owned() + "\u{7f}" + r#"\u00e9\ud83d\ude00""#);
    }
}
