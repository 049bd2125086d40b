use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::SystemTime;

use rolecall_core::{Clock, Credentials, Env, Fs, Random, SharedProvider};
use rolecall_kit::{Kit, World, names};
use rolecall_secrets::{AuthOptions, SqliteStore};
use rolecall_sts::identity::Bounds;
use tempfile::TempDir;

use super::*;
use crate::SessionOptions;

const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", names::ALICE_KEY), ("AWS_SECRET_ACCESS_KEY", names::ALICE_SECRET)];

/// The kit, a machine and a store with one method.
struct Bed {
    kit: Kit,
    home: TempDir,
    clock: Clock,
    auth: Auth,
}

impl Bed {
    async fn new() -> Self {
        const START: u64 = 1_767_225_600;
        let (kit, home) = (Kit::start(World::default()), TempDir::new().unwrap());
        kit.freeze(START.cast_signed());
        let clock = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(START));
        let context = context(&kit, home.path(), &clock, &[]);
        let store = SqliteStore::open(context.clone(), &home.path().join("a/leases.db")).await;
        let auth = Auth::new(context.clone(), Arc::new(store.unwrap()), AuthOptions::default());
        let bounds = Bounds {
            account_ids: vec![names::ACCOUNT.to_owned()],
            sts_url: Some(kit.url()),
            ..Bounds::default()
        };
        let bed = Self { kit, home, clock, auth: auth.unwrap() };
        bed.auth.create(&AuthMethod { bounds, ..AuthMethod::new(&context, "m") }).await.unwrap();
        bed
    }

    fn session(&self, env: &[(&str, &str)], provider: Option<SharedProvider>) -> Session {
        let context = Some(context(&self.kit, self.home.path(), &self.clock, env));
        Session::new(SessionOptions { context, provider, ..SessionOptions::default() }).unwrap()
    }

    async fn log_in(&self, session: &Session) -> Result<AuthSession> {
        self.clock.advance(NEXT_SECOND);
        self.kit.advance(1);
        let options = LoginOptions { access_id: Some("m".to_owned()), no_cache: false };
        log_in(&self.auth, session, None, &options).await
    }

    fn kept(&self) -> Vec<String> {
        let folder = self.home.path().join(".aws/rolecall/sessions");
        Fs::real().list(&folder).unwrap_or_default()
    }
}

fn context(kit: &Kit, home: &Path, clock: &Clock, env: &[(&str, &str)]) -> Context {
    let url = kit.url();
    let base = [
        ("HOME", home.to_str().unwrap()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", &url),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let env = Env::from_pairs(base.iter().chain(env).copied());
    Context { env, clock: clock.clone(), random: Random::seeded(7), ..Context::real() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_never_gets_the_session_of_another() {
    let bed = Bed::new().await;
    let mut arns = Vec::new();
    for (id, secret) in
        [(names::ALICE_KEY, names::ALICE_SECRET), (names::ADMIN_KEY, names::ADMIN_SECRET)]
    {
        let provider = Arc::new(Credentials::new(id, secret, "mine"));
        let begun = bed.log_in(&bed.session(&[], Some(provider))).await.unwrap();
        arns.push(begun.claims.identity.arn);
    }
    assert!(arns[0].ends_with(":user/alice") && arns[1].ends_with(":user/admin"), "{arns:?}");
    assert!(bed.kept().is_empty(), "{:?}", bed.kept());
}

#[test]
fn plans_that_may_be_somebody_else_next_time_keep_nothing() {
    let (kit, home) = (Kit::start(World::default()), TempDir::new().unwrap());
    let clock = Context::real().clock;
    let config = "[profile run]\ncredential_process = /bin/one\n\
        [profile a]\nrole_arn = R\nrole_session_name = first\nsource_profile = keys\n\
        [profile b]\nrole_arn = R\nrole_session_name = second\nsource_profile = keys\n\
        [profile c]\nrole_arn = R\nrole_session_name = second\nexternal_id = other\nsource_profile = keys\n\
        [profile keys]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\n";
    let config = config.replace("= R\n", "= arn:aws:iam::111111111111:role/Deploy\n");
    Fs::real().create_folder(&home.path().join(".aws")).unwrap();
    Fs::real().write(&home.path().join(".aws/config"), config.as_bytes()).unwrap();
    let place_of = |env: &[(&str, &str)]| {
        let context = Some(context(&kit, home.path(), &clock, env));
        let options = SessionOptions { context, ..SessionOptions::default() };
        place(&Session::new(options).unwrap(), "urn:x", "p-12345678")
    };
    assert_eq!(place_of(&[("AWS_PROFILE", "run")]), None);
    let metadata = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/");
    assert_eq!(place_of(&[metadata]), None);
    let places = ["keys", "a", "b", "c"].map(|name| place_of(&[("AWS_PROFILE", name)]).unwrap());
    let different: std::collections::HashSet<_> = places.iter().collect();
    assert_eq!(different.len(), 4, "{places:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_another_login_takes_the_session_that_it_has_kept() {
    let bed = Bed::new().await;
    let session = bed.session(&KEYS, None);
    let first = bed.log_in(&session).await.unwrap();
    let place = bed.home.path().join(".aws/rolecall/sessions").join(&bed.kept()[0]);
    Fs::real().remove(&place).unwrap();
    // In the same second, before the first one has kept its session.
    let options = LoginOptions { access_id: Some("m".to_owned()), no_cache: false };
    let mut second = pin!(log_in(&bed.auth, &session, None, &options));
    let found = poll_fn(|task| {
        let polled = second.as_mut().poll(task);
        if polled.is_pending() && !bed.clock.sleeps().is_empty() {
            Fs::real().write(&place, first.token.expose().as_bytes()).unwrap();
        }
        polled
    });
    assert_eq!(found.await.unwrap(), first);
    let [pause] = bed.clock.sleeps()[..] else { panic!("{:?}", bed.clock.sleeps()) };
    assert!(pause > NEXT_SECOND && pause < NEXT_SECOND * 2, "{pause:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_session_that_is_refused_is_removed() {
    let bed = Bed::new().await;
    let session = bed.session(&KEYS, None);
    let begun = bed.log_in(&session).await.unwrap();
    assert_eq!(bed.log_in(&session).await.unwrap(), begun);
    assert_eq!(bed.kept().len(), 1);
    let StoredMethod { mut method, version, .. } = bed.auth.method("m").await.unwrap();
    method.bounds.user_names = vec!["bob".to_owned()];
    bed.auth.update(&method, version).await.unwrap();
    let error = bed.log_in(&session).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(bed.kept().is_empty(), "{:?}", bed.kept());
}

#[test]
fn the_dialect_is_one_that_is_bound_to_this_server_if_there_is_one() {
    let method = |formats: &[TokenFormat], server_id: Option<&str>, cluster: Option<&str>| {
        let (server_id, cluster) = (server_id.map(str::to_owned), cluster.map(str::to_owned));
        let method = AuthMethod::new(&Context::real(), "m");
        AuthMethod { formats: formats.to_vec(), server_id, cluster, ..method }
    };
    let both = [TokenFormat::Vault, TokenFormat::Eks];
    let of = |method: AuthMethod| dialect(&method).unwrap();
    assert!(matches!(of(method(&both, Some("v"), Some("c"))), Dialect::Vault { .. }));
    assert!(matches!(of(method(&both, None, Some("c"))), Dialect::Eks { .. }));
    assert!(matches!(of(method(&both, None, None)), Dialect::Vault { .. }));
}
