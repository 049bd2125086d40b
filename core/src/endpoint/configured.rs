use std::fmt;

use url::Url;

use super::service::Service;
use crate::context::Env;
use crate::error::{CredentialsError, ErrorKind, Result};

/// A URL that a user gave instead of the service's own. Not yet looked at: [`super::resolve`]
/// does that.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfiguredUrl {
    /// The text as it stood.
    pub url: String,
    /// Where it stood, for errors and `explain`: `AWS_ENDPOINT_URL_STS`, `section [services x]`,
    /// `endpoint_url of profile p`.
    pub from: String,
}

impl ConfiguredUrl {
    /// A URL and where it came from.
    pub fn new(url: impl Into<String>, from: impl Into<String>) -> Self {
        Self { url: url.into(), from: from.into() }
    }

    /// The URL in its normal form without a slash at its end, so that a path may follow.
    ///
    /// Errors never show the text: it may hold a password.
    pub(super) fn base(&self, service: Service) -> Result<String> {
        let refuse = |fault: &str| {
            let message = format!("the endpoint URL from {} {fault}", self.from);
            CredentialsError::new(ErrorKind::InvalidConfiguration, service.name(), message)
                .with_help("write it as in https://host:port")
        };
        // The parser forgives what would send a request elsewhere than a reader expects: line
        // ends, tabs and spaces dropped, `\` for `/`, `https:host`.
        if self.url.contains(|c: char| c == '\\' || c.is_whitespace() || c.is_control()) {
            return Err(refuse("holds white space, a control character or a backslash"));
        }
        let (scheme, rest) = self.url.split_once("://").unwrap_or_default();
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(refuse("does not start with http:// or https://"));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.is_empty() {
            return Err(refuse("names no host"));
        }
        if authority.contains('@') {
            return Err(refuse("holds a user name or password"));
        }
        let url = Url::parse(&self.url).map_err(|fault| refuse(&format!("is wrong: {fault}")))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("holds a query or fragment"));
        }
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }
}

impl fmt::Debug for ConfiguredUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // User info, which is refused later, may hold a password.
        let url = if self.url.contains('@') { "[redacted]" } else { &self.url };
        f.debug_struct("ConfiguredUrl").field("url", &url).field("from", &self.from).finish()
    }
}

/// What a profile says about endpoint URLs, already looked up.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProfileUrls<'a> {
    /// The profile's name, for messages.
    pub profile: &'a str,
    /// Its `endpoint_url`.
    pub endpoint_url: Option<&'a str>,
    /// Its `ignore_configured_endpoint_urls`.
    pub ignore_configured_endpoint_urls: Option<&'a str>,
    /// The section its `services` names.
    pub services: Option<ServicesSection<'a>>,
}

/// A `[services <name>]` section as one service sees it.
#[derive(Clone, Copy, Debug)]
pub struct ServicesSection<'a> {
    /// The name, as the profile has it.
    pub name: &'a str,
    /// Whether there is such a section.
    pub exists: bool,
    /// `endpoint_url` under the service's key.
    pub endpoint_url: Option<&'a str>,
}

/// The URL that environment or profile give for `service`, by the precedence of the AWS SDKs:
/// nothing where the ignore switch is on (its variable beats its key), else
/// `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, the `services` section, `endpoint_url`.
///
/// A `services` key that names no section is an error, as in botocore: requests meant for another
/// host must not go to AWS.
pub fn configured_url(
    service: Service,
    env: &Env,
    profile: Option<&ProfileUrls<'_>>,
) -> Result<Option<ConfiguredUrl>> {
    if ignored(env, profile)? {
        return Ok(None);
    }
    for name in [&format!("AWS_ENDPOINT_URL_{}", service.env_suffix()), "AWS_ENDPOINT_URL"] {
        if let Some(url) = env.get(name) {
            return Ok(Some(ConfiguredUrl::new(url, name)));
        }
    }
    let Some(profile) = profile else { return Ok(None) };
    if let Some(section) = profile.services {
        if !section.exists {
            let message = format!(
                "`services` of profile {} names the section [services {}], which does not exist",
                profile.profile, section.name
            );
            return Err(CredentialsError::new(
                ErrorKind::InvalidConfiguration,
                service.name(),
                message,
            ));
        }
        if let Some(url) = set(section.endpoint_url) {
            let from = format!("section [services {}]", section.name);
            return Ok(Some(ConfiguredUrl::new(url, from)));
        }
    }
    Ok(set(profile.endpoint_url)
        .map(|url| ConfiguredUrl::new(url, format!("endpoint_url of profile {}", profile.profile))))
}

// Blank counts as unset, as in the environment.
fn set(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.trim().is_empty())
}

