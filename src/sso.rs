//! IAM Identity Center: from a plan's source to its provider.

use std::time::Duration;

use rolecall_core::endpoint::Service;
use rolecall_core::profile::{Source, aws_folder};
use rolecall_core::{CredentialsError, ErrorKind, Result};
use rolecall_sts::{Sso, SsoEndpoints, SsoProvider};

use crate::setup::Setup;

/// The longest that a permission set allows.
pub(crate) const LONGEST_SESSION: Duration = Duration::from_secs(43_200);

/// The role that `source` names, if it is one of IAM Identity Center's with all that it needs.
pub(crate) fn role(source: &Source) -> Option<Sso> {
    match source {
        Source::Sso {
            profile,
            session,
            start_url,
            account_id: Some(account_id),
            role_name: Some(role_name),
            ..
        } => Some(Sso {
            profile: profile.clone(),
            session: session.clone(),
            start_url: start_url.clone(),
            account_id: account_id.clone(),
            role_name: role_name.clone(),
        }),
        _ => None,
    }
}

/// Where its services are: in the region of the directory, whatever the profile's is.
pub(crate) fn endpoints(setup: &Setup, source: &Source) -> Result<SsoEndpoints> {
    let region = match source {
        Source::Sso { region, .. } => region.as_str(),
        _ => return Err(internal("the source is not of IAM Identity Center")),
    };
    Ok(SsoEndpoints {
        portal: setup.endpoint(Service::Sso, region)?.url,
        oidc: setup.endpoint(Service::SsoOidc, region)?.url,
    })
}

/// The provider of `source`'s credentials.
pub(crate) fn provider(setup: &Setup, source: &Source) -> Result<SsoProvider> {
    let sso = role(source).ok_or_else(|| internal("the source has no account and role"))?;
    let Some(folder) = aws_folder(&setup.context.env) else {
        let message = "HOME is not set";
        return Err(CredentialsError::new(ErrorKind::InvalidConfiguration, "SSO token", message)
            .with_help("the token of a sign-in lies in ~/.aws/sso/cache"));
    };
    let endpoints = endpoints(setup, source)?;
    let mut provider = SsoProvider::new(setup.context.clone(), endpoints, &folder, sso);
    provider.retry = setup.retry()?;
    Ok(provider)
}

fn internal(message: &str) -> CredentialsError {
    CredentialsError::new(ErrorKind::Internal, "plan", message)
}
