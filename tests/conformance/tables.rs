//! What the cases leave open, by name.

use rolecall::ErrorKind;

/// Cases that need what is not built yet. Each is run; one that passes has to leave the list.
pub(crate) const WAITING: &[(&str, &str)] = &[];

/// What `ErrorContains` means: the kind of our error, and a word that it must hold so that it is
/// that error and no other.
pub(crate) const ERRORS: &[(&str, ErrorKind, &str)] = {
    use ErrorKind::{Denied, InvalidConfiguration, Malformed, NotConfigured, Unavailable};
    &[
        ("default-chain::imds_default_chain_error", NotConfigured, "role"),
        ("default-chain::imds_disabled", NotConfigured, "AWS_EC2_METADATA_DISABLED"),
        ("default-chain::imds_token_fail", Denied, "403"),
        // To the SDK the source of the role is not set up; to us the role is, and wrongly.
        (
            "default-chain::profile_overrides_web_identity",
            InvalidConfiguration,
            "AWS_ACCESS_KEY_ID is not set",
        ),
        (
            "default-chain::sso_no_token_file",
            InvalidConfiguration,
            "dace00cba5f8355ec9d274ceb2bcebdfbeed0e12.json",
        ),
        (
            "default-chain::web_identity_source_profile_no_env",
            InvalidConfiguration,
            "web_identity_token_file",
        ),
        ("profile-provider::credential_process_failure", Unavailable, "exit status: 1"),
        ("profile-provider::credential_process_invalid", Malformed, "no valid answer"),
        ("profile-provider::empty_config", NotConfigured, "there are no profiles"),
        (
            "profile-provider::invalid_sso_credentials_config",
            InvalidConfiguration,
            "sso_account_id",
        ),
    ]
};

/// Cases whose `credential_process` is a shell's line. The SDKs run every such line by a shell;
/// rolecall runs programs without one, as AWS CLI does, so here a shell plays the program.
pub(crate) const NEED_SHELL: &[&str] =
    &["profile-provider::credential_process", "profile-provider::credential_process_failure"];

/// Where the recorded request does not follow from the case's own files (the SDK compares no
/// bodies): case, number of the request, what is wrong, and what follows from the files.
pub(crate) const CORRECTIONS: &[(&str, usize, &str, &str)] = &[
    ("default-chain::ecs_assume_role", 1, "signed by", "ASIARTEST"),
    ("default-chain::eks_pod_identity_credentials", 0, "header authorization", "sometoken"),
    (
        "default-chain::web_identity_token_env",
        0,
        "body RoleArn",
        "arn:aws:iam::123456789012:role/test-role",
    ),
    (
        "default-chain::web_identity_token_profile",
        0,
        "body RoleArn",
        "arn:aws:iam::1234567890123:role/RoleA",
    ),
    ("default-chain::web_identity_token_profile", 0, "body WebIdentityToken", "sometoken"),
    (
        "default-chain::web_identity_token_source_profile",
        0,
        "body RoleArn",
        "arn:aws:iam::123456789012:role/s3-reader",
    ),
    ("default-chain::web_identity_token_source_profile", 0, "body WebIdentityToken", "sometoken"),
];

/// All cases that are named here.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let waiting = WAITING.iter().map(|row| row.0);
    let errors = ERRORS.iter().map(|row| row.0);
    waiting
        .chain(errors)
        .chain(NEED_SHELL.iter().copied())
        .chain(CORRECTIONS.iter().map(|row| row.0))
}
