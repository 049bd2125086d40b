//! Credentials for a certificate, by IAM Roles Anywhere:
//! `cargo run --features roles-anywhere --example roles_anywhere -- TRUST_ANCHOR_ARN PROFILE_ARN
//! ROLE_ARN CERTIFICATE.pem KEY.pem`.

use std::process::ExitCode;

use rolecall::rolesanywhere::{IdentitySource, RolesAnywhere};
use rolecall::{Result, RolesAnywhereOptions, Session, SessionOptions};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [trust_anchor_arn, profile_arn, role_arn, certificate, key] = arguments.as_slice() else {
        eprintln!("usage: roles_anywhere TRUST_ANCHOR PROFILE ROLE CERTIFICATE KEY");
        return ExitCode::from(2);
    };
    let request = RolesAnywhere {
        trust_anchor_arn: trust_anchor_arn.clone(),
        profile_arn: profile_arn.clone(),
        role_arn: role_arn.clone(),
        ..RolesAnywhere::default()
    };
    let identity = IdentitySource {
        certificate: Some(IdentitySource::locate(certificate)),
        private_key: Some(IdentitySource::locate(key)),
        ..IdentitySource::default()
    };
    match run(request, identity) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.kind().exit_code())
        }
    }
}

fn run(request: RolesAnywhere, identity: IdentitySource) -> Result<()> {
    let role = request.role_arn.clone();
    let certificate = RolesAnywhereOptions {
        request,
        identity: identity.into(),
        ..RolesAnywhereOptions::default()
    };
    let options = SessionOptions { roles_anywhere: Some(certificate), ..SessionOptions::default() };
    let credentials = Session::new(options)?.credentials_blocking()?;
    println!("{} of {role}", credentials.access_key_id());
    Ok(())
}
