use std::process::ExitCode;

use clap::Args;
use rolecall::leases::{self, LeaseId, Leases, STORE_SUBJECT};
use rolecall::{CredentialsError, ErrorKind};
use serde_json::json;

use crate::args::Global;
use crate::output::{Failure, print_json, print_table, warn};

#[derive(Args)]
pub(super) struct AuditArgs {
    /// The lease's id, the dynamic secret's name, @method/NAME for an auth method, or @store
    subject: String,
    /// Check that no line was changed, left out or put elsewhere
    #[arg(long)]
    verify: bool,
}

pub(super) async fn run(
    global: &Global,
    leases: &Leases,
    args: &AuditArgs,
) -> Result<ExitCode, Failure> {
    let id: Option<LeaseId> = args.subject.parse().ok();
    let subject = id.map_or_else(|| args.subject.clone(), |id| id.to_string());
    let entries = leases.trail(&subject).await?;
    let flaw = if args.verify { leases.verify(&subject).await? } else { None };
    // A store in which nothing has happened yet has a log; what has none else is not there.
    if entries.is_empty() && flaw.is_none() && subject != STORE_SUBJECT {
        let message = format!("there is no lease, dynamic secret or auth method {subject:?}");
        let error = CredentialsError::new(ErrorKind::InvalidConfiguration, "audit log", message);
        let help = "`rolecall lease list --all` names leases; auth methods are @method/NAME";
        return Err(error.with_help(help).into());
    }
    if global.json {
        let entries: Vec<_> = entries.iter().map(leases::entry_to_json).collect();
        let mut value = json!({ "subject": subject, "entries": entries });
        if args.verify {
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
    if args.verify && !global.json {
        warn("the log is whole");
    }
    Ok(ExitCode::SUCCESS)
}
