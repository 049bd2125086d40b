mod audit;
mod reap;
mod which;
mod worker;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind as UsageError;
use clap::{Args, Subcommand};
use rolecall::export::ExportFormat;
use rolecall::leases::{
    self, Issued, LeaseFilter, LeaseId, LeaseNews, LeaseRequest, LeaseState, Leases, parse_duration,
};
use rolecall::{
    Context, Credentials, CredentialsError, Secret, SecretInput, block_on, export, printable,
    timestamp,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::store::{self, StoreArgs};
use crate::args::{Global, export_format};
use crate::output::{Failure, Progress, print, print_json, print_table, warn, warn_of_exposed};
use crate::usage::refuse;

/// How many failures are told one by one.
const TOLD: usize = 20;

#[derive(Args)]
#[command(subcommand_required = true)]
pub(crate) struct LeaseCommand {
    #[command(flatten)]
    store: StoreArgs,
    #[command(subcommand)]
    operation: Operation,
}

impl LeaseCommand {
    /// Whether it is one that runs for long, where nobody looks.
    pub(crate) fn is_worker(&self) -> bool {
        matches!(self.operation, Operation::Worker(_))
    }
}

#[derive(Subcommand)]
// Flags are made up only for the operation that is called.
#[command(defer = true)]
enum Operation {
    /// Take a lease, and print its credentials
    Create(CreateArgs),
    /// List leases: those that are not over, in the order in which they were made
    List(ListArgs),
    /// Show a lease
    Show(ShowArgs),
    /// Move the end of a lease, up to its maximum
    Renew {
        /// The lease
        id: LeaseId,
        /// By how much: 90s, 15m, 1h, 7d; the definition's default otherwise
        #[arg(long, value_name = "TIME", value_parser = parse_duration)]
        ttl: Option<Duration>,
        /// A session of `identity auth`, where the dynamic secret asks for one: file://PATH, - or
        /// env:NAME
        #[arg(long, value_name = "SOURCE")]
        session: Option<SecretInput>,
    },
    /// Take leases back now
    Revoke(RevokeArgs),
    /// Stop caring for a lease: AWS may still hold its user, with a key that works to its end
    Forget {
        /// The lease
        id: LeaseId,
        /// Yes, whatever AWS still holds
        #[arg(long)]
        yes: bool,
    },
    /// Print the audit log of a lease, a dynamic secret, an auth method or the store
    Audit(audit::AuditArgs),
    /// Take back what is due, until SIGTERM or SIGINT
    Worker(worker::WorkerArgs),
    /// Look in IAM for users that no lease needs any more; they are removed with --remove alone
    Reap(reap::ReapArgs),
    /// Say which store this is
    Store(which::WhichArgs),
    /// Run a command with a lease of its own, which is renewed while it runs and taken back after
    Exec(ExecArgs),
}

#[derive(Args)]
struct RequestArgs {
    /// The dynamic secret
    secret: String,
    /// How long: 90s, 15m, 1h, 7d; the definition's default otherwise
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    ttl: Option<Duration>,
    /// Whom it is for; the user's name otherwise
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
    /// A session of `identity auth`, which says whom it is for: file://PATH, - or env:NAME
    #[arg(long, value_name = "SOURCE", conflicts_with = "identity")]
    session: Option<SecretInput>,
    /// For people
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

#[derive(Args)]
struct CreateArgs {
    #[command(flatten)]
    request: RequestArgs,
    /// Wait until the key works everywhere: AWS needs some seconds
    #[arg(long)]
    wait: bool,
    /// Keep the secret, sealed under --seal-key, so that it can be shown again
    #[arg(long, requires = "seal_key")]
    keep: bool,
    /// The key to seal under, 64 hexadecimal digits: file://PATH, - or env:NAME
    #[arg(long, value_name = "SOURCE")]
    seal_key: Option<SecretInput>,
    /// process, env, env-no-export, fish, powershell or windows-cmd; process otherwise
    #[arg(long, value_name = "FORMAT", value_parser = export_format())]
    format: Option<ExportFormat>,
}

#[derive(Args)]
struct ListArgs {
    /// Of this dynamic secret
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
    /// In this state: intent, active, revoking, revoked, expired, failed or forgotten; several
    /// with commas
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = state)]
    state: Vec<LeaseState>,
    /// Also those that are over
    #[arg(long, conflicts_with = "state")]
    all: bool,
    /// For this identity
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
    /// Ending within this time: 90s, 15m, 1h, 7d
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    expires_within: Option<Duration>,
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = leases::PAGE, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Those after this one: the last of the page before
    #[arg(long, value_name = "LEASE")]
    after: Option<LeaseId>,
}

