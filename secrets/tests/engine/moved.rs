//! Connections that lead elsewhere than they did, and users that are elsewhere than they were.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rolecall_core::{Context, Credentials, ProvideCredentials, SharedProvider};
use rolecall_kit::{Fault, FaultRule, names};
use rolecall_secrets::{Connect, LeaseFilter, LeaseState, Leases, Reached};

use crate::bed::{
    Bed, MINUTE, admin, connect, define, endpoint, look, options, request, role, take, worker,
};

/// Whoever is asked for.
#[derive(Clone, Debug)]
struct Switch(Arc<Mutex<SharedProvider>>);

impl Switch {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(admin())))
    }

    fn set(&self, to: SharedProvider) {
        *self.0.lock().unwrap() = to;
    }

    fn now(&self) -> SharedProvider {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl ProvideCredentials for Switch {
    async fn provide_credentials(&self) -> rolecall_core::Result<Credentials> {
        self.now().provide_credentials().await
    }
}

#[tokio::test]
async fn a_connection_that_leads_to_another_account_ends_nothing() {
    let bed = Bed::new();
    let switch = Switch::new();
    let connect = connect(&bed.kit.url(), Arc::new(switch.clone()), None);
    let leases = Leases::new(bed.context(), bed.store("one").await, connect, options());
    define(&leases).await;
    let lease = take(&leases, MINUTE * 10).await;
    bed.pass(MINUTE * 3);
    let (key, secret) = (names::OTHER_ADMIN_KEY, names::OTHER_ADMIN_SECRET);
    switch.set(Arc::new(Credentials::new(key, secret, "the other account")));
    let after = leases.revoke(lease.id).await.unwrap();
    assert_eq!(after.state, LeaseState::Revoking);
    assert!(after.failure.unwrap().contains(names::OTHER_ACCOUNT));
    assert_eq!(bed.users().len(), 1);
    switch.set(admin());
    bed.pass(MINUTE * 2);
    worker(&leases).run_once().await.unwrap();
    assert_eq!(look(&leases, lease.id).await.state, LeaseState::Revoked);
    assert!(bed.users().is_empty());
}

#[tokio::test]
async fn a_connection_is_made_anew_once_it_is_refused_and_after_a_while() {
    let bed = Bed::new();
    let (switch, count) = (Switch::new(), Arc::new(AtomicUsize::new(0)));
    let (url, http) = (bed.kit.url(), Context::real().http);
    let (current, counted) = (switch.clone(), count.clone());
    let connect = Connect::new(move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(Reached {
            credentials: current.now(),
            iam: endpoint(&url, "iam"),
            sts: endpoint(&url, "sts"),
            retry: rolecall_core::http::RetryPolicy::default(),
            http: http.clone(),
        })
    });
    let leases = Leases::new(bed.context(), bed.store("one").await, connect, options());
    define(&leases).await;
    let made = || count.load(Ordering::SeqCst);
    let lease = take(&leases, MINUTE * 60).await;
    take(&leases, MINUTE * 60).await;
    assert_eq!(made(), 1);
    bed.pass(MINUTE * 6);
    take(&leases, MINUTE * 60).await;
    assert_eq!(made(), 2);
    // The key is replaced.
    let next = role(&bed, "Leases").await;
    bed.kit.change_world(|world| {
        for user in &mut world.users {
            user.access_keys.retain(|key| key.id != names::ADMIN_KEY);
        }
    });
    switch.set(next);
    assert_eq!(leases.revoke(lease.id).await.unwrap().state, LeaseState::Revoking);
    bed.pass(MINUTE);
    worker(&leases).run_once().await.unwrap();
    let after = look(&leases, lease.id).await;
    assert_eq!(after.state, LeaseState::Revoked, "{:?}", after.failure);
    assert_eq!(made(), 3);
}

#[tokio::test]
async fn a_user_that_was_renamed_or_moved_is_found_by_its_key() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    let rename = |from: &str, to: &str| {
        bed.kit.change_world(|world| {
            let user = world.users.iter_mut().find(|user| user.name == from).unwrap();
            to.clone_into(&mut user.name);
            "/elsewhere/".clone_into(&mut user.path);
        });
    };
    let lease = take(&leases, MINUTE * 10).await;
    bed.pass(MINUTE * 3);
    rename(&lease.principal.name, "somebody");
    let after = leases.revoke(lease.id).await.unwrap();
    assert_eq!(after.state, LeaseState::Revoked, "{:?}", after.failure);
    assert!(!bed.kit.iam_users(names::ACCOUNT).iter().any(|user| user.name == "somebody"));
    // Whoever has the key and no tag of ours is left alone, and the lease says so.
    let lease = take(&leases, MINUTE * 10).await;
    bed.pass(MINUTE * 3);
    rename(&lease.principal.name, "nobody");
    bed.kit.change_world(|world| {
        let user = world.users.iter_mut().find(|user| user.name == "nobody").unwrap();
        user.iam.tags.clear();
    });
    let after = leases.revoke(lease.id).await.unwrap();
    assert_eq!(after.state, LeaseState::Revoking);
    assert!(after.failure.unwrap().contains("nobody"));
    let users = bed.kit.iam_users(names::ACCOUNT);
    let user = users.iter().find(|user| user.name == "nobody").unwrap();
    assert_eq!(user.access_keys.len(), 1);
}

