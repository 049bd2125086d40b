//! Amazon EKS: tokens for clusters, and their entries in kubeconfig files.
//!
//! ```no_run
//! use rolecall::{SessionOptions, eks};
//!
//! # async fn example() -> rolecall::Result<()> {
//! let session = eks::session(SessionOptions::default(), None)?;
//! let token = eks::token(&session, "prod").await?;
//! println!("good until {:?}", token.expires_at);
//! # Ok(())
//! # }
//! ```

mod exec_credential;
mod input;
mod kubeconfig;
mod token;
mod update;

pub use exec_credential::{ExecApi, exec_credential};
pub use input::read_update_kubeconfig;
pub use token::{ClusterToken, Role, session, token, token_blocking};
pub use update::{ExecCommand, KubeconfigUpdate, UpdateKubeconfig};
