//! Answers of any status and bytes: read as STS's, good or bad, without a panic.
#![no_main]

use std::sync::Arc;

use async_trait::async_trait;
use libfuzzer_sys::fuzz_target;
use rolecall_core::http::{HttpClient, HttpError, Request, Response};
use rolecall_core::{Context, Credentials};
use rolecall_sts::{AssumeRole, QueryEndpoint, StsClient};

#[derive(Debug)]
struct Answering(u16, Vec<u8>);

#[async_trait]
impl HttpClient for Answering {
    async fn send(&self, _: Request) -> Result<Response, HttpError> {
        let mut answer = Response::new(self.1.clone().into());
        *answer.status_mut() = self.0.try_into().unwrap_or_default();
        Ok(answer)
    }
}

fuzz_target!(|answer: (u16, &[u8])| {
    let http = Arc::new(Answering(answer.0 % 1000, answer.1.to_vec()));
    let context = Context { http, ..Context::fake() };
    let endpoint = QueryEndpoint {
        url: "https://sts.example".to_owned(),
        signing_region: "eu-west-1".to_owned(),
        signing_name: "sts".to_owned(),
    };
    let credentials = Arc::new(Credentials::new("AKID", "secret", "fuzz"));
    let sts = StsClient::new(context, endpoint, Some(credentials));
    let input = AssumeRole {
        role_arn: "arn:aws:iam::123456789012:role/R".to_owned(),
        role_session_name: "fuzz".to_owned(),
        ..AssumeRole::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _ = runtime.block_on(sts.assume_role(&input));
    let _ = runtime.block_on(sts.get_caller_identity());
});
