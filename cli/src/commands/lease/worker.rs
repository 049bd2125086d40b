use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use rolecall::leases::{self, Leases, MetricsServer, Worker, WorkerOptions};
use rolecall::serve::stop_signal;
use serde_json::json;

use crate::args::Global;
use crate::output::{Failure, print, print_json, warn};

#[derive(Args)]
pub(super) struct WorkerArgs {
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

pub(super) async fn run(
    global: &Global,
    leases: Leases,
    args: &WorkerArgs,
) -> Result<ExitCode, Failure> {
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
