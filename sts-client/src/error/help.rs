//! What to do next, for the errors that people meet.

use super::{FailedCall, ServiceError};

pub(super) fn of(call: &FailedCall<'_>, error: &ServiceError) -> Option<String> {
    let source = call.credentials.unwrap_or("the caller");
    let text = match error.code.as_str() {
        "AccessDenied" | "AccessDeniedException" => return denied(call.action, &error.message),
        "ExpiredToken" | "ExpiredTokenException" if call.credentials.is_none() => {
            "the identity provider's token or assertion has ended; get a new one".to_owned()
        }
        "ExpiredToken" | "ExpiredTokenException" => {
            format!("the credentials from {source} have ended; get new ones there")
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" => format!(
            "AWS does not know the access key from {source}: it may be deleted or inactive, belong \
             to another partition, lack its session token, or the region may not be enabled"
        ),
        "SignatureDoesNotMatch" | "InvalidSignatureException" => format!(
            "check the secret access key from {source}, and that no proxy changes the request"
        ),
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => {
            "set this machine's clock".to_owned()
        }
        "IncompleteSignature" | "MissingAuthenticationToken" => {
            "a proxy may have dropped the Authorization header".to_owned()
        }
        "InvalidIdentityToken" | "InvalidIdentityTokenException" => {
            "check that the role's account has an identity provider for the token's issuer, with \
             its audience, and that the token is whole"
                .to_owned()
        }
        "IDPRejectedClaim" => {
            "the identity provider refused the token or assertion: it may have ended or been \
             revoked"
                .to_owned()
        }
        "IDPCommunicationError" => {
            "AWS could not reach the identity provider; its keys must be readable from the internet"
                .to_owned()
        }
        "RegionDisabledException" => {
            "STS is switched off in this region: enable it in the account's settings, or use the \
             endpoint of another region"
                .to_owned()
        }
        "MalformedPolicyDocument" => "check the session policy's JSON and its actions".to_owned(),
        "PackedPolicyTooLarge" => {
            "use fewer or shorter session policies, policy ARNs and tags".to_owned()
        }
        "ResourceNotFoundException" if call.action == "DescribeCluster" => {
            "check the cluster's name, and the region and account of the credentials: a cluster is \
             found only there (aws eks list-clusters)"
                .to_owned()
        }
        "OutboundWebIdentityFederationDisabledException" => {
            "enable it once for the account: aws iam enable-outbound-web-identity-federation"
                .to_owned()
        }
        "ValidationError" if call.action == "AssumeRole" && error.message.contains("Duration") => {
            "ask for no longer than the role's maximum session duration; for a role assumed from \
             a role it is 3600 seconds"
                .to_owned()
        }
        _ => return None,
    };
    Some(text)
}

fn denied(action: &str, message: &str) -> Option<String> {
    let text = match action {
        _ if message.contains("MultiFactorAuthentication") => {
            "the MFA code was wrong, late or already used, or it is of another device: wait for \
             the next one and check the device's ARN"
        }
        "AssumeRole" => {
            "the role's trust policy must name the caller's ARN and the caller needs \
             sts:AssumeRole on the role; check the role's ARN, and the external id and MFA if the \
             trust policy asks for them"
        }
        "AssumeRoleWithWebIdentity" => {
            "the role's trust policy must name the token's identity provider, and its conditions \
             must fit the token's audience and subject"
        }
        "AssumeRoleWithSAML" => {
            "the role's trust policy must name the SAML provider, and the assertion must list this \
             role with it"
        }
        "DescribeCluster" => {
            "the caller needs eks:DescribeCluster on the cluster; in another account, a role there \
             (--assume-role-arn)"
        }
        "GetSessionToken" | "GetFederationToken" => {
            "session credentials cannot call this: use the long-lived keys of an IAM user"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(action: &str, code: &str, message: &str, signed: bool) -> Option<String> {
        let credentials = signed.then_some("profile dev");
        let call = FailedCall { service: "STS", action, credentials, secrets: &[] };
        let error = ServiceError {
            status: 400,
            code: code.to_owned(),
            message: message.to_owned(),
            request_id: None,
        };
        of(&call, &error)
    }

    #[test]
    fn common_errors_say_what_to_do_next() {
        for (action, code, message, signed, said) in [
            ("AssumeRole", "AccessDenied", "", true, "trust policy must name the caller's ARN"),
            ("AssumeRole", "AccessDenied", "", true, "external id"),
            ("AssumeRole", "AccessDenied", "MultiFactorAuthentication failed", true, "MFA code"),
            ("AssumeRole", "ExpiredToken", "", true, "credentials from profile dev have ended"),
            ("AssumeRoleWithWebIdentity", "ExpiredTokenException", "", false, "identity provider"),
            ("AssumeRole", "InvalidClientTokenId", "", true, "from profile dev"),
            ("AssumeRole", "SignatureDoesNotMatch", "", true, "secret access key from profile dev"),
            ("AssumeRole", "RegionDisabledException", "", true, "endpoint of another region"),
            ("AssumeRole", "ValidationError", "DurationSeconds exceeds", true, "3600"),
            ("GetSessionToken", "AccessDenied", "", true, "long-lived keys"),
        ] {
            let help = help(action, code, message, signed).unwrap();
            assert!(help.contains(said), "{code}: {help}");
        }
        assert_eq!(help("AssumeRole", "SomethingNew", "", true), None);
    }
}
