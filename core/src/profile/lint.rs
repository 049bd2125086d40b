//! What AWS would refuse about a plan, found before asking it.

use super::{Origin, Plan, SamlAssertion, SetBy, Source};

/// How sure it is that a [`Problem`] stops the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// AWS refuses it, or nothing can come of it: do not start.
    Error,
    /// Surely not meant, but for AWS (or what stands in for it) to say.
    Warning,
}

/// Something wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where; `None` if it comes from the environment.
    pub origin: Option<Origin>,
    /// What.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// What is wrong with `plan` as far as can be seen offline.
pub fn problems(plan: &Plan) -> Vec<Problem> {
    let mut lint = Lint { found: Vec::new(), origin: None };
    match &plan.source {
        Source::WebIdentity { role_arn, role_session_name, set_by, .. } => {
            lint.origin = match set_by {
                SetBy::Profile { origin, .. } => Some(origin.clone()),
                SetBy::Environment => None,
            };
            lint.role_arn(role_arn);
            lint.session_name(role_session_name.as_deref());
        }
        Source::Sso { account_id, role_name, origin, .. } => {
            lint.origin = Some(origin.clone());
            match (account_id, role_name) {
                (Some(id), Some(_)) if !is_account(id) => lint.warning(
                    format!("sso_account_id is {id:?}, not 12 digits"),
                    "write the account's 12 digits",
                ),
                (Some(_), Some(_)) => {}
                _ => lint.error(
                    "the SSO session gives a token but no credentials without an account and a role"
                        .to_owned(),
                    "add sso_account_id and sso_role_name to the profile",
                ),
            }
        }
        Source::Process { command, origin, .. } => {
            lint.origin = Some(origin.clone());
            lint.command("credential_process", command.expose());
        }
        Source::Saml { assertion, role_arn, principal_arn, origin, .. } => {
            lint.origin = Some(origin.clone());
            lint.role_arn(role_arn);
            if let Some(arn) = principal_arn {
                lint.saml_provider(arn);
            }
            if let SamlAssertion::Process(command) = assertion {
                lint.command("saml_process", command.expose());
            }
        }
        _ => {}
    }
    for hop in &plan.hops {
        lint.origin = Some(hop.origin.clone());
        lint.role_arn(&hop.role_arn);
        lint.session_name(hop.role_session_name.as_deref());
        if let Some(id) = &hop.external_id {
            lint.pattern("external_id", id, 2..=1224, "+=,.@:/-");
        }
        if let Some(serial) = &hop.mfa_serial {
            lint.pattern("mfa_serial", serial, 9..=256, "+=/:,.@-");
        }
        if let Some(command) = &hop.mfa_process {
            lint.command("mfa_process", command.expose());
            if hop.mfa_serial.is_none() {
                lint.warning(
                    "mfa_process is not run without mfa_serial".to_owned(),
                    "add mfa_serial with the ARN of the device, or remove mfa_process",
                );
            }
        }
    }
    lint.found
}

struct Lint {
    found: Vec<Problem>,
    origin: Option<Origin>,
}

impl Lint {
    fn error(&mut self, message: String, help: impl Into<String>) {
        self.add(Severity::Error, message, help.into());
    }

    fn warning(&mut self, message: String, help: impl Into<String>) {
        self.add(Severity::Warning, message, help.into());
    }

    fn add(&mut self, severity: Severity, message: String, help: String) {
        self.found.push(Problem { severity, origin: self.origin.clone(), message, help });
    }

