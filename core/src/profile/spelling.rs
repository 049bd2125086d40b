//! Settings that were surely meant to be others.

use super::suggest::near;
use super::{Problem, Profile, Severity};

/// What AWS CLI, the SDKs and rolecall read in profiles and SSO sessions.
///
/// Sources: AWS SDKs and Tools Reference Guide, "Settings reference"; AWS CLI User Guide,
/// "Configuration and credential file settings"; botocore's `configprovider.py`.
const KNOWN: &[&str] = &[
    "account_id_endpoint_mode",
    "api_versions",
    "auth_scheme_preference",
    "aws_access_key_id",
    "aws_account_id",
    "aws_secret_access_key",
    "aws_security_token",
    "aws_session_token",
    "ca_bundle",
    "cli_auto_prompt",
    "cli_binary_format",
    "cli_follow_urlparam",
    "cli_history",
    "cli_pager",
    "cli_timestamp_format",
    "credential_process",
    "credential_source",
    "csm_client_id",
    "csm_enabled",
    "csm_host",
    "csm_port",
    "data_path",
    "defaults_mode",
    "disable_host_prefix_injection",
    "disable_request_compression",
    "duration_seconds",
    "ec2_instance_profile_name",
    "ec2_metadata_service_endpoint",
    "ec2_metadata_service_endpoint_mode",
    "ec2_metadata_v1_disabled",
    "endpoint_discovery_enabled",
    "endpoint_url",
    "external_id",
    "ignore_configured_endpoint_urls",
    "imds_use_ipv6",
    "login_session",
    "max_attempts",
    "metadata_service_num_attempts",
    "metadata_service_timeout",
    "mfa_process",
    "mfa_serial",
    "mfa_session",
    "output",
    "parameter_validation",
    "region",
    "request_checksum_calculation",
    "request_min_compression_size_bytes",
    "response_checksum_validation",
    "retry_mode",
    "role_arn",
    "role_session_name",
    "rolecall_access_id",
    "rolecall_access_type",
    "s3_disable_express_session_auth",
    "s3_disable_multiregion_access_points",
    "s3_us_east_1_regional_endpoint",
    "s3_use_arn_region",
    "saml_assertion",
    "saml_principal_arn",
    "saml_process",
    "sdk_ua_app_id",
    "services",
    "sigv4a_signing_region_set",
    "source_profile",
    "sso_account_id",
    "sso_region",
    "sso_registration_scopes",
    "sso_role_name",
    "sso_session",
    "sso_start_url",
    "sts_regional_endpoints",
    "tcp_keepalive",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
    "web_identity_token_file",
];

/// What other programs read there and is close to one of the known: Steampipe and others.
const OF_OTHERS: &[&str] = &["outputs", "regions", "role_arns", "service"];

/// The settings in `sections` (profiles and SSO sessions) that nobody reads, and that are a slip away
/// from one that AWS's tools do. What other programs keep there is left alone.
pub fn misspelt<'a>(sections: impl IntoIterator<Item = &'a Profile>) -> Vec<Problem> {
    sections.into_iter().flat_map(in_section).collect()
}

fn in_section(section: &Profile) -> impl Iterator<Item = Problem> {
    section.properties.iter().filter_map(|(name, property)| {
        let meant = meant_by(name).filter(|meant| section.property(meant).is_none())?;
        Some(Problem {
            severity: Severity::Warning,
            origin: Some(property.origin.clone()),
            message: format!("{name} is no setting of AWS CLI, the SDKs or rolecall"),
            help: format!("did you mean {meant}?"),
        })
    })
}

fn meant_by(name: &str) -> Option<&'static str> {
    if KNOWN.contains(&name) || OF_OTHERS.contains(&name) {
        return None;
    }
    let letters =
        |name: &str| name.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>();
    let same = KNOWN.iter().find(|known| letters(known) == letters(name));
    same.or_else(|| KNOWN.iter().find(|known| near(name, known))).copied()
}

#[cfg(test)]
mod tests {
    use super::super::testing::config;
    use super::*;

    fn found(text: &str) -> Vec<(String, u32)> {
        let set = config(text);
        let problems = misspelt(set.profiles().chain(set.sso_sessions())).into_iter();
        problems.map(|p| (p.help, p.origin.unwrap().line)).collect()
    }

    #[test]
    fn slips_are_told_with_the_line_and_what_was_meant() {
        for (written, meant) in [
            ("role_anr", "role_arn"),
            ("roleArn", "role_arn"),
            ("role-arn", "role_arn"),
            ("source_profiel", "source_profile"),
            ("aws_acces_key_id", "aws_access_key_id"),
            ("awsSecretAccessKey", "aws_secret_access_key"),
            ("credentials_process", "credential_process"),
            ("regoin", "region"),
            ("durationSeconds", "duration_seconds"),
            ("rolecall_acces_id", "rolecall_access_id"),
        ] {
            let told = [(format!("did you mean {meant}?"), 2)];
            assert_eq!(found(&format!("[profile a]\n{written} = hunter2\n")), told, "{written}");
        }
        let session = "[sso-session s]\nsso_start_urll = u\n";
        assert_eq!(found(session), [("did you mean sso_start_url?".to_owned(), 2)]);
    }

    #[test]
    fn settings_of_others_and_a_second_one_beside_the_right_one_are_left_alone() {
        // aws-vault, saml2aws, Granted, gimme-aws-creds, aws-azure-login, Leapp, awsume, Steampipe.
        for other in [
            "include_profile",
            "parent_profile",
            "session_tags",
            "transitive_session_tags",
            "source_identity",
            "sso_use_device_code",
            "sso_account_name",
            "x_principal_arn",
            "x_security_token_expires",
            "granted_sso_start_url",
            "granted_sso_account_id",
            "granted_sso_region",
            "granted_sso_role_name",
            "azure_tenant_id",
            "azure_default_role_arn",
            "role_duration",
            "role_name",
            "regions",
            "expiration",
            "aws_credentials_expiration",
            "s3",
            "dynamodb",
            "color",
            "team",
            "account_id",
        ] {
            assert_eq!(found(&format!("[profile a]\n{other} = x\n")), [], "{other}");
        }
        assert_eq!(found("[profile a]\nrole_arn = x\nrole_arn2 = y\n"), []);
        for known in KNOWN {
            assert_eq!(found(&format!("[profile a]\n{known} = x\n")), [], "{known}");
        }
    }
}
