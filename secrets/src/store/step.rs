//! What both stores do within a transaction, between reading and writing.

use std::fmt;
use std::time::{Duration, SystemTime};

use rolecall_core::{Context, CredentialsError, ErrorKind, Result};

use super::{Claimant, Conflict, PROVIDER, StoredSecret};
use crate::audit::{AuditEntry, AuditHead, Outcome, Record};
use crate::change::{Change, change};
use crate::definition::DynamicSecret;
use crate::lease::{Lease, LeaseId, LeaseState, NewLease, Principal};

/// A lease as a store keeps it, with the end of its log.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) lease: Lease,
    pub(super) head: AuditHead,
}

/// The columns of a lease in the order of [`LeaseRow`]'s fields.
pub(super) const LEASE_COLUMNS: &str = "id, secret, secret_version, state, account_id, kind, name, \
    path, nonce, identity, note, created_at, expires_at, max_expires_at, access_key_id, sealed, \
    due_at, attempts, failure, fence, claimed_until, claimed_by, log_sequence, log_digest";

/// A lease in the types that databases have.
#[derive(Clone, Debug)]
pub(super) struct LeaseRow {
    pub(super) id: Vec<u8>,
    pub(super) secret: String,
    pub(super) secret_version: i64,
    pub(super) state: String,
    pub(super) account_id: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) path: String,
    pub(super) nonce: String,
    pub(super) identity: String,
    pub(super) note: String,
    pub(super) created_at: i64,
    pub(super) expires_at: i64,
    pub(super) max_expires_at: i64,
    pub(super) access_key_id: Option<String>,
    pub(super) sealed: Option<Vec<u8>>,
    pub(super) due_at: Option<i64>,
    pub(super) attempts: i64,
    pub(super) failure: Option<String>,
    pub(super) fence: i64,
    pub(super) claimed_until: Option<i64>,
    pub(super) claimed_by: Option<String>,
    pub(super) log_sequence: i64,
    pub(super) log_digest: Vec<u8>,
}

impl From<Kept> for LeaseRow {
    fn from(Kept { lease, head }: Kept) -> Self {
        Self {
            id: lease.id.0.to_be_bytes().to_vec(),
            secret: lease.secret,
            secret_version: lease.secret_version.into(),
            state: lease.state.name().to_owned(),
            account_id: lease.principal.account_id,
            kind: lease.principal.kind,
            name: lease.principal.name,
            path: lease.principal.path,
            nonce: lease.principal.nonce,
            identity: lease.identity,
            note: lease.note,
            created_at: millis(lease.created_at),
            expires_at: millis(lease.expires_at),
            max_expires_at: millis(lease.max_expires_at),
            access_key_id: lease.access_key_id,
            sealed: lease.sealed,
            due_at: lease.due_at.map(millis),
            attempts: lease.attempts.into(),
            failure: lease.failure,
            fence: number(lease.fence),
            claimed_until: lease.claimed_until.map(millis),
            claimed_by: lease.claimed_by,
            log_sequence: head.sequence.into(),
            log_digest: hex::decode(&head.digest).unwrap_or_default(),
        }
    }
}

impl TryFrom<LeaseRow> for Kept {
    type Error = CredentialsError;

    fn try_from(row: LeaseRow) -> Result<Self> {
        let id = row.id.try_into().map_err(|_| damaged("a lease's id"))?;
        let id = LeaseId(u128::from_be_bytes(id));
        let damaged = |what| damaged(format_args!("{what} of lease {id}"));
        let lease = Lease {
            id,
            secret: row.secret,
            secret_version: row.secret_version.try_into().map_err(|_| damaged("the version"))?,
            state: LeaseState::named(&row.state).ok_or_else(|| damaged("the state"))?,
            principal: Principal {
                account_id: row.account_id,
                kind: row.kind,
                name: row.name,
                path: row.path,
                nonce: row.nonce,
            },
            identity: row.identity,
            note: row.note,
            created_at: time(row.created_at),
            expires_at: time(row.expires_at),
            max_expires_at: time(row.max_expires_at),
            access_key_id: row.access_key_id,
            sealed: row.sealed,
            due_at: row.due_at.map(time),
            attempts: row.attempts.try_into().map_err(|_| damaged("the attempts"))?,
            failure: row.failure,
            fence: row.fence.try_into().map_err(|_| damaged("the fence"))?,
            claimed_until: row.claimed_until.map(time),
            claimed_by: row.claimed_by,
        };
        Ok(Self { lease, head: head(row.log_sequence, &row.log_digest)? })
    }
}

/// A line of the audit log in the types that databases have, without its subject.
#[derive(Clone, Debug)]
pub(super) struct EntryRow {
    pub(super) sequence: i64,
    pub(super) at: i64,
    pub(super) actor: String,
    pub(super) action: String,
    pub(super) outcome: String,
    pub(super) detail: String,
    pub(super) digest: Vec<u8>,
}

impl EntryRow {
    /// The line, of `subject`'s log. What cannot have been written stays visible as such.
    pub(super) fn into_entry(self, subject: &str) -> Result<AuditEntry> {
        let damaged = |what| damaged(format_args!("{what} of a log line of {subject}"));
        Ok(AuditEntry {
            subject: subject.to_owned(),
            sequence: self.sequence.try_into().map_err(|_| damaged("the number"))?,
            at_millis: self.at,
            actor: self.actor,
            action: self.action,
            outcome: Outcome::named(&self.outcome).ok_or_else(|| damaged("the outcome"))?,
            detail: self.detail,
            digest: hex::encode(self.digest),
        })
    }
}

/// A definition in the types that databases have.
#[derive(Clone, Debug)]
pub(super) struct SecretRow {
    pub(super) version: i64,
    pub(super) changed_at: i64,
    pub(super) definition: String,
}

