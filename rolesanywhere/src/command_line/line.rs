use rolecall_core::{CredentialsError, ErrorKind, Result, Secret, SecretInput};
use zeroize::Zeroizing;

use super::flags::HelperVerb;
use super::options::HelperOptions;
use super::parse::{BadUsage, HelperCommand};
use crate::IdentitySource;

/// What the `credential_process` of a profile is to Roles Anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileLine {
    /// Some other program.
    Other,
    /// A call of the helper, or of rolecall with its flags, that this process can answer itself.
    Native(Box<HelperOptions>),
    /// A call of the helper that only the helper can answer, and why.
    Foreign(String),
    /// A call of the helper that is wrong as far as this library knows, and why: a flag that there
    /// is not, or one that is missing. A newer helper may take it.
    Wrong(String),
}

impl ProfileLine {
    /// The program that a command line names.
    pub fn program(command: &Secret) -> Option<String> {
        shlex::split(command.expose())?.into_iter().next()
    }

    /// Looks at a command line, split as a shell would split it.
    pub fn read(command: &Secret) -> Self {
        let Some(argv) = shlex::split(command.expose()).map(Zeroizing::new) else {
            return Self::Other;
        };
        let Some((program, arguments)) = argv.split_first() else { return Self::Other };
        let is_helper = match file_name(program) {
            "aws_signing_helper" => true,
            "rolecall" => false,
            _ => return Self::Other,
        };
        match (read(arguments), is_helper) {
            (Ok(mut options), _) => {
                // rolecall uses the environment's proxy without a flag.
                options.with_proxy |= !is_helper;
                Self::Native(options)
            }
            (Err(line), true) => line,
            // Its own flags are known to the program alone.
            (Err(_), false) => Self::Other,
        }
    }
}

fn read(arguments: &[String]) -> Result<Box<HelperOptions>, ProfileLine> {
    let wrong = |error: BadUsage| ProfileLine::Wrong(error.to_string());
    let foreign = |reason: &str| ProfileLine::Foreign(reason.to_owned());
    let options = match HelperCommand::parse(arguments).map_err(wrong)? {
        HelperCommand::Run(HelperVerb::CredentialProcess, options) => options,
        _ => return Err(foreign("its command is not credential-process")),
    };
    options.check_request().map_err(wrong)?;
    match options.unsupported {
        Some(reason) => Err(foreign(reason)),
        None if options.reads_stdin() => {
            Err(foreign("it reads standard input, which a program of a profile does not have"))
        }
        None => Ok(options),
    }
}

/// The last part of a path, of Windows too, without `.exe`.
pub(super) fn file_name(program: &str) -> &str {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    let stem = name.len().checked_sub(4).and_then(|end| name.split_at_checked(end));
    match stem {
        Some((stem, ".exe" | ".EXE")) => stem,
        _ => name,
    }
}

/// Whether a program is called by the helper's name.
pub fn is_helper_name(program: &str) -> bool {
    file_name(program) == "aws_signing_helper"
}

