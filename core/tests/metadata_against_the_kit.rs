//! The metadata service and the containers' endpoints over real HTTP, with their faults.

#![expect(clippy::unwrap_used, reason = "a broken kit fails its test")]

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rolecall_core::http::{HttpClient, HttpFailure, Pinned, WebClient, WebSettings};
use rolecall_core::source::{ContainerProvider, ImdsProbe, ImdsProvider, ImdsSettings, probe_imds};
use rolecall_core::{Clock, Context, Credentials, Env, ErrorKind, Fs, ProvideCredentials, Result};
use rolecall_kit::{Fault, FaultRule, Imds, ImdsTokens, Kit, World, names};

/// Long enough for a busy machine to answer in, short enough to wait for.
const TIMEOUT: (&str, &str) = ("AWS_METADATA_SERVICE_TIMEOUT", "0.4");

/// Real HTTP through the proxies of `pairs`, the kit's time.
fn context(kit: &Kit, pairs: &[(&str, &str)]) -> Context {
    let env = Env::from_pairs(pairs.iter().copied());
    let seconds = kit.now().cast_unsigned();
    Context {
        http: Arc::new(WebClient::new(WebSettings::from_env(&env), Fs::real())),
        env,
        clock: Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
        ..Context::fake()
    }
}

fn kit(change: impl FnOnce(&mut Imds)) -> Kit {
    let kit = Kit::start(World::default());
    kit.change_world(|world| change(&mut world.imds));
    kit
}

struct Test {
    context: Context,
    settings: ImdsSettings,
    provider: ImdsProvider,
}

impl Test {
    fn new(kit: &Kit, pairs: &[(&str, &str)]) -> Self {
        let url = kit.imds_url();
        let mut all = vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str()), TIMEOUT];
        all.extend(pairs);
        let context = context(kit, &all);
        let settings = ImdsSettings::read(&context.env, None).unwrap();
        let provider = ImdsProvider::new(context.clone(), settings.clone());
        Self { context, settings, provider }
    }

    async fn ask(&self) -> Result<Credentials> {
        self.provider.provide_credentials().await
    }

    async fn probe(&self) -> ImdsProbe {
        probe_imds(&self.context, &self.settings).await
    }
}

const V1_DISABLED: (&str, &str) = ("AWS_EC2_METADATA_V1_DISABLED", "true");
const EXTENDED: (&str, &str) = ("AWS_ACCOUNT_ID_ENDPOINT_MODE", "preferred");
const COMMAND: &str = "aws ec2 modify-instance-metadata-options --instance-id";
const LIMIT: &str = "--http-put-response-hop-limit 2 --http-endpoint enabled";

fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn operations(kit: &Kit) -> Vec<String> {
    kit.calls().into_iter().map(|call| call.operation).collect()
}

#[tokio::test]
async fn credentials_come_and_no_proxy_is_asked() {
    let kit = kit(|_| {});
    let nowhere = format!("http://127.0.0.1:{}", closed_port());
    let proxies = [("http_proxy", nowhere.as_str()), ("ALL_PROXY", nowhere.as_str())];
    let test = Test::new(&kit, &proxies);
    let found = test.ask().await.unwrap();
    let sessions = kit.sessions();
    assert_eq!(found.access_key_id(), sessions[0].access_key_id);
    assert_eq!(found.secret_access_key().expose(), sessions[0].secret.expose());
    assert_eq!(found.time_left(test.context.clock.now()), Some(Duration::from_secs(21_600)));
    test.ask().await.unwrap();
    assert_eq!(kit.count("imds:token"), 1);
    assert!(matches!(
        test.probe().await,
        ImdsProbe::Working { version: 2, role: Some(role), .. } if role == "Instance"
    ));
}

#[tokio::test]
async fn the_account_comes_from_the_extended_api_where_there_is_one() {
    let new = kit(|_| {});
    let found = Test::new(&new, &[EXTENDED]).ask().await.unwrap();
    assert_eq!(found.account_id(), Some(names::ACCOUNT));
    let old = kit(|imds| imds.extended = false);
    assert_eq!(Test::new(&old, &[EXTENDED]).ask().await.unwrap().account_id(), None);
}

