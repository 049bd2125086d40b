//! Which source wins, what it hides, and all that `explain` finds.

use rolecall_core::profile::{PassedOver, Plan, SetBy, Source};

use super::{Finding, Severity};
use crate::explain::{self, Explanation};
use crate::setup::Setup;

pub(super) const PROFILES: &str = "profiles";
const CHECK: &str = "source";

const UNSET_KEYS: &str = "unset AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN";

pub(super) fn check(setup: &Setup, named: bool) -> Vec<Finding> {
    let found = Explanation::of(setup);
    let problems = found.problems.into_iter().map(|p| (Severity::Error(p.kind), p));
    let warnings = found.warnings.into_iter().chain(found.elsewhere);
    let warnings = warnings.map(|warning| (Severity::Warning, warning));
    let mut findings: Vec<_> = problems.chain(warnings).map(explained).collect();
    if let Ok(plan) = &setup.plan {
        findings.extend(hidden(setup, plan, named));
        findings.push(winner(plan));
    }
    findings
}

fn explained((severity, found): (Severity, explain::Finding)) -> Finding {
    let evidence = found.file.map(|origin| origin.to_string()).or(found.place);
    let fix = found.help.or_else(|| {
        let of_file = evidence.as_ref()?;
        Some(format!("correct it in {of_file}"))
    });
    Finding { severity, check: PROFILES, what: found.message, evidence, fix }
}

fn winner(plan: &Plan) -> Finding {
    let mut what = explain::describe(&plan.source);
    for hop in &plan.hops {
        what += &format!(", then role {}", hop.role_arn);
    }
    let profile = plan.profile.as_ref().map(|name| match &plan.origin {
        Some(origin) => format!("profile {name}, {origin}"),
        None => format!("profile {name}"),
    });
    let passed = |link: &PassedOver| format!("not {}: {}", link.name, link.reason);
    let evidence: Vec<_> = profile.into_iter().chain(plan.passed_over.iter().map(passed)).collect();
    let finding = Finding::info(CHECK, what);
    if evidence.is_empty() { finding } else { finding.evidence(evidence.join("; ")) }
}

/// What is set up and not used, since another source goes before it.
fn hidden(setup: &Setup, plan: &Plan, named: bool) -> Vec<Finding> {
    if named {
        return beside_a_named_profile(setup, plan);
    }
    let mut findings = Vec::from_iter(two_profile_variables(setup));
    findings.extend(behind_keys(setup, plan));
    findings.extend(later_in_the_chain(setup, plan));
    findings
}

/// The variable that names a profile.
fn profile_variable(setup: &Setup) -> Option<&'static str> {
    let mut variables = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].into_iter();
    variables.find(|variable| setup.context.env.get(variable).is_some())
}

fn two_profile_variables(setup: &Setup) -> Option<Finding> {
    let env = &setup.context.env;
    let (ours, theirs) = (env.get("AWS_PROFILE")?, env.get("AWS_DEFAULT_PROFILE")?);
    (ours != theirs).then(|| {
        Finding::warning(CHECK, "AWS_PROFILE and AWS_DEFAULT_PROFILE name different profiles")
            .evidence(format!("rolecall takes {ours}; boto3 and AWS CLI v1 take {theirs}"))
            .fix("unset AWS_DEFAULT_PROFILE")
    })
}

fn beside_a_named_profile(setup: &Setup, plan: &Plan) -> Vec<Finding> {
    let env = &setup.context.env;
    let mut findings = Vec::new();
    let uses_keys = matches!(plan.source, Source::Environment { .. });
    if env.get("AWS_ACCESS_KEY_ID").is_some() && !uses_keys {
        findings.push(unused("the keys in the environment", "a profile is named"));
    }
    let other = profile_variable(setup).and_then(|variable| Some((variable, env.get(variable)?)));
    if let Some((variable, other)) = other.filter(|(_, name)| Some(name) != plan.profile.as_ref()) {
        let what = format!("profile {other} of {variable}");
        findings.push(unused(&what, "another profile is named"));
    }
    findings
}

