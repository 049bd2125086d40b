//! Retries in the SDKs' standard mode, with correction of the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::{HttpError, HttpFailure, Request, Response, date_of};
use crate::{Context, CredentialsError, ErrorKind, Result};

/// A difference below this is no reason for a refused signature: AWS allows five minutes.
const TOLERATED_SKEW: Duration = Duration::from_secs(240);
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);
/// An attempt that takes this long and fails is told to who waits.
const NOTICEABLE: Duration = Duration::from_secs(5);

/// How often a call is tried.
///
/// Source: AWS SDKs and Tools Reference Guide, "Retry behavior", standard mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; at least 1.
    pub max_attempts: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_attempts: 3 }
    }
}

/// A budget of retries that all calls of a [`Context`] share, so that an outage is not met with
/// three times the calls. Calls that get an answer fill it up again, whatever the answer says.
///
/// Source: as [`RetryPolicy`], "retry quota": 500 tokens, 5 a retry.
#[derive(Clone, Debug)]
pub struct RetryQuota(Arc<AtomicU32>);

impl RetryQuota {
    const FULL: u32 = 500;
    const RETRY: u32 = 5;

    fn spend(&self) -> bool {
        let spend = |left: u32| left.checked_sub(Self::RETRY);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }

    fn refund(&self, attempts: u32) {
        let amount = if attempts > 1 { Self::RETRY } else { 1 };
        let refund = |left: u32| Some((left + amount).min(Self::FULL));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, refund);
    }
}

impl Default for RetryQuota {
    fn default() -> Self {
        Self(Arc::new(AtomicU32::new(Self::FULL)))
    }
}

/// What to make of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the answer, good or bad.
    Final,
    /// A passing fault: try again. The text says which, for the log.
    Transient(String),
    /// The signature was refused in a way that a wrong clock explains, if the clock is wrong.
    ClockSkew,
}

/// One call as a protocol sees it.
#[async_trait]
pub trait Exchange: Sync {
    /// What is called, for messages: `STS AssumeRole`.
    fn name(&self) -> String;

    /// The request, made and signed anew for each attempt.
    async fn request(&self) -> Result<Request>;

    /// Whether the call may be made again though the first may have been carried out: not if it
    /// holds a code that can be used once.
    fn is_repeatable(&self) -> bool {
        true
    }

    /// What to make of the answer.
    fn judge(&self, answer: &Response) -> Verdict;
}

/// Carries out `exchange`, with at most `policy.max_attempts` attempts and full-jitter waits of up
/// to 1, 2, 4 … 20 seconds between them. The last answer is given back, whatever it says.
///
/// # Errors
/// Those of [`Exchange::request`]; `Unavailable` or `TimedOut` if no attempt got an answer,
/// `Malformed` if the answer was too large, `InvalidConfiguration` if settings cannot be used.
pub async fn send(
    context: &Context,
    policy: RetryPolicy,
    exchange: &dyn Exchange,
) -> Result<Response> {
    let mut attempt = 1;
    loop {
        let skew = context.clock.skew_millis();
        let request = exchange.request().await?;
        let place = authority(&request);
        let began = context.clock.local_now();
        let outcome = context.http.send(request).await;
        let took = context.clock.local_now().duration_since(began).unwrap_or_default();
        let last = attempt >= policy.max_attempts;
        let (reason, answer) = match outcome {
            Ok(answer) => match exchange.judge(&answer) {
                Verdict::Transient(reason) if !last => (reason, Some(answer)),
                Verdict::ClockSkew if !last && correct_clock(context, skew, &answer) => {
                    attempt += 1;
                    continue;
                }
                Verdict::Transient(_) => return Ok(answer),
                Verdict::Final | Verdict::ClockSkew => {
                    context.retry_quota.refund(attempt);
                    return Ok(answer);
                }
            },
            Err(error) if !last && may_repeat(exchange, error.failure) => (error.message, None),
            Err(error) => return Err(explain(exchange, &place, attempt, error)),
        };
        if !context.retry_quota.spend() {
            // What it says is known, so whoever asked can tell a refusal from a lost call.
            if let Some(answer) = answer {
                tracing::debug!(call = exchange.name(), reason, "the retry quota is used up");
                return Ok(answer);
            }
            let message = "too many calls have failed lately, so this one is not tried again";
            return Err(CredentialsError::new(ErrorKind::Unavailable, exchange.name(), message)
                .with_help("AWS or the network has trouble; try again later")
                .with_source(HttpError::new(HttpFailure::Interrupted, reason)));
        }
        if took >= NOTICEABLE {
            let (call, most, seconds) = (exchange.name(), policy.max_attempts, took.as_secs());
            tracing::warn!(
                "{call}: nothing good from {place} in {seconds} s ({reason}); trying again, {} of \
                 {most} attempts",
                attempt + 1
            );
        }
        let wait = context.random.up_to(backoff(attempt));
        tracing::debug!(call = exchange.name(), attempt, reason, ?wait, "trying again");
        context.clock.sleep(wait).await;
        attempt += 1;
    }
}

