use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// The name of a lease: 26 characters of Crockford's base 32, of which the first ten are the time,
/// so that leases sort by when they were made (a ULID).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub u128);

/// What is known of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its name.
    pub id: LeaseId,
    /// The definition it was made from.
    pub secret: String,
    /// Which version of that definition.
    pub secret_version: u32,
    /// Where it is in its life.
    pub state: LeaseState,
    /// What was made, or was about to be.
    pub principal: Principal,
    /// Whom it was made for, as they said or as was verified.
    pub identity: String,
    /// For people.
    pub note: String,
    /// When it was asked for.
    pub created_at: SystemTime,
    /// When it ends, unless it is renewed.
    pub expires_at: SystemTime,
    /// How long it may be renewed: by the maximum that held when it was made.
    pub max_expires_at: SystemTime,
    /// The access key's id, once there is one.
    pub access_key_id: Option<String>,
    /// The secret, sealed, if it was asked to be kept.
    pub sealed: Option<Vec<u8>>,
    /// When somebody must look at it next; `None` once it is over.
    pub due_at: Option<SystemTime>,
    /// How often taking it back has failed in a row.
    pub attempts: u32,
    /// Why it failed last, for people.
    pub failure: Option<String>,
    /// Counts the claims: a write that names an older one is refused.
    pub fence: u64,
    /// Until when somebody works on it.
    pub claimed_until: Option<SystemTime>,
    /// Who: a [`Claimant`](crate::Claimant)'s name.
    pub claimed_by: Option<String>,
}

/// What a lease stands for in AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The account.
    pub account_id: String,
    /// `iam-user`, `assumed-role`, `federation-token`, `session-token`.
    pub kind: String,
    /// The user's or the session's name.
    pub name: String,
    /// The user's path; empty for sessions.
    pub path: String,
    /// What the user's tag must say to be ours.
    pub nonce: String,
}

impl Principal {
    /// Whether it can be taken back before its end, as users can; sessions end by themselves.
    pub fn is_revocable(&self) -> bool {
        self.kind == "iam-user"
    }
}

/// Where a lease is in its life.
///
/// ```text
/// Intent -> Active -> Revoking -> Revoked
///    |         |          \-> Forgotten
///    |         \-> Expired (sessions)
///    |-> Failed (nothing was made)
///    \-> Revoking (perhaps something was made)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaseState {
    /// Written down before AWS is asked for anything.
    Intent,
    /// Handed out.
    Active,
    /// Being taken back; tried until it is done.
    Revoking,
    /// Taken back: nothing is left in AWS.
    Revoked,
    /// A session that has ended by itself.
    Expired,
    /// Never made: AWS certainly refused, or all was removed again.
    Failed,
    /// Given up by hand: AWS may still hold something.
    Forgotten,
}

/// A lease to write down before AWS is asked for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLease {
    /// Its name.
    pub id: LeaseId,
    /// The definition.
    pub secret: String,
    /// Its version.
    pub secret_version: u32,
    /// What is about to be made.
    pub principal: Principal,
    /// Whom it is for.
    pub identity: String,
    /// For people.
    pub note: String,
    /// When it is to end.
    pub expires_at: SystemTime,
    /// How long it may be renewed.
    pub max_expires_at: SystemTime,
}

impl LeaseState {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Intent,
        Self::Active,
        Self::Revoking,
        Self::Revoked,
        Self::Expired,
        Self::Failed,
        Self::Forgotten,
    ];

    /// The name, as stores and the command line have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Active => "active",
            Self::Revoking => "revoking",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Forgotten => "forgotten",
        }
    }

    /// The state of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more will happen to it.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Intent | Self::Active | Self::Revoking)
    }
}

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl LeaseId {
    /// An id for a lease made at `now`. `random` gives 80 bits.
    pub fn new(now: SystemTime, random: u128) -> Self {
        let millis = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        Self((millis & 0xffff_ffff_ffff) << 80 | random & ((1 << 80) - 1))
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..26).rev().try_for_each(|place| {
            let digit = (self.0 >> (place * 5)) & 31;
            write!(f, "{}", char::from(ALPHABET[digit as usize]))
        })
    }
}

impl fmt::Debug for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for LeaseId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let flaw = "a lease id has 26 characters of 0-9 and A-Z without I, L, O and U";
        if text.len() != 26 || text.as_bytes()[0] > b'7' {
            return Err(flaw);
        }
        text.bytes()
            .try_fold(0_u128, |sum, byte| {
                let digit = ALPHABET.iter().position(|a| *a == byte.to_ascii_uppercase());
                digit.map(|digit| sum << 5 | digit as u128).ok_or(flaw)
            })
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_sort_by_time() {
        let at = |seconds| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let (early, late) = (LeaseId::new(at(1_000), u128::MAX), LeaseId::new(at(1_001), 0));
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(late.to_string().to_lowercase().parse(), Ok(late));
        for wrong in ["", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "0123456789ABCDEFGHIJKLMNOP", "é"] {
            assert!(wrong.parse::<LeaseId>().is_err(), "{wrong}");
        }
    }
}
