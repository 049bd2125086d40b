//! The store in PostgreSQL, for workers on many machines.

mod auth;
mod connect;
mod error;
mod schema;
mod session;
mod tables;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use deadpool_postgres::Pool;
use rolecall_core::{Context, CredentialsError, ErrorKind, Result, Secret};

use self::connect::Target;
use self::session::Session;
use super::guard::Guard;
use super::{AuthStore, Claimant, Doubt, LeaseFilter, PROVIDER, Store, StoreInfo, StoredSecret};
use crate::audit::{AuditEntry, Record, TrailFlaw, verify_trail};
use crate::change::Change;
use crate::definition::DynamicSecret;
use crate::lease::{Lease, LeaseId, NewLease};

/// What one operation may take in all: longer than any of its statements.
const OPERATION_LIMIT: Duration = Duration::from_secs(60);

/// What connecting may take, with waiting for others that make or migrate the store.
const CONNECT_LIMIT: Duration = Duration::from_secs(120);

/// How a store in PostgreSQL is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// The schema that holds it; made if it is missing.
    pub schema: String,
    /// How many connections this process has at most.
    pub connections: usize,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { schema: "rolecall".to_owned(), connections: 8 }
    }
}

/// Leases in PostgreSQL, for any number of workers on any number of machines. Its time is the
/// database's. Connections are made when they are needed, and anew after they broke.
///
/// It needs a session of its own on the server: with PgBouncer, session pooling.
#[derive(Clone)]
pub struct PostgresStore(Arc<Shared>);

struct Shared {
    pool: Pool,
    place: String,
    guard: Guard,
    /// The database's identity and timeline; empty where it does not tell.
    home: String,
}

impl PostgresStore {
    /// Connects to the server of a `postgres://` URL and makes the store if there is none. `sslmode`
    /// and `sslrootcert` are as in `libpq`, but that a server elsewhere must prove its name if
    /// `sslmode` is not given, by Mozilla's authorities if `sslrootcert` is not. The password may
    /// come from PGPASSWORD.
    ///
    /// # Errors
    /// `InvalidConfiguration` for a URL that makes no sense, a certificate that is not trusted, a
    /// read-only server, a store of a newer version; `Denied`, `Unavailable`, `TimedOut` as the
    /// server says.
    pub async fn connect(context: Context, url: &Secret) -> Result<Self> {
        Self::connect_with(context, url, PostgresOptions::default()).await
    }

    /// [`Self::connect`] with another schema or number of connections.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_with(
        context: Context,
        url: &Secret,
        options: PostgresOptions,
    ) -> Result<Self> {
        let target = Target::parse(&context, url)?;
        let place = target.place.clone();
        let clock = context.clock.clone();
        let connecting = Shared::connect(context, target, options);
        let shared = clock.timeout(CONNECT_LIMIT, connecting).await.unwrap_or_else(|| {
            let message = "the server did not answer in time";
            Err(CredentialsError::new(ErrorKind::TimedOut, PROVIDER, message)
                .with_help("check that it can be reached and is not busy"))
        });
        shared.map(|shared| Self(Arc::new(shared))).map_err(|error| error.with_place(place))
    }

    /// Does `work` to its end, also if the caller does not wait for it.
    async fn run<T, F>(
        &self,
        work: impl FnOnce(Arc<Shared>, Session) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send,
    {
        let shared = self.0.clone();
        let running = tokio::spawn(async move {
            let clock = shared.guard.clock();
            let done = clock.timeout(OPERATION_LIMIT, async {
                let session = Session::of(&shared.pool).await?;
                work(shared.clone(), session).await
            });
            done.await.unwrap_or_else(|| {
                let message = "the server did not answer in time";
                Err(CredentialsError::new(ErrorKind::TimedOut, PROVIDER, message)
                    .with_help("look what came of the operation before repeating it"))
            })
        });
        let done = running.await.unwrap_or_else(|error| {
            let message = format!("the operation was given up half-way: {error}");
            Err(CredentialsError::new(ErrorKind::Internal, PROVIDER, message))
        });
        done.map_err(|error| error.with_place(self.0.place.clone()))
    }
}

