//! The statements. The database's clock counts: the beginning of each statement.

use std::time::{Duration, SystemTime};

use rolecall_core::Result;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::super::auth::METHOD_SUBJECT;
use super::super::guard::Standing;
use super::super::step::{
    self, EntryRow, Kept, LEASE_COLUMNS, LeaseRow, SecretRow, millis, number, time,
};
use super::super::{Claimant, Conflict, LeaseFilter, STORE_SUBJECT, StoredSecret};
use super::session::Session;
use crate::audit::{AuditEntry, AuditHead, Record};
use crate::change::{Change, LONGEST_CLAIM};
use crate::definition::DynamicSecret;
use crate::lease::{Lease, LeaseId, LeaseState, NewLease};

/// Now, in milliseconds.
pub(super) const NOW: &str = "floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint";

/// Which tells the database cluster and the past it has from others.
pub(super) async fn home(session: &Session) -> Result<String> {
    let sql = "SELECT system_identifier || ':' || \
               substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) FROM pg_control_system()";
    Ok(session.query_one(sql, &[]).await?.get(0))
}

pub(super) async fn standing(session: &Session, home: &str) -> Result<Standing> {
    let sql = "SELECT id, epoch, is_restored, (SELECT max(number) FROM audit), home FROM store";
    let row = session.query_one(sql, &[]).await?;
    Ok(Standing {
        id: row.get(0),
        epoch: row.get::<_, i64>(1).unsigned_abs(),
        is_restored: row.get(2),
        entries: row.get::<_, Option<i64>>(3).unwrap_or(0).unsigned_abs(),
        is_at_home: Some(row.get::<_, &str>(4) == home),
    })
}

pub(super) async fn mark_restored(session: &Session) -> Result<()> {
    session.query("UPDATE store SET is_restored = true", &[]).await.map(drop)
}

/// Somebody who has seen the store before says that it is what it was, though the database's
/// identity is new: after a failover.
pub(super) async fn mark_home(session: &Session, home: &str) -> Result<()> {
    session.query("UPDATE store SET home = $1", &[&home]).await.map(drop)
}

pub(super) async fn now(session: &Session) -> Result<SystemTime> {
    Ok(time(session.query_one(&format!("SELECT {NOW}"), &[]).await?.get(0)))
}

pub(super) async fn accept_restored(
    mut session: Session,
    record: &Record,
    home: &str,
) -> Result<()> {
    let sql = format!("SELECT {NOW}, log_sequence, log_digest FROM store FOR UPDATE");
    let row = session.begin_with(&sql, &[]).await?.ok_or_else(|| step::damaged("its own row"))?;
    let last = match row.get::<_, Option<i64>>(1) {
        Some(sequence) => Some(step::head(sequence, row.get(2))?),
        None => None,
    };
    let entry = record.after(last.as_ref(), STORE_SUBJECT, time(row.get(0)));
    let (sequence, digest) = end_of(&entry);
    let sql = "UPDATE store SET epoch = epoch + 1, is_restored = false, home = $1, \
               log_sequence = $2, log_digest = $3";
    session.query(sql, &[&home, &sequence, &digest]).await?;
    log_and_commit(session, &entry).await.map(drop)
}

struct Definition {
    now: SystemTime,
    version: i64,
    is_in_use: bool,
    head: AuditHead,
}

/// Begins a transaction and locks a definition in it.
async fn lock_definition(
    session: &mut Session,
    name: &str,
    lock: &str,
) -> Result<Option<Definition>> {
    let sql = format!(
        "SELECT {NOW}, version, is_in_use, log_sequence, log_digest FROM definition \
         WHERE name = $1 {lock}"
    );
    let Some(row) = session.begin_with(&sql, &[&name]).await? else { return Ok(None) };
    Ok(Some(Definition {
        now: time(row.get(0)),
        version: row.get(1),
        is_in_use: row.get(2),
        head: step::head(row.get(3), row.get(4))?,
    }))
}

