use std::time::Duration;

use async_trait::async_trait;
use http::header::{AUTHORIZATION, CONTENT_TYPE as TYPE};
use http::{HeaderName, HeaderValue, Method};
use rolecall_core::endpoint::Endpoint;
use rolecall_core::http::{
    Exchange, Request, Response, RetryPolicy, TimeLimit, Verdict, request_id, send,
};
use rolecall_core::{
    Context, Credentials, CredentialsError, ErrorKind, Result, Secret, printable, timestamp,
};
use serde::Deserialize;
use url::{Position, Url};
use zeroize::Zeroizing;

use crate::canonical::{CONTENT_TYPE, PATH, SessionCall};
use crate::error::{self, Asked, CALL};
use crate::{Identity, RolesAnywhere};

const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_X509: HeaderName = HeaderName::from_static("x-amz-x509");
const X_AMZ_X509_CHAIN: HeaderName = HeaderName::from_static("x-amz-x509-chain");

/// How long one attempt may take. The answer comes in less than a second, and somebody waits.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// What CreateSession gives.
#[derive(Clone, Debug)]
pub struct Session {
    /// The credentials.
    pub credentials: Credentials,
    /// The role that the service says they are of.
    pub role_arn: Option<String>,
    /// Who they are to AWS.
    pub assumed_role_user: Option<AssumedRoleUser>,
    /// How much of the room for session policies and tags is used, in percent.
    pub packed_policy_size: Option<u32>,
    /// The source identity that the service set from the certificate.
    pub source_identity: Option<String>,
    /// What the service keeps about the certificate's subject.
    pub subject_arn: Option<String>,
}

/// A session of a role, as AWS names it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssumedRoleUser {
    /// `arn:aws:sts::123456789012:assumed-role/NAME/SESSION`.
    pub arn: String,
    /// `AROA…:SESSION`.
    pub assumed_role_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    credential_set: Vec<Entry>,
    subject_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    assumed_role_user: Option<AssumedRoleUser>,
    credentials: Keys,
    packed_policy_size: Option<u32>,
    role_arn: Option<String>,
    source_identity: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    access_key_id: String,
    expiration: String,
    secret_access_key: Secret,
    session_token: Secret,
}

/// CreateSession: asks `endpoint` for a session. Checks nothing beforehand: [`RolesAnywhere::check`]
/// and [`Identity::check`] do.
///
/// # Errors
/// The signer's; `Denied`, `InvalidConfiguration` or `Unavailable` by what the service says, with
/// its [`crate::ServiceError`] underneath; `Malformed` if the answer is not its; those of
/// [`rolecall_core::http::send`].
pub async fn create_session(
    context: &Context,
    retry: RetryPolicy,
    endpoint: &Endpoint,
    identity: &Identity,
    request: &RolesAnywhere,
) -> Result<Session> {
    let call = Call::new(context, endpoint, identity, request)?;
    let answer = send(context, retry, &call).await?;
    tracing::debug!(
        call = CALL,
        status = answer.status().as_u16(),
        request_id = request_id(&answer),
        "answered"
    );
    if !answer.status().is_success() {
        let oddity = request.oddity();
        let asked = Asked {
            role_arn: &request.role_arn,
            profile_arn: &request.profile_arn,
            trust_anchor_arn: &request.trust_anchor_arn,
            region: &endpoint.signing_region,
            issuer: identity.leaf().issuer(),
            sends_chain: identity.chain_header().is_some(),
            oddity: oddity.as_deref(),
        };
        return Err(error::explain(&answer, asked));
    }
    session(&answer, identity, request)
}

struct Call<'a> {
    context: &'a Context,
    identity: &'a Identity,
    region: &'a str,
    uri: http::Uri,
    host: String,
    query: String,
    body: Vec<u8>,
}

