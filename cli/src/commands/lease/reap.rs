use std::process::ExitCode;

use clap::Args;
use rolecall::ErrorKind;
use rolecall::leases::{self, Fate, Leases, ReapOptions, Reaped};
use serde_json::json;

use crate::args::Global;
use crate::output::{Failure, print_json, print_table, warn};

#[derive(Args)]
pub(super) struct ReapArgs {
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

pub(super) async fn run(
    global: &Global,
    leases: &Leases,
    args: &ReapArgs,
) -> Result<ExitCode, Failure> {
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
