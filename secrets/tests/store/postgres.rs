//! What is particular to the store in PostgreSQL.

use rolecall_core::{Context, ErrorKind, Secret};
use rolecall_kit::Postgres;
use rolecall_secrets::{Change, Doubt, PostgresOptions, PostgresStore, Store};

use crate::bed::{
    Bed, MINUTE, PostgresBed, active, claimant, context, definition, raw_postgres, record,
};

async fn connect(context: Context, url: &str) -> rolecall_core::Result<PostgresStore> {
    PostgresStore::connect(context, &Secret::from(url)).await
}

async fn refused(url: &str) -> (ErrorKind, String) {
    let folder = tempfile::tempdir().unwrap();
    let error = connect(context(folder.path()), url).await.unwrap_err();
    let shown = format!("{error} {error:?} {:?}", error.causes());
    assert!(!shown.contains(Postgres::shared().password()), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(error.help().is_some() && error.place().is_some(), "{error}");
    (error.kind(), error.message().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_used_is_told_apart() {
    let server = Postgres::shared();
    let wrong = server.url().replace(server.password(), "hunter2");
    let (kind, message) = refused(&wrong).await;
    assert_eq!(kind, ErrorKind::Denied);
    assert!(message.contains("password authentication failed"), "{message}");
    let (kind, message) = refused(&format!("{}-missing", server.url())).await;
    assert_eq!(kind, ErrorKind::InvalidConfiguration);
    assert!(message.contains("postgres-missing"), "{message}");
    let (kind, _) = refused("postgres://u:hunter2@127.0.0.1:1/x").await;
    assert_eq!(kind, ErrorKind::Unavailable);
    let (_, message) = refused(&format!("{}?sslmode=require", server.url())).await;
    assert!(message.contains("TLS"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_rights_and_a_read_only_server_are_told_apart() {
    let server = Postgres::shared();
    let admin = raw_postgres(server).await;
    let sql = "CREATE ROLE poor LOGIN PASSWORD 'hunter2'; \
               CREATE ROLE reader LOGIN PASSWORD 'hunter2'; \
               ALTER ROLE reader SET default_transaction_read_only = on";
    admin.batch_execute(sql).await.unwrap();
    let url = |user| format!("postgres://{user}:hunter2@127.0.0.1:{}/postgres", server.port());
    let (kind, message) = refused(&url("poor")).await;
    assert_eq!(kind, ErrorKind::Denied);
    assert!(message.contains("permission denied"), "{message}");
    let (kind, message) = refused(&url("reader")).await;
    assert_eq!(kind, ErrorKind::Unavailable, "{message}");
    assert!(message.contains("does not allow writes"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_store_and_something_else_in_the_schema_are_left_alone() {
    let bed = PostgresBed::new().await;
    bed.execute("UPDATE store SET version = 99").await;
    let again = async || {
        let options = PostgresOptions { schema: bed.schema.clone(), ..Default::default() };
        let url = Secret::from(Postgres::shared().url());
        let error = PostgresStore::connect_with(context(bed.folder.path()), &url, options).await;
        error.unwrap_err()
    };
    let error = again().await;
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.message().contains("version 99"), "{error}");
    bed.execute("DROP TABLE store").await;
    let error = again().await;
    assert!(error.message().contains("something else"), "{error}");
    bed.execute("UPDATE definition SET version = 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_start_together_make_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let starts = (0..8).map(|_| {
        let home = folder.path().to_owned();
        tokio::spawn(async move { PostgresBed::open("together", &home).await })
    });
    let mut ids = std::collections::BTreeSet::new();
    for start in starts.collect::<Vec<_>>() {
        ids.insert(start.await.unwrap().info().await.unwrap().id);
    }
    assert_eq!(ids.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_broke_are_made_anew() {
    let bed = PostgresBed::new().await;
    let lease = active(bed.store(), 1, MINUTE).await;
    let mine = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE application_name = 'rolecall' AND pid IN ({})",
        pids(&bed).await
    );
    assert!(bed.execute(&mine).await > 0);
    // The first may still meet a connection that has not been seen to be broken.
    let mut found = bed.store().lease(lease.id).await;
    for _ in 0..8 {
        if found.is_err() {
            assert_eq!(found.unwrap_err().kind(), ErrorKind::Unavailable);
            found = bed.store().lease(lease.id).await;
        }
    }
    assert_eq!(found.unwrap(), Some(lease));
}

/// The backends of a bed's own store, known by what they have last done in its schema.
async fn pids(bed: &PostgresBed) -> String {
    bed.execute("CREATE TABLE IF NOT EXISTS seen (pid int)").await;
    let sql = "CREATE OR REPLACE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS \
               'BEGIN INSERT INTO seen VALUES (pg_backend_pid()); RETURN NULL; END'";
    bed.execute(sql).await;
    bed.execute("CREATE TRIGGER see AFTER INSERT ON audit EXECUTE FUNCTION see()").await;
    for number in 100..110 {
        active(bed.store(), number, MINUTE).await;
    }
    bed.execute("DROP TRIGGER see ON audit").await;
    "SELECT pid FROM seen".to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_another_transaction_holds_is_skipped_and_waited_for_in_bounds() {
    let bed = PostgresBed::new().await;
    for number in 1..=2 {
        active(bed.store(), number, MINUTE).await;
    }
    bed.pass(MINUTE * 2).await;
    bed.execute("SELECT 1").await;
    bed.execute("BEGIN").await;
    bed.execute(
        "SELECT 1 FROM lease WHERE access_key_id = 'AKIDEXAMPLE' ORDER BY id LIMIT 1 FOR UPDATE",
    )
    .await;
    let claimed = bed.store().claim_due(&claimant("a"), 9, &[]).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].id.0, 2);
    bed.execute("ROLLBACK").await;
    assert_eq!(bed.store().claim_due(&claimant("a"), 9, &[]).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_is_known_until_it_is_accepted() {
    let bed = PostgresBed::new().await;
    let lease = active(bed.store(), 1, MINUTE * 60).await;
    let reopen = async |home: &std::path::Path| PostgresBed::open(&bed.schema, home).await;
    let home = bed.folder.path();
    assert_eq!(reopen(home).await.info().await.unwrap().doubt, None);
    // A new machine takes the database's word.
    let other = tempfile::tempdir().unwrap();
    assert_eq!(reopen(other.path()).await.info().await.unwrap().doubt, None);
    active(bed.store(), 2, MINUTE * 60).await;
    bed.store().advance(lease.id, 1, &Change::Revoke, &record("revoke")).await.unwrap();
    let noted = reopen(home).await;
    for number in 3..6 {
        active(&noted, number, MINUTE * 60).await;
    }
    drop(noted);
    // What came after the backup is gone.
    bed.execute("DELETE FROM audit WHERE number > 3").await;
    let store = reopen(home).await;
    assert_eq!(store.info().await.unwrap().doubt, Some(Doubt::Restored));
    for number in 10..20 {
        active(&store, number, MINUTE * 60).await;
    }
    assert_eq!(reopen(home).await.info().await.unwrap().doubt, Some(Doubt::Restored));
    let accepted = store.accept_restored(&record("accept")).await.unwrap();
    assert_eq!((accepted.epoch, accepted.doubt), (2, None));
    assert_eq!(reopen(home).await.info().await.unwrap().doubt, None);

    // It is accepted for every machine that has seen it, also those that know of more.
    let store = reopen(other.path()).await;
    assert_eq!(store.info().await.unwrap().doubt, None);
    active(&store, 20, MINUTE * 60).await;
    drop(store);
    bed.execute("DELETE FROM audit WHERE number > 10").await;
    for home in [other.path(), home] {
        assert_eq!(reopen(home).await.info().await.unwrap().doubt, Some(Doubt::Restored));
    }
    let accepted = reopen(other.path()).await.accept_restored(&record("accept")).await.unwrap();
    assert_eq!((accepted.epoch, accepted.doubt), (3, None));
    for home in [home, other.path(), home] {
        assert_eq!(reopen(home).await.info().await.unwrap().doubt, None);
    }

    // Restored into another cluster: a machine that has seen it takes it on, a new one does not.
    bed.execute("UPDATE store SET home = '123:00000001'").await;
    let new = tempfile::tempdir().unwrap();
    let store = reopen(new.path()).await;
    assert_eq!(store.info().await.unwrap().doubt, Some(Doubt::NeverSeen));
    assert_eq!(reopen(home).await.info().await.unwrap().doubt, None);
    assert_eq!(reopen(new.path()).await.info().await.unwrap().doubt, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_checks_what_it_was_told_to_check() {
    for name in ["127.0.0.1", "db.example"] {
        let (server, authority) = Postgres::start_with_tls(name);
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, authority).unwrap();
        let try_it = async |query: &str| {
            let query = query.replace("CA", &ca.display().to_string());
            let url = format!("{}?{query}", server.url());
            let store = connect(context(folder.path()), &url);
            match store.await {
                Ok(_) => None,
                Err(error) => Some((error.kind(), error.message().to_owned())),
            }
        };
        let is_right = name == "127.0.0.1";
        for query in ["sslmode=prefer", "sslmode=require", "sslmode=verify-ca&sslrootcert=CA"] {
            assert_eq!(try_it(query).await, None, "{name} {query}");
        }
        let full = try_it("sslmode=verify-full&sslrootcert=CA").await;
        assert_eq!(full.is_none(), is_right, "{name} {full:?}");
        for query in ["sslmode=verify-full", "sslmode=verify-ca"] {
            let (kind, message) = try_it(query).await.unwrap();
            assert_eq!(kind, ErrorKind::InvalidConfiguration, "{message}");
            assert!(message.contains("UnknownIssuer"), "{message}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_encrypted_when_it_can_be() {
    let (server, _) = Postgres::start_with_tls("whatever");
    let folder = tempfile::tempdir().unwrap();
    let raw = raw_postgres(&server).await;
    for (query, encrypted) in [("", true), ("?sslmode=require", true), ("?sslmode=disable", false)]
    {
        let store = connect(context(folder.path()), &format!("{}{query}", server.url())).await;
        let store = store.unwrap();
        store.create_secret(&definition(query), &record("define")).await.unwrap();
        let sql = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                   WHERE application_name = 'rolecall' AND state = 'idle'";
        let ssl = raw.query_one(sql, &[]).await.unwrap().get::<_, Option<bool>>(0);
        assert_eq!(ssl, Some(encrypted), "{query}");
        drop(store);
        // The old connections must be gone before the next are looked at.
        let sql = "SELECT count(*) FROM (SELECT pg_terminate_backend(pid, 5000) FROM \
                   pg_stat_activity WHERE application_name = 'rolecall') AS ended";
        raw.query_one(sql, &[]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_password_shows() {
    let bed = PostgresBed::new().await;
    let folder = tempfile::tempdir().unwrap();
    let store = connect(context(folder.path()), &Postgres::shared().url()).await.unwrap();
    let shown = format!("{store:?} {:?}", bed.store());
    assert!(shown.contains("127.0.0.1"), "{shown}");
    assert!(!shown.contains(Postgres::shared().password()), "{shown}");
}
