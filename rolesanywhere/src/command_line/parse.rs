use std::fmt;

use rolecall_core::profile::near;

use super::flags::{EXCLUSIVE, Flag, HelperVerb};
use super::options::HelperOptions;

/// A command line of the helper, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelperCommand {
    /// A command and its options.
    Run(HelperVerb, Box<HelperOptions>),
    /// Help is asked for: of one command, or of all.
    Help(Option<HelperVerb>),
}

/// Why a command line makes no sense. Shows no value but a flag's own that is no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadUsage(String);

impl BadUsage {
    pub(super) fn new(message: String) -> Self {
        Self(message)
    }

    pub(super) fn unknown(name: &str) -> Self {
        Self(format!("there is no flag --{name}"))
    }

    /// The same, with the flags of `verb` that may be meant.
    fn unknown_to(verb: HelperVerb, name: &str) -> Self {
        let Some(meant) = verb.flags().find(|flag| near(name, flag.name)) else {
            return Self::unknown(name);
        };
        Self(format!("there is no flag --{name}; did you mean --{}?", meant.name))
    }

    pub(super) fn missing(flags: &[&str]) -> Self {
        let verb = if flags.len() == 1 { "is" } else { "are" };
        Self(format!("{} {verb} missing", flags.join(", ")))
    }
}

impl fmt::Display for BadUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadUsage {}

impl HelperCommand {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// For what the helper refuses too, and for arguments that it passes over.
    pub fn parse<T: AsRef<str>>(arguments: &[T]) -> Result<Self, BadUsage> {
        let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        let Some((&first, rest)) = arguments.split_first() else { return Ok(Self::Help(None)) };
        if is_help(first) || first == "help" {
            return Ok(Self::Help(rest.first().and_then(|name| HelperVerb::named(name))));
        }
        if first == "--version" && rest.is_empty() {
            return Ok(Self::Run(HelperVerb::Version, Box::default()));
        }
        let Some(verb) = HelperVerb::named(first) else {
            return Err(match first.starts_with('-') {
                true => BadUsage::new("the command comes first, then its flags".to_owned()),
                false => BadUsage::new(format!("there is no command {first:?}")),
            });
        };
        if rest.iter().take_while(|argument| **argument != "--").any(|argument| is_help(argument)) {
            return Ok(Self::Help(Some(verb)));
        }
        let flags = read_flags(verb, rest)?;
        let options = HelperOptions::from_flags(flags.iter().map(|(f, value)| (f.name, *value)))?;
        check_exclusive(&flags.iter().map(|(flag, _)| flag.name).collect::<Vec<_>>())?;
        Ok(Self::Run(verb, Box::new(options)))
    }
}

fn is_help(argument: &str) -> bool {
    argument == "-h" || argument == "--help"
}

/// The flags in their order, with their values.
fn read_flags<'a>(verb: HelperVerb, rest: &[&'a str]) -> Result<Vec<(Flag, &'a str)>, BadUsage> {
    let mut flags = Vec::new();
    let mut rest = rest.iter();
    while let Some(argument) = rest.next() {
        let Some(text) = argument.strip_prefix("--").filter(|text| !text.is_empty()) else {
            // A value that lost its flag may be a secret.
            let what =
                if argument.starts_with('-') { "short flags" } else { "a value without a flag" };
            return Err(BadUsage::new(format!("{what}: the helper has none")));
        };
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let Some(flag) = verb.flags().find(|flag| flag.name == name) else {
            return Err(BadUsage::unknown_to(verb, name));
        };
        let value = match (value, flag.value) {
            (Some(value), _) => value,
            (None, None) => "true",
            (None, Some(_)) => match rest.next() {
                Some(value) => value,
                None => return Err(BadUsage::new(format!("--{name} has no value"))),
            },
        };
        flags.push((flag, value));
    }
    Ok(flags)
}

