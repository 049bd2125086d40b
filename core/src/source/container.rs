#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, StatusCode};
use url::{Host, Url};

use super::endpoint_answer::EndpointAnswer;
use crate::http::{
    Direct, Exchange, HttpError, HttpFailure, Pinned, Request, Response, RetryPolicy, TimeLimit,
    Verdict, send,
};
use crate::{
    Context, Credentials, CredentialsError, Env, ErrorKind, ProvideCredentials, Result, Secret,
    timestamp,
};

const PROVIDER: &str = "container endpoint";
const ECS: &str = "http://169.254.170.2";
const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// The endpoints of ECS and of EKS Pod Identity.
const LINK_LOCAL: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];
const TOKEN_LIMIT: u64 = 64 * 1024;
/// Longer than IMDS gets: the agents behind these endpoints ask STS themselves.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Where a container's credentials are, as its environment says.
///
/// Source: AWS SDKs and Tools Reference Guide, "Container credential provider".
#[derive(Clone, PartialEq, Eq)]
pub struct ContainerEndpoint(Url);

impl ContainerEndpoint {
    /// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` (a path at ECS's own address), else
    /// `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    ///
    /// # Errors
    /// `NotConfigured` without either; `InvalidConfiguration` for one that makes no sense, or that
    /// would send credentials over a network in clear text.
    pub fn from_env(env: &Env) -> Result<Self> {
        if let Some(path) = env.get(RELATIVE_URI) {
            // Without the slash it would change the host.
            if !path.starts_with('/') {
                return Err(invalid(RELATIVE_URI, "does not begin with a slash"));
            }
            let url = Url::parse(&format!("{ECS}{path}"));
            return url.map(Self).map_err(|_| invalid(RELATIVE_URI, "is not a path"));
        }
        let Some(text) = env.get(FULL_URI) else {
            let message = format!("{RELATIVE_URI} and {FULL_URI} are not set");
            return Err(CredentialsError::new(ErrorKind::NotConfigured, PROVIDER, message)
                .with_help("ECS and EKS set one of them in containers with a role"));
        };
        let url = Url::parse(text.trim());
        let url = url.map_err(|_| invalid(FULL_URI, "is not a URL with a host"))?;
        if url.host().is_none() || !matches!(url.scheme(), "http" | "https") {
            return Err(invalid(FULL_URI, "is not a URL that begins with http:// or https://"));
        }
        if (url.username(), url.password()) != ("", None) {
            return Err(invalid(FULL_URI, "holds a user name, which no such endpoint takes"));
        }
        let endpoint = Self(url);
        match endpoint.address() {
            Some(address) if !endpoint.is_encrypted() && !is_allowed(address) => {
                Err(not_allowed(&address.to_string()))
            }
            _ => Ok(endpoint),
        }
    }

    /// The URL. Its query may hold a secret.
    pub fn url(&self) -> &str {
        self.0.as_str()
    }

    fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host, if it is an address.
    fn address(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }

    /// The addresses to connect to and no others; `None` where any will do.
    async fn pin(&self, context: &Context) -> Result<Option<Pinned>> {
        if self.is_encrypted() || self.address().is_some() {
            return Ok(None);
        }
        let name = self.0.host_str().unwrap_or_default();
        let port = self.0.port_or_known_default().unwrap_or(80);
        let found = context.clock.timeout(TIME_LIMIT, context.http.resolve(name, port)).await;
        let timed_out = || HttpError::new(HttpFailure::TimedOut, "no answer in time");
        let addresses = found.unwrap_or_else(|| Err(timed_out())).map_err(|error| {
            let message = format!("the host of {FULL_URI}, {name}, cannot be found: {error}");
            CredentialsError::new(ErrorKind::Unavailable, PROVIDER, message)
                .with_help("check the name, or write an address")
                .with_source(error)
        })?;
        match addresses.iter().find(|address| !is_allowed(**address)) {
            Some(address) => Err(not_allowed(&format!("{name} ({address})"))),
            None if addresses.is_empty() => Err(not_allowed(&format!("{name} (no address)"))),
            None => Ok(Some(Pinned(addresses))),
        }
    }
}

// The path or the query may be all that guards the credentials.
impl fmt::Debug for ContainerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContainerEndpoint({})", self.0.origin().ascii_serialization())
    }
}

/// Whether credentials may come from there in clear text: it never leaves the machine.
fn is_allowed(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || LINK_LOCAL.contains(&address)
}

fn not_allowed(host: &str) -> CredentialsError {
    let message = format!("{FULL_URI} asks {host} over http://, where others could listen");
    CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message).with_help(
        "use https://; http:// is only for this machine itself, 169.254.170.2 (ECS), and \
         169.254.170.23 or [fd00:ec2::23] (EKS)",
    )
}

fn invalid(variable: &str, what: &str) -> CredentialsError {
    let message = format!("{variable} {what}");
    CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
        .with_help("ECS and EKS set it: leave it as they do")
}

