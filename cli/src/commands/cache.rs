use std::process::ExitCode;

use rolecall::Context;
use serde_json::json;

use crate::args::{CacheCommand, Global};
use crate::output::{Failure, print, print_json, print_table, warn};

pub(crate) fn run(global: &Global, command: &CacheCommand) -> Result<ExitCode, Failure> {
    let context = Context::real();
    match command {
        CacheCommand::List => list(global, &context),
        CacheCommand::Clear => clear(global, &context),
    }
}

fn list(global: &Global, context: &Context) -> Result<ExitCode, Failure> {
    if global.json {
        return print_json(&rolecall::cached_credentials_json(context)?);
    }
    let entries = rolecall::cached_credentials(context)?;
    if entries.is_empty() {
        warn("nothing is cached in ~/.aws/cli/cache");
        return Ok(ExitCode::SUCCESS);
    }
    let now = context.clock.now();
    let rows = entries.iter().map(|entry| {
        let left = entry.expires_at.and_then(|end| end.duration_since(now).ok());
        let left = left.map_or("ended".to_owned(), |left| format!("{} min", left.as_secs() / 60));
        let about = entry.about.as_deref().unwrap_or("(written by AWS CLI)");
        vec![about.to_owned(), entry.access_key_id.clone(), left, entry.name.clone()]
    });
    print_table(&["ROLE", "ACCESS KEY ID", "LEFT", "FILE"], &rows.collect::<Vec<_>>())
}

fn clear(global: &Global, context: &Context) -> Result<ExitCode, Failure> {
    let removed = rolecall::clear_cached_credentials(context)?;
    if global.json {
        return print_json(&json!({"removed": removed}));
    }
    print(&format!("Removed {removed} cached credentials.\n"))
}
