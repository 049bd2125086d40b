//! How many tokens are made and checked in a second on one core:
//! `cargo run --release -p rolecall-sts --example identity_speed`.

#![expect(clippy::disallowed_methods, reason = "a benchmark stands outside the seams")]

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use rolecall_core::http::{HttpClient, HttpError, Request, Response, WebClient, WebSettings};
use rolecall_core::{Context, Credentials, Fs};
use rolecall_sts::QueryEndpoint;
use rolecall_sts::identity::{
    Binding, Bounds, Dialect, MemoryReplayGuard, Mode, Policy, Token, TokenFormat, TokenSigner,
    Verifier,
};

const ROUNDS: u32 = 200_000;
const ANSWER: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
    <GetCallerIdentityResult><Arn>arn:aws:sts::123456789012:assumed-role/Deploy/ci</Arn>\
    <UserId>AROAEXAMPLE:ci</UserId><Account>123456789012</Account></GetCallerIdentityResult>\
    </GetCallerIdentityResponse>";

#[derive(Debug)]
struct FakeSts;

#[async_trait]
impl HttpClient for FakeSts {
    async fn send(&self, _: Request) -> Result<Response, HttpError> {
        Ok(Response::new(ANSWER.as_bytes().to_vec().into()))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context { http: Arc::new(FakeSts), ..Context::fake() };
    let now = context.clock.now();
    let endpoint = QueryEndpoint {
        url: "https://sts.amazonaws.com".to_owned(),
        signing_region: "us-east-1".to_owned(),
        signing_name: "sts".to_owned(),
    };
    let credentials = Credentials::new("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG", "example")
        .with_session_token(Some("t".repeat(400).into()));
    let dialects = [
        Dialect::Akeyless,
        Dialect::Vault { role: None, server_id: Some("vault.example.com".to_owned()) },
        Dialect::Eks { cluster: "prod".to_owned() },
        Dialect::Rolecall {
            audience: "login.example.com".to_owned(),
            challenge: None,
            lifetime: Dialect::LIFETIME,
        },
    ];
    let binding = Binding {
        server_id: Some("vault.example.com".to_owned()),
        cluster: Some("prod".to_owned()),
        audience: Some("login.example.com".to_owned()),
        challenges: None,
    };
    let bounds = Bounds { account_ids: vec!["123456789012".to_owned()], ..Bounds::default() };
    let policy = Policy::new(&bounds, &TokenFormat::ALL, binding)?;
    let arns = (0..10_000).map(|n| format!("arn:aws:iam::123456789012:role/R{n}*")).collect();
    let many = Bounds { arns, ..bounds.clone() };
    let many = Policy::new(&many, &[TokenFormat::Akeyless], Binding::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let guard = Arc::new(MemoryReplayGuard::default());
    for dialect in dialects {
        let format = dialect.format();
        let signer = TokenSigner::new(dialect, &credentials, &endpoint)?;
        let token = signer.token(now)?;
        rate(&format!("{format}: made"), ROUNDS, || drop(black_box(signer.token(now))));
        let verifier = Verifier::new(context.clone(), Mode::Cached, guard.clone());
        let text = token.text.expose();
        let check = |text: &str, policy: &Policy, good: bool| {
            let decision = runtime.block_on(verifier.verify(text, policy));
            assert_eq!(decision.accepted().is_ok(), good, "{decision:?}");
        };
        rate(&format!("{format}: checked, cached"), ROUNDS, || check(text, &policy, true));
        let old = signer.token(now - std::time::Duration::from_secs(301))?;
        let old = old.text.expose();
        rate(&format!("{format}: refused, too old"), ROUNDS, || check(old, &policy, false));
        if format == TokenFormat::Akeyless {
            rate("akeyless: 10,000 wildcards", 2_000, || check(text, &many, false));
        }
    }
    against_loopback(&bounds)?;
    Ok(())
}

/// Each token is another, so that STS is asked each time: a server that says yes at once.
fn against_loopback(bounds: &Bounds) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || listener.incoming().for_each(|stream| answer(stream.ok())));
    let http = Arc::new(WebClient::new(WebSettings::default(), Fs::real()));
    let context = Context { http, ..Context::fake() };
    let now = context.clock.now();
    let endpoint = QueryEndpoint {
        url: url.clone(),
        signing_region: "us-east-1".to_owned(),
        signing_name: "sts".to_owned(),
    };
    let bounds = Bounds { sts_url: Some(url), ..bounds.clone() };
    let policy = Policy::new(&bounds, &[TokenFormat::Akeyless], Binding::default())?;
    let guard = Arc::new(MemoryReplayGuard::default());
    let verifier = Verifier::new(context, Mode::SingleUse, guard);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut took = Vec::new();
    for number in 0..5_000 {
        let credentials = Credentials::new("AKIDEXAMPLE", format!("secret-{number}"), "example");
        let token = Token::create(Dialect::Akeyless, &credentials, &endpoint, now)?;
        let start = Instant::now();
        let decision = runtime.block_on(verifier.verify(token.text.expose(), &policy));
        took.push(start.elapsed());
        assert!(decision.accepted().is_ok(), "{decision:?}");
    }
    took.sort_unstable();
    let at = |percent: usize| took[took.len() * percent / 100];
    println!("against STS on loopback: p50 {:.0?}, p99 {:.0?}", at(50), at(99));
    Ok(())
}

fn answer(stream: Option<TcpStream>) {
    let Some(mut stream) = stream else { return };
    let _ = stream.set_nodelay(true);
    let length = ANSWER.len();
    let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{ANSWER}");
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..read]);
        if seen.ends_with(b"Action=GetCallerIdentity&Version=2011-06-15") {
            seen.clear();
            if stream.write_all(text.as_bytes()).is_err() {
                return;
            }
        }
    }
}

fn rate(what: &str, rounds: u32, mut once: impl FnMut()) {
    let start = Instant::now();
    (0..rounds).for_each(|_| once());
    let took = start.elapsed();
    let each = took / rounds;
    println!("{what:32} {:>9.0}/s {each:>10.2?}", f64::from(rounds) / took.as_secs_f64());
}
