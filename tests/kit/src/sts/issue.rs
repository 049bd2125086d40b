//! Handing out sessions.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Work;
use crate::error::AwsError;
use crate::principal::{Principal, Session};
use crate::query::Params;
use crate::secret::Secret;
use crate::state::State;
use crate::world::{Role, World};
use crate::xml::Element;
use crate::{clock, doors};

/// What the caller asked to limit or mark the session with.
#[derive(Default)]
pub(super) struct Wishes {
    pub(super) mfa: bool,
    pub(super) policy: Option<String>,
    pub(super) policy_arns: Vec<String>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) transitive_tag_keys: Vec<String>,
    pub(super) source_identity: Option<String>,
    /// Percentage, if any policy or tag was given.
    pub(super) packed_size: Option<usize>,
}

impl Wishes {
    /// Reads `Policy`, `PolicyArns` and `Tags`, and checks what their plain text may hold.
    pub(super) fn from_params(params: &Params) -> Result<Wishes, AwsError> {
        let policy = params.get("Policy").map(str::to_owned);
        if let Some(policy) = &policy {
            let json = serde_json::from_str::<serde_json::Value>(policy);
            if !json.is_ok_and(|json| json.get("Statement").is_some()) {
                return Err(AwsError::new(
                    400,
                    "MalformedPolicyDocument",
                    "The policy is not in the valid JSON format.",
                ));
            }
        }
        let policy_arns = owned(params.list("PolicyArns", "arn"));
        let tags = params.tags();
        let mut keys: Vec<String> = tags.iter().map(|(key, _)| key.to_lowercase()).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(AwsError::new(
                400,
                "InvalidParameterValue",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        let policies = policy.as_ref().map_or(0, String::len)
            + policy_arns.iter().map(String::len).sum::<usize>();
        let marks: usize = tags.iter().map(|(key, value)| key.len() + value.len()).sum();
        // AWS packs all of this into a binary form whose size it does not document: the kit calls
        // 2,048 bytes of plain text full.
        let percent = ((policies + marks) * 100).div_ceil(2048);
        if percent > 100 {
            return Err(AwsError::new(
                400,
                "PackedPolicyTooLarge",
                format!(
                    "Packed size of session tags and policies consumes {percent}% of allotted space."
                ),
            ));
        }
        let transitive_tag_keys = owned(params.list("TransitiveTagKeys", ""));
        Ok(Wishes {
            mfa: false,
            policy,
            policy_arns,
            tags,
            transitive_tag_keys,
            source_identity: params.get("SourceIdentity").map(str::to_owned),
            packed_size: (percent > 0).then_some(percent),
        })
    }
}

fn owned(values: Vec<&str>) -> Vec<String> {
    values.into_iter().map(str::to_owned).collect()
}

/// How long a role's session lasts, by the role's own limit.
pub(super) fn role_duration(params: &Params, role: &Role) -> Result<i64, AwsError> {
    let seconds = params.number("DurationSeconds").unwrap_or(3600);
    if seconds > i64::from(role.max_session_duration) {
        return Err(AwsError::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    Ok(seconds)
}

/// Makes the session, keeps it, and writes its `Credentials`.
pub(super) fn issue(
    work: &mut Work<'_>,
    principal: Principal,
    seconds: i64,
    wishes: Wishes,
) -> Element {
    let session = new_session(principal, work.now + seconds, wishes);
    let credentials = Element::parent(
        "Credentials",
        vec![
            Element::text("AccessKeyId", session.access_key_id.as_str()),
            Element::text("SecretAccessKey", session.secret.expose()),
            Element::text("SessionToken", session.token.expose()),
            Element::text("Expiration", clock::extended(session.expires)),
        ],
    );
    work.state.sessions.insert(session.access_key_id.clone(), session);
    credentials
}

/// Makes a session for those who get it without asking STS, and keeps it.
pub(crate) fn issue_unasked(state: &mut State, principal: Principal, expires: i64) -> Session {
    let session = new_session(principal, expires, Wishes::default());
    state.sessions.insert(session.access_key_id.clone(), session.clone());
    session
}

/// Makes the session of a role for those who get it without asking STS, and keeps it; `None` if
/// there is no such role.
pub(crate) fn issue_role_session(
    state: &mut State,
    role_arn: &str,
    session_name: &str,
    seconds: i64,
) -> Option<Session> {
    let role = state.world.role(role_arn)?;
    let principal = assumed_role(&state.world, role, session_name);
    let session = new_session(principal, state.clock.now() + seconds, Wishes::default());
    state.sessions.insert(session.access_key_id.clone(), session.clone());
    Some(session)
}

fn new_session(principal: Principal, expires: i64, wishes: Wishes) -> Session {
    Session {
        access_key_id: format!("ASIA{}", letters::<16>()),
        secret: Secret::new(STANDARD.encode(doors::random::<30>())),
        token: session_token(),
        expires,
        principal,
        mfa: wishes.mfa,
        policy: wishes.policy,
        policy_arns: wishes.policy_arns,
        tags: wishes.tags,
        transitive_tag_keys: wishes.transitive_tag_keys,
        source_identity: wishes.source_identity,
    }
}

fn assumed_role(world: &World, role: &Role, session_name: &str) -> Principal {
    let partition = world.partition(&role.account);
    let arn =
        format!("arn:{partition}:sts::{}:assumed-role/{}/{session_name}", role.account, role.name);
    let id = format!("{}:{session_name}", role.unique_id());
    Principal::AssumedRole { role_arn: world.role_arn(role), arn, id }
}

/// A role's session and the `AssumedRoleUser` that describes it.
pub(super) fn role_session(
    work: &Work<'_>,
    role: &Role,
    session_name: &str,
) -> (Principal, Element) {
    let principal = assumed_role(&work.state.world, role, session_name);
    let user = Element::parent(
        "AssumedRoleUser",
        vec![Element::text("AssumedRoleId", principal.id()), Element::text("Arn", principal.arn())],
    );
    (principal, user)
}

/// As long as AWS's are, because clients must not assume a length, and in standard base64, because
/// `+` and `/` are what bad encoding breaks.
fn session_token() -> Secret {
    Secret::new(format!("IQoJb3JpZ2luX2Vj+/{}", STANDARD.encode(doors::random::<510>())))
}

/// Letters of an id or a key's id.
pub(crate) fn letters<const N: usize>() -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    doors::random::<N>().iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect()
}
