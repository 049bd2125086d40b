//! The store in one SQLite file.

mod auth;
mod error;
mod files;
mod inherited;
mod queue;
mod schema;
mod tables;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rolecall_core::{Context, CredentialsError, ErrorKind, Result, Whole};
use rusqlite::{Connection, OpenFlags};

use self::error::{closed, failed};
use self::files::Files;
use self::inherited::Slot;
use self::queue::{Access, Job, Queue};
use self::tables::Subject;
use super::guard::{Guard, Standing};
use super::{AuthStore, Claimant, Doubt, LeaseFilter, PROVIDER, Store, StoreInfo, StoredSecret};
use crate::audit::{AuditEntry, Record, TrailFlaw, verify_trail};
use crate::change::Change;
use crate::definition::DynamicSecret;
use crate::lease::{Lease, LeaseId, NewLease};

const PATIENCE: Duration = Duration::from_secs(10);

/// Leases in one SQLite file, for any number of processes of one machine. Each change is on the
/// disk when it returns; changes that are asked for at the same time share one write.
///
/// Its time is [`Context::clock`]'s.
#[derive(Clone)]
pub struct SqliteStore {
    // The first to go.
    _closing: Arc<Closing>,
    shared: Arc<Shared>,
    queue: Arc<Queue>,
}

/// The end of a store: when the last handle goes, all is done and the file is closed, so that a
/// process that ends then leaves one whole file.
struct Closing(Arc<Queue>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.finish();
    }
}

struct Shared {
    files: Files,
    guard: Guard,
    connection: Arc<Slot>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _whole = Whole::begin();
        drop(self.connection.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl SqliteStore {
    /// Opens the store in the file `path`, and makes it if there is none: its owner's alone.
    /// Waits ten seconds at most for other processes, here and in each operation.
    ///
    /// # Errors
    /// `InvalidConfiguration` if the file or its folder is read-only, somebody else's or open to
    /// everybody, is no lease store, or was written by a newer version; `Unavailable` if it is
    /// locked, the disk is full or fails; `Malformed` if it is damaged.
    pub async fn open(context: Context, path: &Path) -> Result<Self> {
        Self::open_patiently(context, path, PATIENCE).await
    }

    /// [`Self::open`], waiting for other processes as long as `patience`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_patiently(context: Context, path: &Path, patience: Duration) -> Result<Self> {
        let files = Files::new(context, path, patience);
        let place = files.database.display().to_string();
        let opened = tokio::task::spawn_blocking(move || Shared::open(files)).await;
        let shared = opened.unwrap_or_else(|error| {
            let message = format!("opening the store was given up: {error}");
            Err(CredentialsError::new(ErrorKind::Internal, PROVIDER, message))
        });
        let shared = Arc::new(shared.map_err(|error| error.with_place(place))?);
        let queue = Arc::<Queue>::default();
        Ok(Self { _closing: Arc::new(Closing(queue.clone())), shared, queue })
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.submit(Access::Read, work).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection, SystemTime) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let clock = self.shared.files.context.clock.clone();
        self.submit(Access::Write, move |connection| work(connection, clock.now())).await
    }

    async fn submit<T: Send + 'static>(
        &self,
        access: Access,
        work: impl Fn(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = self.shared.clone();
        let done = self.queue.submit(access, work, move |batch| shared.run(batch)).await;
        done.map_err(|error| error.with_place(self.shared.files.database.display().to_string()))
    }

    async fn standing(&self) -> Result<Standing> {
        self.read(tables::standing).await
    }
}

impl Shared {
    fn open(files: Files) -> Result<Self> {
        let _whole = Whole::begin();
        inherited::close()?;
        let path = files.prepare()?;
        // No folder or link is followed here that `prepare` has not seen.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(files.patience).map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(64);
        let mode = connection
            .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
        if mode.map_err(failed)? != "wal" {
            let message = "the file system cannot hold a store that several processes use";
            return Err(CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
                .with_help("keep the store on a local disk"));
        }
        for (name, value) in [
            // Each commit is on the disk when it returns.
            ("synchronous", "FULL"),
            ("trusted_schema", "OFF"),
            // 8 MiB of pages in memory; the log of changes is merged into the file at 16 MiB.
            ("cache_size", "-8192"),
            ("wal_autocheckpoint", "4096"),
            ("journal_size_limit", "67108864"),
            ("temp_store", "MEMORY"),
        ] {
            connection.pragma_update(None, name, value).map_err(failed)?;
        }
        let is_new = schema::migrate(&mut connection, &files.context)?;
        let standing = tables::standing(&connection)?;
        let guard = Guard::new(files.context.clone(), &standing.id);
        if is_new {
            guard.write(&standing)?;
        }
        Ok(Self { files, guard, connection: inherited::keep(connection) })
    }

