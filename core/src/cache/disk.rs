use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::entry::{self, Entry, Ours};
use super::failure::FailureNote;
use super::{Freshness, Interactive, Ownership, RefreshWindow, Turn};
use crate::{
    Context, Credentials, CredentialsError, ErrorKind, FileLock, Fs, ProvideCredentials, Result,
    SharedProvider, timestamp,
};

/// An entry holds a few kilobytes; what is far larger is not one.
const ENTRY_LIMIT: u64 = 256 * 1024;
/// How long to wait for another process's refresh: longer than a person is waited for and three
/// attempts take together.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// How long a refresh may take while the old credentials are good.
const EARLY_LIMIT: Duration = Duration::from_secs(3);
/// How long to leave it after a failure while the old credentials are good.
const EARLY_PAUSE: Duration = Duration::from_secs(60);
/// After so long nobody waits for a refresh that has failed, nor holds back for its sake.
const NOTE_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// What AWS's and this machine's clock may differ by. An entry that lasts longer than a new one
/// could was written by a wrong clock.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The folder that AWS CLI caches in, and beside it ours for locks.
///
/// The locks lie elsewhere because people clear the cache with `rm -r`.
#[derive(Clone, Debug)]
pub struct CacheFolder {
    entries: PathBuf,
    locks: PathBuf,
}

/// Where one identity's credentials lie, and how to know them for that identity's.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The entry's name, without `.json`: a [`super::RoleCacheKey`]'s.
    pub name: String,
    /// Further names to read the credentials from, as other versions of AWS CLI would write them.
    pub other_names: Vec<String>,
    /// A digest of what AWS CLI's key leaves out: the source and the endpoint. An entry that bears
    /// another one is a miss; one that bears none was written by AWS CLI and is taken as it takes
    /// it.
    pub fingerprint: String,
    /// What to show of this entry in a list: the role's ARN.
    pub about: String,
    /// How long credentials last when they are new.
    pub lifetime: Duration,
    /// Used where an entry names no account.
    pub account_id: Option<String>,
    /// Whether a refresh may ask a person, who is not to be asked before it must be.
    pub interactive: Interactive,
    /// What AWS CLI writes as the entry's `ProviderType`: `sso`.
    pub provider_type: Option<&'static str>,
}

/// An entry as `rolecall cache list` shows it.
#[derive(Clone, Debug)]
pub struct CachedEntry {
    /// The file's name.
    pub name: String,
    /// The role's ARN, if rolecall wrote the entry.
    pub about: Option<String>,
    /// The access key id.
    pub access_key_id: String,
    /// The account, where known.
    pub account_id: Option<String>,
    /// When the credentials end (UTC).
    pub expires_at: Option<SystemTime>,
}

impl CacheFolder {
    /// The cache below `aws_folder`, which is `~/.aws`.
    pub fn below(aws_folder: &Path) -> Self {
        Self {
            entries: aws_folder.join("cli").join("cache"),
            locks: aws_folder.join("rolecall").join("locks"),
        }
    }

    /// Where the entries lie.
    pub fn entries(&self) -> &Path {
        &self.entries
    }

    /// Where the locks lie.
    pub fn locks(&self) -> &Path {
        &self.locks
    }

    pub(super) fn lock_path(&self, name: &str) -> PathBuf {
        self.locks.join(format!("{name}.lock"))
    }

    fn entry_path(&self, name: &str) -> PathBuf {
        self.entries.join(format!("{name}.json"))
    }

    fn read(&self, fs: &Fs, name: &str) -> Option<Entry> {
        Entry::parse(&fs.read(&self.entry_path(name), ENTRY_LIMIT).ok()?)
    }

