//! The way from a process to AWS: where it dies, and where answers get lost.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rolecall_core::http::{HttpClient, HttpError, HttpFailure, Request, Response};
use rolecall_core::{Clock, Context, Random};
use rolecall_kit::Kit;
use tokio::sync::Notify;
use zeroize::Zeroizing;

/// One process: it dies after so many steps (an AWS call or a durable write, before and after).
#[derive(Debug)]
pub(crate) struct Process {
    left: AtomicI64,
    /// After so many durable writes, the answer to one is lost.
    writes_left: AtomicI64,
    /// After so many claims of what is due, the next fails.
    claims_left: AtomicI64,
    is_dead: AtomicBool,
    killed: Notify,
}

impl Process {
    pub(crate) fn new(steps: Option<i64>) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicI64::new(steps.unwrap_or(i64::MAX)),
            writes_left: AtomicI64::new(i64::MAX),
            claims_left: AtomicI64::new(i64::MAX),
            is_dead: AtomicBool::new(false),
            killed: Notify::new(),
        })
    }

    /// Loses the store's answer to the durable write number `number` from now on.
    pub(crate) fn lose_reply(&self, number: i64) {
        self.writes_left.store(number, Ordering::SeqCst);
    }

    /// Fails the claim of what is due number `number` from now on.
    pub(crate) fn fail_claim(&self, number: i64) {
        self.claims_left.store(number, Ordering::SeqCst);
    }

    pub(super) fn fails_claim(&self) -> bool {
        self.claims_left.fetch_sub(1, Ordering::SeqCst) == 1
    }

    pub(super) fn loses_reply(&self) -> bool {
        self.writes_left.fetch_sub(1, Ordering::SeqCst) == 1
    }

    /// One step. Never comes back once it is dead.
    pub(super) async fn step(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) <= 1 {
            self.is_dead.store(true, Ordering::SeqCst);
            self.killed.notify_one();
        }
        if self.is_dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }

    /// What comes of `work`; `None` if the process dies.
    pub(super) async fn live<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.killed.notified() => None,
            result = work => Some(result),
        }
    }
}

/// What is true, whatever the machine thinks.
#[derive(Debug)]
pub(super) struct Truth {
    pub(super) kit: Arc<Kit>,
    pub(super) clock: Clock,
    /// Seconds that the machine's clock is ahead.
    pub(super) ahead: AtomicI64,
    /// Whether the store's time is the machine's, or a database's.
    pub(super) is_machines: bool,
    pub(super) has_faults: AtomicBool,
    /// Whether the machine's clock jumps in this run.
    pub(super) has_jumps: bool,
    pub(super) book: Mutex<Book>,
}

/// What was promised, and what went wrong.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// When leases end that were handed out, by the names of their users.
    pub(super) ends: HashMap<String, SystemTime>,
    /// Those whose end somebody asked for.
    pub(super) revoked: HashSet<String>,
    /// Users of others.
    pub(super) foreign: HashSet<String>,
    pub(super) flaws: Vec<String>,
    pub(super) deaths: u64,
    pub(super) faults: u64,
    pub(super) calls: u64,
}

impl Truth {
    /// What time it really is, by what the store's times are compared with.
    pub(super) fn now(&self) -> SystemTime {
        if self.is_machines { self.aws_now() } else { Context::real().clock.now() }
    }

    fn aws_now(&self) -> SystemTime {
        let ahead = self.ahead.load(Ordering::SeqCst);
        let by = Duration::from_secs(ahead.unsigned_abs());
        let machine = self.clock.local_now();
        if ahead < 0 { machine + by } else { machine - by }
    }

    /// AWS's clock goes on as time does.
    pub(super) fn tell_kit(&self) {
        let since = self.aws_now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        self.kit.freeze(since.as_secs().cast_signed());
    }

    /// Sets the machine's clock so many seconds ahead.
    pub(super) fn set_ahead(&self, seconds: i64) {
        let by = seconds - self.ahead.swap(seconds, Ordering::SeqCst);
        let step = Duration::from_secs(by.unsigned_abs());
        if by < 0 { self.clock.set_back(step) } else { self.clock.set_ahead(step) }
    }

    /// As [`Self::set_ahead`], if clocks jump in this run.
    pub(super) fn jump(&self, seconds: i64) {
        if self.has_jumps {
            self.set_ahead(seconds);
        }
    }

    /// Looks at a call before it is carried out.
    fn watch(&self, body: &str) {
        let value = |key: &str| {
            let mut pairs = body.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| *name == key).map(|(_, value)| value.replace("%2B", "+"))
        };
        let action = value("Action").unwrap_or_default();
        let takes = ["Delete", "Detach", "Remove", "Deactivate"];
        let Some(user) = value("UserName").filter(|_| takes.iter().any(|t| action.starts_with(t)))
        else {
            return;
        };
        let mut book = self.book.lock().unwrap();
        if book.foreign.contains(&user) {
            book.flaws.push(format!("{action} of {user}, which is somebody else's"));
        }
        let tolerated = Duration::from_secs(300);
        let Some(end) = book.ends.get(&user).copied() else { return };
        if !book.revoked.contains(&user) && self.now() + tolerated < end {
            let early = end.duration_since(self.now()).unwrap_or_default();
            book.flaws.push(format!("{action} of {user}, {early:?} before its end"));
        }
    }
}

/// A process's way to AWS.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) truth: Arc<Truth>,
    pub(super) process: Arc<Process>,
    pub(super) chance: Random,
    pub(super) http: Arc<dyn HttpClient>,
}

#[async_trait]
impl HttpClient for Door {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        self.process.step().await;
        let is_faulty = self.truth.has_faults.load(Ordering::SeqCst);
        let draw = if is_faulty { self.chance.bits() % 100 } else { 99 };
        {
            let mut book = self.truth.book.lock().unwrap();
            book.calls += 1;
            book.faults += u64::from(draw < 21);
        }
        let lost = |failure| Err(HttpError::new(failure, "lost on purpose"));
        match draw {
            0..3 => return lost(HttpFailure::Interrupted),
            3..5 => return Ok(refusal(400, "Throttling")),
            5..7 => return Ok(refusal(500, "ServiceFailure")),
            7 => self.truth.jump(3600),
            8 => self.truth.jump(-3600),
            9..11 => self.truth.jump(0),
            _ => {}
        }
        self.truth.tell_kit();
        let body = String::from_utf8_lossy(request.body()).into_owned();
        self.truth.watch(&body);
        let answer = self.http.send(request).await;
        self.process.step().await;
        match draw {
            11..15 => lost(HttpFailure::Interrupted),
            15..18 => lost(HttpFailure::TimedOut),
            18..21 => Ok(refusal(500, "ServiceFailure")),
            _ => answer,
        }
    }
}

fn refusal(status: u16, code: &str) -> Response {
    let text = format!(
        "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error>\
         <Type>Sender</Type><Code>{code}</Code><Message>on purpose</Message></Error>\
         <RequestId>0</RequestId></ErrorResponse>"
    );
    let mut answer = Response::new(Zeroizing::new(text.into_bytes()));
    *answer.status_mut() = status.try_into().unwrap();
    answer
}
