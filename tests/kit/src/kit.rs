//! The handle that tests hold.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::calls::Call;
use crate::chaos::FaultRule;
use crate::eks::Addresses;
use crate::iam::{self, ByHand, IamSettings, IamUser};
use crate::principal::Session;
use crate::rolesanywhere::{Issued, NewCertificate};
use crate::secret::Secret;
use crate::server::Door;
use crate::state::{Shared, State};
use crate::world::World;
use crate::{SsoLogin, saml};
use crate::{jwt, server, sso, sts, tls};

/// How to start.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The world to start with.
    pub world: World,
    /// Port of the plain listener; 0 takes a free one.
    pub port: u16,
    /// Also listen with TLS, on a free port.
    pub tls: bool,
}

/// An AWS on loopback. Stops when dropped.
pub struct Kit {
    shared: Arc<Shared>,
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    imds_address: SocketAddr,
    container_address: SocketAddr,
    ca_pem: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Kit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Kit").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Kit {
    /// Serves a world on a free port, without TLS.
    ///
    /// # Panics
    /// If loopback cannot be listened on.
    pub fn start(world: World) -> Kit {
        Kit::start_with(Options { world, ..Options::default() })
            .expect("loopback can be listened on")
    }

    /// Serves a world with and without TLS, on free ports.
    ///
    /// # Panics
    /// If loopback cannot be listened on.
    pub fn start_tls(world: World) -> Kit {
        Kit::start_with(Options { world, tls: true, ..Options::default() })
            .expect("loopback can be listened on")
    }

