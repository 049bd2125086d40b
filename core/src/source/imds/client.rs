use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue, Method, StatusCode};
use tokio::sync::Mutex;

use super::{Failure, ImdsSettings, hop_limit};
use crate::http::{Direct, HttpError, HttpFailure, Request, Response, TimeLimit};
use crate::{Context, Secret};

const TOKEN_PATH: &str = "/latest/api/token";
const INSTANCE_ID_PATH: &str = "/latest/meta-data/instance-id";
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
const TOKEN_TTL: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
/// What is asked for, and what AWS gives at most.
const TOKEN_LIFE: Duration = Duration::from_secs(21_600);
const TOKEN_LENGTH_LIMIT: usize = 4096;
/// A token is replaced so long before its end.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);
/// How long to go on without a token before one is asked for again.
const WITHOUT_TOKEN: Duration = Duration::from_secs(300);
const SHORTEST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// Reads paths of the metadata service, with its token.
#[derive(Debug)]
pub(super) struct Client {
    context: Context,
    pub(super) settings: ImdsSettings,
    access: Mutex<Option<Access>>,
}

/// How requests are let in, and until when that holds.
#[derive(Clone, Debug)]
struct Access {
    /// `None`: IMDSv1.
    token: Option<Secret>,
    until: SystemTime,
    /// What to run so that tokens get here, if it is known that they get lost.
    lost_tokens: Option<String>,
}

/// What is to be made of one attempt.
enum Attempt<T> {
    Done(T),
    /// Try again; if there are no attempts left, this is why.
    Again(Failure),
    /// The token is not taken any more.
    Unauthorized,
}

/// What has not been answered in time.
enum Silence {
    None,
    /// A PUT, and a GET after it: the service is slow.
    OfAll,
    /// A PUT, while a GET without a token is answered.
    OfTokens {
        /// Whether it is let in.
        is_open: bool,
        /// What to run if it stays so.
        command: String,
    },
}

impl Client {
    pub(super) fn new(context: Context, settings: ImdsSettings) -> Self {
        Self { context, settings, access: Mutex::default() }
    }

    /// Reads `path` by `read`, which says what is wrong with an answer that makes no sense. `None`:
    /// there is no such path.
    pub(super) async fn get<T>(
        &self,
        path: &str,
        read: impl Fn(&Response) -> Result<T, String>,
    ) -> Result<Option<T>, Failure> {
        let mut renewed = false;
        let mut attempt = 1;
        loop {
            let access = self.access().await?;
            match self.attempt(path, &access, &read).await? {
                Attempt::Done(found) => return Ok(found),
                // Its life may have been cut short: one new token, and no more.
                Attempt::Unauthorized if !renewed => {
                    renewed = true;
                    self.access.lock().await.take();
                }
                Attempt::Unauthorized => {
                    let what = "it does not take the token it gave (401)".to_owned();
                    return Err(Failure::Refused(what));
                }
                Attempt::Again(reason) if attempt >= self.settings.attempts => return Err(reason),
                Attempt::Again(reason) => {
                    self.pause(attempt, &reason).await;
                    attempt += 1;
                }
            }
        }
    }

    /// The version of IMDS in use: 2, or 1 without a token.
    ///
    /// # Errors
    /// As any request's; and the hop limit, also where requests are let in without a token.
    pub(super) async fn version(&self) -> Result<u8, Failure> {
        let access = self.access().await?;
        match access.lost_tokens {
            Some(command) => Err(Failure::HopLimit { command }),
            None => Ok(if access.token.is_some() { 2 } else { 1 }),
        }
    }

    async fn attempt<T>(
        &self,
        path: &str,
        access: &Access,
        read: &impl Fn(&Response) -> Result<T, String>,
    ) -> Result<Attempt<Option<T>>, Failure> {
        let answer = match self.send(Method::GET, path, access.token.as_ref()).await {
            Ok(answer) => answer,
            Err(error) => return self.broken(error).map(Attempt::Again),
        };
        Ok(match answer.status() {
            StatusCode::OK => match read(&answer) {
                Ok(found) => Attempt::Done(Some(found)),
                Err(what) => Attempt::Again(Failure::Malformed(what)),
            },
            StatusCode::NOT_FOUND => Attempt::Done(None),
            StatusCode::UNAUTHORIZED => Attempt::Unauthorized,
            StatusCode::FORBIDDEN => return Err(Failure::Disabled),
            status => Attempt::Again(self.strange(status)?),
        })
    }

    /// A token that is good, or leave to go without.
    async fn access(&self) -> Result<Access, Failure> {
        // Whoever comes while a token is being fetched waits for it here.
        let mut kept = self.access.lock().await;
        let now = self.context.clock.now();
        if let Some(access) = kept.as_ref().filter(|access| now < access.until) {
            return Ok(access.clone());
        }
        let access = self.new_access().await?;
        *kept = Some(access.clone());
        Ok(access)
    }

