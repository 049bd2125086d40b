use super::configured::{ConfiguredUrl, ProfileUrls, ServicesSection, configured_url, switch};
use super::options::{EndpointOptions, Overrides};
use super::region::Region;
use super::service::Service;
use crate::context::Env;
use crate::error::{CredentialsError, ErrorKind, Result};
use crate::profile::{Profile, ProfileSet};

impl EndpointOptions {
    /// Reads what decides where requests to `service` go: `region` or else `AWS_REGION`,
    /// `AWS_DEFAULT_REGION`, the profile's `region`; and from variables or else the profile the
    /// switches and the URL. The keys are those of the AWS SDKs reference guide.
    ///
    /// `profile` names the profile in use. One that does not exist counts as empty: whoever reads
    /// its credentials says so.
    pub fn from(
        service: Service,
        env: &Env,
        set: &ProfileSet,
        profile: Option<&str>,
        region: Option<&str>,
    ) -> Result<Self> {
        Self::with_overrides(
            service,
            env,
            set,
            profile,
            Overrides { region, ..Overrides::default() },
        )
    }

    /// [`EndpointOptions::from`] with all that a caller may say itself.
    pub fn with_overrides(
        service: Service,
        env: &Env,
        set: &ProfileSet,
        profile: Option<&str>,
        overrides: Overrides<'_>,
    ) -> Result<Self> {
        let profile = profile.and_then(|name| set.get(name));
        let (region, pseudo_fips) = match region(env, profile, overrides.region)? {
            Some(region) => {
                let (region, fips) = region.split_fips();
                (Some(region), fips)
            }
            None => (None, false),
        };
        let on = |variable: &str, key: &str| -> Result<bool> {
            let found = profile.and_then(|p| Some((p.get(key)?, p.name.as_str())));
            Ok(switch(env, variable, key, found)?.unwrap_or(false))
        };
        Ok(Self {
            region,
            fips: on("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")? || pseudo_fips,
            dual_stack: on("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")?,
            sts_legacy_global: service == Service::Sts && sts_legacy_global(env, profile)?,
            url: url(service, env, set, profile, overrides)?,
        })
    }
}

fn region(env: &Env, profile: Option<&Profile>, given: Option<&str>) -> Result<Option<Region>> {
    if let Some(given) = given {
        return Region::parse(given, "the region given").map(Some);
    }
    for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        if let Some(value) = env.get(variable) {
            return Region::parse(&value, variable).map(Some);
        }
    }
    let Some((value, profile)) = filled(profile, "region") else { return Ok(None) };
    Region::parse(value, &format!("region of profile {}", profile.name)).map(Some)
}

fn sts_legacy_global(env: &Env, profile: Option<&Profile>) -> Result<bool> {
    let variable = "AWS_STS_REGIONAL_ENDPOINTS";
    let key = "sts_regional_endpoints";
    let (value, from) = match (env.get(variable), filled(profile, key)) {
        (Some(value), _) => (value, variable.to_owned()),
        (None, Some((value, profile))) => {
            (value.to_owned(), format!("{key} of profile {}", profile.name))
        }
        (None, None) => return Ok(false),
    };
    match value.trim() {
        value if value.eq_ignore_ascii_case("legacy") => Ok(true),
        value if value.eq_ignore_ascii_case("regional") => Ok(false),
        _ => Err(CredentialsError::new(
            ErrorKind::InvalidConfiguration,
            Service::Sts.name(),
            format!("{from} is neither regional nor legacy"),
        )),
    }
}

fn url(
    service: Service,
    env: &Env,
    set: &ProfileSet,
    profile: Option<&Profile>,
    overrides: Overrides<'_>,
) -> Result<Option<ConfiguredUrl>> {
    if let Some(url) = overrides.endpoint_url {
        return Ok(Some(ConfiguredUrl::new(url, "the caller")));
    }
    if overrides.ignore_configured_endpoint_urls {
        return Ok(None);
    }
    let urls = profile.map(|profile| ProfileUrls {
        profile: &profile.name,
        endpoint_url: profile.get("endpoint_url"),
        ignore_configured_endpoint_urls: profile.get("ignore_configured_endpoint_urls"),
        services: filled(Some(profile), "services").map(|(name, _)| {
            let section = set.services(name);
            ServicesSection {
                name,
                exists: section.is_some(),
                endpoint_url: section.and_then(|section| own_url(section, service)),
            }
        }),
    });
    configured_url(service, env, urls.as_ref())
}

// Keys match in any case, and the last of several wins, as at the top level.
fn own_url(section: &Profile, service: Service) -> Option<&str> {
    let of_service = section.sub_properties(service.services_key());
    let urls = of_service.filter(|(key, _)| key.eq_ignore_ascii_case("endpoint_url"));
    urls.last().map(|(_, url)| url)
}

