//! What the tests of this crate share.

use std::sync::Arc;

use async_trait::async_trait;
use rolecall_core::http::{Response, ScriptedHttp};
use rolecall_core::{Context, Credentials, ProvideCredentials, Result, SharedProvider};

use crate::{QueryEndpoint, StsClient};

pub(crate) const SECRET: &str = "wJalrXUtnFEMI-secret";
pub(crate) const TOKEN: &str = "FQoGZXIvYXdzEPT-token";
/// The answer's secrets, in [`CREDENTIALS`].
pub(crate) const NEW_SECRET: &str = "new/secret+key";
pub(crate) const NEW_TOKEN: &str = "new-session-token==";
pub(crate) const CREDENTIALS: &str = "<Credentials><AccessKeyId>ASIANEWKEYEXAMPLE000</AccessKeyId>\
     <SecretAccessKey>new/secret+key</SecretAccessKey>\
     <SessionToken>new-session-token==</SessionToken>\
     <Expiration>2026-01-01T01:00:00Z</Expiration></Credentials>";
pub(crate) const USER: &str = "<AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:me</AssumedRoleId>\
     <Arn>arn:aws:sts::123456789012:assumed-role/R/me</Arn></AssumedRoleUser>";

pub(crate) fn credentials() -> Credentials {
    Credentials::new("AKIDEXAMPLE", SECRET, "test keys").with_session_token(Some(TOKEN.into()))
}

#[derive(Debug)]
pub(crate) struct Fixed(pub(crate) Result<Credentials>);

#[async_trait]
impl ProvideCredentials for Fixed {
    async fn provide_credentials(&self) -> Result<Credentials> {
        self.0.clone()
    }
}

pub(crate) fn source() -> SharedProvider {
    Arc::new(Fixed(Ok(credentials())))
}

pub(crate) fn endpoint() -> QueryEndpoint {
    QueryEndpoint {
        url: "https://sts.eu-west-1.amazonaws.com".to_owned(),
        signing_region: "eu-west-1".to_owned(),
        signing_name: "sts".to_owned(),
    }
}

/// A client with credentials, and what it will be answered.
pub(crate) fn client(
    answers: impl IntoIterator<Item = Response>,
) -> (StsClient, Arc<ScriptedHttp>) {
    let http = ScriptedHttp::new(answers);
    let context = Context { http: http.clone(), ..Context::fake() };
    (StsClient::new(context, endpoint(), Some(source())), http)
}

/// A success of STS.
pub(crate) fn success(action: &str, result: &str) -> Response {
    let body = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  \
         <{action}Result>\n    {result}\n  </{action}Result>\n  <ResponseMetadata>\n    \
         <RequestId>req-1</RequestId>\n  </ResponseMetadata>\n</{action}Response>\n"
    );
    ScriptedHttp::answer(200, &body)
}

/// A refusal of STS; `code` and `message` are XML.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Response {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    \
         <Type>Sender</Type>\n    <Code>{code}</Code>\n    <Message>{message}</Message>\n  \
         </Error>\n  <RequestId>req-1</RequestId>\n</ErrorResponse>\n"
    );
    ScriptedHttp::answer(status, &body)
}
