//! Whole profiles against an AWS on loopback: the sources that keep state outside the process.

#![expect(clippy::unwrap_used, reason = "a broken machine fails its test")]

mod keys;
mod mfa;
mod saml;
mod sso;
mod support;
