//! What one request may ask of its way to the other side: put into its [`http::Extensions`].

use std::net::IpAddr;
use std::time::Duration;

/// Never through a proxy. What answers on this machine or next to it must not be asked of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direct;

/// How long the whole request may take. Connecting gets nine tenths of it, so that a host that is
/// not there ([`super::HttpFailure::Connect`]) is told from one that does not answer
/// ([`super::HttpFailure::TimedOut`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimit(pub Duration);

/// Connects to one of these addresses, whatever the URL's host resolves to by then; and not through
/// a proxy, which would resolve it anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned(pub Vec<IpAddr>);

/// The options of one request together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) direct: bool,
    pub(super) limit: Option<Duration>,
    pub(super) pinned: Option<Pinned>,
}

impl Options {
    pub(super) fn of(extensions: &http::Extensions) -> Self {
        let pinned = extensions.get::<Pinned>().cloned();
        Self {
            direct: pinned.is_some() || extensions.get::<Direct>().is_some(),
            limit: extensions.get::<TimeLimit>().map(|limit| limit.0),
            pinned,
        }
    }
}
