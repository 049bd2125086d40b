use std::sync::Arc;

use rolecall_core::endpoint::{Region, partition_of};
use rolecall_core::{CredentialsError, ErrorKind, Result};

use super::bounds::{Bounds, Compiled};
use super::challenge::Challenges;
use super::lint::{self, Lint, Severity};
use super::presented::Presented;
use super::principal::CallerIdentity;
use crate::identity::refusal::{Check, Refusal};
use crate::identity::sts_host::StsHost;
use crate::identity::token::{TokenFormat, bare_host};

/// What ties tokens to this server. Each dialect has its own way.
#[derive(Clone, Debug, Default)]
pub struct Binding {
    /// `X-Vault-AWS-IAM-Server-ID`; `None` refuses tokens that name a server.
    pub server_id: Option<String>,
    /// The EKS cluster, which is in no token; `None` refuses them all.
    pub cluster: Option<String>,
    /// The audience of rolecall's own tokens; `None` refuses them all.
    pub audience: Option<String>,
    /// Challenges that rolecall's own tokens must answer; `None` takes them without one.
    pub challenges: Option<Arc<Challenges>>,
}

impl Binding {
    /// The dialects whose tokens can be checked with it: those of Akeyless, Vault and Infisical
    /// always, those of EKS and rolecall's own with what they are bound to.
    pub fn formats(&self) -> Vec<TokenFormat> {
        let fits = |format: &TokenFormat| match format {
            TokenFormat::Eks => self.cluster.is_some(),
            TokenFormat::Rolecall => self.audience.is_some(),
            _ => true,
        };
        TokenFormat::ALL.into_iter().filter(fits).collect()
    }
}

/// Whom to let in, and with what: bounds that are checked, dialects and what ties them to a server.
#[derive(Debug)]
pub struct Policy {
    formats: Vec<TokenFormat>,
    pub(super) binding: Binding,
    partition: String,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) bounds: Compiled,
    lints: Vec<Lint>,
}

/// The STS that is configured.
#[derive(Debug)]
pub(super) struct Endpoint {
    scheme: &'static str,
    host: String,
}

impl Policy {
    /// A policy that takes tokens of `formats` and lets in whom `bounds` name.
    ///
    /// # Errors
    /// `InvalidConfiguration` for what [`Bounds::lint`] calls an error, for no dialect at all, and
    /// for a dialect without what ties its tokens to this server.
    pub fn new(bounds: &Bounds, formats: &[TokenFormat], binding: Binding) -> Result<Self> {
        let mut lints = bounds.lint();
        if let Some(error) = lints.iter().find(|lint| lint.severity == Severity::Error) {
            return Err(refused(error.message.clone()));
        }
        if formats.is_empty() {
            return Err(refused("no dialect is allowed, so that nobody comes in".to_owned()));
        }
        for (format, there, what) in [
            (TokenFormat::Eks, binding.cluster.is_some(), "a cluster"),
            (TokenFormat::Rolecall, binding.audience.is_some(), "an audience"),
        ] {
            if formats.contains(&format) && !there {
                return Err(refused(format!("tokens of {format} are taken for {what} only")));
            }
        }
        lints.extend(lint::of_formats(formats, binding.server_id.is_some()));
        let endpoint = bounds.sts_url.as_ref().map(|url| bare_host(url));
        let endpoint = endpoint.transpose().map_err(|flaw| refused(flaw.to_owned()))?;
        Ok(Self {
            formats: formats.to_vec(),
            binding,
            partition: bounds.partition.clone(),
            endpoint: endpoint.map(|(scheme, host)| Endpoint { scheme, host }),
            bounds: Compiled::new(bounds),
            lints,
        })
    }

    /// What to know about it: the warnings.
    pub fn lints(&self) -> &[Lint] {
        &self.lints
    }