impl<'a> Call<'a> {
    fn new(
        context: &'a Context,
        endpoint: &'a Endpoint,
        identity: &'a Identity,
        request: &RolesAnywhere,
    ) -> Result<Self> {
        let bad = || {
            // The text may hold a password.
            let message = "the endpoint's URL is no URL that begins with http:// or https://";
            CredentialsError::new(ErrorKind::InvalidConfiguration, CALL, message)
                .with_help("write it as in https://host:port")
        };
        let url = Url::parse(&endpoint.url).map_err(|_| bad())?;
        if !matches!(url.scheme(), "http" | "https")
            || !url.has_host()
            || (url.username(), url.password()) != ("", None)
        {
            return Err(bad());
        }
        let query = request.query();
        // The path is always the same, whatever path an own endpoint has.
        let text = format!("{}{PATH}?{query}", &url[..Position::BeforePath]);
        Ok(Self {
            context,
            identity,
            region: &endpoint.signing_region,
            uri: text.parse().map_err(|_| bad())?,
            host: url[Position::BeforeHost..Position::AfterPort].to_owned(),
            query,
            body: request.body()?,
        })
    }
}

#[async_trait]
impl Exchange for Call<'_> {
    fn name(&self) -> String {
        CALL.to_owned()
    }

    async fn request(&self) -> Result<Request> {
        let call = SessionCall {
            host: &self.host,
            region: self.region,
            query: &self.query,
            body: &self.body,
            time: self.context.clock.now(),
        };
        let authorization = call.authorization(self.identity).await?;
        let mut request = Request::new(Zeroizing::new(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(X_AMZ_DATE, header(&call.date())?);
        headers.insert(X_AMZ_X509, header(self.identity.certificate_header())?);
        if let Some(chain) = self.identity.chain_header() {
            headers.insert(X_AMZ_X509_CHAIN, header(chain)?);
        }
        let mut authorization = header(&authorization)?;
        authorization.set_sensitive(true);
        headers.insert(AUTHORIZATION, authorization);
        request.extensions_mut().insert(TimeLimit(CALL_LIMIT));
        Ok(request)
    }

    fn judge(&self, answer: &Response) -> Verdict {
        error::judge(answer)
    }
}

fn header(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|flaw| {
        CredentialsError::new(ErrorKind::Internal, CALL, "a header cannot be written")
            .with_source(flaw)
    })
}

fn session(answer: &Response, identity: &Identity, request: &RolesAnywhere) -> Result<Session> {
    let parsed: Answer = serde_json::from_slice(answer.body()).map_err(|flaw| {
        // serde_json's text may quote the answer; its position does not.
        let place = format!("it breaks off at line {}, column {}", flaw.line(), flaw.column());
        error::malformed(answer, &place)
    })?;
    let entry = parsed.credential_set.into_iter().next();
    let entry = entry.ok_or_else(|| error::malformed(answer, "its credentialSet is empty"))?;
    let keys = entry.credentials;
    for (name, text) in [
        ("accessKeyId", keys.access_key_id.as_str()),
        ("secretAccessKey", keys.secret_access_key.expose()),
        ("sessionToken", keys.session_token.expose()),
    ] {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let flaw = format!("its {name} is empty or not visible ASCII");
            return Err(error::malformed(answer, &flaw));
        }
    }
    let end = timestamp::parse(&keys.expiration)
        .ok_or_else(|| error::malformed(answer, "its expiration is no time"))?;
    if entry.role_arn.as_ref().is_some_and(|role| *role != request.role_arn) {
        return Err(error::malformed(answer, "it is for another role"));
    }
    let user = entry.assumed_role_user;
    let account = user.as_ref().and_then(|user| account_of(&user.arn));
    let account = account.or_else(|| request.account_id()).map(str::to_owned);
    let serial = identity.leaf().serial();
    let provider =
        format!("Roles Anywhere role {} (serial {serial})", printable(&request.role_arn, 200));
    let credentials = Credentials::new(keys.access_key_id, keys.secret_access_key, provider)
        .with_session_token(Some(keys.session_token))
        .with_expires_at(Some(end))
        .with_account_id(account);
    Ok(Session {
        credentials,
        role_arn: entry.role_arn,
        assumed_role_user: user,
        packed_policy_size: entry.packed_policy_size,
        source_identity: entry.source_identity,
        subject_arn: parsed.subject_arn,
    })
}

fn account_of(arn: &str) -> Option<&str> {
    let account = arn.split(':').nth(4)?;
    (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())).then_some(account)
}

#[cfg(test)]
mod tests;
