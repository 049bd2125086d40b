use std::process::ExitCode;

use clap::Args;
use rolecall::identity::{self, LoginOptions};
use rolecall::{Context, SecretInput, block_on};
use serde::Serialize;
use serde_json::Value;

use super::verify::{read, table};
use crate::args::Global;
use crate::commands::store::{self, StoreArgs};
use crate::output::{Failure, print, print_json, warn};

#[derive(Args)]
pub(crate) struct ConfigureArgs {
    /// The auth method's access id
    #[arg(long, value_name = "ID")]
    access_id: String,
    /// aws_iam, the one there is
    #[arg(long, value_name = "TYPE", default_value = "aws_iam")]
    access_type: String,
}

#[derive(Args)]
pub(crate) struct AuthArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    key: KeyArgs,
    /// The auth method's access id or name; otherwise that of `identity configure`
    #[arg(long, value_name = "ID")]
    access_id: Option<String>,
}

#[derive(Args)]
pub(crate) struct SessionArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The session: - (standard input), file://PATH or env:NAME
    #[arg(default_value = "-")]
    session: SecretInput,
}

#[derive(Args)]
pub(crate) struct JwksArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Drop a key for ever, and with it all sessions that it has signed: for one that others may have
    #[arg(long, value_name = "KID")]
    remove: Option<String>,
}

#[derive(Args)]
pub(crate) struct KeyArgs {
    /// The key to keep the signing key under in the store, 64 hexadecimal digits: file://PATH, - or
    /// env:NAME; otherwise it lies in a file below ~/.aws/rolecall/keys
    #[arg(long, value_name = "SOURCE")]
    seal_key: Option<SecretInput>,
}

pub(super) fn configure(global: &Global, args: &ConfigureArgs) -> Result<ExitCode, Failure> {
    let profile = global.profile.clone();
    let (id, access_type) = (&args.access_id, &args.access_type);
    block_on(identity::save_access_id(Context::real(), profile, id, access_type))??;
    let named =
        global.profile.as_deref().map_or(String::new(), |name| format!(" --profile {name}"));
    warn(&format!("saved; try: rolecall identity auth{named}"));
    Ok(ExitCode::SUCCESS)
}

/// Written as it is: a value of serde_json would leave a copy of the session behind.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    claims: Value,
    token: &'a str,
}

pub(super) fn auth(global: &Global, args: &AuthArgs) -> Result<ExitCode, Failure> {
    let session = crate::commands::session(global)?;
    let options = LoginOptions { access_id: args.access_id.clone(), no_cache: global.no_cache };
    let begun = block_on(async {
        let leases = store::open(global, &args.store, args.key.seal_key.as_ref()).await?;
        let profile = global.profile.as_deref();
        Ok::<_, Failure>(identity::log_in(&*leases.auth()?, &session, profile, &options).await?)
    })??;
    if global.json {
        return print_json(&Printed {
            claims: begun.claims.to_json(),
            token: begun.token.expose(),
        });
    }
    print(begun.token.expose())?;
    print("\n")
}

pub(super) fn session(global: &Global, args: &SessionArgs) -> Result<ExitCode, Failure> {
    let token = read(&args.session)?;
    let claims = block_on(async {
        let leases = store::open(global, &args.store, None).await?;
        Ok::<_, Failure>(leases.auth()?.session(token.expose()).await?)
    })??;
    let json = claims.to_json();
    if global.json {
        return print_json(&json);
    }
    print(&table(&json))
}

pub(super) fn jwks(global: &Global, args: &JwksArgs) -> Result<ExitCode, Failure> {
    let keys = block_on(async {
        let auth = store::open(global, &args.store, None).await?.auth()?;
        if let Some(id) = &args.remove {
            auth.remove_key(id).await?;
            warn(&format!("signing key {id} is dropped, and with it the sessions that it signed"));
        }
        Ok::<_, Failure>(auth.jwks().await?)
    })??;
    print_json(&keys)
}
