//! The metadata service of an EC2 instance, and the endpoints that containers are given.

use serde::{Deserialize, Serialize};

use super::default::names;
use crate::secret::Secret;

/// The metadata service, on a port of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Imds {
    /// `false`: it answers 403 to everything.
    pub enabled: bool,
    /// Whether requests need a token.
    pub tokens: ImdsTokens,
    /// How far its answers to PUT get. Callers are as far away as a container is: with 1, those
    /// answers are lost.
    pub hop_limit: u8,
    /// ARN of the instance's role.
    pub role: Option<String>,
    /// It knows `security-credentials-extended`, whose answers hold the account.
    pub extended: bool,
    /// `i-…`.
    pub instance_id: String,
    /// The instance's region.
    pub region: String,
    /// How long its credentials last when it has got new ones, in seconds.
    pub lifetime: i64,
}

/// Whether the metadata service gives tokens and wants them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImdsTokens {
    /// IMDSv2 alone: 401 without a token.
    Required,
    /// IMDSv1 and v2.
    Optional,
    /// IMDSv1 alone, as it once was: 404 to a request for a token.
    Unknown,
}

impl Default for Imds {
    fn default() -> Imds {
        Imds {
            enabled: true,
            tokens: ImdsTokens::Required,
            hop_limit: 2,
            role: Some(names::INSTANCE.to_owned()),
            extended: true,
            instance_id: "i-0a1b2c3d4e5f60718".to_owned(),
            region: "us-east-1".to_owned(),
            lifetime: 21_600,
        }
    }
}

/// The endpoints of ECS (`/v2/credentials/ID`) and of EKS Pod Identity (`/v1/credentials`), on a
/// port of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Container {
    /// ARN of the task's or pod's role.
    pub role: Option<String>,
    /// The id in ECS's path, which is all that guards it.
    pub id: String,
    /// The tokens that Pod Identity takes.
    pub pod_tokens: Vec<Secret>,
    /// How long its credentials last, in seconds.
    pub lifetime: i64,
}

impl Default for Container {
    fn default() -> Container {
        Container {
            role: Some(names::TASK.to_owned()),
            id: "52b19262-e7aa-4f56-a1cd-b958dcde8f3b".to_owned(),
            pod_tokens: vec![names::POD_TOKEN.into()],
            lifetime: 3600,
        }
    }
}
