//! How processes that waited for one refresh learn that it failed.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::{CredentialsError, ErrorKind, FileLock};

/// The last failure, noted in the lock file. Errors hold no secret.
#[derive(Deserialize, Serialize)]
pub(super) struct FailureNote {
    /// Milliseconds since 1970, by this machine's clock.
    at: u64,
    kind: String,
    provider: String,
    message: String,
    place: Option<String>,
    help: Option<String>,
}

impl FailureNote {
    pub(super) fn new(error: &CredentialsError, at: SystemTime) -> Self {
        Self {
            at: millis(at),
            kind: error.kind().name().to_owned(),
            provider: error.provider().to_owned(),
            message: error.message().to_owned(),
            place: error.place().map(str::to_owned),
            help: error.help().map(str::to_owned),
        }
    }

    pub(super) fn of(lock: &FileLock) -> Option<Self> {
        serde_json::from_slice(&lock.note()).ok()
    }

    pub(super) fn write(&self, lock: &FileLock) {
        if let Ok(text) = serde_json::to_vec(self) {
            lock.write_note(&text);
        }
    }

    /// Whether it happened from `moment` to `now`: one from the future was noted by a clock that has
    /// been set right since.
    pub(super) fn is_between(&self, moment: SystemTime, now: SystemTime) -> bool {
        (millis(moment)..=millis(now)).contains(&self.at)
    }

    pub(super) fn into_error(self) -> CredentialsError {
        let kind = ErrorKind::ALL.into_iter().find(|kind| kind.name() == self.kind);
        let kind = kind.unwrap_or(ErrorKind::Internal);
        let mut error = CredentialsError::new(kind, self.provider, self.message);
        if let Some(place) = self.place {
            error = error.with_place(place);
        }
        match self.help {
            Some(help) => error.with_help(help),
            None => error,
        }
    }
}

fn millis(moment: SystemTime) -> u64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
