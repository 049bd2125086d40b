use std::sync::Arc;

use pyo3::prelude::*;
use rolecall::leases::{self, WorkerOptions};
use tokio::sync::watch;

use super::opening::Opening;
use crate::per_process::PerProcess;
use crate::record::methods;
use crate::runtime::{promise, wait_or};

/// Works on the leases of one store. Any number of workers may work on one store; killing one loses
/// nothing.
#[pyclass(frozen, module = "rolecall.secrets")]
pub(crate) struct Worker {
    pub(super) opening: Arc<Opening>,
    pub(super) options: WorkerOptions,
    pub(super) made: PerProcess<(leases::Worker, watch::Sender<bool>)>,
}

impl Worker {
    fn native(&self, py: Python<'_>) -> PyResult<(leases::Worker, watch::Sender<bool>)> {
        self.made.or_make(|| {
            let worker = leases::Worker::new(self.opening.leases(py)?, self.options);
            Ok((worker, watch::Sender::new(false)))
        })
    }
}

methods! {
    Worker {
        /// Works until `stop` is called, from another thread or a signal handler; then it finishes
        /// what is under way, for a minute at most. So it does at Ctrl-C, before it raises
        /// `KeyboardInterrupt`; a second one breaks it off.
        fn run(&self, py: Python<'_>) -> PyResult<()> {
            let (worker, stop) = self.native(py)?;
            let mut stopped = stop.subscribe();
            let work = async move {
                // Only the end of the worker takes the sender away.
                worker.run(async move { _ = stopped.wait_for(|stop| *stop).await }).await;
                Ok(())
            };
            let worked = wait_or(py, work, Some(&|| _ = stop.send_replace(true)));
            stop.send_replace(false);
            worked
        }

        /// `run` for asyncio: an awaitable. Cancelling it leaves what is under way to others.
        fn run_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
            let (worker, stop) = self.native(py)?;
            let mut stopped = stop.subscribe();
            promise(py, async move {
                worker.run(async move { _ = stopped.wait_for(|stop| *stop).await }).await;
                stop.send_replace(false);
                Ok(())
            })
        }

        /// Ends the `run` that is under way, or else the next.
        fn stop(&self, py: Python<'_>) -> PyResult<()> {
            self.native(py)?.1.send_replace(true);
            Ok(())
        }

        /// What it counts, as a text of Prometheus.
        fn metrics(&self, py: Python<'_>) -> PyResult<String> {
            Ok(self.native(py)?.0.metrics().text())
        }

        fn __repr__(&self) -> &'static str {
            "Worker(...)"
        }
    }

    /// Does what is due now, and gives how many leases that was.
    fn run_once / run_once_async [] (py, &self) -> usize {
        let (worker, _) = self.native(py)?;
        async move { worker.run_once().await }
    }
}
