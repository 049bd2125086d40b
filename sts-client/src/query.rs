//! Calls in AWS's Query protocol: a form goes out, XML comes back. STS and IAM speak it.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Uri};
use rolecall_core::endpoint::Endpoint;
use rolecall_core::http::{Exchange, Request, Response, RetryPolicy, Verdict, request_id, send};
use rolecall_core::{Context, CredentialsError, ErrorKind, Result, Secret, SharedProvider};
use serde::de::DeserializeOwned;

use crate::error::{self, FailedCall};
use crate::form::Params;
use crate::sign::{SigningScope, sign};
use crate::xml::{self, Shape};

const FORM: HeaderValue =
    HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");

/// A service that speaks the Query protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryApi {
    /// Its name in messages: `STS`.
    pub name: &'static str,
    /// The version of its interface: a date.
    pub version: &'static str,
    /// The namespace of its answers.
    pub namespace: &'static str,
}

/// AWS Security Token Service.
pub const STS: QueryApi = QueryApi {
    name: "STS",
    version: "2011-06-15",
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
};

/// AWS Identity and Access Management.
pub const IAM: QueryApi = QueryApi {
    name: "IAM",
    version: "2010-05-08",
    namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
};

/// Where a service is, and what its signatures must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryEndpoint {
    /// `https://sts.eu-west-1.amazonaws.com`; a path is kept.
    pub url: String,
    /// `eu-west-1`.
    pub signing_region: String,
    /// `sts`.
    pub signing_name: String,
}

impl QueryEndpoint {
    /// The URL in the form in which it is sent, so that host and signature fit.
    fn uri(&self) -> Result<Uri, &'static str> {
        check_url(&self.url)?.as_str().parse().map_err(|_| "is not a URL")
    }
}

/// Reads the URL of an endpoint, which may have a path.
pub(crate) fn check_url(text: &str) -> Result<url::Url, &'static str> {
    let url = url::Url::parse(text).map_err(|_| "is not a URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must start with https:// or http://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not hold a query or fragment");
    }
    Ok(url)
}

/// The error of a service whose endpoint's URL [`check_url`] refuses.
pub(crate) fn bad_url(service: &'static str, flaw: &str) -> CredentialsError {
    let message = format!("the endpoint URL {flaw}");
    CredentialsError::new(ErrorKind::InvalidConfiguration, service, message)
        .with_help("check --endpoint-url, the variables AWS_ENDPOINT_URL… and endpoint_url")
}

impl From<Endpoint> for QueryEndpoint {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            url: endpoint.url,
            signing_region: endpoint.signing_region,
            signing_name: endpoint.signing_name.to_owned(),
        }
    }
}

/// A client of one service at one endpoint.
///
/// Each attempt of a call asks the provider for its credentials, so a retry after a refresh is
/// signed with the new ones.
#[derive(Clone, Debug)]
pub struct QueryClient {
    /// The doors to the outside.
    pub context: Context,
    /// The service.
    pub api: QueryApi,
    /// Where it is.
    pub endpoint: QueryEndpoint,
    /// Who signs; `None` sends calls unsigned.
    pub credentials: Option<SharedProvider>,
    /// How often a call is tried.
    pub retry: RetryPolicy,
}

/// Makes a call's parameters anew for each attempt.
pub(crate) type MakeParams<'a> = dyn Fn() -> Result<Params> + Send + Sync + 'a;

impl QueryClient {
    /// Calls `action` and reads its `<{action}Result>` as `T`.
    ///
    /// # Errors
    /// Those of the credentials' provider and of [`send`]; `Malformed` if the answer is not what
    /// the service documents; else by the service's code (see [`crate::ServiceError`]).
    pub async fn call<T: DeserializeOwned>(&self, action: &str, params: Params) -> Result<T> {
        self.call_making(action, self.credentials.as_ref(), &|| Ok(params.clone())).await
    }

