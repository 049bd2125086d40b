//! Connections: how many, how long, and who has to go.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Request;
use http::request::Parts;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rolecall_core::Clock;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::answer::Answer;

/// How many connections are kept.
const MOST: usize = 256;
/// How long a client may take for the head of a request, from its first byte or the last answer.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// The largest head of a request. Bodies are not read at all.
const HEAD_BYTES: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;
/// How long a connection may be kept, whatever is done on it.
const LONGEST: Duration = Duration::from_secs(300);
/// How long an answer may take once the connection is to end.
const GRACE: Duration = Duration::from_secs(5);
/// The same where no request is being answered: what has been answered is on its way.
const GRACE_OF_IDLE: Duration = Duration::from_millis(100);

/// Who answers requests, whose bodies nobody reads.
pub(super) trait Answers: Send + Sync + 'static {
    fn answer(&self, request: &Parts) -> impl Future<Output = Answer> + Send;
}

pub(super) struct Connections<A> {
    router: Arc<A>,
    clock: Clock,
    tasks: JoinSet<()>,
    oldest_first: VecDeque<Kept>,
    closing: watch::Sender<bool>,
}

struct Kept {
    task: AbortHandle,
    /// Whether a request is being answered.
    is_busy: Arc<AtomicBool>,
}

impl<A: Answers> Connections<A> {
    pub(super) fn new(router: Arc<A>, clock: Clock) -> Self {
        let (closing, _) = watch::channel(false);
        Self { router, clock, tasks: JoinSet::new(), oldest_first: VecDeque::new(), closing }
    }

    /// Waits until another connection may come. The oldest on which nothing is being answered goes
    /// for it: who opens many and says nothing on them locks nobody out.
    pub(super) async fn make_room(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        if self.oldest_first.len() >= MOST {
            self.oldest_first.retain(|kept| !kept.task.is_finished());
        }
        while self.oldest_first.len() >= MOST {
            let idle = |kept: &Kept| !kept.is_busy.load(Ordering::Relaxed);
            match self.oldest_first.iter().position(idle) {
                Some(place) => {
                    if let Some(kept) = self.oldest_first.remove(place) {
                        kept.task.abort();
                    }
                }
                None => {
                    self.tasks.join_next().await;
                    self.oldest_first.retain(|kept| !kept.task.is_finished());
                }
            }
        }
    }

    /// Serves a connection.
    pub(super) fn add(&mut self, stream: TcpStream) {
        let is_busy = Arc::new(AtomicBool::new(false));
        let serving = serve(
            self.router.clone(),
            self.clock.clone(),
            stream,
            is_busy.clone(),
            self.closing.subscribe(),
        );
        let task = self.tasks.spawn(serving);
        self.oldest_first.push_back(Kept { task, is_busy });
    }

    /// Lets what is being answered be answered, for a bounded time, and ends the rest.
    pub(super) async fn finish(mut self) {
        self.closing.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn serve<A: Answers>(
    router: Arc<A>,
    clock: Clock,
    stream: TcpStream,
    is_busy: Arc<AtomicBool>,
    mut closing: watch::Receiver<bool>,
) {
    // Without it, an answer of two packets waits for the client to acknowledge the first.
    let _ = stream.set_nodelay(true);
    let answering = is_busy.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, is_busy) = (router.clone(), answering.clone());
        async move {
            is_busy.store(true, Ordering::Relaxed);
            let (head, _) = request.into_parts();
            let answer = router.answer(&head).await;
            is_busy.store(false, Ordering::Relaxed);
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(HEAD_BYTES)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let until_closing = async {
        tokio::select! {
            ended = &mut connection => {
                // The client's doing, whatever it is: it went away, or spoke no HTTP.
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                true
            }
            _ = closing.wait_for(|closing| *closing) => false,
        }
    };
    if clock.timeout(LONGEST, until_closing).await == Some(true) {
        return;
    }
    connection.as_mut().graceful_shutdown();
    let grace = if is_busy.load(Ordering::Relaxed) { GRACE } else { GRACE_OF_IDLE };
    // What is not done by now is dropped.
    let _ = clock.timeout(grace, connection).await;
}
