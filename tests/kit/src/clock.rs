//! The kit's own clock: the machine's, shifted, or one that stands still until it is moved.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::doors;

/// What time the kit says it is. Signatures, sessions and tokens are all judged by this clock, and
/// the `Date` header of every answer is taken from it, so a test moves it instead of waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    frozen_at: Option<i64>,
    offset: i64,
}

impl Clock {
    /// Seconds since 1970.
    pub fn now(&self) -> i64 {
        self.frozen_at.unwrap_or_else(doors::unix_now).saturating_add(self.offset)
    }

    /// Stands still at the given second until moved.
    pub fn freeze(&mut self, unix_seconds: i64) {
        *self = Clock { frozen_at: Some(unix_seconds), offset: 0 };
    }

    /// Runs with the machine's clock, this many seconds ahead of it (negative: behind).
    pub fn skew(&mut self, seconds: i64) {
        *self = Clock { frozen_at: None, offset: seconds };
    }

    /// Moves forward (negative: back) from wherever it is.
    pub fn advance(&mut self, seconds: i64) {
        self.offset = self.offset.saturating_add(seconds);
    }
}

/// `20150830T123600Z`, the form of `X-Amz-Date`.
pub fn basic(unix_seconds: i64) -> String {
    let at =
        OffsetDateTime::from_unix_timestamp(unix_seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap_or_default()
}

/// `2015-08-30T12:36:00Z`, the form of `Expiration`.
pub fn extended(unix_seconds: i64) -> String {
    let at =
        OffsetDateTime::from_unix_timestamp(unix_seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"))
        .unwrap_or_default()
}

/// Reads the form of `X-Amz-Date`; anything else is `None`.
pub fn parse_basic(text: &str) -> Option<i64> {
    // The format would take signs and padding that AWS does not: check the letters first.
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let digits = bytes.iter().enumerate().filter(|(at, _)| *at != 8 && *at != 15);
    if !digits.map(|(_, byte)| byte).all(u8::is_ascii_digit) {
        return None;
    }
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    time::PrimitiveDateTime::parse(text, format).ok().map(|at| at.assume_utc().unix_timestamp())
}

/// Reads `2015-08-30T12:36:00Z`, with or without a fraction of a second.
pub(crate) fn parse_extended(text: &str) -> Option<i64> {
    OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
        .ok()
        .map(OffsetDateTime::unix_timestamp)
}

/// The `Date` header's form.
pub(crate) fn http_date(unix_seconds: i64) -> String {
    let seconds = u64::try_from(unix_seconds).unwrap_or(0).min(253_402_300_799);
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_dates_read_back_and_others_are_refused() {
        let at = parse_basic("20150830T123600Z").unwrap();
        assert_eq!(basic(at), "20150830T123600Z");
        assert_eq!(extended(at), "2015-08-30T12:36:00Z");
        for bad in
            ["", "20150830T123600", "2015-08-30T12:36Z", "20151330T123600Z", "+0150830T123600Z"]
        {
            assert_eq!(parse_basic(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_frozen_clock_moves_only_when_advanced() {
        let mut clock = Clock::default();
        clock.freeze(1000);
        clock.advance(10);
        assert_eq!(clock.now(), 1010);
        clock.skew(-5);
        assert!(clock.now() > 1010);
    }
}
