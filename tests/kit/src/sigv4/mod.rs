//! Signature Version 4, seen from AWS's side.
//!
//! Written from AWS's documentation and checked against the suite that the SDKs share; it imports
//! neither rolecall's signing nor aws-sigv4, because two sides must not share one mistake.

mod canonical;
mod presented;
mod verify;

pub(crate) use canonical::canonical_query;
pub use canonical::{
    PathEncoding, Rules, SignedRequest, canonical_request, hex_sha256, signature, string_to_sign,
    uri_encode,
};
pub use presented::{Form, Presented, Scope};
pub use verify::{Expected, Key, PresignedLife, Verified, verify};
