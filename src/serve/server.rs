use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use rolecall_core::{Clock, Context, CredentialsError, ErrorKind, Result, Signals};
use tokio::net::TcpStream;

use super::announcement::Announcement;
use super::connection::{Answers, Connections};
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
            match profile.first_credentials().await {
                Ok(_) => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut) =>
                {
                    let name = profile.name();
                    tracing::warn!(profile = name, %error, "no credentials yet; serving all the same");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Answers until `stop`, then finishes what is being answered: it ends within five seconds.
    ///
    /// # Errors
    /// `Internal` if the sockets cannot be waited for.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<()> {
        accept_until(self.router, self.clock, self.port, self.ipv4, self.ipv6, stop).await
    }
}

/// Lets `router` answer what comes until `stop`, then finishes what is being answered.
pub(super) async fn accept_until<A: Answers>(
    router: Arc<A>,
    clock: Clock,
    port: u16,
    ipv4: TcpListener,
    ipv6: Option<TcpListener>,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let failed = |error: io::Error| cannot_listen(port, error);
    let ipv4 = tokio::net::TcpListener::from_std(ipv4).map_err(failed)?;
    let ipv6 = ipv6.map(tokio::net::TcpListener::from_std).transpose().map_err(failed)?;
    let mut connections = Connections::new(router, clock.clone());
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
                clock.sleep(PAUSE).await;
            }
        }
    }
    drop((ipv4, ipv6));
    connections.finish().await;
    Ok(())
}

/// What SIGTERM or SIGINT brings about, from this call on: for [`Server::run`].
///
/// # Errors
/// `Internal` if signals cannot be heard.
pub fn stop_signal() -> Result<impl Future<Output = ()>> {
    let signals = Signals::to_stop().map_err(|error| {
        let message = format!("cannot listen for signals: {error}");
        CredentialsError::new(ErrorKind::Internal, "serve", message).with_source(error)
    });
    let mut signals = signals?;
    Ok(async move {
        signals.next().await;
    })
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

pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
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
        if options.imds && number > 0 && profile.name() == profiles[0].role_name() {
            let first = profiles[0].name();
            let name = profile.name();
            return wrong(
                format!(
                    "{name} is a profile and the role of profile {first}, and IMDS has one name"
                ),
                "serve the two by processes of their own, or with --ecs",
            );
        }
    }
    Ok(())
}

