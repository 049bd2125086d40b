//! What a worker does with many leases, and with trouble.

use std::sync::Arc;
use std::time::Duration;

use rolecall_core::{Clock, Context, Secret};
use rolecall_kit::{Fault, FaultRule, Postgres};
use rolecall_secrets::{
    Change, Claimant, Conflict, DynamicSecret, FederationToken, LeaseFilter, LeaseOptions,
    LeaseRequest, LeaseState, Leases, Outcome, PostgresOptions, PostgresStore, Record, SecretKind,
    Worker, WorkerOptions,
};

use crate::bed::{
    Bed, MINUTE, START, admin, connect, context, define, look, options, request, secret, take,
    worker,
};
use crate::crash::{Mortal, Process};

fn worker_of(leases: &Leases, concurrency: usize) -> Worker {
    Worker::new(leases.clone(), WorkerOptions { concurrency })
}

#[tokio::test]
async fn sessions_need_no_account_that_is_left_alone_and_say_nothing_of_it() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    let kind = SecretKind::FederationToken(FederationToken::default());
    let session =
        DynamicSecret { name: "session".to_owned(), kind, default_ttl: MINUTE * 15, ..secret() };
    leases.define(&session).await.unwrap();
    let first = take(&leases, MINUTE * 10).await;
    let asked = LeaseRequest { secret: "session".to_owned(), ..LeaseRequest::default() };
    let session = leases.create(&asked).await.unwrap().lease;
    let last = take(&leases, MINUTE * 20).await;
    bed.pass(MINUTE * 21);
    bed.kit.inject(FaultRule::always("*", Fault::Close));
    assert_eq!(worker_of(&leases, 1).run_once().await.unwrap(), 2);
    assert_eq!(look(&leases, first.id).await.attempts, 1);
    assert_eq!(look(&leases, session.id).await.state, LeaseState::Expired);
    assert_eq!(look(&leases, last.id).await, last, "the pause was lifted by a session");
}

#[tokio::test]
async fn a_session_that_was_to_be_taken_back_ends_by_itself() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    let kind = SecretKind::FederationToken(FederationToken::default());
    let session =
        DynamicSecret { name: "session".to_owned(), kind, default_ttl: MINUTE * 15, ..secret() };
    leases.define(&session).await.unwrap();
    let asked = LeaseRequest { secret: "session".to_owned(), ..LeaseRequest::default() };
    let session = leases.create(&asked).await.unwrap().lease;
    let record = Record::new("an older rolecall", "revoke", Outcome::Begun, "");
    leases.store().advance(session.id, session.fence, &Change::Revoke, &record).await.unwrap();
    let calls = bed.kit.calls().len();
    worker(&leases).run_once().await.unwrap();
    let held = look(&leases, session.id).await;
    assert_eq!((held.state, held.due_at), (LeaseState::Revoking, Some(session.expires_at)));
    bed.pass(MINUTE * 16);
    worker(&leases).run_once().await.unwrap();
    assert_eq!(look(&leases, session.id).await.state, LeaseState::Revoked);
    assert_eq!(bed.kit.calls().len(), calls, "AWS was asked for a user");
}