    /// Whether the bounds let in an identity that STS has vouched for before; gives the value of the
    /// unique identifier.
    ///
    /// # Errors
    /// The first kind of bounds that does not fit.
    pub fn admits(&self, identity: &CallerIdentity) -> Result<Option<String>, Refusal> {
        self.check_partition_of(&identity.partition)?;
        self.bounds.check(identity, |_, _| {})
    }

    pub(super) fn check_format(&self, presented: &Presented) -> Result<(), Refusal> {
        if self.formats.contains(&presented.format) {
            return Ok(());
        }
        let message = format!("tokens of {} are not taken here", presented.format);
        Err(Refusal::new(Check::FormatAllowed, "format-not-allowed", message))
    }

    /// The URL of the STS to ask: the configured one, or AWS's own by the token's host. Never one
    /// that the token could steer.
    /// `known` is the token's host, if it is one of AWS's.
    pub(super) fn endpoint(
        &self,
        presented: &Presented,
        known: Option<&StsHost<'_>>,
    ) -> Result<String, Refusal> {
        let refuse = |code, message: &str| Err(Refusal::new(Check::Endpoint, code, message));
        let scheme = match &self.endpoint {
            Some(endpoint) => {
                let scheme = presented.scheme.unwrap_or(endpoint.scheme);
                if presented.host != endpoint.host || scheme != endpoint.scheme {
                    let message = "the token is for another STS than the one that is configured";
                    return refuse("endpoint-mismatch", message);
                }
                endpoint.scheme
            }
            None if presented.scheme == Some("http") => {
                let message = "the token is for an STS without TLS, which the bounds must name \
                               (--sts-url)";
                return refuse("endpoint-http", message);
            }
            None if known.is_none() => {
                return refuse("host-unknown", "the token's host is not one of AWS's for STS");
            }
            None => "https",
        };
        if known.is_some_and(|known| known.region != presented.region) {
            let message = "the signature's region is not that of the host";
            return refuse("region-mismatch", message);
        }
        Ok(format!("{scheme}://{}/", presented.host))
    }

    pub(super) fn check_partition(
        &self,
        presented: &Presented,
        known: Option<&StsHost<'_>>,
    ) -> Result<(), Refusal> {
        let partition = match known {
            Some(known) => Some(known.partition.id),
            None => Region::parse(&presented.region, "the token").ok().map(|r| partition_of(&r).id),
        };
        if partition == Some(self.partition.as_str()) {
            return Ok(());
        }
        let message = format!("the token is not of the partition {}", self.partition);
        Err(Refusal::new(Check::Partition, "partition-not-bound", message))
    }

    pub(super) fn check_partition_of(&self, partition: &str) -> Result<(), Refusal> {
        if partition == self.partition {
            return Ok(());
        }
        let message = format!("STS answered with an ARN of the partition {partition}");
        Err(Refusal::new(Check::Identity, "partition-differs", message))
    }

    /// Whether the token was made for this server.
    pub(super) fn check_binding(&self, presented: &Presented) -> Result<(), Refusal> {
        let refuse = |code, message: &str| Err(Refusal::new(Check::Binding, code, message));
        let expected = match presented.format {
            TokenFormat::Vault => self.binding.server_id.as_deref(),
            TokenFormat::Rolecall => self.binding.audience.as_deref(),
            // Not in the token: STS refuses it for another cluster.
            _ => return Ok(()),
        };
        let (expected, found) = match (expected, presented.binding.as_deref()) {
            (None, None) => return Ok(()),
            (None, Some(_)) => {
                let message = "the token names a server, and this one has no name";
                return refuse("binding-unexpected", message);
            }
            (Some(_), None) => return refuse("binding-missing", "the token names no server"),
            (Some(expected), Some(found)) => (expected, found),
        };
        if found == expected {
            return Ok(());
        }
        if found.contains(',') {
            return refuse("binding-list", "the token names several servers");
        }
        if expected.contains(found) || found.contains(expected) {
            return refuse(
                "binding-partial",
                "the token names part of this server's name, or more",
            );
        }
        refuse("binding-wrong", "the token is for another server")
    }
}

fn refused(message: String) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "identity policy", message)
}
