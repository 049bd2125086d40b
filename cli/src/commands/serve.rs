use std::io::{self, Write};
use std::process::ExitCode;

use rolecall::serve::{
    Announcement, ServeOptions, ServedProfile, Server, TokenFile, random_token, stop_signal,
};
use rolecall::{Context, RolesAnywhereOptions, Session, SessionOptions};

use crate::args::{Global, ServeArgs};
use crate::helper_flags::{certificate, refuse_beside};
use crate::output::{Failure, print};

pub(crate) fn run(global: &Global, args: &ServeArgs) -> Result<ExitCode, Failure> {
    if !args.certificate.are_given() {
        return run_with(global, args, profiles(global, args)?);
    }
    refuse_beside("--profile", !args.profile.is_empty());
    run_for(global, args, certificate(args.certificate.options(global))?)
}

/// Serves the credentials of a certificate.
pub(crate) fn run_for(
    global: &Global,
    args: &ServeArgs,
    certificate: RolesAnywhereOptions,
) -> Result<ExitCode, Failure> {
    let options = SessionOptions { roles_anywhere: Some(certificate), ..super::options(global) };
    run_with(global, args, vec![ServedProfile::new(&Session::new(options)?)])
}

fn run_with(
    global: &Global,
    args: &ServeArgs,
    profiles: Vec<ServedProfile>,
) -> Result<ExitCode, Failure> {
    let context = Context::real();
    let is_for_all = args.imds == args.ecs;
    let authorization = (args.ecs || is_for_all).then(random_token).transpose()?;
    let options = ServeOptions {
        port: args.port,
        ipv6: args.ipv6,
        hop_limit: args.hop_limit,
        imds: args.imds || is_for_all,
        authorization: authorization.clone(),
    };
    rolecall::block_on(async {
        let server = Server::bind(&context, profiles, &options)?;
        server.warm_up().await?;
        let write =
            |token| TokenFile::write(&context, args.token_file.as_deref(), server.port(), token);
        // Before there is something to remove at the end, or anybody can know what to stop.
        let stop = stop_signal()?;
        let token_file = authorization.as_ref().map(write).transpose()?;
        announce(global, &server.announcement(token_file.as_ref()))?;
        server.run(stop).await?;
        Ok(ExitCode::SUCCESS)
    })?
}

fn profiles(global: &Global, args: &ServeArgs) -> Result<Vec<ServedProfile>, Failure> {
    let served = |profile: Option<&String>| {
        let options = SessionOptions { profile: profile.cloned(), ..super::options(global) };
        Ok(ServedProfile::new(&Session::new(options)?))
    };
    if args.profile.is_empty() {
        return Ok(vec![served(None)?]);
    }
    args.profile.iter().map(|profile| served(Some(profile))).collect()
}

fn announce(global: &Global, announcement: &Announcement) -> Result<(), Failure> {
    if global.json {
        print(&format!("{}\n", announcement.to_json()))?;
    }
    // If standard error is closed there is nobody to tell.
    let _ = write!(io::stderr(), "{announcement}");
    Ok(())
}