    fn role_arn(&mut self, arn: &str) {
        const SHAPE: &str = "write arn:aws:iam::ACCOUNT:role/NAME";
        let refuse = |what: &str| format!("role_arn is {arn:?}: {what}");
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, resource] = parts[..] else {
            return self.error(refuse("it is not an ARN"), SHAPE);
        };
        if service == "sts" && resource.starts_with("assumed-role/") {
            let name = resource.split('/').nth(1).unwrap_or_default();
            return self.error(
                refuse("it is a session of a role, not the role"),
                format!(
                    "write arn:{partition}:iam::{account}:role/NAME, with the path of {name:?}"
                ),
            );
        }
        let is_partition = partition.starts_with("aws")
            && partition.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        if !is_partition || service != "iam" || !region.is_empty() {
            return self.error(refuse("it is not an ARN of IAM"), SHAPE);
        }
        let name = resource.strip_prefix("role/").unwrap_or_default();
        if name.is_empty() || name.ends_with('/') {
            return self.error(refuse("it is not a role"), SHAPE);
        }
        if !name.bytes().all(|b| is_of(b, "+=,.@/-")) || arn.len() > 2048 {
            return self.error(refuse("no role has such a name"), SHAPE);
        }
        if !is_account(account) {
            self.warning(refuse("its account is not 12 digits"), "write the account's 12 digits");
        }
    }

    /// A line that only a shell would understand is run without one all the same, as AWS CLI does.
    fn command(&mut self, key: &str, command: &str) {
        let argv = shlex::split(command).filter(|argv| !argv.is_empty());
        let Some(argv) = argv else {
            return self.error(
                format!("the command line of {key} cannot be split"),
                "close every quote; it is split like a shell's, but run without one",
            );
        };
        const OPERATORS: [&str; 7] = ["|", "||", "&&", ";", ">", "<", "&"];
        let operator = argv.iter().find(|word| OPERATORS.contains(&word.as_str()));
        if let Some(operator) = operator {
            self.warning(
                format!("{key} is run without a shell: {operator:?} is an argument"),
                format!("write {key} = sh -c 'COMMAND' for a pipeline"),
            );
        }
    }

    fn saml_provider(&mut self, arn: &str) {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let fits = matches!(parts[..], ["arn", _, "iam", "", _, name]
            if name.strip_prefix("saml-provider/").is_some_and(|name| !name.is_empty()));
        if !fits {
            self.error(
                format!("saml_principal_arn is {arn:?}: it is not a SAML provider of IAM"),
                "write arn:aws:iam::ACCOUNT:saml-provider/NAME, or leave it to the assertion",
            );
        }
    }

    fn session_name(&mut self, name: Option<&str>) {
        if let Some(name) = name {
            self.pattern("role_session_name", name, 2..=64, "+=,.@-");
        }
    }

    fn pattern(
        &mut self,
        key: &str,
        value: &str,
        length: std::ops::RangeInclusive<usize>,
        signs: &str,
    ) {
        let (least, most) = (length.start(), length.end());
        let help = format!("use {least} to {most} letters, digits and _{signs}");
        if !length.contains(&value.len()) {
            self.error(format!("{key} has {} characters", value.chars().count()), help);
        } else if let Some(odd) =
            value.chars().find(|c| !u8::try_from(*c).is_ok_and(|b| is_of(b, signs)))
        {
            self.error(format!("{key} has the character {odd:?}"), help);
        }
    }
}

