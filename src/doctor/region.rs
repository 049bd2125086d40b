//! Which region and which endpoint win, and where they come from.

use rolecall_core::Env;
use rolecall_core::profile::{Plan, Profile};

use super::Finding;
use crate::setup::{Setup, StsSettings};

const REGION: &str = "region";
const ENDPOINT: &str = "endpoint";

pub(super) fn check(setup: &Setup, given: bool) -> Vec<Finding> {
    // A region or a URL that makes no sense is among what `explain` finds.
    let Ok(sts) = &setup.sts else { return Vec::new() };
    let env = &setup.context.env;
    let profile = setup.profiles.get(&setup.selected);
    let mut findings = Vec::new();
    findings.extend(region(sts, env, profile, given));
    findings.extend(two_variables(env, given));
    match &sts.endpoint {
        Ok(endpoint) => {
            findings.push(
                Finding::info(ENDPOINT, format!("STS is {}", endpoint.url))
                    .evidence(endpoint_place(sts, env, profile)),
            );
            findings.extend(in_the_clear(sts, &endpoint.url));
        }
        // Where it is needed, `explain` has said so.
        Err(_) if is_needed(setup.plan.as_ref().ok()) => {}
        Err(error) => {
            let mut finding = Finding::warning(ENDPOINT, error.message());
            finding.evidence = Some(error.provider().to_owned());
            finding.fix = error.help().map(str::to_owned);
            findings.push(finding);
        }
    }
    findings
}

/// Whether the plan cannot be carried out without STS.
pub(super) fn is_needed(plan: Option<&Plan>) -> bool {
    plan.is_some_and(StsSettings::are_needed_by)
}

/// `None` without a region: where that is wrong, the endpoint says so.
fn region(sts: &StsSettings, env: &Env, profile: Option<&Profile>, given: bool) -> Option<Finding> {
    let region = sts.region.as_ref()?;
    let mut places = Vec::new();
    if given {
        places.push("given by the caller, --region".to_owned());
    }
    let variables = ["AWS_REGION", "AWS_DEFAULT_REGION"];
    places.extend(variables.iter().filter(|v| env.get(v).is_some()).map(|v| (*v).to_owned()));
    places.extend(in_profile(profile, "region"));
    let evidence = places.join(", before ");
    Some(Finding::info(REGION, region.to_string()).evidence(evidence))
}

fn two_variables(env: &Env, given: bool) -> Option<Finding> {
    let (ours, theirs) = (env.get("AWS_REGION")?, env.get("AWS_DEFAULT_REGION")?);
    (ours != theirs && !given).then(|| {
        Finding::warning(REGION, "AWS_REGION and AWS_DEFAULT_REGION disagree")
            .evidence(format!("rolecall takes {ours}; boto3 and AWS CLI v1 take {theirs}"))
            .fix("set both alike")
    })
}

fn endpoint_place(sts: &StsSettings, env: &Env, profile: Option<&Profile>) -> String {
    if let Some(from) = &sts.url_from {
        return format!("from {from}");
    }
    let switches = [
        ("FIPS", "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
        ("dual-stack", "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
    ];
    let mut text = "from the region".to_owned();
    for (name, variable, key) in switches {
        let by_variable = env.get(variable);
        let by_profile = in_profile(profile, key);
        let (on, place) = match (by_variable, by_profile) {
            (Some(value), _) => (value.eq_ignore_ascii_case("true"), variable.to_owned()),
            (None, Some(place)) => (is_true(profile, key), place),
            (None, None) => continue,
        };
        let state = if on { "on" } else { "off" };
        text += &format!("; {name} is {state}, by {place}");
    }
    text
}

fn is_true(profile: Option<&Profile>, key: &str) -> bool {
    let value = profile.and_then(|profile| profile.get(key));
    value.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

/// `region of profile p, /home/me/.aws/config:3`.
fn in_profile(profile: Option<&Profile>, key: &str) -> Option<String> {
    let profile = profile?;
    let property = profile.property(key).filter(|p| !p.text().trim().is_empty())?;
    Some(format!("{key} of profile {}, {}", profile.name, property.origin))
}

/// What STS answers is secret.
fn in_the_clear(sts: &StsSettings, url: &str) -> Option<Finding> {
    let uri: http::Uri = url.parse().ok()?;
    let host = uri.host()?.trim_matches(['[', ']']);
    let address = host.parse::<std::net::IpAddr>();
    let is_here = address.map_or(host == "localhost", |address| address.is_loopback());
    (uri.scheme_str() == Some("http") && !is_here).then(|| {
        Finding::warning(ENDPOINT, "credentials from STS cross the network unencrypted")
            .evidence(format!("{url}, from {}", sts.url_from.as_deref().unwrap_or("the region")))
            .fix("write the endpoint URL with https://")
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Machine, has, has_not};
    use super::*;

    const KEYS: &str = "[default]\naws_access_key_id = AKIA1\naws_secret_access_key = s\n";

    fn found(config: &str, pairs: &[(&str, &str)], given: bool) -> Vec<Finding> {
        check(&Machine::new(pairs).config(config).setup(), given)
    }

    #[test]
    fn the_region_is_told_with_all_places_that_name_one() {
        let config = format!("{KEYS}region = eu-west-1\n");
        let all = found(&config, &[], false);
        has(&all, "eu-west-1", "region of profile default, /home/.aws/config:4", "");
        let all = found(&config, &[("AWS_REGION", "us-east-1")], false);
        has(&all, "us-east-1", "AWS_REGION, before region of profile default", "");
        has(&found(KEYS, &[], false), "no region is set", "", "AWS_REGION");
        has_not(&all, "no region is set");
    }

    #[test]
    fn variables_that_disagree_are_told_as_boto3_reads_the_other() {
        let both = |other| [("AWS_REGION", "us-east-1"), ("AWS_DEFAULT_REGION", other)];
        let said = "AWS_REGION and AWS_DEFAULT_REGION disagree";
        has(&found(KEYS, &both("us-west-2"), false), said, "us-west-2", "alike");
        has_not(&found(KEYS, &both("us-east-1"), false), said);
        has_not(&found(KEYS, &both("us-west-2"), true), said);
    }

    #[test]
    fn the_endpoint_is_told_with_what_chose_it() {
        let fips = [("AWS_REGION", "us-east-1"), ("AWS_USE_FIPS_ENDPOINT", "true")];
        let config = format!("{KEYS}use_dualstack_endpoint = true\n");
        let all = found(&config, &fips, false);
        has(&all, "STS is https://sts-fips.us-east-1.api.aws", "FIPS is on, by AWS_USE_FIPS", "");
        has(&all, "STS is", "dual-stack is on, by use_dualstack_endpoint of profile default", "");
        let all = found(KEYS, &[("AWS_ENDPOINT_URL_STS", "https://sts.example")], false);
        has(&all, "STS is https://sts.example", "from AWS_ENDPOINT_URL_STS", "");
    }

    #[test]
    fn an_endpoint_in_the_clear_is_told_unless_it_is_here() {
        let said = "unencrypted";
        for (url, told) in [
            ("http://sts.example", true),
            ("http://10.0.0.1:8000", true),
            ("https://sts.example", false),
            ("http://127.0.0.1:4566", false),
            ("http://[::1]:4566", false),
            ("http://localhost:4566", false),
        ] {
            let all = found(KEYS, &[("AWS_ENDPOINT_URL_STS", url)], false);
            match told {
                true => has(&all, said, url, "https://"),
                false => has_not(&all, said),
            }
        }
    }
}