pub(super) async fn create_secret(
    mut session: Session,
    secret: &DynamicSecret,
    record: &Record,
) -> Result<i64> {
    let exists = || Conflict::SecretExists.error(format!("secret {}", secret.name));
    match lock_definition(&mut session, &secret.name, "FOR UPDATE").await? {
        Some(found) if found.is_in_use => {
            session.roll_back().await;
            Err(exists())
        }
        Some(found) => {
            write_version(session, secret, found.version + 1, Some(found.head), record, found.now)
                .await
        }
        None => {
            let now = now(&session).await?;
            // Nothing is there to be locked: another may make it at the same time.
            let sql = "INSERT INTO definition (name, version, is_in_use, log_sequence, log_digest) \
                       VALUES ($1, 0, true, 0, '') ON CONFLICT DO NOTHING RETURNING true";
            if session.query_opt(sql, &[&secret.name]).await?.is_none() {
                session.roll_back().await;
                return Err(exists());
            }
            write_version(session, secret, 1, None, record, now).await
        }
    }
}

pub(super) async fn update_secret(
    mut session: Session,
    secret: &DynamicSecret,
    version: u32,
    record: &Record,
) -> Result<i64> {
    let conflict = match lock_definition(&mut session, &secret.name, "FOR UPDATE").await? {
        Some(found) if found.is_in_use && found.version == i64::from(version) => {
            let (last, next) = (Some(found.head), found.version + 1);
            return write_version(session, secret, next, last, record, found.now).await;
        }
        Some(found) if found.is_in_use => Conflict::SecretChanged,
        _ => Conflict::NoSuchSecret,
    };
    session.roll_back().await;
    Err(conflict.error(format!("secret {}", secret.name)))
}

async fn write_version(
    session: Session,
    secret: &DynamicSecret,
    version: i64,
    last: Option<AuditHead>,
    record: &Record,
    now: SystemTime,
) -> Result<i64> {
    let text = step::text_of(secret)?;
    let entry = record.after(last.as_ref(), &secret.name, now);
    let (sequence, digest) = end_of(&entry);
    let sql = "UPDATE definition SET version = $2, is_in_use = true, log_sequence = $3, \
               log_digest = $4 WHERE name = $1";
    session.query(sql, &[&secret.name, &version, &sequence, &digest]).await?;
    let sql = "INSERT INTO definition_version (name, version, changed_at, definition) \
               VALUES ($1, $2, $3, $4)";
    session.query(sql, &[&secret.name, &version, &millis(now), &text]).await?;
    log_and_commit(session, &entry).await
}

pub(super) async fn delete_secret(
    mut session: Session,
    name: &str,
    record: &Record,
) -> Result<i64> {
    let found = lock_definition(&mut session, name, "FOR UPDATE").await?;
    let Some(found) = found.filter(|found| found.is_in_use) else {
        session.roll_back().await;
        return Err(Conflict::NoSuchSecret.error(format!("secret {name}")));
    };
    let sql = "SELECT EXISTS (SELECT 1 FROM lease WHERE secret = $1 AND state = ANY ($2))";
    let running = LeaseState::ALL.into_iter().filter(|state| !state.is_over());
    let running = running.map(LeaseState::name).collect::<Vec<_>>();
    if session.query_one(sql, &[&name, &running]).await?.get(0) {
        session.roll_back().await;
        return Err(Conflict::SecretInUse.error(format!("secret {name}")));
    }
    let entry = record.after(Some(&found.head), name, found.now);
    let (sequence, digest) = end_of(&entry);
    let sql = "UPDATE definition SET is_in_use = false, log_sequence = $2, log_digest = $3 \
               WHERE name = $1";
    session.query(sql, &[&name, &sequence, &digest]).await?;
    log_and_commit(session, &entry).await
}

