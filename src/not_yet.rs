//! Sources that this version plans but cannot run.

use async_trait::async_trait;
use rolecall_core::profile::{Plan, Source};
use rolecall_core::{Credentials, CredentialsError, ErrorKind, ProvideCredentials, Result};

/// Stands for such a source: credentials of the roles after it may still be in the shared cache.
#[derive(Debug)]
pub(crate) struct NotYet(pub(crate) CredentialsError);

#[async_trait]
impl ProvideCredentials for NotYet {
    async fn provide_credentials(&self) -> Result<Credentials> {
        Err(self.0.clone())
    }
}

/// Why the source of `plan` cannot be run; `None` if it can.
pub(crate) fn missing_source(plan: &Plan) -> Option<CredentialsError> {
    let configured = |provider: String, message: &str, help: String| {
        CredentialsError::new(ErrorKind::InvalidConfiguration, provider, message).with_help(help)
    };
    let of_profile = |profile: &str, message: &str| {
        let help = format!(
            "until it does, AWS CLI v2 can stand in: give another profile the line \
             `credential_process = aws configure export-credentials --profile {profile}`"
        );
        configured(format!("profile {profile}"), message, help)
    };
    Some(match &plan.source {
        Source::LoginSession { profile, origin, .. } => {
            of_profile(profile, "it uses a session of `aws login`, which this version cannot read")
                .with_place(format!("profile {profile} ({origin})"))
        }
        _ => return None,
    })
}
