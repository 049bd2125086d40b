//! Retries in the SDKs' standard mode, with correction of the clock.

use std::time::Duration;

use async_trait::async_trait;

use super::{HttpError, HttpFailure, Request, Response};
use crate::{Context, CredentialsError, ErrorKind, Result};

/// A difference below this is no reason for a refused signature: AWS allows five minutes.
const TOLERATED_SKEW: Duration = Duration::from_secs(240);
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);

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
        let request = exchange.request().await?;
        let place = authority(&request);
        let outcome = context.http.send(request).await;
        let last = attempt >= policy.max_attempts;
        let reason = match outcome {
            Ok(answer) => match exchange.judge(&answer) {
                Verdict::Transient(reason) if !last => reason,
                Verdict::ClockSkew if !last && correct_clock(context, &answer) => {
                    tracing::warn!(
                        skew_ms = context.clock.skew_millis(),
                        "this machine's clock is wrong; going on with the time that AWS gave"
                    );
                    attempt += 1;
                    continue;
                }
                _ => return Ok(answer),
            },
            Err(error) if !last && is_transient(error.failure) => error.message,
            Err(error) => return Err(explain(&exchange.name(), &place, attempt, error)),
        };
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

fn is_transient(failure: HttpFailure) -> bool {
    matches!(failure, HttpFailure::Connect | HttpFailure::TimedOut | HttpFailure::Interrupted)
}

/// Takes over the answer's time if it differs by so much that signatures fail.
fn correct_clock(context: &Context, answer: &Response) -> bool {
    let date = answer.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
    let Some(theirs) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
        return false;
    };
    let ours = context.clock.now();
    let difference =
        theirs.duration_since(ours).or_else(|_| ours.duration_since(theirs)).unwrap_or_default();
    if difference < TOLERATED_SKEW {
        return false;
    }
    context.clock.correct(theirs);
    true
}

fn authority(request: &Request) -> String {
    request.uri().authority().map(|a| a.host().to_owned()).unwrap_or_default()
}

fn explain(call: &str, host: &str, attempts: u32, error: HttpError) -> CredentialsError {
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
    CredentialsError::new(kind, call.to_owned(), format!("{what}{times}: {error}"))
        .with_help(help)
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::SystemTime;

    use super::*;
    use crate::http::HttpClient;
    use crate::testing;

    #[derive(Debug)]
    struct Scripted(Mutex<Vec<Result<Response, HttpError>>>);

    #[async_trait]
    impl HttpClient for Scripted {
        async fn send(&self, _: Request) -> Result<Response, HttpError> {
            self.0.lock().unwrap().remove(0)
        }
    }

    struct Get;

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

        fn judge(&self, answer: &Response) -> Verdict {
            match answer.status().as_u16() {
                403 => Verdict::ClockSkew,
                500.. => Verdict::Transient(answer.status().to_string()),
                _ => Verdict::Final,
            }
        }
    }

    fn answer(status: u16, date: Option<SystemTime>) -> Result<Response, HttpError> {
        let mut answer = Response::default();
        *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
        if let Some(date) = date {
            let date = httpdate::fmt_http_date(date).parse().unwrap();
            answer.headers_mut().insert(http::header::DATE, date);
        }
        Ok(answer)
    }

    fn failure(failure: HttpFailure) -> Result<Response, HttpError> {
        Err(HttpError::new(failure, "details"))
    }

    async fn run(script: Vec<Result<Response, HttpError>>) -> (Context, Result<Response>) {
        let http = std::sync::Arc::new(Scripted(Mutex::new(script)));
        let context = Context { http, ..testing::context() };
        let result = send(&context, RetryPolicy::default(), &Get).await;
        (context, result)
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
        let aws = testing::context().clock.now() + Duration::from_secs(3600);
        let (context, result) = run(vec![answer(403, Some(aws)), answer(200, None)]).await;
        assert_eq!(result.unwrap().status(), 200);
        assert_eq!(context.clock.now(), aws);
        assert!(context.clock.sleeps().is_empty());
    }

    #[tokio::test]
    async fn a_right_clock_is_left_alone() {
        let now = testing::context().clock.now() + Duration::from_secs(10);
        let (context, result) = run(vec![answer(403, Some(now))]).await;
        assert_eq!(result.unwrap().status(), 403);
        assert_eq!(context.clock.skew_millis(), 0);
    }
}