pub(super) fn cannot_listen(port: u16, error: io::Error) -> CredentialsError {
    let message = format!("cannot listen on port {port} of loopback: {error}");
    CredentialsError::new(ErrorKind::InvalidConfiguration, "serve", message)
        .with_help("choose another port; 0 takes a free one")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::super::testing::{
        AUTHORIZATION, SECRET, Scripted, context, profile, profiles, session,
    };
    use super::*;

    struct Running {
        port: u16,
        stop: oneshot::Sender<()>,
        task: JoinHandle<Result<()>>,
    }

    fn options() -> ServeOptions {
        let authorization = Some(AUTHORIZATION.into());
        ServeOptions { port: 0, authorization, ..ServeOptions::default() }
    }

    fn serve(profiles: Vec<ServedProfile>, options: &ServeOptions) -> Running {
        let server = Server::bind(&context(), profiles, options).unwrap();
        let (stop, stopped) = oneshot::channel();
        let port = server.port();
        let stopped = async { stopped.await.unwrap() };
        Running { port, stop, task: tokio::spawn(server.run(stopped)) }
    }

    async fn connect(port: u16) -> TcpStream {
        connect_to(Ipv4Addr::LOCALHOST.into(), port).await.unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "what connects is another program")]
    async fn connect_to(address: IpAddr, port: u16) -> io::Result<TcpStream> {
        TcpStream::connect((address, port)).await
    }

    /// Everything the server says until it closes the connection.
    async fn rest(mut stream: TcpStream) -> String {
        let mut said = Vec::new();
        // A reset is an end too.
        let _ = stream.read_to_end(&mut said).await;
        String::from_utf8(said).unwrap()
    }

    fn request(port: u16) -> String {
        format!(
            "GET /creds HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: {AUTHORIZATION}\r\n\r\n"
        )
    }

    /// Asks on a kept connection, and waits for the whole answer.
    async fn ask(stream: &mut TcpStream, port: u16) {
        stream.write_all(request(port).as_bytes()).await.unwrap();
        let mut said = String::new();
        while !said.ends_with('}') {
            let mut some = [0; 4096];
            let read = stream.read(&mut some).await.unwrap();
            assert!(read > 0, "closed after {said}");
            said += std::str::from_utf8(&some[..read]).unwrap();
        }
        assert!(said.starts_with("HTTP/1.1 200 ") && said.contains("ASIADEPLOY"), "{said}");
    }

    #[tokio::test]
    async fn what_is_being_answered_when_it_stops_is_answered() {
        let context = context();
        let provider = Scripted::new(vec![session("ASIADEPLOY", 3600)], 0);
        let running = serve(vec![profile(&context, "p", provider.clone())], &options());
        let mut waiting = connect(running.port).await;
        waiting.write_all(request(running.port).as_bytes()).await.unwrap();
        let silent = connect(running.port).await;
        while provider.calls() == 0 {
            tokio::task::yield_now().await;
        }
        running.stop.send(()).unwrap();
        assert_eq!(rest(silent).await, "");
        let nobody = connect_to(Ipv4Addr::LOCALHOST.into(), running.port).await;
        assert_eq!(nobody.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        provider.gate.add_permits(1);
        let said = rest(waiting).await;
        assert!(said.starts_with("HTTP/1.1 200 ") && said.contains("ASIADEPLOY"), "{said}");
        running.task.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_waits_for_nobody_for_ever() {
        let provider = Scripted::new(vec![session("ASIADEPLOY", 3600)], 0);
        let running = serve(vec![profile(&context(), "p", provider.clone())], &options());
        let mut waiting = connect(running.port).await;
        waiting.write_all(request(running.port).as_bytes()).await.unwrap();
        while provider.calls() == 0 {
            tokio::task::yield_now().await;
        }
        running.stop.send(()).unwrap();
        running.task.await.unwrap().unwrap();
        assert_eq!(rest(waiting).await, "");
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_dawdle_are_left() {
        let running = serve(profiles(&context()), &options());
        let request = request(running.port);
        for sent in [0, 1, 20, request.len() - 1] {
            let mut stream = connect(running.port).await;
            stream.write_all(&request.as_bytes()[..sent]).await.unwrap();
            let said = rest(stream).await;
            assert!(!said.contains(SECRET), "{said}");
        }
        // So is who has been answered and keeps the connection for nothing.
        let mut stream = connect(running.port).await;
        ask(&mut stream, running.port).await;
        assert_eq!(rest(stream).await, "");
    }

    #[tokio::test]
    async fn who_opens_many_connections_and_says_nothing_locks_nobody_out() {
        let running = serve(profiles(&context()), &options());
        let mut silent = Vec::new();
        for _ in 0..600 {
            let mut stream = connect(running.port).await;
            stream.write_all(b"GET /creds HT").await.unwrap();
            silent.push(stream);
        }
        let mut stream = connect(running.port).await;
        for _ in 0..3 {
            ask(&mut stream, running.port).await;
        }
        assert_eq!(rest(silent.remove(0)).await, "", "the oldest goes first");
    }

    #[tokio::test]
    async fn large_heads_are_refused_and_bodies_not_read() {
        let running = serve(profiles(&context()), &options());
        for (head, status) in [
            (format!("GET /creds HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000)), "431"),
            (format!("GET /creds HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(100)), "431"),
            ("junk\r\n\r\n".to_owned(), "400"),
            (
                request(running.port).replace("\r\n\r\n", "\r\nContent-Length: 1000000000\r\n\r\n"),
                "200",
            ),
        ] {
            let mut stream = connect(running.port).await;
            stream.write_all(head.as_bytes()).await.unwrap();
            let said = rest(stream).await;
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
        }
    }

    #[tokio::test]
    async fn the_hop_limit_is_that_of_every_connection() {
        let options = ServeOptions { hop_limit: 3, ipv6: true, ..options() };
        let server = Server::bind(&context(), profiles(&context()), &options).unwrap();
        let _client = connect(server.port()).await;
        let (accepted, _) =
            tokio::net::TcpListener::from_std(server.ipv4).unwrap().accept().await.unwrap();
        assert_eq!(accepted.ttl().unwrap(), 3);
        let ipv6 = server.ipv6.unwrap();
        assert_eq!(rustix::net::sockopt::ipv6_unicast_hops(&ipv6).unwrap(), 3);
    }

    #[tokio::test]
    async fn both_families_are_served() {
        let options = ServeOptions { ipv6: true, ..options() };
        let running = serve(profiles(&context()), &options);
        let mut stream = connect_to(Ipv6Addr::LOCALHOST.into(), running.port).await.unwrap();
        ask(&mut stream, running.port).await;
        ask(&mut connect(running.port).await, running.port).await;
    }

    #[test]
    fn what_cannot_be_served_is_said() {
        let context = context();
        let twice = [profiles(&context), profiles(&context)].concat();
        for (profiles, options, part) in [
            (vec![], options(), "no profile"),
            (twice, options(), "deploy is named twice"),
            (profiles(&context), ServeOptions { hop_limit: 0, ..options() }, "hop limit"),
            (
                profiles(&context),
                ServeOptions { imds: false, authorization: None, ..options() },
                "no endpoint",
            ),
        ] {
            let error = Server::bind(&context, profiles, &options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.message().contains(part) && error.help().is_some(), "{error}");
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let options = ServeOptions { port, ..options() };
        let error = Server::bind(&context, profiles(&context), &options).unwrap_err();
        assert!(error.message().contains(&port.to_string()) && error.help().is_some(), "{error}");
    }

    #[test]
    fn the_announcement_says_what_to_set() {
        let context = context();
        let server = Server::bind(&context, profiles(&context), &options()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a folder/token");
        let token = AUTHORIZATION.into();
        let file = TokenFile::write(&context, Some(&place), server.port(), &token).unwrap();
        let announcement = server.announcement(Some(&file));
        let (port, shown) = (server.port(), place.display().to_string());
        let imds = format!("http://127.0.0.1:{port}/");
        let container = |name: &str| {
            json!({
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": format!("http://127.0.0.1:{port}/creds/{name}"),
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": shown,
            })
        };
        let expected = json!({
            "port": port,
            "imds": {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds},
            "profiles": [
                {"profile": "deploy", "role": "Deploy", "container": container("deploy")},
                {"profile": "plain one", "role": "plain one", "container": container("plain%20one")},
                {"profile": "broken", "role": "broken", "container": container("broken")},
            ],
        });
        assert_eq!(announcement.to_json(), expected);
        let text = announcement.to_string();
        assert_eq!(text.matches("AWS_EC2_METADATA_SERVICE_ENDPOINT=http").count(), 1, "{text}");
        assert!(text.contains(&format!("TOKEN_FILE='{shown}'\n")), "{text}");
        assert!(!text.contains(AUTHORIZATION), "{text}");
        drop(file);
        assert!(!place.exists());
    }
}
