//! What is done with leases.

mod admit;
mod clock;
mod create;
mod probe;
mod reap;
mod renew;
mod revoke;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use rolecall_core::{Context, CredentialsError, ErrorKind, Result};

use crate::audit::{AuditEntry, Outcome, Record, TrailFlaw};
use crate::auth::{Access, Auth, AuthOptions};
use crate::connect::{Account, Accounts, Connect};
use crate::definition::DynamicSecret;
use crate::lease::{Lease, LeaseId};
use crate::make::{Deadline, UserMaker};
use crate::seal::SealingKey;
use crate::store::{
    Claimant, Conflict, LeaseFilter, STORE_SUBJECT, Store, StoreInfo, StoredSecret,
};

pub use create::{Identity, Issued, LeaseRequest};
pub use probe::Probe;
pub use reap::{Fate, Orphan, ReapOptions, Reaped};
pub(crate) use revoke::Worked;

/// How long a claim on a lease holds.
const HOLD: Duration = Duration::from_secs(120);
/// Calls of IAM a second and account, where nothing is said.
const CALLS_PER_SECOND: u32 = 20;

/// Who works, and how.
#[derive(Clone, Debug)]
pub struct LeaseOptions {
    /// Who does what is done, for the audit log: `user@host`.
    pub actor: String,
    /// Calls of IAM a second and account; `None` is 20.
    pub calls_per_second: Option<u32>,
    /// The key that secrets are kept under, if they are to be kept.
    pub sealing_key: Option<SealingKey>,
}

/// Dynamic secrets and their leases in one store. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Leases {
    context: Context,
    store: Arc<dyn Store>,
    accounts: Arc<Accounts>,
    options: Arc<LeaseOptions>,
    claimant: Claimant,
    auth: Arc<OnceLock<Arc<Auth>>>,
}

impl Leases {
    /// What `store` keeps, in the accounts that `connect` reaches.
    pub fn new(
        context: Context,
        store: Arc<dyn Store>,
        connect: Connect,
        options: LeaseOptions,
    ) -> Self {
        let rate = options.calls_per_second.unwrap_or(CALLS_PER_SECOND);
        Self {
            accounts: Arc::new(Accounts::new(context.clone(), connect, rate)),
            claimant: Claimant { name: options.actor.clone(), hold: HOLD },
            context,
            store,
            options: Arc::new(options),
            auth: Arc::default(),
        }
    }

    /// The machine it works on.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Who claims leases.
    pub(crate) fn claimant(&self) -> &Claimant {
        &self.claimant
    }

    /// How many leases of an account can be worked on at once.
    pub(crate) fn room(&self, account_id: &str) -> usize {
        self.accounts.room(account_id)
    }

    /// The same of every account that was reached.
    pub(crate) fn rooms(&self) -> Vec<(String, usize)> {
        self.accounts.rooms()
    }