    /// Serves as told, on a thread with a runtime of its own: tests need none.
    ///
    /// # Errors
    /// If the port cannot be listened on, or a certificate cannot be made.
    pub fn start_with(options: Options) -> io::Result<Kit> {
        let listen = |port| -> io::Result<(std::net::TcpListener, SocketAddr)> {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = listen(options.port)?;
        let secure = if options.tls { Some((tls::make()?, listen(0)?)) } else { None };
        let (imds, imds_address) = listen(0)?;
        let (container, container_address) = listen(0)?;
        let tls_address = secure.as_ref().map(|(_, (_, address))| *address);
        let ca_pem = secure.as_ref().map(|(tls, _)| tls.ca_pem.clone());

        let shared = Arc::new(Shared::new(options.world));
        let servers = match tls_address {
            Some(address) => format!("https://{address}"),
            None => format!("http://{address}"),
        };
        shared.lock().addresses = Addresses {
            sts: [Some(address), tls_address]
                .into_iter()
                .flatten()
                .map(|a| a.to_string())
                .collect(),
            servers,
            ca_pem: ca_pem.clone().unwrap_or_default(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        // One thread: what a benchmark measures is then one core of the kit.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let state = Arc::clone(&shared);
        let serve = async move {
            if let Some((tls, (listener, _))) = secure {
                let listener = TcpListener::from_std(listener)?;
                let (tls, state) = (Some(tls.acceptor), Arc::clone(&state));
                tokio::spawn(server::serve(listener, Door::Aws, tls, state));
            }
            for (listener, door) in
                [(listener, Door::Aws), (imds, Door::Imds), (container, Door::Container)]
            {
                let listener = TcpListener::from_std(listener)?;
                tokio::spawn(server::serve(listener, door, None, Arc::clone(&state)));
            }
            // Dropping the handle's sender ends this too.
            let _ = stopped.await;
            io::Result::Ok(())
        };
        let thread =
            std::thread::Builder::new().name("rolecall-kit".to_owned()).spawn(move || {
                // A listener that cannot be registered shows as a kit that does not answer.
                let _ = runtime.block_on(serve);
            })?;
        Ok(Kit {
            shared,
            address,
            tls_address,
            imds_address,
            container_address,
            ca_pem,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The plain listener's port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `https://127.0.0.1:PORT`, if started with TLS.
    pub fn tls_url(&self) -> Option<String> {
        self.tls_address.map(|address| format!("https://{address}"))
    }

    /// Where the metadata service is, for `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
    pub fn imds_url(&self) -> String {
        format!("http://{}", self.imds_address)
    }

    /// The metadata service's port.
    pub fn imds_port(&self) -> u16 {
        self.imds_address.port()
    }

    /// ECS's endpoint, for `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    pub fn container_url(&self) -> String {
        let id = self.shared.lock().world.container.id.clone();
        format!("http://{}/v2/credentials/{id}", self.container_address)
    }

    /// EKS Pod Identity's endpoint, for `AWS_CONTAINER_CREDENTIALS_FULL_URI`; it wants
    /// [`names::POD_TOKEN`](crate::names::POD_TOKEN).
    pub fn pod_identity_url(&self) -> String {
        format!("http://{}/v1/credentials", self.container_address)
    }

    /// The port of the containers' endpoints.
    pub fn container_port(&self) -> u16 {
        self.container_address.port()
    }

    /// Lets every token of the metadata service end, as if their time were over.
    pub fn expire_imds_tokens(&self) {
        self.shared.lock().metadata.expire_tokens();
    }

    /// The certificate of the kit's authority, if started with TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// The kit's time, in seconds since 1970.
    pub fn now(&self) -> i64 {
        self.shared.lock().clock.now()
    }

    /// Makes the kit's clock stand still at a second.
    pub fn freeze(&self, unix_seconds: i64) {
        self.shared.lock().clock.freeze(unix_seconds);
    }

    /// Moves the kit's clock on (negative: back).
    pub fn advance(&self, seconds: i64) {
        self.shared.lock().clock.advance(seconds);
    }

    /// Lets the kit's clock run so many seconds ahead of the machine's.
    pub fn skew(&self, seconds: i64) {
        self.shared.lock().clock.skew(seconds);
    }

    /// Adds a fault.
    pub fn inject(&self, rule: FaultRule) {
        self.shared.lock().chaos.add(rule);
    }

    /// Takes all faults away. Calls that a gate holds stay held.
    pub fn clear_faults(&self) {
        self.shared.lock().chaos.clear();
    }

    /// Lets go what [`crate::Fault::Hold`] holds at a gate, now and later, until [`Kit::reset`].
    pub fn open(&self, gate: &str) {
        self.shared.open_gate(gate);
    }

    /// The calls answered so far, oldest first (the newest 20,000).
    pub fn calls(&self) -> Vec<Call> {
        self.shared.lock().calls.list().cloned().collect()
    }

    /// How many calls of an operation have arrived.
    pub fn count(&self, operation: &str) -> u64 {
        self.shared.lock().calls.count(operation)
    }

    /// How many calls have arrived, by operation.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.shared.lock().calls.counts().clone()
    }

    /// The operations of a service, e.g. `iam`, in the order of their arrival.
    pub fn operations(&self, service: &str) -> Vec<String> {
        self.shared.lock().calls.operations(service)
    }

    /// Waits until so many calls of an operation have arrived; `false` if they do not in 30 s.
    pub fn wait_for(&self, operation: &str, count: u64) -> bool {
        let ready = |state: &State| state.calls.count(operation) >= count;
        self.shared.wait_until(Duration::from_secs(30), ready)
    }

    /// Waits until so many calls of an operation have been carried out or refused, whether or not
    /// the answer got through; `false` if they have not in 30 s.
    pub fn wait_for_work(&self, operation: &str, count: usize) -> bool {
        let done = |state: &State| {
            state.calls.list().filter(|call| call.operation == operation).count() >= count
        };
        self.shared.wait_until(Duration::from_secs(30), done)
    }

    /// Forgets calls, counts, faults, gates, used MFA codes, the clock's shift and IAM's settings.
    /// The world and the sessions stay.
    pub fn reset(&self) {
        self.shared.lock().reset();
        self.shared.close_gates();
    }

    /// A copy of the world.
    pub fn world(&self) -> World {
        self.shared.lock().world.clone()
    }

    /// Changes the world.
    pub fn change_world<R>(&self, change: impl FnOnce(&mut World) -> R) -> R {
        change(&mut self.shared.lock().world)
    }

    /// Every IAM user of an account but its root, with everything attached to it.
    pub fn iam_users(&self, account: &str) -> Vec<IamUser> {
        iam::look_at_users(&self.shared.lock().world, Some(account))
    }

    /// Sets how IAM behaves, until [`Kit::reset`].
    pub fn set_iam(&self, settings: IamSettings) {
        self.shared.lock().iam.set(settings);
    }

    /// Adds things to a user past the calls, as somebody does by hand; tells the ids of what has
    /// one.
    ///
    /// # Errors
    /// What of it is not there.
    pub fn add_by_hand(&self, wanted: &ByHand) -> Result<Value, String> {
        iam::add_by_hand(&mut self.shared.lock(), wanted)
    }

    /// Every session handed out so far.
    pub fn sessions(&self) -> Vec<Session> {
        self.shared.lock().sessions.values().cloned().collect()
    }

    /// Ends a session now, as if it had run out.
    pub fn expire_session(&self, access_key_id: &str) {
        let mut state = self.shared.lock();
        let now = state.clock.now();
        if let Some(session) = state.sessions.get_mut(access_key_id) {
            session.expires = now;
        }
    }

    /// Every secret, code and token that the kit knows or has handed out: no log may hold one.
    pub fn secrets(&self) -> Vec<Secret> {
        self.shared.lock().secrets()
    }

    /// A web identity token of the world's first OpenID Connect provider, good for an hour.
    pub fn web_identity_token(&self, subject: &str, audience: &str) -> String {
        self.web_identity_token_with(subject, audience, &Value::Null)
    }

    /// The same with further claims, which replace the kit's own (`{"exp": 1}` is long expired).
    pub fn web_identity_token_with(&self, subject: &str, audience: &str, claims: &Value) -> String {
        mint_web_identity_token(&mut self.shared.lock(), subject, audience, claims)
    }

    /// A SAML assertion of one of the world's providers, good for five minutes, base64.
    pub fn saml_assertion(&self, role_arn: &str, provider_arn: &str, session_name: &str) -> String {
        mint_saml_assertion(&mut self.shared.lock(), role_arn, provider_arn, session_name, 300)
    }

    /// Signs a user of IAM Identity Center in: the token file as `aws sso login` writes it.
    pub fn sso_login(&self, login: &SsoLogin) -> Value {
        sso::login(&mut self.shared.lock(), login)
    }

    /// Ends every sign-in of a user of IAM Identity Center.
    pub fn sso_sign_out(&self, user: &str) {
        sso::sign_out(&mut self.shared.lock(), user);
    }

    /// Issues a certificate of one of the authorities in the default world's trust anchor.
    ///
    /// # Panics
    /// If what is asked for cannot be written into a certificate.
    pub fn issue(&self, certificate: &NewCertificate) -> Issued {
        issue_certificate(&mut self.shared.lock(), certificate).expect("a certificate")
    }

    /// A message for DecodeAuthorizationMessage.
    pub fn encode_authorization_message(&self, message: &str) -> String {
        sts::encode_authorization_message(&self.shared.lock().message_key, message)
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed; it must not be a second one here.
            let _ = thread.join();
        }
    }
}

pub(crate) fn mint_web_identity_token(
    state: &mut State,
    subject: &str,
    audience: &str,
    further: &Value,
) -> String {
    let now = state.clock.now();
    let provider = state.world.oidc_providers.first();
    let (issuer, key) =
        provider.map_or(("", ""), |provider| (provider.url.as_str(), provider.hs256_key.expose()));
    let mut claims = json!({
        "iss": issuer, "sub": subject, "aud": audience, "iat": now, "exp": now + 3600,
        "jti": server::request_id(),
    });
    if let (Some(claims), Some(further)) = (claims.as_object_mut(), further.as_object()) {
        claims.extend(further.clone());
    }
    let token = jwt::mint(key, &claims);
    state.minted.push(Secret::new(token.as_str()));
    token
}

pub(crate) fn issue_certificate(
    state: &mut State,
    certificate: &NewCertificate,
) -> Result<Issued, String> {
    let issued = certificate.issue(state.clock.now())?;
    state.minted.extend(issued.private_key.clone());
    Ok(issued)
}

pub(crate) fn mint_saml_assertion(
    state: &mut State,
    role_arn: &str,
    provider_arn: &str,
    session_name: &str,
    lifetime: i64,
) -> String {
    let provider = state.world.saml_providers.iter().find(|provider| provider.arn == provider_arn);
    let (issuer, key) =
        provider.map_or(("", ""), |provider| (provider.issuer.as_str(), provider.key.expose()));
    let assertion = saml::mint(
        key,
        &saml::Mint {
            issuer,
            role_arn,
            provider_arn,
            subject: session_name,
            session_name,
            now: state.clock.now(),
            lifetime,
        },
    );
    state.minted.push(Secret::new(assertion.as_str()));
    assertion
}
