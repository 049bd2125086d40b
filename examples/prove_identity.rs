//! A workload proves who it is in AWS, without a secret of the server's, and the server checks it.
//! Here both are one program: `cargo run --example prove_identity -- ACCOUNT_ID [STS_URL]`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use rolecall::identity::{
    self, Binding, Bounds, Challenges, Dialect, Policy, TokenFormat, TokenOptions, TokenSource,
    VerifierOptions,
};
use rolecall::{Context, Result, Secret, Session, SessionOptions};

const AUDIENCE: &str = "door.example";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(account) = arguments.next() else {
        eprintln!("usage: prove_identity ACCOUNT_ID [STS_URL]");
        return ExitCode::from(2);
    };
    let url = arguments.next().unwrap_or_else(|| "https://sts.us-east-1.amazonaws.com".to_owned());
    match run(account, &url) {
        Ok(arn) => {
            println!("come in: {arn}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("stay out: {error}");
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// The server: lets in whoever is of `account`, and answers its challenge.
fn run(account: String, sts_url: &str) -> Result<String> {
    let bounds = Bounds {
        account_ids: vec![account],
        sts_url: Some(sts_url.to_owned()),
        ..Bounds::default()
    };
    let challenges = Arc::new(Challenges::random()?);
    let binding = Binding {
        audience: Some(AUDIENCE.to_owned()),
        challenges: Some(challenges.clone()),
        ..Binding::default()
    };
    let policy = Policy::new(&bounds, &[TokenFormat::Rolecall], binding)?;
    let verifier = identity::verifier(VerifierOptions::default());

    let now: SystemTime = Context::real().clock.now();
    let token = prove(challenges.issue(AUDIENCE, now)?, sts_url)?;
    let decision = identity::verify_blocking(&verifier, token.expose(), &policy)?;
    Ok(decision.accepted().map_err(Clone::clone)?.arn.clone())
}

/// The workload: a token for this server, which answers its challenge.
fn prove(challenge: String, sts_url: &str) -> Result<Secret> {
    let dialect = Dialect::Rolecall {
        audience: AUDIENCE.to_owned(),
        challenge: Some(challenge),
        lifetime: Dialect::LIFETIME,
    };
    let options = TokenOptions { dialect, region: None, sts_url: Some(sts_url.to_owned()) };
    let session = Session::new(SessionOptions::default())?;
    Ok(TokenSource::new(&session, options)?.token_blocking()?.text)
}
