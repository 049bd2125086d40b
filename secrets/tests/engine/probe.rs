//! What a check leaves behind: nothing, once whoever works on leases has looked.

use rolecall_core::timestamp;
use rolecall_kit::{Fault, FaultRule, IamSettings, Lag};
use rolecall_secrets::{LeaseFilter, LeaseState, Leases};

use crate::bed::{Bed, MINUTE, worker};

fn denied() -> Fault {
    Fault::Fail { status: 403, code: "AccessDenied".to_owned(), message: "no".to_owned() }
}

/// The state of the only lease.
async fn state(leases: &Leases) -> LeaseState {
    let all = leases.leases(&LeaseFilter::default(), None, 9).await.unwrap();
    assert_eq!(all.len(), 1);
    all[0].state
}

/// Time passes, and nothing may be left.
async fn clear_up(bed: &Bed, leases: &Leases) {
    bed.kit.clear_faults();
    for _ in 0..3 {
        bed.pass(MINUTE * 10);
        worker(leases).run_once().await.unwrap();
    }
    assert!(state(leases).await.is_over());
    assert!(bed.users().is_empty());
}

#[tokio::test]
async fn a_user_whose_making_was_not_answered_is_no_missing_permission() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    bed.kit.inject(FaultRule::next("CreateUser", 1, Fault::LoseReply));
    bed.kit.inject(FaultRule::always("GetUser", denied()));
    let error = leases.probe("app").await.unwrap_err();
    assert!(error.to_string().contains("GetUser"), "{error}");
    assert_eq!(bed.users().len(), 1);
    assert_eq!(state(&leases).await, LeaseState::Revoking);
    clear_up(&bed, &leases).await;
}

#[tokio::test]
async fn a_user_that_was_never_seen_is_not_gone() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    let new_users = Lag { seconds: 30, calls: 0 };
    bed.kit.set_iam(IamSettings { new_users, ..IamSettings::default() });
    bed.kit.inject(FaultRule::always("ListUsers", denied()));
    let probe = leases.probe("app").await.unwrap();
    assert_eq!(probe.missing, ["ListUsers"]);
    assert_eq!(state(&leases).await, LeaseState::Revoking);
    clear_up(&bed, &leases).await;
}

#[tokio::test]
async fn what_may_not_be_removed_says_when_it_was_to_end_and_is_removed_later() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    bed.kit.inject(FaultRule::always("DeleteUser", denied()));
    bed.kit.inject(FaultRule::always("GetAccessKeyLastUsed", denied()));
    let probe = leases.probe("app").await.unwrap();
    assert_eq!(probe.missing, ["DeleteUser", "GetAccessKeyLastUsed"]);
    let left = bed.users();
    assert_eq!(timestamp::parse(&left[0].tags["rolecall:expires"]), Some(bed.start()));
    clear_up(&bed, &leases).await;
    assert_eq!(leases.probe("app").await.unwrap().policy, None);
    assert!(bed.users().is_empty());
}
