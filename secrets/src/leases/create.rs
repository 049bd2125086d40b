use std::time::{Duration, SystemTime};

use rolecall_core::{Credentials, CredentialsError, ErrorKind, Result, Secret};
use rolecall_sts::{StsClient, ask_code};

use super::Leases;
use crate::audit::Outcome;
use crate::change::Change;
use crate::connect::Account;
use crate::definition::{DynamicSecret, SecretKind};
use crate::lease::{Lease, LeaseId, NewLease, Principal};
use crate::make::{Deadline, Removal, Unmade, make_session, our_path};
use crate::naming;
use crate::store::Conflict;
use crate::template::NameFacts;

/// How long to wait at most until a new key works everywhere.
const USABLE_WITHIN: Duration = Duration::from_secs(120);
/// How often it must have worked in a row.
const SUCCESSES: u32 = 5;
const BETWEEN: Duration = Duration::from_secs(1);

/// Whom a lease is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// A name.
    pub name: String,
    /// The ARN, if it was verified.
    pub arn: Option<String>,
    /// The account, if it was verified.
    pub account_id: Option<String>,
}

/// What a lease is asked for with.
#[derive(Clone, Debug, Default)]
pub struct LeaseRequest {
    /// The dynamic secret.
    pub secret: String,
    /// How long it is to last; `None` is the definition's default.
    pub ttl: Option<Duration>,
    /// Whom it is for, where no session says.
    pub identity: Identity,
    /// A session of [`crate::Auth`], which says whom it is for. A definition may ask for one.
    pub session: Option<Secret>,
    /// For people.
    pub note: String,
    /// The code of the MFA device, where the definition names one; without it the context's prompt
    /// asks.
    pub mfa_code: Option<Secret>,
    /// Keeps the secret, sealed, so that it can be shown again.
    pub keep: bool,
    /// Waits until the key works: AWS needs some seconds to know a new one everywhere.
    pub wait: bool,
}

/// A lease and what it is about. The secret is not kept unless that was asked for.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The lease.
    pub lease: Lease,
    /// What is leased. The expiry is the lease's.
    pub credentials: Credentials,
}

impl Leases {
    /// Makes a user or a session, and hands it out.
    ///
    /// Whatever happens on the way, nothing is left behind: the lease is written down before AWS is
    /// asked, and what cannot be cleared up at once is tried again by whoever works on leases. A lease
    /// that is not waited for any more, as the future is dropped, is taken back by a task of the
    /// runtime.
    ///
    /// # Errors
    /// `Denied` without a session that the definition asks for; `InvalidConfiguration` for a TTL
    /// beyond the definition's limits and what else is wrong with the request; else AWS's or the
    /// store's.
    pub async fn create(&self, request: &LeaseRequest) -> Result<Issued> {
        let stored = self.definition(&request.secret).await?;
        let secret = &stored.secret;
        let request = &match self.admitted(request, secret).await {
            Ok(request) => request,
            Err(error) => {
                let refused = self.record("create", Outcome::Refused, error.to_string());
                if let Err(error) = self.store.note(&secret.name, &refused).await {
                    tracing::warn!(secret = secret.name, %error, "a refusal is not in the log");
                }
                return Err(error);
            }
        };
        let ttl = ttl(secret, request.ttl)?;
        if request.keep && self.options.sealing_key.is_none() {
            return Err(wrong("there is no key to keep the secret under")
                .with_help("give --seal-key, or leave out --keep"));
        }
        let account = self.accounts.of(secret).await?;
        let mfa_code = self.mfa_code(request, secret).await?;
        let now = self.store.now().await?;
        let new = NewLease {
            expires_at: now + ttl,
            max_expires_at: now + secret.max_ttl,
            ..self.plan(request, secret, stored.version, &account, now).await?
        };
        let asked = match &request.identity.arn {
            Some(arn) => format!("{} for {arn}", ttl_text(ttl)),
            None => ttl_text(ttl),
        };
        let asked = self.record("create", Outcome::Begun, asked);
        let lease = self.store.begin(&new, &self.claimant, &asked).await?;
        let deadline = self.deadline();
        let made = self.make(&lease, secret, &account, mfa_code, ttl, &deadline).await;
        let credentials = match made {
            Ok(credentials) => credentials,
            Err(unmade) => {
                account.note(&unmade.error);
                return Err(self.clear_up(&lease, &account, &deadline, unmade).await);
            }
        };
        let lease = match self.grant(&lease, &credentials, request.keep).await {
            Ok(lease) => lease,
            // Nobody may have it who is not in the book.
            Err(error) => {
                let unmade = Unmade { error, may_be_left: true };
                return Err(self.clear_up(&lease, &account, &deadline, unmade).await);
            }
        };
        let credentials = credentials.with_expires_at(Some(lease.expires_at));
        if request.wait {
            let is_revocable = lease.principal.is_revocable();
            let nobodys = is_revocable.then(|| Nobodys { leases: self, id: lease.id });
            self.wait_until_usable(&account, &credentials).await;
            std::mem::forget(nobodys);
        }
        Ok(Issued { lease, credentials })
    }