    /// [`Self::call`] for an action that must not be carried out twice, such as `CreateUser`: it is
    /// tried again only if it certainly was not carried out.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_once<T: DeserializeOwned>(&self, action: &str, params: Params) -> Result<T> {
        let make = || Ok(params.clone());
        let call = self.prepare(action, self.credentials.as_ref(), &make)?;
        let call = Call { once: true, ..call };
        let answer = call.answer().await?;
        call.understand(&answer, xml::read(answer.body(), call.shape(&call.names())))
    }

    /// Calls `action`, whose answer tells nothing but that it was done.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn command(&self, action: &str, params: Params) -> Result<()> {
        let make = || Ok(params.clone());
        let call = self.prepare(action, self.credentials.as_ref(), &make)?;
        let answer = call.answer().await?;
        call.understand(&answer, xml::find(answer.body(), call.shape(&call.names())).map(|_| ()))
    }

    /// [`Self::call`] with parameters made anew for each attempt, signed by `credentials`.
    pub(crate) async fn call_making<T: DeserializeOwned>(
        &self,
        action: &str,
        credentials: Option<&SharedProvider>,
        make: &MakeParams<'_>,
    ) -> Result<T> {
        let call = self.prepare(action, credentials, make)?;
        let answer = call.answer().await?;
        call.understand(&answer, xml::read(answer.body(), call.shape(&call.names())))
    }

    fn prepare<'a>(
        &'a self,
        action: &'a str,
        credentials: Option<&'a SharedProvider>,
        make: &'a MakeParams<'a>,
    ) -> Result<Call<'a>> {
        let uri = self.endpoint.uri().map_err(|flaw| bad_url(self.api.name, flaw))?;
        let sent = Mutex::default();
        Ok(Call { client: self, action, uri, credentials, make, once: false, sent })
    }
}

struct Call<'a> {
    client: &'a QueryClient,
    action: &'a str,
    uri: Uri,
    credentials: Option<&'a SharedProvider>,
    make: &'a MakeParams<'a>,
    /// Whether it must not be carried out twice.
    once: bool,
    sent: Mutex<Sent>,
}

/// What the last attempt held, to explain its failure.
#[derive(Default)]
struct Sent {
    secrets: Vec<Secret>,
    holds_code: bool,
    provider: Option<String>,
}

impl Call<'_> {
    /// The last answer, if it is a success.
    async fn answer(&self) -> Result<Response> {
        let answer = send(&self.client.context, self.client.retry, self).await?;
        tracing::debug!(
            call = self.name(),
            status = answer.status().as_u16(),
            request_id = request_id(&answer),
            "answered"
        );
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(self.failed(|failed| failed.explain(&self.client.api, &answer)))
    }

    fn understand<T>(&self, answer: &Response, read: Result<T, xml::Flaw>) -> Result<T> {
        read.map_err(|flaw| self.failed(|failed| failed.malformed(answer, &flaw)))
    }

    fn failed(&self, explain: impl FnOnce(FailedCall<'_>) -> CredentialsError) -> CredentialsError {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        explain(FailedCall {
            service: self.client.api.name,
            action: self.action,
            credentials: sent.provider.as_deref(),
            secrets: &sent.secrets,
        })
    }

    fn names(&self) -> (String, String) {
        (format!("{}Response", self.action), format!("{}Result", self.action))
    }

    fn shape<'n>(&self, (root, child): &'n (String, String)) -> Shape<'n> {
        Shape { root, namespace: self.client.api.namespace, namespace_optional: false, child }
    }
}