#[derive(Args)]
struct ShowArgs {
    /// The lease
    id: LeaseId,
    /// Print its credentials, which must have been kept
    #[arg(long, requires = "seal_key")]
    reveal: bool,
    /// A session of `identity auth`, where the dynamic secret asks for one: file://PATH, - or env:NAME
    #[arg(long, value_name = "SOURCE", requires = "reveal")]
    session: Option<SecretInput>,
    /// The key that they were sealed under: file://PATH, - or env:NAME
    #[arg(long, value_name = "SOURCE")]
    seal_key: Option<SecretInput>,
    /// The form of the credentials: process, env, env-no-export, fish, powershell or windows-cmd;
    /// process otherwise
    #[arg(long, value_name = "FORMAT", value_parser = export_format())]
    format: Option<ExportFormat>,
}

#[derive(Args)]
struct RevokeArgs {
    /// The leases
    #[arg(required_unless_present = "secret")]
    ids: Vec<LeaseId>,
    /// Those of this dynamic secret, with --all
    #[arg(long, value_name = "NAME", requires = "all", conflicts_with = "ids")]
    secret: Option<String>,
    /// Yes, all of them
    #[arg(long, requires = "secret")]
    all: bool,
}

#[derive(Args)]
struct ExecArgs {
    #[command(flatten)]
    request: RequestArgs,
    /// The command and its arguments
    #[arg(required = true, last = true)]
    command: Vec<OsString>,
}

fn state(name: &str) -> Result<LeaseState, String> {
    LeaseState::named(name).ok_or_else(|| {
        let names: Vec<_> = LeaseState::ALL.iter().map(|state| state.name()).collect();
        format!("it is none of {}", names.join(", "))
    })
}

pub(crate) fn run(global: &Global, command: &LeaseCommand) -> Result<ExitCode, Failure> {
    store::refuse_profile(global);
    let seal_key = match &command.operation {
        Operation::Create(args) => args.seal_key.as_ref(),
        Operation::Show(args) => args.seal_key.as_ref(),
        Operation::Forget { id, yes: false } => {
            let message = format!(
                "AWS may still hold the user of lease {id}, with a key that works until its end, \
                 and nobody will remove it; give --yes if that is meant"
            );
            refuse(UsageError::MissingRequiredArgument, &message)
        }
        _ => None,
    };
    block_on(async {
        let leases = store::open(global, &command.store, seal_key).await?;
        match &command.operation {
            Operation::Create(args) => create(global, &leases, args).await,
            Operation::List(args) => list(global, &leases, args).await,
            Operation::Show(args) => show(global, &leases, args).await,
            Operation::Renew { id, ttl, session } => {
                let session = read_session(session.as_ref(), leases.context())?;
                one(global, &leases.renew(*id, *ttl, session.as_ref()).await?, Done::Renewed)
            }
            Operation::Revoke(args) => revoke(global, &leases, args).await,
            Operation::Forget { id, .. } => {
                let lease = leases.forget(*id).await?;
                let (kind, name) = (&lease.principal.kind, &lease.principal.name);
                let account = &lease.principal.account_id;
                warn(&format!("AWS may still hold {kind} {name} in account {account}"));
                one(global, &lease, Done::Forgotten)
            }
            Operation::Audit(args) => audit::run(global, &leases, args).await,
            Operation::Worker(args) => worker::run(global, leases, args).await,
            Operation::Reap(args) => reap::run(global, &leases, args).await,
            Operation::Store(args) => which::run(global, &leases, args).await,
            Operation::Exec(args) => exec(global, &leases, args).await,
        }
    })?
}

