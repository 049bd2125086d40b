//! Amazon EKS: clusters, and who may use them.

use serde::{Deserialize, Serialize};

/// A cluster of EKS.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EksCluster {
    /// Its name.
    pub name: String,
    /// The account it lives in.
    pub account: String,
    /// Its region.
    #[serde(default = "region")]
    pub region: String,
    /// `ACTIVE`, `CREATING`, …
    #[serde(default = "active")]
    pub status: String,
    /// Makes it a local cluster on Outposts, which tokens name by this.
    #[serde(default)]
    pub local_id: Option<String>,
    /// ARNs of the users and roles that its API server takes tokens of.
    #[serde(default)]
    pub access: Vec<String>,
}

impl EksCluster {
    /// What tokens for it name.
    pub fn id(&self) -> &str {
        self.local_id.as_deref().unwrap_or(&self.name)
    }
}

fn region() -> String {
    "us-east-1".to_owned()
}

fn active() -> String {
    "ACTIVE".to_owned()
}
