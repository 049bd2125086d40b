//! What `secret` and `lease` share: the store.

use clap::Args;
use clap::error::ErrorKind as UsageError;
use rolecall::leases::{self, Leases, OpenOptions, StorePlace};
use rolecall::{Context, SecretInput};

use crate::args::Global;
use crate::output::{Failure, warn_of_exposed};
use crate::usage::refuse;

#[derive(Args)]
pub(crate) struct StoreArgs {
    /// Where definitions and leases are kept: sqlite:PATH or a path, postgres://…, or env:NAME or
    /// file://PATH where one is written; otherwise ROLECALL_STORE says, or it is rolecall/leases.db in
    /// XDG_DATA_HOME (~/.local/share)
    #[arg(long, global = true, value_name = "PLACE")]
    pub(crate) store: Option<String>,
}

impl StoreArgs {
    /// The store at `place`.
    pub(crate) fn of(place: &str) -> Self {
        Self { store: Some(place.to_owned()) }
    }
}

/// Opens the store, with the key that secrets are kept under.
pub(crate) async fn open(
    global: &Global,
    args: &StoreArgs,
    seal_key: Option<&SecretInput>,
) -> Result<Leases, Failure> {
    if let Some(text) = &args.store
        && StorePlace::find(&Context::real(), Some(text))?.has_password()
        && text.contains("://")
        && !text.starts_with("file://")
    {
        warn_of_exposed("--store");
    }
    if matches!(seal_key, Some(SecretInput::Literal(_))) {
        warn_of_exposed("--seal-key");
    }
    let options = OpenOptions {
        store: args.store.clone(),
        sealing_key: seal_key.cloned(),
        session: super::options(global),
        ..OpenOptions::default()
    };
    Ok(leases::open(options).await?)
}

/// Ends the program if a profile is named: definitions name theirs.
pub(crate) fn refuse_profile(global: &Global) {
    if global.profile.is_some() {
        refuse(
            UsageError::ArgumentConflict,
            "--profile goes with `secret create` and `secret update`: the definition keeps it",
        );
    }
}
