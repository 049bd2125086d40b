use super::region::Region;

/// A group of regions with accounts, host names and global services of its own.
///
/// The values are those of AWS's `partitions.json`, as botocore 1.43 ships it.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Partition {
    /// The id, also the second field of its ARNs: `aws-cn`.
    pub id: &'static str,
    /// What host names end in.
    pub dns_suffix: &'static str,
    /// What host names that answer on IPv4 and IPv6 end in.
    pub dual_stack_dns_suffix: &'static str,
    /// The region that global services sign for where their rules name no other.
    pub implicit_global_region: &'static str,
    /// Whether it has FIPS endpoints at all.
    pub supports_fips: bool,
    /// Whether it has dual-stack endpoints at all.
    pub supports_dual_stack: bool,
    /// What its regions start with; `-<word>-<number>` follows.
    prefixes: &'static [&'static str],
}

const fn partition(
    id: &'static str,
    dns_suffix: &'static str,
    dual_stack_dns_suffix: &'static str,
    implicit_global_region: &'static str,
    prefixes: &'static [&'static str],
) -> Partition {
    Partition {
        id,
        dns_suffix,
        dual_stack_dns_suffix,
        implicit_global_region,
        // As of 2026 all of them do.
        supports_fips: true,
        supports_dual_stack: true,
        prefixes,
    }
}

static AWS: Partition = partition(
    "aws",
    "amazonaws.com",
    "api.aws",
    "us-east-1",
    &["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"],
);

static OTHERS: [Partition; 7] = [
    partition(
        "aws-cn",
        "amazonaws.com.cn",
        "api.amazonwebservices.com.cn",
        "cn-northwest-1",
        &["cn"],
    ),
    partition(
        "aws-eusc",
        "amazonaws.eu",
        "api.amazonwebservices.eu",
        "eusc-de-east-1",
        &["eusc-de"],
    ),
    partition("aws-iso", "c2s.ic.gov", "api.aws.ic.gov", "us-iso-east-1", &["us-iso"]),
    partition("aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud", "us-isob-east-1", &["us-isob"]),
    partition(
        "aws-iso-e",
        "cloud.adc-e.uk",
        "api.cloud-aws.adc-e.uk",
        "eu-isoe-west-1",
        &["eu-isoe"],
    ),
    partition("aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov", "us-isof-south-1", &["us-isof"]),
    partition("aws-us-gov", "amazonaws.com", "api.aws", "us-gov-west-1", &["us-gov"]),
];

impl Partition {
    fn has(&self, region: &str) -> bool {
        region.strip_suffix("-global") == Some(self.id)
            || self.prefixes.iter().any(|prefix| {
                let rest = region.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
                rest.and_then(|rest| rest.split_once('-')).is_some_and(|(word, number)| {
                    !word.is_empty()
                        && !number.is_empty()
                        && number.bytes().all(|b| b.is_ascii_digit())
                })
            })
    }
}

/// The partition of `region`, by the patterns of `partitions.json`; `aws` where none matches, as
/// AWS's rules say. FIPS pseudo-regions count as the region they mean.
pub fn partition_of(region: &Region) -> &'static Partition {
    let (region, _) = region.split_fips();
    OTHERS.iter().find(|partition| partition.has(region.as_str())).unwrap_or(&AWS)
}

/// The partition whose pattern `region` fits; `None` where only AWS's rule of taking `aws` for what
/// is not known would give one. No FIPS pseudo-regions, no `aws-global`.
pub fn partition_with(region: &Region) -> Option<&'static Partition> {
    if region.as_str().ends_with("-global") {
        return None;
    }
    std::iter::once(&AWS).chain(&OTHERS).find(|partition| partition.has(region.as_str()))
}

/// The partition called `id`, as it stands in ARNs.
pub fn by_id(id: &str) -> Option<&'static Partition> {
    std::iter::once(&AWS).chain(&OTHERS).find(|partition| partition.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(region: &str) -> &'static str {
        partition_of(&Region::parse(region, "test").unwrap()).id
    }

    #[test]
    fn regions_belong_to_their_partition() {
        for (region, id) in [
            ("us-east-1", "aws"),
            ("mx-central-1", "aws"),
            ("cn-northwest-1", "aws-cn"),
            ("cn-south-27", "aws-cn"),
            ("eusc-de-east-1", "aws-eusc"),
            ("us-iso-west-1", "aws-iso"),
            ("us-isob-west-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("us-gov-east-1", "aws-us-gov"),
            ("aws-global", "aws"),
            ("aws-cn-global", "aws-cn"),
            ("aws-iso-b-global", "aws-iso-b"),
            ("aws-us-gov-global", "aws-us-gov"),
            ("fips-us-gov-west-1", "aws-us-gov"),
            ("cn-north-1-fips", "aws-cn"),
        ] {
            assert_eq!(id_of(region), id, "{region}");
        }
    }

    #[test]
    fn what_no_pattern_matches_is_aws() {
        for region in ["fake-region-10", "cn", "cn-north", "cn-north-x", "cn--1", "cnx-north-1"] {
            assert_eq!(id_of(region), "aws", "{region}");
        }
        // More words than the pattern has.
        assert_eq!(id_of("us-gov-far-east-1"), "aws");
    }

    #[test]
    fn a_region_that_no_pattern_fits_is_in_no_partition() {
        let id = |region: &str| {
            partition_with(&Region::parse(region, "test").unwrap()).map(|found| found.id)
        };
        assert_eq!(id("eu-west-1"), Some("aws"));
        assert_eq!(id("us-gov-west-1"), Some("aws-us-gov"));
        assert_eq!(id("us-isob-east-1"), Some("aws-iso-b"));
        for region in ["fake-region-10", "aws-global", "aws-cn-global", "fips-us-east-1", "us-x"] {
            assert_eq!(id(region), None, "{region}");
        }
    }

    #[test]
    fn every_partition_is_found_by_id_and_holds_its_global_region() {
        let ids = [
            "aws",
            "aws-cn",
            "aws-eusc",
            "aws-iso",
            "aws-iso-b",
            "aws-iso-e",
            "aws-iso-f",
            "aws-us-gov",
        ];
        for id in ids {
            let partition = by_id(id).unwrap();
            assert_eq!(partition.id, id);
            assert!(partition.has(partition.implicit_global_region), "{id}");
            assert_eq!(id_of(partition.implicit_global_region), id);
        }
        assert_eq!(by_id("aws-moon"), None);
    }
}
