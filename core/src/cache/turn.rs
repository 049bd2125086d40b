use std::time::Duration;

use super::CacheFolder;
use crate::{Context, FileLock, Fs, Waited};

/// What came of waiting for one's turn.
#[derive(Debug)]
pub enum Turn<T> {
    /// Another process has found it, or failed to.
    Found(T),
    /// It is this one's turn, for as long as it holds the lock; `None` where there can be no lock,
    /// or whoever has it takes too long.
    Mine(Option<FileLock>),
}

impl CacheFolder {
    /// Takes the lock `name` if nobody has it.
    ///
    /// # Errors
    /// As the system says.
    pub fn try_lock(&self, fs: &Fs, name: &str) -> std::io::Result<Option<FileLock>> {
        fs.try_lock(&self.lock_path(name))
    }

    /// Waits until `look` finds something or this process has the lock `name`, at most for
    /// `patience`. `look` is shown the lock once this process has it.
    pub async fn turn<T>(
        &self,
        context: &Context,
        name: &str,
        patience: Duration,
        look: impl Fn(Option<&FileLock>) -> Option<T> + Send,
    ) -> Turn<T> {
        match context.wait_for_lock(&self.lock_path(name), patience, look).await {
            Ok(Waited::Found(found)) => Turn::Found(found),
            Ok(Waited::Locked(lock)) => Turn::Mine(Some(lock)),
            Ok(Waited::TimedOut) => {
                tracing::warn!("another process has been refreshing for long; not waiting for it");
                Turn::Mine(None)
            }
            Err(error) => {
                tracing::debug!(%error, "there can be no lock here; going on without");
                Turn::Mine(None)
            }
        }
    }
}
