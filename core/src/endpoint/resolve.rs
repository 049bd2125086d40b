use super::iam;
use super::options::EndpointOptions;
use super::partition::{Partition, partition_of};
use super::region::Region;
use super::service::Service;
use crate::error::{CredentialsError, ErrorKind, Result};

/// Where to send a request and what to sign it for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Scheme, host, perhaps a port and (only where a user configured one) a path. Never ends in
    /// a slash: append the request's own path, which starts with one.
    pub url: String,
    /// The region in the credential scope.
    pub signing_region: String,
    /// The service in the credential scope.
    pub signing_name: &'static str,
}

/// The endpoint of `service`, by its endpoint rule set as botocore 1.43 ships it.
///
/// An own URL goes before all rules, and needs no region: without one its requests are signed for
/// us-east-1. It cannot be joined with FIPS or dual-stack, which choose hosts.
pub fn resolve(service: Service, options: &EndpointOptions) -> Result<Endpoint> {
    let refuse = |message: String| {
        CredentialsError::new(ErrorKind::InvalidConfiguration, service.name(), message)
    };
    let (region, pseudo_fips) = match options.region.as_ref().map(Region::split_fips) {
        Some((region, fips)) => (Some(region), fips),
        None => (None, false),
    };
    let fips = options.fips || pseudo_fips;
    let endpoint = |url: String, signing_region: &str| Endpoint {
        url,
        signing_region: signing_region.to_owned(),
        signing_name: service.signing_name(),
    };

    if let Some(url) = &options.url {
        let unwanted = [(fips, "FIPS"), (options.dual_stack, "dual-stack")];
        if let Some((_, what)) = unwanted.iter().find(|(on, _)| *on) {
            let message =
                format!("{what} endpoints and the URL from {} exclude each other", url.from);
            return Err(refuse(message).with_help("drop one of the two"));
        }
        let signing_region = region.as_ref().map_or("us-east-1", |r| own_url_region(service, r));
        return Ok(endpoint(url.base(service)?, signing_region));
    }

    let Some(region) = region else {
        return Err(refuse("no region is set".to_owned())
            .with_help("set AWS_REGION or `region` in the profile (--region)"));
    };
    let partition = partition_of(&region);
    if service == Service::Sts && is_global(&region, options, fips) {
        return Ok(endpoint("https://sts.amazonaws.com".to_owned(), "us-east-1"));
    }
    if let Some(what) = unsupported(partition, fips, options.dual_stack) {
        return Err(refuse(format!("the partition {} has no {what} endpoints", partition.id)));
    }
    let suffix = match options.dual_stack {
        true => partition.dual_stack_dns_suffix,
        false => partition.dns_suffix,
    };
    let Some(host) = regional_host(service, partition, fips, options.dual_stack) else {
        let (host, signing_region) =
            iam::host_and_signing_region(partition, fips, options.dual_stack);
        return Ok(endpoint(format!("https://{host}.{suffix}"), signing_region));
    };
    Ok(endpoint(format!("https://{host}.{region}.{suffix}"), region.as_str()))
}

/// The regions that `sts_regional_endpoints = legacy` sends to the global host: all that had
/// existed when STS went regional.
const LEGACY_GLOBAL: [&str; 16] = [
    "ap-northeast-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "aws-global",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

// The global host has neither a FIPS nor a dual-stack form.
fn is_global(region: &Region, options: &EndpointOptions, fips: bool) -> bool {
    let region = region.as_str();
    let asked =
        region == "aws-global" || (options.sts_legacy_global && LEGACY_GLOBAL.contains(&region));
    asked && !fips && !options.dual_stack
}

/// What a request to an own URL is signed for: the region, except where the service knows none
/// (IAM) or the region is no place (`aws-global`).
fn own_url_region(service: Service, region: &Region) -> &str {
    let partition = partition_of(region);
    if service == Service::Iam {
        return iam::host_and_signing_region(partition, false, false).1;
    }
    match region.as_str().ends_with("-global") {
        true => partition.implicit_global_region,
        false => region.as_str(),
    }
}

fn unsupported(partition: &Partition, fips: bool, dual_stack: bool) -> Option<&'static str> {
    if fips && !partition.supports_fips {
        return Some("FIPS");
    }
    (dual_stack && !partition.supports_dual_stack).then_some("dual-stack")
}