fn backoff(attempt: u32) -> Duration {
    let seconds = 1_u64.checked_shl(attempt - 1).unwrap_or(u64::MAX);
    Duration::from_secs(seconds).min(LONGEST_BACKOFF)
}

fn may_repeat(exchange: &dyn Exchange, failure: HttpFailure) -> bool {
    match failure {
        HttpFailure::Connect => true,
        HttpFailure::TimedOut | HttpFailure::Interrupted => exchange.is_repeatable(),
        _ => false,
    }
}

/// Takes over the answer's time if it differs by so much that signatures fail. `skew` is the
/// correction with which the request was signed: another call may have changed it since.
fn correct_clock(context: &Context, skew: i64, answer: &Response) -> bool {
    if context.clock.skew_millis() != skew {
        return true;
    }
    let Some(theirs) = date_of(answer) else { return false };
    let ours = context.clock.now();
    let difference =
        theirs.duration_since(ours).or_else(|_| ours.duration_since(theirs)).unwrap_or_default();
    if difference < TOLERATED_SKEW {
        return false;
    }
    context.clock.correct(theirs);
    tracing::warn!(
        skew_ms = context.clock.skew_millis(),
        "this machine's clock is wrong; going on with the time that AWS gave"
    );
    true
}

/// Host and port.
fn authority(request: &Request) -> String {
    let uri = request.uri();
    let port = match (uri.port_u16(), uri.scheme_str()) {
        (Some(port), _) => port,
        (None, Some("http")) => 80,
        (None, _) => 443,
    };
    format!("{}:{port}", uri.host().unwrap_or_default())
}

