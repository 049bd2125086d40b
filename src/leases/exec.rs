//! `lease exec`: one command, and a lease for as long as it runs.

use std::ffi::OsString;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use rolecall_core::{Context, CredentialsError, ErrorKind, Result, Secret, Signal, Signals};
use rolecall_secrets::{Issued, Lease, LeaseRequest, Leases};
use rustix::process::Signal as Number;

use super::connect;
use crate::{SessionOptions, exec};

/// How long to wait at least before a renewal is tried again.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);

/// What a person should know of a lease whose command runs or has run.
#[derive(Clone, Copy, Debug)]
pub enum LeaseNews<'a> {
    /// It is not renewed any more: the command loses its credentials at the lease's end.
    Ends(&'a Lease, Option<&'a CredentialsError>),
    /// A renewal failed and is tried again.
    NotRenewed(&'a Lease, &'a CredentialsError),
    /// It could not be taken back at the command's end: whoever works on leases goes on with it.
    NotRevoked(&'a Lease, &'a str),
}

/// Takes a lease, waits until its key works, and runs `command` with it in the environment; gives
/// its exit code: 128 and the signal's number if a signal ended it.
///
/// A user's lease is renewed whenever two thirds of its time have passed, to the length it was taken
/// for, and taken back when the command has ended, or could not be started. Sessions end by
/// themselves. Where the definition asks for a session of an auth method, the request's is shown at
/// each renewal too: once that has ended, the lease is renewed no more. `session` is what the store
/// was opened with: it may say the region. Signals are passed on, save those of the terminal, which
/// the command gets itself.
///
/// # Errors
/// Whatever there is to say about the lease, then without the command having run;
/// `InvalidConfiguration` if it cannot be started. What happens later is told to `report`.
///
/// # Panics
/// Outside an asynchronous runtime.
pub async fn run_command(
    leases: &Leases,
    request: &LeaseRequest,
    command: &[OsString],
    session: &SessionOptions,
    mut report: impl FnMut(LeaseNews<'_>),
) -> Result<u8> {
    let context = leases.context();
    // Before there is anything to take back, so that none is lost.
    let mut signals = Signals::to_pass_on(&context.fs).map_err(|error| {
        let message = format!("cannot listen for signals: {error}");
        CredentialsError::new(ErrorKind::Internal, "exec", message).with_source(error)
    })?;
    let secret = leases.definition(&request.secret).await?.secret;
    let region = connect::region(context, session, &secret);
    // The wait comes after: whoever breaks it off has a lease that can be taken back.
    let issued = leases.create(&LeaseRequest { wait: false, ..request.clone() }).await?;
    let mut run = Run {
        leases,
        session: request.session.as_ref(),
        lease: issued.lease.clone(),
        end: SystemTime::UNIX_EPOCH,
        renewal: None,
        next: None,
    };
    let ended = run.command(&issued, command, region.as_deref(), &mut signals, &mut report).await;
    run.end(&mut signals, &mut report).await;
    ended
}

struct Run<'a> {
    leases: &'a Leases,
    /// The one that the lease was taken with, if any.
    session: Option<&'a Secret>,
    lease: Lease,
    /// When it ends, by this machine's own clock: the store's may be another.
    end: SystemTime,
    /// The one under way. It is dropped only with the program: the lease stays claimed for a while.
    renewal: Option<Renewal<'a>>,
    /// When the next is due, by the same clock.
    next: Option<SystemTime>,
}

type Renewal<'a> = Pin<Box<dyn Future<Output = Result<Lease>> + 'a>>;

