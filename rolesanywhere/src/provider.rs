use async_trait::async_trait;
use rolecall_core::endpoint::Endpoint;
use rolecall_core::http::RetryPolicy;
use rolecall_core::{Context, Credentials, ProvideCredentials, Result};

use crate::create_session::{Session, create_session};
use crate::{Identity, IdentityReader, IdentitySource, RolesAnywhere};

/// Credentials from Roles Anywhere. Keeps no session: core's caches go around it.
///
/// ```no_run
/// use rolecall_core::{Context, ProvideCredentials, endpoint::EndpointOptions};
/// use rolecall_rolesanywhere::{IdentitySource, RolesAnywhere, RolesAnywhereProvider};
/// # async fn run() -> rolecall_core::Result<()> {
/// let request = RolesAnywhere {
///     trust_anchor_arn: "arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/…".to_owned(),
///     profile_arn: "arn:aws:rolesanywhere:eu-west-1:123456789012:profile/…".to_owned(),
///     role_arn: "arn:aws:iam::123456789012:role/backup".to_owned(),
///     ..RolesAnywhere::default()
/// };
/// let source = IdentitySource {
///     certificate: Some(IdentitySource::locate("client.pem")),
///     private_key: Some(IdentitySource::locate("client.key")),
///     ..IdentitySource::default()
/// };
/// let endpoint = request.endpoint(&EndpointOptions::default())?;
/// let provider = RolesAnywhereProvider::new(Context::real(), endpoint, source, request);
/// println!("{}", provider.provide_credentials().await?.access_key_id());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RolesAnywhereProvider {
    context: Context,
    endpoint: Endpoint,
    identity: Source,
    request: RolesAnywhere,
    /// How often the call is tried.
    pub retry: RetryPolicy,
}

#[derive(Debug)]
enum Source {
    Fixed(Identity),
    Read(Box<IdentityReader>),
}

impl RolesAnywhereProvider {
    /// Asks `endpoint` ([`RolesAnywhere::endpoint`]) with what `source` names, which is read at each
    /// call. Reads and asks nothing yet.
    pub fn new(
        context: Context,
        endpoint: Endpoint,
        source: IdentitySource,
        request: RolesAnywhere,
    ) -> Self {
        let reader = Box::new(IdentityReader::new(context.clone(), source));
        let (identity, retry) = (Source::Read(reader), RetryPolicy::default());
        Self { context, endpoint, identity, request, retry }
    }

    /// The same with an identity that is at hand, as one with a signer of yours.
    pub fn with_identity(
        context: Context,
        endpoint: Endpoint,
        identity: Identity,
        request: RolesAnywhere,
    ) -> Self {
        let (identity, retry) = (Source::Fixed(identity), RetryPolicy::default());
        Self { context, endpoint, identity, request, retry }
    }

    /// What is asked for.
    pub fn request(&self) -> &RolesAnywhere {
        &self.request
    }

    /// The identity as it is now.
    ///
    /// # Errors
    /// As [`IdentityReader::identity`].
    pub async fn identity(&self) -> Result<Identity> {
        match &self.identity {
            Source::Fixed(identity) => Ok(identity.clone()),
            Source::Read(reader) => reader.identity().await,
        }
    }

    /// Checks request and identity, and gets a session.
    ///
    /// # Errors
    /// Those of [`RolesAnywhere::check`], [`IdentityReader::identity`], [`Identity::check`] and
    /// [`create_session`].
    pub async fn create_session(&self) -> Result<Session> {
        self.request.check()?;
        let identity = self.identity().await?;
        let now = self.context.clock.now();
        identity.check(now)?;
        if let Some(soon) = identity.leaf().ends_soon(now) {
            tracing::warn!("{soon}");
        }
        if let Some(oddity) = self.request.oddity() {
            tracing::warn!("{oddity}");
        }
        create_session(&self.context, self.retry, &self.endpoint, &identity, &self.request).await
    }

    /// A text that tells sessions apart in a cache, and needs no key, PIN or network: where it is
    /// asked for, who asks ([`IdentityReader::cache_identity`]) and for what. `None` if who asks
    /// cannot be told beforehand: such a session is not to be cached.
    pub fn cache_identity(&self) -> Option<String> {
        let request = &self.request;
        let identity = match &self.identity {
            Source::Fixed(identity) => hex::encode(ring::digest::digest(
                &ring::digest::SHA256,
                &identity.leaf().holder().concat(),
            )),
            Source::Read(reader) => reader.cache_identity()?,
        };
        let properties = request.instance_properties.iter();
        let properties: Vec<String> =
            properties.map(|(name, value)| format!("{name:?}={value:?}")).collect();
        let parts = [
            self.endpoint.url.as_str(),
            &self.endpoint.signing_region,
            &request.trust_anchor_arn,
            &request.profile_arn,
            &request.role_arn,
            &request.duration().to_string(),
            request.role_session_name.as_deref().unwrap_or_default(),
            &properties.join(","),
            &identity,
        ];
        Some(parts.join("\n"))
    }
}

#[async_trait]
impl ProvideCredentials for RolesAnywhereProvider {
    async fn provide_credentials(&self) -> Result<Credentials> {
        Ok(self.create_session().await?.credentials)
    }
}

#[cfg(test)]
mod tests;
