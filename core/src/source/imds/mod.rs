//! The metadata service of an EC2 instance (IMDS).
//!
//! Source: Amazon EC2 User Guide, "Use the Instance Metadata Service".

mod client;
mod failure;
mod hop_limit;
mod probe;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use client::Client;
use failure::Failure;
pub use probe::{ImdsProbe, probe_imds};
pub use settings::{ImdsEndpoint, ImdsSettings};

use super::endpoint_answer::EndpointAnswer;
use crate::http::Response;
use crate::{
    Context, Credentials, CredentialsError, ErrorKind, ProvideCredentials, Result, timestamp,
};

const PROVIDER: &str = "EC2 metadata";
const ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials/";
/// Its answers hold the account.
const EXTENDED_ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials-extended/";

/// With more time left than this, credentials are as good as new while the service is down.
const GOOD_FOR_NOW: Duration = Duration::from_secs(5 * 60);
/// How long ended credentials stay in use before the service is asked again; and up to twice that,
/// so that not all instances ask at once.
const EXTENSION: Duration = Duration::from_secs(5 * 60);

/// The credentials of the role of the EC2 instance that this runs on.
///
/// While the metadata service is down, the last credentials stay in use beyond their end, some
/// minutes at a time: AWS takes such credentials when an outage of its own is the reason.
#[derive(Debug)]
pub struct ImdsProvider {
    context: Context,
    client: Client,
    last: Mutex<Option<Credentials>>,
}

impl ImdsProvider {
    /// Asks the metadata service as `settings` say. Asks nothing yet.
    pub fn new(context: Context, settings: ImdsSettings) -> Self {
        let client = Client::new(context.clone(), settings);
        Self { context, client, last: Mutex::default() }
    }

    async fn fetch(&self) -> Result<Credentials, Failure> {
        if self.client.settings.extended {
            match fetch_below(&self.client, EXTENDED_ROLES_PATH).await {
                Ok(None) => tracing::debug!("the metadata service has no extended credentials"),
                Ok(Some(found)) => return Ok(found),
                Err(failure) => return Err(failure),
            }
        }
        fetch_below(&self.client, ROLES_PATH).await?.ok_or(Failure::NoRole)
    }

    /// The last credentials, if they are to stay in use although there are no new ones.
    fn last_resort(&self, failure: &Failure) -> Option<Credentials> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let last = last.filter(|_| failure.is_outage())?;
        match last.time_left(self.context.clock.now()) {
            Some(left) if left < GOOD_FOR_NOW => Some(self.extended(&last)),
            _ => Some(last),
        }
    }

    fn extended(&self, credentials: &Credentials) -> Credentials {
        let more = EXTENSION + self.context.random.up_to(EXTENSION);
        let until = self.context.clock.now() + more;
        let ended = credentials.expires_at().map(timestamp::format).unwrap_or_default();
        tracing::warn!(
            ended,
            until = timestamp::format(until),
            "the EC2 metadata service gives no new credentials; the old ones stay in use past their \
             end"
        );
        credentials.clone().with_expires_at(Some(until))
    }
}

#[async_trait]
impl ProvideCredentials for ImdsProvider {
    async fn provide_credentials(&self) -> Result<Credentials> {
        if self.client.settings.disabled {
            let message = "AWS_EC2_METADATA_DISABLED is true";
            return Err(CredentialsError::new(ErrorKind::NotConfigured, PROVIDER, message)
                .with_help("unset it where the instance's role is to be used"));
        }
        let failure = match self.fetch().await {
            Ok(found) => {
                let has_ended = found.time_left(self.context.clock.now()) == Some(Duration::ZERO);
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
                return Ok(if has_ended { self.extended(&found) } else { found });
            }
            Err(failure) => failure,
        };
        match self.last_resort(&failure) {
            Some(credentials) => {
                tracing::debug!(?failure, "the EC2 metadata service is down");
                Ok(credentials)
            }
            None => Err(failure.into_error(&self.client.settings)),
        }
    }
}

/// The credentials of the instance's role; `None` if there is no such API or no role.
async fn fetch_below(client: &Client, path: &str) -> Result<Option<Credentials>, Failure> {
    let role = match &client.settings.role {
        Some(role) => role.clone(),
        None => match client.get(path, read_role).await? {
            Some(role) => role,
            None => return Ok(None),
        },
    };
    let found = client.get(&format!("{path}{role}"), read_credentials).await?;
    found.transpose()
}

/// The first line is the role's name; there is no other.
fn read_role(answer: &Response) -> Result<String, String> {
    let text = std::str::from_utf8(answer.body()).unwrap_or_default();
    let name = text.lines().next().unwrap_or_default().trim();
    if !is_role_name(name) {
        return Err("what it gives is not the name of a role".to_owned());
    }
    Ok(name.to_owned())
}

/// Source: IAM API Reference, Role, RoleName.
fn is_role_name(name: &str) -> bool {
    let is_of = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let is_path = matches!(name, "." | "..");
    (1..=128).contains(&name.len()) && name.chars().all(is_of) && !is_path
}

/// The outer error is a nonsensical answer, worth another try; the inner one is a plain no.
fn read_credentials(answer: &Response) -> Result<Result<Credentials, Failure>, String> {
    let answer = EndpointAnswer::read(answer.body())?;
    if answer.code.as_deref().is_some_and(|code| code != "Success") {
        let complaint = answer.complaint(None).unwrap_or_default();
        return Ok(Err(Failure::Refused(complaint)));
    }
    let found = answer.credentials(PROVIDER)?;
    if found.expires_at().is_none() || found.session_token().is_none() {
        return Err("Token or Expiration is missing in its answer".to_owned());
    }
    Ok(Ok(found))
}
