//! AWS STS, and what is needed to speak to it: SigV4, the Query protocol, role hops and web
//! identity; and IAM Identity Center (SSO).
//!
//! - [`StsClient`] has a method for each operation of STS. Inputs are plain structs, checked
//!   against AWS's limits before anything is sent; outputs print as AWS CLI prints them.
//! - [`RoleHopProvider`] and [`WebIdentityProvider`] are providers for `rolecall-core`: one role
//!   assumed with another provider's credentials, or with a token from a file. They cache nothing.
//! - [`SamlProvider`] is one more: a role assumed with an identity provider's SAML response.
//! - [`MfaSessionProvider`] proves an MFA device once for several roles.
//! - [`identity`] proves who a workload is to others than AWS, and checks such proofs.
//! - [`SsoProvider`] gives the credentials of a role of IAM Identity Center for the token that
//!   `aws sso login` left, and renews that token.
//! - [`EksClient`] asks Amazon EKS for what a kubeconfig must say of a cluster.
//! - [`QueryClient`] is the protocol underneath, for other services that speak it, such as IAM.
//! - [`sign()`] and [`presign()`] are SigV4.
//!
//! A call that AWS refuses is a `CredentialsError` with a [`ServiceError`] as its source. Secrets
//! that went out never come back in its text, also if AWS quotes them.
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use rolecall_core::http::{HttpClient, HttpError, Request, Response};
//! use rolecall_core::{Context, Credentials, Result};
//! use rolecall_sts::{AssumeRole, QueryEndpoint, StsClient};
//!
//! /// Stands in for AWS; leave `http` out of the context below to call the real one.
//! #[derive(Debug)]
//! struct FakeAws;
//!
//! #[async_trait]
//! impl HttpClient for FakeAws {
//!     async fn send(&self, request: Request) -> Result<Response, HttpError> {
//!         assert!(request.headers().contains_key("authorization"));
//!         let answer = r#"<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
//!           <AssumeRoleResult>
//!             <Credentials>
//!               <AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId>
//!               <SecretAccessKey>secret</SecretAccessKey>
//!               <SessionToken>token</SessionToken>
//!               <Expiration>2030-01-01T00:00:00Z</Expiration>
//!             </Credentials>
//!             <AssumedRoleUser>
//!               <AssumedRoleId>AROAEXAMPLE:me</AssumedRoleId>
//!               <Arn>arn:aws:sts::123456789012:assumed-role/Deploy/me</Arn>
//!             </AssumedRoleUser>
//!           </AssumeRoleResult>
//!         </AssumeRoleResponse>"#;
//!         Ok(Response::new(answer.as_bytes().to_vec().into()))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let sts = StsClient::new(
//!     Context { http: Arc::new(FakeAws), ..Context::real() },
//!     QueryEndpoint {
//!         url: "https://sts.eu-west-1.amazonaws.com".to_owned(),
//!         signing_region: "eu-west-1".to_owned(),
//!         signing_name: "sts".to_owned(),
//!     },
//!     // Any provider will do: a profile, a container, another role.
//!     Some(Arc::new(Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI", "example"))),
//! );
//! let role = AssumeRole {
//!     role_arn: "arn:aws:iam::123456789012:role/Deploy".to_owned(),
//!     role_session_name: "me".to_owned(),
//!     duration_seconds: Some(900),
//!     ..AssumeRole::default()
//! };
//! let session = sts.assume_role(&role).await?;
//! assert_eq!(session.credentials.access_key_id(), "ASIAIOSFODNN7EXAMPLE");
//! assert_eq!(session.credentials.account_id(), Some("123456789012"));
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

mod client;
mod eks;
mod error;
mod form;
mod hop;
pub mod identity;
mod mfa;
mod ops;
mod query;
mod rest;
mod saml;
mod sign;
mod sso;
#[cfg(test)]
mod testing;
mod web_identity;
pub mod xml;

pub use client::StsClient;
pub use eks::{Cluster, EksClient};
pub use form::{ParamValue, Params};
pub use hop::{RoleHop, RoleHopProvider};
pub use mfa::{MfaSessionProvider, ask_code};
pub use ops::*;
pub use query::{IAM, QueryApi, QueryClient, QueryEndpoint, STS};
pub use rolecall_core::ServiceError;
pub use saml::{Saml, SamlProvider, SamlResponse};
pub use sign::{SigningRules, SigningScope, presign, presign_with, sign, sign_with};
pub use sso::{Sso, SsoEndpoints, SsoProvider, SsoSignIn, finish_renewals};
pub use web_identity::{WebIdentity, WebIdentityProvider, read_token_file};
