use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use rolecall_core::{Context, CredentialsError, ErrorKind, Result, timestamp};
use rolecall_sts::ServiceError;

use crate::definition::IamUser;
use crate::iam::{AccessKey, Attachment, Certainty, Iam, NewUser, User, certainty, has_code};
use crate::lease::Lease;
use crate::policy;

/// How long IAM may need to show a user it has made.
const QUIET: Duration = Duration::from_secs(120);
/// How long a `CreateUser` whose answer never came may still be carried out: AWS takes signatures
/// for 15 minutes, by a clock that may be five minutes from ours; and IAM shows it only after [`QUIET`].
const LATE: Duration = Duration::from_secs(22 * 60);
/// How often a step is tried while IAM does not yet show the new user.
const TRIES: u32 = 6;
/// How often a user is swept while others attach things.
const ROUNDS: u32 = 3;

pub(crate) const TAG_LEASE: &str = "rolecall:lease";
pub(crate) const TAG_NONCE: &str = "rolecall:nonce";
pub(crate) const TAG_EXPIRES: &str = "rolecall:expires";
pub(crate) const TAG_STORE: &str = "rolecall:store";

/// The path of a store's users below the definition's.
pub(crate) fn our_path(path: &str, store_id: &str) -> String {
    let path = if path.is_empty() { "/" } else { path };
    format!("{path}rolecall/{store_id}/")
}

/// Why there is no user to hand out.
#[derive(Debug)]
pub(crate) struct Unmade {
    pub(crate) error: CredentialsError,
    /// Whether IAM may hold something of it.
    pub(crate) may_be_left: bool,
}

/// How a removal ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// Nothing of it is left.
    Gone,
    /// IAM shows no such user, but might only not show it yet.
    NotSeen {
        /// When its word can be taken, by the store's clock.
        until: SystemTime,
    },
    /// A user of that name is somebody else's, and was left alone; ours is not there.
    Foreign,
}

/// Makes, prolongs and removes the user of one lease.
#[derive(Debug)]
pub(crate) struct UserMaker<'a> {
    pub(crate) context: &'a Context,
    /// With the deadline of the lease's claim.
    pub(crate) iam: Iam,
    pub(crate) store_id: &'a str,
    pub(crate) lease: &'a Lease,
    /// The user's name: the lease's, unless somebody has given it another.
    pub(crate) name: String,
}

