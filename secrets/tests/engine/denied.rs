//! A policy limited to a path, under which IAM says AccessDenied of names that do not exist.

use rolecall_kit::{Fault, FaultRule, IamSettings, Lag, names};
use rolecall_secrets::{LeaseState, Leases};

use crate::bed::{Bed, MINUTE, connect, define, look, options, request, role, take, worker};

async fn limited(bed: &Bed) -> Leases {
    let connect = connect(&bed.kit.url(), role(bed, "Leases").await, None);
    let leases = Leases::new(bed.context(), bed.store("limited").await, connect, options());
    define(&leases).await;
    leases
}

#[tokio::test]
async fn a_user_that_is_gone_is_known_to_be_gone() {
    let bed = Bed::new();
    let leases = limited(&bed).await;
    let lease = take(&leases, MINUTE).await;
    // Somebody has removed it already.
    bed.kit.change_world(|world| world.users.retain(|user| user.name != lease.principal.name));
    bed.pass(MINUTE * 3);
    assert_eq!(worker(&leases).run_once().await.unwrap(), 1);
    let after = look(&leases, lease.id).await;
    assert_eq!(after.state, LeaseState::Revoked, "{:?}", after.failure);
    let refused = |call: &rolecall_kit::Call| {
        call.operation == "GetUser" && call.error.as_deref() == Some("AccessDenied")
    };
    assert!(bed.kit.calls().iter().any(refused), "the kit told more than AWS does");
}

#[tokio::test]
async fn a_refusal_of_a_user_that_is_there_stays_one() {
    let bed = Bed::new();
    let leases = limited(&bed).await;
    let lease = take(&leases, MINUTE).await;
    let fault =
        Fault::Fail { status: 403, code: "AccessDenied".to_owned(), message: "no".to_owned() };
    bed.kit.inject(FaultRule::always("GetUser", fault.clone()));
    bed.pass(MINUTE * 3);
    worker(&leases).run_once().await.unwrap();
    let held = look(&leases, lease.id).await;
    assert_eq!(held.state, LeaseState::Revoking);
    // Nor is it gone where that cannot be told.
    bed.kit.inject(FaultRule::always("ListUsers", fault));
    bed.pass(MINUTE);
    worker(&leases).run_once().await.unwrap();
    assert_eq!(look(&leases, lease.id).await.state, LeaseState::Revoking);
    bed.kit.clear_faults();
    bed.pass(MINUTE);
    worker(&leases).run_once().await.unwrap();
    assert_eq!(look(&leases, lease.id).await.state, LeaseState::Revoked);
    assert!(bed.users().is_empty());
}

#[tokio::test]
async fn a_lost_reply_leaves_nothing() {
    for (operation, fault) in [
        ("CreateUser", Fault::Close),
        ("CreateUser", Fault::LoseReply),
        ("CreateAccessKey", Fault::LoseReply),
        ("DeleteUser", Fault::LoseReply),
    ] {
        let bed = Bed::new();
        let leases = limited(&bed).await;
        bed.kit.inject(FaultRule::next(operation, 1, fault.clone()));
        let what = format!("{operation} {fault:?}");
        let made = leases.create(&request(MINUTE)).await;
        if let Ok(made) = made {
            let state = leases.revoke(made.lease.id).await.unwrap().state;
            assert!(matches!(state, LeaseState::Revoked | LeaseState::Revoking), "{what}");
        }
        for _ in 0..3 {
            bed.pass(MINUTE * 10);
            worker(&leases).run_once().await.unwrap();
        }
        let all = leases.leases(&rolecall_secrets::LeaseFilter::default(), None, 9).await.unwrap();
        assert!(all.len() == 1 && all[0].state.is_over(), "{what}: {all:?}");
        assert!(bed.users().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn a_user_that_is_not_shown_yet_is_waited_for() {
    let bed = Bed::new();
    let leases = limited(&bed).await;
    let new_users = Lag { seconds: 0, calls: 2 };
    bed.kit.set_iam(IamSettings { new_users, ..IamSettings::default() });
    let lease = take(&leases, MINUTE * 10).await;
    assert_eq!(leases.revoke(lease.id).await.unwrap().state, LeaseState::Revoked);
    assert!(bed.kit.iam_users(names::ACCOUNT).iter().all(|user| user.name != lease.principal.name));
}
