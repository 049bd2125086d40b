use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a slot is still that of whoever asks: the files of an identity may become another's
/// while a session goes on.
///
/// Once it is not, it is never again: credentials of the other may be on their way through memory.
/// Clones share that, so that the roles after a source know it too.
#[derive(Clone)]
pub struct Ownership {
    is_lost: Arc<AtomicBool>,
    is_same: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Whether `is_same` looks at nothing but memory.
    is_at_hand: bool,
}

impl Ownership {
    /// Asks `is_same` before each write.
    pub fn new(is_same: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { is_lost: Arc::default(), is_same: Arc::new(is_same), is_at_hand: false }
    }

    /// Asks `is_same`, which looks at nothing but memory, before each read too.
    pub fn at_hand(is_same: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { is_at_hand: true, ..Self::new(is_same) }
    }

    /// Whether it was seen to be lost.
    pub(super) fn is_lost(&self) -> bool {
        if self.is_at_hand { !self.holds() } else { self.is_lost.load(Ordering::SeqCst) }
    }

    /// Looks anew.
    pub(super) fn holds(&self) -> bool {
        let is_lost = || self.is_lost.load(Ordering::SeqCst);
        if !is_lost() && !(self.is_same)() {
            self.is_lost.store(true, Ordering::SeqCst);
            tracing::debug!("another identity has come: the shared cache is left alone");
        }
        !is_lost()
    }
}

impl fmt::Debug for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ownership").field("is_lost", &self.is_lost).finish_non_exhaustive()
    }
}
