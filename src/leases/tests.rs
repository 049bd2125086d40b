//! Leases by a clock and chance of the tests' own, against the kit.

use std::path::Path;
use std::time::Duration;

use rolecall_core::{Clock, Context, Env, ErrorKind, Fs, Random};
use rolecall_kit::{IamSettings, Kit, Lag, User, World, names};
use tempfile::TempDir;

use super::*;

/// A store in `home`, and a machine whose chance repeats itself.
async fn opened(kit: &Kit, home: &Path, clock: &Clock) -> Leases {
    let url = kit.url();
    let env = [
        ("HOME", home.to_str().unwrap()),
        ("USER", "tess"),
        ("HOSTNAME", "box"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", &url),
        ("ADMIN_SECRET", names::ADMIN_SECRET),
    ];
    let context = Context {
        env: Env::from_pairs(env),
        fs: Fs::real(),
        clock: clock.clone(),
        random: Random::seeded(7),
        ..Context::real()
    };
    let session = SessionOptions { context: Some(context), ..SessionOptions::default() };
    let leases = open(OpenOptions { session, ..OpenOptions::default() }).await.unwrap();
    let connection = Connection::AccessKey {
        access_key_id: names::ADMIN_KEY.to_owned(),
        secret_access_key: "env:ADMIN_SECRET".to_owned(),
    };
    let edit = DefinitionEdit { connection: Some(connection), ..DefinitionEdit::default() };
    leases.define(&edit.define("app", "iam-user").unwrap()).await.unwrap();
    leases
}

fn request() -> LeaseRequest {
    let ttl = Some(Duration::from_secs(60));
    LeaseRequest { secret: "app".to_owned(), ttl, ..LeaseRequest::default() }
}

fn clock() -> Clock {
    Clock::manual(Context::real().clock.now())
}

#[tokio::test]
async fn nothing_is_renewed_after_its_end_and_a_worker_takes_it_back() {
    let (kit, home, clock) = (Kit::start(World::default()), TempDir::new().unwrap(), clock());
    let leases = opened(&kit, home.path(), &clock).await;
    let lease = leases.create(&request()).await.unwrap().lease;
    assert_eq!(leases.trail(&lease.id.to_string()).await.unwrap()[0].actor, "tess@box");
    clock.advance(Duration::from_secs(59));
    let worker = Worker::new(leases.clone(), WorkerOptions::default());
    assert_eq!(worker.run_once().await.unwrap(), 0, "early");
    clock.advance(Duration::from_secs(1));
    let calls = kit.operations("iam");
    let error = leases.renew(lease.id, None, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.message().contains("is over"), "{error}");
    assert_eq!(kit.operations("iam"), calls);
    // IAM may not show a user of a minute ago yet: its word is taken after two.
    clock.advance(Duration::from_secs(61));
    assert_eq!(worker.run_once().await.unwrap(), 1);
    assert_eq!(leases.lease(lease.id).await.unwrap().state, LeaseState::Revoked);
    assert!(!kit.iam_users(names::ACCOUNT).iter().any(|user| user.path.contains("rolecall")));
}

#[tokio::test]
async fn a_user_of_the_same_name_that_is_not_ours_is_never_touched() {
    let (kit, clock) = (Kit::start(World::default()), clock());
    let home = TempDir::new().unwrap();
    let leases = opened(&kit, home.path(), &clock).await;
    let lease = leases.create(&request()).await.unwrap().lease;
    leases.revoke(lease.id).await.unwrap();
    // The same chance wants the same name, which somebody else has got by now.
    let name = lease.principal.name.clone();
    kit.change_world(|world| {
        let foreign = User {
            account: names::ACCOUNT.to_owned(),
            name: name.clone(),
            path: "/".to_owned(),
            ..User::default()
        };
        world.users.push(foreign);
    });
    let theirs = || kit.iam_users(names::ACCOUNT).into_iter().find(|user| user.name == name);
    let before = theirs();
    let home = TempDir::new().unwrap();
    let leases = opened(&kit, home.path(), &clock).await;
    let error = leases.create(&request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("not ours"), "{error}");
    let all = leases.leases(&LeaseFilter::default(), None, 10).await.unwrap();
    assert_eq!((all[0].state, &all[0].principal.name), (LeaseState::Failed, &lease.principal.name));
    assert!(before.is_some());
    assert_eq!(theirs(), before);
}

#[tokio::test]
async fn no_command_is_run_with_a_key_that_never_works() {
    let (kit, home, clock) = (Kit::start(World::default()), TempDir::new().unwrap(), clock());
    let leases = opened(&kit, home.path(), &clock).await;
    let new_keys = Lag { seconds: 100_000, calls: 0 };
    kit.set_iam(IamSettings { new_keys, ..IamSettings::default() });
    let ran = home.path().join("ran");
    let command = ["touch".into(), ran.clone().into()];
    let session = SessionOptions::default();
    let error = run_command(&leases, &request(), &command, &session, |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("does not take the key"), "{error}");
    assert!(Fs::real().facts(&ran).unwrap().is_none());
    assert!(!kit.iam_users(names::ACCOUNT).iter().any(|user| user.path.contains("rolecall")));
    let all = leases.leases(&LeaseFilter::default(), None, 10).await.unwrap();
    assert_eq!(all[0].state, LeaseState::Revoked);
}
