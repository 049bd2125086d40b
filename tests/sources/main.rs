//! Whole profiles against an AWS on loopback: the sources that keep state outside the process.

mod mfa;
mod saml;
mod sso;
mod support;
