//! What is told of leases, as JSON. There is no secret in any of it.

use std::time::{Duration, SystemTime};

use rolecall_core::{CredentialsError, timestamp};
use rolecall_secrets::{AuditEntry, Fate, Lease, LeaseId, Orphan, Probe, StoreInfo, StoredSecret};
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
        "revocable": principal.is_revocable(),
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

/// Which store it is, and why it may be a copy from the past, if it may.
pub fn store_to_json(info: &StoreInfo) -> Value {
    json!({
        "id": info.id,
        "epoch": info.epoch,
        "doubt": info.doubt.map(|doubt| doubt.to_string()),
    })
}

/// What came of taking back `all` leases, when those of `failures` could not be.
pub fn revoked_to_json(all: usize, failures: &[(LeaseId, CredentialsError)]) -> Value {
    let told = failures.iter().map(|(id, error)| {
        json!({"lease": id.to_string(), "message": error.message(), "help": error.help()})
    });
    json!({"revoked": all - failures.len(), "failures": told.collect::<Vec<_>>()})
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
