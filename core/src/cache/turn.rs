use std::time::Duration;

use super::CacheFolder;
use crate::{Context, FileLock, Fs};

const SHORTEST_POLL: Duration = Duration::from_millis(5);
const LONGEST_POLL: Duration = Duration::from_millis(100);

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
        fs.try_lock(&self.locks.join(format!("{name}.lock")))
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
        let mut waited = Duration::ZERO;
        let mut poll = SHORTEST_POLL;
        loop {
            let lock = match self.try_lock(&context.fs, name) {
                Ok(lock) => lock,
                Err(error) => {
                    tracing::debug!(%error, "there can be no lock here; going on without");
                    return Turn::Mine(None);
                }
            };
            // Looked at with the lock in hand: whoever had it before may have just written.
            if let Some(found) = look(lock.as_ref()) {
                return Turn::Found(found);
            }
            if lock.is_some() {
                return Turn::Mine(lock);
            }
            if waited >= patience {
                tracing::warn!("another process has been refreshing for long; not waiting for it");
                return Turn::Mine(None);
            }
            let wait = poll / 2 + context.random.up_to(poll / 2);
            context.clock.sleep(wait).await;
            waited += wait;
            poll = (poll * 2).min(LONGEST_POLL);
        }
    }
}
