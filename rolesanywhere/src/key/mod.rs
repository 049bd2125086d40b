//! Private keys as files hold them.

pub(crate) mod encrypted;
pub(crate) mod pkcs12;
mod work;

/// As errors name what fails here.
const PROVIDER: &str = "private key";
