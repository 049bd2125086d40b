//! Credentials as text for other programs: `credential_process` JSON and the shells' assignments.
//!
//! The formats are those of `aws configure export-credentials`; unlike it, values are quoted
//! wherever they need it.

use std::fmt::Write;
use std::str::FromStr;

use rolecall_core::{Credentials, CredentialsError, ErrorKind, Result, timestamp};
use zeroize::Zeroizing;

/// A form of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportFormat {
    /// JSON as `credential_process` programs print it.
    #[default]
    Process,
    /// `export NAME=value` for POSIX shells.
    Env,
    /// `NAME=value` for POSIX shells.
    EnvNoExport,
    /// `set -gx NAME value` for fish.
    Fish,
    /// `$Env:NAME="value"` for PowerShell.
    Powershell,
    /// `set NAME=value` for cmd.exe.
    WindowsCmd,
}

impl ExportFormat {
    /// Every format with its name on the command line.
    pub const ALL: [(&'static str, Self); 6] = [
        ("process", Self::Process),
        ("env", Self::Env),
        ("env-no-export", Self::EnvNoExport),
        ("fish", Self::Fish),
        ("powershell", Self::Powershell),
        ("windows-cmd", Self::WindowsCmd),
    ];
}

impl FromStr for ExportFormat {
    type Err = CredentialsError;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, format)| *format).ok_or_else(|| {
            error(format!("unknown format {name:?}"))
                .with_help("use process, env, env-no-export, fish, powershell or windows-cmd")
        })
    }
}

/// Writes `credentials` in `format`, ending in a newline. The text holds the secrets.
///
/// # Errors
/// `InvalidConfiguration` if a value cannot be written in the format: cmd.exe has no way to quote
/// `"`, `%`, `!` or a line break.
///
/// ```
/// use rolecall::{Credentials, export::{self, ExportFormat}};
/// let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "it's secret", "example");
/// let text = export::format(&credentials, ExportFormat::Env)?;
/// assert_eq!(*text, "export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\n\
///                    export AWS_SECRET_ACCESS_KEY='it'\\''s secret'\n");
/// # Ok::<(), rolecall::CredentialsError>(())
/// ```
pub fn format(credentials: &Credentials, format: ExportFormat) -> Result<Zeroizing<String>> {
    let values = variables(credentials);
    // Room for quoting, so that the text does not grow and leave unzeroed copies behind.
    let room = values.iter().map(|(name, value)| 64 + name.len() + 6 * value.len()).sum();
    let mut text = Zeroizing::new(String::with_capacity(room));
    if format == ExportFormat::Process {
        push_process_json(&mut text, &values);
        return Ok(text);
    }
    for (name, value) in &values {
        // Writing to a string cannot fail.
        let _ = match format {
            ExportFormat::Env => write!(text, "export {name}="),
            ExportFormat::Fish => write!(text, "set -gx {name} "),
            ExportFormat::Powershell => write!(text, "$Env:{name}="),
            ExportFormat::WindowsCmd | ExportFormat::EnvNoExport | ExportFormat::Process => Ok(()),
        };
        match format {
            ExportFormat::Env => push_posix(&mut text, value),
            ExportFormat::EnvNoExport => {
                text.push_str(name);
                text.push('=');
                push_posix(&mut text, value);
            }
            ExportFormat::Fish => push_fish(&mut text, value),
            ExportFormat::Powershell => push_powershell(&mut text, value),
            ExportFormat::WindowsCmd => push_windows_cmd(&mut text, name, value)?,
            ExportFormat::Process => {}
        }
        text.push('\n');
    }
    Ok(text)
}

/// The variables that carry `credentials`, in AWS CLI's order.
pub(crate) fn variables(credentials: &Credentials) -> Vec<(&'static str, Zeroizing<String>)> {
    let secret = |text: &str| Zeroizing::new(text.to_owned());
    let mut values = vec![
        (ACCESS_KEY_ID, secret(credentials.access_key_id())),
        (SECRET_ACCESS_KEY, secret(credentials.secret_access_key().expose())),
    ];
    if let Some(token) = credentials.session_token() {
        values.push((SESSION_TOKEN, secret(token.expose())));
    }
    if let Some(end) = credentials.expires_at() {
        values.push((EXPIRATION, Zeroizing::new(timestamp::format_with_offset(end))));
    }
    values
}

const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
const EXPIRATION: &str = "AWS_CREDENTIAL_EXPIRATION";

fn error(message: String) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "export", message)
}

fn push_process_json(text: &mut String, values: &[(&str, Zeroizing<String>)]) {
    text.push_str("{\n  \"Version\": 1");
    for (name, value) in values {
        let key = match *name {
            ACCESS_KEY_ID => "AccessKeyId",
            SECRET_ACCESS_KEY => "SecretAccessKey",
            SESSION_TOKEN => "SessionToken",
            _ => "Expiration",
        };
        let _ = write!(text, ",\n  \"{key}\": ");
        push_json_string(text, value);
    }
    text.push_str("\n}\n");
}

/// Written here, as `serde_json` would leave an unzeroed copy of the value behind.
pub(crate) fn push_json_string(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\0'..='\u{1f}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            _ => text.push(c),
        }
    }
    text.push('"');
}

/// What no shell treats as anything but itself.
fn is_plain(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+/=_-.:,@".contains(c);
    !value.is_empty() && value.chars().all(plain)
}

