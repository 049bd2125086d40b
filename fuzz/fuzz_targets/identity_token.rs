//! Identity tokens, key sets and bounds of any text, without a panic; in each dialect's wrapping.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;
use rolecall_sts::identity::{Bounds, Jwks, inspect};

fuzz_target!(|text: &str| {
    let headers = STANDARD.encode(text);
    let url = STANDARD.encode("https://sts.amazonaws.com/");
    let body = STANDARD.encode("Action=GetCallerIdentity&Version=2011-06-15");
    let parts = format!(
        "{{\"sts_request_method\":\"POST\",\"sts_request_url\":\"{url}\",\
         \"sts_request_body\":\"{body}\",\"sts_request_headers\":\"{headers}\"}}"
    );
    for token in [
        text.to_owned(),
        STANDARD.encode(text),
        STANDARD.encode(parts),
        format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(text)),
        format!(
            "k8s-aws-v1.{}",
            URL_SAFE_NO_PAD.encode(format!("https://sts.amazonaws.com/?{text}"))
        ),
        format!("rolecall-v1.{}", URL_SAFE_NO_PAD.encode(text)),
    ] {
        if let Ok(inside) = inspect(&token) {
            assert!(inside.signed_headers.contains(&"host".to_owned()));
            let _ = inside.to_json().to_string();
        }
    }
    let _ = Jwks::parse(text);
    let arns = vec![text.to_owned(), format!("arn:aws:iam::123456789012:user/{text}")];
    let _ = Bounds { arns, ..Bounds::default() }.lint();
});
