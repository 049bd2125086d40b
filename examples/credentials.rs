//! Credentials of a profile: `cargo run --example credentials -- PROFILE`.

use std::process::ExitCode;

use rolecall::{Result, Session, SessionOptions};

fn main() -> ExitCode {
    match run(std::env::args().nth(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.kind().exit_code())
        }
    }
}

fn run(profile: Option<String>) -> Result<()> {
    let session = Session::new(SessionOptions { profile, ..SessionOptions::default() })?;
    // From memory from the second time on, and renewed before they end.
    let credentials = session.credentials_blocking()?;
    let account = credentials.account_id().unwrap_or("unknown");
    println!("{} of account {account}", credentials.access_key_id());
    Ok(())
}
