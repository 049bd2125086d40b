//! The endpoint tables that the AWS SDKs share, one test a case.

#![allow(clippy::panic, reason = "so tests fail")]

use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use rolecall_core::endpoint::{
    ConfiguredUrl, EndpointOptions, Overrides, Region, Service, resolve,
};
use rolecall_core::profile::{FileKind, ProfileSet};
use rolecall_core::{Env, ErrorKind, Fs};
use serde_json::{Map, Value};

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = rules("sts-endpoint.json", Service::Sts);
    trials.extend(rules("eks-endpoint.json", Service::Eks));
    trials.extend(configured_urls("configured-endpoint-url.json"));
    libtest_mimic::run(&arguments, trials).exit();
}

fn table(file: &str) -> Value {
    let path = rolecall_kit::conformance(file);
    let bytes =
        Fs::real().read(&path, 1 << 20).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// The list under `key`, which must hold something.
fn cases<'a>(table: &'a Value, key: &str) -> &'a [Value] {
    let cases = table[key].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(!cases.is_empty(), "no {key}");
    cases
}

fn rules(file: &str, service: Service) -> Vec<Trial> {
    let table = table(file);
    let trial = |case: &Value| {
        let case = case.clone();
        let name = format!("{file}: {}", text(&case["documentation"]));
        Trial::test(name, move || rule(service, &case))
    };
    cases(&table, "testCases").iter().map(trial).collect()
}

fn rule(service: Service, case: &Value) -> Result<(), Failed> {
    let params = case["params"].as_object().ok_or("no params")?;
    let mut options = EndpointOptions::default();
    for (name, value) in params {
        match name.as_str() {
            "Region" => options.region = Some(Region::parse(text(value), "the case")?),
            "UseFIPS" => options.fips = flag(value),
            "UseDualStack" => options.dual_stack = flag(value),
            "UseGlobalEndpoint" => options.sts_legacy_global = flag(value),
            "Endpoint" => options.url = Some(ConfiguredUrl::new(text(value), "the case")),
            other => return Err(format!("the parameter {other} is new").into()),
        }
    }
    let found = resolve(service, &options);
    let want = &case["expect"]["endpoint"];
    if want.is_null() {
        assert!(case["expect"]["error"].is_string(), "neither endpoint nor error is expected");
        let error = found.err().ok_or("an error was expected")?;
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        return Ok(());
    }
    let found = found?;
    assert_eq!(found.url, text(&want["url"]));
    let scheme = &want["properties"]["authSchemes"][0];
    if !scheme.is_null() {
        assert_eq!(found.signing_name, text(&scheme["signingName"]));
        assert_eq!(found.signing_region, text(&scheme["signingRegion"]));
    }
    Ok(())
}

fn configured_urls(file: &str) -> Vec<Trial> {
    let table = table(file);
    let mut trials = Vec::new();
    for suite in cases(&table, "testSuites") {
        for case in cases(suite, "endpointUrlTests") {
            let (suite, case) = (suite.clone(), case.clone());
            let name = format!("{file}: {}", text(&case["name"]));
            trials.push(Trial::test(name, move || configured_url(&suite, &case)));
        }
    }
    trials
}

/// The service that stands for one of the table's, none of which rolecall calls: the rules are
/// the same for all, and what decides is only whose names they go by.
fn stand_in(service: &str) -> Service {
    match service {
        "s3" => Service::Sts,
        "dynamodb" => Service::SsoOidc,
        other => panic!("the service {other} is new"),
    }
}

fn configured_url(suite: &Value, case: &Value) -> Result<(), Failed> {
    let service = stand_in(text(&case["service"]));
    let variables = named(suite, "environments", &case["environment"]);
    let env = Env::from_pairs(variables.iter().map(|(name, value)| {
        let own = name.strip_prefix("AWS_ENDPOINT_URL_").map(|suffix| {
            format!("AWS_ENDPOINT_URL_{}", stand_in(&suffix.to_lowercase()).env_suffix())
        });
        (own.unwrap_or_else(|| name.clone()), text(value))
    }));
    let mut overrides = Overrides::default();
    for (name, value) in named(suite, "client_configs", &case["client_config"]) {
        match name.as_str() {
            "endpoint_url" => overrides.endpoint_url = Some(text(value)),
            "ignore_configured_endpoint_urls" => {
                overrides.ignore_configured_endpoint_urls = flag(value);
            }
            other => return Err(format!("the client setting {other} is new").into()),
        }
    }
    let config = config_file(suite);
    let set = ProfileSet::parse(&[(FileKind::Config, Path::new("config"), config.as_bytes())])?;
    let profile = Some(text(&case["profile"]));
    let options = EndpointOptions::with_overrides(service, &env, &set, profile, overrides)?;
    // Without a URL the table has S3's own host.
    let want = text(&case["output"]["endpointUrl"]).replace("https://s3.fake", "https://sts.fake");
    assert_eq!(resolve(service, &options)?.url, want);
    Ok(())
}

fn named<'a>(suite: &'a Value, kind: &str, name: &Value) -> &'a Map<String, Value> {
    let name = text(name);
    suite[kind][name].as_object().unwrap_or_else(|| panic!("no {name} among {kind}"))
}

/// The table's profiles and services as a config file has them.
fn config_file(suite: &Value) -> String {
    let mut file = String::new();
    for (name, properties) in suite["profiles"].as_object().into_iter().flatten() {
        file += &format!("[profile {name}]\n");
        for (key, value) in properties.as_object().into_iter().flatten() {
            file += &format!("{key} = {}\n", text(value));
        }
    }
    for (name, services) in suite["services"].as_object().into_iter().flatten() {
        file += &format!("[services {name}]\n");
        for (service, properties) in services.as_object().into_iter().flatten() {
            file += &format!("{} =\n", stand_in(service).services_key());
            for (key, value) in properties.as_object().into_iter().flatten() {
                file += &format!("  {key} = {}\n", text(value));
            }
        }
    }
    file
}

#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string"))
}

#[track_caller]
fn flag(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| panic!("{value} is no flag"))
}
