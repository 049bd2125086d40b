use rolecall_core::{CredentialsError, ErrorKind, Result, printable};

/// An ARN's parts: `arn:partition:service:region:account:resource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    pub(crate) partition: &'a str,
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    pub(crate) resource: &'a str,
}

/// The longest of AWS's ARNs.
const LONGEST: usize = 2048;

impl<'a> Arn<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        // What stands in an ARN of ours; a line end or a space comes of copying it wrongly.
        if text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let mut parts = text.splitn(6, ':');
        if parts.next()? != "arn" {
            return None;
        }
        let mut part = || parts.next();
        let arn = Self {
            partition: part()?,
            service: part()?,
            region: part()?,
            account: part()?,
            resource: part()?,
        };
        let is_account = arn.account.len() == 12 && arn.account.bytes().all(|b| b.is_ascii_digit());
        (is_account && arn.partition.starts_with("aws") && !arn.resource.is_empty()).then_some(arn)
    }

    /// A trust anchor's.
    pub(crate) fn trust_anchor(text: &'a str) -> Result<Self> {
        Self::of(text, "trust anchor", "--trust-anchor-arn", ("rolesanywhere", "trust-anchor/"))
    }

    /// A Roles Anywhere profile's.
    pub(crate) fn profile(text: &'a str) -> Result<Self> {
        Self::of(text, "Roles Anywhere profile", "--profile-arn", ("rolesanywhere", "profile/"))
    }

    /// A role's.
    pub(crate) fn role(text: &'a str) -> Result<Self> {
        Self::of(text, "role", "--role-arn", ("iam", "role/"))
    }

    fn of(text: &'a str, what: &str, flag: &str, (service, kind): (&str, &str)) -> Result<Self> {
        let region = if service == "iam" { "" } else { "us-east-1" };
        let refuse = |found: String| {
            CredentialsError::new(ErrorKind::InvalidConfiguration, "Roles Anywhere", found)
                .with_help(format!(
                    "{flag} looks like arn:aws:{service}:{region}:123456789012:{kind}…"
                ))
        };
        if text.is_empty() {
            return Err(refuse(format!("the ARN of the {what} is missing")));
        }
        let shown = printable(text, 150);
        let arn = Self::parse(text)
            .ok_or_else(|| refuse(format!("the ARN of the {what}, {shown}, is no ARN")))?;
        let name = Some(arn.resource).filter(|_| arn.service == service);
        match name.and_then(|resource| resource.strip_prefix(kind)) {
            Some("") => return Err(refuse(format!("the ARN of the {what}, {shown}, breaks off"))),
            Some(_) => {}
            None => {
                let found = arn.kind().unwrap_or("something else");
                return Err(refuse(format!("the ARN of the {what}, {shown}, is that of {found}")));
            }
        }
        if arn.region.is_empty() != region.is_empty() {
            return Err(refuse(format!("the ARN of the {what}, {shown}, has a wrong region")));
        }
        Ok(arn)
    }

    /// What it names, among what people mix up.
    fn kind(&self) -> Option<&'static str> {
        let kind = self.resource.split(['/', ':']).next().unwrap_or_default();
        Some(match (self.service, kind) {
            ("rolesanywhere", "trust-anchor") => "a trust anchor",
            ("rolesanywhere", "profile") => "a Roles Anywhere profile",
            ("rolesanywhere", "subject") => "a subject of Roles Anywhere",
            ("rolesanywhere", "crl") => "a revocation list",
            ("iam", "role") => "a role",
            ("iam", "instance-profile") => "an EC2 instance profile",
            ("iam", "user") => "a user",
            ("iam", "policy") => "a policy",
            ("sts", "assumed-role") => "a session of a role, not the role itself",
            ("acm-pca", _) => "an authority in AWS Private CA, not a trust anchor",
            ("acm", _) => "a certificate in ACM",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_takes_its_own_kind_and_names_the_other() {
        let anchor = "arn:aws:rolesanywhere:us-east-2:291738886548:trust-anchor/a545";
        let profile = "arn:aws:rolesanywhere:us-east-2:291738886548:profile/6f49";
        let role = "arn:aws-cn:iam::291738886548:role/path/name";
        assert_eq!(Arn::trust_anchor(anchor).unwrap().region, "us-east-2");
        assert_eq!(Arn::profile(profile).unwrap().account, "291738886548");
        assert_eq!(Arn::role(role).unwrap().resource, "role/path/name");
        for (error, says) in [
            (Arn::trust_anchor(profile), "is that of a Roles Anywhere profile"),
            (Arn::profile(anchor), "is that of a trust anchor"),
            (Arn::role(profile), "is that of a Roles Anywhere profile"),
            (Arn::role("arn:aws:sts::291738886548:assumed-role/R/me"), "session of a role"),
            (Arn::role(""), "the ARN of the role is missing"),
            (Arn::role("my-role"), "is no ARN"),
            (Arn::role("arn:aws:iam::29173888654:role/short-account"), "is no ARN"),
            (Arn::role("arn:aws:iam::291738886548:role/"), "breaks off"),
            (Arn::role("arn:aws:s3::291738886548:x"), "something else"),
            (Arn::role("arn:aws:iam::291738886548:role/x\n"), "is no ARN"),
            (Arn::role("arn:aws:iam:eu-west-1:291738886548:role/x"), "wrong region"),
        ] {
            let error = error.unwrap_err();
            assert!(error.message().contains(says), "{error}");
            assert!(error.help().unwrap().contains("-arn looks like arn:aws:"), "{error}");
        }
    }
}