    /// What the cache holds, AWS CLI's entries included. Files that are no entries are left out.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn list(&self, fs: &Fs) -> std::io::Result<Vec<CachedEntry>> {
        let names = fs.list(&self.entries)?;
        let entries = names.iter().filter_map(|name| {
            let entry = self.read(fs, name.strip_suffix(".json")?)?;
            let about = entry.ours().map(|ours| ours.about.clone());
            let credentials = entry.into_credentials()?;
            Some(CachedEntry {
                name: name.clone(),
                about,
                access_key_id: credentials.access_key_id().to_owned(),
                account_id: credentials.account_id().map(str::to_owned),
                expires_at: credentials.expires_at(),
            })
        });
        Ok(entries.collect())
    }

    /// Removes every entry, AWS CLI's included, what writers that were killed have left, and the
    /// locks that nobody has; gives the number of entries removed. Other files stay.
    ///
    /// # Errors
    /// If the folder cannot be read or a file not be removed.
    pub fn clear(&self, fs: &Fs) -> std::io::Result<usize> {
        let mut removed = 0;
        for name in fs.list(&self.entries)? {
            let left_over = name.starts_with('.') && name.ends_with(".tmp");
            if name.ends_with(".json") || left_over {
                fs.remove(&self.entries.join(&name))?;
                removed += usize::from(!left_over);
            }
        }
        for name in self.lock_names(fs)? {
            if let Some(lock) = self.try_lock(fs, &name)? {
                lock.write_note(&[]);
            }
        }
        Ok(removed)
    }

    fn lock_names(&self, fs: &Fs) -> std::io::Result<Vec<String>> {
        let names = fs.list(&self.locks)?.into_iter();
        Ok(names.filter_map(|name| Some(name.strip_suffix(".lock")?.to_owned())).collect())
    }

    /// Removes the notes that nobody can want any more: those of roles and keys that are asked for
    /// no longer would stay for good.
    fn forget_old_notes(&self, context: &Context) {
        let now = context.clock.local_now();
        for name in self.lock_names(&context.fs).unwrap_or_default() {
            let facts = context.fs.facts(&self.lock_path(&name)).ok().flatten();
            let written = facts.and_then(|facts| facts.modified);
            let age = written.and_then(|at| now.duration_since(at).ok());
            // One that somebody has is in use, and one that cannot be locked does no harm.
            if age.is_some_and(|age| age > NOTE_LIFETIME)
                && let Ok(Some(lock)) = self.try_lock(&context.fs, &name)
            {
                lock.write_note(&[]);
            }
        }
    }
}

/// Keeps a provider's credentials in the cache that AWS CLI shares, one process refreshing while
/// the others wait.
///
/// A cache that cannot be read or written is passed by: credentials matter more.
pub struct DiskCache {
    context: Context,
    folder: CacheFolder,
    slot: Slot,
    provider: SharedProvider,
    /// For a slot that can cease to be this one's.
    pub ownership: Option<Ownership>,
}

impl DiskCache {
    /// Caches what `provider` gives in `slot` of `folder`.
    pub fn new(
        context: Context,
        folder: CacheFolder,
        slot: Slot,
        provider: SharedProvider,
    ) -> Self {
        Self { context, folder, slot, provider, ownership: None }
    }

    fn look(&self) -> Option<(Freshness, Credentials)> {
        let own_name = self.own_name();
        let names = [&self.slot.name, &own_name].into_iter().chain(&self.slot.other_names);
        let ours = names.filter_map(|name| {
            let entry = self.folder.read(&self.context.fs, name)?;
            let entry = Some(entry).filter(|entry| self.is_ours(entry))?;
            Some((name, entry.into_credentials()?))
        });
        let now = self.context.clock.now();
        let longest = self.slot.lifetime + CLOCK_TOLERANCE;
        let possible = ours.filter(|(_, c)| c.time_left(now).is_none_or(|left| left <= longest));
        let (name, credentials) = possible.max_by_key(|(_, c)| c.expires_at())?;
        let window = RefreshWindow::for_lifetime(self.slot.lifetime);
        let freshness = window.judge(credentials.time_left(now));
        let freshness = freshness.for_people(&self.slot.interactive);
        tracing::debug!(
            role = self.slot.about,
            file = %self.folder.entry_path(name).display(),
            until = credentials.expires_at().map(timestamp::format),
            ?freshness,
            "found in the shared cache"
        );
        let account_id = credentials.account_id().map(str::to_owned);
        let account_id = account_id.or_else(|| self.slot.account_id.clone());
        Some((freshness, credentials.with_account_id(account_id)))
    }

    fn is_ours(&self, entry: &Entry) -> bool {
        entry.ours().is_none_or(|ours| ours.fingerprint == self.slot.fingerprint)
    }

    /// The name of the entry where another source's credentials lie under the shared one.
    fn own_name(&self) -> String {
        format!("{}-{}", self.slot.name, self.slot.fingerprint)
    }

    fn try_lock(&self) -> std::io::Result<Option<FileLock>> {
        self.folder.try_lock(&self.context.fs, &self.own_name())
    }

    /// Waits until this process may refresh, or another one has refreshed or failed to.
    async fn wait_for_turn(&self) -> Turn<Result<Credentials>> {
        let arrived = self.context.clock.local_now();
        let look = |lock: Option<&FileLock>| match self.look() {
            Some((Freshness::Fresh | Freshness::Advisory, credentials)) => Some(Ok(credentials)),
            _ => {
                let note = FailureNote::of(lock?)
                    .filter(|note| note.is_between(arrived, self.context.clock.local_now()))?;
                Some(Err(note.into_error()))
            }
        };
        self.folder.turn(&self.context, &self.own_name(), PATIENCE, look).await
    }

    fn is_lost(&self) -> bool {
        self.ownership.as_ref().is_some_and(Ownership::is_lost)
    }