/// Writes the `credential_process` of a profile that calls `program` (`aws_signing_helper`, or a
/// path that ends so) with these options. Both the helper and this library read it.
///
/// # Errors
/// `InvalidConfiguration` for a password that would stand in the file, and for a text that no way
/// of quoting keeps the same everywhere.
pub fn profile_line(program: &str, options: &HelperOptions) -> Result<String> {
    let (identity, request) = (&options.identity, &options.request);
    if options.cert_selector.is_some() {
        return Err(invalid("cert-selector", "the helper does not take it with a certificate")
            .with_help("give a file, or a URI, with the one certificate that is meant"));
    }
    let mut line = format!("{} credential-process", quoted("program", program)?);
    let mut push = |name: &str, value: Option<&str>| -> Result<()> {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            line += &format!(" --{name} {}", quoted(name, value)?);
        }
        Ok(())
    };
    let sources = [
        ("certificate", &identity.certificate),
        ("private-key", &identity.private_key),
        ("intermediates", &identity.intermediates),
        ("pkcs8-password", &identity.password),
    ];
    for (name, input) in sources {
        let Some(input) = input else { continue };
        push(name, Some(&as_text(name, input)?))?;
    }
    let module = identity.pkcs11_module.as_ref().map(|path| path.display().to_string());
    push("pkcs11-lib", module.as_deref())?;
    push("trust-anchor-arn", Some(&request.trust_anchor_arn))?;
    push("profile-arn", Some(&request.profile_arn))?;
    push("role-arn", Some(&request.role_arn))?;
    let seconds = request.duration_seconds.map(|seconds| seconds.to_string());
    push("session-duration", seconds.as_deref())?;
    push("role-session-name", request.role_session_name.as_deref())?;
    push("region", request.region.as_deref())?;
    push("endpoint", options.endpoint.as_deref())?;
    let switches = [
        ("reuse-pin", identity.reuse_pin),
        ("use-latest-expiring-certificate", identity.use_latest_expiring),
        ("with-proxy", options.with_proxy),
        ("no-verify-ssl", options.no_verify_ssl),
    ];
    for (name, _) in switches.iter().filter(|(_, is_on)| *is_on) {
        line += &format!(" --{name}");
    }
    Ok(line)
}

fn as_text(name: &str, input: &SecretInput) -> Result<String> {
    let is_secret = name == "pkcs8-password";
    match input {
        SecretInput::File(path) if is_secret => Ok(format!("file://{}", path.display())),
        SecretInput::File(path) => {
            let text = path.display().to_string();
            // A file may be called `-` or `env:X`.
            let is_plain = IdentitySource::locate(&text) == *input;
            Ok(if is_plain { text } else { format!("file://{text}") })
        }
        SecretInput::Env(variable) => Ok(format!("env:{variable}")),
        SecretInput::Literal(_) if is_secret => {
            Err(invalid(name, "a profile is no place for a password")
                .with_help("name a file or a variable: file://PATH or env:NAME"))
        }
        SecretInput::Literal(text) if crate::material::is_secret(text.expose()) => {
            Err(invalid(name, "a profile is no place for a PIN or a private key").with_help(
                "name a file: its path for a key, pin-source=file:PATH in a URI for a PIN",
            ))
        }
        SecretInput::Literal(text) => Ok(text.expose().to_owned()),
        SecretInput::Stdin => {
            Err(invalid(name, "a program of a profile has no standard input")
                .with_help("name a file"))
        }
    }
}

/// `text` so that a shell, the splitting of AWS CLI and that of the SDKs read the same. Windows
/// knows no single quotes.
fn quoted(name: &str, text: &str) -> Result<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:=@%+,-".contains(c);
    if text.chars().all(is_plain) && !text.is_empty() {
        return Ok(text.to_owned());
    }
    let has = |wrong: &str| text.contains(|c: char| wrong.contains(c) || c.is_control());
    if !has("\"$`\\!") {
        Ok(format!("\"{text}\""))
    } else if !has("'") {
        Ok(format!("'{text}'"))
    } else {
        Err(invalid(name, "no way of quoting it is read alike by every program")
            .with_help("use a path without quotes, `$`, backslashes and control characters"))
    }
}

