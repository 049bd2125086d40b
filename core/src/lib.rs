//! The ground of rolecall: credentials and errors, AWS profiles as data, plans, caches, endpoints,
//! and the seams to the outside.
//!
//! This crate speaks no AWS protocol. Sources and role hops that need one plug in above it.

#![warn(missing_docs)]

pub mod cache;
mod context;
mod credentials;
pub mod endpoint;
mod error;
mod fork;
pub mod http;
pub mod json;
mod per_process;
mod printable;
pub mod profile;
mod program;
mod provider;
mod secret;
mod secret_input;
mod service_error;
pub mod source;
pub mod timestamp;

#[cfg(all(unix, feature = "children"))]
pub use context::{Child, Signal, Signals};
pub use context::{
    Clock, Context, Echo, Env, FileFacts, FileLock, Fs, Interrupted, PathKind, Process,
    ProcessOutput, Prompt, Random, Replacement, Waited,
};
pub use credentials::Credentials;
pub use error::{CredentialsError, ErrorKind, Result};
pub use fork::{Whole, after_fork, before_fork, forked, forks};
pub use per_process::{Made, PerProcess};
pub use printable::printable;
pub use program::Program;
pub use provider::{Chain, ProvideCredentials, SharedProvider};
pub use secret::Secret;
pub use secret_input::SecretInput;
pub use service_error::ServiceError;