    /// Waits until a key that was made just now works: what [`LeaseRequest::wait`] does, for those
    /// who have something else to do meanwhile. Two minutes at most; whether it works then.
    ///
    /// # Errors
    /// Those of the connection; the store's.
    pub async fn until_usable(&self, issued: &Issued) -> Result<bool> {
        let secret = self.definition_of(&issued.lease).await?;
        let account = self.account_of(&issued.lease, &secret).await?;
        Ok(self.wait_until_usable(&account, &issued.credentials).await)
    }

    pub(super) async fn plan(
        &self,
        request: &LeaseRequest,
        secret: &DynamicSecret,
        version: u32,
        account: &Account,
        now: SystemTime,
    ) -> Result<NewLease> {
        let random = &self.context.random;
        let bits = || u128::from(random.bits());
        let id = LeaseId::new(now, bits() << 64 | bits());
        let identity = &request.identity;
        let facts = NameFacts {
            identity_name: &identity.name,
            identity_arn: identity.arn.as_deref().unwrap_or_default(),
            identity_account: identity.account_id.as_deref().unwrap_or_default(),
            secret_name: &secret.name,
        };
        let path = match &secret.kind {
            SecretKind::IamUser(user) => our_path(&user.path, &self.store.info().await?.id),
            _ => String::new(),
        };
        Ok(NewLease {
            id,
            secret: secret.name.clone(),
            secret_version: version,
            principal: Principal {
                account_id: account.id.clone(),
                kind: secret.kind.name().to_owned(),
                name: naming::name(&secret.kind, &facts, id, now, random)?,
                path,
                nonce: format!("{:016x}{:016x}", random.bits(), random.bits()),
            },
            // The ARN says which of several of that name it is.
            identity: identity.arn.as_ref().unwrap_or(&identity.name).clone(),
            note: request.note.clone(),
            expires_at: now,
            max_expires_at: now,
        })
    }

    /// The code of the definition's MFA device, if it names one: whoever gave none is asked.
    async fn mfa_code(
        &self,
        request: &LeaseRequest,
        secret: &DynamicSecret,
    ) -> Result<Option<Secret>> {
        let SecretKind::SessionToken(token) = &secret.kind else { return Ok(None) };
        match (&token.mfa_serial, &request.mfa_code) {
            (Some(serial), None) => ask_code(&self.context.prompt, serial).await.map(Some),
            (_, code) => Ok(code.clone()),
        }
    }

    async fn make(
        &self,
        lease: &Lease,
        secret: &DynamicSecret,
        account: &Account,
        mfa_code: Option<Secret>,
        ttl: Duration,
        deadline: &Deadline,
    ) -> Result<Credentials, Unmade> {
        // A session that nobody gets ends by itself.
        let nothing = |error| Unmade { error, may_be_left: false };
        let SecretKind::IamUser(spec) = &secret.kind else {
            let (sts, name) = (&account.sts, lease.principal.name.as_str());
            return make_session(sts, &secret.kind, name, ttl, mfa_code).await.map_err(nothing);
        };
        let store_id = self.store.info().await.map_err(nothing)?.id;
        let key = self.user(account, &store_id, lease, deadline).make(spec).await?;
        let provider = format!("lease {}", lease.id);
        Ok(Credentials::new(key.access_key_id, key.secret_access_key, provider)
            .with_account_id(Some(account.id.clone()))
            .with_expires_at(Some(lease.expires_at)))
    }

    /// The credentials of a lease whose secret was kept; the lease's log tells that they were asked
    /// for. `session` is one of [`crate::Auth`], where the definition asks for one now.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it was not kept, or no key is given; `Denied` for another key than
    /// it was kept under, and without a session that the definition asks for.
    pub async fn reveal(&self, id: LeaseId, session: Option<&Secret>) -> Result<Credentials> {
        let lease = self.lease(id).await?;
        let (Some(sealed), Some(access_key_id)) = (&lease.sealed, &lease.access_key_id) else {
            return Err(wrong(&format!("the secret of lease {id} is not kept"))
                .with_help("take a lease with --keep, or another one now"));
        };
        let key = self.options.sealing_key.as_ref();
        let key = key.ok_or_else(|| wrong("the secret is sealed").with_help("give --seal-key"))?;
        let opened = match self.admit_to(session, &lease).await {
            Ok(claims) => key.open(id, sealed).map(|opened| (opened, claims)),
            Err(error) => Err(error),
        };
        let (outcome, detail) = match &opened {
            Ok((_, Some(claims))) => (Outcome::Done, format!("to {}", claims.identity.arn)),
            Ok((_, None)) => (Outcome::Done, String::new()),
            Err(error) => (Outcome::Refused, error.to_string()),
        };
        // Nobody sees it of whom the log does not tell.
        self.store.note(&id.to_string(), &self.record("reveal", outcome, detail)).await?;
        let ((secret, token), _) = opened?;
        Ok(Credentials::new(access_key_id.clone(), secret, format!("lease {id}"))
            .with_session_token(token)
            .with_account_id(Some(lease.principal.account_id))
            .with_expires_at(Some(lease.expires_at)))
    }

