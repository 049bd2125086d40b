//! GetWebIdentityToken: AWS as an identity provider.

use serde_json::{Map, Value, json};

use super::Work;
use crate::clock;
use crate::error::AwsError;
use crate::jwt::{Algorithm, OutboundKey};
use crate::secret::Secret;
use crate::xml::Element;

pub(super) fn get_web_identity_token(work: &mut Work<'_>) -> Result<Vec<Element>, AwsError> {
    let (params, caller, now) = (work.params, work.signed_caller()?, work.now);
    // Root users have no identity to hand out.
    if matches!(caller.principal, crate::principal::Principal::Root { .. }) {
        return Err(AwsError::not_authorized(
            caller.principal.arn(),
            "sts:GetWebIdentityToken",
            "*",
        ));
    }
    let algorithm = match params.required("SigningAlgorithm") {
        "RS256" => Algorithm::Rs256,
        _ => Algorithm::Es384,
    };
    let audience = params.list("Audience", "");
    let audience = match audience[..] {
        [one] => json!(one),
        _ => json!(audience),
    };
    let expires = now + params.number("DurationSeconds").unwrap_or(300);
    let tags: Map<String, Value> =
        params.tags().into_iter().map(|(key, value)| (key, Value::String(value))).collect();
    let subject = match &caller.principal {
        crate::principal::Principal::AssumedRole { role_arn, .. } => role_arn.as_str(),
        other => other.arn(),
    };
    let claims = json!({
        "iss": format!("http://{}/_kit/oidc", work.host),
        "sub": subject,
        "aud": audience,
        "iat": now,
        "exp": expires,
        "jti": crate::server::request_id(),
        "https://sts.amazonaws.com/": {
            "aws_account": caller.principal.account(),
            "principal_id": caller.principal.arn(),
            "request_tags": tags,
        },
    });
    let key = work.state.outbound.get_or_insert_with(OutboundKey::generate);
    let token = key.sign(algorithm, &claims);
    work.state.minted.push(Secret::new(token.as_str()));
    Ok(vec![
        Element::text("WebIdentityToken", token),
        Element::text("Expiration", clock::extended(expires)),
    ])
}
