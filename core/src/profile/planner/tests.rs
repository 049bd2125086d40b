use super::*;
use crate::profile::testing::{both, config};

fn plan_in(env: &[(&str, &str)], text: &str) -> Result<Plan> {
    plan_profile(&config(text), "a", &Env::from_pairs(env.iter().copied()))
}

fn plan(text: &str) -> Result<Plan> {
    plan_in(&[], text)
}

/// The error of planning profile `a`, which must be one of configuration and say each of `parts`.
#[track_caller]
fn refused(text: &str, parts: &[&str]) {
    let error = plan(text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} is not in: {error}");
    }
}

const KEYS: &str = "aws_access_key_id = AKID\naws_secret_access_key = hunter2\n";

#[test]
fn a_chain_runs_from_the_source_up_with_all_settings_of_each_hop() {
    let plan = plan(&format!(
        "[profile a]\nrole_arn = A\nsource_profile = b\nregion = eu-west-1\nexternal_id = x1\n\
         mfa_serial = arn:aws:iam::1:mfa/me\nduration_seconds = 900\nrole_session_name = me\n\
         [profile b]\nrole_arn = B\nsource_profile = c\n[profile c]\n{KEYS}role_arn = unused\n"
    ))
    .unwrap();
    let hops: Vec<&str> = plan.hops.iter().map(|hop| hop.role_arn.as_str()).collect();
    assert_eq!(hops, ["B", "A"]);
    let last = &plan.hops[1];
    assert_eq!(last.region.as_deref(), Some("eu-west-1"));
    assert_eq!(last.external_id.as_deref(), Some("x1"));
    assert_eq!(last.mfa_serial.as_deref(), Some("arn:aws:iam::1:mfa/me"));
    assert_eq!(last.role_session_name.as_deref(), Some("me"));
    assert_eq!((last.duration_seconds, last.origin.line), (Some(900), 2));
    assert_eq!(plan.source_identity(), "static:AKID");
    assert!(!format!("{plan:?}").contains("hunter2"));
}

#[test]
fn loops_are_shown_whole() {
    refused(
        "[profile a]\nrole_arn = A\nsource_profile = b\n[profile b]\nrole_arn = B\n\
         source_profile = c\n[profile c]\nrole_arn = C\nsource_profile = b",
        &["a -> b -> c -> b", "/aws/config:9"],
    );
    refused("[profile a]\nrole_arn = A\nsource_profile = a", &["a -> a"]);
}

#[test]
fn a_missing_profile_names_those_like_it() {
    refused("[profile aa]\n[profile xyz]", &["no such profile", "did you mean aa?"]);
    refused("[a]\nregion = x", &["/aws/config:1", "write [profile a] in place of [a]"]);
    refused(
        "[profile a]\nrole_arn = A\nsource_profile = bsae\n[profile base]",
        &["/aws/config:3", "bsae, which does not exist", "did you mean base?"],
    );
}

#[test]
fn a_role_needs_exactly_one_source() {
    refused("[profile a]\nrole_arn = A", &["/aws/config:2", "source_profile", "credential_source"]);
    refused(
        "[profile a]\nrole_arn = A\nsource_profile = b\ncredential_source = Environment",
        &["both", "/aws/config:3", "/aws/config:4"],
    );
    refused(
        "[profile a]\nrole_arn = A\nsource_profile = b\n[profile b]\nregion = x",
        &["profile b (/aws/config:4)", "source_profile of a (/aws/config:3)", "no credentials"],
    );
}

