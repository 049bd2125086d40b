//! Tokens: made here, and looked into.

mod inspect;
mod key;
mod signer;
mod write;

use std::fmt;
use std::time::{Duration, SystemTime};

use rolecall_core::{Credentials, Result, Secret};
use serde::{Deserialize, Serialize};

pub use inspect::{Inspection, inspect};
pub use signer::TokenSigner;
pub(super) use signer::bare_host;

use crate::QueryEndpoint;

/// The dialects by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TokenFormat {
    /// `akeyless get-cloud-identity`, access type `aws_iam`.
    Akeyless,
    /// Vault's login with method `iam`.
    Vault,
    /// Infisical's AWS auth.
    Infisical,
    /// `aws eks get-token`.
    Eks,
    /// rolecall's own.
    Rolecall,
}

impl TokenFormat {
    /// Every dialect.
    pub const ALL: [Self; 5] =
        [Self::Akeyless, Self::Vault, Self::Infisical, Self::Eks, Self::Rolecall];

    /// The name, as `--format` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Akeyless => "akeyless",
            Self::Vault => "vault",
            Self::Infisical => "infisical",
            Self::Eks => "eks",
            Self::Rolecall => "rolecall",
        }
    }

    /// The dialect called `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

impl fmt::Display for TokenFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A dialect, and what its tokens are made for. Texts are visible ASCII without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// The bytes of akeyless-cloud-id 0.3.2 (Python). Bound to no server.
    Akeyless,
    /// The body of Vault's `auth/aws/login`.
    Vault {
        /// The role to log in as; Vault takes the IAM principal's own name without one.
        role: Option<String>,
        /// `X-Vault-AWS-IAM-Server-ID`: without it the token is bound to no server.
        server_id: Option<String>,
    },
    /// The body of Infisical's `/api/v1/auth/aws-auth/login`. Bound to no server.
    Infisical {
        /// The machine identity to log in as.
        identity_id: String,
    },
    /// A bearer token of Kubernetes.
    Eks {
        /// The cluster's name, or on Outposts its id: signed, and not in the token.
        cluster: String,
    },
    /// rolecall's own: bound to an audience, to a challenge where the server gives one, and short.
    ///
    /// `rolecall-v1.` and the unpadded base64url of a JSON object with what goes into the signature
    /// and cannot be known: `host`, `credential`, `date`, `session_token`, `audience`, `challenge`,
    /// `lifetime`, `signature`. Method, path, body and the list of signed headers are the dialect's
    /// own, so that a token cannot ask for others. Signed are `content-type`, `host`, `x-amz-date`,
    /// `x-amz-security-token`, `x-rolecall-audience`, `x-rolecall-challenge` and
    /// `x-rolecall-lifetime`.
    Rolecall {
        /// Whom it is for: the server's name for itself, without commas.
        audience: String,
        /// What the server gave to be signed.
        challenge: Option<String>,
        /// How long it is good for: 1 to 300 seconds.
        lifetime: Duration,
    },
}

impl Dialect {
    /// How long a token of [`Dialect::Rolecall`] is good for unless somebody says otherwise.
    pub const LIFETIME: Duration = Duration::from_secs(60);

    /// Its name.
    pub fn format(&self) -> TokenFormat {
        match self {
            Self::Akeyless => TokenFormat::Akeyless,
            Self::Vault { .. } => TokenFormat::Vault,
            Self::Infisical { .. } => TokenFormat::Infisical,
            Self::Eks { .. } => TokenFormat::Eks,
            Self::Rolecall { .. } => TokenFormat::Rolecall,
        }
    }
}

/// A token: whoever has it can be its maker until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its dialect.
    pub format: TokenFormat,
    /// The token itself, as its server takes it.
    pub text: Secret,
    /// When it was signed, in whole seconds.
    pub signed_at: SystemTime,
    /// From when on nobody takes it: 15 minutes after it was signed, as STS has it, or a life of
    /// its own. It ends with the credentials too.
    pub expires_at: SystemTime,
}

impl Token {
    /// Makes one token. For many with the same credentials use [`TokenSigner`].
    ///
    /// `endpoint` is the STS that the verifier will ask. Akeyless's own client always names
    /// `https://sts.amazonaws.com` and `us-east-1`.
    ///
    /// # Errors
    /// As [`TokenSigner::new`] and [`TokenSigner::token`].
    pub fn create(
        dialect: Dialect,
        credentials: &Credentials,
        endpoint: &QueryEndpoint,
        time: SystemTime,
    ) -> Result<Self> {
        TokenSigner::new(dialect, credentials, endpoint)?.token(time)
    }
}