/// What stands before the region; nothing for IAM, which has no regional endpoints.
fn regional_host(
    service: Service,
    partition: &Partition,
    fips: bool,
    dual_stack: bool,
) -> Option<&'static str> {
    // In GovCloud the ordinary endpoints are the FIPS ones, except those of Roles Anywhere.
    let own_fips_host =
        fips && (partition.id != "aws-us-gov" || dual_stack || service == Service::RolesAnywhere);
    Some(match (service, own_fips_host) {
        (Service::Iam, _) => return None,
        (Service::Sts, false) => "sts",
        (Service::Sts, true) => "sts-fips",
        (Service::Eks, false) => "eks",
        (Service::Eks, true) if partition.id == "aws" && !dual_stack => "fips.eks",
        (Service::Eks, true) => "eks-fips",
        (Service::RolesAnywhere, false) => "rolesanywhere",
        (Service::RolesAnywhere, true) => "rolesanywhere-fips",
        (Service::Sso, false) => "portal.sso",
        (Service::Sso, true) => "portal.sso-fips",
        (Service::SsoOidc, false) => "oidc",
        (Service::SsoOidc, true) => "oidc-fips",
    })
}

#[cfg(test)]
mod tests {
    use super::super::configured::ConfiguredUrl;
    use super::*;

    fn options(region: &str, flags: &str) -> EndpointOptions {
        EndpointOptions {
            region: Some(Region::parse(region, "test").unwrap()),
            fips: flags.contains('f'),
            dual_stack: flags.contains('d'),
            sts_legacy_global: flags.contains('l'),
            url: None,
        }
    }

    fn with_url(options: EndpointOptions) -> EndpointOptions {
        let url = ConfiguredUrl::new("http://localhost:4566/", "AWS_ENDPOINT_URL_STS");
        EndpointOptions { url: Some(url), ..options }
    }

    /// Each row: region, flags (f: FIPS, d: dual-stack, l: legacy), host, signing region.
    fn check(service: Service, rows: &[(&str, &str, &str, &str)]) {
        for (region, flags, host, signing_region) in rows {
            let found = resolve(service, &options(region, flags)).unwrap();
            assert_eq!(found.url, format!("https://{host}"), "{region} {flags}");
            assert_eq!(found.signing_region, *signing_region, "{region} {flags}");
            assert_eq!(found.signing_name, service.signing_name());
        }
    }