#[test]
fn credential_source_is_one_of_three_and_there() {
    let text = |source| format!("[profile a]\nrole_arn = A\ncredential_source = {source}");
    refused(&text("Ec2"), &["Environment, Ec2InstanceMetadata or EcsContainer", "config:3"]);
    refused(&text("Environment"), &["AWS_ACCESS_KEY_ID is not set"]);
    refused(&text("EcsContainer"), &["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]);
    assert_eq!(plan(&text("ec2instancemetadata")).unwrap().source, Source::Imds);
    assert!(
        plan_in(&[("AWS_EC2_METADATA_DISABLED", "true")], &text("Ec2InstanceMetadata")).is_err()
    );
    let uri = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x")];
    assert_eq!(plan_in(&uri, &text("EcsContainer")).unwrap().source, Source::Container);
    let keys = [("AWS_ACCESS_KEY_ID", "ID"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let found = plan_in(&keys, &text("Environment")).unwrap().source;
    assert_eq!(found, Source::Environment { explicit: true, access_key_id: "ID".into() });
}

#[test]
fn half_the_static_keys_name_the_other_half() {
    refused("[profile a]\naws_access_key_id = x", &["no aws_secret_access_key", "config:2"]);
    refused("[profile a]\naws_secret_access_key = x", &["no aws_access_key_id", "config:2"]);
    refused("[profile a]\naws_session_token = x", &["no aws_access_key_id and aws_secret"]);
    refused(
        "[profile a]\naws_access_key_id = x\naws_secret_access_key =",
        &["no aws_secret_access_key"],
    );
}

#[test]
fn a_profile_without_credentials_is_not_configured() {
    let error = plan("[profile a]\nregion = x\nsource_profile = b").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConfigured);
    assert!(error.message().contains("/aws/config:1"), "{error}");
}

#[test]
fn partial_sso_names_what_is_missing() {
    let session = "\n[sso-session s]\nsso_start_url = https://x\n";
    refused("[profile a]\nsso_session = s", &["names no section: [sso-session s]", "config:2"]);
    refused(&format!("[profile a]\nsso_session = s{session}"), &["has no sso_region"]);
    refused(
        &format!("[profile a]\nsso_session = s\nsso_region = r\nsso_role_name = n{session}"),
        &["sso_role_name (/aws/config:4)", "no sso_account_id"],
    );
    refused(
        &format!("[profile a]\nsso_session = s\nsso_region = r\nsso_start_url = other{session}"),
        &["sso_start_url", "config:4", "config:6"],
    );
    refused("[profile a]\nsso_region = r\nsso_account_id = 1", &["no sso_start_url"]);
    refused("[profile a]\nsso_region = r\nsso_start_url = u", &["no sso_account_id"]);
}

#[test]
fn the_order_inside_a_profile() {
    let kind = |text: &str| plan(&format!("[profile a]\n{text}")).unwrap().source_identity();
    let (web, sso, login, process) = (
        "role_arn = R\nweb_identity_token_file = /t\nsource_profile = b\n",
        "sso_start_url = u\nsso_region = r\nsso_account_id = 1\nsso_role_name = n\n",
        "login_session = l\n",
        "credential_process = p\n",
    );
    let all = [KEYS, process, login, sso, web];
    for (count, start) in [(5, "web-identity:/t"), (4, "sso:"), (3, "login:l"), (2, "process:")] {
        assert!(kind(&all[..count].concat()).starts_with(start), "{start}");
    }
    refused("[profile a]\nweb_identity_token_file = /t", &["no role_arn", "config:2"]);
}

#[test]
fn durations_are_numbers_within_what_aws_allows() {
    let hop =
        |seconds: &str| format!("role_arn = A\nsource_profile = b\nduration_seconds = {seconds}\n");
    for bad in ["1h", "899", "43201", "-1", "99999999999"] {
        let text = format!("[profile a]\n{}[profile b]\n{KEYS}", hop(bad));
        refused(&text, &["duration_seconds (/aws/config:4)", "900 to 43200"]);
    }
    let long = hop("7200");
    assert!(plan(&format!("[profile a]\n{long}[profile b]\n{KEYS}")).is_ok());
    for source in [
        format!("role_arn = B\nsource_profile = c\n[profile c]\n{KEYS}"),
        "role_arn = B\nweb_identity_token_file = /t".to_owned(),
    ] {
        refused(&format!("[profile a]\n{long}[profile b]\n{source}"), &["3600", "config:4"]);
    }
}

#[test]
fn a_chain_has_an_end() {
    let mut text = String::from("[profile a]\nrole_arn = A\nsource_profile = p0\n");
    for i in 0..150 {
        text += &format!("[profile p{i}]\nrole_arn = R\nsource_profile = p{}\n", i + 1);
    }
    refused(&text, &["more than 100 roles"]);
}

#[test]
fn a_process_keeps_its_command_to_itself_and_notes_what_aws_cli_does() {
    let set = both("[profile a]\ncredential_process = tool hunter2", &format!("[a]\n{KEYS}"));
    let plan = plan_profile(&set, "a", &Env::from_pairs::<&str, &str>([])).unwrap();
    assert!(plan.notes[0].contains("/aws/credentials:2"), "{:?}", plan.notes);
    assert!(!format!("{plan:?}{}", plan.source_identity()).contains("hunter2"));
    assert_eq!(plan.source_identity().len(), "process:".len() + 64);
}
