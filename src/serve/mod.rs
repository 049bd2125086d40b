//! Credentials over HTTP on loopback, as EC2 instances and ECS containers get them, so that any SDK
//! uses any profile.
//!
//! [`Server`] speaks IMDSv2 and the container endpoint on one port. [`exec`](run_command) runs one
//! command on a server of its own.
//!
//! | request | answer |
//! | --- | --- |
//! | `PUT /latest/api/token` | a token for the requests below |
//! | `GET /latest/meta-data/iam/security-credentials/` | the first profile's role |
//! | `GET /latest/meta-data/iam/security-credentials/ROLE` | credentials |
//! | `GET /latest/meta-data/placement/region`, `…/availability-zone`, `GET /latest/dynamic/instance-identity/document` | the first profile's region |
//! | `GET /creds`, `GET /creds/PROFILE` | credentials, for who knows the authorization token |
//!
//! Only loopback is listened on, and only requests that name it in `Host` are answered: a page in a
//! browser cannot get here by making its own name resolve to loopback.

mod announcement;
mod answer;
mod command;
mod connection;
mod gate;
mod imds;
#[cfg(feature = "leases")]
mod metrics;
mod profile;
mod router;
mod server;
#[cfg(test)]
mod testing;
mod token;
mod token_file;

pub use announcement::Announcement;
pub use command::run_command;
#[cfg(feature = "leases")]
pub use metrics::MetricsServer;
pub use profile::ServedProfile;
pub use server::{Server, stop_signal};
pub use token::random_token;
pub use token_file::TokenFile;

use rolecall_core::Secret;

/// How a [`Server`] serves. The default is what `aws_signing_helper serve` does: IMDS on port 9911.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The same port on `[::1]` too.
    pub ipv6: bool,
    /// How many machines an answer may pass: 1 keeps it out of containers with a network of their
    /// own.
    pub hop_limit: u8,
    /// Whether EC2's metadata service is served. It is open to every program of the machine.
    pub imds: bool,
    /// The authorization token of the container endpoint; without one it is not served.
    pub authorization: Option<Secret>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { port: 9911, ipv6: false, hop_limit: 64, imds: true, authorization: None }
    }
}
