//! Waiting, for code that blocks and for asyncio: one runtime a process, made when it is first
//! needed. The child of a fork has none of its parent's threads, so it gets a runtime of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3_async_runtimes::TaskLocals;
use pyo3_async_runtimes::generic::{self, ContextExt};
use rolecall::{CredentialsError, ErrorKind, PerProcess, Result};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinError, JoinHandle};

use crate::errors::to_python;

/// How often a wait looks for Ctrl-C.
const TICK: Duration = Duration::from_millis(50);
/// How long the renewal of an SSO token is waited for at the end of the process.
const PATIENCE: Duration = Duration::from_secs(5);
/// As a main thread has: futures of a build without optimization are deep.
const STACK: usize = 8 * 1024 * 1024;
/// How long threads that block are waited for at the end of the process.
const LAST_WAIT: Duration = Duration::from_millis(250);
/// It waits for sockets and timers; whatever blocks runs in threads of its own.
const THREADS: usize = 2;

/// Whether the interpreter comes to its end: only daemon threads are left then.
static ENDED: AtomicBool = AtomicBool::new(false);
static RUNTIME: PerProcess<Mutex<Option<Runtime>>> = PerProcess::empty();

/// What is there later. Boxed, as each future that waits for another is as large as that again.
pub(crate) type Later<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// Hears of forks and of the end.
pub(crate) fn register(py: Python<'_>) -> PyResult<()> {
    let module = PyModule::new(py, "_rolecall.runtime")?;
    module.add_function(wrap_pyfunction!(before_fork, &module)?)?;
    module.add_function(wrap_pyfunction!(after_fork, &module)?)?;
    module.add_function(wrap_pyfunction!(forked, &module)?)?;
    module.add_function(wrap_pyfunction!(end, &module)?)?;
    let os = py.import("os")?;
    if let Some(register) = os.getattr_opt("register_at_fork")? {
        let options = PyDict::new(py);
        options.set_item("before", module.getattr("before_fork")?)?;
        options.set_item("after_in_parent", module.getattr("after_fork")?)?;
        options.set_item("after_in_child", module.getattr("forked")?)?;
        register.call((), Some(&options))?;
    }
    py.import("atexit")?.call_method1("register", (module.getattr("end")?,))?;
    Ok(())
}

#[pyfunction]
fn before_fork(py: Python<'_>) {
    // It waits for work that the child must not find half done.
    py.detach(rolecall::before_fork);
}

#[pyfunction]
fn after_fork() {
    rolecall::after_fork();
}

#[pyfunction]
fn forked() {
    rolecall::forked();
}

#[pyfunction]
fn end(py: Python<'_>) {
    let take = |runtime: &Mutex<Option<Runtime>>| lock(runtime).take();
    ENDED.store(true, Ordering::SeqCst);
    if let Some(runtime) = RUNTIME.look(take).flatten() {
        py.detach(move || {
            runtime.block_on(rolecall::sts::finish_renewals(PATIENCE));
            // A question to a person leaves the terminal as it was; a provider may hold its thread.
            runtime.shutdown_timeout(LAST_WAIT);
        });
    }
}

fn lock(runtime: &Mutex<Option<Runtime>>) -> MutexGuard<'_, Option<Runtime>> {
    runtime.lock().unwrap_or_else(PoisonError::into_inner)
}

fn handle() -> Result<Handle> {
    let runtime = RUNTIME.get_or_make(Mutex::default);
    let mut runtime = lock(&runtime);
    if let Some(runtime) = &*runtime {
        return Ok(runtime.handle().clone());
    }
    let made = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("rolecall")
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .map_err(|error| internal(format!("cannot start: {error}")).with_source(error))?;
    Ok(runtime.insert(made).handle().clone())
}

fn internal(message: impl Into<String>) -> CredentialsError {
    CredentialsError::new(ErrorKind::Internal, "runtime", message)
}

/// Waits for `future` with the interpreter released. A signal whose handler raises, as Ctrl-C's
/// does, breaks it off.
pub(crate) fn wait<T: Send + 'static>(
    py: Python<'_>,
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> PyResult<T> {
    wait_or(py, future, None)
}

