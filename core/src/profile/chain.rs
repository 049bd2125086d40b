use super::plan::{PassedOver, Plan, SetBy, Source};
use super::planner::{environment_keys, has_container, is_imds_disabled, plan_profile};
use super::{Origin, ProfileSet};
use crate::{CredentialsError, Env, ErrorKind, Result};

/// The plan of the default chain: environment, the selected profile, web identity from the
/// environment, container, IMDS. The first that is set up wins; only IMDS cannot be seen from here.
///
/// # Errors
/// `InvalidConfiguration` for what is set up and wrong; `NotConfigured` if nothing is set up, with
/// all that was tried.
pub fn plan_default(set: &ProfileSet, env: &Env) -> Result<Plan> {
    let mut passed_over = Vec::new();
    let mut pass = |name, reason: &str| {
        passed_over.push(PassedOver { name, reason: reason.to_owned() });
    };
    if let Some(access_key_id) = environment_keys(env)? {
        let mut plan = plain(Source::Environment { explicit: false, access_key_id });
        plan.notes.extend(env.get("AWS_PROFILE").map(|name| {
            format!("AWS_ACCESS_KEY_ID goes before AWS_PROFILE ({name}), which is not used")
        }));
        return Ok(plan);
    }
    pass("environment", "AWS_ACCESS_KEY_ID is not set");

    let name = ProfileSet::selected_name(env);
    if name == "default" && set.get(&name).is_none() {
        pass("profile", &no_default(set));
    } else {
        match plan_profile(set, &name, env) {
            Ok(mut plan) => {
                plan.passed_over = passed_over;
                plan.notes.extend(note_web_identity(&plan, env));
                return Ok(plan);
            }
            Err(error) if error.kind() == ErrorKind::NotConfigured => {
                pass("profile", error.message());
            }
            Err(error) => return Err(error),
        }
    }

    let source = if let Some(source) = web_identity(env)? {
        source
    } else {
        pass("web identity", "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
        if has_container(env) {
            Source::Container
        } else {
            pass("container", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and …_FULL_URI are not set");
            if is_imds_disabled(env) {
                return Err(nothing(&passed_over, "AWS_EC2_METADATA_DISABLED is true"));
            }
            Source::Imds
        }
    };
    Ok(Plan { passed_over, ..plain(source) })
}

fn plain(source: Source) -> Plan {
    let (hops, passed_over, notes) = (Vec::new(), Vec::new(), Vec::new());
    Plan { profile: None, source, hops, origin: None, passed_over, notes }
}

fn no_default(set: &ProfileSet) -> String {
    let count = set.profiles().len();
    match (count, set.locations()) {
        (0, Some(places)) => {
            let (config, credentials) = (places.config.display(), places.credentials.display());
            format!("there are no profiles in {config} and {credentials}")
        }
        (0, None) => "there are no profiles".to_owned(),
        _ => format!("none of the {count} profiles is default, and AWS_PROFILE is not set"),
    }
}

fn web_identity(env: &Env) -> Result<Option<Source>> {
    let Some(token_file) = env.get("AWS_WEB_IDENTITY_TOKEN_FILE") else { return Ok(None) };
    let Some(role_arn) = env.get("AWS_ROLE_ARN") else {
        return Err(CredentialsError::new(
            ErrorKind::InvalidConfiguration,
            "web identity",
            "AWS_WEB_IDENTITY_TOKEN_FILE is set but AWS_ROLE_ARN is not",
        )
        .with_help("set AWS_ROLE_ARN to the role that the token is traded for"));
    };
    Ok(Some(Source::WebIdentity {
        token_file: token_file.into(),
        role_arn,
        role_session_name: env.get("AWS_ROLE_SESSION_NAME"),
        duration_seconds: None,
        region: None,
        set_by: SetBy::Environment,
    }))
}

/// AWS CLI puts web identity from the environment between a profile's role and its other sources.
fn note_web_identity(plan: &Plan, env: &Env) -> Option<String> {
    env.get("AWS_WEB_IDENTITY_TOKEN_FILE").filter(|_| plan.hops.is_empty())?;
    let at = plan.origin.as_ref().map(Origin::to_string).unwrap_or_default();
    Some(format!(
        "the profile ({at}) goes before AWS_WEB_IDENTITY_TOKEN_FILE; AWS CLI takes that first"
    ))
}

/// The error at the end of the default chain, where IMDS gives nothing either: all that was tried,
/// and why it was passed over.
pub fn nothing_found(plan: &Plan, imds: &CredentialsError) -> CredentialsError {
    if imds.kind() == ErrorKind::NotConfigured {
        return nothing(&plan.passed_over, imds.message());
    }
    let before = list(plan.passed_over.iter().map(|p| (p.name, p.reason.as_str())));
    let message = format!("{}. Nothing else is configured: {before}", imds.message());
    let error = CredentialsError::new(imds.kind(), imds.provider().to_owned(), message);
    match imds.help() {
        Some(help) => error.with_help(help),
        None => error,
    }
}

fn nothing(passed_over: &[PassedOver], imds: &str) -> CredentialsError {
    let tried = passed_over.iter().map(|p| (p.name, p.reason.as_str())).chain([("IMDS", imds)]);
    CredentialsError::new(
        ErrorKind::NotConfigured,
        "credential chain",
        format!("no credentials found. Tried {}", list(tried)),
    )
    .with_help("name a profile with --profile or AWS_PROFILE, or set AWS_ACCESS_KEY_ID")
}

fn list<'a>(links: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    links.map(|(name, reason)| format!("{name}: {reason}")).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::testing::config;
    use super::*;

    fn plan(text: &str, pairs: &[(&str, &str)]) -> Result<Plan> {
        plan_default(&config(text), &Env::from_pairs(pairs.iter().copied()))
    }

    const KEYS: &str = "[default]\naws_access_key_id = AKID\naws_secret_access_key = s\n";
    const IN_ENV: [(&str, &str); 2] =
        [("AWS_ACCESS_KEY_ID", "ENVID"), ("AWS_SECRET_ACCESS_KEY", "s")];
    const TOKEN: [(&str, &str); 2] =
        [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")];
    const CONTAINER: (&str, &str) = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/");

    fn names(plan: &Plan) -> Vec<&'static str> {
        plan.passed_over.iter().map(|p| p.name).collect()
    }

    #[test]
    fn the_environment_goes_before_the_profile_and_says_so() {
        let mut env = IN_ENV.to_vec();
        env.push(("AWS_PROFILE", "prod"));
        let plan = plan(KEYS, &env).unwrap();
        assert_eq!(plan.source_identity(), "environment:ENVID");
        assert!(plan.notes[0].contains("prod") && plan.passed_over.is_empty());
    }

    #[test]
    fn half_an_environment_is_an_error_that_names_the_other_half() {
        for (present, missing) in [(0, 1), (1, 0)] {
            let error = plan(KEYS, &[IN_ENV[present]]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            let text = format!("{} is not", IN_ENV[missing].0);
            assert!(error.message().contains(&text), "{error}");
        }
    }

    #[test]
    fn the_profile_goes_before_web_identity_container_and_imds() {
        let plan = plan(KEYS, &[TOKEN[0], TOKEN[1], CONTAINER]).unwrap();
        assert_eq!(plan.source_identity(), "static:AKID");
        assert_eq!(names(&plan), ["environment"]);
        assert!(plan.notes[0].contains("AWS_WEB_IDENTITY_TOKEN_FILE"), "{:?}", plan.notes);
    }

    #[test]
    fn a_profile_without_credentials_is_passed_over() {
        let plan = plan("[default]\nmax_attempts = 1", &[]).unwrap();
        assert_eq!(plan.source, Source::Imds);
        assert_eq!(names(&plan), ["environment", "profile", "web identity", "container"]);
        assert!(plan.passed_over[1].reason.contains("/aws/config:1"));
    }

    #[test]
    fn each_later_link_has_its_turn() {
        let found = plan("", &[TOKEN[0], TOKEN[1], CONTAINER]).unwrap();
        assert!(matches!(found.source, Source::WebIdentity { set_by: SetBy::Environment, .. }));
        let found = plan("[profile a]\nb = c", &[CONTAINER, TOKEN[1]]).unwrap();
        assert_eq!(found.source, Source::Container);
        assert!(found.passed_over[1].reason.contains("none of the 1 profiles"));
        let error = plan("", &[TOKEN[0]]).unwrap_err();
        assert!(error.message().contains("AWS_ROLE_ARN is not"), "{error}");
    }

    #[test]
    fn a_selected_profile_that_is_missing_is_an_error_unless_it_is_default() {
        let error = plan(KEYS, &[("AWS_PROFILE", "defualt")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert_eq!(error.help(), Some("did you mean default?"));
        assert!(plan("", &[("AWS_PROFILE", "default")]).is_ok());
    }

    #[test]
    fn with_nothing_set_up_the_error_says_all_that_was_tried() {
        let error = plan("", &[("AWS_EC2_METADATA_DISABLED", "True")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConfigured);
        for name in ["environment:", "profile:", "web identity:", "container:", "IMDS:"] {
            assert!(error.message().contains(name), "{error}");
        }
    }
}
