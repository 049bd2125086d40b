use super::configured::ConfiguredUrl;
use super::region::Region;

/// What decides where a service's requests go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointOptions {
    /// The region, if one is set.
    pub region: Option<Region>,
    /// `use_fips_endpoint`: only hosts with validated cryptography.
    pub fips: bool,
    /// `use_dualstack_endpoint`: hosts that answer on IPv4 and IPv6.
    pub dual_stack: bool,
    /// `sts_regional_endpoints = legacy`: the oldest regions' STS requests go to the global host.
    pub sts_legacy_global: bool,
    /// A URL that goes before all rules.
    pub url: Option<ConfiguredUrl>,
}

/// What a caller says itself, in a flag or an argument. It beats environment and profile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides<'a> {
    /// `--region`.
    pub region: Option<&'a str>,
    /// `--endpoint-url`.
    pub endpoint_url: Option<&'a str>,
    /// Whether URLs in the environment and the profile are passed over, as
    /// `ignore_configured_endpoint_urls` does.
    pub ignore_configured_endpoint_urls: bool,
}