pub(super) async fn secret(
    session: &Session,
    name: &str,
    version: Option<u32>,
) -> Result<Option<StoredSecret>> {
    let sql = "SELECT version, changed_at, definition FROM definition_version \
               WHERE name = $1 AND version = coalesce($2, \
               (SELECT version FROM definition WHERE name = $1 AND is_in_use))";
    let row = session.query_opt(sql, &[&name, &version.map(i64::from)]).await?;
    row.map(|row| secret_row(&row).try_into()).transpose()
}

pub(super) async fn secrets(
    session: &Session,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<StoredSecret>> {
    let sql = "SELECT version, changed_at, definition \
               FROM definition JOIN definition_version USING (name, version) \
               WHERE is_in_use AND name > $1 ORDER BY name LIMIT $2";
    let rows = session.query(sql, &[&after.unwrap_or(""), &i64::from(limit)]).await?;
    rows.iter().map(|row| secret_row(row).try_into()).collect()
}

fn secret_row(row: &Row) -> SecretRow {
    SecretRow { version: row.get(0), changed_at: row.get(1), definition: row.get(2) }
}

pub(super) async fn begin(
    mut session: Session,
    lease: &NewLease,
    claimant: &Claimant,
    record: &Record,
) -> Result<(Lease, i64)> {
    // Shared: many leases begin at once, and none while the definition goes out of use.
    let found = lock_definition(&mut session, &lease.secret, "FOR SHARE").await?;
    let version = i64::from(lease.secret_version);
    let Some(found) = found.filter(|found| found.is_in_use && version <= found.version) else {
        session.roll_back().await;
        return Err(Conflict::NoSuchSecret.error(format!("secret {}", lease.secret)));
    };
    let (kept, entry) = step::begin(lease, claimant, record, found.now);
    let begun = kept.lease.clone();
    let row = LeaseRow::from(kept);
    let sql = format!(
        "WITH changed AS (INSERT INTO lease ({LEASE_COLUMNS}) VALUES ($9, $10, $11, $12, $13, $14, \
         $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32) \
         ON CONFLICT DO NOTHING RETURNING 1) {LOG}"
    );
    let line = LogLine::of(&entry);
    let mut values = line.values();
    values.extend_from_slice(&[
        &row.id,
        &row.secret,
        &row.secret_version,
        &row.state,
        &row.account_id,
        &row.kind,
        &row.name,
        &row.path,
        &row.nonce,
        &row.identity,
        &row.note,
        &row.created_at,
        &row.expires_at,
        &row.max_expires_at,
        &row.access_key_id,
        &row.sealed,
        &row.due_at,
        &row.attempts,
        &row.failure,
        &row.fence,
        &row.claimed_until,
        &row.claimed_by,
        &row.log_sequence,
        &row.log_digest,
    ]);
    match session.commit_with(&sql, &values).await? {
        Some(row) => Ok((begun, row.get(0))),
        None => Err(Conflict::LeaseExists.error(format!("lease {}", lease.id))),
    }
}

pub(super) async fn advance(
    session: Session,
    id: LeaseId,
    fence: u64,
    what: &Change,
    record: &Record,
) -> Result<(Lease, i64)> {
    let by = |old: &Kept, now| step::advance(old, fence, what, record, now).map(Some);
    let advanced = write(session, id, by).await?;
    advanced.ok_or_else(|| Conflict::FenceLost.error(format!("lease {id}")))
}

pub(super) async fn seize(
    session: Session,
    id: LeaseId,
    claimant: &Claimant,
    record: &Record,
) -> Result<Option<(Lease, i64)>> {
    write(session, id, |old: &Kept, now| step::seize(old, claimant, record, now)).await
}

/// Writes what becomes of a lease by `step`, and the line of its log that tells so; gives that line's
/// number.
async fn write(
    mut session: Session,
    id: LeaseId,
    step: impl FnOnce(&Kept, SystemTime) -> Result<Option<(Kept, AuditEntry)>>,
) -> Result<Option<(Lease, i64)>> {
    let key = id.0.to_be_bytes();
    let sql = format!("SELECT {LEASE_COLUMNS}, {NOW} FROM lease WHERE id = $1 FOR UPDATE");
    let Some(found) = session.begin_with(&sql, &[&key.as_slice()]).await? else {
        session.roll_back().await;
        return Err(Conflict::NoSuchLease.error(format!("lease {id}")));
    };
    let row = lease_row(&found);
    let fence = row.fence;
    let stepped = Kept::try_from(row).and_then(|old| step(&old, time(found.get(24))));
    let (new, entry) = match stepped {
        Ok(Some(stepped)) => stepped,
        done => {
            session.roll_back().await;
            return done.map(|_| None);
        }
    };
    let lease = new.lease.clone();
    let row = LeaseRow::from(new);
    let sql = format!(
        "WITH changed AS (UPDATE lease SET state = $11, expires_at = $12, access_key_id = $13, \
         sealed = $14, due_at = $15, attempts = $16, failure = $17, claimed_until = $18, \
         claimed_by = $19, log_sequence = $20, log_digest = $21, fence = $22 \
         WHERE id = $9 AND fence = $10 RETURNING 1) {LOG}"
    );
    let line = LogLine::of(&entry);
    let mut values = line.values();
    values.extend_from_slice(&[
        &row.id,
        &fence,
        &row.state,
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
    ]);
    match session.commit_with(&sql, &values).await? {
        Some(row) => Ok(Some((lease, row.get(0)))),
        None => Err(Conflict::FenceLost.error(format!("lease {id}"))),
    }
}

pub(super) async fn lease(session: &Session, id: LeaseId) -> Result<Option<Kept>> {
    let sql = format!("SELECT {LEASE_COLUMNS} FROM lease WHERE id = $1");
    let row = session.query_opt(&sql, &[&id.0.to_be_bytes().as_slice()]).await?;
    row.map(|row| lease_row(&row).try_into()).transpose()
}

fn lease_row(row: &Row) -> LeaseRow {
    LeaseRow {
        id: row.get(0),
        secret: row.get(1),
        secret_version: row.get(2),
        state: row.get(3),
        account_id: row.get(4),
        kind: row.get(5),
        name: row.get(6),
        path: row.get(7),
        nonce: row.get(8),
        identity: row.get(9),
        note: row.get(10),
        created_at: row.get(11),
        expires_at: row.get(12),
        max_expires_at: row.get(13),
        access_key_id: row.get(14),
        sealed: row.get(15),
        due_at: row.get(16),
        attempts: row.get(17),
        failure: row.get(18),
        fence: row.get(19),
        claimed_until: row.get(20),
        claimed_by: row.get(21),
        log_sequence: row.get(22),
        log_digest: row.get(23),
    }
}

pub(super) async fn leases(
    session: &Session,
    filter: &LeaseFilter,
    after: Option<LeaseId>,
    limit: u32,
) -> Result<Vec<Lease>> {
    let after = after.map_or(Vec::new(), |id| id.0.to_be_bytes().to_vec());
    let limit = i64::from(limit);
    let states = filter.states.iter().map(|state| state.name()).collect::<Vec<_>>();
    let before = filter.expires_before.map(millis);
    let mut sql = format!("SELECT {LEASE_COLUMNS} FROM lease WHERE id > $1");
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&after, &limit];
    if let Some(secret) = &filter.secret {
        values.push(secret);
        sql += &format!(" AND secret = ${}", values.len());
    }
    if !states.is_empty() {
        values.push(&states);
        sql += &format!(" AND state = ANY (${})", values.len());
    }
    if let Some(identity) = &filter.identity {
        values.push(identity);
        sql += &format!(" AND identity = ${}", values.len());
    }
    if let Some(before) = &before {
        values.push(before);
        sql += &format!(" AND expires_at < ${}", values.len());
    }
    sql += " ORDER BY id LIMIT $2";
    let rows = session.query(&sql, &values).await?;
    Ok(step::readable(rows.iter().map(lease_row)))
}

