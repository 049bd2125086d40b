use std::time::{Duration, SystemTime};

use rolecall_core::{CredentialsError, Result, timestamp};

use super::{HOLD, Leases};
use crate::audit::Outcome;
use crate::connect::Account;
use crate::definition::{DynamicSecret, SecretKind};
use crate::iam::User;
use crate::lease::{Lease, LeaseId, LeaseState, NewLease, Principal};
use crate::make::{Removal, TAG_EXPIRES, TAG_LEASE, TAG_NONCE, TAG_STORE, our_path};
use crate::store::STORE_SUBJECT;

/// A user younger than this may just be in the making.
const YOUNG: Duration = Duration::from_secs(900);

/// What to look for, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReapOptions {
    /// Removes what is found; otherwise it is only told.
    pub remove: bool,
    /// How many users to remove at most.
    pub most: usize,
    /// Takes users of which the store knows nothing for orphans also before their end. For stores
    /// that are known to be whole.
    pub unexpired: bool,
    /// Looks for the users of another store, one that is lost.
    pub store_id: Option<String>,
}

impl Default for ReapOptions {
    fn default() -> Self {
        Self { remove: false, most: 50, unexpired: false, store_id: None }
    }
}

/// A user in IAM that is no lease's any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The user's ARN.
    pub arn: String,
    /// Its name.
    pub user_name: String,
    /// The lease it was made for, as its tag says.
    pub lease: String,
    /// When it was to end, as its tag says.
    pub expires: String,
    /// Why it is one.
    pub why: String,
    /// What was done.
    pub fate: Fate,
}

/// What a search for orphans has come to.
#[derive(Debug, Default)]
pub struct Reaped {
    /// Those that were found, also if the search was broken off.
    pub orphans: Vec<Orphan>,
    /// Why it was broken off, if it was.
    pub failure: Option<CredentialsError>,
}

/// What was done with an orphan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was only told.
    Found,
    /// It was removed.
    Removed,
    /// Removing it failed.
    Failed(String),
}

impl Leases {
    /// Compares the users that IAM has below a definition's path with the store, and removes those
    /// that no lease needs any more. It finds them by path and tags alone, so it also works when
    /// the store is lost. What is removed is in the log of its lease, or of the store.
    pub async fn reap(&self, secret: &DynamicSecret, options: &ReapOptions) -> Reaped {
        let mut orphans = Vec::new();
        let failure = self.search(secret, options, &mut orphans).await.err();
        Reaped { orphans, failure }
    }

    async fn search(
        &self,
        secret: &DynamicSecret,
        options: &ReapOptions,
        orphans: &mut Vec<Orphan>,
    ) -> Result<()> {
        let SecretKind::IamUser(spec) = &secret.kind else { return Ok(()) };
        let own = self.store.info().await?.id;
        let store_id = options.store_id.as_deref().unwrap_or(&own);
        let account = self.accounts.of(secret).await?;
        let path = our_path(&spec.path, store_id);
        let mut marker = None;
        loop {
            let page = account.iam.users(&path, marker.as_deref()).await;
            let (users, next) = account.noting(page)?;
            for user in users {
                // Lists leave the tags out.
                let Some(user) = account.iam.user_below(&path, &user.user_name).await? else {
                    continue;
                };
                let removable = options.remove && removed(orphans) < options.most;
                orphans.extend(self.judge(&account, user, store_id, options, removable).await?);
            }
            marker = next;
            if marker.is_none() {
                return Ok(());
            }
        }
    }

    async fn judge(
        &self,
        account: &Account,
        user: User,
        store_id: &str,
        options: &ReapOptions,
        removable: bool,
    ) -> Result<Option<Orphan>> {
        let tag = |key| user.tag(key).unwrap_or_default();
        let now = self.store.now().await?;
        let made_at = timestamp::parse(&user.create_date).unwrap_or(now);
        if tag(TAG_STORE) != store_id || made_at + YOUNG > now {
            return Ok(None);
        }
        let id: Option<LeaseId> = tag(TAG_LEASE).parse().ok();
        let lease = match id {
            Some(id) => self.store.lease(id).await?,
            None => None,
        };
        let lease = lease.filter(|lease| lease.principal.nonce == tag(TAG_NONCE));
        let ended = timestamp::parse(tag(TAG_EXPIRES)).is_some_and(|end| end + YOUNG < now);
        let why = match &lease {
            Some(lease) if !lease.state.is_over() => return Ok(None),
            Some(lease) => format!("its lease is {}", lease.state.name()),
            None if ended => "no lease of this store, and past its end".to_owned(),
            None if options.unexpired => "no lease of this store".to_owned(),
            None => return Ok(None),
        };
        let mut orphan = Orphan {
            arn: user.arn.clone(),
            user_name: user.user_name.clone(),
            lease: tag(TAG_LEASE).to_owned(),
            expires: tag(TAG_EXPIRES).to_owned(),
            why,
            fate: Fate::Found,
        };
        if removable {
            let subject = match id {
                Some(id) if lease.is_some() => id.to_string(),
                _ => STORE_SUBJECT.to_owned(),
            };
            let stand_in = stand_in(&user, account, id.unwrap_or(LeaseId(0)), made_at);
            // Before anything is removed.
            let begun =
                self.record("reap", Outcome::Begun, format!("{} ({})", user.arn, orphan.why));
            self.store.note(&subject, &begun).await?;
            orphan.fate = self.remove_orphan(account, store_id, &stand_in).await;
            let done = match &orphan.fate {
                Fate::Failed(why) => {
                    self.record("reap", Outcome::Failed, format!("{}: {why}", user.arn))
                }
                _ => self.record("reap", Outcome::Done, user.arn.clone()),
            };
            if let Err(error) = self.store.note(&subject, &done).await {
                tracing::warn!(user = user.arn, %error, "removed, and not in the log");
            }
        }
        Ok(Some(orphan))
    }

    async fn remove_orphan(&self, account: &Account, store_id: &str, lease: &Lease) -> Fate {
        match self.user(account, store_id, lease, &self.deadline()).remove().await {
            Ok(Removal::Gone | Removal::NotSeen { .. }) => Fate::Removed,
            Ok(Removal::Foreign) => Fate::Failed("its tags have changed meanwhile".to_owned()),
            Err(error) => Fate::Failed(error.to_string()),
        }
    }
}

fn removed(orphans: &[Orphan]) -> usize {
    orphans.iter().filter(|orphan| orphan.fate != Fate::Found).count()
}

/// A lease for a user of which only IAM knows.
fn stand_in(user: &User, account: &Account, id: LeaseId, made_at: SystemTime) -> Lease {
    let principal = Principal {
        account_id: account.id.clone(),
        kind: "iam-user".to_owned(),
        name: user.user_name.clone(),
        path: user.path.clone(),
        nonce: user.tag(TAG_NONCE).unwrap_or_default().to_owned(),
    };
    let new = NewLease {
        id,
        secret: String::new(),
        secret_version: 0,
        principal,
        identity: String::new(),
        note: String::new(),
        expires_at: made_at,
        max_expires_at: made_at,
    };
    let nobody = crate::store::Claimant { name: String::new(), hold: HOLD };
    Lease { state: LeaseState::Revoking, ..new.begin(&nobody, made_at) }
}
