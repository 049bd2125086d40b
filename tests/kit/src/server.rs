//! Connections, requests, faults, and who answers what.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::calls::Call;
use crate::chaos::Fault;
use crate::error::AwsError;
use crate::metadata::{self, Answered};
use crate::sigv4::{Presented, SignedRequest};
use crate::state::{Shared, State};
use crate::{clock, control, doors, eks, iam, rolesanywhere, sso, sts};

/// Longest body taken; AWS's longest parameter, an assertion, is 100,000 letters.
const BODY_LIMIT: usize = 1 << 20;
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a listener leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// The services, and the control interface. STS answers, unless another is at the path.
    Aws,
    /// IAM Identity Center, behind the same listener.
    Sso,
    /// IAM, behind the same listener.
    Iam,
    /// IAM Roles Anywhere, behind the same listener.
    RolesAnywhere,
    /// EKS, behind the same listener.
    Eks,
    /// The API servers of its clusters, behind the same listener.
    Kubernetes,
    /// The metadata service of an instance.
    Imds,
    /// The endpoints of containers.
    Container,
}

impl Door {
    fn service(self) -> &'static str {
        match self {
            Self::Aws => "sts",
            Self::Sso => "sso",
            Self::Iam => "iam",
            Self::RolesAnywhere => "rolesanywhere",
            Self::Eks => "eks",
            Self::Kubernetes => "kubernetes",
            Self::Imds => "imds",
            Self::Container => "container",
        }
    }

    /// The service that a request is for, where several have one door.
    fn within(self, request: &SignedRequest<'_>) -> Door {
        match self {
            Self::Aws if sso::operation_of(request).is_some() => Self::Sso,
            Self::Aws if rolesanywhere::operation_of(request).is_some() => Self::RolesAnywhere,
            Self::Aws if eks::operation_of(request).is_some() => Self::Eks,
            Self::Aws if eks::kubernetes_operation_of(request).is_some() => Self::Kubernetes,
            Self::Aws if iam::is_asked(request) => Self::Iam,
            door => door,
        }
    }

    fn operation_of(self, request: &SignedRequest<'_>) -> String {
        match self {
            Self::Aws | Self::Iam => sts::operation_of(request),
            Self::Sso => sso::operation_of(request).unwrap_or_default().to_owned(),
            Self::RolesAnywhere => {
                rolesanywhere::operation_of(request).unwrap_or_default().to_owned()
            }
            Self::Eks => eks::operation_of(request).unwrap_or_default().to_owned(),
            Self::Kubernetes => eks::kubernetes_operation_of(request).unwrap_or_default(),
            Self::Imds => metadata::imds_operation_of(request),
            Self::Container => metadata::container_operation_of(request),
        }
    }

    fn answer(self, state: &mut State, request: &SignedRequest<'_>, call: &mut Call) -> Answered {
        match self {
            Self::Aws => sts::answer(state, request, call).into(),
            Self::Sso => sso::answer(state, request, call).into(),
            Self::Iam => iam::answer(state, request, call).into(),
            Self::RolesAnywhere => rolesanywhere::answer(state, request, call).into(),
            Self::Eks => eks::answer(state, request, call).into(),
            Self::Kubernetes => eks::answer_kubernetes(state, request, call).into(),
            Self::Imds => metadata::answer_imds(state, request),
            Self::Container => metadata::answer_container(state, request),
        }
    }

    /// An error in the words of the service.
    fn refuse(self, error: &AwsError, operation: &str) -> Reply {
        match self {
            Self::Sso => sso::failure(error, operation),
            Self::Iam => iam::failure(error),
            Self::RolesAnywhere => rolesanywhere::failure(error),
            Self::Eks => eks::failure(error),
            _ => sts::failure(error, false),
        }
    }
}

/// An answer before it is bytes.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
    pub(crate) request_id: String,
    /// Error code, for the record.
    pub(crate) error: Option<String>,
}

impl Reply {
    /// A JSON document.
    pub(crate) fn json(status: u16, value: &serde_json::Value, error: Option<String>) -> Self {
        Self {
            status,
            content_type: "application/json".to_owned(),
            body: value.to_string().into(),
            request_id: request_id(),
            error,
        }
    }
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct Hangup;

impl std::fmt::Display for Hangup {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("closed on purpose")
    }
}