fn is_of(byte: u8, signs: &str) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || signs.as_bytes().contains(&byte)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::super::testing::config;
    use super::super::{plan_default, plan_profile};
    use super::*;
    use crate::Env;

    const KEYS: &str = "[profile b]\naws_access_key_id = AKID\naws_secret_access_key = s\n";
    const ROLE: &str = "arn:aws:iam::123456789012:role/R";

    fn found(hop: &str) -> Vec<(Severity, String)> {
        let set = config(&format!("[profile a]\nsource_profile = b\n{hop}\n{KEYS}"));
        let plan = plan_profile(&set, "a", &Env::from_pairs::<&str, &str>([])).unwrap();
        let line = |p: &Problem| p.origin.as_ref().unwrap().line;
        let problems = problems(&plan);
        assert!(problems.iter().all(|p| line(p) == 3 && !p.help.is_empty()));
        problems.into_iter().map(|p| (p.severity, p.message)).collect()
    }

    #[test]
    fn a_line_for_a_shell_is_pointed_out() {
        for (line, expected) in [
            ("helper 'open", Some(Severity::Error)),
            ("helper | jq .", Some(Severity::Warning)),
            ("sh -c 'helper | jq .'", None),
        ] {
            let set = config(&format!("[profile a]\ncredential_process = {line}\n"));
            let plan = plan_profile(&set, "a", &Env::from_pairs::<&str, &str>([])).unwrap();
            let severities = problems(&plan).into_iter().map(|p| p.severity);
            assert_eq!(severities.collect::<Vec<_>>(), Vec::from_iter(expected), "{line}");
        }
    }

    #[test]
    fn good_plans_have_no_problems() {
        for role in [
            ROLE,
            "arn:aws-us-gov:iam::123456789012:role/path/to/R",
            "arn:aws-cn:iam::123456789012:role/service-role/a+b=c,d.e@f-g_h",
        ] {
            let hop = format!(
                "role_arn = {role}\nrole_session_name = me@x\nexternal_id = a:b/c\n\
                 mfa_serial = arn:aws:iam::123456789012:mfa/me"
            );
            assert_eq!(found(&hop), [], "{role}");
        }
    }

    #[test]
    fn what_is_no_role_is_refused() {
        for arn in [
            "R",
            "arn:foo",
            "arn:aws:iam::123456789012:user/me",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam:us-east-1:123456789012:role/R",
            "arn:aws:s3:::bucket",
            "arn:AWS:iam::123456789012:role/R",
            "arn:aws:sts::123456789012:assumed-role/R/session",
            "arn:aws:iam::123456789012:role/a b",
        ] {
            let found = found(&format!("role_arn = {arn}"));
            assert!(matches!(&found[..], [(Severity::Error, _)]), "{arn}: {found:?}");
        }
        let found = found("role_arn = arn:aws:iam::123456789:role/R");
        assert!(matches!(&found[..], [(Severity::Warning, _)]), "{found:?}");
    }

    #[test]
    fn values_that_sts_refuses_are_refused() {
        for bad in [
            "role_session_name = x",
            "role_session_name = me and you",
            "role_session_name = mé",
            "external_id = x",
            "external_id = a*b",
            "mfa_serial = short",
        ] {
            let found = found(&format!("role_arn = {ROLE}\n{bad}"));
            assert!(matches!(&found[..], [(Severity::Error, _)]), "{bad}: {found:?}");
        }
    }

    #[test]
    fn an_mfa_process_is_a_command_line_for_a_device() {
        let role = format!("role_arn = {ROLE}");
        let found = found(&format!("{role}\nmfa_process = otp | head"));
        assert!(
            matches!(&found[..], [(Severity::Warning, _), (Severity::Warning, _)]),
            "{found:?}"
        );
    }

    #[test]
    fn a_saml_principal_is_a_provider() {
        for (arn, problems) in [("arn:aws:iam::1:saml-provider/P", 0), ("arn:aws:iam::1:role/P", 1)]
        {
            let set = config(&format!(
                "[profile a]\nrole_arn = {ROLE}\nsaml_process = idp\nsaml_principal_arn = {arn}\n"
            ));
            let plan = plan_profile(&set, "a", &Env::from_pairs::<&str, &str>([])).unwrap();
            assert_eq!(super::problems(&plan).len(), problems, "{arn}");
        }
    }

    #[test]
    fn sources_are_looked_at_too() {
        let env = |pairs: &[(&str, &str)]| Env::from_pairs(pairs.iter().copied());
        let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "R")];
        let found = problems(&plan_default(&config(""), &env(&web)).unwrap());
        assert!(matches!(&found[..], [Problem { origin: None, .. }]));
        let sso = "[default]\nsso_session = s\n[sso-session s]\nsso_region = r\nsso_start_url = u";
        let found = problems(&plan_default(&config(sso), &env(&[])).unwrap());
        assert!(found[0].message.contains("no credentials"), "{found:?}");
        let sso = "[default]\nsso_account_id = 1\nsso_role_name = n\nsso_region = r\n\
                   sso_start_url = u";
        let found = problems(&plan_default(&config(sso), &env(&[])).unwrap());
        assert_eq!(found[0].severity, Severity::Warning);
    }
}
