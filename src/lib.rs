//! Short-lived AWS credentials for any profile.
//!
//! A [`Session`] reads `~/.aws/config` as the AWS SDKs do and gives [`Credentials`]: of static keys, the
//! environment, programs, role chains, web identity, SAML, IAM Identity Center, EC2 instances and
//! containers. [`Explanation`] says what it would do, and what is wrong, without a network.
//!
//! ```no_run
//! use rolecall::{Session, SessionOptions};
//!
//! # async fn example() -> rolecall::Result<()> {
//! let options = SessionOptions { profile: Some("deploy".into()), ..SessionOptions::default() };
//! let session = Session::new(options)?;
//! let credentials = session.credentials().await?;
//! let identity = session.sts()?.get_caller_identity().await?;
//! println!("{} until {:?}", identity.arn, credentials.expires_at());
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

mod blocking;
mod cached;
pub mod configure;
pub mod doctor;
#[cfg(feature = "eks")]
pub mod eks;
pub mod exec;
mod explain;
pub mod export;
mod given;
pub mod identity;
#[cfg(all(unix, feature = "leases"))]
pub mod leases;
mod mfa;
mod not_yet;
mod profiles;
mod resolve;
#[cfg(feature = "roles-anywhere")]
mod roles_anywhere;
#[cfg(all(unix, feature = "serve"))]
pub mod serve;
mod session;
mod setup;
mod sso;
pub mod update;

pub use blocking::{Blocking, Waiting, block_on};
pub use cached::{cached_credentials, cached_credentials_json, clear_cached_credentials};
pub use doctor::{Diagnosis, diagnose};
pub use explain::Explanation;
pub use profiles::profiles_json;
pub use rolecall_core as core;
pub use rolecall_core::endpoint::Region;
pub use rolecall_core::profile::ProfileSet;
pub use rolecall_core::{
    Chain, Context, Credentials, CredentialsError, ErrorKind, Made, PerProcess, Prompt,
    ProvideCredentials, Result, Secret, SecretInput, SharedProvider, after_fork, before_fork,
    forked, forks, printable, timestamp,
};
#[cfg(feature = "roles-anywhere")]
pub use rolecall_rolesanywhere as rolesanywhere;
pub use rolecall_sts as sts;
#[cfg(feature = "roles-anywhere")]
pub use roles_anywhere::{Asker, RolesAnywhereOptions};
pub use session::{Session, SessionOptions, anonymous_sts};