impl std::error::Error for Hangup {}

/// Takes connections until the runtime is shut down.
pub(crate) async fn serve(
    listener: TcpListener,
    door: Door,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
) {
    loop {
        // A failed accept is the peer's or the file table's doing: there is nobody to tell.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            // What goes wrong on one connection is seen by its client.
            let _ = connection(stream, door, tls, shared).await;
        });
    }
}

async fn connection(
    stream: TcpStream,
    door: Door,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        None => http(stream, door, shared).await,
        Some(acceptor) => {
            let handshake = doors::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await;
            match handshake {
                Some(stream) => http(stream?, door, shared).await,
                None => Ok(()),
            }
        }
    }
}

async fn http(
    io: impl AsyncRead + AsyncWrite + Unpin,
    door: Door,
    shared: Arc<Shared>,
) -> io::Result<()> {
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { handle(request, door, &shared).await }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        // The date is the kit's, which may be moved.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(io), service)
        .await
        .map_err(io::Error::other)
}

async fn handle(
    request: Request<Incoming>,
    door: Door,
    shared: &Shared,
) -> Result<Response<Body>, Hangup> {
    let (parts, body) = request.into_parts();
    let body = doors::timeout(BODY_TIMEOUT, Limited::new(body, BODY_LIMIT).collect()).await;
    let body = match body {
        Some(Ok(body)) => body.to_bytes(),
        Some(Err(_)) => {
            let error = AwsError::new(413, "RequestEntityTooLarge", "The request is too large.");
            return Ok(respond(sts::failure(&error, false), shared.lock().clock.now()));
        }
        None => return Err(Hangup),
    };
    let request = SignedRequest {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body: &body,
    };
    if door == Door::Aws
        && let Some(path) = request.path.strip_prefix("/_kit/")
    {
        let reply = control::answer(shared, request.method, path, request.body);
        return Ok(respond(reply, shared.lock().clock.now()));
    }
    serve_aws(&request, door.within(&request), shared).await
}

/// Counts the call, lets the faults strike, does the work, and records what was answered.
async fn serve_aws(
    request: &SignedRequest<'_>,
    door: Door,
    shared: &Shared,
) -> Result<Response<Body>, Hangup> {
    let operation = door.operation_of(request);
    let (faults, mut call) = {
        let mut state = shared.lock();
        let number = state.calls.arrive(&operation);
        let faults = state.chaos.strike(door.service(), &operation);
        let at = state.clock.now();
        (faults, Call { number, ..call_of(request, door, operation, at) })
    };
    shared.notify_arrival();

    let mut last = None;
    for fault in faults {
        match fault {
            Fault::Delay { milliseconds } => {
                doors::sleep(Duration::from_millis(milliseconds)).await
            }
            Fault::Hold { gate } => shared.pass_gate(&gate).await,
            other => last = Some(other),
        }
    }
    if let Some(fault) = &last
        && let Some(reply) = instead(fault, &|error| door.refuse(error, &call.operation))
    {
        record(shared, call, reply.response.as_ref());
        return match reply.response {
            Some(response) => {
                Ok(with_headers(respond(response, shared.lock().clock.now()), &reply.headers))
            }
            None if *fault == Fault::Stall => std::future::pending().await,
            None => Err(Hangup),
        };
    }

    let (Answered { reply, headers, lost }, now) = {
        let mut state = shared.lock();
        (door.answer(&mut state, request, &mut call), state.clock.now())
    };
    if lost {
        record(shared, call, None);
        return std::future::pending().await;
    }
    if last == Some(Fault::LoseReply) {
        record(shared, call, None);
        return Err(Hangup);
    }
    record(shared, call, Some(&reply));
    if let Some(Fault::HoldReply { gate }) = &last {
        shared.pass_gate(gate).await;
    }
    Ok(match last {
        Some(Fault::SkewDate { seconds }) => respond(reply, now.saturating_add(seconds)),
        Some(Fault::Truncate) => truncated(reply, now),
        _ => with_headers(respond(reply, now), &headers),
    })
}

