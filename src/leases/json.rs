//! What is told of leases, as JSON. There is no secret in any of it.

use std::time::{Duration, SystemTime};

use rolecall_core::timestamp;
use rolecall_secrets::{AuditEntry, Fate, Lease, Orphan, Probe, StoredSecret};
use serde_json::{Value, json};

/// A definition: its own fields, with its version and when that was written.
pub fn secret_to_json(stored: &StoredSecret) -> Value {
    let mut value = serde_json::to_value(&stored.secret).unwrap_or_default();
    value["version"] = stored.version.into();
    value["changed_at"] = timestamp::format(stored.changed_at).into();
    value
}

/// A lease.
pub fn lease_to_json(lease: &Lease) -> Value {
    let principal = &lease.principal;
    let time = |time: SystemTime| timestamp::format(time);
    json!({
        "id": lease.id.to_string(),
        "secret": lease.secret,
        "secret_version": lease.secret_version,
        "state": lease.state.name(),
        "kind": principal.kind,
        "account_id": principal.account_id,
        "name": principal.name,
        "path": principal.path,
        "access_key_id": lease.access_key_id,
        "identity": lease.identity,
        "note": lease.note,
        "created_at": time(lease.created_at),
        "expires_at": time(lease.expires_at),
        "max_expires_at": time(lease.max_expires_at),
        "revocable": principal.kind == "iam-user",
        "kept": lease.sealed.is_some(),
        "attempts": lease.attempts,
        "failure": lease.failure,
        "due_at": lease.due_at.map(time),
        "claimed_by": lease.claimed_by,
    })
}

/// A line of the audit log.
pub fn entry_to_json(entry: &AuditEntry) -> Value {
    json!({
        "sequence": entry.sequence,
        "at": timestamp::format(time_of(entry)),
        "actor": entry.actor,
        "action": entry.action,
        "outcome": entry.outcome.name(),
        "detail": entry.detail,
        "digest": entry.digest,
    })
}

fn time_of(entry: &AuditEntry) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(entry.at_millis).unwrap_or_default());
    SystemTime::UNIX_EPOCH + since
}

/// What trying a definition has shown.
pub fn probe_to_json(probe: &Probe) -> Value {
    json!({
        "account_id": probe.account_id,
        "arn": probe.arn,
        "missing": probe.missing,
        "untried": probe.untried,
        "policy": probe.policy,
    })
}

/// A user that no lease needs.
pub fn orphan_to_json(orphan: &Orphan) -> Value {
    let (fate, failure) = match &orphan.fate {
        Fate::Found => ("found", None),
        Fate::Removed => ("removed", None),
        Fate::Failed(why) => ("failed", Some(why)),
    };
    json!({
        "arn": orphan.arn,
        "user_name": orphan.user_name,
        "lease": orphan.lease,
        "expires": orphan.expires,
        "why": orphan.why,
        "fate": fate,
        "failure": failure,
    })
}