fn invalid(name: &str, message: &str) -> CredentialsError {
    let kind = ErrorKind::InvalidConfiguration;
    CredentialsError::new(kind, "credential_process", format!("{name}: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &str = "--certificate /c --private-key /k --role-arn R --profile-arn P \
                         --trust-anchor-arn T";

    fn read(line: &str) -> ProfileLine {
        ProfileLine::read(&line.into())
    }

    #[test]
    fn the_helper_is_known_in_any_folder_and_rolecall_by_its_flags() {
        for program in [
            "aws_signing_helper",
            "./aws_signing_helper",
            "/opt/aws/aws_signing_helper",
            "'/opt/a b/aws_signing_helper'",
            "'C:\\Program Files\\aws_signing_helper.exe'",
        ] {
            let read = read(&format!("{program} credential-process {FLAGS}"));
            let ProfileLine::Native(options) = read else { panic!("{program}: {read:?}") };
            assert!(!options.with_proxy);
        }
        let ProfileLine::Native(options) = read(&format!("rolecall credential-process {FLAGS}"))
        else {
            panic!("rolecall is not known");
        };
        assert!(options.with_proxy);
    }

    #[test]
    fn what_only_the_helper_can_answer_is_left_to_it_with_a_reason() {
        for (line, says) in [
            (format!("credential-process {FLAGS} --new-flag x"), "--new-flag"),
            (format!("credential-process {FLAGS} --pkcs8-password hunter2 hunter2"), "a flag"),
            (format!("credential-process {FLAGS} --private-key handle:0x1"), "TPM"),
            (format!("credential-process {FLAGS} --intermediates -"), "standard input"),
            (format!("credential-process {FLAGS} | cat"), "a flag"),
            ("credential-process --certificate /c".to_owned(), "--trust-anchor-arn"),
            (format!("serve {FLAGS}"), "credential-process"),
            (String::new(), "credential-process"),
        ] {
            let read = read(&format!("aws_signing_helper {line}"));
            let (ProfileLine::Foreign(reason) | ProfileLine::Wrong(reason)) = read else {
                panic!("{line}: {read:?}")
            };
            assert!(reason.contains(says) && !reason.contains("hunter2"), "{line}: {reason}");
        }
    }

    #[test]
    fn other_programs_are_other_programs() {
        for line in [
            "",
            "helper 'open",
            "aws_signing_helper_2 credential-process",
            "exe",
            ".exe",
            "rolecall credential-process --profile x",
            "rolecall credential-process --no-cache --certificate /c",
            "sh -c 'aws_signing_helper credential-process'",
        ] {
            assert_eq!(read(line), ProfileLine::Other, "{line}");
        }
    }

    #[test]
    fn a_written_line_is_read_again_as_it_was() {
        let secrets = "--pkcs8-password file:///p --pkcs11-lib '/m 1.so' --reuse-pin";
        let more = "--session-duration 900 --role-session-name a=b@c --region x --endpoint http://h:1 \
                    --with-proxy --no-verify-ssl --intermediates '/a\"b'";
        for line in [
            format!("{FLAGS} {secrets}"),
            format!("{FLAGS} {more}"),
            "--certificate 'pkcs11:token=a%20b;object=c?pin-source=/p' --role-arn R --profile-arn P \
             --trust-anchor-arn T"
                .to_owned(),
            format!("{FLAGS} --certificate \"it's a path\" --private-key 'a $HOME'"),
            format!("{FLAGS} --certificate 'ends in a backslash\\'"),
            format!("{FLAGS} --certificate file://- --private-key file://pkcs11:x"),
            format!("{FLAGS} --certificate file://env:X --intermediates file://file://y"),
            format!("{FLAGS} --certificate 'file://-----BEGIN x' --private-key file://handle:0x1"),
        ] {
            let before = read(&format!("aws_signing_helper credential-process {line}"));
            let ProfileLine::Native(options) = &before else { panic!("{line}: {before:?}") };
            let written = profile_line("/opt/my tools/aws_signing_helper", options).unwrap();
            assert_eq!(read(&written), before, "{written}");
        }
    }

    #[test]
    fn a_line_that_would_hold_a_password_or_be_misread_is_not_written() {
        for flags in [
            "--pkcs8-password hunter2",
            "--private-key pkcs11:object=a?pin-value=hunter2",
            "--certificate PKCS11:object=a?pin-value=hunter2",
            "--private-key '-----BEGIN PRIVATE KEY-----\\nhunter2\\n-----END PRIVATE KEY-----'",
            "--certificate -",
            "--certificate \"it's \\$5\"",
            "--certificate 'a\n'\\''b'",
        ] {
            let line = format!("credential-process {FLAGS} {flags}");
            let parsed = HelperCommand::parse(&shlex::split(&line).unwrap()).unwrap();
            let HelperCommand::Run(_, options) = parsed else { panic!("help") };
            let error = profile_line("aws_signing_helper", &options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
