//! The tables, and how older ones become newer ones.

use rolecall_core::{Context, CredentialsError, ErrorKind, Result};
use rusqlite::Connection;

use super::super::{PROVIDER, step};
use super::error::failed;

/// In the file's header, so that other SQLite files are known as such: `rcls`.
const APPLICATION_ID: i64 = 0x7263_6c73;

/// What makes each version from the one before. Forward only; never edit one that was released.
const MIGRATIONS: &[&str] = &[include_str!("1.sql"), include_str!("2.sql"), include_str!("3.sql")];

/// Brings the file's tables up to date in one transaction; gives whether the store was made by it.
pub(super) fn migrate(connection: &mut Connection, context: &Context) -> Result<bool> {
    migrate_by(connection, context, MIGRATIONS)
}

fn migrate_by(connection: &mut Connection, context: &Context, migrations: &[&str]) -> Result<bool> {
    // A reader first: most of the time nothing is to be done, and the store may be locked.
    let current = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if check(connection, current)? == current {
        return Ok(false);
    }
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(failed)?;
    let found = check(&transaction, current)?;
    let done = usize::try_from(found).unwrap_or(0);
    for migration in &migrations[done..] {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    if found == 0 {
        let sql = "INSERT INTO store (number, id, epoch, is_restored) VALUES (1, ?1, 1, 0)";
        transaction.execute(sql, [step::new_store_id(context)]).map_err(failed)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    }
    transaction.pragma_update(None, "user_version", current).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(found == 0)
}

/// The version of the tables in the file; 0 in an empty one.
fn check(connection: &Connection, current: i64) -> Result<i64> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = pragma("application_id").map_err(failed)?;
    let version = pragma("user_version").map_err(failed)?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables = connection.query_row(tables, [], |row| row.get::<_, i64>(0)).map_err(failed)?;
    let error = |message: String, help: &str| {
        let kind = ErrorKind::InvalidConfiguration;
        Err(CredentialsError::new(kind, PROVIDER, message).with_help(help))
    };
    if tables == 0 && version == 0 && application == 0 {
        Ok(0)
    } else if application != APPLICATION_ID {
        error("it is another program's database".to_owned(), "name another file")
    } else if version > current {
        let message = format!("it has version {version}, and this rolecall knows up to {current}");
        error(message, "use the newer rolecall that wrote it; nothing was changed")
    } else if version < 1 {
        Err(step::damaged("its version"))
    } else {
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i64 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_older_store_becomes_a_newer_one_as_a_whole_or_not_at_all() {
        let context = Context::real();
        let mut connection = Connection::open_in_memory().unwrap();
        let first = "CREATE TABLE store (number INTEGER, id TEXT, epoch INTEGER, is_restored)";
        let second = "CREATE TABLE more (a); ALTER TABLE store ADD COLUMN extra TEXT DEFAULT 'x'";
        assert!(migrate_by(&mut connection, &context, &[first]).unwrap());
        assert!(!migrate_by(&mut connection, &context, &[first]).unwrap());
        let broken = [first, "CREATE TABLE more (a); CREATE TABLE store (a)"];
        migrate_by(&mut connection, &context, &broken).unwrap_err();
        assert_eq!(version(&connection), 1);
        assert!(!migrate_by(&mut connection, &context, &[first, second]).unwrap());
        assert_eq!(version(&connection), 2);
        let kept = "SELECT length(id), extra FROM store, (SELECT count(*) FROM more)";
        let kept = connection.query_row(kept, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(kept, (12_i64, "x".to_owned()));
        let error = migrate_by(&mut connection, &context, &[first]).unwrap_err();
        assert!(error.message().contains("version 2"), "{error}");
    }

    #[test]
    fn another_programs_database_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE theirs (a)").unwrap();
        let error = migrate(&mut connection, &Context::real()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert_eq!(version(&connection), 0);
    }
}
