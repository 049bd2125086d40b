//! Knowing a store that was restored from a backup.
//!
//! A backup looks just as the store did then. What tells is elsewhere: a note in
//! `~/.aws/rolecall/stores` of each machine that works with the store says its epoch and how many
//! lines its audit log had. A store of an older epoch, or with fewer lines in the same, has gone
//! back in time; one of a newer epoch has too, and somebody has said since that it is right. Notes
//! are written at most once a second, after the commit they tell of, so they are never ahead of
//! the store and a second behind at most.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use rolecall_core::profile::aws_folder;
use rolecall_core::{Clock, Context, CredentialsError, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::{Doubt, PROVIDER, StoreInfo};

const NOTE_LIMIT: u64 = 4096;
const NOTE_INTERVAL: Duration = Duration::from_secs(1);

/// What a store says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) id: String,
    pub(super) epoch: u64,
    /// How many lines all logs have together.
    pub(super) entries: u64,
    /// Somebody has found before that it is from the past.
    pub(super) is_restored: bool,
    /// Whether it is where it has always been, by the database's own identity; `None` where there
    /// is no such thing.
    pub(super) is_at_home: Option<bool>,
}

/// Later notes are the greater ones: the order of the fields says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Note {
    epoch: u64,
    entries: u64,
}

impl Note {
    fn of(standing: &Standing) -> Self {
        Self { epoch: standing.epoch, entries: standing.entries }
    }
}

/// Compares a store with what this machine has noted of it.
#[derive(Debug)]
pub(super) struct Guard {
    context: Context,
    /// `None` without a home folder.
    path: Option<PathBuf>,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    /// When a note was last written or found to need no writing, by [`Clock::elapsed`].
    at: Option<Duration>,
    /// What the store said last.
    last: Option<Standing>,
    /// Whether that is not in the note.
    is_pending: bool,
}

impl Noted {
    /// Whether that was a moment ago.
    fn was_written(&self, clock: &Clock) -> bool {
        self.at.is_some_and(|at| clock.elapsed().saturating_sub(at) < NOTE_INTERVAL)
    }
}

impl Guard {
    pub(super) fn new(context: Context, id: &str) -> Self {
        let folder = aws_folder(&context.env).map(|aws| aws.join("rolecall").join("stores"));
        if folder.is_none() {
            tracing::warn!("HOME is not set: a store restored from a backup would not be noticed");
        }
        let path = folder.map(|folder| folder.join(format!("{id}.json")));
        Self { context, path, noted: Mutex::default() }
    }

    /// What is noted. To be read before the store is asked for its standing: another worker may
    /// write and note that meanwhile, and the note would seem ahead of the store.
    pub(super) fn noted(&self) -> Option<Note> {
        self.read()
    }

    /// Why the store may be a copy from the past, by what was noted before.
    pub(super) fn doubt(&self, noted: Option<&Note>, standing: &Standing) -> Option<Doubt> {
        if standing.is_restored {
            return Some(Doubt::Restored);
        }
        if self.path.is_none() {
            return (standing.is_at_home == Some(false)).then_some(Doubt::NeverSeen);
        }
        match noted {
            Some(note) if *note > Note::of(standing) => Some(Doubt::Restored),
            None if standing.is_at_home != Some(true) => Some(Doubt::NeverSeen),
            _ => None,
        }
    }

    /// What the store is, with the doubt about it.
    pub(super) fn info(&self, noted: Option<&Note>, standing: &Standing) -> StoreInfo {
        let doubt = self.doubt(noted, standing);
        StoreInfo { id: standing.id.clone(), epoch: standing.epoch, doubt }
    }

    /// Notes what the store has come to, unless that was done a moment ago: then it waits for the
    /// next call.
    pub(super) fn note(&self, standing: Standing) {
        let Ok(mut noted) = self.noted.lock() else { return };
        noted.is_pending = noted.was_written(&self.context.clock);
        if !noted.is_pending {
            noted.at = Some(self.context.clock.elapsed());
            self.write_if_sure(&standing);
        }
        noted.last = Some(standing);
    }

    /// Takes notice of line `number` of the log; whether it is time for [`Self::note`].
    #[cfg(feature = "postgres")]
    pub(super) fn saw(&self, number: u64) -> bool {
        let Ok(mut noted) = self.noted.lock() else { return false };
        if !noted.was_written(&self.context.clock) {
            return true;
        }
        let Noted { last, is_pending, .. } = &mut *noted;
        if let Some(last) = last.as_mut().filter(|last| last.entries < number) {
            last.entries = number;
            *is_pending = true;
        }
        false
    }

    /// The clock that bounds waits.
    #[cfg(feature = "postgres")]
    pub(super) fn clock(&self) -> Clock {
        self.context.clock.clone()
    }

    fn write_if_sure(&self, standing: &Standing) {
        let old = self.read();
        let is_news = old.as_ref().is_none_or(|old| *old < Note::of(standing));
        if is_news
            && self.doubt(old.as_ref(), standing).is_none()
            && let Err(error) = self.write(standing)
        {
            tracing::warn!("{error}");
        }
    }

    /// Notes a store that is new or whose restoration was accepted.
    ///
    /// # Errors
    /// `InvalidConfiguration` if the note cannot be written.
    pub(super) fn write(&self, standing: &Standing) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let text = serde_json::to_vec(&Note::of(standing)).unwrap_or_default();
        let fs = &self.context.fs;
        let folder = path.parent().map_or(Ok(()), |folder| fs.create_folder(folder));
        folder.and_then(|()| fs.write(path, &text)).map_err(|error| {
            let message = format!("cannot note the store in {}: {error}", path.display());
            CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
                .with_help("make that folder writable: without the note it seems restored")
                .with_source(error)
        })
    }

    fn read(&self) -> Option<Note> {
        let path = self.path.as_ref()?;
        match self.context.fs.read(path, NOTE_LIMIT) {
            Ok(text) => serde_json::from_slice(&text).ok(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!("cannot read {}: {error}", path.display());
                None
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let noted = self.noted.get_mut().map(std::mem::take).unwrap_or_default();
        if let (true, Some(standing)) = (noted.is_pending, noted.last) {
            self.write_if_sure(&standing);
        }
    }
}