fn read_session(input: Option<&SecretInput>, context: &Context) -> Result<Option<Secret>, Failure> {
    if matches!(input, Some(SecretInput::Literal(_))) {
        warn_of_exposed("--session");
    }
    Ok(input.map(|input| input.read(context)).transpose()?)
}

impl RequestArgs {
    fn request(&self, global: &Global, context: &Context) -> Result<LeaseRequest, Failure> {
        Ok(LeaseRequest {
            secret: self.secret.clone(),
            ttl: self.ttl,
            identity: leases::whom(context, self.identity.clone()),
            session: read_session(self.session.as_ref(), context)?,
            note: self.note.clone(),
            mfa_code: global.mfa_code.as_ref().map(|input| input.read(context)).transpose()?,
            ..LeaseRequest::default()
        })
    }
}

async fn create(global: &Global, leases: &Leases, args: &CreateArgs) -> Result<ExitCode, Failure> {
    let format = global.form(args.format);
    let request = args.request.request(global, leases.context())?;
    let request = LeaseRequest { keep: args.keep, wait: args.wait, ..request };
    let Issued { lease, credentials } = leases.create(&request).await?;
    if !global.json {
        let (kind, name) = (&lease.principal.kind, &lease.principal.name);
        let end = timestamp::format(lease.expires_at);
        warn(&format!("lease {}: {kind} {name} until {end}", lease.id));
        if !lease.principal.is_revocable() {
            warn("it cannot be taken back before its end");
        }
    }
    print_credentials(global, leases::lease_to_json(&lease), &credentials, format)
}

/// Written as they are: a value of serde_json would leave copies of the secrets behind.
#[derive(Serialize)]
struct Printed<'a> {
    lease: Value,
    credentials: PrintedCredentials<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PrintedCredentials<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: Option<&'a str>,
    expiration: Option<String>,
}

fn print_credentials(
    global: &Global,
    lease: Value,
    credentials: &Credentials,
    format: ExportFormat,
) -> Result<ExitCode, Failure> {
    if !global.json {
        return print(&export::format(credentials, format)?);
    }
    let credentials = PrintedCredentials {
        access_key_id: credentials.access_key_id(),
        secret_access_key: credentials.secret_access_key().expose(),
        session_token: credentials.session_token().map(Secret::expose),
        expiration: credentials.expires_at().map(timestamp::format),
    };
    print_json(&Printed { lease, credentials })
}

/// What became of a lease.
enum Done {
    Renewed,
    Forgotten,
}

fn one(global: &Global, lease: &leases::Lease, done: Done) -> Result<ExitCode, Failure> {
    if global.json {
        return print_json(&leases::lease_to_json(lease));
    }
    let id = lease.id;
    print(&match done {
        Done::Renewed => {
            format!("Lease {id} renewed until {}.\n", timestamp::format(lease.expires_at))
        }
        Done::Forgotten => format!("Lease {id} forgotten.\n"),
    })
}