#[async_trait]
impl Exchange for Call<'_> {
    fn name(&self) -> String {
        format!("{} {}", self.client.api.name, self.action)
    }

    async fn request(&self) -> Result<Request> {
        let params = (self.make)()?;
        let holds_code = params.holds("TokenCode");
        let mut request = Request::new(params.encode(self.action, self.client.api.version));
        let mut secrets = params.into_secrets();
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(CONTENT_TYPE, FORM);
        let mut provider = None;
        if let Some(credentials) = self.credentials {
            let credentials = credentials.provide_credentials().await?;
            let scope = SigningScope {
                region: &self.client.endpoint.signing_region,
                service: &self.client.endpoint.signing_name,
                time: self.client.context.clock.now(),
            };
            request = sign(request, &credentials, &scope)?;
            provider = Some(credentials.provider().to_owned());
            secrets.extend(credentials.session_token().cloned());
        }
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner) =
            Sent { secrets, holds_code, provider };
        Ok(request)
    }

    fn is_repeatable(&self) -> bool {
        !self.once && !self.sent.lock().unwrap_or_else(PoisonError::into_inner).holds_code
    }

    fn judge(&self, answer: &Response) -> Verdict {
        if answer.status().is_success() {
            return Verdict::Final;
        }
        let status = answer.status().as_u16();
        // Behind a fault of the service the call may have been carried out.
        let may_repeat = !self.once || answer.status().is_client_error();
        match error::code(&self.client.api, answer) {
            _ if !may_repeat => Verdict::Final,
            Some(code) if error::is_retryable(&code) => Verdict::Transient(code),
            _ if error::is_retryable_status(status) => {
                Verdict::Transient(format!("HTTP status {status}"))
            }
            Some(code) if error::is_clock_skew(&code) => Verdict::ClockSkew,
            _ => Verdict::Final,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use rolecall_core::http::ScriptedHttp;
    use rolecall_core::{Clock, Credentials, ProvideCredentials};
    use serde::Deserialize;

    use super::*;
    use crate::testing::{self, TOKEN};

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Thing {
        name: String,
    }

    const RESULT: &str = "<Name>n</Name>";

    fn client(answers: Vec<Response>) -> (QueryClient, Arc<ScriptedHttp>) {
        let (sts, http) = testing::client(answers);
        (sts.query, http)
    }

    async fn call(client: &QueryClient) -> Result<Thing> {
        client.call("GetThing", Params::new()).await
    }

    fn success() -> Response {
        testing::success("GetThing", RESULT)
    }

    /// New keys at each call.
    #[derive(Debug, Default)]
    struct Rotating(AtomicU32);

    #[async_trait]
    impl ProvideCredentials for Rotating {
        async fn provide_credentials(&self) -> Result<Credentials> {
            let count = self.0.fetch_add(1, Ordering::SeqCst);
            Ok(Credentials::new(format!("AKID{count}"), "s", "rotating"))
        }
    }

    fn authorization(http: &ScriptedHttp) -> Vec<String> {
        let requests = http.take_requests();
        let header = |r: &Request| r.headers()["authorization"].to_str().unwrap().to_owned();
        requests.iter().map(header).collect()
    }

    #[tokio::test]
    async fn a_call_is_a_signed_form() {
        let (client, http) = client(vec![success()]);
        assert_eq!(call(&client).await.unwrap().name, "n");
        let requests = http.take_requests();
        let request = &requests[0];
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "https://sts.eu-west-1.amazonaws.com/");
        assert_eq!(
            request.headers()[CONTENT_TYPE],
            "application/x-www-form-urlencoded; charset=utf-8"
        );
        assert_eq!(request.headers()["x-amz-date"], "20260101T000000Z");
        assert_eq!(request.headers()["x-amz-security-token"], TOKEN);
        let authorization = request.headers()["authorization"].to_str().unwrap();
        assert!(
            authorization.starts_with(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/eu-west-1/sts/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature="
            ),
            "{authorization}"
        );
        assert_eq!(&**request.body(), b"Action=GetThing&Version=2011-06-15");
    }

    #[tokio::test]
    async fn without_credentials_nothing_is_signed() {
        let (mut client, http) = client(vec![success()]);
        client.credentials = None;
        call(&client).await.unwrap();
        let requests = http.take_requests();
        let names: Vec<_> = requests[0].headers().keys().map(http::HeaderName::as_str).collect();
        assert_eq!(names, ["content-type"]);
    }

    #[tokio::test]
    async fn throttling_and_server_faults_are_tried_again_with_fresh_credentials() {
        let (mut client, http) = client(vec![
            testing::refusal(400, "Throttling", "Rate exceeded"),
            ScriptedHttp::answer(503, "<html/>"),
            success(),
        ]);
        client.credentials = Some(Arc::new(Rotating::default()));
        call(&client).await.unwrap();
        let signed = authorization(&http);
        assert_eq!(signed.len(), 3);
        for (index, header) in signed.iter().enumerate() {
            assert!(header.contains(&format!("Credential=AKID{index}/")), "{header}");
        }
        assert_eq!(client.context.clock.sleeps().len(), 2);
    }

    #[tokio::test]
    async fn throttling_that_does_not_pass_is_unavailable() {
        let refusal = || testing::refusal(400, "Throttling", "Rate exceeded");
        let (client, http) = client(vec![refusal(), refusal(), refusal(), success()]);
        let error = call(&client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(http.take_bodies().len(), 3);
    }

    #[tokio::test]
    async fn a_no_is_not_asked_again() {
        for (status, code) in
            [(403, "AccessDenied"), (403, "ExpiredToken"), (400, "ValidationError")]
        {
            let (client, http) = client(vec![testing::refusal(status, code, "no"), success()]);
            call(&client).await.unwrap_err();
            assert_eq!(http.take_bodies().len(), 1, "{code}");
        }
    }

    #[tokio::test]
    async fn a_wrong_clock_is_corrected_and_the_call_signed_anew() {
        for code in ["SignatureDoesNotMatch", "RequestTimeTooSkewed", "RequestExpired"] {
            let mut refusal = testing::refusal(403, code, "Signature expired");
            let theirs = Clock::fake_now() + Duration::from_secs(3600);
            let date = httpdate::fmt_http_date(theirs).parse().unwrap();
            refusal.headers_mut().insert(http::header::DATE, date);
            let (client, http) = client(vec![refusal, success()]);
            call(&client).await.unwrap();
            let requests = http.take_requests();
            assert_eq!(requests[1].headers()["x-amz-date"], "20260101T010000Z", "{code}");
        }
    }

    #[tokio::test]
    async fn an_ended_token_names_its_source() {
        let (client, _) = client(vec![testing::refusal(403, "ExpiredToken", "expired")]);
        let error = call(&client).await.unwrap_err();
        assert!(error.help().unwrap().contains("test keys"), "{error}");
    }

    #[tokio::test]
    async fn a_quoted_canonical_request_does_not_show_the_session_token() {
        let message = format!("should have been 'POST\n/\n\nx-amz-security-token:{TOKEN}\n'");
        let (client, _) = client(vec![testing::refusal(403, "SignatureDoesNotMatch", &message)]);
        let error = call(&client).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("[redacted]") && !shown.contains(TOKEN), "{shown}");
    }

    #[tokio::test]
    async fn an_answer_of_somebody_else_is_malformed() {
        let other = testing::success("GetThing", RESULT).map(|body| {
            let text = String::from_utf8(body.to_vec()).unwrap();
            text.replace("sts.amazonaws.com", "iam.amazonaws.com").into_bytes().into()
        });
        for answer in [
            ScriptedHttp::answer(200, ""),
            ScriptedHttp::answer(200, "<html>hunter2</html>"),
            ScriptedHttp::answer(200, "{\"hunter2\":1}"),
            testing::success("GetOther", RESULT),
            testing::success("GetThing", "<Other>hunter2</Other>"),
            other,
        ] {
            let (client, http) = client(vec![answer]);
            let error = call(&client).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
            assert!(error.message().starts_with("HTTP 200, no content type, "), "{error}");
            assert!(error.help().unwrap().contains("proxy"), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"));
            assert_eq!(http.take_bodies().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_command_needs_no_result_but_the_right_answer() {
        let done = "<TagThingResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                    <ResponseMetadata/></TagThingResponse>";
        let (client, _) =
            client(vec![ScriptedHttp::answer(200, done), ScriptedHttp::answer(200, done)]);
        client.command("TagThing", Params::new()).await.unwrap();
        let error = client.command("OtherThing", Params::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }

    #[tokio::test]
    async fn endpoint_urls_are_checked_and_brought_into_the_form_that_is_sent() {
        for (url, sent) in [
            ("HTTPS://STS.Example:443", "https://sts.example/"),
            ("http://127.0.0.1:4566/aws", "http://127.0.0.1:4566/aws"),
        ] {
            let (mut client, http) = client(vec![success()]);
            client.endpoint.url = url.to_owned();
            call(&client).await.unwrap();
            assert_eq!(http.take_requests()[0].uri().to_string(), sent);
        }
        for url in [
            "",
            "sts",
            "ftp://sts",
            "https://me:hunter2@sts",
            "https://sts/?hunter2",
            "https://sts/#x",
        ] {
            let (mut client, http) = client(vec![]);
            client.endpoint.url = url.to_owned();
            let error = call(&client).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{url}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error}");
            assert!(http.take_bodies().is_empty());
        }
    }

    #[test]
    fn an_endpoint_of_core_fits() {
        let endpoint = Endpoint {
            url: "https://sts.eu-west-1.amazonaws.com".to_owned(),
            signing_region: "eu-west-1".to_owned(),
            signing_name: "sts",
        };
        assert_eq!(QueryEndpoint::from(endpoint), testing::endpoint());
    }
}