/// Refuses flags that contradict each other.
pub(super) fn check_exclusive(given: &[&str]) -> Result<(), BadUsage> {
    let both = EXCLUSIVE.iter().find(|(a, b)| given.contains(a) && given.contains(b));
    match both {
        Some((a, b)) => Err(BadUsage::new(format!("--{a} and --{b} do not go together"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rolecall_core::SecretInput;

    use super::*;
    use crate::Digest;

    fn options(line: &str) -> Result<HelperOptions, BadUsage> {
        match HelperCommand::parse(&shlex::split(line).unwrap())? {
            HelperCommand::Run(_, options) => Ok(*options),
            HelperCommand::Help(_) => panic!("help"),
        }
    }

    #[test]
    fn every_flag_is_read_in_every_way_that_the_helper_takes() {
        let read = options(
            "credential-process --certificate /c.pem --private-key=/k.pem --intermediates /i.pem \
             --role-arn R --profile-arn=P --trust-anchor-arn T --session-duration 900 \
             --role-session-name me --region eu-west-1 --endpoint=http://127.0.0.1:1 --with-proxy \
             --no-verify-ssl=true --debug=F --pkcs8-password file:///p --pkcs11-lib /m.so \
             --reuse-pin=1",
        )
        .unwrap();
        let request = &read.request;
        assert_eq!(
            [&request.role_arn, &request.profile_arn, &request.trust_anchor_arn],
            ["R", "P", "T"]
        );
        assert_eq!(request.duration_seconds, Some(900));
        assert_eq!(request.role_session_name.as_deref(), Some("me"));
        assert_eq!(request.region.as_deref(), Some("eu-west-1"));
        let file = |path: &str| Some(SecretInput::File(path.into()));
        let identity = &read.identity;
        assert_eq!(identity.certificate, file("/c.pem"));
        assert_eq!(identity.private_key, file("/k.pem"));
        assert_eq!(identity.intermediates, file("/i.pem"));
        assert_eq!(identity.password, file("/p"));
        assert_eq!(identity.pkcs11_module.as_deref(), Some(Path::new("/m.so")));
        assert!(identity.reuse_pin && read.with_proxy && read.no_verify_ssl && !read.debug);
        assert_eq!(read.endpoint.as_deref(), Some("http://127.0.0.1:1"));
        assert!(read.exposed.is_empty() && read.unsupported.is_none());
        assert!(read.check_request().is_ok());

        let read = options("update --profile work --once --retry-errors").unwrap();
        assert!(read.once && read.target.as_deref() == Some("work"));
        let read = options("serve --port 0 --hop-limit=1").unwrap();
        assert_eq!((read.port, read.hop_limit), (0, 1));
        let read = options("sign-string --digest SHA384 --format bin").unwrap();
        assert_eq!((read.digest, read.format), (Digest::Sha384, super::super::SignFormat::Bin));
    }

    #[test]
    fn the_last_of_several_counts_and_an_empty_value_is_none() {
        let read = options("serve --region a --region b --certificate=x --certificate ''").unwrap();
        assert_eq!(read.request.region.as_deref(), Some("b"));
        assert_eq!(read.identity.certificate, None);
        // A value may look like a flag.
        let read = options("serve --region --debug").unwrap();
        assert_eq!(read.request.region.as_deref(), Some("--debug"));
        assert!(!read.debug);
    }

    #[test]
    fn what_the_helper_refuses_is_refused_and_shows_no_secret() {
        for (line, says) in [
            ("serve --hunter2", "no flag --hunter2"),
            ("serve --sesion-duration 900", "did you mean --session-duration?"),
            ("credential-process --profile x", "no flag --profile"),
            ("credential-process --certificate", "has no value"),
            ("credential-process -certificate x", "short flags"),
            ("credential-process --pkcs8-password x hunter2", "without a flag"),
            ("credential-process -- hunter2", "short flags"),
            ("credential-process --reuse-pin=maybe", "neither true nor false"),
            ("credential-process --session-duration 1h", "number of seconds"),
            ("credential-process --session-duration=-1", "number of seconds"),
            ("serve --port 65536", "a port"),
            ("serve --hop-limit 0", "1 to 255"),
            ("sign-string --digest SHA1", "SHA256, SHA384 or SHA512"),
            ("sign-string --format=xml", "json, text or bin"),
            ("--certificate x serve", "comes first"),
            ("sing-string", "no command"),
            ("serve --pkcs8-password hunter2 --tpm-key-password hunter2", "do not go together"),
        ] {
            let error = options(line).unwrap_err().to_string();
            assert!(error.contains(says), "{line}: {error}");
            assert!(says.contains("hunter2") || !error.contains("hunter2"), "{line}: {error}");
        }
    }

    #[test]
    fn secrets_on_the_command_line_are_noted_and_never_shown() {
        let read = options("serve --pkcs8-password hunter2").unwrap();
        assert_eq!(read.exposed, ["pkcs8-password"]);
        assert!(!format!("{read:?}").contains("hunter2"));
        for flag in ["certificate", "private-key"] {
            let read = options(&format!("serve --{flag} PKCS11:object=a?pin-value=hunter2"));
            let read = read.unwrap();
            assert_eq!(read.exposed, [flag]);
            assert!(!format!("{read:?}").contains("hunter2"));
            let key = "'-----BEGIN PRIVATE KEY-----hunter2-----END PRIVATE KEY-----'";
            assert_eq!(options(&format!("serve --{flag} {key}")).unwrap().exposed, [flag]);
            for open in ["pkcs11:object=a?pin-source=/p", "/etc/key.pem", "-", "handle:0x1"] {
                let read = options(&format!("serve --{flag} {open}")).unwrap();
                assert!(read.exposed.is_empty(), "{open}");
            }
        }
        for input in ["env:NAME", "-", "file:///p"] {
            assert!(
                options(&format!("serve --pkcs8-password {input}")).unwrap().exposed.is_empty()
            );
        }
    }

    #[test]
    fn what_only_the_helper_can_do_is_said() {
        for line in [
            "serve --private-key handle:0x81000101",
            "serve --tpm-key-password x",
            "serve --no-tpm-key-password",
            "serve --cert-selector Key=x509Serial,Value=1f",
            "serve --system-store-name MY",
        ] {
            assert!(options(line).unwrap().unsupported.is_some(), "{line}");
        }
        assert_eq!(options("serve --no-tpm-key-password=false").unwrap().unsupported, None);
    }

    #[test]
    fn what_a_call_needs_is_named() {
        let arns = "--role-arn R --profile-arn P --trust-anchor-arn T";
        for (line, missing) in [
            ("--role-arn R --profile-arn P", "--trust-anchor-arn"),
            ("--role-arn R --trust-anchor-arn T", "--profile-arn"),
            ("--profile-arn P --trust-anchor-arn T", "--role-arn"),
            (arns, "--certificate"),
        ] {
            let error = options(&format!("serve {line}")).unwrap().check_request().unwrap_err();
            assert!(error.to_string().contains(missing), "{line}: {error}");
        }
    }

    #[test]
    fn help_is_given_wherever_it_is_asked_for() {
        for (line, verb) in [
            ("", None),
            ("--help", None),
            ("help serve", Some(HelperVerb::Serve)),
            ("serve --port 1 -h", Some(HelperVerb::Serve)),
        ] {
            let read = HelperCommand::parse(&shlex::split(line).unwrap()).unwrap();
            assert_eq!(read, HelperCommand::Help(verb), "{line}");
        }
    }
}
