//! AWS's Query protocol, which STS and IAM speak: forms in, checked against the operation's
//! parameters, and XML out.

mod form;
mod params;
mod reply;
mod shape;
mod table;

use crate::error::AwsError;

pub(crate) use form::{decode, only, parse};
pub(crate) use params::Params;
pub(crate) use reply::{failure, redacted, success};
pub(crate) use shape::check;
pub(crate) use table::*;

/// `Action` and `Version` of a request's parameters.
pub(crate) fn action(values: &[(String, String)]) -> Result<(&str, &str), AwsError> {
    let action = only(values, "Action")?.ok_or_else(|| {
        AwsError::new(
            400,
            "MissingAction",
            "The request is missing an action or a required parameter.",
        )
    })?;
    Ok((action, only(values, "Version")?.unwrap_or("NO_VERSION_SPECIFIED")))
}

/// 400 `InvalidAction`.
pub(crate) fn unknown_action(action: &str, version: &str) -> AwsError {
    AwsError::new(
        400,
        "InvalidAction",
        format!("Could not find operation {action} for version {version}"),
    )
}

/// The parameters without `Action` and `Version`.
pub(crate) fn arguments(values: &[(String, String)]) -> Vec<(String, String)> {
    values.iter().filter(|(name, _)| name != "Action" && name != "Version").cloned().collect()
}
