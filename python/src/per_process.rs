use std::fmt;
use std::mem;
use std::sync::{Mutex, PoisonError};

use crate::runtime::process;

/// What holds locks, tasks and connections of one process, and is made anew in the child of a fork.
///
/// It is taken only while the interpreter is held, which is not given up meanwhile: a fork finds it
/// free.
pub(crate) struct PerProcess<T>(Mutex<Option<(u64, T)>>);

impl<T: Clone> PerProcess<T> {
    pub(crate) fn new(made: Option<T>) -> Self {
        Self(Mutex::new(made.map(|made| (process(), made))))
    }

    /// What was made in this process.
    pub(crate) fn look(&self) -> Option<T> {
        let made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        made.as_ref().filter(|(of, _)| *of == process()).map(|(_, made)| made.clone())
    }

    pub(crate) fn keep(&self, made: T) -> T {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forget_foreign(kept.replace((process(), made.clone())));
        made
    }

    /// What was made in this process, or is made now.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn or_make<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        match self.look() {
            Some(made) => Ok(made),
            None => Ok(self.keep(make()?)),
        }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        forget_foreign(self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Whatever ends the parent's would wait for threads that are not here.
fn forget_foreign<T>(made: Option<(u64, T)>) {
    if let Some((of, made)) = made
        && of != process()
    {
        mem::forget(made);
    }
}

impl<T> fmt::Debug for PerProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PerProcess")
    }
}
