use std::time::SystemTime;

use time::{Date, Month, OffsetDateTime, Time};

/// A moment as SigV4 writes it: `20260101T000000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AmzDate {
    text: [u8; 16],
    /// The moment meant.
    pub(super) time: SystemTime,
}

impl AmzDate {
    /// `time` in whole seconds; `None` outside the years 1970 to 9999.
    pub(super) fn at(time: SystemTime) -> Option<Self> {
        let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        let moment = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
        let year = u16::try_from(moment.year()).ok()?;
        let (hour, minute, second) = moment.to_hms();
        let mut text = *b"00000000T000000Z";
        let [high, low] = [year / 100, year % 100].map(|n| u8::try_from(n).unwrap_or_default());
        let fields = [high, low, moment.month().into(), moment.day(), hour, minute, second];
        for (field, at) in fields.into_iter().zip([0, 2, 4, 6, 9, 11, 13]) {
            text[at] = b'0' + field / 10 % 10;
            text[at + 1] = b'0' + field % 10;
        }
        Some(Self { text, time: moment.into() })
    }

    /// Reads exactly that form, of a moment that exists.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text: [u8; 16] = text.as_bytes().try_into().ok()?;
        let number = |from: usize, to: usize| {
            text[from..to].iter().try_fold(0_u16, |sum, byte| {
                byte.is_ascii_digit().then(|| sum * 10 + u16::from(byte - b'0'))
            })
        };
        let small = |from: usize| number(from, from + 2).and_then(|n| u8::try_from(n).ok());
        if text[8] != b'T' || text[15] != b'Z' {
            return None;
        }
        let month = Month::try_from(small(4)?).ok()?;
        let date = Date::from_calendar_date(i32::from(number(0, 4)?), month, small(6)?).ok()?;
        let time = Time::from_hms(small(9)?, small(11)?, small(13)?).ok()?;
        let moment = date.with_time(time).assume_utc();
        (moment.year() >= 1970).then(|| Self { text, time: moment.into() })
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// `20260101`, as the credential scope has it.
    pub(super) fn day(&self) -> &str {
        &self.text()[..8]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for seconds in [0, 1_767_225_599, 1_767_225_600, 4_102_444_799, 253_402_300_799] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let date = AmzDate::at(time + Duration::from_millis(700)).unwrap();
            let core = rolecall_core::timestamp::format(time).replace(['-', ':'], "");
            assert_eq!(date.text(), core);
            assert_eq!(AmzDate::parse(&core), Some(date));
            assert_eq!((date.time, date.day()), (time, &core[..8]));
        }
    }

    #[test]
    fn nonsense_is_none() {
        for text in [
            "",
            "20260101T000000",
            "20260101T000000z",
            "20260101 000000Z",
            "20261301T000000Z",
            "20260230T000000Z",
            "20260101T240000Z",
            "20260101T000060Z",
            "+0260101T000000Z",
            "2026-01-01T00:00",
            "19691231T235959Z",
            "2026010éT00000Z",
        ] {
            assert_eq!(AmzDate::parse(text), None, "{text}");
        }
    }
}
