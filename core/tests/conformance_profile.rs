//! The test data that the AWS SDKs share for profile files, each case a test of its own.

#![expect(clippy::panic, clippy::disallowed_methods, clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use rolecall_core::profile::{
    FileKind, FileLocations, Plan, Platform, Profile, ProfileSet, Source, plan_profile,
};
use rolecall_core::{Env, ErrorKind};
use serde_json::Value;

fn main() {
    let mut trials = Vec::new();
    let mut add = |suite: &str, name: &str, case: &Value, run: fn(&Value)| {
        let case = case.clone();
        // Two cases of one suite have the same name.
        let mut name = format!("{suite}::{name}");
        while trials.iter().any(|trial: &Trial| trial.name() == name) {
            name += " (again)";
        }
        trials.push(Trial::test(name, move || {
            std::panic::catch_unwind(|| run(&case)).map_err(|_| Failed::without_message())
        }));
    };
    for case in data("profile-parser.json")["tests"].as_array().unwrap() {
        add("profile-parser", text(&case["name"]), case, profile_parser);
    }
    for case in data("file-location.json")["tests"].as_array().unwrap() {
        add("file-location", text(&case["name"]), case, file_location);
    }
    for case in data("assume-role-chain.json").as_array().unwrap() {
        add("assume-role-chain", text(&case["docs"]), case, assume_role_chain);
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn data(name: &str) -> Value {
    let path = rolecall_kit::conformance(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&bytes).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

type Texts = BTreeMap<String, String>;

fn profile_parser(case: &Value) {
    let file =
        |kind, key: &str| Some((kind, Path::new("/file"), case["input"][key].as_str()?.as_bytes()));
    let files: Vec<_> =
        [file(FileKind::Config, "configFile"), file(FileKind::Credentials, "credentialsFile")]
            .into_iter()
            .flatten()
            .collect();
    let parsed = ProfileSet::parse(&files);
    if let Some(expected) = case["output"]["errorContaining"].as_str() {
        let error = parsed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        let shown = error.to_string().to_lowercase();
        assert!(shown.contains(&expected.to_lowercase()), "{error}");
        assert!(shown.contains("/file:"), "the error must name file and line: {error}");
        return;
    }
    let parsed = parsed.unwrap();
    let expected = &case["output"]["config"];
    assert_eq!(tables(parsed.profiles()), tables_of(&expected["profiles"]));
    assert_eq!(tables(parsed.sso_sessions()), tables_of(&expected["sso_sessions"]));
}

fn tables<'a>(sections: impl Iterator<Item = &'a Profile>) -> BTreeMap<String, Texts> {
    let properties = |section: &Profile| {
        section.properties.iter().map(|(k, p)| (k.clone(), p.text().to_owned())).collect()
    };
    sections.map(|section| (section.name.clone(), properties(section))).collect()
}

fn tables_of(value: &Value) -> BTreeMap<String, Texts> {
    let Some(tables) = value.as_object() else { return BTreeMap::new() };
    tables.iter().map(|(name, table)| (name.clone(), texts_of(table))).collect()
}

fn texts_of(value: &Value) -> Texts {
    let pairs = value.as_object().unwrap().iter();
    pairs.map(|(key, value)| (key.clone(), text(value).to_owned())).collect()
}

fn file_location(case: &Value) {
    let env = Env::from_pairs(texts_of(&case["environment"]));
    let platform = match text(&case["platform"]) {
        "windows" => Platform::Windows,
        _ => Platform::Unix,
    };
    let found = FileLocations::from_env_on(platform, &env).unwrap();
    assert_eq!(found.config, PathBuf::from(text(&case["configLocation"])));
    assert_eq!(found.credentials, PathBuf::from(text(&case["credentialsLocation"])));
    if let Some(profile) = case["profile"].as_str() {
        assert_eq!(ProfileSet::selected_name(&env), profile);
    }
}

fn assume_role_chain(case: &Value) {
    let input = &case["input"];
    let mut config = String::new();
    for (prefix, key) in [("profile", "profiles"), ("sso-session", "sso_sessions")] {
        for (name, properties) in tables_of(&input[key]) {
            config += &format!("[{prefix} {name}]\n");
            for (key, value) in properties {
                config += &format!("{key} = {value}\n");
            }
        }
    }
    let files = [(FileKind::Config, Path::new("/config"), config.as_bytes())];
    let set = ProfileSet::parse(&files).unwrap();
    let env = Env::from_pairs::<&str, &str>([]);
    let plan = plan_profile(&set, text(&input["selected_profile"]), &env);
    match case["output"]["Error"].as_str() {
        Some(expected) => {
            let error = plan.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{error}");
            for word in meaning(expected) {
                assert!(error.message().contains(word), "{word:?} is not in: {error}");
            }
        }
        None => {
            let expected = case["output"]["ProfileChain"].as_array().unwrap();
            assert_eq!(chain(&plan.unwrap()), *expected);
        }
    }
}

/// What our error must say where the SDK's has this text.
fn meaning(error: &str) -> &'static [&'static str] {
    match error {
        "profile must contain `source_profile`" => &["source_profile", "has neither"],
        "profile missing aws_secret_access_key" => &["profile B", "no aws_secret_access_key"],
        "profile `B` did not contain credential information" => &["profile B", "no credentials"],
        "could not find source profile B referenced from A" => &["of A", "B, which does not exist"],
        "profile formed an infinite loop" => &["A -> B -> A"],
        "`role_arn` was missing" => &["web_identity_token_file", "no role_arn"],
        "if `sso_account_id` is set, then `sso_role_name` must also be set" => {
            &["sso_account_id", "no sso_role_name"]
        }
        other => panic!("a new error, {other:?}: say here what it means"),
    }
}

/// The plan in the form of the data.
fn chain(plan: &Plan) -> Vec<Value> {
    let link = |kind: &str, fields: &[(&str, Option<&str>)]| {
        let set =
            fields.iter().filter_map(|(key, value)| Some(((*key).to_owned(), (*value)?.into())));
        Value::from_iter([(kind, Value::Object(set.collect()))])
    };
    let source = match &plan.source {
        Source::StaticKeys {
            access_key_id, secret_access_key, session_token, account_id, ..
        } => link(
            "AccessKey",
            &[
                ("access_key_id", Some(access_key_id)),
                ("secret_access_key", Some(secret_access_key.expose())),
                ("session_token", session_token.as_ref().map(|token| token.expose())),
                ("account_id", account_id.as_deref()),
            ],
        ),
        Source::WebIdentity { token_file, role_arn, role_session_name, .. } => link(
            "WebIdentityToken",
            &[
                ("role_arn", Some(role_arn)),
                ("web_identity_token_file", token_file.to_str()),
                ("role_session_name", role_session_name.as_deref()),
            ],
        ),
        Source::Sso { session, start_url, region, account_id, role_name, .. } => link(
            "Sso",
            &[
                ("sso_session", session.as_deref()),
                ("sso_start_url", Some(start_url)),
                ("sso_region", Some(region)),
                ("sso_account_id", account_id.as_deref()),
                ("sso_role_name", role_name.as_deref()),
            ],
        ),
        other => panic!("the data has no form for {other:?}"),
    };
    let hops = plan.hops.iter().map(|hop| {
        link(
            "AssumeRole",
            &[
                ("role_arn", Some(&hop.role_arn)),
                ("role_session_name", hop.role_session_name.as_deref()),
                ("external_id", hop.external_id.as_deref()),
            ],
        )
    });
    std::iter::once(source).chain(hops).collect()
}
