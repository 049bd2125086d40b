use std::collections::BTreeMap;
use std::time::Duration;

use rolecall_core::{Credentials, CredentialsError, ErrorKind, Result, Secret};
use rolecall_sts::{AssumeRole, GetFederationToken, GetSessionToken, StsClient, Tag};

use crate::definition::SecretKind;

/// Makes a session that lasts `ttl`. There is nothing to clear up behind one: it ends by itself.
pub(crate) async fn make_session(
    sts: &StsClient,
    kind: &SecretKind,
    name: &str,
    ttl: Duration,
    mfa_code: Option<Secret>,
) -> Result<Credentials> {
    let duration_seconds = u32::try_from(ttl.as_secs()).ok();
    match kind {
        SecretKind::AssumedRole(role) => {
            let input = AssumeRole {
                role_arn: role.role_arn.clone(),
                role_session_name: name.to_owned(),
                policy_arns: role.policy_arns.clone(),
                policy: role.policy_document.clone(),
                duration_seconds,
                tags: tags(&role.tags),
                external_id: role.external_id.clone(),
                ..AssumeRole::default()
            };
            Ok(sts.assume_role(&input).await?.credentials)
        }
        SecretKind::FederationToken(token) => {
            let input = GetFederationToken {
                name: name.to_owned(),
                policy: token.policy_document.clone(),
                policy_arns: token.policy_arns.clone(),
                duration_seconds,
                tags: tags(&token.tags),
            };
            Ok(sts.get_federation_token(&input).await?.credentials)
        }
        SecretKind::SessionToken(token) => {
            let input = GetSessionToken {
                duration_seconds,
                serial_number: token.mfa_serial.clone(),
                token_code: mfa_code,
            };
            Ok(sts.get_session_token(&input).await?.credentials)
        }
        SecretKind::IamUser(_) => {
            Err(CredentialsError::new(ErrorKind::Internal, "lease", "a user is no session"))
        }
    }
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
}