pub(super) async fn claim(
    session: &Session,
    id: LeaseId,
    claimant: &Claimant,
) -> Result<Option<Lease>> {
    let key = id.0.to_be_bytes();
    let sql = format!(
        "UPDATE lease SET fence = fence + 1, claimed_until = {NOW} + $2, claimed_by = $3 \
         WHERE id = $1 AND (claimed_until IS NULL OR claimed_until <= {NOW}) \
         RETURNING {LEASE_COLUMNS}"
    );
    let values: [&(dyn ToSql + Sync); 3] = [&key.as_slice(), &hold(claimant), &claimant.name];
    if let Some(row) = session.query_opt(&sql, &values).await? {
        return Ok(Some(Kept::try_from(lease_row(&row))?.lease));
    }
    match lease(session, id).await? {
        Some(_) => Ok(None),
        None => Err(Conflict::NoSuchLease.error(format!("lease {id}"))),
    }
}

pub(super) async fn claim_due(
    session: &Session,
    claimant: &Claimant,
    limit: u32,
    except: &[String],
) -> Result<Vec<Lease>> {
    let sql = format!(
        "WITH due AS (SELECT id AS due_id, greatest(due_at, claimed_until) AS free_at FROM lease \
         WHERE due_at IS NOT NULL AND greatest(due_at, claimed_until) <= {NOW} \
         AND (kind <> 'iam-user' OR account_id <> ALL ($4)) \
         ORDER BY greatest(due_at, claimed_until) LIMIT $1 FOR UPDATE SKIP LOCKED) \
         UPDATE lease SET fence = fence + 1, claimed_until = {NOW} + $2, claimed_by = $3 \
         FROM due WHERE id = due_id RETURNING {LEASE_COLUMNS}, free_at"
    );
    let values: [&(dyn ToSql + Sync); 4] =
        [&i64::from(limit), &hold(claimant), &claimant.name, &except];
    let mut rows = session.query(&sql, &values).await?;
    rows.sort_by_key(|row| row.get::<_, i64>(24));
    Ok(step::readable(rows.iter().map(lease_row)))
}