#[tokio::test]
async fn trouble_of_the_account_rewrites_a_few_leases_and_not_all() {
    for (fault, most) in [(Fault::Close, 4), (Fault::Throttle, 8 + 4)] {
        let bed = Bed::new();
        let leases = bed.leases("one").await;
        for _ in 0..40 {
            take(&leases, MINUTE * 10).await;
        }
        bed.pass(MINUTE * 11);
        bed.kit.inject(FaultRule::always("*", fault.clone()));
        let done = worker_of(&leases, 4).run_once().await.unwrap();
        assert!(done <= most, "{fault:?}: {done}");
        let all = leases.leases(&LeaseFilter::default(), None, 99).await.unwrap();
        let touched = all.iter().filter(|lease| lease.fence > 1 || lease.failure.is_some());
        assert_eq!(touched.count(), done, "{fault:?}");
        // It ends, and nothing is lost.
        bed.kit.clear_faults();
        bed.pass(MINUTE * 10);
        worker(&leases).run_once().await.unwrap();
        assert!(bed.users().is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn an_account_gets_no_more_leases_at_once_than_its_calls_are_enough_for() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    for _ in 0..20 {
        take(&leases, MINUTE * 10).await;
    }
    bed.pass(MINUTE * 11);
    let few = LeaseOptions { calls_per_second: Some(1), ..options() };
    let connect = connect(&bed.kit.url(), admin(), None);
    let leases = Leases::new(bed.context(), bed.store("one").await, connect, few);
    bed.kit.inject(FaultRule::always("GetUser", Fault::Hold { gate: "held".to_owned() }));
    let claimed = async {
        loop {
            let all = leases.leases(&LeaseFilter::default(), None, 99).await.unwrap();
            let claimed = all.iter().filter(|lease| lease.fence > 1).count();
            if claimed > 0 {
                return claimed;
            }
        }
    };
    let worker = worker_of(&leases, 64);
    tokio::select! {
        done = worker.run_once() => panic!("{done:?}"),
        claimed = claimed => assert_eq!(claimed, 3),
    }
    bed.kit.clear_faults();
    bed.kit.open("held");
}

#[tokio::test]
async fn a_worker_that_may_do_nothing_at_once_does_one_at_a_time() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    take(&leases, MINUTE * 10).await;
    let worker = worker_of(&leases, 0);
    // Time goes on for AWS too, and it is over once the user is.
    let stop = std::future::poll_fn(|context| {
        let now = bed.clock.now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
        bed.kit.freeze(now.as_secs().cast_signed());
        context.waker().wake_by_ref();
        if bed.users().is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    });
    let done = Clock::real().timeout(Duration::from_secs(60), worker.run(stop)).await;
    assert!(done.is_some(), "it sleeps for ever");
    assert!(bed.clock.now() < bed.start() + MINUTE * 11);
}

/// Leases in a store that loses answers.
async fn mortal(bed: &Bed, process: &Arc<Process>) -> Leases {
    let store = Mortal { inner: bed.store("one").await, process: process.clone() };
    let connect = connect(&bed.kit.url(), admin(), None);
    let leases = Leases::new(bed.context(), Arc::new(store), connect, options());
    define(&leases).await;
    leases
}

#[tokio::test]
async fn what_was_begun_is_finished_though_no_more_can_be_taken_up() {
    let bed = Bed::new();
    let process = Process::new(None);
    let leases = mortal(&bed, &process).await;
    for _ in 0..3 {
        take(&leases, MINUTE * 10).await;
    }
    bed.pass(MINUTE * 11);
    // Two are claimed; once the first is done, no more can be.
    process.fail_claim(2);
    let error = worker_of(&leases, 2).run_once().await.unwrap_err();
    assert!(error.message().contains("lost on purpose"), "{error}");
    let left = leases.leases(&LeaseFilter::default(), None, 9).await.unwrap();
    let over = left.iter().filter(|lease| lease.state.is_over()).count();
    assert_eq!((over, bed.users().len()), (2, 1), "work was broken off: {left:?}");
}

#[tokio::test]
async fn a_grant_whose_answer_was_lost_is_taken_back() {
    let bed = Bed::new();
    let process = Process::new(None);
    let leases = mortal(&bed, &process).await;
    // The second write is the grant.
    process.lose_reply(2);
    leases.create(&request(MINUTE * 10)).await.unwrap_err();
    let [lease] =
        leases.leases(&LeaseFilter::default(), None, 9).await.unwrap().try_into().unwrap();
    assert_eq!(lease.state, LeaseState::Revoked);
    assert!(bed.users().is_empty());
    assert_eq!(leases.verify(&lease.id.to_string()).await.unwrap(), None);
}

#[tokio::test]
async fn a_lease_is_taken_back_from_whoever_works_on_it() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    let lease = take(&leases, MINUTE * 10).await;
    let other = Claimant { name: "another:1".to_owned(), hold: MINUTE * 2 };
    let held = leases.store().claim(lease.id, &other).await.unwrap().unwrap();
    assert_eq!(leases.revoke(lease.id).await.unwrap().state, LeaseState::Revoked);
    assert!(bed.users().is_empty());
    let record = Record::new("another:1", "renew", Outcome::Done, "");
    let late = Change::Renew(lease.expires_at + MINUTE);
    let refused = leases.store().advance(lease.id, held.fence, &late, &record).await.unwrap_err();
    assert_eq!(Conflict::of(&refused), Some(Conflict::FenceLost));
    // Nobody takes over from somebody who is taking it back already.
    let lease = take(&leases, MINUTE * 10).await;
    leases.store().seize(lease.id, &other, &record).await.unwrap();
    let after = leases.revoke(lease.id).await.unwrap();
    assert_eq!(after.claimed_by.as_deref(), Some("another:1"));
    assert_eq!(bed.users().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_transaction_holds_is_not_asked_for_without_a_pause() {
    let bed = Bed::new();
    let server = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
    let url = Secret::from(server.url());
    let options = PostgresOptions { schema: "locked".to_owned(), connections: 4 };
    let clock = Clock::manual(Context::real().clock.now());
    let home = tempfile::TempDir::new().unwrap();
    let context = context(home.path(), &clock);
    let store = PostgresStore::connect_with(context.clone(), &url, options).await.unwrap();
    bed.kit.freeze(START);
    let connect = connect(&bed.kit.url(), admin(), None);
    let leases = Leases::new(context, Arc::new(store), connect, crate::bed::options());
    define(&leases).await;
    take(&leases, MINUTE * 10).await;
    let (mut client, connection) =
        tokio_postgres::connect(url.expose(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SET search_path TO locked; UPDATE lease SET due_at = 1").await.unwrap();
    let transaction = client.transaction().await.unwrap();
    transaction.execute("SELECT 1 FROM lease FOR UPDATE", &[]).await.unwrap();
    let before = clock.sleeps().len();
    let mut rounds = 0;
    let stop = std::future::poll_fn(|context| {
        rounds += 1;
        context.waker().wake_by_ref();
        if clock.sleeps().len() > before + 5 || rounds > 100_000 {
            return std::task::Poll::Ready(());
        }
        std::task::Poll::Pending
    });
    worker_of(&leases, 4).run(stop).await;
    let sleeps = clock.sleeps().split_off(before);
    assert!(sleeps.iter().all(|sleep| *sleep >= Duration::from_millis(250)), "{sleeps:?}");
    transaction.rollback().await.unwrap();
}