impl Shared {
    async fn connect(context: Context, target: Target, options: PostgresOptions) -> Result<Self> {
        let greeting = format!(
            "SET search_path TO {}; SET statement_timeout = '15s'; SET lock_timeout = '10s'; \
             SET idle_in_transaction_session_timeout = '30s'; \
             SET default_transaction_isolation = 'read committed'; \
             SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') = 'off'",
            schema::quoted(&options.schema)?
        );
        let place = target.place.clone();
        let pool = target.pool(&context, options.connections, greeting)?;
        let session = Session::of(&pool).await?;
        // Some providers keep it to themselves.
        let home = tables::home(&session).await.unwrap_or_default();
        let is_new = schema::migrate(session, &context, &options.schema, &home).await?;
        let session = Session::of(&pool).await?;
        let standing = tables::standing(&session, &home).await?;
        let guard = Guard::new(context, &standing.id);
        if is_new {
            guard.write(&standing)?;
        } else if guard.doubt(guard.noted().as_ref(), &standing).is_none()
            && standing.is_at_home == Some(false)
        {
            tables::mark_home(&session, &home).await?;
        }
        Ok(Self { pool, place, guard, home })
    }

    /// Notes that the log has come to line `number`.
    async fn note(&self, number: i64) {
        if self.guard.saw(number.unsigned_abs()) {
            let standing = async {
                let session = Session::of(&self.pool).await?;
                tables::standing(&session, &self.home).await
            };
            match standing.await {
                Ok(standing) => self.guard.note(standing),
                Err(error) => tracing::debug!("the store is not noted: {error}"),
            }
        }
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn info(&self) -> Result<StoreInfo> {
        self.run(async |shared, session| {
            let noted = shared.guard.noted();
            let standing = tables::standing(&session, &shared.home).await?;
            let info = shared.guard.info(noted.as_ref(), &standing);
            if info.doubt == Some(Doubt::Restored) && !standing.is_restored {
                // Written down, as new lines of the log would soon hide it.
                tables::mark_restored(&session).await?;
            }
            Ok(info)
        })
        .await
    }

    async fn now(&self) -> Result<SystemTime> {
        self.run(async |_, session| tables::now(&session).await).await
    }

    fn has_machines_clock(&self) -> bool {
        false
    }

    async fn accept_restored(&self, record: &Record) -> Result<StoreInfo> {
        let info = self.info().await?;
        if info.doubt.is_none() {
            return Ok(info);
        }
        let record = record.clone();
        self.run(async move |shared, session| {
            tables::accept_restored(session, &record, &shared.home).await?;
            let session = Session::of(&shared.pool).await?;
            let standing = tables::standing(&session, &shared.home).await?;
            shared.guard.write(&standing)
        })
        .await?;
        self.info().await
    }

    async fn create_secret(&self, secret: &DynamicSecret, record: &Record) -> Result<()> {
        let (secret, record) = (secret.clone(), record.clone());
        self.run(async move |shared, session| {
            shared.note(tables::create_secret(session, &secret, &record).await?).await;
            Ok(())
        })
        .await
    }

    async fn update_secret(
        &self,
        secret: &DynamicSecret,
        version: u32,
        record: &Record,
    ) -> Result<()> {
        let (secret, record) = (secret.clone(), record.clone());
        self.run(async move |shared, session| {
            shared.note(tables::update_secret(session, &secret, version, &record).await?).await;
            Ok(())
        })
        .await
    }

    async fn delete_secret(&self, name: &str, record: &Record) -> Result<()> {
        let (name, record) = (name.to_owned(), record.clone());
        self.run(async move |shared, session| {
            shared.note(tables::delete_secret(session, &name, &record).await?).await;
            Ok(())
        })
        .await
    }

    async fn secret(&self, name: &str, version: Option<u32>) -> Result<Option<StoredSecret>> {
        let name = name.to_owned();
        self.run(async move |_, session| tables::secret(&session, &name, version).await).await
    }

    async fn secrets(&self, after: Option<&str>, limit: u32) -> Result<Vec<StoredSecret>> {
        let after = after.map(str::to_owned);
        self.run(async move |_, session| tables::secrets(&session, after.as_deref(), limit).await)
            .await
    }

    async fn begin(&self, lease: &NewLease, claimant: &Claimant, record: &Record) -> Result<Lease> {
        let (lease, claimant, record) = (lease.clone(), claimant.clone(), record.clone());
        self.run(async move |shared, session| {
            let (lease, number) = tables::begin(session, &lease, &claimant, &record).await?;
            shared.note(number).await;
            Ok(lease)
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
        self.run(async move |shared, session| {
            let (lease, number) = tables::advance(session, id, fence, &what, &record).await?;
            shared.note(number).await;
            Ok(lease)
        })
        .await
    }

    async fn lease(&self, id: LeaseId) -> Result<Option<Lease>> {
        self.run(async move |_, session| {
            Ok(tables::lease(&session, id).await?.map(|kept| kept.lease))
        })
        .await
    }

    async fn leases(
        &self,
        filter: &LeaseFilter,
        after: Option<LeaseId>,
        limit: u32,
    ) -> Result<Vec<Lease>> {
        let filter = filter.clone();
        self.run(async move |_, session| tables::leases(&session, &filter, after, limit).await)
            .await
    }

    async fn claim(&self, id: LeaseId, claimant: &Claimant) -> Result<Option<Lease>> {
        let claimant = claimant.clone();
        self.run(async move |_, session| tables::claim(&session, id, &claimant).await).await
    }

    async fn seize(
        &self,
        id: LeaseId,
        claimant: &Claimant,
        record: &Record,
    ) -> Result<Option<Lease>> {
        let (claimant, record) = (claimant.clone(), record.clone());
        self.run(async move |shared, session| {
            let Some((lease, number)) = tables::seize(session, id, &claimant, &record).await?
            else {
                return Ok(None);
            };
            shared.note(number).await;
            Ok(Some(lease))
        })
        .await
    }

    async fn claim_due(
        &self,
        claimant: &Claimant,
        limit: u32,
        except: &[String],
    ) -> Result<Vec<Lease>> {
        let (claimant, except) = (claimant.clone(), except.to_vec());
        self.run(async move |_, session| {
            tables::claim_due(&session, &claimant, limit, &except).await
        })
        .await
    }

    async fn next_due(&self, within: Duration, except: &[String]) -> Result<Option<SystemTime>> {
        let except = except.to_vec();
        self.run(async move |_, session| tables::next_due(&session, within, &except).await).await
    }

    async fn note(&self, subject: &str, record: &Record) -> Result<()> {
        let (subject, record) = (subject.to_owned(), record.clone());
        self.run(async move |shared, session| {
            shared.note(tables::note(session, &subject, &record).await?).await;
            Ok(())
        })
        .await
    }

    async fn trail(&self, subject: &str) -> Result<Vec<AuditEntry>> {
        let subject = canonical(subject);
        self.run(async move |_, session| tables::trail(&session, &subject).await).await
    }

    async fn verify(&self, subject: &str) -> Result<Option<TrailFlaw>> {
        let subject = canonical(subject);
        self.run(async move |_, mut session| {
            session.begin().await?;
            session.batch("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
            let entries = tables::trail(&session, &subject).await?;
            let head = tables::head(&session, &subject).await?;
            session.commit().await?;
            Ok(verify_trail(&entries, head.as_ref()).err())
        })
        .await
    }

    fn auth(&self) -> Option<&dyn AuthStore> {
        Some(self)
    }
}

/// A lease's id may be written in small letters.
fn canonical(subject: &str) -> String {
    subject.parse::<LeaseId>().map_or_else(|_| subject.to_owned(), |id| id.to_string())
}

// The password must not show.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("place", &self.0.place).finish_non_exhaustive()
    }
}
