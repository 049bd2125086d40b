//! CreateSession.

use serde::Deserialize;
use serde_json::{Value, json};

use super::attributes::Attributes;
use super::{Refusal, check_chain, policy, verify};
use crate::calls::Call;
use crate::clock;
use crate::query::decode as decode_form;
use crate::sigv4::{SignedRequest, hex_sha256};
use crate::state::State;
use crate::sts::{ServiceSession, issue_for_service, packed_percent};
use crate::world::{Role, RolesAnywhereProfile};

const SERVICE: &str = "rolesanywhere.amazonaws.com";
const DURATION: std::ops::RangeInclusive<i64> = 900..=43_200;

/// What is asked for: the ARNs in the query or in the body, the rest in the body.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Input {
    trust_anchor_arn: Option<String>,
    profile_arn: Option<String>,
    role_arn: Option<String>,
    duration_seconds: Option<i64>,
    role_session_name: Option<String>,
    instance_properties: std::collections::BTreeMap<String, String>,
}

pub(super) fn create(
    state: &mut State,
    request: &SignedRequest<'_>,
    call: &mut Call,
) -> Result<Value, Refusal> {
    if request.method != "POST" {
        return Err(Refusal::new(405, "MethodNotAllowedException", "Method not allowed"));
    }
    let now = state.clock.now();
    let verified = verify(request, now)?;
    call.region = Some(verified.region.clone());
    let input = read(request)?;
    record(&input, call);
    check_form(&input)?;

    let wanted = |arn: &Option<String>| arn.clone().unwrap_or_default();
    let (anchor_arn, profile_arn, role_arn) =
        (wanted(&input.trust_anchor_arn), wanted(&input.profile_arn), wanted(&input.role_arn));
    let world = &state.world;
    if part(&anchor_arn, 3) != verified.region {
        return Err(Refusal::denied("Invalid signature").because(format!(
            "signed for {}, but the service is that of {anchor_arn}",
            verified.region
        )));
    }
    let anchor = world.trust_anchors.iter().find(|anchor| anchor.arn == anchor_arn);
    // That AWS answers this with 404, and a disabled anchor in these words, is not known for sure.
    let anchor = anchor.ok_or_else(|| {
        Refusal::new(404, "ResourceNotFoundException", "Specified Trust Anchor wasn't found.")
    })?;
    if !anchor.enabled {
        return Err(Refusal::denied("Specified Trust Anchor is disabled."));
    }
    let profile = find_profile(&world.roles_anywhere_profiles, &profile_arn, &anchor_arn)?.clone();
    check_chain(&verified.certificate, &verified.chain, &anchor.certificates, now)?;
    let attributes = Attributes::of(&verified.certificate)
        .ok_or_else(|| Refusal::denied("Untrusted signing certificate"))?;
    call.params.insert("certificate_serial".to_owned(), attributes.serial_hex.clone());

    if !profile.role_arns.contains(&role_arn) {
        return Err(Refusal::denied("Requested Role isn't one of those listed in the Profile."));
    }
    if input.role_session_name.is_some() && !profile.accept_role_session_name {
        return Err(Refusal::denied("Not authorized to set roleSessionName"));
    }
    let name = input.role_session_name.unwrap_or_else(|| attributes.serial_hex.clone());
    let unable = |reason: String| {
        Refusal::denied(format!("Unable to assume role for {role_arn}")).because(reason)
    };
    let role = world.role(&role_arn).cloned().ok_or_else(|| unable("no such role".into()))?;
    check_trust(&role, &anchor_arn, &name, &attributes).map_err(unable)?;

    let most = i64::from(profile.duration_seconds);
    let seconds = input.duration_seconds.map_or(most, |asked| asked.min(most));
    if seconds > i64::from(role.max_session_duration) {
        // The lower of request and profile holds; the role's own limit does not cut, it refuses.
        return Err(Refusal::denied(format!(
            "Unable to assume role for {role_arn}\nThe requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )));
    }
    let percent = packed_percent(profile.session_policy.as_deref(), &[], &attributes.tags);
    if percent > 100 {
        return Err(unable(format!("policy and tags take {percent}% of their space")));
    }
    let session = issue_for_service(
        state,
        &role,
        ServiceSession {
            name: &name,
            expires: now + seconds,
            policy: profile.session_policy,
            tags: attributes.tags,
            source_identity: attributes.source_identity.clone(),
        },
    );
    call.principal = Some(session.principal.arn().to_owned());
    let subject_id = uuid(&format!("{}/{}", part(&anchor_arn, 4), attributes.subject));
    Ok(json!({
        "credentialSet": [{
            "assumedRoleUser": {
                "arn": session.principal.arn(), "assumedRoleId": session.principal.id(),
            },
            "credentials": {
                "accessKeyId": session.access_key_id,
                "expiration": clock::extended(session.expires),
                "secretAccessKey": session.secret.expose(),
                "sessionToken": session.token.expose(),
            },
            "packedPolicySize": percent,
            "roleArn": role_arn,
            "sourceIdentity": attributes.source_identity,
        }],
        "subjectArn": format!(
            "arn:{}:rolesanywhere:{}:{}:subject/{subject_id}",
            part(&anchor_arn, 1), verified.region, part(&anchor_arn, 4),
        ),
    }))
}

fn read(request: &SignedRequest<'_>) -> Result<Input, Refusal> {
    let invalid = |message: String| Refusal::new(400, "ValidationException", message);
    let mut input = if request.body.is_empty() {
        Input::default()
    } else {
        serde_json::from_slice(request.body).map_err(|error| invalid(error.to_string()))?
    };
    for (name, value) in decode_form(request.query).map_err(|error| invalid(error.message))? {
        let slot = match name.as_str() {
            "trustAnchorArn" => &mut input.trust_anchor_arn,
            "profileArn" => &mut input.profile_arn,
            "roleArn" => &mut input.role_arn,
            _ => continue,
        };
        if slot.as_ref().is_some_and(|other| *other != value) {
            return Err(invalid(format!("{name} is given twice, with two values")));
        }
        *slot = Some(value);
    }
    Ok(input)
}

fn record(input: &Input, call: &mut Call) {
    let duration = input.duration_seconds.map(|seconds| seconds.to_string());
    for (name, value) in [
        ("trustAnchorArn", &input.trust_anchor_arn),
        ("profileArn", &input.profile_arn),
        ("roleArn", &input.role_arn),
        ("roleSessionName", &input.role_session_name),
        ("durationSeconds", &duration),
    ] {
        if let Some(value) = value {
            call.params.insert(name.to_owned(), value.clone());
        }
    }
    for (name, value) in &input.instance_properties {
        call.params.insert(format!("instanceProperties.{name}"), value.clone());
    }
}

/// The form of what is given, each problem in AWS's words, all in one message.
fn check_form(input: &Input) -> Result<(), Refusal> {
    let mut problems = Vec::new();
    let failed = |name: &str, value: &str, constraint: &str| {
        format!("Value {value} at '{name}' failed to satisfy constraint: {constraint}")
    };
    for (name, arn, start) in [
        ("trustAnchorArn", &input.trust_anchor_arn, ":rolesanywhere:"),
        ("profileArn", &input.profile_arn, ":rolesanywhere:"),
        ("roleArn", &input.role_arn, ":iam:"),
    ] {
        match arn {
            None => problems.push(failed(name, "null", "Member must not be null")),
            Some(arn) if !arn.starts_with("arn:") || !arn.contains(start) => {
                let constraint = "Member must satisfy regular expression pattern: ^arn:aws(-[^:]+)?:(rolesanywhere|iam):.*$";
                problems.push(failed(name, &format!("'{arn}'"), constraint));
            }
            Some(_) => {}
        }
    }
    if let Some(seconds) = input.duration_seconds.filter(|seconds| !DURATION.contains(seconds)) {
        let constraint = if seconds < *DURATION.start() {
            format!("Member must have value greater than or equal to {}", DURATION.start())
        } else {
            format!("Member must have value less than or equal to {}", DURATION.end())
        };
        problems.push(failed("durationSeconds", &format!("'{seconds}'"), &constraint));
    }
    if let Some(name) = &input.role_session_name {
        let letter = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        if !(2..=64).contains(&name.len()) || !name.chars().all(letter) {
            let constraint = "Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}";
            problems.push(failed("roleSessionName", &format!("'{name}'"), constraint));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let errors = if problems.len() == 1 { "error" } else { "errors" };
    Err(Refusal::new(
        400,
        "ValidationException",
        format!("{} validation {errors} detected: {}", problems.len(), problems.join("; ")),
    ))
}

/// An enabled profile of the anchor's account and region.
fn find_profile<'a>(
    profiles: &'a [RolesAnywhereProfile],
    arn: &str,
    anchor_arn: &str,
) -> Result<&'a RolesAnywhereProfile, Refusal> {
    let refused = |reason: &str| {
        Refusal::denied("Invalid or empty profile provided.").because(format!("{arn}: {reason}"))
    };
    let profile = profiles.iter().find(|profile| profile.arn == arn);
    let profile = profile.ok_or_else(|| refused("there is none"))?;
    if !profile.enabled {
        return Err(refused("it is disabled"));
    }
    if [3, 4].iter().any(|at| part(arn, *at) != part(anchor_arn, *at)) {
        return Err(refused("it is of another region or account than the trust anchor"));
    }
    Ok(profile)
}

/// All three actions must be allowed: a session has a source identity and tags from the start.
fn check_trust(
    role: &Role,
    anchor_arn: &str,
    session_name: &str,
    attributes: &Attributes,
) -> Result<(), String> {
    let policy = role.trust.policy.as_ref().ok_or("the role has no trust policy for services")?;
    let mut facts: Vec<(String, &str)> = vec![
        ("aws:SourceArn".to_owned(), anchor_arn),
        ("aws:SourceAccount".to_owned(), part(anchor_arn, 4)),
        ("sts:SourceIdentity".to_owned(), &attributes.source_identity),
        ("sts:RoleSessionName".to_owned(), session_name),
    ];
    for (key, value) in &attributes.tags {
        facts.push((format!("aws:PrincipalTag/{key}"), value));
        facts.push((format!("aws:RequestTag/{key}"), value));
    }
    for action in ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"] {
        if !policy::allows(policy, SERVICE, action, &facts)? {
            return Err(format!("the trust policy does not allow {action} with {facts:?}"));
        }
    }
    Ok(())
}

/// A part of an ARN, counted from 0; empty if it has fewer.
fn part(arn: &str, at: usize) -> &str {
    arn.split(':').nth(at).unwrap_or_default()
}

/// Always the same UUID for the same text.
fn uuid(text: &str) -> String {
    let hash = hex_sha256(text.as_bytes());
    format!("{}-{}-{}-{}-{}", &hash[..8], &hash[8..12], &hash[12..16], &hash[16..20], &hash[20..32])
}