fn ignored(env: &Env, profile: Option<&ProfileUrls<'_>>) -> Result<bool> {
    let key = "ignore_configured_endpoint_urls";
    let found = profile
        .and_then(|profile| Some((profile.ignore_configured_endpoint_urls?, profile.profile)));
    Ok(switch(env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", key, found)?.unwrap_or(false))
}

/// A switch of the SDKs: the variable, else the profile's key with the profile's name. Anything
/// but `true` and `false` is an error: a wish for FIPS must not get lost over a `yes`.
pub(super) fn switch(
    env: &Env,
    variable: &str,
    key: &str,
    in_profile: Option<(&str, &str)>,
) -> Result<Option<bool>> {
    let (value, from) = match (env.get(variable), in_profile) {
        (Some(value), _) => (value, variable.to_owned()),
        (None, Some((value, profile))) if !value.trim().is_empty() => {
            (value.to_owned(), format!("{key} of profile {profile}"))
        }
        _ => return Ok(None),
    };
    match value.trim() {
        value if value.eq_ignore_ascii_case("true") => Ok(Some(true)),
        value if value.eq_ignore_ascii_case("false") => Ok(Some(false)),
        _ => Err(CredentialsError::new(
            ErrorKind::InvalidConfiguration,
            "endpoint",
            format!("{from} is neither true nor false"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> Result<String> {
        ConfiguredUrl::new(url, "AWS_ENDPOINT_URL_STS").base(Service::Sts)
    }

    #[test]
    fn good_urls_end_without_a_slash() {
        for (url, want) in [
            ("https://example.com", "https://example.com"),
            ("https://example.com/", "https://example.com"),
            ("HTTPS://Example.COM:443//", "https://example.com"),
            ("http://localhost:4566/aws/", "http://localhost:4566/aws"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://127.0.0.1:1/a@b", "http://127.0.0.1:1/a@b"),
        ] {
            assert_eq!(base(url).unwrap(), want, "{url}");
        }
    }

    #[test]
    fn hostile_urls_are_refused_by_name_and_not_shown() {
        for url in [
            "hunter2.example.com",
            "hunter2:4566",
            "//hunter2",
            "file:///etc/hunter2",
            "ftp://hunter2",
            "javascript://hunter2/%0aalert(1)",
            "https:hunter2",
            "https:/hunter2",
            "https:///hunter2",
            "https://",
            "https://?hunter2",
            "https:\\\\hunter2",
            "https://hunter2\\evil",
            "https://example.com\\@hunter2",
            "https://me:hunter2@example.com",
            "https://hunter2@example.com",
            "https://@hunter2",
            "https://hunter2/?",
            "https://hunter2?x=1",
            "https://hunter2#",
            "https://hunter2/#x",
            "https://hunter2\n.evil.tld",
            "https://hunter2/a b",
            " https://hunter2",
            "https://hunter2:99999",
            "https://[hunter2]",
            "https://hunter2%2fevil",
        ] {
            let error = base(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{url}");
            assert!(error.message().contains("AWS_ENDPOINT_URL_STS"), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let shown = format!("{:?}", ConfiguredUrl::new("https://me:hunter2@x", "AWS_ENDPOINT_URL"));
        assert!(!shown.contains("hunter2") && shown.contains("AWS_ENDPOINT_URL"), "{shown}");
    }

    fn found(env: &[(&str, &str)], profile: &ProfileUrls<'_>) -> Option<(String, String)> {
        let env = Env::from_pairs(env.iter().copied());
        let found = configured_url(Service::SsoOidc, &env, Some(profile)).unwrap();
        found.map(|found| (found.url, found.from))
    }

    #[test]
    fn each_place_is_named_and_the_nearest_wins() {
        let services = ServicesSection { name: "s", exists: true, endpoint_url: Some("3") };
        let mut profile = ProfileUrls {
            profile: "p",
            endpoint_url: Some("4"),
            services: Some(services),
            ..ProfileUrls::default()
        };
        let mut env = vec![("AWS_ENDPOINT_URL_SSO_OIDC", "1"), ("AWS_ENDPOINT_URL", "2")];
        let want = |url: &str, from: &str| Some((url.to_owned(), from.to_owned()));
        assert_eq!(found(&env, &profile), want("1", "AWS_ENDPOINT_URL_SSO_OIDC"));
        env.remove(0);
        assert_eq!(found(&env, &profile), want("2", "AWS_ENDPOINT_URL"));
        env.remove(0);
        assert_eq!(found(&env, &profile), want("3", "section [services s]"));
        profile.services = Some(ServicesSection { endpoint_url: Some(" "), ..services });
        assert_eq!(found(&env, &profile), want("4", "endpoint_url of profile p"));
        profile.endpoint_url = None;
        assert_eq!(found(&env, &profile), None);
    }

    #[test]
    fn another_services_variable_is_not_taken() {
        assert_eq!(found(&[("AWS_ENDPOINT_URL_SSO", "1")], &ProfileUrls::default()), None);
    }

    #[test]
    fn the_ignore_variable_beats_the_ignore_key() {
        let profile = ProfileUrls {
            profile: "p",
            endpoint_url: Some("4"),
            ignore_configured_endpoint_urls: Some("true"),
            ..ProfileUrls::default()
        };
        assert_eq!(found(&[("AWS_ENDPOINT_URL", "2")], &profile), None);
        let env = [("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false")];
        assert_eq!(found(&env, &profile).unwrap().0, "4");
    }

    #[test]
    fn a_services_section_that_does_not_exist_is_an_error_unless_the_environment_decides() {
        let services = ServicesSection { name: "gone", exists: false, endpoint_url: None };
        let profile = ProfileUrls {
            profile: "p",
            endpoint_url: Some("4"),
            services: Some(services),
            ..ProfileUrls::default()
        };
        let none = Env::from_pairs::<&str, &str>([]);
        let error = configured_url(Service::Sts, &none, Some(&profile)).unwrap_err();
        assert!(error.message().contains("[services gone]"), "{error}");
        assert_eq!(found(&[("AWS_ENDPOINT_URL", "2")], &profile).unwrap().0, "2");
    }

    #[test]
    fn a_switch_is_true_or_false_and_nothing_else() {
        let env = |value: &str| Env::from_pairs([("V", value)]);
        let of = |value: &str| switch(&env(value), "V", "k", Some(("true", "p")));
        assert_eq!(of("FALSE").unwrap(), Some(false));
        assert_eq!(of("").unwrap(), Some(true));
        assert!(of("yes").unwrap_err().message().contains("V "));
        let error = switch(&env(""), "V", "k", Some(("1", "p"))).unwrap_err();
        assert!(error.message().contains("k of profile p"), "{error}");
        assert_eq!(switch(&env(""), "V", "k", Some((" ", "p"))).unwrap(), None);
    }
}
