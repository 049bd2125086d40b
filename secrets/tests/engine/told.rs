//! What the log tells, and what is told though something failed.

use rolecall_core::Secret;
use rolecall_kit::{Fault, FaultRule};
use rolecall_secrets::{
    Fate, LeaseFilter, LeaseOptions, LeaseRequest, LeaseState, Leases, Outcome, ReapOptions,
    STORE_SUBJECT, SealingKey,
};

use crate::bed::{Bed, MINUTE, admin, connect, options, reap, request, secret, take};

fn lines(trail: &[rolecall_secrets::AuditEntry], action: &str) -> Vec<Outcome> {
    let of_action = trail.iter().filter(|entry| entry.action == action);
    of_action.map(|entry| entry.outcome).collect()
}

#[tokio::test]
async fn who_looked_at_a_secret_that_was_kept_is_in_the_log() {
    let bed = Bed::new();
    bed.leases("one").await;
    let with = async |digit: &str| {
        let sealing_key = Some(SealingKey::from_hex(&Secret::from(digit.repeat(64))).unwrap());
        let connect = connect(&bed.kit.url(), admin(), None);
        let options = LeaseOptions { sealing_key, ..options() };
        Leases::new(bed.context(), bed.store("one").await, connect, options)
    };
    let leases = with("a").await;
    let kept = LeaseRequest { keep: true, ..request(MINUTE * 10) };
    let id = leases.create(&kept).await.unwrap().lease.id;
    leases.reveal(id, None).await.unwrap();
    with("b").await.reveal(id, None).await.unwrap_err();
    let trail = leases.trail(&id.to_string()).await.unwrap();
    assert_eq!(lines(&trail, "reveal"), [Outcome::Done, Outcome::Refused]);
    assert!(trail.iter().all(|entry| entry.actor == "tess@box"));
    assert_eq!(leases.verify(&id.to_string()).await.unwrap(), None);
}

#[tokio::test]
async fn what_was_reaped_is_in_the_log_and_told_though_the_rest_failed() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    let known = take(&leases, MINUTE * 10).await;
    leases.forget(known.id).await.unwrap();
    for _ in 0..2 {
        // And it is not claimed in vain.
        let error = leases.forget(known.id).await.unwrap_err();
        assert!(error.message().contains("forgotten already"), "{error}");
    }
    let lost = bed.leases("lost").await;
    let unknown = take(&lost, MINUTE * 10).await;
    bed.pass(MINUTE * 40);
    assert_eq!(reap(&leases, &ReapOptions::default()).await.len(), 1);
    let store_id = Some(lost.store().info().await.unwrap().id);
    let remove = ReapOptions { remove: true, ..ReapOptions::default() };
    reap(&leases, &remove).await;
    reap(&leases, &ReapOptions { store_id, ..remove.clone() }).await;
    let trail = leases.trail(&known.id.to_string()).await.unwrap();
    assert_eq!(lines(&trail, "reap"), [Outcome::Begun, Outcome::Done], "a dry run is no act");
    let trail = leases.trail(STORE_SUBJECT).await.unwrap();
    assert_eq!(lines(&trail, "reap"), [Outcome::Begun, Outcome::Done]);
    assert!(trail[0].detail.contains(&unknown.principal.name), "{trail:?}");
    assert!(bed.users().is_empty());

    // Of two, the second cannot be looked at.
    for _ in 0..2 {
        let lease = take(&leases, MINUTE * 10).await;
        leases.forget(lease.id).await.unwrap();
    }
    bed.pass(MINUTE * 40);
    let fault =
        Fault::Fail { status: 403, code: "AccessDenied".to_owned(), message: String::new() };
    // Each is looked at twice: once found, once removed.
    bed.kit.inject(FaultRule { after: 2, ..FaultRule::next("GetUser", 1, fault) });
    let reaped = leases.reap(&secret(), &remove).await;
    assert!(reaped.failure.is_some());
    let fates: Vec<_> = reaped.orphans.iter().map(|orphan| &orphan.fate).collect();
    assert_eq!(fates, [&Fate::Removed]);
    assert_eq!(bed.users().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_nobody_waits_for_any_more_is_taken_back() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    take(&leases, MINUTE * 10).await;
    bed.kit.inject(FaultRule::always("GetCallerIdentity", Fault::Hold { gate: "key".to_owned() }));
    let asked = bed.kit.count("GetCallerIdentity");
    let waiting = LeaseRequest { wait: true, ..request(MINUTE * 10) };
    tokio::select! {
        given = leases.create(&waiting) => panic!("it did not wait: {given:?}"),
        () = async {
            while bed.kit.count("GetCallerIdentity") == asked {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    bed.kit.clear_faults();
    bed.kit.open("key");
    let revoked = LeaseFilter { states: vec![LeaseState::Revoked], ..LeaseFilter::default() };
    let began = std::time::Instant::now();
    while leases.leases(&revoked, None, 9).await.unwrap().is_empty() {
        assert!(began.elapsed().as_secs() < 60, "it is not taken back");
        tokio::task::yield_now().await;
    }
    assert_eq!(bed.users().len(), 1);
}
