//! IAM users and STS sessions on lease, with nothing left behind.
//!
//! [`open`] opens a store and gives [`Leases`], which define dynamic secrets and make, renew and
//! take back leases of them. A definition's connection is reached as a [`crate::Session`] reaches
//! a profile: sources, role chains, caches, endpoints and MFA are the same. [`Worker`] does what is
//! due; [`run_command`] gives one command a lease for as long as it runs.
//!
//! ```
//! use std::time::Duration;
//!
//! use rolecall::leases::{self, Connection, DynamicSecret, IamUser, OpenOptions, SecretKind};
//!
//! # async fn example(folder: &std::path::Path) -> rolecall::Result<()> {
//! let store = folder.join("leases.db").display().to_string();
//! let leases = leases::open(OpenOptions { store: Some(store), ..OpenOptions::default() }).await?;
//! leases
//!     .define(&DynamicSecret {
//!         name: "ci/reader".to_owned(),
//!         description: String::new(),
//!         connection: Connection::Profile("admin".to_owned()),
//!         kind: SecretKind::IamUser(IamUser {
//!             policy_arns: vec!["arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned()],
//!             username_template: Some("ci-{{identity.name}}".to_owned()),
//!             ..IamUser::default()
//!         }),
//!         region: None,
//!         access: Vec::new(),
//!         default_ttl: Duration::from_secs(3600),
//!         max_ttl: Duration::from_secs(86_400),
//!     })
//!     .await?;
//! assert_eq!(leases.definition("ci/reader").await?.version, 1);
//! // From here on AWS is asked: `leases.create(…)`, `leases.renew(…)`, `leases.revoke(…)`.
//! # Ok(())
//! # }
//! # let folder = tempfile::tempdir().unwrap();
//! # rolecall::block_on(example(folder.path())).unwrap().unwrap();
//! ```

mod bulk;
mod connect;
mod duration;
mod edit;
mod exec;
mod input;
mod json;
mod place;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use rolecall_core::{Clock, Context, Result, SecretInput, SharedProvider};

use self::connect::Machine;
use crate::SessionOptions;

pub use self::bulk::{Progress, definitions, end, reap_all, revoke_all, running};
pub use self::duration::{format_duration, parse_duration};
pub use self::edit::{DefinitionEdit, read_definition};
pub use self::exec::{LeaseNews, run_command};
pub use self::input::{
    Listing, PAGE, live_states, read_lease_id, read_listing, read_reap, read_request, whom,
};
pub use self::json::{
    entry_to_json, lease_to_json, orphan_to_json, probe_to_json, revoked_to_json, secret_to_json,
    store_to_json,
};
pub use self::place::StorePlace;
pub use crate::serve::MetricsServer;
pub use rolecall_secrets::{
    Access, AssumedRole, AuditEntry, Conflict, Connection, Doubt, DynamicSecret, Fate,
    FederationToken, IamUser, Identity, Issued, Lease, LeaseFilter, LeaseId, LeaseRequest,
    LeaseState, Leases, Metrics, Orphan, Outcome, Principal, Probe, ReapOptions, Reaped, Record,
    STORE_SUBJECT, SealingKey, SecretKind, SessionToken, Store, StoreInfo, StoredSecret, TrailFlaw,
    Worker, WorkerOptions,
};

/// Which store to open, and how AWS is reached from it. The default is the store of this user.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Where it is, as [`StorePlace::find`] reads it.
    pub store: Option<String>,
    /// Who does what is done, for the audit log; `None` is `user@host`, as the environment says.
    pub actor: Option<String>,
    /// The key that secrets are kept under: 64 hexadecimal digits.
    pub sealing_key: Option<SecretInput>,
    /// Calls of IAM a second and account; `None` is 20.
    pub calls_per_second: Option<u32>,
    /// How connections are reached: region, URL of STS and IAM, MFA, caches. Its profile does not
    /// count: definitions name theirs.
    pub session: SessionOptions,
    /// What `Connection::Custom` names.
    pub providers: BTreeMap<String, SharedProvider>,
}

/// Opens a store, and makes it if there is none.
///
/// # Errors
/// `InvalidConfiguration` for a place or a sealing key that makes no sense; the store's.
///
/// # Panics
/// Outside an asynchronous runtime.
pub async fn open(options: OpenOptions) -> Result<Leases> {
    let is_real = options.session.context.is_none();
    let context = options.session.context.clone().unwrap_or_else(Context::real);
    let place = StorePlace::find(&context, options.store.as_deref())?;
    let key = options.sealing_key.map(|input| SealingKey::from_hex(&input.read(&context)?));
    let lease_options = rolecall_secrets::LeaseOptions {
        actor: options.actor.unwrap_or_else(|| actor(&context)),
        calls_per_second: options.calls_per_second,
        sealing_key: key.transpose()?,
    };
    let store: Arc<dyn Store> = match place {
        StorePlace::Sqlite(path) => {
            Arc::new(rolecall_secrets::SqliteStore::open(context.clone(), &path).await?)
        }
        StorePlace::Postgres(url) => postgres(&context, &url).await?,
    };
    let providers = options.providers;
    let machine =
        Machine { context: context.clone(), is_real, session: options.session, providers };
    Ok(Leases::new(context, store, machine.connect(), lease_options))
}

#[cfg(feature = "postgres")]
async fn postgres(context: &Context, url: &rolecall_core::Secret) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(rolecall_secrets::PostgresStore::connect(context.clone(), url).await?))
}

#[cfg(not(feature = "postgres"))]
async fn postgres(_: &Context, _: &rolecall_core::Secret) -> Result<Arc<dyn Store>> {
    use rolecall_core::{CredentialsError, ErrorKind};
    let message = "this build has no PostgreSQL";
    Err(CredentialsError::new(ErrorKind::InvalidConfiguration, "lease store", message)
        .with_help("build it with the feature `postgres`, or keep leases in a file"))
}

/// Runs a worker until `stop`, then finishes what is under way, for a minute at most. Meanwhile
/// `server` tells how it fares.
///
/// # Errors
/// `Internal` if the server cannot wait for connections; the work is broken off then, as by a kill.
///
/// # Panics
/// Outside an asynchronous runtime.
pub async fn run_worker(
    worker: &Worker,
    clock: Clock,
    server: Option<MetricsServer>,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let serving = async {
        match server {
            Some(server) => server.run(clock, worker.metrics(), std::future::pending()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = worker.run(stop) => Ok(()),
        served = serving => served,
    }
}

/// Who this is: `user@host`, as the environment and the system say.
pub fn actor(context: &Context) -> String {
    let host = context.env.host_name().unwrap_or_else(|| "unknown".to_owned());
    format!("{}@{host}", user_name(context))
}

/// The name of the user whose process this is, as the environment says.
pub fn user_name(context: &Context) -> String {
    context.env.first(&["USER", "LOGNAME", "USERNAME"]).unwrap_or_else(|| "unknown".to_owned())
}