#[tokio::test]
async fn a_lost_answer_to_put_is_named_with_the_command_that_helps() {
    let required = kit(|imds| imds.hop_limit = 1);
    let test = Test::new(&required, &[]);
    let error = test.ask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.help().unwrap().contains(&format!("{COMMAND} INSTANCE_ID {LIMIT}")), "{error}");
    assert!(matches!(test.probe().await, ImdsProbe::HopLimit { .. }));

    let optional = kit(|imds| {
        imds.hop_limit = 1;
        imds.tokens = ImdsTokens::Optional;
    });
    let test = Test::new(&optional, &[V1_DISABLED]);
    let error = test.ask().await.unwrap_err();
    let expected = format!("{COMMAND} i-0a1b2c3d4e5f60718 {LIMIT}");
    assert!(error.help().unwrap().contains(&expected), "{error}");
    let test = Test::new(&optional, &[]);
    test.ask().await.unwrap();
    assert!(matches!(
        test.probe().await,
        ImdsProbe::HopLimit { command } if command == expected
    ));
}

#[tokio::test]
async fn one_late_answer_to_put_is_no_hop_limit() {
    let kit = kit(|_| {});
    let test = Test::new(&kit, &[("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1")]);
    kit.inject(FaultRule::next("imds:token", 2, Fault::Stall));
    assert!(matches!(test.probe().await, ImdsProbe::HopLimit { .. }));
    kit.clear_faults();
    kit.inject(FaultRule::next("imds:token", 1, Fault::Stall));
    test.ask().await.unwrap();
    kit.inject(FaultRule::next("imds:token", 1, Fault::Stall));
    assert!(matches!(test.probe().await, ImdsProbe::Working { version: 2, .. }));
}

#[tokio::test]
async fn a_slow_service_is_given_its_attempts_and_then_named() {
    let kit = kit(|_| {});
    kit.inject(FaultRule::always("*", Fault::Stall));
    let test = Test::new(&kit, &[("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "2")]);
    let error = test.ask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.message().contains("within 0.4 s"), "{error}");
    assert_eq!((kit.count("imds:token"), kit.count("imds:metadata")), (2, 1));
    assert!(matches!(test.probe().await, ImdsProbe::Slow { .. }));
    kit.clear_faults();
    kit.inject(FaultRule::next("imds:credentials", 1, Fault::Stall));
    test.ask().await.unwrap();
}

#[tokio::test]
async fn an_old_token_is_replaced() {
    let kit = kit(|_| {});
    let test = Test::new(&kit, &[]);
    test.ask().await.unwrap();
    kit.expire_imds_tokens();
    test.ask().await.unwrap();
    assert_eq!(kit.count("imds:token"), 2);
}

#[tokio::test]
async fn server_errors_and_junk_are_tried_again_and_then_named() {
    let kit = kit(|_| {});
    let junk = |body: &str| Fault::Raw {
        status: 200,
        content_type: "text/html".to_owned(),
        body: body.to_owned(),
        headers: std::collections::BTreeMap::new(),
    };
    let failure =
        || Fault::Fail { status: 500, code: "InternalError".to_owned(), message: String::new() };
    let page = "<html>sign in to the hotel's network</html>";
    for (operation, fault, kind) in [
        ("imds:token", failure(), ErrorKind::Unavailable),
        ("imds:token", Fault::Close, ErrorKind::Unavailable),
        ("imds:token", junk(page), ErrorKind::Malformed),
        ("imds:roles", failure(), ErrorKind::Unavailable),
        ("imds:roles", junk(page), ErrorKind::Malformed),
        (
            "imds:roles",
            Fault::Redirect { status: 302, location: page.into() },
            ErrorKind::Malformed,
        ),
        ("imds:credentials", failure(), ErrorKind::Unavailable),
        ("imds:credentials", junk("{\"Code\": \"Success\""), ErrorKind::Malformed),
        ("imds:credentials", Fault::Truncate, ErrorKind::Unavailable),
        ("imds:credentials", Fault::Large { bytes: 2_000_000 }, ErrorKind::Malformed),
    ] {
        let test = Test::new(&kit, &[]);
        let once = !matches!(fault, Fault::Redirect { .. } | Fault::Large { .. });
        if once {
            kit.inject(FaultRule::next(operation, 2, fault.clone()));
            test.ask().await.unwrap();
        }
        kit.inject(FaultRule::always(operation, fault.clone()));
        let test = Test::new(&kit, &[]);
        let error = test.ask().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{operation} {fault:?}: {error}");
        assert!(!format!("{error} {error:?}").contains("hotel"), "{error}");
        assert!(matches!(
            (operation, test.probe().await),
            ("imds:credentials", ImdsProbe::Working { .. }) | (_, ImdsProbe::Faulty(_))
        ));
        kit.reset();
    }
}

#[tokio::test]
async fn a_service_that_is_switched_off_is_not_asked_without_a_token() {
    let kit = kit(|imds| imds.enabled = false);
    let test = Test::new(&kit, &[]);
    let error = test.ask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("403"), "{error}");
    assert_eq!(operations(&kit), ["imds:token"]);
    assert!(matches!(test.probe().await, ImdsProbe::Disabled));
}

#[tokio::test]
async fn a_service_without_tokens_is_asked_without_where_that_is_allowed() {
    let kit = kit(|imds| imds.tokens = ImdsTokens::Unknown);
    Test::new(&kit, &[]).ask().await.unwrap();
    kit.reset();
    let error = Test::new(&kit, &[V1_DISABLED]).ask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(operations(&kit), ["imds:token"]);
}

#[tokio::test]
async fn no_service_and_no_role_let_a_chain_go_on() {
    let kit = kit(|imds| imds.role = None);
    let error = Test::new(&kit, &[]).ask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConfigured);
    let test = Test::new(&kit, &[]);
    drop(kit);
    let error = test.ask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConfigured);
    assert!(matches!(test.probe().await, ImdsProbe::Absent { .. }));
}

