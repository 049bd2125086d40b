//! Auth methods, signing keys and used tokens in SQLite.

use std::time::SystemTime;

use async_trait::async_trait;
use rolecall_core::Result;
use rolecall_sts::identity::{ReplayGuard, ReplayKey};
use rusqlite::{Connection, OptionalExtension, params};

use super::super::Conflict;
use super::super::auth::{self, AuthStore, REMEMBERED_MILLIS};
use super::super::step::{self, millis};
use super::SqliteStore;
use super::error::failed;
use super::tables::{Subject, digest, log};
use crate::audit::{AuditHead, Record};
use crate::auth::{AuthMethod, StoredKey, StoredMethod};

/// How many used tokens are forgotten at once at most: nobody waits long for it.
const FORGOTTEN_AT_ONCE: u32 = 1000;

#[async_trait]
impl ReplayGuard for SqliteStore {
    async fn is_spent(&self, key: ReplayKey, _: SystemTime) -> Result<bool> {
        self.read(move |connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM spent WHERE key = ?1)";
            let mut statement = connection.prepare_cached(sql).map_err(failed)?;
            statement.query_row([key.0], |row| row.get(0)).map_err(failed)
        })
        .await
    }

    async fn spend(&self, key: ReplayKey, until: SystemTime, now: SystemTime) -> Result<bool> {
        self.write(move |connection, _| spend(connection, key, until, now)).await
    }
}

fn spend(
    connection: &Connection,
    key: ReplayKey,
    until: SystemTime,
    now: SystemTime,
) -> Result<bool> {
    let (until, now) = (millis(until), millis(now));
    let sql = "DELETE FROM spent WHERE key IN \
               (SELECT key FROM spent WHERE until < ?1 ORDER BY until LIMIT ?2)";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    if statement.execute(params![now, FORGOTTEN_AT_ONCE]).map_err(failed)? > 0 {
        let sql = "UPDATE spent_forgotten SET until = max(until, ?1 - 1)";
        let mut statement = connection.prepare_cached(sql).map_err(failed)?;
        statement.execute([now]).map_err(failed)?;
    }
    let sql = "INSERT INTO spent (key, until) SELECT ?1, ?2 \
               WHERE ?3 > (SELECT until FROM spent_forgotten) ON CONFLICT DO NOTHING";
    let kept = until.max(now.saturating_add(REMEMBERED_MILLIS));
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    Ok(statement.execute(params![key.0, kept, until]).map_err(failed)? == 1)
}

#[async_trait]
impl AuthStore for SqliteStore {
    async fn create_method(&self, method: &AuthMethod, record: &Record) -> Result<()> {
        let (method, record) = (method.clone(), record.clone());
        self.write(move |connection, now| {
            let (version, last) = match found(connection, &method.name)? {
                Some(found) if found.is_in_use => {
                    return Err(Conflict::MethodExists.error(about(&method.name)));
                }
                Some(found) => (found.version + 1, Some(found.head)),
                None => (1, None),
            };
            let sql = "INSERT INTO used_access_id (id) VALUES (?1) ON CONFLICT DO NOTHING";
            if connection.execute(sql, [&method.access_id]).map_err(failed)? == 0 {
                return Err(Conflict::MethodExists.error(about(&method.name)));
            }
            write(connection, &method, version, last, &record, now)
        })
        .await
    }

    async fn update_method(
        &self,
        method: &AuthMethod,
        version: u32,
        record: &Record,
    ) -> Result<()> {
        let (method, record) = (method.clone(), record.clone());
        self.write(move |connection, now| {
            let found = found(connection, &method.name)?.filter(|found| found.is_in_use);
            let found = found.ok_or_else(|| Conflict::NoSuchMethod.error(about(&method.name)))?;
            if found.version != i64::from(version) || found.access_id != method.access_id {
                return Err(Conflict::MethodChanged.error(about(&method.name)));
            }
            write(connection, &method, found.version + 1, Some(found.head), &record, now)
        })
        .await
    }

    async fn delete_method(&self, name: &str, record: &Record) -> Result<()> {
        let (name, record) = (name.to_owned(), record.clone());
        self.write(move |connection, now| {
            let found = found(connection, &name)?.filter(|found| found.is_in_use);
            let found = found.ok_or_else(|| Conflict::NoSuchMethod.error(about(&name)))?;
            let subject = auth::subject(&name);
            let entry = record.after(Some(&found.head), &subject, now);
            log(connection, &Subject::Name(&subject), &entry)?;
            let sql = "UPDATE auth_method SET is_in_use = 0, log_sequence = ?2, log_digest = ?3 \
                       WHERE name = ?1";
            let row = params![name, entry.sequence, digest(&entry)];
            connection.execute(sql, row).map_err(failed)?;
            Ok(())
        })
        .await
    }

