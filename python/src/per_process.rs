//! What is made anew in the child of a fork.

use std::future::Future;
use std::sync::Arc;

use pyo3::prelude::*;
use rolecall::{PerProcess, Result};

use crate::runtime::{apart, wait};

/// From which something is made, in each process that needs it.
pub(crate) trait Make: Send + Sync + 'static {
    type Made: Clone + Send + Sync + 'static;

    /// Makes it. It may block for long: files are read, and they may be pipes.
    fn make(&self) -> Result<Self::Made>;
}

/// Something of this process, and from what it is made.
pub(crate) struct Maker<M: Make> {
    pub(crate) from: M,
    made: PerProcess<M::Made>,
}

impl<M: Make> Maker<M> {
    pub(crate) fn new(from: M) -> Arc<Self> {
        Arc::new(Self { from, made: PerProcess::empty() })
    }

    /// It, if it was made in this process.
    pub(crate) fn look(&self) -> Option<M::Made> {
        self.made.look(Clone::clone)
    }

    /// It, and makes it if it must. It may block.
    pub(crate) fn make(&self) -> Result<M::Made> {
        let made = self.made.get_or_try_make(|| self.from.make())?;
        Ok(M::Made::clone(&made))
    }

    /// It, once it is there.
    pub(crate) fn ready(self: &Arc<Self>) -> impl Future<Output = Result<M::Made>> + Send + use<M> {
        let maker = self.clone();
        async move {
            match maker.look() {
                Some(made) => Ok(made),
                None => apart(move || maker.make()).await,
            }
        }
    }

    /// Waits until it is there.
    pub(crate) fn wait(self: &Arc<Self>, py: Python<'_>) -> PyResult<M::Made> {
        match self.look() {
            Some(made) => Ok(made),
            None => wait(py, self.ready()),
        }
    }
}
