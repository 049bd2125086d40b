use super::partition::Partition;

/// What stands before the suffix in IAM's host name, and the region IAM signs for.
///
/// IAM has one endpoint a partition. The cases are those of its endpoint rule set in botocore;
/// where a partition has no rule of its own the general ones at the end apply.
pub(super) fn host_and_signing_region(
    partition: &Partition,
    fips: bool,
    dual_stack: bool,
) -> (&'static str, &'static str) {
    match (partition.id, fips, dual_stack) {
        ("aws", false, true) => ("iam.global", "us-east-1"),
        ("aws", true, true) => ("iam-fips.global", "us-east-1"),
        ("aws-cn", false, false) => ("iam.cn-north-1", "cn-north-1"),
        ("aws-cn", false, true) => ("iam.global", "cn-north-1"),
        ("aws-us-gov", _, _) => ("iam.us-gov", "us-gov-west-1"),
        ("aws-iso", false, false) => ("iam.us-iso-east-1", "us-iso-east-1"),
        ("aws-iso", true, false) => ("iam-fips.us-iso-east-1", "us-iso-east-1"),
        ("aws-iso-b", false, false) => ("iam.us-isob-east-1", "us-isob-east-1"),
        ("aws-iso-b", true, false) => ("iam-fips.us-isob-east-1", "us-isob-east-1"),
        ("aws-iso-e", false, false) => ("iam.eu-isoe-west-1", "eu-isoe-west-1"),
        ("aws-iso-f", false, false) => ("iam.us-isof-south-1", "us-isof-south-1"),
        ("aws-eusc", false, false) => ("iam.eusc-de-east-1", "eusc-de-east-1"),
        (_, true, _) => ("iam-fips", partition.implicit_global_region),
        (_, false, _) => ("iam", partition.implicit_global_region),
    }
}
