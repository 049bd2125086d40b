//! AssumeRole.

use super::Work;
use super::issue::{Wishes, issue, role_duration, role_session};
use crate::caller::Caller;
use crate::error::AwsError;
use crate::principal::Principal;
use crate::state::State;
use crate::xml::Element;

const CHAINED_MAX: i64 = 3600;

pub(super) fn assume_role(work: &mut Work<'_>) -> Result<Vec<Element>, AwsError> {
    let (params, caller) = (work.params, work.signed_caller()?);
    if matches!(caller.principal, Principal::Root { .. }) {
        return Err(AwsError::access_denied("Roles may not be assumed by root accounts."));
    }
    let role_arn = params.required("RoleArn");
    let refused = || AwsError::not_authorized(caller.principal.arn(), "sts:AssumeRole", role_arn);
    if !role_arn.starts_with("arn:") || role_arn.split(':').count() < 6 {
        return Err(AwsError::validation(format!("{role_arn} is invalid")));
    }

    // A code is used up by being shown, whatever else is wrong with the call.
    let mfa_now =
        prove_mfa(work.state, caller, params.get("SerialNumber"), params.get("TokenCode"))?;
    // Whether the role is missing or does not trust the caller is not told apart, as AWS does not.
    let role = work.state.world.role(role_arn).cloned().ok_or_else(refused)?;
    let trust = &role.trust;
    let named = trust.principals.iter().any(|pattern| caller.principal.is_named_by(pattern));
    let external =
        trust.external_id.as_ref().is_none_or(|id| Some(id.as_str()) == params.get("ExternalId"));
    // Only a user's own session carries the proof on; a role's session does not.
    let mfa_before = matches!(caller.principal, Principal::User { .. })
        && caller.session.as_ref().is_some_and(|session| session.mfa);
    if !named || !external || (trust.mfa && !mfa_now && !mfa_before) {
        return Err(refused());
    }

    let chained = caller.session.is_some();
    if chained && params.number("DurationSeconds").is_some_and(|asked| asked > CHAINED_MAX) {
        return Err(AwsError::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ));
    }
    let seconds = role_duration(params, &role)?;

    let mut wishes = Wishes::from_params(params)?;
    inherit(caller, &mut wishes)?;
    let packed_size = wishes.packed_size;
    let source_identity = wishes.source_identity.clone();
    let (principal, user) = role_session(work, &role, params.required("RoleSessionName"));
    let credentials = issue(work, principal, seconds, wishes);

    let mut elements = Vec::new();
    elements.extend(source_identity.map(|source| Element::text("SourceIdentity", source)));
    elements.extend([user, credentials]);
    elements
        .extend(packed_size.map(|percent| Element::text("PackedPolicySize", percent.to_string())));
    Ok(elements)
}

/// What a chained session takes over from the one before: transitive tags and source identity.
fn inherit(caller: &Caller, wishes: &mut Wishes) -> Result<(), AwsError> {
    let Some(before) = &caller.session else { return Ok(()) };
    let transitive = |key: &String| before.transitive_tag_keys.contains(key);
    for (key, value) in before.tags.iter().filter(|(key, _)| transitive(key)) {
        if wishes.tags.iter().any(|(new, _)| new.eq_ignore_ascii_case(key)) {
            return Err(AwsError::new(
                400,
                "InvalidParameterValue",
                "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
            ));
        }
        wishes.tags.push((key.clone(), value.clone()));
        if !wishes.transitive_tag_keys.contains(key) {
            wishes.transitive_tag_keys.push(key.clone());
        }
    }
    match (&before.source_identity, &wishes.source_identity) {
        (Some(old), Some(new)) if old != new => Err(AwsError::access_denied(format!(
            "User: {} is not authorized to perform: sts:SetSourceIdentity",
            caller.principal.arn()
        ))),
        (Some(old), _) => {
            wishes.source_identity = Some(old.clone());
            Ok(())
        }
        (None, _) => Ok(()),
    }
}

/// Whether an MFA device was proven by this call; wrong or half proofs are refused.
pub(super) fn prove_mfa(
    state: &mut State,
    caller: &Caller,
    serial: Option<&str>,
    code: Option<&str>,
) -> Result<bool, AwsError> {
    let (serial, code) = match (serial, code) {
        (None, None) => return Ok(false),
        (Some(serial), Some(code)) => (serial, code),
        _ => {
            return Err(AwsError::access_denied(
                "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
            ));
        }
    };
    let world = &state.world;
    let user = world.user_index_of_arn(caller.principal.arn()).map(|at| &world.users[at]);
    let device =
        user.into_iter().flat_map(|user| &user.mfa_devices).find(|device| device.serial == serial);
    let Some(device) = device else {
        return Err(AwsError::access_denied(
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.",
        ));
    };
    let known = device.codes.iter().any(|known| known.expose() == code);
    let reusable = device.reusable;
    let fresh = known && state.used_codes.insert((serial.to_owned(), code.to_owned()));
    if !known || !(fresh || reusable) {
        return Err(AwsError::access_denied(
            "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
        ));
    }
    Ok(true)
}
