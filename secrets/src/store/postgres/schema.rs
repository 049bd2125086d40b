//! The tables, and how older ones become newer ones.

use rolecall_core::{Context, CredentialsError, ErrorKind, Result};

use super::super::{PROVIDER, step};
use super::session::Session;

/// What makes each version from the one before. Forward only; never edit one that was released.
const MIGRATIONS: &[&str] = &[include_str!("1.sql"), include_str!("2.sql"), include_str!("3.sql")];

/// Workers that start together migrate one after the other: `rolecall` as a number.
const LOCK: i64 = 0x726f_6c65_6361_6c6c;

/// `name` as an identifier in SQL.
pub(super) fn quoted(name: &str) -> Result<String> {
    if name.is_empty() || name.len() > 63 || name.contains('\0') {
        let message = "a schema's name has 1 to 63 bytes";
        return Err(CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message));
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// Brings the schema up to date in one transaction; gives whether the store was made by it.
pub(super) async fn migrate(
    session: Session,
    context: &Context,
    schema: &str,
    home: &str,
) -> Result<bool> {
    migrate_by(session, context, schema, home, MIGRATIONS).await
}

async fn migrate_by(
    mut session: Session,
    context: &Context,
    schema: &str,
    home: &str,
    migrations: &[&str],
) -> Result<bool> {
    let current = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    session.begin().await?;
    // Others may be making it; making it takes longer than a statement should.
    session.batch("SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '60s'").await?;
    session.query("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)";
    if !session.query_one(sql, &[&schema]).await?.get::<_, bool>(0) {
        session.batch(&format!("CREATE SCHEMA {}", quoted(schema)?)).await?;
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = $1), \
               EXISTS (SELECT 1 FROM pg_attribute WHERE attname = 'is_restored' \
               AND attrelid = to_regclass('store'))";
    let row = session.query_one(sql, &[&schema]).await?;
    let found = match (row.get(0), row.get(1)) {
        (false, _) => 0,
        (true, true) => {
            let row = session.query_opt("SELECT version FROM store", &[]).await?;
            row.map_or(-1, |row| row.get::<_, i64>(0))
        }
        (true, false) => {
            let message = format!("the schema {schema} holds something else than a lease store");
            return Err(CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
                .with_help("name another schema"));
        }
    };
    if found > current {
        let message = format!("it has version {found}, and this rolecall knows up to {current}");
        return Err(CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
            .with_help("use the newer rolecall that wrote it; nothing was changed"));
    }
    let Ok(done) = usize::try_from(found) else { return Err(step::damaged("its version")) };
    for migration in &migrations[done..] {
        session.batch(migration).await?;
    }
    if found == 0 {
        let sql = "INSERT INTO store (number, version, id, epoch, is_restored, home) \
                   VALUES (1, 0, $1, 1, false, $2)";
        session.query(sql, &[&step::new_store_id(context), &home]).await?;
    }
    if found < current {
        session.query("UPDATE store SET version = $1", &[&current]).await?;
    }
    session.commit().await?;
    Ok(found == 0)
}

#[cfg(test)]
mod tests {
    use super::super::connect::Target;
    use super::*;
    use rolecall_core::{Env, Secret};
    use rolecall_kit::Postgres;

    #[tokio::test]
    async fn an_older_store_becomes_a_newer_one_as_a_whole_or_not_at_all() {
        let server = Postgres::shared();
        let context = Context { env: Env::from_pairs([("HOME", "/none")]), ..Context::real() };
        let target = Target::parse(&context, &Secret::from(server.url())).unwrap();
        let pool = target.pool(&context, 1, "SET search_path TO \"old\"".to_owned()).unwrap();
        let session = async || Session::of(&pool).await.unwrap();
        let migrate = async |migrations: &[&str]| {
            migrate_by(session().await, &context, "old", "here", migrations).await
        };
        let first = "CREATE TABLE store (number bigint, version bigint, id text, epoch bigint, \
                     is_restored boolean, home text)";
        let second = "CREATE TABLE more (a int); ALTER TABLE store ADD extra text DEFAULT 'x'";
        assert!(migrate(&[first]).await.unwrap());
        assert!(!migrate(&[first]).await.unwrap());
        migrate(&[first, "CREATE TABLE more (a int); CREATE TABLE store (a int)"])
            .await
            .unwrap_err();
        let version = async || {
            let row = session().await.query_one("SELECT version FROM store", &[]).await;
            row.unwrap().get::<_, i64>(0)
        };
        assert_eq!(version().await, 1);
        assert!(!migrate(&[first, second]).await.unwrap());
        assert_eq!(version().await, 2);
        let sql = "SELECT extra, length(id) FROM store, (SELECT count(*) FROM more) AS more";
        let row = session().await.query_one(sql, &[]).await.unwrap();
        assert_eq!((row.get::<_, &str>(0), row.get::<_, i32>(1)), ("x", 12));
        let error = migrate(&[first]).await.unwrap_err();
        assert!(error.message().contains("version 2"), "{error}");
    }

    #[test]
    fn a_schema_cannot_smuggle_sql() {
        assert_eq!(quoted("a\"; DROP").unwrap(), "\"a\"\"; DROP\"");
        for wrong in ["", "a\0b", &"x".repeat(64)] {
            assert!(quoted(wrong).is_err(), "{wrong:?}");
        }
    }
}
