//! What can be found wrong before AWS is asked.

use std::time::{Duration, SystemTime};

use rolecall_core::{CredentialsError, ErrorKind, Result, printable, timestamp};

use crate::arn::Arn;
use crate::certificate::SignatureHash;
use crate::{Certificate, Identity, RolesAnywhere};

/// Source: CreateSession in the IAM Roles Anywhere User Guide.
const DURATION: std::ops::RangeInclusive<u32> = 900..=43200;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A certificate is said to end soon in the last tenth of its life, and then no earlier than this.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

impl RolesAnywhere {
    /// Says what is wrong with the request, without the network.
    ///
    /// # Errors
    /// `InvalidConfiguration`: an ARN of another kind or none, a trust anchor and a profile of
    /// different regions, accounts or partitions, a duration or a session name that AWS refuses.
    pub fn check(&self) -> Result<()> {
        let anchor = Arn::trust_anchor(&self.trust_anchor_arn)?;
        let profile = Arn::profile(&self.profile_arn)?;
        let role = Arn::role(&self.role_arn)?;
        let same = |what: &str, anchor: &str, profile: &str| match anchor == profile {
            true => Ok(()),
            false => Err(invalid(format!(
                "the trust anchor is in the {what} {anchor} and the Roles Anywhere profile in \
                 {profile}"
            ))
            .with_help("both must be of one region and account: check their ARNs")),
        };
        same("partition", anchor.partition, profile.partition)?;
        same("region", anchor.region, profile.region)?;
        same("account", anchor.account, profile.account)?;
        if role.partition != anchor.partition {
            return Err(invalid(format!(
                "the role is in the partition {} and the trust anchor in {}",
                role.partition, anchor.partition
            )));
        }
        let region = self.signing_region()?;
        if region.as_str() != anchor.region {
            let message = format!(
                "the region {} was asked, and the trust anchor is in {}",
                printable(region.as_str(), 64),
                anchor.region
            );
            return Err(invalid(message)
                .with_help("leave --region out: the region is that of --trust-anchor-arn"));
        }
        if !DURATION.contains(&self.duration()) {
            let message = format!("a session cannot last {} seconds", self.duration());
            return Err(invalid(message).with_help(
                "ask for 900 (15 minutes) to 43200 (12 hours), and no more than the role allows",
            ));
        }
        match &self.role_session_name {
            Some(name) => check_session_name(name),
            None => Ok(()),
        }
    }

    /// The flag whose value [`Self::check`] refuses: the first of those that are wrong.
    pub fn wrong_flag(&self) -> Option<&'static str> {
        self.check().err()?;
        let own = [
            ("--trust-anchor-arn", Arn::trust_anchor(&self.trust_anchor_arn).is_err()),
            ("--profile-arn", Arn::profile(&self.profile_arn).is_err()),
            ("--role-arn", Arn::role(&self.role_arn).is_err()),
        ];
        if let Some((flag, _)) = own.into_iter().find(|(_, is_wrong)| *is_wrong) {
            return Some(flag);
        }
        let without = |change: fn(&mut Self)| {
            let mut request = self.clone();
            change(&mut request);
            request.check().is_ok()
        };
        if without(|request| request.region = None) {
            Some("--region")
        } else if without(|request| request.duration_seconds = None) {
            Some("--session-duration")
        } else if without(|request| request.role_session_name = None) {
            Some("--role-session-name")
        } else {
            Some("--trust-anchor-arn, --profile-arn and --role-arn")
        }
    }

    /// What is allowed, but seldom meant; it may explain a refusal.
    pub(crate) fn oddity(&self) -> Option<String> {
        let anchor = Arn::trust_anchor(&self.trust_anchor_arn).ok()?;
        let role = Arn::role(&self.role_arn).ok()?;
        if role.account != anchor.account {
            return Some(format!(
                "the role is of account {} and the trust anchor of account {}: a profile can list \
                 roles of its own account alone",
                role.account, anchor.account
            ));
        }
        None
    }
}