    async fn refresh(&self, lock: Option<&FileLock>) -> Result<Credentials> {
        let outcome = self.provider.provide_credentials().await;
        if let Ok(credentials) = &outcome
            && self.ownership.as_ref().is_none_or(Ownership::holds)
        {
            self.write(credentials);
        }
        match (&outcome, lock) {
            (Ok(_), Some(lock)) => lock.write_note(&[]),
            (Err(error), Some(lock)) => {
                FailureNote::new(error, self.context.clock.local_now()).write(lock);
                self.folder.forget_old_notes(&self.context);
            }
            (_, None) => {}
        }
        outcome
    }

    /// Near the end of `old`: one process tries, for a moment; all have something to go on with.
    async fn refresh_early(&self, old: Credentials) -> Credentials {
        let Ok(Some(lock)) = self.try_lock() else { return old };
        if let Some((Freshness::Fresh, credentials)) = self.look() {
            return credentials;
        }
        let now = self.context.clock.local_now();
        if FailureNote::of(&lock).is_some_and(|note| note.is_between(now - EARLY_PAUSE, now)) {
            return old;
        }
        match self.context.clock.timeout(EARLY_LIMIT, self.refresh(Some(&lock))).await {
            Some(Ok(credentials)) => credentials,
            Some(Err(error)) => {
                tracing::warn!(%error, "early refresh failed; the old credentials are still good");
                old
            }
            None => {
                let slow = "the refresh took long while the old credentials were good";
                let error = CredentialsError::new(ErrorKind::TimedOut, "shared cache", slow);
                FailureNote::new(&error, now).write(&lock);
                old
            }
        }
    }

    fn write(&self, credentials: &Credentials) {
        let ours =
            Ours { fingerprint: self.slot.fingerprint.clone(), about: self.slot.about.clone() };
        let Some(text) = entry::format(credentials, &ours, self.slot.provider_type) else { return };
        let fs = &self.context.fs;
        // AWS CLI's name leaves out the source: what another source has there stays.
        let there = self.folder.read(fs, &self.slot.name).filter(|entry| !self.is_ours(entry));
        let now = self.context.clock.now();
        let is_live = |c: Credentials| c.time_left(now).is_some_and(|left| !left.is_zero());
        let path = match there.and_then(Entry::into_credentials).is_some_and(is_live) {
            true => self.folder.entry_path(&self.own_name()),
            false => self.folder.entry_path(&self.slot.name),
        };
        // The folder may be missing, or be removed between the two calls: once more, then let be.
        let written = fs.write(&path, &text).or_else(|_| {
            fs.create_folder(&self.folder.entries)?;
            fs.write(&path, &text)
        });
        if let Err(error) = written {
            tracing::debug!(%error, "the shared cache could not be written");
        }
        self.forget_ended_sources();
    }

    /// Removes the ended entries of other sources beside this one's: keys that are rotated would
    /// leave one behind each time.
    fn forget_ended_sources(&self) {
        let (fs, now) = (&self.context.fs, self.context.clock.now());
        for name in fs.list(&self.folder.entries).unwrap_or_default() {
            let Some(name) = name.strip_suffix(".json") else { continue };
            let is_beside = name.strip_prefix(&*self.slot.name).is_some_and(|n| n.starts_with('-'));
            if !is_beside || name == self.own_name() {
                continue;
            }
            let has_ended = || {
                let entry = self.folder.read(fs, name).filter(|entry| entry.ours().is_some());
                let end = entry.and_then(Entry::into_credentials).and_then(|c| c.time_left(now));
                end.is_some_and(|left| left.is_zero())
            };
            // Once more with its lock in hand: its own process may just have written it anew.
            if has_ended()
                && let Ok(Some(_lock)) = self.folder.try_lock(fs, name)
                && has_ended()
            {
                // One that stays does no harm.
                let _ = fs.remove(&self.folder.entry_path(name));
            }
        }
    }
}

#[async_trait]
impl ProvideCredentials for DiskCache {
    async fn provide_credentials(&self) -> Result<Credentials> {
        if self.is_lost() {
            return self.provider.provide_credentials().await;
        }
        match self.look() {
            Some((Freshness::Fresh, credentials)) => Ok(credentials),
            Some((Freshness::Advisory, old)) => Ok(self.refresh_early(old).await),
            Some((Freshness::Stale, _)) | None => match self.wait_for_turn().await {
                Turn::Found(outcome) => outcome,
                Turn::Mine(lock) => self.refresh(lock.as_ref()).await,
            },
        }
    }

    fn ready(&self) -> Option<Credentials> {
        if self.is_lost() {
            return None;
        }
        self.look().filter(|(freshness, _)| *freshness == Freshness::Fresh).map(|(_, c)| c)
    }
}

impl fmt::Debug for DiskCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskCache")
            .field("slot", &self.slot)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