/// [`wait`]; with `stop`, which asks the work to come to its end, a signal calls that and the end is
/// waited for. A second signal breaks it off.
pub(crate) fn wait_or<T: Send + 'static>(
    py: Python<'_>,
    future: impl Future<Output = Result<T>> + Send + 'static,
    stop: Option<&dyn Fn()>,
) -> PyResult<T> {
    let runtime = handle().map_err(|error| to_python(py, error))?;
    let (sender, mut receiver) = sync_channel(1);
    // Nobody may be left to hear it.
    let task = runtime.spawn(async move { _ = sender.send(future.await) });
    let mut broken_off = None;
    loop {
        let answers = &mut receiver;
        let answer = py.detach(move || answers.recv_timeout(TICK));
        match (answer, broken_off.take()) {
            (Ok(_) | Err(RecvTimeoutError::Disconnected), Some(signal)) => return Err(signal),
            (Ok(answer), None) => return answer.map_err(|error| to_python(py, error)),
            // A daemon thread: it must not say anything any more, as standard error is closed.
            (Err(RecvTimeoutError::Disconnected), None) if ENDED.load(Ordering::SeqCst) => {
                py.detach(|| {
                    loop {
                        std::thread::park();
                    }
                });
            }
            (Err(RecvTimeoutError::Disconnected), None) => {
                return Err(to_python(py, internal("the work was broken off by a fault")));
            }
            (Err(RecvTimeoutError::Timeout), earlier) => match (py.check_signals(), stop) {
                (Ok(()), _) => broken_off = earlier,
                (Err(signal), Some(stop)) if earlier.is_none() => {
                    stop();
                    broken_off = Some(signal);
                }
                (Err(signal), _) => {
                    task.abort();
                    return Err(signal);
                }
            },
        }
    }
}

/// What `work` gives, which may block for long: it is done in a thread of its own.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(internal("the work was broken off by a fault").with_source(error))
    })
}

/// `future` as an awaitable of the running event loop. Cancelling it drops the future.
pub(crate) fn promise<'py, T>(
    py: Python<'py>,
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>>
where
    T: for<'a> IntoPyObject<'a> + Send + 'static,
{
    handle().map_err(|error| to_python(py, error))?;
    generic::future_into_py::<Asyncio, _, _>(py, async move {
        future.await.map_err(|error| Python::attach(|py| to_python(py, error)))
    })
}

/// What is awaited runs on the runtime of the process.
struct Asyncio;

/// Why a task did not come to its end.
struct BrokenOff(JoinError);

impl generic::JoinError for BrokenOff {
    fn is_panic(&self) -> bool {
        self.0.is_panic()
    }

    fn into_panic(self) -> Box<dyn std::any::Any + Send + 'static> {
        self.0.into_panic()
    }
}

/// A task.
struct Task(Option<JoinHandle<()>>);

impl Future for Task {
    type Output = Result<(), BrokenOff>;

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        match &mut self.0 {
            Some(task) => Pin::new(task).poll(context).map_err(BrokenOff),
            // There is no runtime any more: the process ends.
            None => std::task::Poll::Pending,
        }
    }
}

tokio::task_local! {
    static LOCALS: TaskLocals;
}

/// The runtime that is at hand: within a task its own.
fn current() -> Option<Handle> {
    Handle::try_current().ok().or_else(|| handle().ok())
}

impl generic::Runtime for Asyncio {
    type JoinError = BrokenOff;
    type JoinHandle = Task;

    fn spawn<F: Future<Output = ()> + Send + 'static>(future: F) -> Task {
        Task(current().map(|runtime| runtime.spawn(future)))
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(work: F) -> Task {
        Task(current().map(|runtime| runtime.spawn_blocking(work)))
    }
}

impl ContextExt for Asyncio {
    fn scope<F, R>(locals: TaskLocals, future: F) -> Pin<Box<dyn Future<Output = R> + Send>>
    where
        F: Future<Output = R> + Send + 'static,
    {
        Box::pin(LOCALS.scope(locals, future))
    }

    fn get_task_locals() -> Option<TaskLocals> {
        LOCALS.try_with(Clone::clone).ok()
    }
}
