use std::sync::Arc;
use std::time::Duration;

use rolecall_core::cache::{Freshness, MemoryCache};
use rolecall_core::endpoint::Region;
use rolecall_core::profile::Plan;
use rolecall_core::{
    Context, Credentials, Prompt, ProvideCredentials, Result, SecretInput, SharedProvider,
};
use rolecall_sts::StsClient;

use crate::resolve;
use crate::setup::{Setup, StsSettings};

/// What a [`Session`] is for. The default is the default chain on this machine.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// A profile, used alone. `None`: the environment's keys, else the profile that `AWS_PROFILE`
    /// names, else what else is set up.
    pub profile: Option<String>,
    /// The region, above `AWS_REGION` and the profile's.
    pub region: Option<String>,
    /// The URL of STS, above `AWS_ENDPOINT_URL_STS` and the profile's.
    pub endpoint_url: Option<String>,
    /// Where an MFA code comes from; `None` asks the profile's `mfa_process`, else the terminal.
    pub mfa_code: Option<SecretInput>,
    /// Who is asked for MFA codes, above `mfa_code`: [`Prompt::from_fn`] takes a function of yours.
    pub prompt: Option<Prompt>,
    /// How long a program of a profile may take (`credential_process`, `mfa_process`,
    /// `saml_process`); `None` is 60 seconds.
    pub process_timeout: Option<Duration>,
    /// Leaves the cache in `~/.aws/cli/cache` alone.
    pub no_disk_cache: bool,
    /// The machine to look at; `None` is this one.
    pub context: Option<Context>,
    /// A provider of yours, which takes the place of all profiles as the source: a [`crate::Chain`]
    /// of several, for one. What it gives is kept in memory only.
    pub provider: Option<SharedProvider>,
    /// A certificate for IAM Roles Anywhere, which takes the place of all profiles as the source.
    #[cfg(feature = "roles-anywhere")]
    pub roles_anywhere: Option<crate::RolesAnywhereOptions>,
}

/// A client of STS without credentials, for the operations whose proof is among their parameters:
/// `assume_role_with_saml` and `assume_role_with_web_identity`.
///
/// # Errors
/// `InvalidConfiguration` without a region, or with one or an endpoint that makes no sense.
pub fn anonymous_sts(options: SessionOptions) -> Result<StsClient> {
    Setup::read(options)?.sts_client(None)
}

/// Credentials of one profile, or of the default chain, kept in memory and renewed in time.
///
/// Making one reads files and nothing else: no network, no program, no thread. It is cheap to
/// clone, and clones share the credentials.
#[derive(Clone, Debug)]
pub struct Session {
    context: Context,
    plan: Arc<Plan>,
    sts: Result<StsSettings>,
    provider: Arc<MemoryCache>,
}

impl Session {
    /// Reads the profile files and plans.
    ///
    /// # Errors
    /// `InvalidConfiguration` for what is wrong in files, variables or options, with the place;
    /// `NotConfigured` if nothing is set up.
    pub fn new(options: SessionOptions) -> Result<Self> {
        Self::of(Setup::read(options)?)
    }

    pub(crate) fn of(setup: Setup) -> Result<Self> {
        let plan = setup.plan.clone()?;
        let provider = resolve::provider(&setup, &plan)?;
        Ok(Self { provider, plan: Arc::new(plan), context: setup.context, sts: setup.sts })
    }

    /// Credentials that are good now.
    ///
    /// # Errors
    /// Whatever the source or AWS says, with what to do about it.
    pub async fn credentials(&self) -> Result<Credentials> {
        self.provider.provide_credentials().await
    }

    /// Credentials that are in memory and not due for renewal: no file is looked at, nobody is asked
    /// or waited for.
    pub fn credentials_in_memory(&self) -> Option<Credentials> {
        match self.provider.look() {
            Some((Freshness::Fresh, credentials)) => Some(credentials),
            _ => None,
        }
    }

    /// [`Self::credentials`] for code that is not asynchronous. What is in memory or in the shared
    /// cache is given at once, without a runtime.
    ///
    /// # Errors
    /// As [`Self::credentials`].
    ///
    /// # Panics
    /// Inside an asynchronous runtime, if it has to wait.
    pub fn credentials_blocking(&self) -> Result<Credentials> {
        match self.provider.ready() {
            Some(credentials) => Ok(credentials),
            None => crate::block_on(self.credentials())?,
        }
    }

    /// The session as a provider, for whatever takes one.
    pub fn provider(&self) -> SharedProvider {
        self.provider.clone()
    }

    /// What keeps the credentials.
    pub(crate) fn cache(&self) -> Arc<MemoryCache> {
        self.provider.clone()
    }

    /// A client of STS with this session's credentials, region and endpoint.
    ///
    /// # Errors
    /// `InvalidConfiguration` without a region, or with one or an endpoint that makes no sense.
    pub fn sts(&self) -> Result<StsClient> {
        self.sts_settings()?.client(&self.context, Some(self.provider()))
    }

    /// Where STS is.
    pub(crate) fn sts_settings(&self) -> Result<&StsSettings> {
        self.sts.as_ref().map_err(Clone::clone)
    }

    /// The region, if one is set.
    pub fn region(&self) -> Option<&Region> {
        self.sts.as_ref().ok()?.region.as_ref()
    }

    /// What will be run for credentials.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The machine it looks at.
    pub fn context(&self) -> &Context {
        &self.context
    }
}
