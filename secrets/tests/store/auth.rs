//! Auth methods, signing keys and used tokens, in both stores.

use std::time::{Duration, SystemTime};

use rolecall_core::Context;
use rolecall_secrets::{AuthMethod, AuthStore, Conflict, StoredKey};
use rolecall_sts::identity::{Bounds, ReplayKey};

use crate::bed::{Bed, record};
use crate::suite::{conflict, join_all};

fn auth(bed: &impl Bed) -> &dyn AuthStore {
    bed.store().auth().unwrap()
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600 + seconds)
}

fn key(number: u8) -> ReplayKey {
    ReplayKey([number; 32])
}

pub(crate) async fn a_used_token_is_known_until_nobody_takes_it_and_never_comes_back(
    bed: &impl Bed,
) {
    let auth = auth(bed);
    let spend =
        async |number, until, now| auth.spend(key(number), at(until), at(now)).await.unwrap();
    let is_spent = async |number, now| auth.is_spent(key(number), at(now)).await.unwrap();
    assert!(!is_spent(1, 0).await);
    assert!(spend(1, 300, 0).await);
    assert!(is_spent(1, 300).await && !spend(1, 300, 300).await);
    // Another server of this store may take older tokens.
    assert!(!spend(1, 900, 900).await && !spend(1, 960, 960).await);
    assert!(spend(2, 1300, 961).await);
    assert!(!is_spent(1, 961).await, "it is to be forgotten");
    assert!(!spend(1, 300, 10).await, "the clock was set back");
    assert!(!is_spent(1, 961).await);
    assert!(is_spent(2, 1300).await && spend(3, 1300, 1300).await);
}

pub(crate) async fn of_all_who_use_a_token_at_once_one_may(bed: &impl Bed) {
    let auth = auth(bed);
    let spend = async |number: u8| auth.spend(key(number % 2), at(300), at(0)).await.unwrap();
    let spent = join_all((0..100).map(spend)).await;
    assert_eq!(spent.into_iter().filter(|first| *first).count(), 2);
}

pub(crate) async fn an_auth_method_lives_in_versions_and_its_access_id_never_returns(
    bed: &impl Bed,
) {
    let auth = auth(bed);
    let method = |name: &str| {
        let bounds = Bounds { account_ids: vec!["123456789012".to_owned()], ..Bounds::default() };
        AuthMethod { bounds, ..AuthMethod::new(&Context::real(), name) }
    };
    let found = async |name: &str| {
        let found = auth.method(name).await.unwrap();
        found.map(|found| (found.version, found.method))
    };
    let first = method("ci");
    assert_eq!(
        conflict(auth.update_method(&first, 1, &record("update")).await),
        Conflict::NoSuchMethod
    );
    auth.create_method(&first, &record("create")).await.unwrap();
    let again = auth.create_method(&method("ci"), &record("create")).await;
    assert_eq!(conflict(again), Conflict::MethodExists);
    assert_eq!(found("ci").await, Some((1, first.clone())));
    assert_eq!(found(&first.access_id).await, Some((1, first.clone())));
    let changed = AuthMethod { description: "it's \"odd\" \u{1f980}".to_owned(), ..first.clone() };
    auth.update_method(&changed, 1, &record("update")).await.unwrap();
    let late = auth.update_method(&first, 1, &record("update")).await;
    assert_eq!(conflict(late), Conflict::MethodChanged);
    let other_id = auth.update_method(&method("ci"), 2, &record("update")).await;
    assert_eq!(conflict(other_id), Conflict::MethodChanged);
    assert_eq!(found("ci").await, Some((2, changed)));
    for name in ["b", "B", "a/1"] {
        auth.create_method(&method(name), &record("create")).await.unwrap();
    }
    auth.delete_method("b", &record("delete")).await.unwrap();
    let gone = auth.delete_method("b", &record("delete")).await;
    assert_eq!(conflict(gone), Conflict::NoSuchMethod);
    let names = async |after, limit| {
        let page = auth.methods(after, limit).await.unwrap();
        page.into_iter().map(|stored| stored.method.name).collect::<Vec<_>>()
    };
    assert_eq!(names(None, 2).await, ["B", "a/1"]);
    assert_eq!(names(Some("a/1"), 9).await, ["ci"]);

    auth.delete_method("ci", &record("delete")).await.unwrap();
    assert_eq!(found("ci").await, None);
    let second = method("ci");
    let second_id = second.access_id.clone();
    auth.create_method(&second, &record("create")).await.unwrap();
    assert_eq!(found("ci").await, Some((3, second)));
    assert_eq!(
        found(&first.access_id).await,
        None,
        "who may have it by the old one must not by the new"
    );
    let revived = AuthMethod { access_id: first.access_id.clone(), ..method("other") };
    let taken = AuthMethod { access_id: second_id, ..method("thief") };
    for method in [revived, taken] {
        let refused = auth.create_method(&method, &record("create")).await;
        assert_eq!(conflict(refused), Conflict::MethodExists, "{}", method.name);
        assert_eq!(found(&method.name).await, None);
    }
    assert_eq!(found("ci").await.map(|(version, _)| version), Some(3));
    auth.delete_method("ci", &record("delete")).await.unwrap();
    let same = AuthMethod { access_id: first.access_id.clone(), ..method("ci") };
    let refused = auth.create_method(&same, &record("create")).await;
    assert_eq!(conflict(refused), Conflict::MethodExists);
    let store = bed.store();
    let actions = async || {
        let trail = store.trail("@method/ci").await.unwrap();
        trail.into_iter().map(|line| line.action).collect::<Vec<_>>()
    };
    assert_eq!(actions().await, ["create", "update", "delete", "create", "delete"]);
    assert_eq!(store.verify("@method/ci").await.unwrap(), None);
    assert_eq!(
        bed.execute("DELETE FROM audit WHERE subject = '@method/ci' AND sequence = 5").await,
        1
    );
    assert!(store.verify("@method/ci").await.unwrap().is_some());
}

pub(crate) async fn signing_keys_are_kept_and_never_replaced(bed: &impl Bed) {
    let auth = auth(bed);
    let key = StoredKey { id: "a".to_owned(), public: vec![0, 255], sealed: Some(vec![1]) };
    auth.keep_signing_key(&key).await.unwrap();
    let forged = StoredKey { public: vec![9], ..key.clone() };
    auth.keep_signing_key(&forged).await.unwrap();
    let other = StoredKey { id: "b".to_owned(), sealed: None, ..key.clone() };
    auth.keep_signing_key(&other).await.unwrap();
    assert_eq!(auth.signing_keys().await.unwrap(), [key.clone(), other.clone()]);
    assert!(auth.drop_signing_key("a").await.unwrap());
    assert!(
        !auth.drop_signing_key("a").await.unwrap() && !auth.drop_signing_key("c").await.unwrap()
    );
    auth.keep_signing_key(&key).await.unwrap();
    assert_eq!(auth.signing_keys().await.unwrap(), [other], "whoever has its file brings it back");
}
