use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::{PROVIDER, is_role_name};
use crate::profile::Profile;
use crate::{CredentialsError, Env, ErrorKind, Result};

const IPV4: &str = "http://169.254.169.254";
const IPV6: &str = "http://[fd00:ec2::254]";

/// How the metadata service is asked.
///
/// Source: AWS SDKs and Tools Reference Guide, "IMDS credential provider".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImdsSettings {
    /// Where it is.
    pub endpoint: ImdsEndpoint,
    /// It is not to be asked (`AWS_EC2_METADATA_DISABLED`).
    pub disabled: bool,
    /// It is not to be asked without a token (`AWS_EC2_METADATA_V1_DISABLED`,
    /// `ec2_metadata_v1_disabled`).
    pub v1_disabled: bool,
    /// How long one request may take (`AWS_METADATA_SERVICE_TIMEOUT`, `metadata_service_timeout`).
    pub timeout: Duration,
    /// How often a request is tried (`AWS_METADATA_SERVICE_NUM_ATTEMPTS`,
    /// `metadata_service_num_attempts`).
    pub attempts: u32,
    /// The instance's role, so that it need not be asked for (`AWS_EC2_INSTANCE_PROFILE_NAME`,
    /// `ec2_instance_profile_name`).
    pub role: Option<String>,
    /// Asks the extended API first, which also says the account
    /// (`AWS_ACCOUNT_ID_ENDPOINT_MODE`, `account_id_endpoint_mode`: `preferred` or `required`).
    ///
    /// Not by default: it costs a request where there is no such API, and a proxy that stands
    /// between containers and IMDS to swap the role hands what it does not know on to the real one,
    /// which would give the instance's role instead.
    pub extended: bool,
}

impl Default for ImdsSettings {
    fn default() -> Self {
        Self {
            endpoint: ImdsEndpoint(IPV4.to_owned()),
            disabled: false,
            v1_disabled: false,
            timeout: Duration::from_secs(1),
            attempts: 3,
            role: None,
            extended: false,
        }
    }
}

impl ImdsSettings {
    /// The settings of the environment, which win, and of `profile`.
    ///
    /// # Errors
    /// `InvalidConfiguration` for one that makes no sense, with its place.
    pub fn read(env: &Env, profile: Option<&Profile>) -> Result<Self> {
        let find = |variable: &str, key: &str| Setting::find(env, profile, variable, key);
        let default = Self::default();
        let endpoint = find("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint");
        let endpoint = match endpoint {
            Some(url) => ImdsEndpoint::parse(&url.text, &url.place)?,
            None => match find(
                "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
                "ec2_metadata_service_endpoint_mode",
            ) {
                Some(mode) => ImdsEndpoint::of_mode(&mode)?,
                None => default.endpoint,
            },
        };
        let v1_disabled = find("AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled");
        let role = match find("AWS_EC2_INSTANCE_PROFILE_NAME", "ec2_instance_profile_name") {
            Some(name) if !is_role_name(&name.text) => {
                return Err(name.invalid("is not the name of a role"));
            }
            name => name.map(|name| name.text),
        };
        let timeout = find("AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout");
        let attempts = find("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "metadata_service_num_attempts");
        let account_id = find("AWS_ACCOUNT_ID_ENDPOINT_MODE", "account_id_endpoint_mode");
        Ok(Self {
            endpoint,
            disabled: env.is_true("AWS_EC2_METADATA_DISABLED"),
            v1_disabled: v1_disabled.is_some_and(|value| value.is("true")),
            timeout: match timeout {
                None => default.timeout,
                Some(seconds) => {
                    let seconds = seconds.number(0.01..=60.0, "seconds from 0.01 to 60")?;
                    Duration::from_secs_f64(seconds)
                }
            },
            attempts: match attempts {
                None => default.attempts,
                Some(attempts) => attempts.number(1..=20, "a number from 1 to 20")?,
            },
            role,
            extended: account_id.is_some_and(|m| m.is("preferred") || m.is("required")),
        })
    }

    /// The URL of `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.endpoint)
    }
}

/// Where the metadata service is: a URL without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImdsEndpoint(String);

impl ImdsEndpoint {
    /// Reads a URL; `place` says where it is configured, for messages.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it is none, or holds more than scheme, host, port and path.
    pub fn parse(url: &str, place: &str) -> Result<Self> {
        let parsed = Url::parse(url.trim()).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.host().is_some()
                && (url.username(), url.password()) == ("", None)
                && (url.query(), url.fragment()) == (None, None)
        });
        // What it holds may be a password, so the error does not show it.
        let parsed = parsed.ok_or_else(|| {
            CredentialsError::new(
                ErrorKind::InvalidConfiguration,
                PROVIDER,
                format!("{place} is not the URL of a metadata service"),
            )
            .with_help(format!("write a URL such as {IPV4}, or leave it out"))
        })?;
        Ok(Self(parsed.as_str().trim_end_matches('/').to_owned()))
    }

    fn of_mode(mode: &Setting) -> Result<Self> {
        if mode.is("ipv4") {
            Ok(Self(IPV4.to_owned()))
        } else if mode.is("ipv6") {
            Ok(Self(IPV6.to_owned()))
        } else {
            Err(mode
                .invalid(&format!("is {:?}, which is no mode of the metadata service", mode.text))
                .with_help("write IPv4 or IPv6"))
        }
    }
}

