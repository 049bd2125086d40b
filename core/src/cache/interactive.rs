use std::fmt;
use std::sync::{Arc, LazyLock};

type FindOut = Box<dyn FnOnce() -> bool + Send + Sync>;

/// Whether a refresh may ask a person, who is not to be asked before it must be.
///
/// It is found out when it first matters, and once: what is fresh needs no such answer. Clones
/// share it.
#[derive(Clone)]
pub struct Interactive(Arc<LazyLock<bool, FindOut>>);

impl Interactive {
    /// Asks `find_out` when it first matters.
    pub fn when(find_out: impl FnOnce() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(find_out))))
    }

    /// Finds out, if that has not been done yet.
    pub fn is_so(&self) -> bool {
        **self.0
    }
}

impl From<bool> for Interactive {
    fn from(is_so: bool) -> Self {
        Self::when(move || is_so)
    }
}

impl fmt::Debug for Interactive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interactive").finish_non_exhaustive()
    }
}