    /// Does a batch and answers all of it: what reads first, then all that writes in one
    /// transaction.
    fn run(&self, batch: Vec<Box<dyn Job>>) {
        let _whole = Whole::begin();
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(connection) = &*connection else {
            let error = closed();
            return batch.into_iter().for_each(|job| job.answer(Some(&error)));
        };
        // A panic must not leave the file locked for others until the next batch.
        let _undo = Undo(connection);
        let (reads, writes): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|job| job.access() == Access::Read);
        if !reads.is_empty() {
            read_all(connection, reads);
        }
        if !writes.is_empty() {
            self.write_all(connection, writes);
        }
    }

    fn write_all(&self, connection: &Connection, mut jobs: Vec<Box<dyn Job>>) {
        let done = self.transact(connection, &mut jobs);
        let error = done.as_ref().err();
        if error.is_some() && !connection.is_autocommit() {
            // It can only fail if there is nothing to undo.
            let _ = connection.execute_batch("ROLLBACK");
        }
        jobs.into_iter().for_each(|job| job.answer(error));
        if let Ok(standing) = done {
            self.guard.note(standing);
        }
    }

    fn transact(&self, connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<Standing> {
        let turn = self.files.turn()?;
        run(connection, "BEGIN IMMEDIATE")?;
        drop(turn);
        if !run_together(connection, jobs)? {
            run(connection, "ROLLBACK")?;
            let turn = self.files.turn()?;
            run(connection, "BEGIN IMMEDIATE")?;
            drop(turn);
            run_apart(connection, jobs)?;
        }
        let standing = tables::standing(connection)?;
        run(connection, "COMMIT")?;
        Ok(standing)
    }
}

/// Undoes a transaction that is still open at its end.
struct Undo<'a>(&'a Connection);

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // It can only fail if there is nothing to undo.
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

