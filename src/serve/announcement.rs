use std::fmt;

use rolecall_core::printable;
use serde_json::{Value, json};

use super::TokenFile;
use super::profile::ServedProfile;

pub(super) const IMDS_ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
const IMDS_ROLE: &str = "AWS_EC2_INSTANCE_PROFILE_NAME";
pub(super) const CONTAINER_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
pub(super) const CONTAINER_TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const CONTAINER_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// What to set so that SDKs ask a [`Server`](super::Server). Holds no secret.
#[derive(Clone, Debug)]
pub struct Announcement {
    port: u16,
    imds_endpoint: Option<String>,
    token_file: Option<String>,
    profiles: Vec<Announced>,
}

#[derive(Clone, Debug)]
struct Announced {
    name: String,
    /// What it is, for people.
    title: String,
    role_name: String,
    container_uri: Option<String>,
}

impl Announcement {
    pub(super) fn new(
        port: u16,
        profiles: &[ServedProfile],
        imds: bool,
        container: bool,
        token_file: Option<&TokenFile>,
    ) -> Self {
        let announced = profiles.iter().map(|profile| Announced {
            name: profile.name().to_owned(),
            title: profile.title(),
            // What IMDS answers to: roles of one name are told apart by their profiles.
            role_name: match ServedProfile::named(profiles, profile.role_name()) {
                Some(found) if found.name() == profile.name() => profile.role_name(),
                _ => profile.name(),
            }
            .to_owned(),
            container_uri: container.then(|| container_uri(port, profile)),
        });
        Self {
            port,
            imds_endpoint: imds.then(|| format!("http://127.0.0.1:{port}/")),
            token_file: token_file.map(|file| file.path().display().to_string()),
            profiles: announced.collect(),
        }
    }

    /// As JSON: the variables by the name of the endpoint they belong to.
    pub fn to_json(&self) -> Value {
        let imds = self.imds_endpoint.as_ref().map(|endpoint| json!({IMDS_ENDPOINT: endpoint}));
        let profiles = self.profiles.iter().map(|profile| {
            let container = profile
                .container_uri
                .as_ref()
                .map(|uri| json!({CONTAINER_URI: uri, CONTAINER_TOKEN_FILE: self.token_file}));
            json!({"profile": profile.name, "role": profile.role_name, "container": container})
        });
        json!({"port": self.port, "imds": imds, "profiles": profiles.collect::<Vec<_>>()})
    }
}

/// Lines for people, which a shell takes too: it gets the first profile. What stands for another is
/// a comment, as variables of one name would replace each other.
impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, profile) in self.profiles.iter().enumerate() {
            let title = printable(&profile.title, 200);
            let export = match number {
                0 => {
                    writeln!(f, "# {title}")?;
                    "export"
                }
                _ => {
                    writeln!(f, "# for {title} instead:")?;
                    "#   export"
                }
            };
            match &self.imds_endpoint {
                Some(endpoint) if number == 0 => writeln!(f, "export {IMDS_ENDPOINT}={endpoint}")?,
                // The role that SDKs otherwise ask for is the first profile's.
                Some(_) => {
                    let role = posix(&printable(&profile.role_name, 200));
                    writeln!(f, "{export} {IMDS_ROLE}={role}")?;
                }
                None => {}
            }
            if let Some(uri) = &profile.container_uri {
                writeln!(f, "{export} {CONTAINER_URI}={uri}")?;
            }
            if number == 0
                && let (Some(_), Some(file)) = (&profile.container_uri, &self.token_file)
            {
                writeln!(f, "export {CONTAINER_TOKEN_FILE}={}", posix(file))?;
            }
        }
        Ok(())
    }
}

/// A value as a shell reads it.
fn posix(value: &str) -> String {
    let mut quoted = String::new();
    crate::export::push_posix(&mut quoted, value);
    quoted
}

pub(super) fn container_uri(port: u16, profile: &ServedProfile) -> String {
    format!("http://127.0.0.1:{port}/creds/{}", ServedProfile::in_path(profile.name()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{context, profiles};
    use super::*;

    fn lines(imds: bool, container: bool) -> Vec<String> {
        let announcement = Announcement::new(9911, &profiles(&context()), imds, container, None);
        announcement.to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_shell_gets_the_first_profile_and_people_see_how_to_get_the_others() {
        assert_eq!(
            lines(true, true)[..6],
            [
                "# profile deploy",
                "export AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:9911/",
                "export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9911/creds/deploy",
                "# for profile plain one instead:",
                "#   export AWS_EC2_INSTANCE_PROFILE_NAME='plain one'",
                "#   export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9911/creds/plain%20one",
            ]
        );
        for (imds, container) in [(true, true), (true, false), (false, true)] {
            let lines = lines(imds, container);
            let exports = lines.iter().filter(|line| line.starts_with("export "));
            assert_eq!(exports.count(), usize::from(imds) + usize::from(container));
            // No profile is without a way to it.
            assert_eq!(lines.iter().filter(|line| line.starts_with("# for profile")).count(), 2);
            assert!(lines.last().unwrap().starts_with("#   export "));
        }
    }
}
