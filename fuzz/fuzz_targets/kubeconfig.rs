//! Kubeconfig files of any bytes, without a panic; what is changed once is not changed again.
#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use libfuzzer_sys::fuzz_target;
use rolecall::core::http::{HttpClient, HttpError, Request, Response};
use rolecall::core::{Env, Fs};
use rolecall::eks::{KubeconfigUpdate, UpdateKubeconfig};
use rolecall::{Context, SessionOptions, block_on};

const CLUSTER: &str = r#"{"cluster": {"status": "ACTIVE", "endpoint": "https://x.test",
    "arn": "arn:aws:eks:eu-west-1:111111111111:cluster/prod",
    "certificateAuthority": {"data": "Q0E="}}}"#;

#[derive(Debug)]
struct Eks;

#[async_trait]
impl HttpClient for Eks {
    async fn send(&self, _: Request) -> Result<Response, HttpError> {
        Ok(Response::new(CLUSTER.as_bytes().to_vec().into()))
    }
}

static MACHINE: LazyLock<(Context, KubeconfigUpdate)> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("rolecall-fuzz-{}", std::process::id()));
    let env = Env::from_pairs([
        ("HOME", "/"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "eu-west-1"),
    ]);
    let context = Context { env, fs: Fs::rooted(folder), http: Arc::new(Eks), ..Context::fake() };
    context.fs.create_folder(Path::new("/.kube")).unwrap();
    let wanted = UpdateKubeconfig { name: "prod".to_owned(), ..UpdateKubeconfig::default() };
    let options = SessionOptions { context: Some(context.clone()), ..SessionOptions::default() };
    (context, block_on(wanted.plan(options)).unwrap().unwrap())
});

fuzz_target!(|bytes: &[u8]| {
    let (context, update) = &*MACHINE;
    let path = update.path();
    context.fs.write(path, bytes).unwrap();
    if let Ok(text) = update.text() {
        context.fs.write(path, text.as_bytes()).unwrap();
        assert_eq!(*update.text().unwrap(), *text);
    }
});
