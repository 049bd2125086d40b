use std::time::Duration;

use rolecall_core::{CredentialsError, ErrorKind, Result};

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

/// Reads `90s`, `15m`, `1h`, `7d`, several of them in one (`1h30m`), or plain seconds.
///
/// # Errors
/// `InvalidConfiguration` for anything else.
///
/// ```
/// use rolecall::leases::parse_duration;
/// assert_eq!(parse_duration("1h30m")?.as_secs(), 5400);
/// # Ok::<(), rolecall::CredentialsError>(())
/// ```
pub fn parse_duration(text: &str) -> Result<Duration> {
    let wrong = || {
        let message = format!("{text:?} is no length of time");
        CredentialsError::new(ErrorKind::InvalidConfiguration, "duration", message)
            .with_help("write 90s, 15m, 1h, 7d or seconds")
    };
    let mut seconds = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let unit = match tail.chars().next() {
            None if rest.len() == text.len() => 1,
            unit => UNITS.iter().find(|(name, _)| Some(*name) == unit).ok_or_else(wrong)?.1,
        };
        let part = number.checked_mul(unit).ok_or_else(wrong)?;
        seconds = seconds.checked_add(part).ok_or_else(wrong)?;
        // Units are ASCII.
        rest = tail.get(1..).unwrap_or_default();
    }
    if text.is_empty() { Err(wrong()) } else { Ok(Duration::from_secs(seconds)) }
}

/// A length of time in the largest unit that it is whole in: `90s`, `15m`, `1h`, `7d`.
pub fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let fits = |unit: &&(char, u64)| seconds > 0 && seconds.is_multiple_of(unit.1);
    let (name, unit) = UNITS.iter().find(fits).unwrap_or(&('s', 1));
    format!("{}{name}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_written() {
        for (text, seconds, written) in [
            ("0", 0, "0s"),
            ("90", 90, "90s"),
            ("90s", 90, "90s"),
            ("15m", 900, "15m"),
            ("1h", 3600, "1h"),
            ("24h", 86_400, "1d"),
            ("7d", 604_800, "7d"),
            ("1h30m", 5400, "90m"),
        ] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(
                (duration.as_secs(), format_duration(duration).as_str()),
                (seconds, written)
            );
        }
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in [
            "",
            "h",
            "1x",
            "-1",
            "1.5h",
            "1h30",
            "1 h",
            "99999999999999999999",
            "1é",
            "18446744073709551615d",
        ] {
            let error = parse_duration(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{text}");
        }
    }
}