async fn list(global: &Global, leases: &Leases, args: &ListArgs) -> Result<ExitCode, Failure> {
    let now = leases.store().now().await?;
    let states = match (args.all, args.state.is_empty()) {
        (true, _) => Vec::new(),
        (false, false) => args.state.clone(),
        (false, true) => leases::live_states(),
    };
    let filter = LeaseFilter {
        secret: args.secret.clone(),
        states,
        identity: args.identity.clone(),
        expires_before: args.expires_within.and_then(|within| now.checked_add(within)),
    };
    let page = leases.leases(&filter, args.after, args.limit).await?;
    let is_full = page.len() == args.limit as usize;
    let next = page.last().filter(|_| is_full).map(|lease| lease.id.to_string());
    if global.json {
        let page: Vec<_> = page.iter().map(leases::lease_to_json).collect();
        return print_json(&json!({ "leases": page, "next": next }));
    }
    let rows = page.iter().map(|lease| {
        vec![
            lease.id.to_string(),
            lease.secret.clone(),
            lease.state.name().to_owned(),
            lease.principal.name.clone(),
            lease.identity.clone(),
            left(lease.expires_at.duration_since(now).ok()),
        ]
    });
    let headings = ["LEASE", "SECRET", "STATE", "NAME", "IDENTITY", "LEFT"];
    print_table(&headings, &rows.collect::<Vec<_>>())?;
    if let Some(next) = next {
        warn(&format!("there may be more: --after {next}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// How long is left, to two units.
fn left(time: Option<Duration>) -> String {
    let Some(seconds) = time.map(|time| time.as_secs()) else { return "ended".to_owned() };
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m{}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h{minutes}m"),
        (days, hours, _) => format!("{days}d{hours}h"),
    }
}

async fn show(global: &Global, leases: &Leases, args: &ShowArgs) -> Result<ExitCode, Failure> {
    let format = global.form(args.format);
    let lease = leases.lease(args.id).await?;
    let value = leases::lease_to_json(&lease);
    if args.reveal {
        let session = read_session(args.session.as_ref(), leases.context())?;
        let credentials = leases.reveal(args.id, session.as_ref()).await?;
        return print_credentials(global, value, &credentials, format);
    }
    if global.json {
        return print_json(&value);
    }
    let mut text = String::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        let value = match value {
            Value::Null => continue,
            Value::String(text) if text.is_empty() => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        text += &format!("{key:15} {}\n", printable(&value, usize::MAX));
    }
    print(&text)
}

async fn revoke(global: &Global, leases: &Leases, args: &RevokeArgs) -> Result<ExitCode, Failure> {
    let ids = match &args.secret {
        Some(secret) => leases::running(leases, secret).await?,
        None => args.ids.clone(),
    };
    let mut bar = Progress::new();
    let mut revoked = 0;
    let failures = leases::revoke_all(leases, &ids, |progress| {
        revoked = progress.revoked;
        let done = progress.revoked + progress.failed;
        bar.show(done, progress.total, "revoking");
    })
    .await;
    bar.clear();
    let told = |(id, error): &(LeaseId, CredentialsError)| json!({ "lease": id.to_string(), "message": error.message(), "help": error.help() });
    if global.json {
        let failures: Vec<_> = failures.iter().map(told).collect();
        print_json(&json!({ "revoked": revoked, "failures": failures }))?;
    } else if revoked > 0 || failures.len() != 1 {
        print(&format!("Revoked {revoked} of {} leases.\n", ids.len()))?;
    }
    let Some((_, last)) = failures.last() else { return Ok(ExitCode::SUCCESS) };
    for (id, error) in failures.iter().take(failures.len() - 1).take(TOLD) {
        warn(&format!("lease {id}: {}", error.message()));
    }
    // Errors are told in one way; this one also gives the exit code.
    Err(last.clone().into())
}

async fn exec(global: &Global, leases: &Leases, args: &ExecArgs) -> Result<ExitCode, Failure> {
    let request = args.request.request(global, leases.context())?;
    let session = super::options(global);
    let tell = |news: LeaseNews<'_>| match news {
        LeaseNews::Ends(lease, why) => {
            let (id, end) = (lease.id, timestamp::format(lease.expires_at));
            let why = why.map_or("its maximum is reached".to_owned(), ToString::to_string);
            warn(&format!("warning: lease {id} ends at {end} and is renewed no more: {why}"));
        }
        LeaseNews::NotRenewed(lease, error) => {
            let end = timestamp::format(lease.expires_at);
            let id = lease.id;
            warn(&format!("warning: lease {id} ends at {end}; renewing it failed: {error}"));
        }
        LeaseNews::NotRevoked(lease, why) => warn(&format!(
            "warning: lease {} is not taken back yet: {why}; `rolecall lease worker` goes on with it",
            lease.id
        )),
    };
    let code = leases::run_command(leases, &request, &args.command, &session, tell).await?;
    Ok(ExitCode::from(code))
}
