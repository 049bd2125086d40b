//! The checks by name, in their order, and why one of them refuses.

use std::fmt;

use rolecall_core::{CredentialsError, ErrorKind};

macro_rules! checks {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// A check of the verifier. Their order is the order in which they are made.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Check {
            $($(#[$doc])* $variant,)*
        }

        impl Check {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name, as decision records show it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

checks! {
    /// Not too long.
    Size => "size",
    /// Of a dialect that is known, and well-formed in it.
    Format => "format",
    /// The method is the dialect's.
    Method => "method",
    /// The URL is a bare host of HTTP.
    Url => "url",
    /// The body is GetCallerIdentity's, to the byte.
    Body => "body",
    /// No header, or parameter, but those that are known, each once.
    Headers => "headers",
    /// The signature's parts fit together and cover what they must.
    Authorization => "authorization",
    /// The policy takes this dialect.
    FormatAllowed => "format-allowed",
    /// The host is AWS's, or the one that is configured.
    Endpoint => "endpoint",
    /// It is the partition that is bound.
    Partition => "partition",
    /// Made for this server, cluster or audience.
    Binding => "binding",
    /// The life that it claims is not longer than it may be.
    Expires => "expires",
    /// Neither too old nor from the future.
    Freshness => "freshness",
    /// Answers a challenge of this server.
    Challenge => "challenge",
    /// Not used before.
    Replay => "replay",
    /// STS vouches for the signature.
    Sts => "sts",
    /// STS's answer is well-formed.
    Answer => "answer",
    /// Account, ARN and user id fit each other, and the partition.
    Identity => "identity",
    /// Spent, so that it cannot be used again.
    Spend => "spend",
    /// The account is bound.
    Account => "account",
    /// The ARN is bound.
    Arn => "arn",
    /// The role's name is bound.
    RoleName => "role-name",
    /// The role's id is bound.
    RoleId => "role-id",
    /// The user's name is bound.
    UserName => "user-name",
    /// The user's id is bound.
    UserId => "user-id",
    /// The session's name is bound: the caller chose it.
    SessionName => "session-name",
    /// The identity has what names it.
    SubClaim => "sub-claim",
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a token is refused. Holds nothing of the token that would let somebody use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The check that failed.
    pub check: Check,
    /// Why, as a word for programs: `url-query`. Each reason has one of its own.
    pub code: &'static str,
    /// Why, for people.
    pub message: String,
    /// What kind of error it is: the caller's (`Denied`), or STS's (`Unavailable`, `TimedOut`,
    /// `Malformed`).
    pub kind: ErrorKind,
}

impl Refusal {
    pub(super) fn new(check: Check, code: &'static str, message: impl Into<String>) -> Self {
        Self { check, code, message: message.into(), kind: ErrorKind::Denied }
    }

    pub(super) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}: {})", self.message, self.check, self.code)
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for CredentialsError {
    fn from(refusal: Refusal) -> Self {
        let help = match refusal.check {
            Check::Freshness => "make a new token, and check both clocks",
            Check::Replay | Check::Spend => "make a new token for each login",
            Check::Challenge => "get a new challenge from the server and make a token with it",
            Check::Sts if refusal.kind != ErrorKind::Denied => "try again later",
            Check::Sts => "check that the credentials that signed it are still good",
            check if check >= Check::Account => "check the bounds of the auth method",
            _ => "make the token with the client of its dialect, for this server",
        };
        CredentialsError::new(refusal.kind, "cloud identity", refusal.to_string()).with_help(help)
    }
}
