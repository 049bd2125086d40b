//! Where a request goes and what it is signed for: regions, partitions, the endpoint rules of the
//! services rolecall speaks to, and the URLs that users configure instead.
//!
//! Nothing here touches the network. [`resolve`] is a pure function of [`EndpointOptions`], and
//! [`EndpointOptions::from`] reads those from the environment and a profile.

mod configured;
mod iam;
mod options;
mod partition;
mod read;
mod region;
mod resolve;
mod service;

pub use configured::{ConfiguredUrl, ProfileUrls, ServicesSection, configured_url};
pub use options::{EndpointOptions, Overrides};
pub use partition::{Partition, by_id, partition_of, partition_with};
pub use region::Region;
pub use resolve::{Endpoint, resolve};
pub use service::Service;
