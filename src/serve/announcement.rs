use std::fmt;

use rolecall_core::printable;
use serde_json::{Value, json};

use super::TokenFile;
use super::profile::ServedProfile;

pub(super) const IMDS_ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
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

/// Lines for people, which a shell takes too.
impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, profile) in self.profiles.iter().enumerate() {
            writeln!(f, "# profile {}", printable(&profile.name, 200))?;
            match &self.imds_endpoint {
                Some(endpoint) if number == 0 => writeln!(f, "export {IMDS_ENDPOINT}={endpoint}")?,
                _ => {}
            }
            if let Some(uri) = &profile.container_uri {
                writeln!(f, "export {CONTAINER_URI}={uri}")?;
                if let Some(file) = &self.token_file {
                    let mut quoted = String::new();
                    crate::export::push_posix(&mut quoted, file);
                    writeln!(f, "export {CONTAINER_TOKEN_FILE}={quoted}")?;
                }
            }
        }
        Ok(())
    }
}

pub(super) fn container_uri(port: u16, profile: &ServedProfile) -> String {
    format!("http://127.0.0.1:{port}/creds/{}", ServedProfile::in_path(profile.name()))
}
