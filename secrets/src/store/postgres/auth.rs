//! Auth methods, signing keys and used tokens in PostgreSQL.

use std::time::SystemTime;

use async_trait::async_trait;
use rolecall_core::Result;
use rolecall_sts::identity::{ReplayGuard, ReplayKey};
use tokio_postgres::Row;

use super::super::Conflict;
use super::super::auth::{self, AuthStore, REMEMBERED_MILLIS};
use super::super::step::{self, millis, time};
use super::PostgresStore;
use super::session::Session;
use super::tables::{NOW, end_of, log_and_commit, now};
use crate::audit::{AuditHead, Record};
use crate::auth::{AuthMethod, StoredKey, StoredMethod};

/// How many used tokens are forgotten at once at most: nobody waits long for it.
const FORGOTTEN_AT_ONCE: i64 = 1000;

#[async_trait]
impl ReplayGuard for PostgresStore {
    async fn is_spent(&self, key: ReplayKey, _: SystemTime) -> Result<bool> {
        self.run(async move |_, session| {
            let sql = "SELECT EXISTS (SELECT 1 FROM spent WHERE key = $1)";
            Ok(session.query_one(sql, &[&key.0.as_slice()]).await?.get(0))
        })
        .await
    }

    async fn spend(&self, key: ReplayKey, until: SystemTime, now: SystemTime) -> Result<bool> {
        let (until, now) = (millis(until), millis(now));
        self.run(async move |_, session| {
            forget(&session, now).await?;
            let kept = until.max(now.saturating_add(REMEMBERED_MILLIS));
            let sql = "INSERT INTO spent (key, until) SELECT $1::bytea, $2::bigint \
                       WHERE $3::bigint > (SELECT until FROM spent_forgotten) \
                       ON CONFLICT DO NOTHING RETURNING true";
            let row = session.query_opt(sql, &[&key.0.as_slice(), &kept, &until]).await?;
            Ok(row.is_some())
        })
        .await
    }
}

/// Forgets what has ended by this machine's clock and by the database's, whichever is behind. First
/// it is noted that it may be forgotten: should that be all that is done, nothing is lost.
async fn forget(session: &Session, now: i64) -> Result<()> {
    let sql = format!(
        "UPDATE spent_forgotten SET until = least($1::bigint, {NOW}) - 1 \
         WHERE until < least($1::bigint, {NOW}) - 1 \
         AND EXISTS (SELECT 1 FROM spent WHERE until < least($1::bigint, {NOW}))"
    );
    session.query(&sql, &[&now]).await?;
    let sql = "DELETE FROM spent WHERE key IN (SELECT key FROM spent \
               WHERE until <= (SELECT until FROM spent_forgotten) ORDER BY until LIMIT $1 \
               FOR UPDATE SKIP LOCKED)";
    session.query(sql, &[&FORGOTTEN_AT_ONCE]).await.map(drop)
}