pub(crate) fn push_posix(text: &mut String, value: &str) {
    if is_plain(value) {
        return text.push_str(value);
    }
    text.push('\'');
    for c in value.chars() {
        match c {
            '\'' => text.push_str(r"'\''"),
            _ => text.push(c),
        }
    }
    text.push('\'');
}

fn push_fish(text: &mut String, value: &str) {
    if is_plain(value) {
        return text.push_str(value);
    }
    text.push('\'');
    for c in value.chars() {
        if matches!(c, '\'' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('\'');
}

fn push_powershell(text: &mut String, value: &str) {
    if is_plain(value) {
        return text.extend(["\"", value, "\""]);
    }
    text.push('\'');
    for c in value.chars() {
        // PowerShell takes the typographic single quotes for plain ones.
        if matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            text.push(c);
        }
        text.push(c);
    }
    text.push('\'');
}

fn push_windows_cmd(text: &mut String, name: &str, value: &str) -> Result<()> {
    if value.chars().any(|c| "\"%!".contains(c) || c.is_control()) {
        return Err(error(format!("the value of {name} cannot be written for cmd.exe"))
            .with_help("it holds a quote, %, ! or a control character; use another format"));
    }
    if is_plain(value) {
        text.extend(["set ", name, "=", value]);
    } else {
        text.extend(["set \"", name, "=", value, "\""]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn plain() -> Credentials {
        Credentials::new("AKID", "se/cr+et=", "test")
            .with_session_token(Some("to/ken==".into()))
            .with_expires_at(Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045)))
    }

    fn written(secret: &str, as_format: ExportFormat) -> String {
        let text = format(&Credentials::new("AKID", secret, "test"), as_format).unwrap();
        text.split_once('\n').unwrap().1.to_owned()
    }

    #[test]
    fn plain_values_are_written_as_aws_cli_writes_them() {
        let shown = |f| format(&plain(), f).unwrap().to_string();
        assert_eq!(
            shown(ExportFormat::Process),
            "{\n  \"Version\": 1,\n  \"AccessKeyId\": \"AKID\",\n  \
             \"SecretAccessKey\": \"se/cr+et=\",\n  \"SessionToken\": \"to/ken==\",\n  \
             \"Expiration\": \"2026-01-02T03:04:05+00:00\"\n}\n"
        );
        assert_eq!(
            shown(ExportFormat::Env),
            "export AWS_ACCESS_KEY_ID=AKID\nexport AWS_SECRET_ACCESS_KEY=se/cr+et=\n\
             export AWS_SESSION_TOKEN=to/ken==\n\
             export AWS_CREDENTIAL_EXPIRATION=2026-01-02T03:04:05+00:00\n"
        );
        assert!(shown(ExportFormat::EnvNoExport).starts_with("AWS_ACCESS_KEY_ID=AKID\n"));
        assert!(shown(ExportFormat::Fish).starts_with("set -gx AWS_ACCESS_KEY_ID AKID\n"));
        assert!(shown(ExportFormat::Powershell).starts_with("$Env:AWS_ACCESS_KEY_ID=\"AKID\"\n"));
        assert!(shown(ExportFormat::WindowsCmd).starts_with("set AWS_ACCESS_KEY_ID=AKID\n"));
    }

    #[test]
    fn windows_cmd_says_what_it_cannot_express() {
        for secret in ["a\"b", "a%b", "a!b", "a\nb"] {
            let credentials = Credentials::new("AKID", secret, "test");
            let error = format(&credentials, ExportFormat::WindowsCmd).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(!error.to_string().contains(secret));
        }
        assert_eq!(
            written("a & b", ExportFormat::WindowsCmd),
            "set \"AWS_SECRET_ACCESS_KEY=a & b\"\n"
        );
    }

    /// A reader of PowerShell's single-quoted strings, by its language specification (2.3.5.2.1).
    fn read_powershell(line: &str) -> String {
        let quote = |c: char| "'\u{2018}\u{2019}\u{201a}\u{201b}".contains(c);
        let mut chars = line.strip_prefix("$Env:AWS_SECRET_ACCESS_KEY=").unwrap().chars();
        if chars.clone().next() == Some('"') {
            return chars.as_str().trim_matches(['"', '\n']).to_owned();
        }
        assert_eq!(chars.next(), Some('\''));
        let mut value = String::new();
        while let Some(c) = chars.next() {
            if !quote(c) {
                value.push(c);
            } else if chars.clone().next().is_some_and(quote) {
                value.push(chars.next().unwrap());
            } else {
                assert_eq!(chars.as_str(), "\n", "text after the closing quote");
                return value;
            }
        }
        panic!("no closing quote: {line}");
    }

    #[test]
    fn powershell_reads_back_what_was_written() {
        for secret in ["plain", "it's", "$x `n \"q\"", "a\nb", "\u{2019}\u{201b}", "''", " "] {
            assert_eq!(read_powershell(&written(secret, ExportFormat::Powershell)), secret);
        }
    }

    #[test]
    fn json_reads_back_what_was_written() {
        let secret = "q\" b\\ \n \u{1} é";
        let text = format(&Credentials::new("A", secret, "t"), ExportFormat::Process).unwrap();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["SecretAccessKey"], secret);
    }
}
