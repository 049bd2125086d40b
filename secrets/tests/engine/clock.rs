//! A machine whose clock is wrong.

use rolecall_secrets::LeaseState;

use crate::bed::{Bed, MINUTE, look, take, worker};

#[tokio::test]
async fn nothing_is_taken_back_by_a_clock_that_is_far_ahead() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    let lease = take(&leases, MINUTE * 30).await;
    bed.pass(MINUTE);
    bed.clock.advance(MINUTE * 60);
    let worker = worker(&leases);
    assert_eq!(worker.run_once().await.unwrap(), 1);
    let held = look(&leases, lease.id).await;
    assert_eq!((held.state, held.expires_at), (LeaseState::Active, lease.expires_at));
    let failure = held.failure.unwrap();
    assert!(failure.contains("differ by 3600 s"), "{failure}");
    assert!(worker.metrics().text().contains("rolecall_leases_held_total 1\n"));
    assert!(worker.metrics().text().contains("rolecall_leases_failures_total 0\n"));
    assert_eq!(bed.kit.count("DeleteAccessKey"), 0);
    let trail = leases.trail(&lease.id.to_string()).await.unwrap();
    assert!(trail.last().unwrap().detail.contains("differ by 3600 s"), "{trail:?}");
    // It can still be renewed, and that ends the matter.
    let renewed = leases.renew(lease.id, None, None).await.unwrap();
    assert_eq!((renewed.failure, renewed.attempts), (None, 0));
    // Set right, it ends in time.
    bed.clock.set_back(MINUTE * 60);
    // The correction by an hour ends with that.
    let other = take(&leases, MINUTE * 30).await;
    assert_eq!(leases.revoke(other.id).await.unwrap().state, LeaseState::Revoked);
    bed.pass(MINUTE * 45);
    worker.run_once().await.unwrap();
    assert_eq!(look(&leases, lease.id).await.state, LeaseState::Revoked);
    assert!(bed.users().is_empty());
}

#[tokio::test]
async fn a_clock_far_behind_holds_too_and_a_small_difference_does_not() {
    for (difference, state) in [
        (MINUTE * 60, LeaseState::Active),
        (MINUTE * 5 + MINUTE / 30, LeaseState::Active),
        (MINUTE * 4, LeaseState::Revoked),
    ] {
        for is_ahead in [true, false] {
            let bed = Bed::new();
            let leases = bed.leases("one").await;
            let lease = take(&leases, MINUTE * 3).await;
            bed.pass(MINUTE * 4);
            match is_ahead {
                true => bed.clock.advance(difference),
                false => bed.kit.advance(difference.as_secs().cast_signed()),
            }
            worker(&leases).run_once().await.unwrap();
            let after = look(&leases, lease.id).await;
            assert_eq!(after.state, state, "{difference:?} {is_ahead}: {:?}", after.failure);
        }
    }
}

#[tokio::test]
async fn a_correction_that_is_out_of_date_ends_nothing_early() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    // The clock is an hour behind, which AWS's answers correct.
    bed.clock.set_back(MINUTE * 60);
    let lease = take(&leases, MINUTE * 30).await;
    let other = take(&leases, MINUTE * 30).await;
    // Somebody sets it right: now the correction is wrong.
    bed.clock.advance(MINUTE * 60);
    assert_eq!(worker(&leases).run_once().await.unwrap(), 2);
    for id in [lease.id, other.id] {
        let after = look(&leases, id).await;
        assert_eq!(after.state, LeaseState::Active);
        assert!(after.failure.is_some());
    }
    assert_eq!(bed.kit.count("DeleteAccessKey"), 0);
}

#[tokio::test]
async fn what_a_person_asks_for_is_not_held() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    let lease = take(&leases, MINUTE * 30).await;
    bed.clock.advance(MINUTE * 60);
    assert_eq!(leases.revoke(lease.id).await.unwrap().state, LeaseState::Revoked);
    assert!(bed.users().is_empty());
}

#[tokio::test]
async fn an_account_that_cannot_be_reached_ends_nothing_unseen() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    let lease = take(&leases, MINUTE * 10).await;
    let other = take(&leases, MINUTE * 10).await;
    bed.clock.advance(MINUTE * 60);
    bed.kit.inject(rolecall_kit::FaultRule::always("*", rolecall_kit::Fault::Close));
    let worker = worker(&leases);
    worker.run_once().await.unwrap();
    worker.run_once().await.unwrap();
    for id in [lease.id, other.id] {
        let after = look(&leases, id).await;
        assert!(after.state == LeaseState::Active && after.attempts > 0, "{after:?}");
    }
    bed.kit.clear_faults();
    bed.clock.set_back(MINUTE * 60);
    bed.pass(MINUTE * 120);
    worker.run_once().await.unwrap();
    assert!(bed.users().is_empty());
}

#[tokio::test]
async fn a_slow_clock_is_corrected_by_the_first_call_and_stops_nothing() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    let lease = take(&leases, MINUTE * 30).await;
    // A process of its own each time: its first call finds out.
    bed.clock.set_back(MINUTE * 60);
    assert_eq!(bed.clock.skew_millis(), 0);
    let renewed = bed.opened("one").await.renew(lease.id, Some(MINUTE), None).await.unwrap();
    assert_eq!(renewed.expires_at, lease.expires_at + MINUTE);
    bed.clock.set_back(MINUTE * 60);
    assert_eq!(bed.clock.skew_millis(), 0);
    let revoked = bed.opened("one").await.revoke(lease.id).await.unwrap();
    assert_eq!((revoked.state, revoked.failure), (LeaseState::Revoked, None));
    assert!(bed.users().is_empty());
}
