use std::time::Duration;

use super::Interactive;
use crate::Random;

/// How close to their end credentials are replaced. It scales with their lifetime, so that a
/// session of 900 seconds is used and not replaced at each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshWindow {
    /// With less time left, one caller refreshes; the others, and that one if it fails, keep the
    /// old.
    pub advisory: Duration,
    /// With less time left, the old are not given out any more.
    pub mandatory: Duration,
}

/// What a [`RefreshWindow`] says of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Use them.
    Fresh,
    /// Use them, and replace them if nobody else is at it.
    Advisory,
    /// Replace them before going on.
    Stale,
}

impl Freshness {
    /// A person whom a refresh may ask is not asked before it must be: what is good is used.
    #[must_use]
    pub(super) fn for_people(self, interactive: &Interactive) -> Self {
        match self {
            Self::Advisory if interactive.is_so() => Self::Fresh,
            _ => self,
        }
    }
}

impl RefreshWindow {
    /// The windows for credentials that last `lifetime`: a quarter of it but at most 15 minutes,
    /// and a twelfth but at most 5.
    pub fn for_lifetime(lifetime: Duration) -> Self {
        Self {
            advisory: (lifetime / 4).min(Duration::from_secs(15 * 60)),
            mandatory: (lifetime / 12).min(Duration::from_secs(5 * 60)),
        }
    }

    /// Makes the advisory window up to a fifth shorter, so that many holders of the same
    /// credentials do not all refresh at one moment.
    #[must_use]
    pub fn jittered(self, random: &Random) -> Self {
        Self { advisory: self.advisory - random.up_to(self.advisory / 5), ..self }
    }

    /// Judges credentials with `time_left`; `None` never end.
    pub fn judge(&self, time_left: Option<Duration>) -> Freshness {
        match time_left {
            None => Freshness::Fresh,
            Some(left) if left > self.advisory => Freshness::Fresh,
            Some(left) if left > self.mandatory => Freshness::Advisory,
            Some(_) => Freshness::Stale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_scale_with_the_lifetime() {
        let seconds = Duration::from_secs;
        let hour = RefreshWindow::for_lifetime(seconds(3600));
        assert_eq!(hour, RefreshWindow { advisory: seconds(900), mandatory: seconds(300) });
        assert_eq!(RefreshWindow::for_lifetime(seconds(43_200)), hour);
        let short = RefreshWindow::for_lifetime(seconds(900));
        assert_eq!(short.judge(Some(seconds(899))), Freshness::Fresh);
        assert_eq!(short.judge(Some(seconds(225))), Freshness::Advisory);
        assert_eq!(short.judge(Some(seconds(75))), Freshness::Stale);
        assert_eq!(short.judge(Some(Duration::ZERO)), Freshness::Stale);
        assert_eq!(short.judge(None), Freshness::Fresh);
    }

    #[test]
    fn jitter_only_shortens_and_keeps_clear_of_the_mandatory_window() {
        let window = RefreshWindow::for_lifetime(Duration::from_secs(3600));
        let random = Random::seeded(7);
        for _ in 0..1000 {
            let jittered = window.jittered(&random);
            assert!(jittered.advisory <= window.advisory);
            assert!(jittered.advisory > window.mandatory);
        }
    }
}