impl<'a> Run<'a> {
    async fn command(
        &mut self,
        issued: &Issued,
        command: &[OsString],
        region: Option<&str>,
        signals: &mut Signals,
        report: &mut impl FnMut(LeaseNews<'_>),
    ) -> Result<u8> {
        let context: &Context = self.leases.context();
        let is_user = self.lease.principal.is_revocable();
        self.time().await?;
        if is_user {
            tokio::select! {
                usable = self.leases.until_usable(issued) => {
                    if !usable? {
                        return Err(unusable(&self.lease));
                    }
                }
                number = asked_to_stop(signals) => return Ok(exit_code(number)),
            }
        }
        // A user's key outlives the end that is known now, once the lease is renewed.
        let end = issued.credentials.expires_at().filter(|_| !is_user);
        let credentials = issued.credentials.clone().with_expires_at(end);
        let environment = exec::environment(context, &credentials, region);
        // Those that came while there was no command to get them.
        while let Some(signal) = signals.arrived() {
            if ends_programs(signal.number) {
                return Ok(exit_code(signal.number));
            }
        }
        if self.left().is_zero() {
            return Err(over(&self.lease));
        }
        context.prompt.leave_terminal();
        let mut child = context.process.spawn(command, &environment)?;
        drop((environment, credentials));
        let length = self.length();
        self.plan_renewal(is_user);
        loop {
            let now = context.clock.local_now();
            let pause = self.next.map(|next| next.duration_since(now).unwrap_or_default());
            tokio::select! {
                code = child.wait() => return code,
                signal = signals.next() => {
                    if !signal.has_reached_child() {
                        child.signal(signal.number);
                    }
                }
                renewed = finished(&mut self.renewal), if self.renewal.is_some() => {
                    self.renewal = None;
                    self.renewed(renewed, report).await;
                }
                () = context.clock.sleep(pause.unwrap_or_default()),
                    if pause.is_some() && self.renewal.is_none() =>
                {
                    self.next = None;
                    self.renew(length);
                }
            }
        }
    }

    /// How long the lease was taken for.
    fn length(&self) -> Duration {
        self.lease.expires_at.duration_since(self.lease.created_at).unwrap_or_default()
    }

    fn left(&self) -> Duration {
        let now = self.leases.context().clock.local_now();
        self.end.duration_since(now).unwrap_or_default()
    }

    /// Takes notice of when the lease ends.
    async fn time(&mut self) -> Result<()> {
        let now = self.leases.store().now().await?;
        let left = self.lease.expires_at.duration_since(now).unwrap_or_default();
        self.end = self.leases.context().clock.local_now() + left;
        Ok(())
    }

    fn plan_renewal(&mut self, is_user: bool) {
        let wait = self.left() * 2 / 3;
        self.next = is_user.then(|| self.leases.context().clock.local_now() + wait);
    }

    /// Begins a renewal to the length that the lease was taken for, or as much of it as there may
    /// be: the definition's maximum may have been lowered.
    fn renew(&mut self, length: Duration) {
        let most = length.saturating_sub(self.left());
        let (leases, session, id) = (self.leases, self.session, self.lease.id);
        self.renewal = Some(Box::pin(async move { leases.renew_up_to(id, most, session).await }));
    }

    async fn renewed(&mut self, outcome: Result<Lease>, report: &mut impl FnMut(LeaseNews<'_>)) {
        match outcome {
            Ok(lease) => {
                let longer = lease.expires_at.duration_since(self.lease.expires_at);
                self.end += longer.unwrap_or_default();
                self.lease = lease;
                if let Err(error) = self.time().await {
                    tracing::debug!(%error, "the store does not say what time it is");
                }
                if self.lease.expires_at < self.lease.max_expires_at {
                    self.plan_renewal(true);
                } else {
                    report(LeaseNews::Ends(&self.lease, None));
                }
            }
            Err(error) if may_pass(&error) && !self.left().is_zero() => {
                report(LeaseNews::NotRenewed(&self.lease, &error));
                let pause = (self.left() / 10).max(SHORTEST_PAUSE);
                self.next = Some(self.leases.context().clock.local_now() + pause);
            }
            Err(error) => report(LeaseNews::Ends(&self.lease, Some(&error))),
        }
    }

    /// Takes the lease back. Another signal leaves it to whoever works on leases.
    async fn end(&mut self, signals: &mut Signals, report: &mut impl FnMut(LeaseNews<'_>)) {
        // Those that came while the command ended.
        while let Some(_old) = signals.arrived() {}
        let why = tokio::select! {
            outcome = self.take_back() => match outcome {
                Ok(()) => return,
                Err(error) => error.message().to_owned(),
            },
            number = asked_to_stop(signals) => format!("signal {number} broke it off"),
        };
        report(LeaseNews::NotRevoked(&self.lease, &why));
    }

    /// Once no renewal has the lease claimed.
    async fn take_back(&mut self) -> Result<()> {
        if self.renewal.is_some()
            && let Ok(lease) = finished(&mut self.renewal).await
        {
            self.lease = lease;
        }
        self.renewal = None;
        super::end(self.leases, self.lease.id).await
    }
}

async fn finished(renewal: &mut Option<Renewal<'_>>) -> Result<Lease> {
    match renewal {
        Some(renewal) => renewal.await,
        None => std::future::pending().await,
    }
}

/// The command would only fail, and nobody would know why.
fn unusable(lease: &Lease) -> CredentialsError {
    let message = format!("AWS does not take the key of lease {} after two minutes", lease.id);
    CredentialsError::new(ErrorKind::Unavailable, "exec", message)
        .with_help("the command was not run, and the lease is taken back; try again later")
}

/// So it may be where IAM takes longer to know the key than the lease lasts.
fn over(lease: &Lease) -> CredentialsError {
    let message = format!("lease {} was over before the command could be run", lease.id);
    CredentialsError::new(ErrorKind::TimedOut, "exec", message).with_help("give a longer --ttl")
}

fn may_pass(error: &CredentialsError) -> bool {
    use ErrorKind::{Internal, Malformed, TimedOut, Unavailable};
    matches!(error.kind(), Unavailable | TimedOut | Malformed | Internal)
}

/// Waits for a signal that ends programs.
async fn asked_to_stop(signals: &mut Signals) -> i32 {
    loop {
        let Signal { number, .. } = signals.next().await;
        if ends_programs(number) {
            return number;
        }
    }
}

fn ends_programs(signal: i32) -> bool {
    [Number::HUP, Number::INT, Number::QUIT, Number::TERM].map(Number::as_raw).contains(&signal)
}

fn exit_code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
