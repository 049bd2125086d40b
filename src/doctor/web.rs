//! Proxies and certificate authorities.

use rolecall_core::http::WebClient;
use rolecall_core::profile::Profile;
use rolecall_core::{Context, Env, ErrorKind};

use super::Finding;
use crate::setup::web_settings;

const CHECK: &str = "proxy";
const CA: &str = "ca";
const IMDS: &str = "169.254.169.254";

/// `web` is what will ask STS and the metadata service: it reads the CA file here, where a file that
/// blocks is given up, and not again. `None` if the profiles could not be read, or HTTP is the
/// caller's own.
pub(super) fn check(
    context: &Context,
    profile: Option<&Profile>,
    web: Option<&WebClient>,
) -> Vec<Finding> {
    let env = &context.env;
    let mut findings = unusable(context, profile, web);
    findings.extend(disagreeing(env));
    findings.extend(proxies(env));
    findings.extend(authorities(env, profile));
    findings
}

/// What would fail at the first request.
fn unusable(context: &Context, profile: Option<&Profile>, web: Option<&WebClient>) -> Vec<Finding> {
    let settings = web_settings(context, profile);
    let bundle = settings.ca_bundle.clone();
    let checked = match web {
        Some(web) => web.check(),
        None => WebClient::new(settings, context.fs.clone()).check(),
    };
    match checked {
        Ok(()) => bundle
            .map(|path| Finding::info(CA, format!("trusts the authorities of {}", path.display())))
            .into_iter()
            .collect(),
        Err(error) => {
            let is_bundle = error.message.starts_with("CA bundle");
            let (check, fix) = match is_bundle {
                true => (CA, "correct AWS_CA_BUNDLE or ca_bundle, or leave it out"),
                false => (CHECK, "write it as http://host:port"),
            };
            let kind = ErrorKind::InvalidConfiguration;
            vec![Finding::error(kind, check, error.message).fix(fix)]
        }
    }
}

/// Their values may hold passwords, and are not shown.
fn disagreeing(env: &Env) -> impl Iterator<Item = Finding> {
    let names = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];
    names.into_iter().filter_map(|lower| {
        let upper = lower.to_ascii_uppercase();
        let (ours, theirs) = (env.get(lower)?, env.get(&upper)?);
        (ours != theirs).then(|| {
            Finding::warning(CHECK, format!("{lower} and {upper} disagree"))
                .evidence(format!("rolecall, curl and Python take {lower}; Go and others {upper}"))
                .fix("set both alike, or unset one")
        })
    })
}

fn proxies(env: &Env) -> Vec<Finding> {
    let names =
        ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let set: Vec<_> = names.into_iter().filter(|name| env.get(name).is_some()).collect();
    if set.is_empty() {
        return Vec::new();
    }
    let mut findings = vec![Finding::info(CHECK, "a proxy is used").evidence(set.join(", "))];
    let except = env.first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
    let covers_imds = except.split(',').map(str::trim).any(|entry| {
        matches!(entry, "*" | IMDS | "169.254.169.254/32" | "169.254.0.0/16" | "169.254.")
    });
    if !covers_imds {
        findings.push(
            Finding::info(CHECK, format!("NO_PROXY does not name {IMDS}"))
                .evidence("rolecall never asks a proxy for instance metadata; some SDKs do")
                .fix(format!("add {IMDS} to NO_PROXY and no_proxy")),
        );
    }
    findings
}

fn authorities(env: &Env, profile: Option<&Profile>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let ours = env.get("AWS_CA_BUNDLE");
    let in_profile = profile.and_then(|profile| profile.property("ca_bundle"));
    if let (Some(ours), Some(theirs)) = (&ours, in_profile)
        && ours != theirs.text()
    {
        findings.push(
            Finding::info(CA, "AWS_CA_BUNDLE goes before ca_bundle, which is not used")
                .evidence(theirs.origin.to_string()),
        );
    }
    if env.get("REQUESTS_CA_BUNDLE").is_some() && ours.is_none() && in_profile.is_none() {
        findings.push(
            Finding::warning(
                CA,
                "REQUESTS_CA_BUNDLE is read by boto3 and AWS CLI, not by rolecall",
            )
            .evidence("AWS_CA_BUNDLE is not set")
            .fix("set AWS_CA_BUNDLE to the same file: all of them read that"),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Machine, has, has_not};
    use super::*;

    fn found(machine: &Machine) -> Vec<Finding> {
        let setup = machine.setup();
        check(&machine.context, setup.profiles.get("default"), None)
    }

    #[test]
    fn nothing_set_is_nothing_to_tell() {
        assert_eq!(found(&Machine::new(&[])), []);
    }

    #[test]
    fn a_proxy_is_told_and_never_shown() {
        let proxy = ("https_proxy", "http://me:hunter2@proxy:3128");
        let all = found(&Machine::new(&[proxy]));
        has(&all, "a proxy is used", "https_proxy", "");
        has(&all, "NO_PROXY does not name", "never asks a proxy", "add 169.254.169.254");
        for except in ["*", "a.example, 169.254.169.254", "169.254.0.0/16"] {
            let all = found(&Machine::new(&[proxy, ("NO_PROXY", except)]));
            has_not(&all, "NO_PROXY does not name");
        }
        let all = found(&Machine::new(&[proxy, ("HTTPS_PROXY", "http://other:hunter2@x")]));
        has(&all, "https_proxy and HTTPS_PROXY disagree", "Go", "alike");
        assert!(!format!("{all:?}").contains("hunter2"));
        has_not(&found(&Machine::new(&[proxy, ("HTTPS_PROXY", proxy.1)])), "disagree");
    }

    #[test]
    fn a_proxy_that_makes_no_sense_is_an_error() {
        let all = found(&Machine::new(&[("HTTPS_PROXY", "http://me:hunter2@[")]));
        has(&all, "HTTPS_PROXY is not the address", "", "http://host:port");
        assert!(!format!("{all:?}").contains("hunter2"));
    }

    #[test]
    fn an_authority_file_is_read() {
        let machine = Machine::new(&[("AWS_CA_BUNDLE", "/ca.pem")]);
        has(&found(&machine), "CA bundle /ca.pem", "", "AWS_CA_BUNDLE");
        let machine = machine.file("/ca.pem", "nothing");
        has(&found(&machine), "no usable certificate", "", "AWS_CA_BUNDLE");
        let kit = rolecall_kit::Kit::start_tls(rolecall_kit::World::default());
        let machine = machine.file("/ca.pem", kit.ca_pem().unwrap());
        let all = found(&machine.config("[default]\nca_bundle = /other.pem\n"));
        has(&all, "trusts the authorities of /ca.pem", "", "");
        has(&all, "AWS_CA_BUNDLE goes before ca_bundle", "/home/.aws/config:2", "");
    }

    #[test]
    fn an_authority_file_that_is_a_pipe_is_not_read() {
        let machine = Machine::new(&[("AWS_CA_BUNDLE", "/home/ca.pem")]).pipe("/home/ca.pem");
        has(&found(&machine), "CA bundle /home/ca.pem: it is a pipe", "", "AWS_CA_BUNDLE");
    }

    #[test]
    fn the_bundle_of_python_alone_is_told() {
        let said = "REQUESTS_CA_BUNDLE";
        has(&found(&Machine::new(&[(said, "/x.pem")])), said, "AWS_CA_BUNDLE", "same file");
        let machine = Machine::new(&[(said, "/x.pem")]).config("[default]\nca_bundle = /x.pem\n");
        has_not(&found(&machine), said);
    }
}