    #[test]
    fn sts() {
        check(
            Service::Sts,
            &[
                ("us-east-1", "", "sts.us-east-1.amazonaws.com", "us-east-1"),
                ("us-east-1", "fd", "sts-fips.us-east-1.api.aws", "us-east-1"),
                ("us-gov-west-1", "f", "sts.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
                ("us-gov-west-1", "fd", "sts-fips.us-gov-west-1.api.aws", "us-gov-west-1"),
                ("fips-us-west-2", "", "sts-fips.us-west-2.amazonaws.com", "us-west-2"),
                ("us-west-2-fips", "", "sts-fips.us-west-2.amazonaws.com", "us-west-2"),
                ("eusc-de-east-1", "", "sts.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
                (
                    "eusc-de-east-1",
                    "d",
                    "sts.eusc-de-east-1.api.amazonwebservices.eu",
                    "eusc-de-east-1",
                ),
                ("eu-isoe-west-1", "", "sts.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
                ("us-isof-east-1", "", "sts.us-isof-east-1.csp.hci.ic.gov", "us-isof-east-1"),
                ("aws-global", "", "sts.amazonaws.com", "us-east-1"),
                ("fake-region-10", "", "sts.fake-region-10.amazonaws.com", "fake-region-10"),
            ],
        );
    }

    #[test]
    fn sts_legacy_sends_the_listed_regions_and_no_others_to_the_global_host() {
        for region in LEGACY_GLOBAL {
            check(Service::Sts, &[(region, "l", "sts.amazonaws.com", "us-east-1")]);
        }
        check(
            Service::Sts,
            &[
                ("af-south-1", "l", "sts.af-south-1.amazonaws.com", "af-south-1"),
                ("cn-north-1", "l", "sts.cn-north-1.amazonaws.com.cn", "cn-north-1"),
                ("us-east-1", "lf", "sts-fips.us-east-1.amazonaws.com", "us-east-1"),
                ("us-east-1", "ld", "sts.us-east-1.api.aws", "us-east-1"),
                ("fips-us-east-1", "l", "sts-fips.us-east-1.amazonaws.com", "us-east-1"),
            ],
        );
        check(Service::Eks, &[("us-east-1", "l", "eks.us-east-1.amazonaws.com", "us-east-1")]);
    }

    #[test]
    fn iam_has_one_endpoint_a_partition() {
        check(
            Service::Iam,
            &[
                ("eu-west-1", "", "iam.amazonaws.com", "us-east-1"),
                ("aws-global", "", "iam.amazonaws.com", "us-east-1"),
                ("eu-west-1", "f", "iam-fips.amazonaws.com", "us-east-1"),
                ("aws-global-fips", "", "iam-fips.amazonaws.com", "us-east-1"),
                ("eu-west-1", "d", "iam.global.api.aws", "us-east-1"),
                ("eu-west-1", "fd", "iam-fips.global.api.aws", "us-east-1"),
                ("cn-northwest-1", "", "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
                ("cn-north-1", "f", "iam-fips.amazonaws.com.cn", "cn-northwest-1"),
                ("cn-north-1", "d", "iam.global.api.amazonwebservices.com.cn", "cn-north-1"),
                ("cn-north-1", "fd", "iam-fips.api.amazonwebservices.com.cn", "cn-northwest-1"),
                ("us-gov-east-1", "", "iam.us-gov.amazonaws.com", "us-gov-west-1"),
                ("us-gov-east-1", "f", "iam.us-gov.amazonaws.com", "us-gov-west-1"),
                ("us-gov-east-1", "d", "iam.us-gov.api.aws", "us-gov-west-1"),
                ("us-gov-east-1", "fd", "iam.us-gov.api.aws", "us-gov-west-1"),
                ("us-iso-west-1", "", "iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
                ("us-iso-west-1", "f", "iam-fips.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
                ("us-iso-west-1", "d", "iam.api.aws.ic.gov", "us-iso-east-1"),
                ("us-isob-west-1", "", "iam.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
                ("us-isob-west-1", "f", "iam-fips.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
                ("eu-isoe-west-1", "", "iam.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
                ("eu-isoe-west-1", "f", "iam-fips.cloud.adc-e.uk", "eu-isoe-west-1"),
                ("us-isof-east-1", "", "iam.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
                ("eusc-de-east-1", "", "iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
                ("eusc-de-east-1", "fd", "iam-fips.api.amazonwebservices.eu", "eusc-de-east-1"),
            ],
        );
    }

    #[test]
    fn eks() {
        check(
            Service::Eks,
            &[
                ("us-east-1", "f", "fips.eks.us-east-1.amazonaws.com", "us-east-1"),
                ("us-east-1", "d", "eks.us-east-1.api.aws", "us-east-1"),
                ("us-east-1", "fd", "eks-fips.us-east-1.api.aws", "us-east-1"),
                ("us-gov-east-1", "fd", "eks-fips.us-gov-east-1.api.aws", "us-gov-east-1"),
                ("cn-north-1", "f", "eks-fips.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ],
        );
    }

    #[test]
    fn roles_anywhere_has_fips_hosts_even_in_govcloud() {
        check(
            Service::RolesAnywhere,
            &[
                ("eu-west-2", "", "rolesanywhere.eu-west-2.amazonaws.com", "eu-west-2"),
                ("us-east-1", "f", "rolesanywhere-fips.us-east-1.amazonaws.com", "us-east-1"),
                (
                    "us-gov-west-1",
                    "f",
                    "rolesanywhere-fips.us-gov-west-1.amazonaws.com",
                    "us-gov-west-1",
                ),
                ("us-iso-east-1", "", "rolesanywhere.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
                (
                    "cn-north-1",
                    "d",
                    "rolesanywhere.cn-north-1.api.amazonwebservices.com.cn",
                    "cn-north-1",
                ),
            ],
        );
    }

    #[test]
    fn single_sign_on() {
        check(
            Service::Sso,
            &[
                ("eu-west-1", "", "portal.sso.eu-west-1.amazonaws.com", "eu-west-1"),
                ("us-east-1", "f", "portal.sso-fips.us-east-1.amazonaws.com", "us-east-1"),
                ("us-gov-west-1", "f", "portal.sso.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
                ("us-gov-west-1", "fd", "portal.sso-fips.us-gov-west-1.api.aws", "us-gov-west-1"),
            ],
        );
        check(
            Service::SsoOidc,
            &[
                ("eu-west-1", "", "oidc.eu-west-1.amazonaws.com", "eu-west-1"),
                ("us-east-1", "f", "oidc-fips.us-east-1.amazonaws.com", "us-east-1"),
                ("us-gov-west-1", "f", "oidc.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
                ("cn-north-1", "", "oidc.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ],
        );
    }

    #[test]
    fn no_region_is_an_error_that_says_what_to_set() {
        for service in Service::ALL {
            let error = resolve(service, &EndpointOptions::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.help().unwrap().contains("AWS_REGION"), "{error}");
        }
    }

    #[test]
    fn an_own_url_goes_before_all_rules() {
        for (service, region, signing_region) in [
            (Service::Sts, "eu-west-1", "eu-west-1"),
            (Service::Sts, "aws-global", "us-east-1"),
            (Service::Sts, "aws-cn-global", "cn-northwest-1"),
            (Service::Iam, "eu-west-1", "us-east-1"),
            (Service::Iam, "cn-northwest-1", "cn-north-1"),
        ] {
            let found = resolve(service, &with_url(options(region, "l"))).unwrap();
            assert_eq!(found.url, "http://localhost:4566");
            assert_eq!(found.signing_region, signing_region, "{service} {region}");
        }
        let found = resolve(Service::Sts, &with_url(EndpointOptions::default())).unwrap();
        assert_eq!(found.signing_region, "us-east-1");
    }

    #[test]
    fn an_own_url_excludes_fips_and_dual_stack() {
        for (region, flags, what) in [
            ("us-east-1", "f", "FIPS"),
            ("us-east-1", "d", "dual-stack"),
            ("fips-us-east-1", "", "FIPS"),
        ] {
            let error = resolve(Service::Sts, &with_url(options(region, flags))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.message().contains(what), "{error}");
            assert!(error.message().contains("AWS_ENDPOINT_URL_STS"), "{error}");
        }
    }

    #[test]
    fn whatever_a_region_holds_the_host_is_amazons() {
        for text in ["a", "evil", "com", "fips", "aws-global", "x-fips", "0", "us-east-1-global"] {
            for service in Service::ALL {
                for flags in ["", "f", "d", "fd", "l"] {
                    let url = resolve(service, &options(text, flags)).unwrap().url;
                    let url = url::Url::parse(&url).unwrap();
                    let host = url.host_str().unwrap();
                    assert!(
                        [".amazonaws.com", ".api.aws"].iter().any(|end| host.ends_with(end)),
                        "{host}"
                    );
                    assert_eq!((url.path(), url.port(), url.username()), ("/", None, ""));
                }
            }
        }
    }
}