    async fn new_access(&self) -> Result<Access, Failure> {
        let mut attempt = 1;
        let mut silence = Silence::None;
        loop {
            let reason = match self.send(Method::PUT, TOKEN_PATH, None).await {
                Ok(answer) => match answer.status() {
                    StatusCode::OK => match self.read_token(&answer) {
                        Some(access) => return Ok(access),
                        None => Failure::Malformed("what it gives is no token".to_owned()),
                    },
                    // Never without a token where it says no.
                    StatusCode::FORBIDDEN => return Err(Failure::Disabled),
                    status @ (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) => {
                        return self.without_token(None, Failure::OnlyV1(status));
                    }
                    status => self.strange(status)?,
                },
                Err(error) if error.failure == HttpFailure::Connect => {
                    return Err(Failure::Absent(error.message));
                }
                Err(error) if error.failure == HttpFailure::TimedOut => match silence {
                    Silence::None => {
                        silence = self.look_without_token().await?;
                        if let Silence::OfTokens { .. } = silence {
                            // One late answer is no proof.
                            continue;
                        }
                        self.broken(error)?
                    }
                    Silence::OfTokens { is_open, command } => {
                        return self.lost_tokens(is_open, command);
                    }
                    Silence::OfAll => self.broken(error)?,
                },
                Err(error) => self.broken(error)?,
            };
            if attempt >= self.settings.attempts {
                return Err(reason);
            }
            self.pause(attempt, &reason).await;
            attempt += 1;
        }
    }

    /// No answer to a PUT: is the service slow, or is its answer lost on the way, as it is meant to
    /// be more than `http-put-response-hop-limit` hops away? Answers to GET have no such limit.
    async fn look_without_token(&self) -> Result<Silence, Failure> {
        let Ok(answer) = self.send(Method::GET, INSTANCE_ID_PATH, None).await else {
            return Ok(Silence::OfAll);
        };
        let is_open = match answer.status() {
            StatusCode::OK => true,
            StatusCode::UNAUTHORIZED => false,
            StatusCode::FORBIDDEN => return Err(Failure::Disabled),
            _ => return Ok(Silence::OfAll),
        };
        let told = std::str::from_utf8(answer.body()).ok().filter(|_| is_open);
        let id = told.and_then(hop_limit::instance_id);
        let id = id.or_else(|| hop_limit::instance_id_of_machine(&self.context.fs));
        Ok(Silence::OfTokens { is_open, command: hop_limit::command(id.as_deref()) })
    }

    /// Answers to PUT get lost, again and again.
    fn lost_tokens(&self, is_open: bool, command: String) -> Result<Access, Failure> {
        if !is_open {
            return Err(Failure::HopLimit { command });
        }
        if !self.settings.v1_disabled {
            tracing::warn!(
                help = command,
                "the metadata service's answer to the request for a token is lost on the way (hop \
                 limit); going on without a token (IMDSv1)"
            );
        }
        self.without_token(Some(command.clone()), Failure::HopLimit { command })
    }

    /// Leave to go without a token, where the settings allow that.
    fn without_token(
        &self,
        lost_tokens: Option<String>,
        otherwise: Failure,
    ) -> Result<Access, Failure> {
        if self.settings.v1_disabled {
            return Err(otherwise);
        }
        tracing::debug!("the metadata service is asked without a token (IMDSv1)");
        let until = self.context.clock.now() + WITHOUT_TOKEN;
        Ok(Access { token: None, until, lost_tokens })
    }

    fn read_token(&self, answer: &Response) -> Option<Access> {
        let text = std::str::from_utf8(answer.body()).ok()?.trim();
        let is_token = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_token || text.len() > TOKEN_LENGTH_LIMIT {
            return None;
        }
        let life = answer.headers().get(TOKEN_TTL).and_then(|life| life.to_str().ok());
        let life = life.and_then(|life| life.parse().ok()).map(Duration::from_secs);
        let life = life.unwrap_or(TOKEN_LIFE).min(TOKEN_LIFE);
        let until = self.context.clock.now() + life.saturating_sub(TOKEN_MARGIN.min(life / 2));
        Some(Access { token: Some(text.into()), until, lost_tokens: None })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret>,
    ) -> Result<Response, HttpError> {
        let unusable = |error: http::Error| {
            HttpError::new(HttpFailure::Unusable, format!("the request cannot be made: {error}"))
        };
        let mut request = http::Request::builder()
            .uri(self.settings.url(path))
            .extension(Direct)
            .extension(TimeLimit(self.settings.timeout));
        if method == Method::PUT {
            request = request.header(TOKEN_TTL, TOKEN_LIFE.as_secs());
        }
        if let Some(token) = token {
            let mut value =
                HeaderValue::from_str(token.expose()).map_err(|e| unusable(e.into()))?;
            value.set_sensitive(true);
            request = request.header(TOKEN, value);
        }
        let request: Request = request.method(method).body(Vec::new().into()).map_err(unusable)?;
        self.context.http.send(request).await
    }

    /// No answer: a failure that may pass, unless it cannot.
    fn broken(&self, error: HttpError) -> Result<Failure, Failure> {
        match error.failure {
            HttpFailure::TimedOut => Ok(Failure::Slow { limit: self.settings.timeout }),
            HttpFailure::Connect | HttpFailure::Interrupted => Ok(Failure::Broken(error.message)),
            HttpFailure::TooLarge => Err(Failure::Malformed(error.message)),
            HttpFailure::Tls | HttpFailure::Unusable => Err(Failure::Unusable(error)),
        }
    }

    /// A status that means nothing good: a failure that may pass, unless it cannot.
    fn strange(&self, status: StatusCode) -> Result<Failure, Failure> {
        let what = format!("it answered {}", status.as_u16());
        match status.as_u16() {
            429 | 500.. => Ok(Failure::Broken(what)),
            _ => Err(Failure::Malformed(what)),
        }
    }

    async fn pause(&self, attempt: u32, reason: &Failure) {
        let most = SHORTEST_BACKOFF.saturating_mul(1 << (attempt - 1).min(10)).min(LONGEST_BACKOFF);
        let wait = self.context.random.up_to(most);
        tracing::debug!(attempt, ?reason, ?wait, "asking the metadata service again");
        self.context.clock.sleep(wait).await;
    }
}
