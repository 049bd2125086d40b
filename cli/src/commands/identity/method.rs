use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use rolecall::block_on;
use rolecall::identity::{Auth, AuthMethod, MethodEdit, StoredMethod, TokenFormat, method_to_json};
use rolecall::leases::{format_duration, parse_duration};
use serde_json::json;

use super::bounds::BoundsArgs;
use super::token::formats;
use super::verify::table;
use crate::args::Global;
use crate::commands::store::{self, StoreArgs};
use crate::output::{Failure, print, print_json, print_table, warn};

/// More than anybody has.
const MOST: u32 = 10_000;

#[derive(Args)]
#[command(subcommand_required = true)]
pub(crate) struct MethodCommand {
    #[command(flatten)]
    store: StoreArgs,
    #[command(subcommand)]
    operation: Operation,
}

#[derive(Subcommand)]
enum Operation {
    /// Add an auth method
    #[command(subcommand)]
    Create(NewKind),
    /// Change an auth method, also for the sessions there are; an empty text clears a part
    #[command(subcommand)]
    Update(Kind),
    /// List the auth methods
    List,
    /// Show an auth method
    Show(Named),
    /// Take an auth method out of use, and with it its sessions
    Delete(Named),
}

#[derive(Subcommand)]
enum NewKind {
    /// For IAM identities
    AwsIam(Box<CreateArgs>),
}

#[derive(Subcommand)]
enum Kind {
    /// For IAM identities
    AwsIam(Box<UpdateArgs>),
}

#[derive(Args)]
struct CreateArgs {
    /// Its name: A-Z a-z 0-9 . _ - and slashes
    #[arg(long)]
    name: String,
    #[command(flatten)]
    method: MethodArgs,
}

#[derive(Args)]
struct UpdateArgs {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    method: MethodArgs,
}

#[derive(Args)]
struct Named {
    /// Its name, or its access id
    #[arg(long)]
    name: String,
}

#[derive(Args)]
struct MethodArgs {
    /// For people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    bounds: BoundsArgs,
    /// A dialect that is taken; several with commas, or given more than once (akeyless
    /// in a new method)
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', value_parser = formats())]
    format: Option<Vec<TokenFormat>>,
    /// This server's name, which tokens of Vault must be bound to
    #[arg(long, value_name = "NAME")]
    server_id: Option<String>,
    /// The cluster that tokens of EKS must be for
    #[arg(long, value_name = "NAME")]
    cluster_name: Option<String>,
    /// This server's name, which rolecall's own tokens must be for
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// How long a session lasts: 90s, 15m, 1h, 7d (1h in a new method)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    jwt_ttl: Option<Duration>,
    /// From when on nobody comes in, in seconds since 1970; 0 is never
    #[arg(long, value_name = "TIME")]
    access_expires: Option<u64>,
    /// Whether it is protected from deletion
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    delete_protection: Option<bool>,
}

impl MethodArgs {
    fn edit(&self) -> MethodEdit {
        MethodEdit {
            description: self.description.clone(),
            bounds: self.bounds.edit(),
            formats: self.format.clone(),
            server_id: self.server_id.clone(),
            cluster: self.cluster_name.clone(),
            audience: self.audience.clone(),
            jwt_ttl: self.jwt_ttl,
            access_expires: self.access_expires,
            delete_protection: self.delete_protection,
        }
    }
}

pub(super) fn run(global: &Global, command: &MethodCommand) -> Result<ExitCode, Failure> {
    block_on(async {
        let auth = store::open(global, &command.store, None).await?.auth()?;
        match &command.operation {
            Operation::Create(NewKind::AwsIam(args)) => create(global, &auth, args).await,
            Operation::Update(Kind::AwsIam(args)) => update(global, &auth, args).await,
            Operation::List => list(global, &auth.methods(None, MOST).await?),
            Operation::Show(Named { name }) => show(global, &auth.method(name).await?),
            Operation::Delete(Named { name }) => {
                let method = auth.method(name).await?.method;
                auth.delete(&method.name).await?;
                done(global, &method, "deleted")
            }
        }
    })?
}

async fn create(global: &Global, auth: &Auth, args: &CreateArgs) -> Result<ExitCode, Failure> {
    let mut method = AuthMethod::new(auth.context(), &args.name);
    args.method.edit().apply(&mut method)?;
    auth.create(&method).await?;
    warn_of(auth, &method)?;
    done(global, &method, "created")
}

async fn update(global: &Global, auth: &Auth, args: &UpdateArgs) -> Result<ExitCode, Failure> {
    let StoredMethod { mut method, version, .. } = auth.method(&args.named.name).await?;
    args.method.edit().apply(&mut method)?;
    auth.update(&method, version).await?;
    warn_of(auth, &method)?;
    done(global, &method, "updated")
}

fn warn_of(auth: &Auth, method: &AuthMethod) -> Result<(), Failure> {
    if let Err(ended) = method.check_time(auth.context().clock.now()) {
        warn(&format!("warning: {}: nobody can log in by it", ended.message()));
    }
    for lint in method.policy()?.lints() {
        warn(&format!("warning: {}", lint.message));
    }
    Ok(())
}

fn done(global: &Global, method: &AuthMethod, what: &str) -> Result<ExitCode, Failure> {
    let (name, id) = (&method.name, &method.access_id);
    if global.json {
        return print_json(&json!({ "name": name, "access_id": id, "done": what }));
    }
    print(&format!("Auth method {name} {what}.\nAccess ID: {id}\n"))
}

fn list(global: &Global, all: &[StoredMethod]) -> Result<ExitCode, Failure> {
    if global.json {
        let all: Vec<_> = all.iter().map(method_to_json).collect();
        return print_json(&json!({ "auth_methods": all }));
    }
    let rows = all.iter().map(|StoredMethod { method, version, .. }| {
        let formats: Vec<_> = method.formats.iter().map(|format| format.name()).collect();
        vec![
            method.name.clone(),
            method.access_id.clone(),
            method.bounds.account_ids.join(", "),
            formats.join(", "),
            format_duration(method.jwt_ttl),
            version.to_string(),
        ]
    });
    let headings = ["NAME", "ACCESS ID", "ACCOUNTS", "FORMATS", "SESSION", "VERSION"];
    print_table(&headings, &rows.collect::<Vec<_>>())
}

fn show(global: &Global, stored: &StoredMethod) -> Result<ExitCode, Failure> {
    let json = method_to_json(stored);
    if global.json {
        return print_json(&json);
    }
    let mut shown = json;
    // The bounds are lists of their own: those that are set, each on its line.
    if let Some(bounds) = shown["bounds"].take().as_object() {
        for (key, value) in bounds.iter().filter(|(_, value)| !value.is_null()) {
            if value.as_array().is_none_or(|list| !list.is_empty()) {
                shown[key] = value.clone();
            }
        }
    }
    print(&table(&shown))
}