/// Does all of it; `false` if one failed after it had written something: then all must be undone.
/// Jobs look before they write, so that hardly happens, and the others need no savepoints.
fn run_together(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<bool> {
    for job in jobs {
        let before = connection.total_changes();
        if let Err(error) = job.run(connection) {
            // A full or failing disk ends the whole transaction.
            if connection.is_autocommit() {
                return Err(error);
            }
            if connection.total_changes() != before {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Does all of it, each for itself: what one that fails has written is undone.
fn run_apart(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<()> {
    for job in jobs {
        run(connection, "SAVEPOINT job")?;
        if let Err(error) = job.run(connection) {
            if connection.is_autocommit() {
                return Err(error);
            }
            run(connection, "ROLLBACK TO job")?;
        }
        run(connection, "RELEASE job")?;
    }
    Ok(())
}

fn read_all(connection: &Connection, mut jobs: Vec<Box<dyn Job>>) {
    let done = run(connection, "BEGIN").and_then(|()| {
        for job in &mut jobs {
            // Each tells its own error.
            let _ = job.run(connection);
        }
        run(connection, "COMMIT")
    });
    if done.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    jobs.into_iter().for_each(|job| job.answer(done.as_ref().err()));
}

fn run(connection: &Connection, sql: &str) -> Result<()> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map_err(failed)?;
    Ok(())
}

#[async_trait]
impl Store for SqliteStore {
    async fn info(&self) -> Result<StoreInfo> {
        let noted = self.shared.guard.noted();
        let standing = self.standing().await?;
        let info = self.shared.guard.info(noted.as_ref(), &standing);
        if info.doubt == Some(Doubt::Restored) && !standing.is_restored {
            // Written down, as new lines of the log would soon hide it.
            self.write(|connection, _| tables::mark_restored(connection)).await?;
        }
        Ok(info)
    }

    async fn now(&self) -> Result<SystemTime> {
        Ok(self.shared.files.context.clock.now())
    }

    fn has_machines_clock(&self) -> bool {
        true
    }

    async fn accept_restored(&self, record: &Record) -> Result<StoreInfo> {
        let info = self.info().await?;
        if info.doubt.is_none() {
            return Ok(info);
        }
        let record = record.clone();
        let accepted = self.write(move |connection, now| {
            tables::accept_restored(connection, &record, now)?;
            tables::standing(connection)
        });
        let standing = accepted.await?;
        self.shared.guard.write(&standing)?;
        self.info().await
    }

    async fn create_secret(&self, secret: &DynamicSecret, record: &Record) -> Result<()> {
        let (secret, record) = (secret.clone(), record.clone());
        self.write(move |connection, now| tables::create_secret(connection, &secret, &record, now))
            .await
    }

    async fn update_secret(
        &self,
        secret: &DynamicSecret,
        version: u32,
        record: &Record,
    ) -> Result<()> {
        let (secret, record) = (secret.clone(), record.clone());
        self.write(move |connection, now| {
            tables::update_secret(connection, &secret, version, &record, now)
        })
        .await
    }

    async fn delete_secret(&self, name: &str, record: &Record) -> Result<()> {
        let (name, record) = (name.to_owned(), record.clone());
        self.write(move |connection, now| tables::delete_secret(connection, &name, &record, now))
            .await
    }

    async fn secret(&self, name: &str, version: Option<u32>) -> Result<Option<StoredSecret>> {
        let name = name.to_owned();
        self.read(move |connection| tables::secret(connection, &name, version)).await
    }

    async fn secrets(&self, after: Option<&str>, limit: u32) -> Result<Vec<StoredSecret>> {
        let after = after.map(str::to_owned);
        self.read(move |connection| tables::secrets(connection, after.as_deref(), limit)).await
    }

    async fn begin(&self, lease: &NewLease, claimant: &Claimant, record: &Record) -> Result<Lease> {
        let (lease, claimant, record) = (lease.clone(), claimant.clone(), record.clone());
        self.write(move |connection, now| {
            tables::begin(connection, &lease, &claimant, &record, now)
        })
        .await
    }

    async fn advance(
        &self,
        id: LeaseId,
        fence: u64,
        what: &Change,
        record: &Record,
    ) -> Result<Lease> {
        let (what, record) = (what.clone(), record.clone());
        self.write(move |connection, now| {
            tables::advance(connection, id, fence, &what, &record, now)
        })
        .await
    }

    async fn lease(&self, id: LeaseId) -> Result<Option<Lease>> {
        self.read(move |connection| Ok(tables::kept(connection, id)?.map(|kept| kept.lease))).await
    }

    async fn leases(
        &self,
        filter: &LeaseFilter,
        after: Option<LeaseId>,
        limit: u32,
    ) -> Result<Vec<Lease>> {
        let filter = filter.clone();
        self.read(move |connection| tables::leases(connection, &filter, after, limit)).await
    }

    async fn claim(&self, id: LeaseId, claimant: &Claimant) -> Result<Option<Lease>> {
        let claimant = claimant.clone();
        self.write(move |connection, now| tables::claim(connection, id, &claimant, now)).await
    }

    async fn seize(
        &self,
        id: LeaseId,
        claimant: &Claimant,
        record: &Record,
    ) -> Result<Option<Lease>> {
        let (claimant, record) = (claimant.clone(), record.clone());
        self.write(move |connection, now| tables::seize(connection, id, &claimant, &record, now))
            .await
    }

    async fn claim_due(
        &self,
        claimant: &Claimant,
        limit: u32,
        except: &[String],
    ) -> Result<Vec<Lease>> {
        let (claimant, except) = (claimant.clone(), except.to_vec());
        self.write(move |connection, now| {
            tables::claim_due(connection, &claimant, limit, &except, now)
        })
        .await
    }

    async fn next_due(&self, within: Duration, except: &[String]) -> Result<Option<SystemTime>> {
        let (until, except) = (self.now().await? + within, except.to_vec());
        self.read(move |connection| tables::next_due(connection, until, &except)).await
    }

    async fn note(&self, subject: &str, record: &Record) -> Result<()> {
        let (subject, record) = (subject.to_owned(), record.clone());
        self.write(move |connection, now| tables::note(connection, &subject, &record, now)).await
    }

    async fn trail(&self, subject: &str) -> Result<Vec<AuditEntry>> {
        let subject = subject.to_owned();
        self.read(move |connection| tables::trail(connection, &subject)).await
    }

    async fn verify(&self, subject: &str) -> Result<Option<TrailFlaw>> {
        let subject = subject.to_owned();
        self.read(move |connection| {
            let entries = tables::trail(connection, &subject)?;
            let head = tables::head(connection, &Subject::of(&subject))?;
            Ok(verify_trail(&entries, head.as_ref()).err())
        })
        .await
    }

    fn auth(&self) -> Option<&dyn AuthStore> {
        Some(self)
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.shared.files.database;
        f.debug_struct("SqliteStore").field("path", path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Outcome;
    use crate::definition::{Connection as Reach, IamUser, SecretKind};
    use rolecall_core::Env;

    fn definition(name: String) -> DynamicSecret {
        DynamicSecret {
            name,
            description: "x".repeat(1000),
            connection: Reach::Default,
            kind: SecretKind::IamUser(IamUser::default()),
            region: None,
            access: Vec::new(),
            default_ttl: PATIENCE,
            max_ttl: PATIENCE,
        }
    }

    async fn store() -> (tempfile::TempDir, SqliteStore) {
        let folder = tempfile::tempdir().unwrap();
        let env = Env::from_pairs([("HOME", folder.path().display().to_string())]);
        let context = Context { env, ..Context::real() };
        let store = SqliteStore::open(context, &folder.path().join("s/leases.db")).await.unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn a_full_disk_says_so_and_changes_nothing() {
        let (_folder, store) = store().await;
        let record = Record::new("me", "define", Outcome::Done, "");
        let room = async |pages: i64| {
            let set = move |connection: &Connection| {
                connection.pragma_update(None, "max_page_count", pages).map_err(failed)
            };
            store.read(set).await.unwrap();
        };
        room(40).await;
        let mut written = 0;
        let error = loop {
            let secret = definition(format!("secret-{written}"));
            match store.create_secret(&secret, &record).await {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
            assert!(written < 1000, "the disk is never full");
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("disk is full"), "{error}");
        assert!(error.place().is_some() && error.help().is_some());
        let name = format!("secret-{written}");
        assert_eq!(store.secret(&name, None).await.unwrap(), None);
        assert_eq!(store.trail(&name).await.unwrap(), []);
        room(100_000).await;
        store.create_secret(&definition(name.clone()), &record).await.unwrap();
        for number in 0..=written {
            assert_eq!(store.verify(&format!("secret-{number}")).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn what_fails_half_way_is_undone_and_takes_nobody_with_it() {
        let (_folder, store) = store().await;
        let record = Record::new("me", "define", Outcome::Done, "");
        // All of it gathers while the first holds the file.
        let (begun, wait) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
        let (begun, wait) = (Arc::new(begun), Arc::new(wait));
        let gate = (begun.clone(), wait.clone());
        let holder = store.clone();
        let first = tokio::spawn(async move {
            let hold = holder.read(move |_| {
                gate.0.wait();
                gate.1.wait();
                Ok(())
            });
            hold.await
        });
        tokio::task::spawn_blocking(move || begun.wait()).await.unwrap();
        let half = store.write(|connection, _| -> Result<()> {
            connection.execute("UPDATE store SET epoch = 77", []).map_err(failed)?;
            Err(CredentialsError::new(ErrorKind::Denied, PROVIDER, "on purpose"))
        });
        let (one, two) = (definition("one".to_owned()), definition("two".to_owned()));
        let before = store.create_secret(&one, &record);
        let after = store.create_secret(&two, &record);
        let again = store.create_secret(&one, &record);
        let open = tokio::task::spawn_blocking(move || wait.wait());
        let (before, half, after, again, _) =
            tokio::join!(biased; before, half, after, again, open);
        first.await.unwrap().unwrap();
        assert_eq!(half.unwrap_err().kind(), ErrorKind::Denied);
        assert!(before.is_ok() && after.is_ok());
        let conflict = super::super::Conflict::of(&again.unwrap_err());
        assert_eq!(conflict, Some(super::super::Conflict::SecretExists));
        assert_eq!(store.info().await.unwrap().epoch, 1);
        for name in ["one", "two"] {
            assert_eq!(store.trail(name).await.unwrap().len(), 1);
            assert_eq!(store.verify(name).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn a_panic_takes_nobody_with_it() {
        let (_folder, store) = store().await;
        let panics = store.write(|connection, _| -> Result<()> {
            connection.execute("UPDATE store SET epoch = 77", []).map_err(failed)?;
            panic!("on purpose")
        });
        assert_eq!(panics.await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(store.info().await.unwrap().epoch, 1);
        let record = Record::new("me", "define", Outcome::Done, "");
        store.create_secret(&definition("after".to_owned()), &record).await.unwrap();
    }
}