#[async_trait]
impl AuthStore for PostgresStore {
    async fn create_method(&self, method: &AuthMethod, record: &Record) -> Result<()> {
        let (method, record) = (method.clone(), record.clone());
        self.run(async move |shared, mut session| {
            let exists = || Conflict::MethodExists.error(about(&method.name));
            let (version, last, at) = match lock(&mut session, &method.name).await? {
                Some(found) if found.is_in_use => {
                    session.roll_back().await;
                    return Err(exists());
                }
                Some(found) => (found.version + 1, Some(found.head), found.now),
                None => {
                    let at = now(&session).await?;
                    // Nothing is there to be locked: another may make it at the same time.
                    let sql = "INSERT INTO auth_method (name, access_id, version, is_in_use, \
                               changed_at, method, log_sequence, log_digest) \
                               VALUES ($1, $2, 0, true, 0, '', 0, '') \
                               ON CONFLICT DO NOTHING RETURNING true";
                    let new = session.query_opt(sql, &[&method.name, &method.access_id]).await?;
                    if new.is_none() {
                        session.roll_back().await;
                        return Err(exists());
                    }
                    (1, None, at)
                }
            };
            let sql = "INSERT INTO used_access_id (id) VALUES ($1) \
                       ON CONFLICT DO NOTHING RETURNING true";
            if session.query_opt(sql, &[&method.access_id]).await?.is_none() {
                session.roll_back().await;
                return Err(Conflict::MethodExists.error(about(&method.name)));
            }
            shared.note(write(session, &method, version, last, &record, at).await?).await;
            Ok(())
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
        self.run(async move |shared, mut session| {
            let conflict = match lock(&mut session, &method.name).await? {
                Some(found) if !found.is_in_use => Conflict::NoSuchMethod,
                None => Conflict::NoSuchMethod,
                Some(found)
                    if found.version == i64::from(version)
                        && found.access_id == method.access_id =>
                {
                    let (next, last) = (found.version + 1, Some(found.head));
                    let number = write(session, &method, next, last, &record, found.now).await?;
                    shared.note(number).await;
                    return Ok(());
                }
                Some(_) => Conflict::MethodChanged,
            };
            session.roll_back().await;
            Err(conflict.error(about(&method.name)))
        })
        .await
    }

    async fn delete_method(&self, name: &str, record: &Record) -> Result<()> {
        let (name, record) = (name.to_owned(), record.clone());
        self.run(async move |shared, mut session| {
            let found = lock(&mut session, &name).await?.filter(|found| found.is_in_use);
            let Some(found) = found else {
                session.roll_back().await;
                return Err(Conflict::NoSuchMethod.error(about(&name)));
            };
            let entry = record.after(Some(&found.head), &auth::subject(&name), found.now);
            let (sequence, digest) = end_of(&entry);
            let sql = "UPDATE auth_method SET is_in_use = false, log_sequence = $2, \
                       log_digest = $3 WHERE name = $1";
            session.query(sql, &[&name, &sequence, &digest]).await?;
            shared.note(log_and_commit(session, &entry).await?).await;
            Ok(())
        })
        .await
    }

    async fn method(&self, name: &str) -> Result<Option<StoredMethod>> {
        let name = name.to_owned();
        self.run(async move |_, session| {
            let sql = "SELECT version, changed_at, method FROM auth_method \
                       WHERE (name = $1 OR access_id = $1) AND is_in_use";
            session.query_opt(sql, &[&name]).await?.as_ref().map(stored).transpose()
        })
        .await
    }

    async fn methods(&self, after: Option<&str>, limit: u32) -> Result<Vec<StoredMethod>> {
        let after = after.unwrap_or_default().to_owned();
        self.run(async move |_, session| {
            let sql = "SELECT version, changed_at, method FROM auth_method \
                       WHERE name > $1 AND is_in_use ORDER BY name LIMIT $2";
            let rows = session.query(sql, &[&after, &i64::from(limit)]).await?;
            rows.iter().map(stored).collect()
        })
        .await
    }

    async fn signing_keys(&self) -> Result<Vec<StoredKey>> {
        self.run(async |_, session| {
            let sql = "SELECT id, public, sealed FROM signing_key WHERE NOT is_dropped ORDER BY id";
            let rows = session.query(sql, &[]).await?;
            let key =
                |row: &Row| StoredKey { id: row.get(0), public: row.get(1), sealed: row.get(2) };
            Ok(rows.iter().map(key).collect())
        })
        .await
    }

    async fn keep_signing_key(&self, key: &StoredKey) -> Result<()> {
        let key = key.clone();
        self.run(async move |_, session| {
            let sql = "INSERT INTO signing_key (id, public, sealed) VALUES ($1, $2, $3) \
                       ON CONFLICT DO NOTHING";
            session.query(sql, &[&key.id, &key.public, &key.sealed]).await.map(drop)
        })
        .await
    }

    async fn drop_signing_key(&self, id: &str) -> Result<bool> {
        let id = id.to_owned();
        self.run(async move |_, session| {
            let sql = "UPDATE signing_key SET is_dropped = true, sealed = NULL \
                       WHERE id = $1 AND NOT is_dropped RETURNING true";
            Ok(session.query_opt(sql, &[&id]).await?.is_some())
        })
        .await
    }
}

struct Found {
    now: SystemTime,
    version: i64,
    is_in_use: bool,
    access_id: String,
    head: AuditHead,
}

/// Begins a transaction and locks a method in it.
async fn lock(session: &mut Session, name: &str) -> Result<Option<Found>> {
    let sql = format!(
        "SELECT {NOW}, version, is_in_use, access_id, log_sequence, log_digest \
         FROM auth_method WHERE name = $1 FOR UPDATE"
    );
    let Some(row) = session.begin_with(&sql, &[&name]).await? else { return Ok(None) };
    Ok(Some(Found {
        now: time(row.get(0)),
        version: row.get(1),
        is_in_use: row.get(2),
        access_id: row.get(3),
        head: step::head(row.get(4), row.get(5))?,
    }))
}

async fn write(
    session: Session,
    method: &AuthMethod,
    version: i64,
    last: Option<AuditHead>,
    record: &Record,
    now: SystemTime,
) -> Result<i64> {
    let text = auth::text_of(method)?;
    let entry = record.after(last.as_ref(), &auth::subject(&method.name), now);
    let (sequence, digest) = end_of(&entry);
    let sql = "UPDATE auth_method SET access_id = $2, version = $3, is_in_use = true, \
               changed_at = $4, method = $5, log_sequence = $6, log_digest = $7 WHERE name = $1";
    let at = millis(now);
    let (name, access_id) = (&method.name, &method.access_id);
    session.query(sql, &[name, access_id, &version, &at, &text, &sequence, &digest]).await?;
    log_and_commit(session, &entry).await
}

/// The end of a method's log.
pub(super) async fn head(session: &Session, name: &str) -> Result<Option<AuditHead>> {
    let sql = "SELECT log_sequence, log_digest FROM auth_method WHERE name = $1";
    let row = session.query_opt(sql, &[&name]).await?;
    row.map(|row| step::head(row.get(0), row.get(1))).transpose()
}

fn stored(row: &Row) -> Result<StoredMethod> {
    auth::stored(row.get(0), row.get(1), row.get(2))
}

fn about(name: &str) -> String {
    format!("auth method {name}")
}