fn filled<'a>(profile: Option<&'a Profile>, key: &str) -> Option<(&'a str, &'a Profile)> {
    let profile = profile?;
    let value = profile.get(key).filter(|value| !value.trim().is_empty())?;
    Some((value, profile))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::profile::FileKind;

    const CONFIG: &str = "\
[profile p]
region = eu-west-3
use_fips_endpoint = true
use_dualstack_endpoint = True
sts_regional_endpoints = legacy
endpoint_url = https://global.example
services = s
[profile empty]
region =
services =
[profile broken]
services = gone
[services s]
sts =
  endpoint_url = https://first.example
  Endpoint_URL = https://sts.example # ours
iam =
  other = 1
";

    fn set() -> ProfileSet {
        ProfileSet::parse(&[(FileKind::Config, Path::new("config"), CONFIG.as_bytes())]).unwrap()
    }

    fn read(
        service: Service,
        env: &[(&str, &str)],
        profile: &str,
        overrides: Overrides<'_>,
    ) -> Result<EndpointOptions> {
        let env = Env::from_pairs(env.iter().copied());
        EndpointOptions::with_overrides(service, &env, &set(), Some(profile), overrides)
    }

    fn region_of(env: &[(&str, &str)], given: Option<&str>) -> Option<String> {
        let overrides = Overrides { region: given, ..Overrides::default() };
        let found = read(Service::Sts, env, "p", overrides).unwrap().region;
        found.map(|region| region.to_string())
    }

    #[test]
    fn the_nearest_region_wins() {
        let both = [("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "eu-west-2")];
        assert_eq!(region_of(&both, Some("us-east-1")).as_deref(), Some("us-east-1"));
        assert_eq!(region_of(&both, None).as_deref(), Some("eu-west-1"));
        assert_eq!(region_of(&both[1..], None).as_deref(), Some("eu-west-2"));
        assert_eq!(region_of(&[("AWS_REGION", " ")], None).as_deref(), Some("eu-west-3"));
        let found = read(Service::Sts, &[], "empty", Overrides::default()).unwrap();
        assert_eq!(found, EndpointOptions::default());
    }

    #[test]
    fn a_bad_region_is_named_by_where_it_stands() {
        for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            let error =
                read(Service::Sts, &[(variable, "a/b")], "p", Overrides::default()).unwrap_err();
            assert!(error.message().starts_with(variable), "{error}");
        }
        let overrides = Overrides { region: Some(""), ..Overrides::default() };
        assert!(read(Service::Sts, &[], "p", overrides).is_err());
    }

    #[test]
    fn a_pseudo_region_becomes_region_and_fips() {
        let env = [("AWS_REGION", "fips-us-gov-west-1"), ("AWS_USE_FIPS_ENDPOINT", "false")];
        let found = read(Service::Sts, &env, "p", Overrides::default()).unwrap();
        assert_eq!((found.region.unwrap().as_str(), found.fips), ("us-gov-west-1", true));
    }

    #[test]
    fn switches_come_from_the_profile_unless_a_variable_says_otherwise() {
        let found = read(Service::Sts, &[], "p", Overrides::default()).unwrap();
        assert!(found.fips && found.dual_stack && found.sts_legacy_global);
        let env = [
            ("AWS_USE_FIPS_ENDPOINT", "false"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "false"),
            ("AWS_STS_REGIONAL_ENDPOINTS", "regional"),
        ];
        let found = read(Service::Sts, &env, "p", Overrides::default()).unwrap();
        assert!(!found.fips && !found.dual_stack && !found.sts_legacy_global);
    }

    #[test]
    fn a_switch_that_says_neither_is_an_error_and_stss_own_concerns_sts_only() {
        let env = [("AWS_STS_REGIONAL_ENDPOINTS", "global")];
        let error = read(Service::Sts, &env, "p", Overrides::default()).unwrap_err();
        assert!(error.message().contains("AWS_STS_REGIONAL_ENDPOINTS"), "{error}");
        assert!(!read(Service::Iam, &env, "p", Overrides::default()).unwrap().sts_legacy_global);
        let env = [("AWS_USE_FIPS_ENDPOINT", "1")];
        assert!(read(Service::Iam, &env, "p", Overrides::default()).is_err());
    }

    #[test]
    fn urls_are_found_per_service() {
        let url = |service, overrides| {
            let found = read(service, &[], "p", overrides).unwrap().url;
            found.map(|found| (found.url, found.from))
        };
        let (sts, from) = url(Service::Sts, Overrides::default()).unwrap();
        assert_eq!((sts.as_str(), from.as_str()), ("https://sts.example", "section [services s]"));
        let (iam, from) = url(Service::Iam, Overrides::default()).unwrap();
        assert_eq!(iam, "https://global.example");
        assert_eq!(from, "endpoint_url of profile p");
        let given = Overrides { endpoint_url: Some("http://given"), ..Overrides::default() };
        assert_eq!(url(Service::Sts, given).unwrap().0, "http://given");
        let ignoring = Overrides { ignore_configured_endpoint_urls: true, ..Overrides::default() };
        assert_eq!(url(Service::Sts, ignoring), None);
    }

    #[test]
    fn a_services_section_that_does_not_exist_is_an_error() {
        let error = read(Service::Sts, &[], "broken", Overrides::default()).unwrap_err();
        assert!(error.message().contains("[services gone]"), "{error}");
    }

    #[test]
    fn no_profile_or_one_that_does_not_exist_counts_as_empty() {
        let none = Env::from_pairs::<&str, &str>([]);
        for profile in [None, Some("nobody")] {
            let found = EndpointOptions::from(Service::Eks, &none, &set(), profile, None);
            assert_eq!(found.unwrap(), EndpointOptions::default());
        }
    }
}
