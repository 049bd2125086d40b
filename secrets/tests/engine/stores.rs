//! Two stores on one account.

use rolecall_secrets::{LeaseState, ReapOptions};

use crate::bed::{Bed, MINUTE, look, reap, take, worker};

#[tokio::test]
async fn two_stores_never_touch_each_others_users() {
    let bed = Bed::new();
    let (one, other) = (bed.leases("one").await, bed.leases("other").await);
    let ours = take(&one, MINUTE * 5).await;
    let theirs = take(&other, MINUTE * 60).await;
    let their_users = || {
        let users = bed.users().into_iter();
        users.filter(|user| user.path == theirs.principal.path).collect::<Vec<_>>()
    };
    let before = their_users();
    assert_eq!((before.len(), bed.users().len()), (1, 2));
    bed.pass(MINUTE * 30);
    let everything = ReapOptions { remove: true, unexpired: true, ..ReapOptions::default() };
    assert_eq!(reap(&one, &everything).await, []);
    assert_eq!(worker(&other).run_once().await.unwrap(), 0);
    assert_eq!(bed.users().len(), 2, "the other store's worker");
    assert_eq!(worker(&one).run_once().await.unwrap(), 1);
    assert_eq!(look(&one, ours.id).await.state, LeaseState::Revoked);
    assert_eq!(their_users(), before);
    assert_eq!(look(&other, theirs.id).await.state, LeaseState::Active);
    // A user in the other's path that says that it is ours, and one in ours that says it is theirs.
    let own = take(&one, MINUTE * 60).await;
    bed.kit.change_world(|world| {
        for user in &mut world.users {
            if user.name == own.principal.name {
                user.path.clone_from(&theirs.principal.path);
            } else if user.name == theirs.principal.name {
                user.path.clone_from(&own.principal.path);
            }
        }
    });
    bed.pass(MINUTE * 30);
    for leases in [&one, &other] {
        assert_eq!(reap(leases, &everything).await, []);
    }
    assert_eq!(bed.users().len(), 2);
}

#[tokio::test]
async fn a_lost_stores_users_are_reaped_only_when_its_id_is_given() {
    let bed = Bed::new();
    let (one, lost) = (bed.leases("one").await, bed.leases("lost").await);
    let kept = take(&one, MINUTE * 120).await;
    take(&lost, MINUTE * 5).await;
    take(&lost, MINUTE * 110).await;
    bed.pass(MINUTE * 40);
    let remove = ReapOptions { remove: true, ..ReapOptions::default() };
    assert_eq!(reap(&one, &remove).await, []);
    let store_id = Some(lost.store().info().await.unwrap().id);
    let dry = ReapOptions { store_id: store_id.clone(), ..ReapOptions::default() };
    assert_eq!(reap(&one, &dry).await.len(), 1, "one of them is past its end");
    assert_eq!(bed.users().len(), 3, "a dry run");
    let remove = ReapOptions { store_id, ..remove };
    assert_eq!(reap(&one, &remove).await.len(), 1);
    assert_eq!(bed.users().len(), 2);
    let all = ReapOptions { unexpired: true, ..remove };
    assert_eq!(reap(&one, &all).await.len(), 1);
    let left = bed.users().into_iter().map(|user| user.name).collect::<Vec<_>>();
    assert_eq!(left, [kept.principal.name]);
}
