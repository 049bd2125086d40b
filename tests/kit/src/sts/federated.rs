//! The two unsigned operations: a role for whoever brings a token of an identity provider.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

use super::Work;
use super::issue::{Wishes, issue, role_duration, role_session};
use crate::error::AwsError;
use crate::jwt;
use crate::saml::{self, Assertion};
use crate::world::{Role, matches};
use crate::xml::Element;

/// The audience of every assertion meant for AWS.
const SAML_AUDIENCE: &str = "https://signin.aws.amazon.com/saml";

pub(super) fn assume_role_with_web_identity(work: &mut Work<'_>) -> Result<Vec<Element>, AwsError> {
    let (params, now) = (work.params, work.now);
    if params.get("ProviderId").is_some() {
        return Err(AwsError::validation(
            "ProviderId is for OAuth 2.0 access tokens: do not give it with an OpenID Connect token.",
        ));
    }
    let token = params.required("WebIdentityToken");
    let claims = jwt::parse(token).ok_or_else(|| {
        invalid_token("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
    })?;
    let role = role_for_anyone(work, "sts:AssumeRoleWithWebIdentity")?;
    let refused =
        || AwsError::access_denied("Not authorized to perform sts:AssumeRoleWithWebIdentity");

    let world = &work.state.world;
    let provider = world
        .oidc_providers
        .iter()
        .find(|provider| provider.account == role.account && provider.url == claims.issuer)
        .ok_or_else(|| {
            invalid_token(format!(
                "No OpenIDConnect provider found in your account for {}",
                claims.issuer
            ))
        })?;
    if !provider.accept_unsigned && !jwt::signed_with(token, provider.hs256_key.expose()) {
        return Err(invalid_token(
            "Couldn't verify the token's signature with your identity provider's key",
        ));
    }
    if claims.expires <= now {
        return Err(AwsError::new(
            400,
            "ExpiredTokenException",
            format!(
                "Token expired: current date/time {now} must be before the expiration date/time {}",
                claims.expires
            ),
        ));
    }
    if claims.not_before.is_some_and(|from| from > now) {
        return Err(invalid_token("The token is not yet valid"));
    }
    let audience = claims.audiences.iter().find(|audience| provider.audiences.contains(audience));
    let audience = audience.ok_or_else(|| invalid_token("Incorrect token audience"))?.clone();

    let trust = role.trust.web_identity.as_ref().ok_or_else(refused)?;
    let audience_ok = trust.audiences.is_empty() || trust.audiences.contains(&audience);
    let subject_ok = trust.subjects.is_empty()
        || trust.subjects.iter().any(|pattern| matches(pattern, &claims.subject));
    if trust.provider != claims.issuer || !audience_ok || !subject_ok {
        return Err(refused());
    }
    let provider_arn = world.oidc_arn(provider);

    let seconds = role_duration(params, &role)?;
    let wishes = Wishes::from_params(params)?;
    let packed_size = wishes.packed_size;
    let (principal, user) = role_session(work, &role, params.required("RoleSessionName"));
    let credentials = issue(work, principal, seconds, wishes);
    let mut elements = vec![
        Element::text("SubjectFromWebIdentityToken", claims.subject),
        Element::text("Audience", audience),
        user,
        credentials,
        Element::text("Provider", provider_arn),
    ];
    elements
        .extend(packed_size.map(|percent| Element::text("PackedPolicySize", percent.to_string())));
    Ok(elements)
}

pub(super) fn assume_role_with_saml(work: &mut Work<'_>) -> Result<Vec<Element>, AwsError> {
    let (params, now) = (work.params, work.now);
    let document = STANDARD
        .decode(params.required("SAMLAssertion"))
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| invalid_token("Invalid base64 SAMLResponse"))?;
    let assertion = saml::parse(&document)
        .ok_or_else(|| invalid_token("Response is not a valid SAML document"))?;
    let role = role_for_anyone(work, "sts:AssumeRoleWithSAML")?;
    let refused = || AwsError::access_denied("Not authorized to perform sts:AssumeRoleWithSAML");

    let provider_arn = params.required("PrincipalArn");
    let provider = work
        .state
        .world
        .saml_providers
        .iter()
        .find(|provider| provider.arn == provider_arn)
        .ok_or_else(|| invalid_token("Specified provider doesn't exist"))?;
    if assertion.issuer != provider.issuer {
        return Err(invalid_token("Issuer not present in specified provider"));
    }
    if !provider.accept_unsigned && !saml::signed_with(&document, provider.key.expose()) {
        return Err(invalid_token("Response signature is invalid"));
    }
    if assertion.audience != SAML_AUDIENCE {
        return Err(invalid_token("SAML Assertion audience is invalid"));
    }
    if assertion.not_on_or_after <= now {
        return Err(AwsError::new(
            400,
            "ExpiredTokenException",
            "Token must be redeemed within 5 minutes of issuance",
        ));
    }
    // The attribute's two halves come in either order.
    let pair = [
        format!("{},{provider_arn}", params.required("RoleArn")),
        format!("{provider_arn},{}", params.required("RoleArn")),
    ];
    let listed = assertion.roles.iter().any(|listed| pair.contains(listed));
    if !listed || role.trust.saml_provider.as_deref() != Some(provider_arn) {
        return Err(refused());
    }

    let mut seconds = role_duration(params, &role)?;
    if let Some(limit) = assertion.session_duration {
        // The smaller of the two holds.
        seconds = seconds.min(limit);
    }
    let qualifier = name_qualifier(&assertion, &role, provider_arn);
    let mut wishes = Wishes::from_params(params)?;
    wishes.source_identity.clone_from(&assertion.source_identity);
    let packed_size = wishes.packed_size;
    let (principal, user) = role_session(work, &role, &assertion.session_name);
    let credentials = issue(work, principal, seconds, wishes);
    let mut elements = vec![
        Element::text("Issuer", assertion.issuer),
        user,
        credentials,
        Element::text("Audience", assertion.audience),
        Element::text("NameQualifier", qualifier),
        Element::text("SubjectType", assertion.subject_type),
        Element::text("Subject", assertion.subject),
    ];
    elements
        .extend(assertion.source_identity.map(|source| Element::text("SourceIdentity", source)));
    elements
        .extend(packed_size.map(|percent| Element::text("PackedPolicySize", percent.to_string())));
    Ok(elements)
}

fn role_for_anyone(work: &Work<'_>, action: &str) -> Result<Role, AwsError> {
    let arn = work.params.required("RoleArn");
    let role = work.state.world.role(arn).cloned();
    role.ok_or_else(|| AwsError::access_denied(format!("Not authorized to perform {action}")))
}

/// AWS's documented hash: base64 of SHA-1 over issuer, account and the provider's name.
fn name_qualifier(assertion: &Assertion, role: &Role, provider_arn: &str) -> String {
    let name = provider_arn.rsplit('/').next().unwrap_or_default();
    let text = format!("{}{}/{name}", assertion.issuer, role.account);
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

fn invalid_token(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidIdentityToken", message)
}
