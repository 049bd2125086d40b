//! Cloud identity: who a workload is in AWS, proved by a signed `sts:GetCallerIdentity` request
//! that it does not send itself, and checked by whoever is shown it.
//!
//! - [`TokenSigner`] makes such tokens in the dialects of Akeyless, Vault, Infisical and EKS, and in
//!   rolecall's own, which is bound to an audience and a challenge of the server.
//! - [`inspect`] shows what is in a token, without what would let somebody use it.
//! - [`Verifier`] checks a token against a [`Policy`] and says in a [`Decision`] which check failed
//!   and why. It never sends on what it was given: it reads the inputs of the signature and makes
//!   a request of its own.
//! - [`verify_web_identity_token`] checks the JWTs of `sts:GetWebIdentityToken` offline.
//!
//! A token is as good as a password for as long as it lives.

mod amz_date;
mod json;
mod jwt;
mod refusal;
mod sts_host;
mod token;
mod verify;

pub use jwt::{Jwks, WebIdentityClaims, WebIdentityRules, verify_web_identity_token};
pub use refusal::{Check, Refusal};
pub use sts_host::signing_region;
pub use token::{Dialect, Inspection, Token, TokenFormat, TokenSigner, inspect};
pub use verify::{
    Binding, Bounds, CallerIdentity, Challenges, Decision, Lint, MemoryReplayGuard, Mode, Outcome,
    Policy, Principal, ReplayGuard, ReplayKey, Severity, SubClaim, Verifier,
};

/// The one body that any of this is about.
pub(crate) const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
/// [`BODY`] in base64.
const BODY_BASE64: &str = "QWN0aW9uPUdldENhbGxlcklkZW50aXR5JlZlcnNpb249MjAxMS0wNi0xNQ==";
/// SHA-256 of [`BODY`].
const BODY_HASH: &str = "ab821ae955788b0e33ebd34c208442ccfc2d406e2edc5e7a39bd6458fbb4f843";
/// SHA-256 of nothing.
const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// The content type of [`BODY`] as most clients write it.
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What EKS tokens start with.
const EKS_PREFIX: &str = "k8s-aws-v1.";
/// What rolecall's own tokens start with.
const ROLECALL_PREFIX: &str = "rolecall-v1.";
