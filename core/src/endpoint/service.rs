use std::fmt;

/// A service that rolecall calls. Names are those of AWS's service models, as botocore has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Service {
    /// Security Token Service.
    Sts,
    /// Identity and Access Management: one endpoint a partition.
    Iam,
    /// Elastic Kubernetes Service.
    Eks,
    /// IAM Roles Anywhere.
    RolesAnywhere,
    /// The IAM Identity Center portal, which hands out role credentials.
    Sso,
    /// The IAM Identity Center's OIDC service, which hands out tokens.
    SsoOidc,
}

impl Service {
    /// Every service, for tables that must cover them all.
    pub const ALL: [Self; 6] =
        [Self::Sts, Self::Iam, Self::Eks, Self::RolesAnywhere, Self::Sso, Self::SsoOidc];

    /// The service in a credential scope: `signingName` of the service model.
    pub fn signing_name(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Eks => "eks",
            Self::RolesAnywhere => "rolesanywhere",
            Self::Sso => "awsssoportal",
            Self::SsoOidc => "sso-oauth",
        }
    }

    /// What follows `AWS_ENDPOINT_URL_`: the service id in upper case with underscores, as the
    /// AWS SDKs reference guide lists it.
    pub fn env_suffix(self) -> &'static str {
        match self {
            Self::Sts => "STS",
            Self::Iam => "IAM",
            Self::Eks => "EKS",
            Self::RolesAnywhere => "ROLESANYWHERE",
            Self::Sso => "SSO",
            Self::SsoOidc => "SSO_OIDC",
        }
    }

    /// The key in a `[services …]` section: the service id in lower case with underscores.
    pub fn services_key(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Eks => "eks",
            Self::RolesAnywhere => "rolesanywhere",
            Self::Sso => "sso",
            Self::SsoOidc => "sso_oidc",
        }
    }

    /// The name users know it by, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sts => "STS",
            Self::Iam => "IAM",
            Self::Eks => "EKS",
            Self::RolesAnywhere => "Roles Anywhere",
            Self::Sso => "SSO",
            Self::SsoOidc => "SSO OIDC",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_and_services_key_are_the_same_id() {
        for service in Service::ALL {
            assert_eq!(service.env_suffix().to_lowercase(), service.services_key());
        }
    }

    #[test]
    fn sso_services_sign_under_names_of_their_own() {
        assert_eq!(Service::Sso.signing_name(), "awsssoportal");
        assert_eq!(Service::SsoOidc.signing_name(), "sso-oauth");
    }
}
