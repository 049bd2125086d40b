//! An AWS on loopback that verifies what it is sent, for rolecall's tests.
//!
//! [`Kit::start`] serves a small [`World`] of accounts, users and roles on `127.0.0.1`. It checks
//! every signature with its own SigV4 and every parameter against AWS's tables, answers in AWS's
//! own words, and can be told to misbehave ([`Fault`]). STS and IAM share one address: a request's
//! `Version` tells them apart. IAM has AWS's limits, asks the caller's policies before it does
//! anything, and can be made to lag and to throttle ([`IamSettings`]). IAM Roles Anywhere
//! ([`rolesanywhere`]), IAM Identity Center and EKS answer at their paths on the same port, and below
//! `/k8s/` the API servers of EKS's clusters, which check tokens as EKS's webhook does.
//!
//! Beside it, on ports of their own, are the metadata service of an instance ([`Imds`]) and a
//! container's endpoint ([`Container`]). What it was asked is recorded ([`Kit::calls`]). Programs in
//! other languages reach the same things under `/_kit/` on the same port; see [`control`].
//!
//! ```
//! use rolecall_kit::{Kit, World};
//! let kit = Kit::start(World::default());
//! assert!(kit.url().starts_with("http://127.0.0.1:"));
//! assert_eq!(kit.count("GetCallerIdentity"), 0);
//! ```

mod caller;
mod calls;
mod chaos;
mod clock;
pub mod control;
mod doors;
mod eks;
mod error;
mod iam;
mod jwt;
mod kit;
mod metadata;
mod postgres;
mod principal;
mod query;
pub mod rolesanywhere;
mod saml;
mod secret;
mod server;
pub mod sigv4;
mod sso;
mod state;
mod sts;
mod tls;
mod world;
mod xml;

pub use calls::Call;
pub use chaos::{Fault, FaultRule};
pub use clock::{
    Clock, basic as basic_date, extended as extended_date, parse_basic as parse_basic_date,
};
pub use doors::{conformance, read_file, write_file};
pub use error::AwsError;
pub use iam::{ByHand, IamKey, IamSettings, IamUser, Lag, Rate};
pub use kit::{Kit, Options};
pub use postgres::Postgres;
pub use principal::{Principal, Session};
pub use secret::Secret;
pub use sso::SsoLogin;
pub use world::{
    AccessKey, Account, Attachment, Container, EksCluster, Group, Hints, Imds, ImdsTokens,
    LastUsed, LoginProfile, ManagedPolicy, MfaDevice, OidcProvider, Policies, Quotas, Role,
    RoleIam, RolesAnywhereProfile, SamlProvider, SsoAssignment, SsoUser, Trust, TrustAnchor,
    UnassignedMfa, User, UserIam, WebTrust, World, names,
};
