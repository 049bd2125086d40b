use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use rolecall::export::ExportFormat;
use rolecall::leases::{
    self, Fate, Identity, Issued, LeaseFilter, LeaseId, LeaseNews, LeaseRequest, LeaseState,
    Leases, MetricsServer, ReapOptions, Reaped, Worker, WorkerOptions, parse_duration,
};
use rolecall::serve::stop_signal;
use rolecall::{
    Context, Credentials, CredentialsError, ErrorKind, Secret, SecretInput, block_on, export,
    printable, timestamp,
};
use serde_json::{Value, json};

use super::store::{self, StoreArgs};
use crate::args::{Global, export_format};
use crate::output::{Failure, Progress, print, print_json, print_table, warn, warn_of_exposed};

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
    /// Print the audit log of a lease, a dynamic secret or, as @store, the store
    Audit {
        /// The lease's id, or the dynamic secret's name
        subject: String,
        /// Check that no line was changed, left out or put elsewhere
        #[arg(long)]
        verify: bool,
    },
    /// Take back what is due, until SIGTERM or SIGINT
    Worker(WorkerArgs),
    /// Look in IAM for users that no lease needs any more; they are removed with --remove alone
    Reap(ReapArgs),
    /// Say which store this is
    Store {
        /// Say that it is right though it was restored from a backup or moved: what is due will be
        /// taken back
        #[arg(long)]
        accept_restored: bool,
    },
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
    /// process, env, env-no-export, fish, powershell or windows-cmd
    #[arg(long, default_value = "process", value_name = "FORMAT", value_parser = export_format())]
    format: ExportFormat,
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
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
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
    /// The form of the credentials: process, env, env-no-export, fish, powershell or windows-cmd
    #[arg(long, default_value = "process", value_name = "FORMAT", value_parser = export_format())]
    format: ExportFormat,
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
struct WorkerArgs {
    /// Serve metrics at /metrics and a health answer at /healthz on this address of loopback
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// How many leases to work on at once
    #[arg(long, value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Do what is due now, and end: for timers
    #[arg(long, conflicts_with = "listen")]
    once: bool,
}

#[derive(Args)]
struct ReapArgs {
    /// By the connection and path of this dynamic secret; by those of all otherwise
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
    /// Remove what is found
    #[arg(long)]
    remove: bool,
    /// How many to remove at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    max: usize,
    /// Take also users that have not reached their end, if the store knows nothing of them: only
    /// where the store is known to be whole
    #[arg(long)]
    unexpired: bool,
    /// The users of another store, which is lost: its id is in their paths
    #[arg(long, value_name = "ID")]
    store_id: Option<String>,
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
            store::bad_usage(&format!(
                "AWS may still hold the user of lease {id}, with a key that works until its end, \
                 and nobody will remove it; give --yes if that is meant"
            ));
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
                one(global, &leases.renew(*id, *ttl, session.as_ref()).await?, "renewed")
            }
            Operation::Revoke(args) => revoke(global, &leases, args).await,
            Operation::Forget { id, .. } => {
                let lease = leases.forget(*id).await?;
                let (kind, name) = (&lease.principal.kind, &lease.principal.name);
                let account = &lease.principal.account_id;
                warn(&format!("AWS may still hold {kind} {name} in account {account}"));
                one(global, &lease, "forgotten")
            }
            Operation::Audit { subject, verify } => audit(global, &leases, subject, *verify).await,
            Operation::Worker(args) => worker(global, leases, args).await,
            Operation::Reap(args) => reap(global, &leases, args).await,
            Operation::Store { accept_restored } => which(global, &leases, *accept_restored).await,
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
        let name = self.identity.clone().unwrap_or_else(|| leases::user_name(context));
        Ok(LeaseRequest {
            secret: self.secret.clone(),
            ttl: self.ttl,
            identity: Identity { name, ..Identity::default() },
            session: read_session(self.session.as_ref(), context)?,
            note: self.note.clone(),
            mfa_code: global.mfa_code.as_ref().map(|input| input.read(context)).transpose()?,
            ..LeaseRequest::default()
        })
    }
}

async fn create(global: &Global, leases: &Leases, args: &CreateArgs) -> Result<ExitCode, Failure> {
    let request = args.request.request(global, leases.context())?;
    let request = LeaseRequest { keep: args.keep, wait: args.wait, ..request };
    let Issued { lease, credentials } = leases.create(&request).await?;
    if !global.json {
        let (kind, name) = (&lease.principal.kind, &lease.principal.name);
        let end = timestamp::format(lease.expires_at);
        warn(&format!("lease {}: {kind} {name} until {end}", lease.id));
        if kind != "iam-user" {
            warn("it cannot be taken back before its end");
        }
    }
    print_credentials(global, leases::lease_to_json(&lease), &credentials, args.format)
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
    print_json(&json!({
        "lease": lease,
        "credentials": {
            "AccessKeyId": credentials.access_key_id(),
            "SecretAccessKey": credentials.secret_access_key().expose(),
            "SessionToken": credentials.session_token().map(|token| token.expose()),
            "Expiration": credentials.expires_at().map(timestamp::format),
        },
    }))
}

fn one(global: &Global, lease: &leases::Lease, what: &str) -> Result<ExitCode, Failure> {
    if global.json {
        return print_json(&leases::lease_to_json(lease));
    }
    let end = match what {
        "renewed" => format!(" until {}", timestamp::format(lease.expires_at)),
        _ => String::new(),
    };
    print(&format!("Lease {} {what}{end}.\n", lease.id))
}

