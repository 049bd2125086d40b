use std::time::{Duration, SystemTime};

use rolecall_core::{CredentialsError, ErrorKind, Result};

use super::Leases;
use crate::lease::Lease;

/// How far this machine's clock may be from AWS's where leases are ended by it.
const TOLERATED: Duration = Duration::from_secs(300);

impl Leases {
    /// Whether a lease whose time is up by this machine's clock is over by AWS's too; why not, if
    /// it is not, or cannot be told to be.
    ///
    /// # Errors
    /// AWS's; the store's.
    pub(super) async fn doubt_about_end(&self, lease: &Lease) -> Result<Option<CredentialsError>> {
        let clock = &self.context.clock;
        // What AWS's answers have corrected so far, wrongly if the machine's clock was set since.
        let correction = clock.skew_millis();
        let secret = self.definition_of(lease).await?;
        let account = self.account_of(lease, &secret).await?;
        account.noting(account.sts.get_caller_identity().await)?;
        let Some(reading) = account.dates.last() else {
            let message = "AWS's answer has no Date to compare this machine's clock with";
            return Ok(Some(CredentialsError::new(ErrorKind::Malformed, "lease clock", message)));
        };
        let judged_by = shifted(reading.machine, correction);
        let wrong = [reading.machine, judged_by].map(|ours| between(ours, reading.aws));
        let difference = wrong.into_iter().max().unwrap_or_default();
        if difference > TOLERATED {
            let message = format!(
                "this machine's clock and AWS's differ by {} s, so nothing is taken back by it",
                difference.as_secs()
            );
            let error =
                CredentialsError::new(ErrorKind::InvalidConfiguration, "lease clock", message);
            return Ok(Some(error.with_help(
                "set this machine's clock right; `lease revoke` takes a lease back at once",
            )));
        }
        // Another call may have corrected the clock after this lease was found to be due.
        Ok((lease.expires_at > clock.now()).then(|| {
            let message = "the clock was corrected, and the lease is not over yet";
            CredentialsError::new(ErrorKind::InvalidConfiguration, "lease clock", message)
        }))
    }
}

fn between(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).or_else(|_| other.duration_since(one)).unwrap_or_default()
}

fn shifted(time: SystemTime, millis: i64) -> SystemTime {
    let by = Duration::from_millis(millis.unsigned_abs());
    let shifted = if millis < 0 { time.checked_sub(by) } else { time.checked_add(by) };
    shifted.unwrap_or(time)
}