fn hold(claimant: &Claimant) -> i64 {
    number(u64::try_from(claimant.hold.min(LONGEST_CLAIM).as_millis()).unwrap_or(u64::MAX))
}

pub(super) async fn next_due(
    session: &Session,
    within: Duration,
    except: &[String],
) -> Result<Option<SystemTime>> {
    let sql = format!(
        "SELECT greatest(due_at, claimed_until) FROM lease WHERE due_at IS NOT NULL \
         AND greatest(due_at, claimed_until) <= {NOW} + $1 \
         AND (kind <> 'iam-user' OR account_id <> ALL ($2)) \
         ORDER BY greatest(due_at, claimed_until) LIMIT 1"
    );
    let within = number(u64::try_from(within.as_millis()).unwrap_or(u64::MAX));
    Ok(session.query_opt(&sql, &[&within, &except]).await?.map(|row| time(row.get(0))))
}

/// Adds a line to a log if something was changed, and gives its number among all. Its values come
/// first.
const LOG: &str = "INSERT INTO audit (subject, sequence, at, actor, action, outcome, detail, \
    digest) SELECT $1, $2, $3, $4, $5, $6, $7, $8 FROM changed RETURNING number";

struct LogLine<'a> {
    entry: &'a AuditEntry,
    sequence: i64,
    outcome: &'static str,
    digest: Vec<u8>,
}

impl<'a> LogLine<'a> {
    fn of(entry: &'a AuditEntry) -> Self {
        let (sequence, digest) = end_of(entry);
        Self { entry, sequence, outcome: entry.outcome.name(), digest }
    }

    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        let AuditEntry { subject, at_millis, actor, action, detail, .. } = self.entry;
        let Self { sequence, outcome, digest, .. } = self;
        vec![subject, sequence, at_millis, actor, action, outcome, detail, digest]
    }
}