async fn list(global: &Global, leases: &Leases, args: &ListArgs) -> Result<ExitCode, Failure> {
    let now = leases.store().now().await?;
    let states = match (args.all, args.state.is_empty()) {
        (true, _) => Vec::new(),
        (false, false) => args.state.clone(),
        (false, true) => LeaseState::ALL.into_iter().filter(|state| !state.is_over()).collect(),
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
    let lease = leases.lease(args.id).await?;
    let value = leases::lease_to_json(&lease);
    if args.reveal {
        let session = read_session(args.session.as_ref(), leases.context())?;
        let credentials = leases.reveal(args.id, session.as_ref()).await?;
        return print_credentials(global, value, &credentials, args.format);
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

async fn audit(
    global: &Global,
    leases: &Leases,
    subject: &str,
    verify: bool,
) -> Result<ExitCode, Failure> {
    let id: Option<LeaseId> = subject.parse().ok();
    let subject = id.map_or_else(|| subject.to_owned(), |id| id.to_string());
    let entries = leases.trail(&subject).await?;
    let flaw = if verify { leases.verify(&subject).await? } else { None };
    if entries.is_empty() && flaw.is_none() {
        let message = format!("there is no lease and no dynamic secret {subject:?}");
        let error = CredentialsError::new(ErrorKind::InvalidConfiguration, "audit log", message);
        return Err(error.with_help("`rolecall lease list --all` names leases").into());
    }
    if global.json {
        let entries: Vec<_> = entries.iter().map(leases::entry_to_json).collect();
        let mut value = json!({ "subject": subject, "entries": entries });
        if verify {
            value["is_whole"] = flaw.is_none().into();
        }
        print_json(&value)?;
    } else {
        let rows = entries.iter().map(|entry| {
            let at = leases::entry_to_json(entry)["at"].as_str().unwrap_or_default().to_owned();
            let outcome = entry.outcome.name().to_owned();
            vec![at, entry.actor.clone(), entry.action.clone(), outcome, entry.detail.clone()]
        });
        let headings = ["TIME", "ACTOR", "ACTION", "OUTCOME", "DETAIL"];
        print_table(&headings, &rows.collect::<Vec<_>>())?;
    }
    if let Some(flaw) = flaw {
        return Err(CredentialsError::new(ErrorKind::Malformed, "audit log", flaw.to_string())
            .with_place(subject)
            .with_help("somebody has written to the store past rolecall, or it is damaged")
            .into());
    }
    if verify && !global.json {
        warn("the log is whole");
    }
    Ok(ExitCode::SUCCESS)
}

async fn worker(global: &Global, leases: Leases, args: &WorkerArgs) -> Result<ExitCode, Failure> {
    let clock = leases.context().clock.clone();
    let worker = Worker::new(leases, WorkerOptions { concurrency: args.concurrency.into() });
    if args.once {
        let done = worker.run_once().await?;
        return match global.json {
            true => print_json(&json!({ "worked_on": done })),
            false => print(&format!("Worked on {done} leases.\n")),
        };
    }
    let server = args.listen.map(MetricsServer::bind).transpose()?;
    // Before anybody can know that there is something to stop.
    let stop = stop_signal()?;
    let address = server.as_ref().map(|server| server.address().to_string());
    if global.json {
        print(&format!("{}\n", json!({ "listen": address })))?;
    }
    match &address {
        Some(address) => warn(&format!("working on leases; metrics at http://{address}/metrics")),
        None => warn("working on leases"),
    }
    leases::run_worker(&worker, clock, server, stop).await?;
    Ok(ExitCode::SUCCESS)
}

async fn reap(global: &Global, leases: &Leases, args: &ReapArgs) -> Result<ExitCode, Failure> {
    let options = ReapOptions {
        remove: args.remove,
        most: args.max,
        unexpired: args.unexpired,
        store_id: args.store_id.clone(),
    };
    let Reaped { orphans, failure } =
        leases::reap_all(leases, args.secret.as_deref(), &options).await;
    if global.json {
        let orphans: Vec<_> = orphans.iter().map(leases::orphan_to_json).collect();
        print_json(&json!({ "orphans": orphans }))?;
    } else {
        let rows = orphans.iter().map(|orphan| {
            let fate = match &orphan.fate {
                Fate::Found => "found".to_owned(),
                Fate::Removed => "removed".to_owned(),
                Fate::Failed(why) => format!("failed: {why}"),
            };
            let (expires, why) = (orphan.expires.clone(), orphan.why.clone());
            vec![orphan.arn.clone(), orphan.lease.clone(), expires, why, fate]
        });
        print_table(&["USER", "LEASE", "END", "WHY", "FATE"], &rows.collect::<Vec<_>>())?;
    }
    let is_found = |fate: &Fate| orphans.iter().filter(|orphan| orphan.fate == *fate).count();
    match is_found(&Fate::Found) {
        0 => {}
        left if args.remove => warn(&format!("{left} more are left; raise --max")),
        left => warn(&format!("{left} found; nothing was changed, --remove removes them")),
    }
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    let failed = orphans.iter().any(|orphan| matches!(orphan.fate, Fate::Failed(_)));
    let unavailable = ExitCode::from(ErrorKind::Unavailable.exit_code());
    Ok(if failed { unavailable } else { ExitCode::SUCCESS })
}

async fn which(global: &Global, leases: &Leases, accept: bool) -> Result<ExitCode, Failure> {
    let info = if accept { leases.accept_restored().await? } else { leases.store().info().await? };
    let doubt = info.doubt.map(|doubt| doubt.to_string());
    if global.json {
        return print_json(&json!({ "id": info.id, "epoch": info.epoch, "doubt": doubt }));
    }
    print(&format!("Id     {}\nEpoch  {}\n", info.id, info.epoch))?;
    if let Some(doubt) = doubt {
        warn(&format!("{doubt}; workers take nothing back until `lease store --accept-restored`"));
    }
    Ok(ExitCode::SUCCESS)
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
