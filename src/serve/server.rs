use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use rolecall_core::{Clock, Context, CredentialsError, ErrorKind, Result, Signals};
use tokio::net::TcpStream;

use super::announcement::Announcement;
use super::connection::Connections;
use super::profile::ServedProfile;
use super::router::Router;
use super::{ServeOptions, TokenFile};

/// How long to wait where the system cannot take another connection, for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves profiles on loopback. It listens from the start, and answers while it [runs](Self::run).
#[derive(Debug)]
pub struct Server {
    router: Arc<Router>,
    clock: Clock,
    port: u16,
    ipv4: TcpListener,
    ipv6: Option<TcpListener>,
    serves_imds: bool,
    serves_container: bool,
}

impl Server {
    /// Listens on 127.0.0.1, for `profiles`, of which there must be one at least. The first is the
    /// one that clients get which ask for none by name.
    ///
    /// # Errors
    /// `InvalidConfiguration` if the port cannot be had, two profiles have one name, or there is
    /// nothing to serve.
    pub fn bind(
        context: &Context,
        profiles: Vec<ServedProfile>,
        options: &ServeOptions,
    ) -> Result<Self> {
        check(&profiles, options)?;
        let failed = |error: io::Error| cannot_listen(options.port, error);
        let ipv4 = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port))).map_err(failed)?;
        ipv4.set_ttl(options.hop_limit.into()).map_err(failed)?;
        let port = ipv4.local_addr().map_err(failed)?.port();
        let ipv6 = options.ipv6.then(|| {
            let listener = listen(SocketAddr::from((Ipv6Addr::LOCALHOST, port)))?;
            rustix::net::sockopt::set_ipv6_unicast_hops(&listener, Some(options.hop_limit))?;
            io::Result::Ok(listener)
        });
        Ok(Self {
            router: Arc::new(Router::new(context, profiles, options, port)?),
            clock: context.clock.clone(),
            port,
            ipv4,
            ipv6: ipv6.transpose().map_err(failed)?,
            serves_imds: options.imds,
            serves_container: options.authorization.is_some(),
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What to set so that SDKs ask here.
    pub fn announcement(&self, token_file: Option<&TokenFile>) -> Announcement {
        Announcement::new(
            self.port,
            &self.router.profiles,
            self.serves_imds,
            self.serves_container,
            token_file,
        )
    }

    /// Gets every profile's first credentials: what is wrong with a profile shows at the start, and
    /// a person is asked while still there. A source that cannot be reached yet is let pass.
    ///
    /// # Errors
    /// What the first profile says that cannot be served.
    pub async fn warm_up(&self) -> Result<()> {
        for profile in &self.router.profiles {
            match profile.credentials().await {
                Err(error)
                    if !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut) =>
                {
                    return Err(error);
                }
                // A failure has been logged where it happened.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Answers until `stop`, then finishes what is being answered: it ends within five seconds.
    ///
    /// # Errors
    /// `Internal` if the sockets cannot be waited for.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<()> {
        let failed = |error: io::Error| cannot_listen(self.port, error);
        let ipv4 = tokio::net::TcpListener::from_std(self.ipv4).map_err(failed)?;
        let ipv6 = self.ipv6.map(tokio::net::TcpListener::from_std).transpose().map_err(failed)?;
        let mut connections = Connections::new(self.router, self.clock.clone());
        let mut stop = std::pin::pin!(stop);
        loop {
            let next = async {
                connections.make_room().await;
                accept(&ipv4, ipv6.as_ref()).await
            };
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = next => accepted,
            };
            match accepted {
                Ok(stream) => connections.add(stream),
                // The client is gone already.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection");
                    self.clock.sleep(PAUSE).await;
                }
            }
        }
        drop((ipv4, ipv6));
        connections.finish().await;
        Ok(())
    }

    /// Answers until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// `Internal` if signals cannot be heard; as [`Self::run`].
    pub async fn run_until_signal(self) -> Result<()> {
        let mut signals = Signals::to_stop().map_err(|error| {
            let message = format!("cannot listen for signals: {error}");
            CredentialsError::new(ErrorKind::Internal, "serve", message).with_source(error)
        })?;
        self.run(async {
            signals.next().await;
        })
        .await
    }
}

async fn accept(
    ipv4: &tokio::net::TcpListener,
    ipv6: Option<&tokio::net::TcpListener>,
) -> io::Result<TcpStream> {
    let on_ipv6 = async {
        match ipv6 {
            Some(listener) => listener.accept().await,
            None => std::future::pending().await,
        }
    };
    let (stream, _) = tokio::select! {
        accepted = ipv4.accept() => accepted?,
        accepted = on_ipv6 => accepted?,
    };
    Ok(stream)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn check(profiles: &[ServedProfile], options: &ServeOptions) -> Result<()> {
    let wrong = |message: String, help: &'static str| {
        let kind = ErrorKind::InvalidConfiguration;
        Err(CredentialsError::new(kind, "serve", message).with_help(help))
    };
    if profiles.is_empty() {
        return wrong("there is no profile to serve".to_owned(), "name one with --profile");
    }
    if !options.imds && options.authorization.is_none() {
        return wrong(
            "there is no endpoint to serve".to_owned(),
            "choose IMDS, the container endpoint or both",
        );
    }
    if options.hop_limit == 0 {
        return wrong("the hop limit is 0".to_owned(), "use a number from 1 to 255");
    }
    for (number, profile) in profiles.iter().enumerate() {
        if profiles[..number].iter().any(|other| other.name() == profile.name()) {
            return wrong(format!("profile {} is named twice", profile.name()), "name it once");
        }
    }
    Ok(())
}

fn cannot_listen(port: u16, error: io::Error) -> CredentialsError {
    let message = format!("cannot listen on port {port} of loopback: {error}");
    CredentialsError::new(ErrorKind::InvalidConfiguration, "serve", message)
        .with_help("choose another port; 0 takes a free one")
        .with_source(error)
}