/// A profile behind the keys in the environment.
fn behind_keys(setup: &Setup, plan: &Plan) -> Option<Finding> {
    if rank(plan) != Rank::Keys {
        return None;
    }
    match (profile_variable(setup), setup.profiles.get(&setup.selected)) {
        // `explain` has said so.
        (Some("AWS_PROFILE"), _) | (None, None) => None,
        (Some(variable), _) => Some(
            Finding::warning(
                CHECK,
                format!("AWS_ACCESS_KEY_ID goes before {variable}, which is not used"),
            )
            .evidence(format!("{variable} is {}", setup.selected))
            .fix(format!("{UNSET_KEYS}, or name the profile with --profile")),
        ),
        (None, Some(profile)) => Some(
            unused("profile default", "AWS_ACCESS_KEY_ID goes before it")
                .evidence(profile.origin.to_string())
                .fix(format!("{UNSET_KEYS} if the profile is meant")),
        ),
    }
}

/// Links of the default chain that come after the one that is used.
fn later_in_the_chain(setup: &Setup, plan: &Plan) -> Vec<Finding> {
    let (rank, variable) = (rank(plan), profile_variable(setup));
    let mut findings = Vec::new();
    let others = [
        (Rank::WebIdentity, "web identity", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        (Rank::Container, "the container's role", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        (Rank::Container, "the container's role", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    ];
    for (theirs, name, variable_of_it) in others {
        let is_said = rank == Rank::Profile && theirs == Rank::WebIdentity && plan.hops.is_empty();
        if setup.context.env.get(variable_of_it).is_none() || theirs <= rank || is_said {
            continue;
        }
        let (winner, fix) = match (rank, variable) {
            (Rank::Keys, _) => ("the keys in the environment come first", UNSET_KEYS.to_owned()),
            (Rank::Profile, Some(variable)) => {
                ("the profile comes first", format!("unset {variable}"))
            }
            (Rank::Profile, None) => {
                let fix = "take the credentials out of the default profile";
                ("the default profile comes first", fix.to_owned())
            }
            _ => ("web identity comes first", "unset AWS_WEB_IDENTITY_TOKEN_FILE".to_owned()),
        };
        findings.push(
            Finding::warning(CHECK, format!("{name} is not used: {winner}"))
                .evidence(format!("{variable_of_it} is set"))
                .fix(format!("{fix} if {name} is meant")),
        );
    }
    findings
}

/// The links of the default chain, in its order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Keys,
    Profile,
    WebIdentity,
    Container,
    Imds,
}

fn rank(plan: &Plan) -> Rank {
    match &plan.source {
        _ if plan.profile.is_some() || plan.source == Source::Given => Rank::Profile,
        Source::Environment { .. } => Rank::Keys,
        Source::WebIdentity { set_by: SetBy::Environment, .. } => Rank::WebIdentity,
        Source::Container => Rank::Container,
        _ => Rank::Imds,
    }
}

fn unused(what: &str, reason: &str) -> Finding {
    Finding::info(CHECK, format!("{what}: not used, since {reason}"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Machine, has, has_not};
    use super::*;

    const PROFILES: &str = "[default]\naws_access_key_id = AKIA1\naws_secret_access_key = hunter2\n\
                            [profile prod]\naws_access_key_id = AKIA2\n\
                            aws_secret_access_key = hunter2\n";
    const KEYS: [(&str, &str); 2] =
        [("AWS_ACCESS_KEY_ID", "AKIA3"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
    const WEB: [(&str, &str); 2] =
        [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")];
    const CONTAINER: (&str, &str) = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/");

    fn found(config: &str, pairs: &[&[(&str, &str)]], profile: Option<&str>) -> Vec<Finding> {
        let machine = Machine::new(&pairs.concat()).config(config);
        let mut options = machine.options();
        options.profile = profile.map(str::to_owned);
        let all = check(&Setup::read(options).unwrap(), profile.is_some());
        assert!(!format!("{all:?}").contains("hunter2"), "{all:?}");
        all
    }

    #[test]
    fn one_source_alone_wins_and_hides_nothing() {
        let all = found(PROFILES, &[], None);
        has(&all, "access key AKIA1", "profile default, /home/.aws/config:1; not environment", "");
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn keys_in_the_environment_hide_profiles() {
        let all = found(PROFILES, &[&KEYS], None);
        has(&all, "profile default: not used", "/home/.aws/config:1", "unset AWS_ACCESS_KEY_ID");
        has(&all, "access key AKIA3 from the environment", "", "");
        for variable in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
            let all = found(PROFILES, &[&KEYS, &[(variable, "prod")]], None);
            has(&all, &format!("goes before {variable}"), "", "");
            has_not(&all, "profile default");
        }
        has_not(&found("", &[&KEYS], None), "not used");
    }

    #[test]
    fn a_named_profile_goes_alone() {
        let all = found(PROFILES, &[&KEYS, &[("AWS_PROFILE", "default")]], Some("prod"));
        has(&all, "the keys in the environment: not used", "", "");
        has(&all, "profile default of AWS_PROFILE: not used", "", "");
        has_not(&found(PROFILES, &[&[("AWS_PROFILE", "prod")]], Some("prod")), "not used");
    }

    #[test]
    fn variables_that_name_different_profiles_are_told() {
        let both = [("AWS_PROFILE", "prod"), ("AWS_DEFAULT_PROFILE", "default")];
        let all = found(PROFILES, &[&both], None);
        has(&all, "name different profiles", "boto3", "unset AWS_DEFAULT_PROFILE");
        has_not(&found(PROFILES, &[&both], Some("prod")), "name different profiles");
    }

    #[test]
    fn web_identity_and_containers_that_are_hidden_are_told() {
        let container: &[_] = &[CONTAINER];
        let all = found(PROFILES, &[&WEB, container], None);
        has(&all, "the profile (/home/.aws/config:1) goes before AWS_WEB_IDENTITY", "", "keep");
        has(&all, "the container's role is not used: the default profile", "FULL_URI", "take the");
        has_not(&all, "web identity is not used");
        let all = found(PROFILES, &[&KEYS, &WEB], None);
        has(&all, "web identity is not used: the keys", "TOKEN_FILE", "unset AWS_ACCESS_KEY_ID");
        let all = found("", &[&WEB, container], None);
        has(&all, "the container's role is not used: web identity", "", "unset AWS_WEB_IDENTITY");
        has_not(&found("", &[container], None), "not used");
    }

    #[test]
    fn all_that_explain_finds_is_found() {
        let all = found("[default]\nrole_arn = R\nsource_profile = gone\n", &[], None);
        has(&all, "gone", "profile default", "");
        let twice = format!("{PROFILES}[profile prod]\nregion = us-east-1\n");
        let all = found(&twice, &[], None);
        has(&all, "AWS CLI", "/home/.aws/config:7", "read it alike");
        let all = found("", &[&[("AWS_EC2_METADATA_DISABLED", "true")]], None);
        has(&all, "no credentials found", "credential chain", "--profile");
        let all = found("", &[&WEB], None);
        has(&all, "token file /t does not exist", "web identity", "eks.amazonaws.com");
        let sso = "[default]\nsso_start_url = https://x\nsso_region = us-east-1\n\
                   sso_account_id = 111111111111\nsso_role_name = R\n";
        let all = found(sso, &[], None);
        has(&all, "nobody has signed in", "/home/.aws/config:", "aws sso login --profile default");
        let all = found("", &[&[("AWS_CONFIG_FILE", "/gone")]], None);
        has(&all, "which does not exist", "/gone", "correct it in /gone");
    }
}
