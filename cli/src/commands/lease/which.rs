use std::process::ExitCode;

use clap::Args;
use rolecall::leases::Leases;
use serde_json::json;

use crate::args::Global;
use crate::output::{Failure, print, print_json, warn};

#[derive(Args)]
pub(super) struct WhichArgs {
    /// Say that it is right though it was restored from a backup or moved: what is due will be
    /// taken back
    #[arg(long)]
    accept_restored: bool,
}

pub(super) async fn run(
    global: &Global,
    leases: &Leases,
    args: &WhichArgs,
) -> Result<ExitCode, Failure> {
    let info = if args.accept_restored {
        leases.accept_restored().await?
    } else {
        leases.store().info().await?
    };
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