    async fn grant(&self, lease: &Lease, credentials: &Credentials, keep: bool) -> Result<Lease> {
        let key = self.options.sealing_key.as_ref().filter(|_| keep);
        let sealed = key.map(|key| key.seal(lease.id, credentials)).transpose()?;
        let change = Change::Grant {
            access_key_id: credentials.access_key_id().to_owned(),
            expires_at: credentials.expires_at().unwrap_or(lease.expires_at),
            sealed,
        };
        let detail = format!("access key {}", credentials.access_key_id());
        let record = self.record("create", Outcome::Done, detail);
        self.store.advance(lease.id, lease.fence, &change, &record).await
    }

    /// Removes what was made before the error, and gives the error back. What cannot be removed now
    /// is left to whoever works on leases.
    async fn clear_up(
        &self,
        lease: &Lease,
        account: &Account,
        deadline: &Deadline,
        unmade: Unmade,
    ) -> CredentialsError {
        let Unmade { error, may_be_left } = unmade;
        let is_user = lease.principal.is_revocable();
        let is_gone = !may_be_left || !is_user || self.is_removed(lease, account, deadline).await;
        let (change, outcome) = if is_gone {
            (Change::Refuse(error.message().to_owned()), Outcome::Refused)
        } else {
            (Change::Revoke, Outcome::Failed)
        };
        let record = self.record("create", outcome, error.to_string());
        let mut written = self.store.advance(lease.id, lease.fence, &change, &record).await;
        if written.as_ref().is_err_and(|it| Conflict::of(it) == Some(Conflict::WrongState)) {
            // It was granted, and only the store's answer was lost.
            written = self.store.advance(lease.id, lease.fence, &Change::Revoke, &record).await;
            if is_gone && is_user && written.is_ok() {
                let (id, fence) = (lease.id, lease.fence);
                written = self.store.advance(id, fence, &Change::Removed, &record).await;
            }
        }
        if let Err(store) = written {
            // The lease stands as it is, and is cleared up once it is due.
            tracing::warn!(lease = %lease.id, error = %store, "a failed lease is not written down");
        }
        error.with_place(format!("lease {}", lease.id))
    }

    /// Removes a user that nobody has got; whether nothing is left.
    async fn is_removed(&self, lease: &Lease, account: &Account, deadline: &Deadline) -> bool {
        let Ok(info) = self.store.info().await else { return false };
        let user = self.user(account, &info.id, lease, deadline);
        matches!(self.removed(user, account).await, Ok(Removal::Gone | Removal::Foreign))
    }

    /// Waits until STS has known the key several times in a row. It is handed out all the same if
    /// that takes too long.
    async fn wait_until_usable(&self, account: &Account, credentials: &Credentials) -> bool {
        let clock = &self.context.clock;
        let mut sts: StsClient = account.sts.clone();
        sts.query.credentials = Some(std::sync::Arc::new(credentials.clone()));
        let end = clock.elapsed() + USABLE_WITHIN;
        let mut successes = 0;
        while successes < SUCCESSES && clock.elapsed() < end {
            let works = sts.get_caller_identity().await.is_ok();
            successes = if works { successes + 1 } else { 0 };
            if successes < SUCCESSES {
                clock.sleep(BETWEEN).await;
            }
        }
        if successes < SUCCESSES {
            tracing::warn!("the new key does not work everywhere yet");
        }
        successes >= SUCCESSES
    }
}

/// A user that was made for somebody who has not got it yet: who does not wait for it any more never
/// will, and it is taken back.
struct Nobodys<'a> {
    leases: &'a Leases,
    id: LeaseId,
}

impl Drop for Nobodys<'_> {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (leases, id) = (self.leases.clone(), self.id);
        runtime.spawn(async move {
            if let Err(error) = leases.revoke(id).await {
                tracing::warn!(lease = %id, %error, "nobody waits for it, and it is not taken back");
            }
        });
    }
}

/// How long a lease is to last.
fn ttl(secret: &DynamicSecret, asked: Option<Duration>) -> Result<Duration> {
    let ttl = asked.unwrap_or(secret.default_ttl);
    let least = if secret.kind.is_revocable() { 60 } else { 900 };
    if ttl.as_secs() < least {
        let message = format!("a lease of kind {} lasts {least} s at least", secret.kind.name());
        return Err(wrong(&format!("the TTL is {}; {message}", ttl_text(ttl))));
    }
    if ttl > secret.max_ttl {
        return Err(wrong(&format!(
            "the TTL is {}, above the maximum of {} of {}",
            ttl_text(ttl),
            ttl_text(secret.max_ttl),
            secret.name
        )));
    }
    Ok(ttl)
}

fn ttl_text(ttl: Duration) -> String {
    format!("{} s", ttl.as_secs())
}

fn wrong(message: &str) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "leases", message)
}
