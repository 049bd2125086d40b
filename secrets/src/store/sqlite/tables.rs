//! The statements. Each function is part of a transaction that the caller has begun.

use std::time::SystemTime;

use rolecall_core::Result;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::super::auth::METHOD_SUBJECT;
use super::super::guard::Standing;
use super::super::step::{
    self, EntryRow, Kept, LEASE_COLUMNS, LeaseRow, SecretRow, millis, number, time,
};
use super::super::{Claimant, Conflict, LeaseFilter, STORE_SUBJECT, StoredSecret};
use super::error::failed;
use crate::audit::{AuditEntry, AuditHead, Record};
use crate::change::{Change, LONGEST_CLAIM};
use crate::definition::DynamicSecret;
use crate::lease::{Lease, LeaseId, LeaseState, NewLease};

/// Whose log: kept short for leases, of which there are many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject<'a> {
    Lease(LeaseId),
    Name(&'a str),
}

impl<'a> Subject<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        text.parse().map_or(Self::Name(text), Self::Lease)
    }
}

impl ToSql for Subject<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Lease(id) => ToSqlOutput::Owned(Value::Blob(id.0.to_be_bytes().to_vec())),
            Self::Name(name) => ToSqlOutput::Borrowed(ValueRef::Text(name.as_bytes())),
        })
    }
}

pub(super) fn standing(connection: &Connection) -> Result<Standing> {
    let sql = "SELECT id, epoch, is_restored, (SELECT max(number) FROM audit) FROM store";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let row = statement.query_row([], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get(2)?, row.get::<_, Option<i64>>(3)?))
    });
    let (id, epoch, is_restored, entries) = row.map_err(failed)?;
    Ok(Standing {
        id,
        epoch: epoch.unsigned_abs(),
        entries: entries.unwrap_or(0).unsigned_abs(),
        is_restored,
        is_at_home: None,
    })
}

pub(super) fn mark_restored(connection: &Connection) -> Result<()> {
    connection.execute("UPDATE store SET is_restored = 1", []).map_err(failed)?;
    Ok(())
}

pub(super) fn accept_restored(
    connection: &Connection,
    record: &Record,
    now: SystemTime,
) -> Result<()> {
    let last = head(connection, &Subject::Name(STORE_SUBJECT))?;
    log_on(connection, &Subject::Name(STORE_SUBJECT), last.as_ref(), record, now)?;
    let sql = "UPDATE store SET epoch = epoch + 1, is_restored = 0";
    connection.execute(sql, []).map_err(failed)?;
    Ok(())
}

pub(super) fn note(
    connection: &Connection,
    subject: &str,
    record: &Record,
    now: SystemTime,
) -> Result<()> {
    let subject = Subject::of(subject);
    let last = head(connection, &subject)?;
    match &subject {
        Subject::Lease(id) if last.is_none() => {
            Err(Conflict::NoSuchLease.error(format!("lease {id}")))
        }
        Subject::Name(name) if last.is_none() && *name != STORE_SUBJECT => {
            Err(Conflict::NoSuchSecret.error(format!("secret {name}")))
        }
        _ => log_on(connection, &subject, last.as_ref(), record, now),
    }
}

/// Adds a line to a log that ends with `last`.
fn log_on(
    connection: &Connection,
    subject: &Subject<'_>,
    last: Option<&AuditHead>,
    record: &Record,
    now: SystemTime,
) -> Result<()> {
    let (name, sql) = match subject {
        Subject::Lease(id) => {
            (id.to_string(), "UPDATE lease SET log_sequence = ?1, log_digest = ?2 WHERE id = ?3")
        }
        Subject::Name(STORE_SUBJECT) => (
            STORE_SUBJECT.to_owned(),
            "UPDATE store SET log_sequence = ?1, log_digest = ?2 WHERE ?3 IS NOT NULL",
        ),
        Subject::Name(name) => (
            (*name).to_owned(),
            "UPDATE definition SET log_sequence = ?1, log_digest = ?2 WHERE name = ?3",
        ),
    };
    let entry = record.after(last, &name, now);
    log(connection, subject, &entry)?;
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    statement.execute(params![entry.sequence, digest(&entry), subject]).map_err(failed)?;
    Ok(())
}

