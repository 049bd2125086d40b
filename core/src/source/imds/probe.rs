use std::time::Duration;

use super::client::Client;
use super::failure::Failure;
use super::{ImdsSettings, ROLES_PATH, read_role};
use crate::{Context, CredentialsError};

/// What is at the place of the metadata service.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ImdsProbe {
    /// Nothing: this is no EC2 instance.
    Absent {
        /// What came of connecting.
        reason: String,
    },
    /// The service, and it answers.
    Working {
        /// 2, or 1 where requests are let in without a token.
        version: u8,
        /// The role whose credentials it has, if there is one.
        role: Option<String>,
        /// How long the answers took together.
        took: Duration,
    },
    /// The service, but its tokens do not get here: this process is more hops away than they may
    /// travel.
    HopLimit {
        /// What to run.
        command: String,
    },
    /// The service, switched off.
    Disabled,
    /// Something that takes connections and does not answer in time.
    Slow {
        /// How long it was given for one answer.
        limit: Duration,
    },
    /// Something that fails.
    Faulty(CredentialsError),
}

/// Looks whether there is a metadata service and what state it is in. Reads no credentials. One
/// attempt each: with the default time limit it is done in three seconds at the worst.
pub async fn probe_imds(context: &Context, settings: &ImdsSettings) -> ImdsProbe {
    let settings = ImdsSettings { attempts: 1, ..settings.clone() };
    let client = Client::new(context.clone(), settings.clone());
    let begun = context.clock.local_now();
    match look(&client).await {
        Ok((version, role)) => {
            let took = context.clock.local_now().duration_since(begun).unwrap_or_default();
            ImdsProbe::Working { version, role, took }
        }
        Err(Failure::Absent(reason)) => ImdsProbe::Absent { reason },
        Err(Failure::HopLimit { command }) => ImdsProbe::HopLimit { command },
        Err(Failure::Disabled) => ImdsProbe::Disabled,
        Err(Failure::Slow { limit }) => ImdsProbe::Slow { limit },
        Err(failure) => ImdsProbe::Faulty(failure.into_error(&settings)),
    }
}

async fn look(client: &Client) -> Result<(u8, Option<String>), Failure> {
    let version = client.version().await?;
    let role = client.get(ROLES_PATH, read_role).await?;
    Ok((version, role))
}
