use rolecall_core::endpoint::{Partition, Region, by_id, partition_with};

/// A host at which AWS itself runs STS.
pub(super) struct StsHost<'h> {
    /// The region its signatures must name.
    pub(super) region: &'h str,
    pub(super) partition: &'static Partition,
}

impl<'h> StsHost<'h> {
    /// Which host of STS `host` is, in the one spelling that is taken: the global one, or
    /// `sts.REGION` and `sts-fips.REGION` below the suffixes of the region's own partition.
    pub(super) fn known(host: &'h str) -> Option<Self> {
        if host == "sts.amazonaws.com" {
            return Some(Self { partition: by_id("aws")?, region: "us-east-1" });
        }
        let rest = host.strip_prefix("sts.").or_else(|| host.strip_prefix("sts-fips."))?;
        let (name, suffix) = rest.split_once('.')?;
        let region = Region::parse(name, "STS").ok()?;
        let partition = partition_with(&region)?;
        let own = [partition.dns_suffix, partition.dual_stack_dns_suffix];
        own.contains(&suffix).then_some(Self { region: name, partition })
    }
}

/// The region that signatures for the STS at `url` must name, if it is one of AWS's own hosts.
pub fn signing_region(url: &str) -> Option<String> {
    let (_, host) = super::token::bare_host(url).ok()?;
    StsHost::known(&host).map(|known| known.region.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_aws_are_known_with_region_and_partition() {
        for (host, region, partition) in [
            ("sts.amazonaws.com", "us-east-1", "aws"),
            ("sts.eu-west-1.amazonaws.com", "eu-west-1", "aws"),
            ("sts-fips.us-east-1.api.aws", "us-east-1", "aws"),
            ("sts.cn-north-1.amazonaws.com.cn", "cn-north-1", "aws-cn"),
            ("sts.us-gov-west-1.amazonaws.com", "us-gov-west-1", "aws-us-gov"),
            ("sts.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1", "aws-eusc"),
        ] {
            let known = StsHost::known(host).unwrap();
            assert_eq!((known.region, known.partition.id), (region, partition));
        }
    }

    #[test]
    fn all_else_is_not() {
        for host in [
            "",
            "sts.",
            "amazonaws.com",
            "sts.s3.amazonaws.com",
            "sts.s3-us-west-2.amazonaws.com",
            "sts.amazonaws.com.evil.tld",
            "sts.us-east-1.amazonaws.com.evil.tld",
            "sts.us-east-1.amazonaws.com.",
            "sts.us-east-1.amazonaws.com:443",
            "sts.us-east-1.amazonaws.com.cn",
            "sts.cn-north-1.amazonaws.com",
            "STS.amazonaws.com",
            "sts.amazonaws.com\n",
            "sts.evil-region-1.amazonaws.com",
            "sts.us-east-1.evil.amazonaws.com",
            "xsts.us-east-1.amazonaws.com",
            "iam.amazonaws.com",
            "127.0.0.1",
        ] {
            assert!(StsHost::known(host).is_none(), "{host}");
        }
    }
}