fn call_of(request: &SignedRequest<'_>, door: Door, operation: String, at: i64) -> Call {
    let presented = Presented::of(request).ok().flatten();
    let header = |name: http::HeaderName| {
        request.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    Call {
        access_key_id: presented.as_ref().map(|presented| presented.access_key_id.clone()),
        region: presented.map(|presented| presented.scope.region),
        host: header(http::header::HOST),
        user_agent: header(http::header::USER_AGENT),
        ..Call::new(0, door.service(), operation, at)
    }
}

fn record(shared: &Shared, mut call: Call, reply: Option<&Reply>) {
    if let Some(reply) = reply {
        call.status = reply.status;
        call.error.clone_from(&reply.error);
    }
    shared.lock().calls.finish(call);
    shared.notify_arrival();
}

/// What a fault answers instead of the work; no response means silence.
struct Instead {
    response: Option<Reply>,
    headers: Vec<(String, String)>,
}

fn instead(fault: &Fault, refuse: &dyn Fn(&AwsError) -> Reply) -> Option<Instead> {
    let only = |response| Some(Instead { response, headers: Vec::new() });
    let raw = |status, content_type: &str, body: Bytes| Reply {
        status,
        content_type: content_type.to_owned(),
        body,
        request_id: request_id(),
        error: None,
    };
    match fault {
        Fault::Throttle => only(Some(refuse(&AwsError::new(400, "Throttling", "Rate exceeded")))),
        Fault::Fail { status, code, message } => {
            only(Some(refuse(&AwsError::new(*status, code.clone(), message.as_str()))))
        }
        Fault::Stall | Fault::Close => only(None),
        Fault::Raw { status, content_type, body, headers } => Some(Instead {
            response: Some(raw(*status, content_type, Bytes::from(body.clone()))),
            headers: headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        }),
        Fault::Large { bytes } => {
            let mut body = b"<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>".to_vec();
            body.resize((*bytes).min(1 << 28), b'a');
            only(Some(raw(200, "text/xml", body.into())))
        }
        Fault::Redirect { status, location } => Some(Instead {
            response: Some(raw(*status, "text/html", Bytes::new())),
            headers: vec![("location".to_owned(), location.clone())],
        }),
        Fault::Delay { .. }
        | Fault::Hold { .. }
        | Fault::HoldReply { .. }
        | Fault::LoseReply
        | Fault::Truncate
        | Fault::SkewDate { .. } => None,
    }
}

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, Hangup>;

fn respond(reply: Reply, now: i64) -> Response<Body> {
    let mut response =
        Response::new(Full::new(reply.body).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() =
        http::StatusCode::from_u16(reply.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let is_json_error = reply.error.is_some() && reply.content_type == "application/json";
    let error_type = reply.error.filter(|_| is_json_error);
    let mut headers = vec![
        ("content-type".to_owned(), reply.content_type),
        ("x-amzn-requestid".to_owned(), reply.request_id),
        ("date".to_owned(), clock::http_date(now)),
    ];
    headers.extend(error_type.map(|code| ("x-amzn-errortype".to_owned(), code)));
    with_headers(response, &headers)
}

fn with_headers(mut response: Response<Body>, headers: &[(String, String)]) -> Response<Body> {
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes());
        // A test that asks for a header HTTP cannot hold gets none.
        if let (Ok(name), Ok(value)) = (name, http::HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Announces the whole length, sends half, and breaks off.
fn truncated(reply: Reply, now: i64) -> Response<Body> {
    let length = reply.body.len();
    let half = reply.body.slice(..length / 2);
    let mut response = respond(Reply { body: half, ..reply }, now);
    response.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
    response.map(|body| BrokenOff { body, flushed: false }.boxed_unsync())
}

/// A body that fails after its last byte.
struct BrokenOff {
    body: Body,
    flushed: bool,
}

impl hyper::body::Body for BrokenOff {
    type Data = Bytes;
    type Error = Hangup;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Hangup>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(None) if self.flushed => Poll::Ready(Some(Err(Hangup))),
            // What was given is written out while there is nothing more to take.
            Poll::Ready(None) => {
                self.flushed = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            other => other,
        }
    }
}

/// A random UUID.
pub(crate) fn request_id() -> String {
    let mut bytes: [u8; 16] = doors::random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}
