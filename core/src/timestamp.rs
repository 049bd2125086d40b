//! Moments in time as AWS writes them.

use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Reads RFC 3339, and the form `2026-01-02T03:04:05UTC` that AWS CLI has written in its cache.
pub fn parse(text: &str) -> Option<SystemTime> {
    let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    let moment = match text.strip_suffix("UTC") {
        Some(rest) => parse(&format!("{}Z", rest.trim_end())),
        None => parse(text),
    }?;
    Some(moment.into())
}

/// Writes `2026-01-02T03:04:05Z`: UTC, whole seconds.
pub fn format(moment: SystemTime) -> String {
    let moment = OffsetDateTime::from(moment);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        moment.year(),
        u8::from(moment.month()),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second()
    )
}

/// Writes `2026-01-02T03:04:05+00:00`, the form of AWS CLI's output and cache.
pub fn format_with_offset(moment: SystemTime) -> String {
    let mut text = format(moment);
    text.pop();
    text + "+00:00"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn all_forms_that_are_seen_mean_the_same() {
        let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045);
        for text in [
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05+00:00",
            "2026-01-02T03:04:05UTC",
            "2026-01-02T04:04:05+01:00",
            "2026-01-02T03:04:05.000Z",
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        assert_eq!(format(expected), "2026-01-02T03:04:05Z");
        assert_eq!(format_with_offset(expected), "2026-01-02T03:04:05+00:00");
    }

    #[test]
    fn nonsense_is_none() {
        for text in ["", "UTC", "2026-13-02T03:04:05Z", "1767323045", "2026-01-02"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