impl UserMaker<'_> {
    /// Makes the user with everything attached, and last its key.
    ///
    /// # Errors
    /// With whether something of it may be left in IAM.
    pub(crate) async fn make(&self, spec: &IamUser) -> Result<AccessKey, Unmade> {
        self.create(spec).await?;
        self.furnish(spec).await.map_err(|error| Unmade { error, may_be_left: true })
    }

    async fn furnish(&self, spec: &IamUser) -> Result<AccessKey> {
        // First of all what ends it by itself.
        self.end_at(self.lease.expires_at).await?;
        let name = self.name.as_str();
        for group in &spec.groups {
            self.soon(|| self.iam.add_user_to_group(name, group)).await?;
        }
        for arn in &spec.policy_arns {
            self.soon(|| self.iam.attach_user_policy(name, arn)).await?;
        }
        if let Some(document) = &spec.policy_document {
            self.soon(|| self.iam.put_user_policy(name, policy::INLINE, document)).await?;
        }
        self.key().await
    }

    /// Moves the user's own end, and what its tags say of it.
    pub(crate) async fn prolong(&self, end: SystemTime) -> Result<()> {
        self.check_owner().await?;
        self.end_at(end).await?;
        let tags = BTreeMap::from([(TAG_EXPIRES.to_owned(), timestamp::format(end))]);
        self.step()?;
        self.iam.tag_user(&self.name, &tags).await
    }

    /// Removes the user and all that anybody has attached to it.
    pub(crate) async fn remove(&self) -> Result<Removal> {
        let name = self.name.as_str();
        self.step()?;
        let not_seen = Removal::NotSeen { until: self.lease.created_at + self.silence() };
        let Some(user) = self.look().await? else { return Ok(not_seen) };
        match user.tag(TAG_NONCE) {
            Some(nonce) if nonce == self.lease.principal.nonce => {}
            // Whoever has the lease's key under another name is the lease's.
            None if user.path == self.lease.principal.path
                || self.name != self.lease.principal.name =>
            {
                return Err(self.untagged());
            }
            _ => return Ok(Removal::Foreign),
        }
        // What we attach needs few permissions; the rest only if IAM says that there is more.
        self.sweep(&Attachment::OURS).await?;
        let mut rounds = 0;
        loop {
            self.step()?;
            match self.iam.delete_user(name).await {
                Err(error) if has_code(&error, "DeleteConflict") && rounds < ROUNDS => {
                    self.sweep(&Attachment::ALL).await?;
                    rounds += 1;
                }
                Ok(true) => return Ok(Removal::Gone),
                // That there is none is one answer of several that IAM may have.
                Ok(false) => return Ok(not_seen),
                Err(error) => return Err(error),
            }
        }
    }

    async fn sweep(&self, kinds: &[Attachment]) -> Result<()> {
        for kind in kinds {
            self.step()?;
            self.iam.sweep(&self.name, *kind).await?;
        }
        Ok(())
    }

    /// The user of the lease's name below its path.
    async fn look(&self) -> Result<Option<User>> {
        self.iam.user_below(&self.lease.principal.path, &self.name).await
    }

    /// The name of the user that has the lease's key now, if there is one: somebody may have
    /// renamed or moved it.
    pub(crate) async fn key_owner(&self) -> Result<Option<String>> {
        let Some(key) = &self.lease.access_key_id else { return Ok(None) };
        self.step()?;
        match self.iam.key_owner(key).await {
            // A policy limited to a path says this of a key that is gone, and of a user that was
            // moved. Who may not list users sees them wherever they are, or could not ask.
            Err(error) if has_code(&error, "AccessDenied") => {
                if !matches!(self.iam.is_listed("/", &self.name).await, Ok(true)) {
                    return Ok(None);
                }
                let message = format!("user {} is not at its path any more", self.name);
                Err(CredentialsError::new(ErrorKind::Denied, "IAM", message)
                    .with_help("move it back, or let the connection delete it where it is"))
            }
            owner => owner,
        }
    }

    /// How long after it was asked for IAM may not show a user that there is, or will be. Who has
    /// got a key has seen the user made.
    fn silence(&self) -> Duration {
        if self.lease.access_key_id.is_some() { QUIET } else { LATE }
    }

    /// Makes the bare user.
    pub(crate) async fn create(&self, spec: &IamUser) -> Result<(), Unmade> {
        let certainly = |error| Unmade { error, may_be_left: false };
        let perhaps = |error| Unmade { error, may_be_left: true };
        let mut tags = spec.tags.clone();
        tags.insert(TAG_LEASE.to_owned(), self.lease.id.to_string());
        tags.insert(TAG_NONCE.to_owned(), self.lease.principal.nonce.clone());
        tags.insert(TAG_EXPIRES.to_owned(), timestamp::format(self.lease.expires_at));
        tags.insert(TAG_STORE.to_owned(), self.store_id.to_owned());
        let user = NewUser {
            name: &self.name,
            path: &self.lease.principal.path,
            permissions_boundary: spec.permissions_boundary.as_deref(),
            tags: &tags,
        };
        self.step().map_err(certainly)?;
        let error = match self.iam.create_user(&user).await {
            Ok(user) => return self.check_account(&user).await,
            Err(error) => error,
        };
        let exists = has_code(&error, "EntityAlreadyExists");
        if !exists && certainty(&error) == Certainty::Refused {
            return Err(certainly(error));
        }
        // The reply was lost, or there is such a user: is it ours?
        for attempt in 0..TRIES {
            self.step().map_err(perhaps)?;
            match self.look().await.map_err(perhaps)? {
                Some(user) if self.is_ours(&user) => return self.check_account(&user).await,
                Some(_) => {
                    let message = format!("there is a user {} that is not ours", self.name);
                    let error = CredentialsError::new(ErrorKind::Denied, "IAM CreateUser", message)
                        .with_help("ask again: another lease has another name");
                    return Err(certainly(error));
                }
                None => self.context.clock.sleep(wait(attempt)).await,
            }
        }
        Err(perhaps(error))
    }

    /// Removes a user that was made just now in another account than the lease's, where nobody would
    /// look for it: a connection may lead elsewhere from one moment to the next.
    async fn check_account(&self, user: &User) -> Result<(), Unmade> {
        let (is_in, expected) = (user.account_id(), &self.lease.principal.account_id);
        if is_in == expected {
            return Ok(());
        }
        let message = format!("the connection leads to account {is_in} now, and not to {expected}");
        let may_be_left = self.iam.delete_user(&self.name).await.is_err();
        let error = CredentialsError::new(ErrorKind::InvalidConfiguration, "IAM", message);
        let error = match may_be_left {
            true => error.with_help(format!("remove {} by hand, then forget the lease", user.arn)),
            false => error.with_help("the user was removed again; ask once more"),
        };
        Err(Unmade { error, may_be_left })
    }

    async fn end_at(&self, end: SystemTime) -> Result<()> {
        let document = policy::dead_man(end);
        self.soon(|| self.iam.put_user_policy(&self.name, policy::DEAD_MAN, &document)).await
    }

    /// Makes the key. After a reply that was lost, keys that nobody knows are removed first.
    async fn key(&self) -> Result<AccessKey> {
        let name = self.name.as_str();
        let mut attempt = 0;
        let mut is_seen = false;
        loop {
            self.step()?;
            let error = match self.iam.create_access_key(name).await {
                Ok(key) => return Ok(key),
                Err(error) => error,
            };
            attempt += 1;
            let is_certain = certainty(&error) == Certainty::Refused;
            if is_certain && attempt < TRIES && !self.is_not_seen(&error).await {
                // It may have been seen only since.
                if is_seen || !has_code(&error, "AccessDenied") {
                    return Err(error);
                }
                is_seen = true;
            }
            if attempt >= TRIES {
                return Err(error);
            }
            self.context.clock.sleep(wait(attempt)).await;
            self.iam.sweep(name, Attachment::AccessKey).await?;
        }
    }

    /// Carries out a step that may be repeated, again while IAM does not yet show the new user.
    async fn soon<F: Future<Output = Result<()>>>(&self, step: impl Fn() -> F) -> Result<()> {
        let mut attempt = 0;
        let mut is_seen = false;
        loop {
            self.step()?;
            match step().await {
                Err(error) if attempt < TRIES && self.is_not_seen(&error).await => {
                    self.context.clock.sleep(wait(attempt)).await;
                    attempt += 1;
                }
                // It may have been seen only since.
                Err(error) if has_code(&error, "AccessDenied") && !is_seen => is_seen = true,
                result => return result,
            }
        }
    }

    /// Whether IAM says that there is no such user, of all things.
    async fn is_not_seen(&self, error: &CredentialsError) -> bool {
        let about = |answer: &ServiceError| answer.message.contains(&self.name);
        if has_code(error, "AccessDenied") {
            // So a policy limited to a path says it, until IAM shows the user.
            return match self.iam.user(&self.name).await {
                Ok(user) => user.is_none(),
                Err(error) => has_code(&error, "AccessDenied"),
            };
        }
        has_code(error, "EntityTemporarilyUnmodifiable")
            || has_code(error, "NoSuchEntity") && ServiceError::of(error).is_some_and(about)
    }

    async fn check_owner(&self) -> Result<()> {
        self.step()?;
        if self.look().await?.is_some_and(|user| self.is_ours(&user)) {
            return Ok(());
        }
        let message = format!("there is no user {} of ours any more", self.name);
        Err(CredentialsError::new(ErrorKind::Denied, "IAM", message)
            .with_help("revoke the lease and take a new one"))
    }

    fn is_ours(&self, user: &User) -> bool {
        user.tag(TAG_NONCE) == Some(self.lease.principal.nonce.as_str())
    }

    /// The error of a user that is ours and does not say so.
    pub(crate) fn untagged(&self) -> CredentialsError {
        let message = format!("user {} has lost its tag {TAG_NONCE}", self.name);
        CredentialsError::new(ErrorKind::Denied, "IAM", message).with_help(format!(
            "set it to {} again, or remove the user and forget the lease",
            self.lease.principal.nonce
        ))
    }

    /// Before each call.
    fn step(&self) -> Result<()> {
        self.iam.check_time()
    }
}

fn wait(attempt: u32) -> Duration {
    Duration::from_millis(250 << attempt.min(5))
}
