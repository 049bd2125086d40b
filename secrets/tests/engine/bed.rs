//! Leases in the kit's account, by a clock of the tests' own.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rolecall_core::http::{HttpClient, RetryPolicy};
use rolecall_core::{Clock, Context, Credentials, Env, SharedProvider};
use rolecall_kit::{IamUser as KitUser, Kit, World, names};
use rolecall_secrets::{
    Connect, Connection, DynamicSecret, IamUser, Lease, LeaseId, LeaseOptions, LeaseRequest,
    Leases, Orphan, Reached, ReapOptions, SecretKind, SqliteStore, Store, Worker, WorkerOptions,
};
use rolecall_sts::{AssumeRole, QueryEndpoint, StsClient};
use tempfile::TempDir;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// When tests begin, in seconds since 1970.
pub(crate) const START: i64 = 1_767_225_600;

/// The kit and a machine, whose clocks stand still together.
pub(crate) struct Bed {
    pub(crate) kit: Kit,
    pub(crate) clock: Clock,
    home: TempDir,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let kit = Kit::start(World::default());
        kit.freeze(START);
        let clock = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(START as u64));
        Self { kit, clock, home: TempDir::new().unwrap() }
    }

    /// When it began.
    pub(crate) fn start(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(START.cast_unsigned())
    }

    /// Lets time pass, for both.
    pub(crate) fn pass(&self, by: Duration) {
        self.clock.advance(by);
        self.kit.advance(by.as_secs().cast_signed());
    }

    pub(crate) fn context(&self) -> Context {
        context(self.home.path(), &self.clock)
    }

    pub(crate) async fn store(&self, name: &str) -> Arc<dyn Store> {
        let path = self.home.path().join(name).join("leases.db");
        Arc::new(SqliteStore::open(self.context(), &path).await.unwrap())
    }

    /// Leases in a store of that name, made and removed by the kit's administrator.
    pub(crate) async fn leases(&self, name: &str) -> Leases {
        let leases = self.opened(name).await;
        define(&leases).await;
        leases
    }

    /// The same again, as another process has them.
    pub(crate) async fn opened(&self, name: &str) -> Leases {
        let connect = connect(&self.kit.url(), admin(), None);
        Leases::new(self.context(), self.store(name).await, connect, options())
    }

    /// The users that leases have made.
    pub(crate) fn users(&self) -> Vec<KitUser> {
        leased_users(&self.kit)
    }
}

pub(crate) fn leased_users(kit: &Kit) -> Vec<KitUser> {
    let users = kit.iam_users(names::ACCOUNT).into_iter();
    users.filter(|user| user.path.contains("/rolecall/")).collect()
}

pub(crate) fn context(home: &Path, clock: &Clock) -> Context {
    let env = Env::from_pairs([("HOME", home.display().to_string())]);
    Context { env, clock: clock.clone(), ..Context::real() }
}

pub(crate) fn options() -> LeaseOptions {
    LeaseOptions { actor: "tess@box".to_owned(), calls_per_second: Some(10_000), sealing_key: None }
}

pub(crate) fn admin() -> SharedProvider {
    Arc::new(Credentials::new(names::ADMIN_KEY, names::ADMIN_SECRET, "the kit"))
}

pub(crate) fn endpoint(url: &str, service: &str) -> QueryEndpoint {
    QueryEndpoint {
        url: url.to_owned(),
        signing_region: "us-east-1".to_owned(),
        signing_name: service.to_owned(),
    }
}

/// Reaches the kit as somebody.
pub(crate) fn connect(
    url: &str,
    credentials: SharedProvider,
    http: Option<Arc<dyn HttpClient>>,
) -> Connect {
    let http = http.unwrap_or_else(|| Context::real().http);
    let reached = Reached {
        credentials,
        iam: endpoint(url, "iam"),
        sts: endpoint(url, "sts"),
        retry: RetryPolicy::default(),
        http,
    };
    Connect::new(move |_, _| Ok(reached.clone()))
}

/// A role of the kit, as its administrator assumes it.
pub(crate) async fn role(bed: &Bed, name: &str) -> SharedProvider {
    let sts = StsClient::new(bed.context(), endpoint(&bed.kit.url(), "sts"), Some(admin()));
    let input = AssumeRole {
        role_arn: format!("arn:aws:iam::{}:role/{name}", names::ACCOUNT),
        role_session_name: "tess".to_owned(),
        ..AssumeRole::default()
    };
    Arc::new(sts.assume_role(&input).await.unwrap().credentials)
}

pub(crate) fn secret() -> DynamicSecret {
    let user = IamUser {
        groups: vec![names::GROUP.to_owned()],
        policy_document: Some(
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:*","Resource":"*"}}"#
                .to_owned(),
        ),
        ..IamUser::default()
    };
    DynamicSecret {
        name: "app".to_owned(),
        description: String::new(),
        connection: Connection::Default,
        kind: SecretKind::IamUser(user),
        region: None,
        access: Vec::new(),
        default_ttl: MINUTE * 10,
        max_ttl: MINUTE * 120,
    }
}

pub(crate) async fn define(leases: &Leases) {
    leases.define(&secret()).await.unwrap();
}

pub(crate) fn request(ttl: Duration) -> LeaseRequest {
    LeaseRequest { secret: "app".to_owned(), ttl: Some(ttl), ..LeaseRequest::default() }
}

pub(crate) async fn take(leases: &Leases, ttl: Duration) -> Lease {
    leases.create(&request(ttl)).await.unwrap().lease
}

pub(crate) async fn look(leases: &Leases, id: LeaseId) -> Lease {
    leases.lease(id).await.unwrap()
}

/// Looks for orphans, which must not fail.
pub(crate) async fn reap(leases: &Leases, options: &ReapOptions) -> Vec<Orphan> {
    let reaped = leases.reap(&secret(), options).await;
    assert!(reaped.failure.is_none(), "{reaped:?}");
    reaped.orphans
}

pub(crate) fn worker(leases: &Leases) -> Worker {
    Worker::new(leases.clone(), WorkerOptions::default())
}
