//! What a check leaves behind: nothing, once whoever works on leases has looked.

use rolecall_core::timestamp;
use rolecall_kit::{Fault, FaultRule, names};
use rolecall_secrets::{
    AssumedRole, DynamicSecret, LeaseFilter, LeaseState, Leases, Probe, SecretKind, SessionToken,
};

use crate::bed::{Bed, MINUTE, secret, worker};

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
async fn a_user_that_iam_does_not_know_yet_is_not_gone() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    bed.kit.inject(FaultRule::always("ListUsers", denied()));
    let unknown = Fault::Fail {
        status: 404,
        code: "NoSuchEntity".to_owned(),
        message: "The user cannot be found.".to_owned(),
    };
    bed.kit.inject(FaultRule::next("DeleteUser", 1, unknown));
    let probe = leases.probe("app").await.unwrap();
    assert_eq!(probe.missing, ["ListUsers"]);
    assert_eq!(state(&leases).await, LeaseState::Revoking);
    clear_up(&bed, &leases).await;
}

/// A definition of sessions beside that of users.
async fn sessions(leases: &Leases, kind: SecretKind) -> Probe {
    let secret = DynamicSecret {
        name: "session".to_owned(),
        kind,
        default_ttl: MINUTE * 15,
        max_ttl: MINUTE * 15,
        ..secret()
    };
    leases.define(&secret).await.unwrap();
    leases.probe("session").await.unwrap()
}

#[tokio::test]
async fn of_sessions_one_is_made() {
    let bed = Bed::new();
    let role = |name: &str| {
        let role_arn = format!("arn:aws:iam::{}:role/{name}", names::ACCOUNT);
        SecretKind::AssumedRole(AssumedRole { role_arn, ..AssumedRole::default() })
    };
    let allowed = sessions(&bed.leases("one").await, role("Leases")).await;
    assert_eq!((allowed.missing, allowed.untried, allowed.policy), (vec![], vec![], None));
    let leases = bed.leases("two").await;
    let refused = sessions(&leases, role("NoSuchRole")).await;
    assert_eq!(refused.missing, ["AssumeRole"]);
    let policy = refused.policy.unwrap();
    let statement = &policy["Statement"][0];
    assert_eq!(statement["Action"], "sts:AssumeRole");
    assert!(statement["Resource"].as_str().unwrap().ends_with("role/NoSuchRole"), "{policy}");
    let log = leases.trail("session").await.unwrap();
    assert!(log.last().unwrap().detail.contains("AccessDenied"), "{log:?}");
    let mfa_serial = Some(format!("arn:aws:iam::{}:mfa/tess", names::ACCOUNT));
    let token = SecretKind::SessionToken(SessionToken { mfa_serial });
    let untried = sessions(&bed.leases("three").await, token).await;
    assert_eq!((untried.missing, untried.untried), (vec![], vec!["GetSessionToken".to_owned()]));
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