pub(super) fn create_secret(
    connection: &Connection,
    secret: &DynamicSecret,
    record: &Record,
    now: SystemTime,
) -> Result<()> {
    let found = definition(connection, &secret.name)?;
    let version = match &found {
        Some((_, true, _)) => {
            return Err(Conflict::SecretExists.error(format!("secret {}", secret.name)));
        }
        Some((version, false, _)) => version + 1,
        None => 1,
    };
    write_version(connection, secret, version, found.map(|(_, _, head)| head), record, now)
}

pub(super) fn update_secret(
    connection: &Connection,
    secret: &DynamicSecret,
    version: u32,
    record: &Record,
    now: SystemTime,
) -> Result<()> {
    let about = || format!("secret {}", secret.name);
    match definition(connection, &secret.name)? {
        Some((current, true, head)) if current == i64::from(version) => {
            write_version(connection, secret, current + 1, Some(head), record, now)
        }
        Some((_, true, _)) => Err(Conflict::SecretChanged.error(about())),
        _ => Err(Conflict::NoSuchSecret.error(about())),
    }
}

pub(super) fn delete_secret(
    connection: &Connection,
    name: &str,
    record: &Record,
    now: SystemTime,
) -> Result<()> {
    let about = || format!("secret {name}");
    let Some((_, true, head)) = definition(connection, name)? else {
        return Err(Conflict::NoSuchSecret.error(about()));
    };
    let sql = "SELECT EXISTS (SELECT 1 FROM lease WHERE secret = ?1 AND state = ?2)";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    for state in LeaseState::ALL.into_iter().filter(|state| !state.is_over()) {
        if statement.query_row([name, state.name()], |row| row.get(0)).map_err(failed)? {
            return Err(Conflict::SecretInUse.error(about()));
        }
    }
    log_on(connection, &Subject::Name(name), Some(&head), record, now)?;
    let sql = "UPDATE definition SET is_in_use = 0 WHERE name = ?1";
    connection.execute(sql, [name]).map_err(failed)?;
    Ok(())
}

fn definition(connection: &Connection, name: &str) -> Result<Option<(i64, bool, AuditHead)>> {
    let sql = "SELECT version, is_in_use, log_sequence, log_digest FROM definition WHERE name = ?1";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let row = statement.query_row([name], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, Vec<u8>>(3)?))
    });
    let row = row.optional().map_err(failed)?;
    row.map(|(version, in_use, sequence, digest)| {
        Ok((version, in_use, step::head(sequence, &digest)?))
    })
    .transpose()
}

fn write_version(
    connection: &Connection,
    secret: &DynamicSecret,
    version: i64,
    last: Option<AuditHead>,
    record: &Record,
    now: SystemTime,
) -> Result<()> {
    let name = &secret.name;
    let text = step::text_of(secret)?;
    let entry = record.after(last.as_ref(), name, now);
    log(connection, &Subject::Name(name), &entry)?;
    let sql = "INSERT OR REPLACE INTO definition \
               (name, version, is_in_use, log_sequence, log_digest) VALUES (?1, ?2, 1, ?3, ?4)";
    let row = params![name, version, entry.sequence, digest(&entry)];
    connection.execute(sql, row).map_err(failed)?;
    let sql = "INSERT INTO definition_version (name, version, changed_at, definition) \
               VALUES (?1, ?2, ?3, ?4)";
    connection.execute(sql, params![name, version, millis(now), text]).map_err(failed)?;
    Ok(())
}

pub(super) fn secret(
    connection: &Connection,
    name: &str,
    version: Option<u32>,
) -> Result<Option<StoredSecret>> {
    let sql = "SELECT version, changed_at, definition FROM definition_version \
               WHERE name = ?1 AND version = coalesce(?2, \
               (SELECT version FROM definition WHERE name = ?1 AND is_in_use))";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let row = statement.query_row(params![name, version], secret_row).optional().map_err(failed)?;
    row.map(StoredSecret::try_from).transpose()
}

