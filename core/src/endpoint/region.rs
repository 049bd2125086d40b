use std::fmt;

use crate::error::{CredentialsError, ErrorKind, Result};

/// The name of a region, safe to put into a host name.
///
/// A region comes from files, variables and ARNs that others may write. It can hold only what one
/// label of a host name holds, so that it never chooses the host a request goes to.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(Box<str>);

impl Region {
    /// Takes `text` as a region: lower-case letters, digits and inner hyphens, at most 63 (RFC
    /// 1123's label). `from` says where the text stood, for the error.
    pub fn parse(text: &str, from: &str) -> Result<Self> {
        match fault(text) {
            None => Ok(Self(text.into())),
            Some(fault) => {
                // Escaped and cut short: it may hold line ends, or be a whole file.
                let shown: String = text.chars().take(70).flat_map(char::escape_debug).collect();
                let message = format!("{from} is \"{shown}\", which is not a region: {fault}");
                let error =
                    CredentialsError::new(ErrorKind::InvalidConfiguration, "region", message);
                Err(error.with_help("write it as in us-east-1"))
            }
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The region meant, and whether its name asks for FIPS: `fips-us-east-1` and
    /// `us-east-1-fips` are the pseudo-regions of older SDKs (botocore's
    /// `_normalize_fips_region`).
    pub fn split_fips(&self) -> (Self, bool) {
        let plain = self.0.strip_prefix("fips-").or_else(|| self.0.strip_suffix("-fips"));
        match plain {
            // What is left must be a region itself: not empty, not `-x`, not `s3`.
            Some(plain) if fault(plain).is_none() => (Self(plain.into()), true),
            _ => (self.clone(), false),
        }
    }
}

fn fault(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("it is empty");
    }
    if text.len() > 63 {
        return Some("it is longer than 63 characters");
    }
    if !text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return Some("only lower-case letters, digits and hyphens may stand in it");
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Some("it starts or ends with a hyphen");
    }
    // `sts.s3.amazonaws.com` and `sts.s3-us-west-2.amazonaws.com` are buckets, with a valid
    // certificate, and anybody may own them.
    if text == "s3" || text.starts_with("s3-") {
        return Some("it is a name of Amazon S3's hosts");
    }
    None
}

impl AsRef<str> for Region {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_and_future_regions_are_taken() {
        let long = "a".repeat(63);
        for text in ["us-east-1", "us-isob-west-1", "aws-global", "fake-region-10", "a", &long] {
            assert_eq!(Region::parse(text, "test").unwrap().as_str(), text);
        }
    }

    #[test]
    fn hostile_regions_are_refused() {
        let long = "a".repeat(64);
        for text in [
            "",
            " ",
            " us-east-1",
            "us-east-1\n",
            "us-east-1\r\nHost: evil.tld",
            "evil.tld?",
            "evil.tld/",
            "evil.tld#",
            "evil.tld:443",
            "x@evil.tld",
            "a/b",
            "a\\b",
            "a.b",
            "..",
            "us_east_1",
            "US-EAST-1",
            "us-east-1%2e",
            "-us-east-1",
            "us-east-1-",
            "us-eäst-1",
            "us\u{2011}east\u{2011}1",
            "us-east-1\0",
            "s3",
            "s3-us-west-2",
            "s3-website-us-east-1",
            &long,
        ] {
            let error = Region::parse(text, "AWS_REGION").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{text:?}");
            assert!(error.message().contains("AWS_REGION"), "{error}");
        }
    }

    #[test]
    fn an_error_shows_neither_line_ends_nor_a_whole_file() {
        let text = format!("a\n{}", "b".repeat(1000));
        let message = Region::parse(&text, "AWS_REGION").unwrap_err().to_string();
        assert!(!message.contains('\n') && message.len() < 300, "{message}");
    }

    #[test]
    fn fips_pseudo_regions_mean_region_and_fips() {
        let split = |text: &str| {
            let (region, fips) = Region::parse(text, "test").unwrap().split_fips();
            (region.to_string(), fips)
        };
        for text in ["fips-us-gov-west-1", "us-gov-west-1-fips"] {
            assert_eq!(split(text), ("us-gov-west-1".to_owned(), true));
        }
        for text in ["us-east-1", "fips", "fipsia-1", "us-fips-1"] {
            assert_eq!(split(text), (text.to_owned(), false));
        }
    }

    #[test]
    fn taking_fips_away_opens_no_way_round_the_rules() {
        for text in ["fips-s3", "s3x-fips", "fips--x", "fips-s3-us-west-2"] {
            let (region, _) = Region::parse(text, "test").unwrap().split_fips();
            assert!(fault(region.as_str()).is_none(), "{region}");
        }
    }
}