impl fmt::Display for ImdsEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value, and where it was found.
struct Setting {
    text: String,
    place: String,
}

impl Setting {
    fn find(env: &Env, profile: Option<&Profile>, variable: &str, key: &str) -> Option<Self> {
        if let Some(text) = env.get(variable) {
            return Some(Self { text, place: variable.to_owned() });
        }
        let property = profile?.property(key).filter(|p| !p.text().trim().is_empty())?;
        let place = format!("{key} ({})", property.origin);
        Some(Self { text: property.text().to_owned(), place })
    }

    fn is(&self, value: &str) -> bool {
        self.text.trim().eq_ignore_ascii_case(value)
    }

    fn number<T: FromStr + PartialOrd>(
        &self,
        range: std::ops::RangeInclusive<T>,
        what: &str,
    ) -> Result<T> {
        let number = self.text.trim().parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| self.invalid(&format!("is {:?}, and not {what}", self.text)))
    }

    fn invalid(&self, what: &str) -> CredentialsError {
        let message = format!("{} {what}", self.place);
        CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{FileKind, ProfileSet};

    fn read(pairs: &[(&str, &str)], properties: &str) -> Result<ImdsSettings> {
        let text = format!("[default]\n{properties}");
        let file = (FileKind::Config, std::path::Path::new("/config"), text.as_bytes());
        let set = ProfileSet::parse(&[file]).unwrap();
        ImdsSettings::read(&Env::from_pairs(pairs.iter().copied()), set.get("default"))
    }

    #[test]
    fn every_setting_is_read_and_the_environment_wins() {
        let profile = "ec2_metadata_service_endpoint = http://profile:1/\n\
                       ec2_metadata_v1_disabled = true\nmetadata_service_timeout = 2\n\
                       metadata_service_num_attempts = 5\nec2_instance_profile_name = mine\n\
                       account_id_endpoint_mode = required\n";
        let found = read(&[], profile).unwrap();
        let expected = ImdsSettings {
            endpoint: ImdsEndpoint("http://profile:1".to_owned()),
            disabled: false,
            v1_disabled: true,
            timeout: Duration::from_secs(2),
            attempts: 5,
            role: Some("mine".to_owned()),
            extended: true,
        };
        assert_eq!(found, expected);
        let found = read(
            &[
                ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://env:2/proxy/"),
                ("AWS_EC2_METADATA_DISABLED", "TRUE"),
                ("AWS_EC2_METADATA_V1_DISABLED", "false"),
                ("AWS_METADATA_SERVICE_TIMEOUT", "0.5"),
                ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1"),
                ("AWS_EC2_INSTANCE_PROFILE_NAME", "theirs"),
                ("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled"),
            ],
            profile,
        )
        .unwrap();
        let expected = ImdsSettings {
            endpoint: ImdsEndpoint("http://env:2/proxy".to_owned()),
            disabled: true,
            v1_disabled: false,
            timeout: Duration::from_millis(500),
            attempts: 1,
            role: Some("theirs".to_owned()),
            extended: false,
        };
        assert_eq!(found, expected);
        assert_eq!(found.url("/latest"), "http://env:2/proxy/latest");
        assert_eq!(read(&[], "").unwrap(), ImdsSettings::default());
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_place() {
        for (pair, place) in [
            (("AWS_EC2_METADATA_SERVICE_ENDPOINT", "169.254.169.254"), "ENDPOINT"),
            (("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://me:hunter2@x"), "ENDPOINT"),
            (("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://x/?token=hunter2"), "ENDPOINT"),
            (("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv5"), "ENDPOINT_MODE"),
            (("AWS_METADATA_SERVICE_TIMEOUT", "NaN"), "TIMEOUT"),
            (("AWS_METADATA_SERVICE_TIMEOUT", "-1"), "TIMEOUT"),
            (("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "0"), "NUM_ATTEMPTS"),
            (("AWS_EC2_INSTANCE_PROFILE_NAME", "../token"), "INSTANCE_PROFILE_NAME"),
        ] {
            let error = read(&[pair], "").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.message().contains(place), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let error = read(&[], "metadata_service_timeout = soon").unwrap_err();
        assert!(error.message().contains("/config:2"), "{error}");
    }
}
