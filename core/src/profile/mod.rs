//! Profile files as data, and plans made from them.
//!
//! [`ProfileSet`] reads `~/.aws/config` and `~/.aws/credentials` by the grammar the AWS SDKs share.
//! [`plan_profile`] and [`plan_default`] turn it into a [`Plan`]: a source and the roles assumed
//! from it. Planning touches no network and starts no program; [`problems`] finds, as offline,
//! what AWS would refuse. [`edit`] changes the files and keeps what is not to be changed.

mod chain;
pub mod edit;
mod lint;
mod location;
mod merge;
mod origin;
mod parse;
mod plan;
mod planner;
mod set;
mod spelling;
mod suggest;
mod table;
#[cfg(test)]
mod testing;

pub use chain::{nothing_found, plan_default};
pub use lint::{Problem, Severity, problems};
pub use location::{FileLocations, Platform, aws_folder};
pub use origin::{FileKind, Origin, Warning, WarningKind};
pub use plan::{PassedOver, Plan, RoleHop, SamlAssertion, SetBy, Source};
pub use planner::{plan_profile, profile_keys};
pub use set::{MAX_FILE_BYTES, ProfileSet};
pub use spelling::misspelt;
pub use suggest::near;
pub use table::{Profile, Property, is_harmless_key};