/// As outside EC2, where packets to the service's address get lost.
#[tokio::test]
async fn a_connection_that_never_comes_about_is_no_service() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    // One connection fills the queue, as nobody accepts it.
    #[expect(clippy::disallowed_methods, reason = "the test is its own client")]
    let _first = std::net::TcpStream::connect(address).unwrap();
    let kit = kit(|_| {});
    let url = format!("http://{address}");
    let test = Test::new(&kit, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str())]);
    let error = test.ask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConfigured);
    assert!(error.message().contains("no connection in time"), "{error}");
    assert!(matches!(test.probe().await, ImdsProbe::Absent { .. }));
}

#[tokio::test]
async fn credentials_outlive_an_outage_by_some_minutes() {
    let kit = kit(|_| {});
    let test = Test::new(&kit, &[]);
    let found = test.ask().await.unwrap();
    test.context.clock.advance(Duration::from_secs(21_600));
    drop(kit);
    let kept = test.ask().await.unwrap();
    assert_eq!(kept.access_key_id(), found.access_key_id());
    let left = kept.time_left(test.context.clock.now()).unwrap();
    assert!((300..=600).contains(&left.as_secs()), "{left:?}");
}

#[tokio::test]
async fn containers_get_credentials_by_address_and_by_name_and_no_proxy_is_asked() {
    let kit = kit(|_| {});
    let nowhere = format!("http://127.0.0.1:{}", closed_port());
    for url in [kit.container_url(), kit.container_url().replace("127.0.0.1", "localhost")] {
        let pairs = [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
            ("http_proxy", nowhere.as_str()),
        ];
        let provider = ContainerProvider::new(context(&kit, &pairs));
        let found = provider.provide_credentials().await.unwrap();
        assert_eq!(found.access_key_id(), kit.sessions()[0].access_key_id);
    }
    let hosts: Vec<_> = kit.calls().into_iter().filter_map(|call| call.host).collect();
    assert!(hosts[1].starts_with("localhost:"), "the name is what is asked for: {hosts:?}");
}

#[tokio::test]
async fn a_pod_shows_its_token_and_faults_are_tried_again() {
    let kit = kit(|_| {});
    let url = kit.pod_identity_url();
    let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str());
    let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", names::POD_TOKEN);
    kit.inject(FaultRule::next("container:eks", 1, Fault::Close));
    let failure = Fault::Fail { status: 503, code: "Busy".to_owned(), message: String::new() };
    kit.inject(FaultRule::next("container:eks", 1, failure));
    let provider = ContainerProvider::new(context(&kit, &[uri, token]));
    let found = provider.provide_credentials().await.unwrap();
    assert_eq!(found.account_id(), Some(names::ACCOUNT));
    assert_eq!(kit.count("container:eks"), 3);
    let provider = ContainerProvider::new(context(&kit, &[uri]));
    let error = provider.provide_credentials().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("token cannot be empty"), "{error}");
}

#[tokio::test]
async fn a_pinned_request_goes_to_the_checked_address_whatever_the_name_says() {
    let kit = kit(|_| {});
    let client = WebClient::new(WebSettings::default(), Fs::real());
    let url = kit.container_url().replace("127.0.0.1", "no-such-name.invalid");
    let request = http::Request::get(url).extension(Pinned(vec![[127, 0, 0, 1].into()]));
    let answer = client.send(request.body(Vec::new().into()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let error = client.resolve("no-such-name.invalid", 80).await.unwrap_err();
    assert_eq!(error.failure, HttpFailure::Connect);
    assert!(client.resolve("localhost", 80).await.unwrap().iter().all(|ip| ip.is_loopback()));
}