#[tokio::test]
async fn a_user_whose_tag_was_changed_is_not_gone_while_its_key_lives() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    let lease = take(&leases, MINUTE * 10).await;
    bed.pass(MINUTE * 3);
    let tag = |value: &str| {
        bed.kit.change_world(|world| {
            let is_it = |user: &&mut rolecall_kit::User| user.name == lease.principal.name;
            let user = world.users.iter_mut().find(is_it).unwrap();
            user.iam.tags.insert("rolecall:nonce".to_owned(), value.to_owned());
        });
    };
    tag("0123");
    let after = leases.revoke(lease.id).await.unwrap();
    assert_eq!(after.state, LeaseState::Revoking);
    assert!(after.failure.unwrap().contains("rolecall:nonce"));
    assert_eq!(bed.users().len(), 1);
    tag(&lease.principal.nonce);
    bed.pass(MINUTE);
    worker(&leases).run_once().await.unwrap();
    assert_eq!(look(&leases, lease.id).await.state, LeaseState::Revoked);
    assert!(bed.users().is_empty());
}

#[tokio::test]
async fn a_user_that_was_moved_out_of_reach_is_not_gone() {
    let bed = Bed::new();
    let connect = connect(&bed.kit.url(), role(&bed, "Leases").await, None);
    let leases = Leases::new(bed.context(), bed.store("limited").await, connect, options());
    define(&leases).await;
    let lease = take(&leases, MINUTE * 10).await;
    bed.pass(MINUTE * 3);
    let move_to = |path: &str| {
        bed.kit.change_world(|world| {
            let is_it = |user: &&mut rolecall_kit::User| user.name == lease.principal.name;
            path.clone_into(&mut world.users.iter_mut().find(is_it).unwrap().path);
        });
    };
    move_to("/elsewhere/");
    let after = leases.revoke(lease.id).await.unwrap();
    assert_eq!(after.state, LeaseState::Revoking);
    let failure = after.failure.unwrap();
    assert!(failure.contains("not at its path"), "{failure}");
    move_to(&lease.principal.path);
    bed.pass(MINUTE);
    worker(&leases).run_once().await.unwrap();
    assert_eq!(look(&leases, lease.id).await.state, LeaseState::Revoked);
}

#[tokio::test]
async fn a_user_that_was_made_in_another_account_is_removed_at_once() {
    let bed = Bed::new();
    let switch = Switch::new();
    let connect = connect(&bed.kit.url(), Arc::new(switch.clone()), None);
    let leases = Leases::new(bed.context(), bed.store("one").await, connect, options());
    define(&leases).await;
    let before = take(&leases, MINUTE * 10).await;
    let (key, secret) = (names::OTHER_ADMIN_KEY, names::OTHER_ADMIN_SECRET);
    switch.set(Arc::new(Credentials::new(key, secret, "the other account")));
    // Where the connection leads is asked only every few minutes.
    let error = leases.create(&request(MINUTE * 10)).await.unwrap_err();
    assert!(error.message().contains(names::OTHER_ACCOUNT), "{error}");
    let ours = |account| {
        let users = bed.kit.iam_users(account).into_iter();
        users.filter(|user| user.path.contains("/rolecall/")).count()
    };
    assert_eq!((ours(names::ACCOUNT), ours(names::OTHER_ACCOUNT)), (1, 0));
    let all = leases.leases(&LeaseFilter::default(), None, 9).await.unwrap();
    let failed = all.iter().find(|lease| lease.id != before.id).unwrap();
    assert_eq!(failed.state, LeaseState::Failed);
    // And anew after that: the other account has no such group.
    let error = leases.create(&request(MINUTE * 10)).await.unwrap_err();
    assert!(error.message().contains(names::GROUP), "{error}");
}

#[tokio::test]
async fn that_a_user_is_gone_is_believed_only_after_a_while() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    let lease = take(&leases, MINUTE * 10).await;
    // A node of IAM that does not know the user yet.
    let unknown = Fault::Fail {
        status: 404,
        code: "NoSuchEntity".to_owned(),
        message: "The user cannot be found.".to_owned(),
    };
    bed.kit.inject(FaultRule::next("DeleteUser", 1, unknown));
    let after = leases.revoke(lease.id).await.unwrap();
    assert_eq!(after.state, LeaseState::Revoking);
    assert!(after.failure.unwrap().contains("may only not show it yet"));
    bed.pass(MINUTE * 3);
    worker(&leases).run_once().await.unwrap();
    assert_eq!(look(&leases, lease.id).await.state, LeaseState::Revoked);
    assert!(bed.users().is_empty());
}
