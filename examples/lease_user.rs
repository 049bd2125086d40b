//! An IAM user for an hour, made with the credentials of a profile and taken back at the end:
//! `cargo run --features leases --example lease_user -- ADMIN_PROFILE`. `ROLECALL_STORE` says where
//! leases are kept.

use std::process::ExitCode;
use std::time::Duration;

use rolecall::Result;
use rolecall::leases::{
    self, Connection, DynamicSecret, IamUser, Identity, LeaseRequest, Leases, OpenOptions,
    SecretKind,
};

const NAME: &str = "example/reader";

fn main() -> ExitCode {
    let Some(profile) = std::env::args().nth(1) else {
        eprintln!("usage: lease_user ADMIN_PROFILE");
        return ExitCode::from(2);
    };
    match rolecall::block_on(run(profile)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) | Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.kind().exit_code())
        }
    }
}

async fn run(profile: String) -> Result<()> {
    let leases = leases::open(OpenOptions::default()).await?;
    define(&leases, profile).await?;
    let request = LeaseRequest {
        secret: NAME.to_owned(),
        ttl: Some(Duration::from_secs(3600)),
        identity: Identity { name: "example".to_owned(), ..Identity::default() },
        wait: true,
        ..LeaseRequest::default()
    };
    let issued = leases.create(&request).await?;
    println!("{} works", issued.credentials.access_key_id());
    // Here is where it is used.
    let lease = leases.revoke(issued.lease.id).await?;
    println!("lease {} is {}", lease.id, lease.state.name());
    Ok(())
}

/// The definition, unless it is there from last time.
async fn define(leases: &Leases, profile: String) -> Result<()> {
    if leases::definitions(leases).await?.iter().any(|stored| stored.secret.name == NAME) {
        return Ok(());
    }
    let secret = DynamicSecret {
        name: NAME.to_owned(),
        description: "what the example leases".to_owned(),
        connection: Connection::Profile(profile),
        kind: SecretKind::IamUser(IamUser {
            groups: vec!["Developers".to_owned()],
            ..IamUser::default()
        }),
        region: None,
        access: Vec::new(),
        default_ttl: Duration::from_secs(3600),
        max_ttl: Duration::from_secs(86_400),
    };
    leases.define(&secret).await
}
