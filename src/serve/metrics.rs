//! What a worker on leases counts, for Prometheus, and whether it is well.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use http::request::Parts;
use http::{Method, StatusCode};
use rolecall_core::{Clock, CredentialsError, ErrorKind, Result};
use rolecall_secrets::Metrics;

use super::answer::{self, Answer, refused, wrong_method};
use super::connection::Answers;
use super::gate;
use super::server::{accept_until, cannot_listen, listen};

/// Serves `/metrics` in Prometheus's text format and `/healthz`, on loopback.
#[derive(Debug)]
pub struct MetricsServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl MetricsServer {
    /// Listens on `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// `InvalidConfiguration` for an address that is not of loopback, or that cannot be had.
    pub fn bind(address: SocketAddr) -> Result<Self> {
        if !address.ip().is_loopback() {
            let message = format!("{address} is no address of loopback, and there is no password");
            return Err(CredentialsError::new(ErrorKind::InvalidConfiguration, "serve", message)
                .with_help("use 127.0.0.1:PORT, and a proxy if others are to see it"));
        }
        let failed = |error| cannot_listen(address.port(), error);
        let listener = listen(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop`.
    ///
    /// # Errors
    /// `Internal` if the socket cannot be waited for.
    pub async fn run(
        self,
        clock: Clock,
        metrics: Arc<Metrics>,
        stop: impl Future<Output = ()>,
    ) -> Result<()> {
        let port = self.address.port();
        let counters = Arc::new(Counters { port, metrics });
        accept_until(counters, clock, port, self.listener, None, stop).await
    }
}

#[derive(Debug)]
struct Counters {
    port: u16,
    metrics: Arc<Metrics>,
}

impl Answers for Counters {
    async fn answer(&self, request: &Parts) -> Answer {
        if let Some(refusal) = gate::check(request, self.port) {
            return refusal;
        }
        match (request.uri.path(), &request.method) {
            ("/metrics" | "/healthz", method) if *method != Method::GET => wrong_method("GET"),
            ("/metrics", _) => answer::metrics(self.metrics.text()),
            ("/healthz", _) if self.metrics.is_well() => answer::text(self.metrics.health()),
            ("/healthz", _) => {
                refused(StatusCode::SERVICE_UNAVAILABLE, self.metrics.health().trim_end())
            }
            _ => refused(StatusCode::NOT_FOUND, "there is nothing at this path"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_listened_on() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let error = MetricsServer::bind(address.parse().unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{address}");
        }
        let server = MetricsServer::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert!(MetricsServer::bind(server.address()).is_err(), "it is taken");
    }
}
