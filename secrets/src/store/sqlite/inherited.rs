//! Connections in the child of a fork. SQLite notes in memory which locks of a file its process has; a
//! child inherits the notes without the locks. A new connection to the same file would rely on them,
//! and what it writes would be lost once the parent closes the file. So the parent's connections are
//! closed in the child first, which forgets the notes and does nothing to the file.

use std::sync::{Arc, Mutex, PoisonError, TryLockError, Weak};

use arc_swap::ArcSwapOption;
use rolecall_core::{CredentialsError, ErrorKind, PerProcess, Result, forks};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::super::PROVIDER;
use super::error::failed;

/// A connection, until it is closed.
pub(super) type Slot = Mutex<Option<Connection>>;

/// A connection, and how many forks lay before its process.
type Opened = (u64, Weak<Slot>);

/// Those of this process and of the processes before it. No lock is held on them when one forks.
static OPENED: ArcSwapOption<Vec<Opened>> = ArcSwapOption::const_empty();

static CLOSING: PerProcess<Mutex<()>> = PerProcess::empty();

/// Keeps `connection` where the child of a fork finds it.
pub(super) fn keep(connection: Connection) -> Arc<Slot> {
    let slot = Arc::new(Mutex::new(Some(connection)));
    OPENED.rcu(|opened| {
        let open = opened.iter().flat_map(|opened| opened.iter());
        let open = open.filter(|(_, slot)| slot.strong_count() > 0).cloned();
        Some(Arc::new(open.chain([(forks(), Arc::downgrade(&slot))]).collect::<Vec<_>>()))
    });
    slot
}

/// Closes those of the processes before this one.
///
/// # Errors
/// `Internal` if one was at work when the process forked.
pub(super) fn close() -> Result<()> {
    let closing = CLOSING.get_or_make(Mutex::default);
    let _alone = closing.lock().unwrap_or_else(PoisonError::into_inner);
    let opened = OPENED.load();
    for (of, slot) in opened.iter().flat_map(|opened| opened.iter()) {
        if let Some(slot) = slot.upgrade().filter(|_| *of != forks()) {
            let mut slot = match slot.try_lock() {
                Ok(slot) => slot,
                Err(TryLockError::Poisoned(slot)) => slot.into_inner(),
                Err(TryLockError::WouldBlock) => return Err(was_at_work()),
            };
            if let Some(connection) = &*slot {
                if !connection.is_autocommit() {
                    return Err(was_at_work());
                }
                // The log is whose locks are real.
                let kept =
                    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
                kept.map_err(failed)?;
            }
            drop(slot.take());
        }
    }
    Ok(())
}

fn was_at_work() -> CredentialsError {
    let message = "a lease store was being written or read when this process was forked, so SQLite \
                   cannot be used in it";
    CredentialsError::new(ErrorKind::Internal, PROVIDER, message)
        .with_help("fork when nothing is done with the store, or open the store after the fork")
}