fn explain(
    exchange: &dyn Exchange,
    host: &str,
    attempts: u32,
    error: HttpError,
) -> CredentialsError {
    let (kind, what, help) = match error.failure {
        HttpFailure::Connect => (
            ErrorKind::Unavailable,
            format!("{host} could not be reached"),
            "check the network, the region, the endpoint URL and the proxy variables",
        ),
        HttpFailure::Tls => (
            ErrorKind::Unavailable,
            format!("{host} could not be trusted"),
            "behind a proxy that inspects TLS, set AWS_CA_BUNDLE to the file with its authority",
        ),
        HttpFailure::TimedOut | HttpFailure::Interrupted if !exchange.is_repeatable() => (
            ErrorKind::Unavailable,
            format!("the answer of {host} was lost, and the call may have been carried out"),
            "if it held a code that can be used once, wait for the next code and try again",
        ),
        HttpFailure::TimedOut => (
            ErrorKind::TimedOut,
            format!("{host} did not answer in time"),
            "check the network and the proxy variables, or try again",
        ),
        HttpFailure::Interrupted => (
            ErrorKind::Unavailable,
            format!("{host} broke off its answer"),
            "check the endpoint URL and the proxy variables, or try again",
        ),
        HttpFailure::TooLarge => (
            ErrorKind::Malformed,
            format!("{host} sent an answer that cannot be AWS's"),
            "check the endpoint URL and the proxy variables",
        ),
        HttpFailure::Unusable => (
            ErrorKind::InvalidConfiguration,
            "the request cannot be sent".to_owned(),
            "check the endpoint URL, the proxy variables and the CA bundle",
        ),
    };
    let times = if attempts > 1 { format!(" ({attempts} attempts)") } else { String::new() };
    CredentialsError::new(kind, exchange.name(), format!("{what}{times}: {error}"))
        .with_help(help)
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::SystemTime;

    use super::*;
    use crate::Clock;
    use crate::http::{HttpClient, ScriptedHttp};

    struct Get {
        repeatable: bool,
    }

    #[async_trait]
    impl Exchange for Get {
        fn name(&self) -> String {
            "Test Get".to_owned()
        }

        async fn request(&self) -> Result<Request> {
            let mut request = Request::default();
            *request.uri_mut() = http::Uri::from_static("http://sts.test/?secret=hunter2");
            Ok(request)
        }

        fn is_repeatable(&self) -> bool {
            self.repeatable
        }

        fn judge(&self, answer: &Response) -> Verdict {
            match answer.status().as_u16() {
                403 => Verdict::ClockSkew,
                500.. => Verdict::Transient(answer.status().to_string()),
                _ => Verdict::Final,
            }
        }
    }

    fn answer(status: u16, date: Option<SystemTime>) -> Result<Response, HttpError> {
        let mut answer = ScriptedHttp::answer(status, "");
        if let Some(date) = date {
            let date = httpdate::fmt_http_date(date).parse().unwrap();
            answer.headers_mut().insert(http::header::DATE, date);
        }
        Ok(answer)
    }

    fn failure(failure: HttpFailure) -> Result<Response, HttpError> {
        Err(HttpError::new(failure, "details"))
    }

    fn machine(script: Vec<Result<Response, HttpError>>) -> Context {
        let http = ScriptedHttp::new([]);
        http.then(script);
        Context { http, ..Context::fake() }
    }

    async fn run(script: Vec<Result<Response, HttpError>>) -> (Context, Result<Response>) {
        let context = machine(script);
        let result = send(&context, RetryPolicy::default(), &Get { repeatable: true }).await;
        (context, result)
    }

    #[tokio::test]
    async fn a_code_that_may_be_used_up_is_not_sent_again() {
        let once = Get { repeatable: false };
        let context = machine(vec![failure(HttpFailure::Connect), failure(HttpFailure::TimedOut)]);
        let error = send(&context, RetryPolicy::default(), &once).await.unwrap_err();
        assert!(error.help().unwrap().contains("next code"), "{error}");
    }

    #[tokio::test]
    async fn an_outage_uses_up_the_retries_that_all_calls_share() {
        let calls = 110;
        let call = Get { repeatable: true };
        let context = machine((0..calls * 3).map(|_| answer(503, None)).collect());
        for _ in 0..calls {
            // An answer is given back all the same.
            let answer = send(&context, RetryPolicy::default(), &call).await.unwrap();
            assert_eq!(answer.status(), 503);
        }
        assert!(context.clock.sleeps().len() < calls * 2, "the budget never ran out");
        let error = || failure(HttpFailure::Connect);
        let context = machine((0..calls * 3).map(|_| error()).collect());
        let mut last = None;
        for _ in 0..calls {
            last = send(&context, RetryPolicy::default(), &call).await.err();
        }
        assert!(last.unwrap().to_string().contains("too many calls have failed"));
    }

    #[tokio::test]
    async fn a_clock_that_another_call_has_corrected_is_a_reason_to_try_again() {
        let context = Context::fake();
        let signed_with = context.clock.skew_millis();
        context.clock.correct(context.clock.now() + Duration::from_secs(7200));
        let late = answer(403, Some(context.clock.now())).unwrap();
        assert!(correct_clock(&context, signed_with, &late));
        assert!(!correct_clock(&context, context.clock.skew_millis(), &late));
    }

    #[tokio::test]
    async fn passing_faults_are_tried_again_after_growing_jittered_waits() {
        let script = vec![answer(503, None), failure(HttpFailure::Connect), answer(200, None)];
        let (context, result) = run(script).await;
        assert_eq!(result.unwrap().status(), 200);
        let waits = context.clock.sleeps();
        assert_eq!(waits.len(), 2);
        assert!(waits[0] <= Duration::from_secs(1) && waits[1] <= Duration::from_secs(2));
    }

    /// The texts of warnings.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<String>>>);

    impl tracing::Subscriber for Log {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            *metadata.level() == tracing::Level::WARN
        }

        fn event(&self, event: &tracing::Event<'_>) {
            let mut text = String::new();
            event.record(&mut |_: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                text += &format!("{value:?}");
            });
            self.0.lock().unwrap().push(text);
        }

        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }

        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

        fn enter(&self, _: &tracing::span::Id) {}

        fn exit(&self, _: &tracing::span::Id) {}
    }

    /// Takes its time, and answers nothing.
    #[derive(Debug)]
    struct Mute(Clock, Duration);

    #[async_trait]
    impl HttpClient for Mute {
        async fn send(&self, _: Request) -> Result<Response, HttpError> {
            self.0.advance(self.1);
            failure(HttpFailure::TimedOut)
        }
    }

    #[test]
    fn who_waits_for_long_is_told_why() {
        for (seconds, told) in [(10, 2), (1, 0)] {
            let context = Context::fake();
            let http = Arc::new(Mute(context.clock.clone(), Duration::from_secs(seconds)));
            let context = Context { http, ..context };
            let log = Log::default();
            let outcome = tracing::subscriber::with_default(log.clone(), || {
                let call = Get { repeatable: true };
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(send(&context, RetryPolicy::default(), &call))
            });
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::TimedOut);
            let lines = log.0.lock().unwrap().clone();
            assert_eq!(lines.len(), told, "{lines:?}");
            let says = |line: &String| line.contains("nothing good from sts.test:80 in 10 s");
            assert!(lines.iter().all(says), "{lines:?}");
        }
    }

    #[tokio::test]
    async fn the_last_answer_is_given_back_whatever_it_says() {
        let (_, result) = run(vec![answer(500, None), answer(502, None), answer(503, None)]).await;
        assert_eq!(result.unwrap().status(), 503);
    }

    #[tokio::test]
    async fn what_will_not_pass_is_not_tried_again() {
        for (broken, kind) in [
            (HttpFailure::Tls, ErrorKind::Unavailable),
            (HttpFailure::TooLarge, ErrorKind::Malformed),
            (HttpFailure::Unusable, ErrorKind::InvalidConfiguration),
        ] {
            let error = run(vec![failure(broken)]).await.1.unwrap_err();
            assert_eq!(error.kind(), kind);
        }
    }

    #[tokio::test]
    async fn errors_name_the_host_and_the_attempts_and_never_the_query() {
        let script = (0..3).map(|_| failure(HttpFailure::TimedOut)).collect();
        let error = run(script).await.1.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let text = error.to_string();
        assert!(text.contains("sts.test") && text.contains("3 attempts"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[tokio::test]
    async fn a_wrong_clock_is_corrected_by_the_answer_and_the_call_repeated_at_once() {
        let aws = Context::fake().clock.now() + Duration::from_secs(3600);
        let (context, result) = run(vec![answer(403, Some(aws)), answer(200, None)]).await;
        assert_eq!(result.unwrap().status(), 200);
        assert_eq!(context.clock.now(), aws);
        assert!(context.clock.sleeps().is_empty());
    }

    #[tokio::test]
    async fn a_right_clock_is_left_alone() {
        let now = Context::fake().clock.now() + Duration::from_secs(10);
        let (context, result) = run(vec![answer(403, Some(now))]).await;
        assert_eq!(result.unwrap().status(), 403);
        assert_eq!(context.clock.skew_millis(), 0);
    }
}