    async fn method(&self, name: &str) -> Result<Option<StoredMethod>> {
        let name = name.to_owned();
        self.read(move |connection| {
            let sql = "SELECT version, changed_at, method FROM auth_method \
                       WHERE (name = ?1 OR access_id = ?1) AND is_in_use";
            let mut statement = connection.prepare_cached(sql).map_err(failed)?;
            let row = statement
                .query_row([&name], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)));
            let row = row.optional().map_err(failed)?;
            row.map(|(version, at, text)| auth::stored(version, at, &text)).transpose()
        })
        .await
    }

    async fn methods(&self, after: Option<&str>, limit: u32) -> Result<Vec<StoredMethod>> {
        let after = after.unwrap_or_default().to_owned();
        self.read(move |connection| {
            let sql = "SELECT version, changed_at, method FROM auth_method \
                       WHERE name > ?1 AND is_in_use ORDER BY name LIMIT ?2";
            let mut statement = connection.prepare_cached(sql).map_err(failed)?;
            let rows = statement.query_map(params![after, limit], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?))
            });
            let rows = rows.map_err(failed)?.map(|row| {
                let (version, at, text) = row.map_err(failed)?;
                auth::stored(version, at, &text)
            });
            rows.collect()
        })
        .await
    }

    async fn signing_keys(&self) -> Result<Vec<StoredKey>> {
        self.read(move |connection| {
            let sql = "SELECT id, public, sealed FROM signing_key WHERE NOT is_dropped ORDER BY id";
            let mut statement = connection.prepare_cached(sql).map_err(failed)?;
            let rows = statement.query_map([], |row| {
                Ok(StoredKey { id: row.get(0)?, public: row.get(1)?, sealed: row.get(2)? })
            });
            rows.map_err(failed)?.map(|row| row.map_err(failed)).collect()
        })
        .await
    }

    async fn keep_signing_key(&self, key: &StoredKey) -> Result<()> {
        let key = key.clone();
        self.write(move |connection, _| {
            let sql = "INSERT INTO signing_key (id, public, sealed) VALUES (?1, ?2, ?3) \
                       ON CONFLICT DO NOTHING";
            connection.execute(sql, params![key.id, key.public, key.sealed]).map_err(failed)?;
            Ok(())
        })
        .await
    }

    async fn drop_signing_key(&self, id: &str) -> Result<bool> {
        let id = id.to_owned();
        self.write(move |connection, _| {
            let sql = "UPDATE signing_key SET is_dropped = 1, sealed = NULL \
                       WHERE id = ?1 AND NOT is_dropped";
            Ok(connection.execute(sql, [&id]).map_err(failed)? == 1)
        })
        .await
    }
}

struct Found {
    version: i64,
    is_in_use: bool,
    access_id: String,
    head: AuditHead,
}

fn found(connection: &Connection, name: &str) -> Result<Option<Found>> {
    let sql = "SELECT version, is_in_use, access_id, log_sequence, log_digest FROM auth_method \
               WHERE name = ?1";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let row = statement.query_row([name], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get::<_, Vec<u8>>(4)?))
    });
    let row = row.optional().map_err(failed)?;
    row.map(|(version, is_in_use, access_id, sequence, digest)| {
        Ok(Found { version, is_in_use, access_id, head: step::head(sequence, &digest)? })
    })
    .transpose()
}

fn write(
    connection: &Connection,
    method: &AuthMethod,
    version: i64,
    last: Option<AuditHead>,
    record: &Record,
    now: SystemTime,
) -> Result<()> {
    let text = auth::text_of(method)?;
    let subject = auth::subject(&method.name);
    let entry = record.after(last.as_ref(), &subject, now);
    log(connection, &Subject::Name(&subject), &entry)?;
    let sql = "INSERT INTO auth_method (name, access_id, version, is_in_use, changed_at, method, \
               log_sequence, log_digest) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7) \
               ON CONFLICT (name) DO UPDATE SET access_id = ?2, version = ?3, is_in_use = 1, \
               changed_at = ?4, method = ?5, log_sequence = ?6, log_digest = ?7";
    let (sequence, digest) = (entry.sequence, digest(&entry));
    let row = params![method.name, method.access_id, version, millis(now), text, sequence, digest];
    connection.execute(sql, row).map_err(failed)?;
    Ok(())
}

/// The end of a method's log.
pub(super) fn head(connection: &Connection, name: &str) -> Result<Option<AuditHead>> {
    Ok(found(connection, name)?.map(|found| found.head))
}

fn about(name: &str) -> String {
    format!("auth method {name}")
}
