//! Sources of credentials that need no AWS protocol.

mod container;
mod endpoint_answer;
mod environment;
mod imds;
mod process;
mod profile_keys;

use async_trait::async_trait;

pub use container::{ContainerEndpoint, ContainerProvider};
pub use environment::EnvironmentProvider;
pub use imds::{ImdsEndpoint, ImdsProbe, ImdsProvider, ImdsSettings, probe_imds};
pub use process::ProcessProvider;
pub use profile_keys::{KEYS_REREAD_AFTER, ProfileKeysProvider};

use crate::{Credentials, ProvideCredentials, Result};

/// Credentials provide themselves: static keys need no provider of their own.
#[async_trait]
impl ProvideCredentials for Credentials {
    async fn provide_credentials(&self) -> Result<Credentials> {
        Ok(self.clone())
    }

    fn ready(&self) -> Option<Credentials> {
        Some(self.clone())
    }
}