/// The credentials that ECS, EKS Pod Identity or `rolecall` itself serves a container.
///
/// The variables are read at each refresh, and so is the file of the token.
#[derive(Debug)]
pub struct ContainerProvider {
    context: Context,
    /// How often it is asked if it does not answer.
    pub retry: RetryPolicy,
}

impl ContainerProvider {
    /// Asks what the environment of `context` names. Asks nothing yet.
    pub fn new(context: Context) -> Self {
        Self { context, retry: RetryPolicy::default() }
    }

    /// The token to show, if one is configured; the file goes before the variable.
    fn token(&self) -> Result<Option<Secret>> {
        let env = &self.context.env;
        let (place, token) = if let Some(path) = env.get(TOKEN_FILE).map(PathBuf::from) {
            let fail = |what: &str| {
                let message = format!("{TOKEN_FILE} ({}) {what}", path.display());
                CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
            };
            let bytes = self.context.fs.read(&path, TOKEN_LIMIT);
            let mut bytes = bytes.map_err(|error| {
                fail(&format!("cannot be read: {error}"))
                    .with_help("EKS puts it there: is the volume mounted, and may this user read?")
                    .with_source(error)
            })?;
            let token = Secret::from_utf8(std::mem::take(&mut *bytes));
            let token = token.ok_or_else(|| fail("is not UTF-8"))?;
            if token.expose().is_empty() {
                return Err(fail("is empty"));
            }
            (TOKEN_FILE, token)
        } else {
            let Some(token) = env.get(TOKEN) else { return Ok(None) };
            (TOKEN, Secret::from(token))
        };
        // A line end in a header is the start of another header.
        if token.expose().contains(['\r', '\n']) {
            let message = format!("the token of {place} holds a line end");
            return Err(CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
                .with_help("write it without one: printf %s TOKEN, not echo TOKEN"));
        }
        Ok(Some(token))
    }

    fn read(&self, answer: &Response) -> Result<Credentials> {
        let fail = |kind, message: String| CredentialsError::new(kind, PROVIDER, message);
        let content = EndpointAnswer::read(answer.body());
        let status = answer.status();
        if status != StatusCode::OK {
            let said = content.ok().and_then(|content| {
                // The token it complains of may be part of the complaint.
                content.complaint(self.token().ok().flatten().as_ref())
            });
            let said = said.map(|said| format!(" ({said})")).unwrap_or_default();
            let message = format!("it answered {}{said}", status.as_u16());
            return Err(match status.as_u16() {
                429 | 500.. => fail(ErrorKind::Unavailable, message)
                    .with_help("try again, or look at the log of the container agent"),
                400.. => fail(ErrorKind::Denied, message).with_help(
                    "check the task's or pod's role and the authorization token it was given",
                ),
                _ => fail(ErrorKind::Malformed, message),
            });
        }
        let found = content.and_then(|content| content.credentials(PROVIDER));
        let found = found.map_err(|what| {
            fail(ErrorKind::Malformed, what).with_help("is it the endpoint that ECS or EKS named?")
        })?;
        match found.expires_at().filter(|end| *end <= self.context.clock.now()) {
            Some(end) => {
                let end = timestamp::format(end);
                Err(fail(ErrorKind::Denied, format!("it gave credentials that ended at {end}"))
                    .with_help("is this machine's clock right?"))
            }
            None => Ok(found),
        }
    }
}

#[async_trait]
impl ProvideCredentials for ContainerProvider {
    async fn provide_credentials(&self) -> Result<Credentials> {
        let endpoint = ContainerEndpoint::from_env(&self.context.env)?;
        let pinned = endpoint.pin(&self.context).await?;
        let call = Call { provider: self, endpoint, pinned };
        self.read(&send(&self.context, self.retry, &call).await?)
    }
}

struct Call<'a> {
    provider: &'a ContainerProvider,
    endpoint: ContainerEndpoint,
    pinned: Option<Pinned>,
}

#[async_trait]
impl Exchange for Call<'_> {
    fn name(&self) -> String {
        PROVIDER.to_owned()
    }

    async fn request(&self) -> Result<Request> {
        let unusable = |_| {
            let message = "the token holds a letter that no header may hold";
            CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
        };
        let mut request = http::Request::builder()
            .uri(self.endpoint.url())
            .header(ACCEPT, "application/json")
            .extension(Direct)
            .extension(TimeLimit(TIME_LIMIT));
        if let Some(pinned) = &self.pinned {
            request = request.extension(pinned.clone());
        }
        if let Some(token) = self.provider.token()? {
            let mut value = HeaderValue::from_str(token.expose()).map_err(unusable)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.body(Vec::new().into()).map_err(|_| invalid(FULL_URI, "cannot be asked"))
    }

    fn judge(&self, answer: &Response) -> Verdict {
        match answer.status().as_u16() {
            status @ (429 | 500..) => Verdict::Transient(format!("it answered {status}")),
            _ => Verdict::Final,
        }
    }
}