pub(super) async fn note(mut session: Session, subject: &str, record: &Record) -> Result<i64> {
    let id: Option<LeaseId> = subject.parse().ok();
    let key = id.map(|id| id.0.to_be_bytes());
    let key = key.as_ref().map(<[u8; 16]>::as_slice);
    let (table, is_it, missing) = match subject {
        _ if id.is_some() => ("lease", "id = $1", Conflict::NoSuchLease),
        STORE_SUBJECT => ("store", "$1::text IS NOT NULL", Conflict::NoSuchSecret),
        _ => ("definition", "name = $1", Conflict::NoSuchSecret),
    };
    let name = id.map_or_else(|| subject.to_owned(), |id| id.to_string());
    let it: &(dyn ToSql + Sync) = if key.is_some() { &key } else { &name };
    let sql =
        format!("SELECT {NOW}, log_sequence, log_digest FROM {table} WHERE {is_it} FOR UPDATE");
    let Some(row) = session.begin_with(&sql, &[it]).await? else {
        session.roll_back().await;
        return Err(missing.error(format!("{table} {name}")));
    };
    let last = match row.get::<_, Option<i64>>(1) {
        Some(sequence) => Some(step::head(sequence, row.get(2))?),
        None => None,
    };
    let entry = record.after(last.as_ref(), &name, time(row.get(0)));
    let (sequence, digest) = end_of(&entry);
    let sql = format!("UPDATE {table} SET log_sequence = $2, log_digest = $3 WHERE {is_it}");
    session.query(&sql, &[it, &sequence, &digest]).await?;
    log_and_commit(session, &entry).await
}

pub(super) async fn log_and_commit(session: Session, entry: &AuditEntry) -> Result<i64> {
    let sql = format!("WITH changed AS (SELECT 1) {LOG}");
    let row = session.commit_with(&sql, &LogLine::of(entry).values()).await?;
    row.map(|row| row.get(0)).ok_or_else(|| step::damaged("what it logs"))
}

pub(super) async fn trail(session: &Session, subject: &str) -> Result<Vec<AuditEntry>> {
    let sql = "SELECT sequence, at, actor, action, outcome, detail, digest FROM audit \
               WHERE subject = $1 ORDER BY sequence";
    let rows = session.query(sql, &[&subject]).await?;
    let entries = rows.iter().map(|row| {
        let entry = EntryRow {
            sequence: row.get(0),
            at: row.get(1),
            actor: row.get(2),
            action: row.get(3),
            outcome: row.get(4),
            detail: row.get(5),
            digest: row.get(6),
        };
        entry.into_entry(subject)
    });
    entries.collect()
}

/// Where a log ends; `None` if there should be none.
pub(super) async fn head(session: &Session, subject: &str) -> Result<Option<AuditHead>> {
    if let Ok(id) = subject.parse() {
        return Ok(lease(session, id).await?.map(|kept| kept.head));
    }
    if let Some(name) = subject.strip_prefix(METHOD_SUBJECT) {
        return super::auth::head(session, name).await;
    }
    let row = if subject == STORE_SUBJECT {
        let sql = "SELECT log_sequence, log_digest FROM store WHERE log_sequence IS NOT NULL";
        session.query_opt(sql, &[]).await?
    } else {
        let sql = "SELECT log_sequence, log_digest FROM definition WHERE name = $1";
        session.query_opt(sql, &[&subject]).await?
    };
    row.map(|row| step::head(row.get(0), row.get(1))).transpose()
}

pub(super) fn end_of(entry: &AuditEntry) -> (i64, Vec<u8>) {
    (entry.sequence.into(), hex::decode(&entry.digest).unwrap_or_default())
}
