//! Workers, which take back what is due.

use std::ffi::c_char;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rolecall::Blocking;
use rolecall::leases::{self, Leases, MetricsServer, Worker, WorkerOptions};
use tokio::sync::watch;

use crate::boundary::{Failure, Outcome, Place, free, given, guard, text_or_null};
use crate::error::rolecall_error;
use crate::leases::rolecall_leases;
use crate::status::rolecall_status;

/// Takes back what is due in one store. Any number of workers, in any number of processes, may work
/// on one. Free it with `rolecall_worker_free`, when it does not run any more.
pub struct rolecall_worker {
    // Before the store, whose runtime it needs at its end.
    worker: Blocking<Running>,
    leases: Arc<Blocking<Leases>>,
    /// Whether it was stopped, in this process or in the one it was forked from.
    is_stopped: Arc<AtomicBool>,
}

/// A worker of one process.
#[derive(Clone)]
struct Running {
    worker: Arc<Worker>,
    stopped: watch::Sender<bool>,
}

/// Makes a worker, which does nothing yet. `concurrency` says how many leases it works on at once; 0
/// is the default, 16. The store's handle may be freed before it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_worker_new(
    leases: *const rolecall_leases,
    concurrency: u16,
    worker: *mut *mut rolecall_worker,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let place = Place::at(worker, "worker")?;
        let leases = given(leases, "leases")?.inner.clone();
        let options = match concurrency {
            0 => WorkerOptions::default(),
            concurrency => WorkerOptions { concurrency: concurrency.into() },
        };
        let (of, is_stopped) = (leases.clone(), Arc::new(AtomicBool::new(false)));
        let was_stopped = is_stopped.clone();
        let worker = Blocking::new(move |_| {
            Ok(Running {
                worker: Arc::new(Worker::new(of.look(Leases::clone)?, options)),
                stopped: watch::Sender::new(was_stopped.load(Ordering::SeqCst)),
            })
        })?;
        place.hand_over(rolecall_worker { leases, worker, is_stopped });
        Ok(())
    })
}

/// Works until `rolecall_worker_stop`, then finishes what is under way, for a minute at most. While
/// it runs, `listen`, an address of loopback such as `127.0.0.1:9464`, serves metrics at `/metrics`
/// and a health answer at `/healthz`; `listen` may be NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_worker_run(
    worker: *const rolecall_worker,
    listen: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let this = given(worker, "worker")?;
        let address = text_or_null(listen, "listen")?.map(address).transpose()?;
        let Running { worker, stopped } = this.worker.look(Running::clone)?;
        let mut stopped = stopped.subscribe();
        this.leases.wait(async |leases| {
            let server = address.map(MetricsServer::bind).transpose()?;
            let clock = leases.context().clock.clone();
            // An error would say that the worker was freed, which its owner does not do now.
            let stop = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
            leases::run_worker(&worker, clock, server, stop).await
        })??;
        Ok(())
    })
}

fn address(text: &str) -> Outcome<SocketAddr> {
    text.parse().map_err(|_| Failure::Argument("listen is no ADDRESS:PORT".to_owned()))
}

/// Does what is due now, and ends; puts how many leases that was into `done`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_worker_run_once(
    worker: *const rolecall_worker,
    done: *mut u64,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let done = Place::at(done, "done")?;
        let this = given(worker, "worker")?;
        let Running { worker, .. } = this.worker.look(Running::clone)?;
        let worked = this.leases.wait(async |_| worker.run_once().await)??;
        done.put(worked as u64);
        Ok(())
    })
}

/// Has `rolecall_worker_run` end, whichever thread it is in; a worker that was stopped stays so. Not
/// for signal handlers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_worker_stop(
    worker: *const rolecall_worker,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let this = given(worker, "worker")?;
        this.is_stopped.store(true, Ordering::SeqCst);
        this.worker.look(|running| running.stopped.send_replace(true))?;
        Ok(())
    })
}

/// Frees a worker that does not run; `worker` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_worker_free(worker: *mut rolecall_worker) {
    free(worker);
}
