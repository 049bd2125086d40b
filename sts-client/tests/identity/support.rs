//! What these tests share: keys, an STS that is not asked or answers by script, and policies.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rolecall_core::http::{HttpClient, HttpError, HttpFailure, Request, Response};
use rolecall_core::{Clock, Context, Credentials};
use rolecall_sts::QueryEndpoint;
use rolecall_sts::identity::{
    Binding, Bounds, Decision, Dialect, MemoryReplayGuard, Mode, Policy, Token, TokenFormat,
    Verifier,
};
use zeroize::Zeroizing;

pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(crate) const SESSION: &str = "FwoGZXIvYXdzEBYaDEXAMPLE+session/token==";
pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const CLUSTER: &str = "prod";
pub(crate) const SERVER: &str = "vault.example.com";
pub(crate) const AUDIENCE: &str = "https://login.example.com";

/// 2026-01-01T00:00:00Z.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new("ASIAIOSFODNN7EXAMPLE", SECRET, "test")
        .with_session_token(Some(SESSION.into()))
}

pub(crate) fn endpoint(url: &str, region: &str) -> QueryEndpoint {
    QueryEndpoint {
        url: url.to_owned(),
        signing_region: region.to_owned(),
        signing_name: "sts".to_owned(),
    }
}

pub(crate) fn global() -> QueryEndpoint {
    endpoint("https://sts.amazonaws.com", "us-east-1")
}

pub(crate) fn dialect(format: TokenFormat) -> Dialect {
    match format {
        TokenFormat::Akeyless => Dialect::Akeyless,
        TokenFormat::Vault => {
            Dialect::Vault { role: Some("dev".to_owned()), server_id: Some(SERVER.to_owned()) }
        }
        TokenFormat::Infisical => Dialect::Infisical { identity_id: "id-1".to_owned() },
        TokenFormat::Eks => Dialect::Eks { cluster: CLUSTER.to_owned() },
        _ => Dialect::Rolecall {
            audience: AUDIENCE.to_owned(),
            challenge: None,
            lifetime: Dialect::LIFETIME,
        },
    }
}

pub(crate) fn token(format: TokenFormat) -> String {
    made(dialect(format), now())
}

pub(crate) fn made(dialect: Dialect, time: SystemTime) -> String {
    let token = Token::create(dialect, &credentials(), &global(), time).unwrap();
    token.text.expose().to_owned()
}

pub(crate) fn bounds() -> Bounds {
    Bounds { account_ids: vec![ACCOUNT.to_owned()], ..Bounds::default() }
}

pub(crate) fn binding() -> Binding {
    Binding {
        server_id: Some(SERVER.to_owned()),
        cluster: Some(CLUSTER.to_owned()),
        audience: Some(AUDIENCE.to_owned()),
        challenges: None,
    }
}

pub(crate) fn policy(bounds: &Bounds) -> Policy {
    Policy::new(bounds, &TokenFormat::ALL, binding()).unwrap()
}

/// What STS says.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    /// It must not be asked.
    Nothing,
    Answer(u16, String),
    Fail(HttpFailure),
    /// Never answers.
    Hang,
}

#[derive(Debug)]
pub(crate) struct Sts {
    say: Mutex<Say>,
    pub(crate) asked: AtomicUsize,
    pub(crate) requests: Mutex<Vec<Request>>,
}

#[async_trait]
impl HttpClient for Sts {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let say = self.say.lock().unwrap().clone();
        self.requests.lock().unwrap().push(request);
        // Lets those who came at the same time come this far.
        tokio::task::yield_now().await;
        match say {
            Say::Nothing => panic!("STS must not be asked"),
            Say::Answer(status, body) => {
                let mut answer = Response::new(Zeroizing::new(body.into_bytes()));
                *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
                Ok(answer)
            }
            Say::Fail(failure) => Err(HttpError::new(failure, "it failed")),
            Say::Hang => std::future::pending().await,
        }
    }
}

impl Sts {
    pub(crate) fn says(&self, say: Say) {
        *self.say.lock().unwrap() = say;
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A verifier, the STS that it asks and its clock.
pub(crate) fn verifier(mode: Mode, say: Say) -> (Verifier, Arc<Sts>, Clock) {
    let sts = Arc::new(Sts {
        say: Mutex::new(say),
        asked: AtomicUsize::new(0),
        requests: Mutex::default(),
    });
    let context = Context { http: sts.clone(), clock: Clock::manual(now()), ..Context::fake() };
    let clock = context.clock.clone();
    let guard = Arc::new(MemoryReplayGuard::default());
    let verifier = Verifier::new(context, mode, guard).with_time_limit(Duration::from_millis(20));
    (verifier, sts, clock)
}

/// Checks a token that must be refused without STS.
pub(crate) async fn refused(token: &str, policy: &Policy) -> (String, &'static str) {
    let (verifier, _, _) = verifier(Mode::SingleUse, Say::Nothing);
    code(&verifier.verify(token, policy).await)
}

/// Name of the check and code of the reason.
pub(crate) fn code(decision: &Decision) -> (String, &'static str) {
    match decision.accepted() {
        Ok(identity) => (identity.arn.clone(), "accepted"),
        Err(refusal) => (refusal.check.to_string(), refusal.code),
    }
}

/// A success of GetCallerIdentity.
pub(crate) fn success(arn: &str, user_id: &str, account: &str) -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  \
         <GetCallerIdentityResult>\n    <Arn>{arn}</Arn>\n    <UserId>{user_id}</UserId>\n    \
         <Account>{account}</Account>\n  </GetCallerIdentityResult>\n  <ResponseMetadata>\n    \
         <RequestId>01234567-89ab-cdef-0123-456789abcdef</RequestId>\n  </ResponseMetadata>\n\
         </GetCallerIdentityResponse>\n"
    )
}

pub(crate) fn role_session() -> String {
    success(
        "arn:aws:sts::123456789012:assumed-role/Deploy/ci-1",
        "AROAEXAMPLEROLEID0001:ci-1",
        ACCOUNT,
    )
}

pub(crate) fn user(path: &str, name: &str) -> String {
    success(
        &format!("arn:aws:iam::123456789012:user{path}{name}"),
        "AIDAEXAMPLEUSERID0001",
        ACCOUNT,
    )
}
