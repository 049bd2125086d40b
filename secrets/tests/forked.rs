//! The store in the child of a fork. A process of its own: what is inherited is counted by process.

use std::path::Path;
use std::time::Duration;

use rolecall_core::{Context, Env, ErrorKind, before_fork, forked};
use rolecall_secrets::{
    Connection, DynamicSecret, IamUser, Outcome, Record, SecretKind, SqliteStore, Store,
};

fn definition(name: &str) -> DynamicSecret {
    DynamicSecret {
        name: name.to_owned(),
        description: String::new(),
        connection: Connection::Default,
        kind: SecretKind::IamUser(IamUser::default()),
        region: None,
        access: Vec::new(),
        default_ttl: Duration::from_secs(60),
        max_ttl: Duration::from_secs(60),
    }
}

fn record() -> Record {
    Record::new("tester", "define", Outcome::Done, "for a test")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_opens_the_store_anew_unless_it_was_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let env = Env::from_pairs([("HOME", folder.path().display().to_string())]);
    let context = Context { env, ..Context::real() };
    let path = folder.path().join("leases.db");
    let open = || SqliteStore::open(context.clone(), &path);

    let inherited = open().await.unwrap();
    inherited.create_secret(&definition("of-the-parent"), &record()).await.unwrap();
    before_fork();
    forked();
    let own = open().await.unwrap();
    assert!(own.secret("of-the-parent", None).await.unwrap().is_some());
    own.create_secret(&definition("of-the-child"), &record()).await.unwrap();
    let error = inherited.secret("of-the-parent", None).await.unwrap_err();
    assert_eq!(
        error.message(),
        "the store was opened by the process that this one was forked from"
    );

    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let writer = own.clone();
    let writing =
        tokio::spawn(async move { writer.create_secret(&definition("late"), &record()).await });
    // It is at work once it has its turn to wait for the file.
    let turn = folder.path().join("leases.db-turn");
    while is_free(&context, &turn) {
        tokio::task::yield_now().await;
    }
    // Nobody waited for it.
    forked();
    let error = open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.message().contains("when this process was forked"), "{error}");
    assert!(error.help().is_some(), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    writing.await.unwrap().unwrap();
    assert!(own.secret("late", None).await.unwrap().is_some());
}

fn is_free(context: &Context, turn: &Path) -> bool {
    context.fs.try_lock(turn).expect("the lock can be asked for").is_some()
}