    /// The auth methods that the store keeps beside the leases.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it is a store of a kind that keeps none.
    pub fn auth(&self) -> Result<Arc<Auth>> {
        if let Some(auth) = self.auth.get() {
            return Ok(auth.clone());
        }
        let options = AuthOptions {
            sealing_key: self.options.sealing_key.clone(),
            actor: self.options.actor.clone(),
            ..AuthOptions::default()
        };
        let auth = Auth::new(self.context.clone(), self.store.clone(), options)?;
        Ok(self.auth.get_or_init(|| Arc::new(auth)).clone())
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Says that the store is right though it may be a copy from the past: what is due will be taken
    /// back from then on.
    ///
    /// # Errors
    /// The store's.
    pub async fn accept_restored(&self) -> Result<StoreInfo> {
        self.store.accept_restored(&self.record("accept", Outcome::Done, "")).await
    }

    /// What is wrong with the audit log of a lease or a definition, if anything is.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is no log of that name; the store's.
    pub async fn verify(&self, subject: &str) -> Result<Option<TrailFlaw>> {
        let flaw = self.store.verify(subject).await?;
        if flaw.is_none() && subject != STORE_SUBJECT && self.trail(subject).await?.is_empty() {
            let message = format!("there is no log of {subject:?}");
            return Err(CredentialsError::new(ErrorKind::InvalidConfiguration, "leases", message)
                .with_help("name a lease, a definition, @method/NAME or @store"));
        }
        Ok(flaw)
    }

    /// Adds a definition, after checking it.
    ///
    /// # Errors
    /// `InvalidConfiguration` for whatever is wrong with it ([`DynamicSecret::check`]), or if there
    /// is one of its name, or no auth method that it gives access to; else the store's.
    pub async fn define(&self, secret: &DynamicSecret) -> Result<()> {
        secret.check()?;
        self.check_access(&secret.access, &[]).await?;
        self.store.create_secret(secret, &self.record("create", Outcome::Done, "")).await
    }

    /// Changes a definition, for new leases and renewals.
    ///
    /// # Errors
    /// As [`Self::define`]; `Unavailable` if it was changed since `version`.
    pub async fn redefine(&self, secret: &DynamicSecret, version: u32) -> Result<()> {
        secret.check()?;
        // A method may have gone since: that is no reason to refuse other changes.
        let before = self.store.secret(&secret.name, None).await?;
        let before = before.map(|before| before.secret.access).unwrap_or_default();
        self.check_access(&secret.access, &before).await?;
        self.store.update_secret(secret, version, &self.record("update", Outcome::Done, "")).await
    }

    /// Refuses access by an auth method that is not there, but for what was there `before`: nobody
    /// could ever come in by it.
    async fn check_access(&self, access: &[Access], before: &[Access]) -> Result<()> {
        /// How many methods an error names.
        const TOLD: u32 = 20;
        for access in access {
            if before.contains(access) {
                continue;
            }
            let (access_id, auth) = (&access.access_id, self.auth()?);
            let found = match auth.method(access_id).await {
                Err(error) if Conflict::of(&error) == Some(Conflict::NoSuchMethod) => None,
                found => Some(found?.method),
            };
            // A name may come to mean another method.
            if found.is_some_and(|method| method.access_id == *access_id) {
                continue;
            }
            let message = format!("there is no auth method with the access id {access_id:?}");
            let error = CredentialsError::new(ErrorKind::InvalidConfiguration, "access", message);
            let there = auth
                .methods(None, TOLD)
                .await?
                .into_iter()
                .map(|stored| format!("{} ({})", stored.method.access_id, stored.method.name));
            let there = there.collect::<Vec<_>>().join(", ");
            return Err(error.with_help(match there.is_empty() {
                true => "make one with `rolecall identity method create`".to_owned(),
                false => format!("the access ids, with their methods, are: {there}"),
            }));
        }
        Ok(())
    }

    /// Takes a definition out of use.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is none of that name; `Denied` while leases of it run.
    pub async fn undefine(&self, name: &str) -> Result<()> {
        self.store.delete_secret(name, &self.record("delete", Outcome::Done, "")).await
    }

    /// A definition.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is none of that name; else the store's.
    pub async fn definition(&self, name: &str) -> Result<StoredSecret> {
        let found = self.store.secret(name, None).await?;
        found.ok_or_else(|| {
            let message = format!("there is no dynamic secret {name:?}");
            CredentialsError::new(ErrorKind::InvalidConfiguration, "leases", message)
                .with_source(Conflict::NoSuchSecret)
                .with_help("`rolecall secret list` names those there are")
        })
    }

    /// A lease.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is none of that id; else the store's.
    pub async fn lease(&self, id: LeaseId) -> Result<Lease> {
        let found = self.store.lease(id).await?;
        found.ok_or_else(|| {
            let message = format!("there is no lease {id}");
            CredentialsError::new(ErrorKind::InvalidConfiguration, "leases", message)
                .with_source(Conflict::NoSuchLease)
                .with_help("`rolecall lease list` names those there are")
        })
    }

    /// Up to `limit` leases in the order in which they were made, those after `after`.
    ///
    /// # Errors
    /// The store's.
    pub async fn leases(
        &self,
        filter: &LeaseFilter,
        after: Option<LeaseId>,
        limit: u32,
    ) -> Result<Vec<Lease>> {
        self.store.leases(filter, after, limit).await
    }

    /// The audit log of a lease or a definition.
    ///
    /// # Errors
    /// The store's.
    pub async fn trail(&self, subject: &str) -> Result<Vec<AuditEntry>> {
        self.store.trail(subject).await
    }

    fn record(&self, action: &'static str, outcome: Outcome, detail: impl Into<String>) -> Record {
        Record::new(self.options.actor.clone(), action, outcome, detail)
    }

    /// The definition that a lease was made from, with the connection as it is now: keys may have
    /// been rotated since.
    async fn definition_of(&self, lease: &Lease) -> Result<DynamicSecret> {
        let made_from = self.store.secret(&lease.secret, Some(lease.secret_version)).await?;
        let now = self.store.secret(&lease.secret, None).await?;
        let made_from = made_from.or_else(|| now.clone()).ok_or_else(|| {
            let message = format!("the definition {} of lease {} is lost", lease.secret, lease.id);
            CredentialsError::new(ErrorKind::Internal, "leases", message)
        })?;
        let mut secret = made_from.secret;
        if let Some(now) = now {
            secret.connection = now.secret.connection;
            secret.region = now.secret.region;
        }
        Ok(secret)
    }

    /// The account of a lease, by the newest connection of its definition.
    async fn account_of(&self, lease: &Lease, secret: &DynamicSecret) -> Result<Account> {
        let account = self.accounts.of(secret).await?;
        if account.id == lease.principal.account_id {
            return Ok(account);
        }
        // The connection leads elsewhere now: the one it was made by may still lead there.
        let made_from = self.store.secret(&lease.secret, Some(lease.secret_version)).await?;
        let before = match made_from {
            // That it leads nowhere any more is no news: where the new one leads is.
            Some(made_from) => self.accounts.of(&made_from.secret).await.ok(),
            None => None,
        };
        before.filter(|account| account.id == lease.principal.account_id).ok_or_else(|| {
            let message = format!(
                "lease {} is in account {}, and the connection of {} leads to {}",
                lease.id, lease.principal.account_id, lease.secret, account.id
            );
            CredentialsError::new(ErrorKind::InvalidConfiguration, "leases", message)
                .with_help("give the definition a connection to that account, or forget the lease")
        })
    }

    /// Until when calls may be made for a lease that was claimed just now.
    fn deadline(&self) -> Deadline {
        Deadline::of(&self.context.clock, HOLD, self.store.has_machines_clock())
    }

    /// Claims a lease anew if its time is up though nothing was done yet: what reaches an account
    /// first may correct the clock that claims go by. Until when calls may be made for it.
    async fn reclaimed(&self, lease: &mut Lease, deadline: Deadline) -> Result<Deadline> {
        let Err(late) = deadline.check() else { return Ok(deadline) };
        *lease = self.store.claim(lease.id, &self.claimant).await?.ok_or(late)?;
        Ok(self.deadline())
    }

    /// Who makes, prolongs and removes the user of a claimed lease.
    fn user<'a>(
        &'a self,
        account: &Account,
        store_id: &'a str,
        lease: &'a Lease,
        deadline: &Deadline,
    ) -> UserMaker<'a> {
        let iam = account.iam.within(deadline.clone());
        let name = lease.principal.name.clone();
        UserMaker { context: &self.context, iam, store_id, lease, name }
    }

    /// Claims a lease to work on it.
    async fn claimed(&self, id: LeaseId) -> Result<Lease> {
        self.lease(id).await?;
        let claimed = self.store.claim(id, &self.claimant).await?;
        claimed.ok_or_else(|| {
            let message = format!("somebody else is working on lease {id}");
            CredentialsError::new(ErrorKind::Unavailable, "leases", message)
                .with_source(Conflict::FenceLost)
                .with_help("look at it again in a moment")
        })
    }
}

/// The earlier of two times.
fn earlier(one: SystemTime, other: SystemTime) -> SystemTime {
    one.min(other)
}
