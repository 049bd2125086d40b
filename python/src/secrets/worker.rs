use std::net::SocketAddr;
use std::sync::Arc;

use pyo3::prelude::*;
use rolecall::leases::{self, MetricsServer, WorkerOptions};
use rolecall::{Made, PerProcess, Result};
use tokio::sync::{OnceCell, watch};

use super::opening::Opening;
use crate::errors::{to_python, wrong};
use crate::record::methods;
use crate::runtime::{Later, promise, wait, wait_or};

/// Works on the leases of one store. Any number of workers may work on one store; killing one loses
/// nothing.
#[pyclass(frozen, module = "rolecall.secrets")]
pub(crate) struct Worker {
    opening: Arc<Opening>,
    options: WorkerOptions,
    made: PerProcess<Running>,
}

/// The worker in this process.
struct Running {
    worker: OnceCell<leases::Worker>,
    stop: watch::Sender<bool>,
}

impl Worker {
    pub(super) fn new(opening: Arc<Opening>, options: WorkerOptions) -> Self {
        Self { opening, options, made: PerProcess::empty() }
    }

    fn made(&self) -> Arc<Made<Running>> {
        let stop = || watch::Sender::new(false);
        self.made.get_or_make(|| Running { worker: OnceCell::new(), stop: stop() })
    }

    fn worker(&self) -> Later<leases::Worker> {
        let (made, leases, options) = (self.made(), self.opening.leases(), self.options);
        Box::pin(async move {
            let make = || async { Ok(leases::Worker::new(leases.await?, options)) };
            made.worker.get_or_try_init(make).await.cloned()
        })
    }

    /// Works until it is told to stop, from now on.
    fn work(&self, py: Python<'_>, listen: Option<&str>) -> PyResult<Later<()>> {
        let address = listen.map(address).transpose().map_err(|error| to_python(py, error))?;
        let (worker, leases) = (self.worker(), self.opening.leases());
        let mut stopped = self.made().stop.subscribe();
        Ok(Box::pin(async move {
            let server = address.map(MetricsServer::bind).transpose()?;
            let (worker, clock) = (worker.await?, leases.await?.context().clock.clone());
            // Only the end of the worker takes the sender away.
            let stop = async move { _ = stopped.wait_for(|stop| *stop).await };
            leases::run_worker(&worker, clock, server, stop).await
        }))
    }
}

fn address(text: &str) -> Result<SocketAddr> {
    text.parse().map_err(|_| {
        let message = format!("listen is no ADDRESS:PORT: {}", rolecall::printable(text, 80));
        wrong("lease worker", message).with_help("such as 127.0.0.1:9464")
    })
}

methods! {
    Worker {
        /// Works until `stop` is called, from another thread or a signal handler; then it finishes
        /// what is under way, for a minute at most. So it does at Ctrl-C, before it raises
        /// `KeyboardInterrupt`; a second one breaks it off.
        ///
        /// - `listen`: an address of loopback, such as `127.0.0.1:9464`, that tells meanwhile what
        ///   it counts, at `/metrics`, and whether it is well, at `/healthz`.
        ///
        /// Raises `InvalidConfigurationError` for an address that cannot be had.
        #[pyo3(signature = (*, listen=None))]
        fn run(&self, py: Python<'_>, listen: Option<&str>) -> PyResult<()> {
            let (work, made) = (self.work(py, listen)?, self.made());
            let worked = wait_or(py, work, Some(&|| _ = made.stop.send_replace(true)));
            made.stop.send_replace(false);
            worked
        }

        /// `run` for asyncio: an awaitable. Cancelling it leaves what is under way to others.
        #[pyo3(signature = (*, listen=None))]
        fn run_async<'py>(
            &self,
            py: Python<'py>,
            listen: Option<&str>,
        ) -> PyResult<Bound<'py, PyAny>> {
            let (work, made) = (self.work(py, listen)?, self.made());
            promise(py, async move {
                let worked = work.await;
                made.stop.send_replace(false);
                worked
            })
        }

        /// Ends the `run` that is under way, or else the next.
        fn stop(&self) {
            self.made().stop.send_replace(true);
        }

        /// What it counts, as a text of Prometheus.
        fn metrics(&self, py: Python<'_>) -> PyResult<String> {
            Ok(wait(py, self.worker())?.metrics().text())
        }

        fn __repr__(&self) -> &'static str {
            "Worker(...)"
        }
    }

    /// Does what is due now, and gives how many leases that was.
    fn run_once / run_once_async [] (py, &self) -> usize {
        let worker = self.worker();
        async move { worker.await?.run_once().await }
    }
}
