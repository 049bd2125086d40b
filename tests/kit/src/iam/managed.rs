//! Managed policies: a few of AWS's own, and the customers'.

use crate::world::World;

/// Path and name of AWS's policies that the kit knows, and the gist of what they say.
const OF_AWS: &[(&str, &str, &str)] = &[
    ("/", "AdministratorAccess", r#""Effect":"Allow","Action":"*""#),
    (
        "/",
        "PowerUserAccess",
        r#""Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"]"#,
    ),
    (
        "/",
        "ReadOnlyAccess",
        r#""Effect":"Allow","Action":["iam:Get*","iam:List*","s3:Get*","s3:List*","sqs:Get*","sqs:List*","ec2:Describe*"]"#,
    ),
    ("/", "SecurityAudit", r#""Effect":"Allow","Action":["iam:Get*","iam:List*","s3:GetBucket*"]"#),
    ("/", "IAMFullAccess", r#""Effect":"Allow","Action":["iam:*","organizations:Describe*"]"#),
    (
        "/",
        "IAMReadOnlyAccess",
        r#""Effect":"Allow","Action":["iam:Get*","iam:List*","iam:Simulate*"]"#,
    ),
    ("/", "AmazonS3FullAccess", r#""Effect":"Allow","Action":["s3:*","s3-object-lambda:*"]"#),
    (
        "/",
        "AmazonS3ReadOnlyAccess",
        r#""Effect":"Allow","Action":["s3:Get*","s3:List*","s3:Describe*"]"#,
    ),
    ("/", "AmazonEC2ReadOnlyAccess", r#""Effect":"Allow","Action":["ec2:Describe*","ec2:Get*"]"#),
    ("/", "AmazonSQSFullAccess", r#""Effect":"Allow","Action":"sqs:*""#),
    (
        "/",
        "CloudWatchReadOnlyAccess",
        r#""Effect":"Allow","Action":["cloudwatch:Get*","logs:Get*"]"#,
    ),
    (
        "/",
        "AmazonDynamoDBReadOnlyAccess",
        r#""Effect":"Allow","Action":["dynamodb:Get*","dynamodb:List*"]"#,
    ),
    ("/", "AWSDenyAll", r#""Effect":"Deny","Action":"*""#),
    (
        "/job-function/",
        "ViewOnlyAccess",
        r#""Effect":"Allow","Action":["iam:List*","s3:List*","sqs:List*","ec2:Describe*"]"#,
    ),
];

/// A managed policy.
#[derive(Debug)]
pub(crate) struct Managed {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) document: String,
}

/// The policy with an ARN that an account may use: AWS's, or its own.
pub(crate) fn find(world: &World, account: &str, arn: &str) -> Option<Managed> {
    if let Some(policy) = world
        .policies
        .iter()
        .find(|policy| policy.account == account && world.policy_arn(policy) == arn)
    {
        return Some(Managed {
            name: policy.name.clone(),
            path: policy.path.clone(),
            id: policy.unique_id(),
            document: policy.document.clone(),
        });
    }
    let path_and_name =
        arn.strip_prefix(&format!("arn:{}:iam::aws:policy", world.partition(account)))?;
    let (path, name, statement) =
        OF_AWS.iter().find(|(path, name, _)| path_and_name == format!("{path}{name}"))?;
    Some(Managed {
        name: (*name).to_owned(),
        path: (*path).to_owned(),
        id: crate::world::stable_id("ANPA", "aws", name),
        document: format!(
            r#"{{"Version":"2012-10-17","Statement":[{{{statement},"Resource":"*"}}]}}"#
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::policy::Document;
    use super::*;

    #[test]
    fn every_policy_of_aws_can_be_read() {
        let world = World::default();
        for (path, name, _) in OF_AWS {
            let arn = format!("arn:aws:iam::aws:policy{path}{name}");
            let policy = find(&world, "111111111111", &arn).unwrap();
            assert!(Document::parse(&policy.document).is_ok(), "{name}");
        }
        assert!(find(&world, "111111111111", "arn:aws:iam::aws:policy/Nonsense").is_none());
        assert!(find(&world, "222222222222", crate::names::POLICY).is_none());
        assert!(find(&world, "111111111111", crate::names::POLICY).is_some());
    }
}