impl Identity {
    /// Says what is wrong with the certificate at `now`, as AWS would.
    ///
    /// # Errors
    /// `InvalidConfiguration`: not yet valid or expired, an authority's, without the key usage
    /// digitalSignature, signed with MD5 or SHA-1, or not X.509 version 3.
    pub fn check(&self, now: SystemTime) -> Result<()> {
        self.leaf().check(now)?;
        for above in self.chain() {
            if !above.is_valid_at(now) {
                tracing::warn!(certificate = %above, "an intermediate certificate is not valid now");
            }
            if let SignatureHash::Broken(name) = above.signature_hash() {
                tracing::warn!(certificate = %above, "an intermediate is signed with {name}");
            }
        }
        Ok(())
    }
}

impl Certificate {
    /// Says so if it ends soon after `now`: when, and in how long.
    pub fn ends_soon(&self, now: SystemTime) -> Option<String> {
        let left = self.not_after().duration_since(now).ok()?;
        let life = self.not_after().duration_since(self.not_before()).unwrap_or_default();
        (left < (life / 10).min(SOON)).then(|| {
            let end = timestamp::format(self.not_after());
            format!("the certificate ends soon: {self} at {end}, in {}", rough(left))
        })
    }

    /// [`Identity::check`] of a leaf whose key is not at hand.
    ///
    /// # Errors
    /// As there.
    pub fn check(&self, now: SystemTime) -> Result<()> {
        let leaf = self;
        check_time(leaf, now)?;
        let get_another = "get a certificate for a client: X.509 version 3, CA:FALSE, key usage \
                           digitalSignature, signed with SHA-256 or better";
        let refuse = |what: String| Err(invalid(what).with_help(get_another));
        if leaf.version() != 3 {
            return refuse(format!("{leaf} is X.509 version {}", leaf.version()));
        }
        if leaf.is_ca() {
            return refuse(format!("{leaf} is a certificate authority's, which cannot sign in"));
        }
        match leaf.digital_signature() {
            Some(true) => {}
            Some(false) => {
                return refuse(format!("the key usage of {leaf} lacks digitalSignature"));
            }
            None => return refuse(format!("{leaf} has no key usage: digitalSignature is needed")),
        }
        if let SignatureHash::Broken(name) = leaf.signature_hash() {
            return refuse(format!("{leaf} is signed with {name}, which AWS refuses"));
        }
        Ok(())
    }
}

fn check_time(leaf: &Certificate, now: SystemTime) -> Result<()> {
    let clock = timestamp::format(now);
    if now < leaf.not_before() {
        let start = timestamp::format(leaf.not_before());
        let message = format!("{leaf} is not valid before {start}, and now it is {clock}");
        return Err(invalid(message).with_help("wait, or set this machine's clock if it is wrong"));
    }
    if now > leaf.not_after() {
        let end = timestamp::format(leaf.not_after());
        let since = now.duration_since(leaf.not_after()).unwrap_or_default();
        let message = format!("{leaf} expired at {end}, {} ago; now it is {clock}", rough(since));
        return Err(
            invalid(message).with_help("renew it, or set this machine's clock if it is wrong")
        );
    }
    Ok(())
}

fn rough(time: Duration) -> String {
    let (count, unit) = match time.as_secs() {
        seconds @ ..120 => (seconds, "seconds"),
        seconds @ 120..7200 => (seconds / 60, "minutes"),
        seconds if time < 2 * DAY => (seconds / 3600, "hours"),
        seconds => (seconds / DAY.as_secs(), "days"),
    };
    format!("{count} {unit}")
}

/// Source: CreateSession: 2 to 64 of `[\w+=,.@-]`.
fn check_session_name(name: &str) -> Result<()> {
    let odd = name.chars().find(|c| !c.is_ascii_alphanumeric() && !"_+=,.@-".contains(*c));
    let flaw = match (name.chars().count(), odd) {
        (2..=64, None) => return Ok(()),
        (_, Some(c)) => format!("holds \"{}\"", c.escape_debug()),
        (length, None) => format!("has {length} characters"),
    };
    Err(invalid(format!("the role session name {flaw}"))
        .with_help("use 2 to 64 letters, digits and _+=,.@-"))
}

fn invalid(message: String) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "Roles Anywhere", message)
}

#[cfg(test)]
mod tests;