impl TryFrom<SecretRow> for StoredSecret {
    type Error = CredentialsError;

    fn try_from(row: SecretRow) -> Result<Self> {
        let secret = serde_json::from_str(&row.definition).map_err(|error| {
            damaged(format_args!("a definition ({error})"))
                .with_help("if a newer rolecall wrote it, use that one")
        })?;
        let version = row.version.try_into().map_err(|_| damaged("a definition's version"))?;
        Ok(Self { secret, version, changed_at: time(row.changed_at) })
    }
}

/// The definition as text.
pub(super) fn text_of(secret: &DynamicSecret) -> Result<String> {
    // A name that reads as a lease's id would be taken for that lease in the audit log.
    if secret.name.parse::<LeaseId>().is_ok() || secret.name.starts_with('@') {
        let message = format!("a definition cannot be called {}: lease ids look so", secret.name);
        return Err(CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
            .with_help("choose another name"));
    }
    serde_json::to_string(secret).map_err(|error| {
        let message = format!("the definition {} cannot be written: {error}", secret.name);
        CredentialsError::new(ErrorKind::Internal, PROVIDER, message)
    })
}

/// A new lease at `now`, with the first line of its log.
pub(super) fn begin(
    lease: &NewLease,
    claimant: &Claimant,
    record: &Record,
    now: SystemTime,
) -> (Kept, AuditEntry) {
    let entry = record.after(None, &lease.id.to_string(), now);
    (Kept { lease: whole(lease.begin(claimant, now)), head: entry.head() }, entry)
}

/// What becomes of `kept` by `what`, with the next line of its log.
pub(super) fn advance(
    kept: &Kept,
    fence: u64,
    what: &Change,
    record: &Record,
    now: SystemTime,
) -> Result<(Kept, AuditEntry)> {
    if kept.lease.fence != fence {
        return Err(Conflict::FenceLost.error(format!("lease {}", kept.lease.id)));
    }
    let lease = change(&kept.lease, what, now).map_err(|why| wrong_state(kept, &why))?;
    Ok(logged(kept, lease, record, now))
}

/// `kept` as `claimant` seizes it, with the next line of its log; `None` while somebody is taking it
/// back already.
pub(super) fn seize(
    kept: &Kept,
    claimant: &Claimant,
    record: &Record,
    now: SystemTime,
) -> Result<Option<(Kept, AuditEntry)>> {
    let seized = kept.lease.seized(claimant, now).map_err(|why| wrong_state(kept, &why))?;
    Ok(seized.map(|lease| logged(kept, lease, record, now)))
}

fn logged(old: &Kept, lease: Lease, record: &Record, now: SystemTime) -> (Kept, AuditEntry) {
    let entry = record.after(Some(&old.head), &lease.id.to_string(), now);
    (Kept { lease: whole(lease), head: entry.head() }, entry)
}

fn wrong_state(kept: &Kept, why: &str) -> CredentialsError {
    let message = format!("lease {}: {why}", kept.lease.id);
    CredentialsError::new(ErrorKind::Denied, PROVIDER, message).with_source(Conflict::WrongState)
}

/// The leases among `rows`; those that make no sense are told, and keep nobody from the others.
pub(super) fn readable(rows: impl IntoIterator<Item = LeaseRow>) -> Vec<Lease> {
    let leases = rows.into_iter().filter_map(|row| match Kept::try_from(row) {
        Ok(kept) => Some(kept.lease),
        Err(error) => {
            tracing::error!("a lease was passed over: {error}");
            None
        }
    });
    leases.collect()
}

/// `lease` as `claimant` claims it at `now`; `None` while a claim holds. Nothing is logged: a claim
/// does nothing by itself.
pub(super) fn claim(lease: &Lease, claimant: &Claimant, now: SystemTime) -> Option<Lease> {
    lease.claimed(claimant, now).map(whole)
}

/// The end of a log as it is kept.
pub(super) fn head(sequence: i64, digest: &[u8]) -> Result<AuditHead> {
    let sequence = sequence.try_into().map_err(|_| damaged("the end of a log"))?;
    Ok(AuditHead { sequence, digest: hex::encode(digest) })
}

/// An id for a new store: 12 of `a-z 0-9`.
pub(super) fn new_store_id(context: &Context) -> String {
    const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut bits = u128::from(context.random.bits()) << 64 | u128::from(context.random.bits());
    let mut digit = || {
        let digit = DIGITS[(bits % 36) as usize];
        bits /= 36;
        char::from(digit)
    };
    (0..12).map(|_| digit()).collect()
}

/// Something in the store that we cannot have written.
pub(super) fn damaged(what: impl fmt::Display) -> CredentialsError {
    let message = format!("the store is damaged: {what} makes no sense");
    CredentialsError::new(ErrorKind::Malformed, PROVIDER, message)
        .with_help("restore the store from a backup")
}

/// Milliseconds since 1970.
pub(super) fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(i64::MAX)
}

/// The time `millis` milliseconds after 1970.
pub(super) fn time(millis: i64) -> SystemTime {
    let since = Duration::from_millis(millis.try_into().unwrap_or(0));
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A number as databases have it.
pub(super) fn number(number: u64) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// The lease with its times as they are kept.
fn whole(mut lease: Lease) -> Lease {
    let whole = |at: SystemTime| time(millis(at));
    lease.created_at = whole(lease.created_at);
    lease.expires_at = whole(lease.expires_at);
    lease.max_expires_at = whole(lease.max_expires_at);
    lease.due_at = lease.due_at.map(whole);
    lease.claimed_until = lease.claimed_until.map(whole);
    lease
}