pub(super) fn secrets(
    connection: &Connection,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<StoredSecret>> {
    let sql = "SELECT version, changed_at, definition \
               FROM definition JOIN definition_version USING (name, version) \
               WHERE is_in_use AND name > ?1 ORDER BY name LIMIT ?2";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let rows = statement.query_map(params![after.unwrap_or(""), limit], secret_row);
    rows.map_err(failed)?.map(|row| row.map_err(failed)?.try_into()).collect()
}

fn secret_row(row: &Row<'_>) -> rusqlite::Result<SecretRow> {
    Ok(SecretRow { version: row.get(0)?, changed_at: row.get(1)?, definition: row.get(2)? })
}

pub(super) fn begin(
    connection: &Connection,
    lease: &NewLease,
    claimant: &Claimant,
    record: &Record,
    now: SystemTime,
) -> Result<Lease> {
    match definition(connection, &lease.secret)? {
        Some((version, true, _)) if i64::from(lease.secret_version) <= version => {}
        _ => return Err(Conflict::NoSuchSecret.error(format!("secret {}", lease.secret))),
    }
    if kept(connection, lease.id)?.is_some() {
        return Err(Conflict::LeaseExists.error(format!("lease {}", lease.id)));
    }
    let (kept, entry) = step::begin(lease, claimant, record, now);
    log(connection, &Subject::Lease(lease.id), &entry)?;
    let begun = kept.lease.clone();
    let row = LeaseRow::from(kept);
    let sql = format!(
        "INSERT INTO lease ({LEASE_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, \
         ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let row = params![
        row.id,
        row.secret,
        row.secret_version,
        row.state,
        row.account_id,
        row.kind,
        row.name,
        row.path,
        row.nonce,
        row.identity,
        row.note,
        row.created_at,
        row.expires_at,
        row.max_expires_at,
        row.access_key_id,
        row.sealed,
        row.due_at,
        row.attempts,
        row.failure,
        row.fence,
        row.claimed_until,
        row.claimed_by,
        row.log_sequence,
        row.log_digest,
    ];
    statement.execute(row).map_err(failed)?;
    Ok(begun)
}

pub(super) fn advance(
    connection: &Connection,
    id: LeaseId,
    fence: u64,
    what: &Change,
    record: &Record,
    now: SystemTime,
) -> Result<Lease> {
    let old = existing(connection, id)?;
    let (new, entry) = step::advance(&old, fence, what, record, now)?;
    write(connection, &old, new, &entry)
}

pub(super) fn seize(
    connection: &Connection,
    id: LeaseId,
    claimant: &Claimant,
    record: &Record,
    now: SystemTime,
) -> Result<Option<Lease>> {
    let old = existing(connection, id)?;
    let seized = step::seize(&old, claimant, record, now)?;
    seized.map(|(new, entry)| write(connection, &old, new, &entry)).transpose()
}

fn existing(connection: &Connection, id: LeaseId) -> Result<Kept> {
    kept(connection, id)?.ok_or_else(|| Conflict::NoSuchLease.error(format!("lease {id}")))
}

/// Writes what became of `old`, and the line of its log that tells so.
fn write(connection: &Connection, old: &Kept, new: Kept, entry: &AuditEntry) -> Result<Lease> {
    let id = old.lease.id;
    log(connection, &Subject::Lease(id), entry)?;
    let lease = new.lease.clone();
    let row = LeaseRow::from(new);
    // A state that is named is written in three indexes even if it stays.
    let state = if lease.state == old.lease.state { "" } else { ", state = ?14" };
    let sql = format!(
        "UPDATE lease SET expires_at = ?3, access_key_id = ?4, sealed = ?5, due_at = ?6, \
         attempts = ?7, failure = ?8, claimed_until = ?9, claimed_by = ?10, log_sequence = ?11, \
         log_digest = ?12, fence = ?13{state} WHERE id = ?1 AND fence = ?2"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let old_fence = number(old.lease.fence);
    let mut values: Vec<&dyn ToSql> = vec![
        &row.id,
        &old_fence,
        &row.expires_at,
        &row.access_key_id,
        &row.sealed,
        &row.due_at,
        &row.attempts,
        &row.failure,
        &row.claimed_until,
        &row.claimed_by,
        &row.log_sequence,
        &row.log_digest,
        &row.fence,
    ];
    if !state.is_empty() {
        values.push(&row.state);
    }
    match statement.execute(values.as_slice()).map_err(failed)? {
        1 => Ok(lease),
        _ => Err(Conflict::FenceLost.error(format!("lease {id}"))),
    }
}

pub(super) fn kept(connection: &Connection, id: LeaseId) -> Result<Option<Kept>> {
    let sql = format!("SELECT {LEASE_COLUMNS} FROM lease WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let row = statement.query_row([id.0.to_be_bytes()], lease_row).optional().map_err(failed)?;
    row.map(Kept::try_from).transpose()
}

fn lease_row(row: &Row<'_>) -> rusqlite::Result<LeaseRow> {
    Ok(LeaseRow {
        id: row.get(0)?,
        secret: row.get(1)?,
        secret_version: row.get(2)?,
        state: row.get(3)?,
        account_id: row.get(4)?,
        kind: row.get(5)?,
        name: row.get(6)?,
        path: row.get(7)?,
        nonce: row.get(8)?,
        identity: row.get(9)?,
        note: row.get(10)?,
        created_at: row.get(11)?,
        expires_at: row.get(12)?,
        max_expires_at: row.get(13)?,
        access_key_id: row.get(14)?,
        sealed: row.get(15)?,
        due_at: row.get(16)?,
        attempts: row.get(17)?,
        failure: row.get(18)?,
        fence: row.get(19)?,
        claimed_until: row.get(20)?,
        claimed_by: row.get(21)?,
        log_sequence: row.get(22)?,
        log_digest: row.get(23)?,
    })
}

/// Leases by id. Each state is a range of an index in the order of ids; what the states give is
/// put together here.
pub(super) fn leases(
    connection: &Connection,
    filter: &LeaseFilter,
    after: Option<LeaseId>,
    limit: u32,
) -> Result<Vec<Lease>> {
    let after = after.map_or(Vec::new(), |id| id.0.to_be_bytes().to_vec());
    let before = filter.expires_before.map(millis);
    let mut conditions = String::new();
    let mut values: Vec<&dyn ToSql> = vec![&after, &limit];
    let optional: [(&str, Option<&dyn ToSql>); 3] = [
        ("secret =", filter.secret.as_ref().map(|secret| secret as _)),
        ("identity =", filter.identity.as_ref().map(|identity| identity as _)),
        ("expires_at <", before.as_ref().map(|before| before as _)),
    ];
    for (condition, value) in optional {
        if let Some(value) = value {
            values.push(value);
            conditions += &format!(" AND {condition} ?{}", values.len());
        }
    }
    let mut found = Vec::new();
    for state in LeaseState::ALL {
        if !filter.states.is_empty() && !filter.states.contains(&state) {
            continue;
        }
        let sql = format!(
            "SELECT {LEASE_COLUMNS} FROM lease WHERE state = '{}' AND id > ?1{conditions} \
             ORDER BY id LIMIT ?2",
            state.name()
        );
        let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
        for row in statement.query_map(values.as_slice(), lease_row).map_err(failed)? {
            found.push(row.map_err(failed)?);
        }
    }
    let mut found = step::readable(found);
    found.sort_unstable_by_key(|lease| lease.id);
    found.truncate(limit as usize);
    Ok(found)
}

pub(super) fn claim(
    connection: &Connection,
    id: LeaseId,
    claimant: &Claimant,
    now: SystemTime,
) -> Result<Option<Lease>> {
    let claimed = step::claim(&existing(connection, id)?.lease, claimant, now);
    claimed.map(|lease| write_claim(connection, lease)).transpose()
}

pub(super) fn claim_due(
    connection: &Connection,
    claimant: &Claimant,
    limit: u32,
    except: &[String],
    now: SystemTime,
) -> Result<Vec<Lease>> {
    let (sql, except) = (not_in("?3", except), accounts(except));
    let sql = format!(
        "SELECT {LEASE_COLUMNS} FROM lease WHERE due_at IS NOT NULL AND free_at <= ?1{sql} \
         ORDER BY free_at, rowid LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let now_millis = millis(now);
    let mut values: Vec<&dyn ToSql> = vec![&now_millis, &limit];
    values.extend(except.as_ref().map(|except| except as &dyn ToSql));
    let rows = statement.query_map(values.as_slice(), lease_row).map_err(failed)?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>().map_err(failed)?;
    // All of them, so that one that makes no sense is not found again and again.
    let until = millis(now.checked_add(claimant.hold.min(LONGEST_CLAIM)).unwrap_or(now));
    let sql = "UPDATE lease SET claimed_until = ?2 WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    for row in &rows {
        if Kept::try_from(row.clone()).is_err() {
            statement.execute(params![row.id, until]).map_err(failed)?;
        }
    }
    let found = step::readable(rows);
    let claimed = found.into_iter().filter_map(|lease| step::claim(&lease, claimant, now));
    claimed.map(|lease| write_claim(connection, lease)).collect()
}

/// A condition that leaves out users in the accounts of the parameter; none if there are none.
fn not_in(parameter: &str, except: &[String]) -> String {
    if except.is_empty() {
        return String::new();
    }
    format!(
        " AND (kind <> 'iam-user' OR account_id NOT IN (SELECT value FROM json_each({parameter})))"
    )
}

fn accounts(except: &[String]) -> Option<String> {
    (!except.is_empty()).then(|| serde_json::json!(except).to_string())
}

fn write_claim(connection: &Connection, lease: Lease) -> Result<Lease> {
    let sql = "UPDATE lease SET fence = ?2, claimed_until = ?3, claimed_by = ?4 WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let until = lease.claimed_until.map(millis);
    let values = params![lease.id.0.to_be_bytes(), number(lease.fence), until, lease.claimed_by];
    statement.execute(values).map_err(failed)?;
    Ok(lease)
}

pub(super) fn next_due(
    connection: &Connection,
    until: SystemTime,
    except: &[String],
) -> Result<Option<SystemTime>> {
    let (sql, except) = (not_in("?2", except), accounts(except));
    let sql = format!(
        "SELECT free_at FROM lease WHERE due_at IS NOT NULL AND free_at <= ?1{sql} \
         ORDER BY free_at LIMIT 1"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let until = millis(until);
    let mut values: Vec<&dyn ToSql> = vec![&until];
    values.extend(except.as_ref().map(|except| except as &dyn ToSql));
    let next = statement.query_row(values.as_slice(), |row| row.get(0));
    let next = next.optional().map_err(failed)?;
    Ok(next.map(time))
}

pub(super) fn log(
    connection: &Connection,
    subject: &Subject<'_>,
    entry: &AuditEntry,
) -> Result<()> {
    let sql = "INSERT INTO audit (subject, sequence, at, actor, action, outcome, detail, digest) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let AuditEntry { sequence, at_millis, actor, action, outcome, detail, .. } = entry;
    let digest = digest(entry);
    let outcome = outcome.name();
    let values = params![subject, sequence, at_millis, actor, action, outcome, detail, digest];
    statement.execute(values).map_err(failed)?;
    Ok(())
}

pub(super) fn digest(entry: &AuditEntry) -> Vec<u8> {
    hex::decode(&entry.digest).unwrap_or_default()
}

pub(super) fn trail(connection: &Connection, text: &str) -> Result<Vec<AuditEntry>> {
    let subject = Subject::of(text);
    let text = match &subject {
        Subject::Lease(id) => id.to_string(),
        Subject::Name(name) => (*name).to_owned(),
    };
    let sql = "SELECT sequence, at, actor, action, outcome, detail, digest FROM audit \
               WHERE subject = ?1 ORDER BY sequence";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let rows = statement.query_map([subject], |row| {
        Ok(EntryRow {
            sequence: row.get(0)?,
            at: row.get(1)?,
            actor: row.get(2)?,
            action: row.get(3)?,
            outcome: row.get(4)?,
            detail: row.get(5)?,
            digest: row.get(6)?,
        })
    });
    rows.map_err(failed)?.map(|row| row.map_err(failed)?.into_entry(&text)).collect()
}

/// Where a log ends; `None` if there should be none.
pub(super) fn head(connection: &Connection, subject: &Subject<'_>) -> Result<Option<AuditHead>> {
    match subject {
        Subject::Lease(id) => Ok(kept(connection, *id)?.map(|kept| kept.head)),
        Subject::Name(STORE_SUBJECT) => {
            let sql = "SELECT log_sequence, log_digest FROM store WHERE log_sequence IS NOT NULL";
            let mut statement = connection.prepare_cached(sql).map_err(failed)?;
            let row = statement.query_row([], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)));
            let row = row.optional().map_err(failed)?;
            row.map(|(sequence, digest)| step::head(sequence, &digest)).transpose()
        }
        Subject::Name(name) => match name.strip_prefix(METHOD_SUBJECT) {
            Some(method) => super::auth::head(connection, method),
            None => Ok(definition(connection, name)?.map(|(_, _, head)| head)),
        },
    }
}
