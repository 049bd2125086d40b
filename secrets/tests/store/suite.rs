use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use rolecall_core::{ErrorKind, Result};
use rolecall_secrets::{
    Change, Claimant, Conflict, LeaseFilter, LeaseId, LeaseState, STORE_SUBJECT, TrailFlaw,
};

pub(crate) use crate::auth::{
    a_used_token_is_known_until_nobody_takes_it_and_never_comes_back,
    an_auth_method_lives_in_versions_and_its_access_id_never_returns,
    of_all_who_use_a_token_at_once_one_may, signing_keys_are_kept_and_never_replaced,
};
use crate::bed::{Bed, MINUTE, active, claimant, definition, grant, new_lease, record};

pub(crate) fn conflict<T: Debug>(outcome: Result<T>) -> Conflict {
    let error = outcome.unwrap_err();
    assert!(error.place().is_some(), "it must say which store: {error}");
    Conflict::of(&error).unwrap_or_else(|| panic!("no conflict: {error}"))
}

pub(crate) async fn a_definition_lives_in_versions_that_are_never_used_again(bed: &impl Bed) {
    let store = bed.store();
    let first = definition("a/b");
    let changed = |text: &str| {
        let mut secret = first.clone();
        secret.description = text.to_owned();
        secret
    };
    let update = async |text: &str, version| {
        store.update_secret(&changed(text), version, &record("update")).await
    };
    assert_eq!(conflict(update("x", 1).await), Conflict::NoSuchSecret);
    assert_eq!(store.secret("a/b", None).await.unwrap(), None);
    store.create_secret(&first, &record("define")).await.unwrap();
    let again = store.create_secret(&first, &record("define")).await;
    assert_eq!(conflict(again), Conflict::SecretExists);
    update("two", 1).await.unwrap();
    assert_eq!(conflict(update("lost", 1).await), Conflict::SecretChanged);
    let found = async |version| {
        let found = store.secret("a/b", version).await.unwrap();
        found.map(|found| (found.version, found.secret.description))
    };
    assert_eq!(found(None).await, Some((2, "two".to_owned())));
    assert_eq!(found(Some(1)).await, Some((1, "a test's".to_owned())));
    assert_eq!(found(Some(3)).await, None);
    store.delete_secret("a/b", &record("delete")).await.unwrap();
    assert_eq!(found(None).await, None);
    assert_eq!(found(Some(2)).await, Some((2, "two".to_owned())));
    let gone = store.delete_secret("a/b", &record("delete")).await;
    assert_eq!(conflict(gone), Conflict::NoSuchSecret);
    assert_eq!(conflict(update("x", 2).await), Conflict::NoSuchSecret);
    store.create_secret(&changed("three"), &record("define")).await.unwrap();
    assert_eq!(found(None).await, Some((3, "three".to_owned())));
    let log = store.trail("a/b").await.unwrap();
    let actions = log.iter().map(|line| line.action.as_str()).collect::<Vec<_>>();
    assert_eq!(actions, ["define", "update", "delete", "define"]);
    assert_eq!(store.verify("a/b").await.unwrap(), None);
}

pub(crate) async fn a_definition_with_leases_that_run_stays(bed: &impl Bed) {
    let store = bed.store();
    let lease = active(store, 1, MINUTE * 60).await;
    let delete = async || store.delete_secret("s", &record("delete")).await;
    assert_eq!(conflict(delete().await), Conflict::SecretInUse);
    let advance = async |change| {
        store.advance(lease.id, lease.fence, &change, &record("revoke")).await.unwrap()
    };
    advance(Change::Revoke).await;
    assert_eq!(conflict(delete().await), Conflict::SecretInUse);
    advance(Change::Removed).await;
    delete().await.unwrap();
}

pub(crate) async fn definitions_are_listed_by_name_and_page(bed: &impl Bed) {
    let store = bed.store();
    for name in ["b", "B", "a-2", "a1", "c", "gone"] {
        store.create_secret(&definition(name), &record("define")).await.unwrap();
    }
    store.delete_secret("gone", &record("delete")).await.unwrap();
    let mut names = Vec::new();
    loop {
        let after = names.last().cloned();
        let page = store.secrets(after.as_deref(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        names.extend(page.into_iter().map(|found| found.secret.name));
    }
    assert_eq!(names, ["B", "a-2", "a1", "b", "c"]);
}

pub(crate) async fn names_that_read_as_other_things_are_refused(bed: &impl Bed) {
    for name in [LeaseId(7).to_string().to_lowercase(), "@store".to_owned()] {
        let created = bed.store().create_secret(&definition(&name), &record("define")).await;
        assert_eq!(created.unwrap_err().kind(), ErrorKind::InvalidConfiguration, "{name}");
        assert_eq!(bed.store().trail(&name).await.unwrap(), []);
    }
    assert_eq!(bed.store().secrets(None, 9).await.unwrap(), []);
}

pub(crate) async fn a_lease_lives_and_is_read_back_as_it_was_written(bed: &impl Bed) {
    let store = bed.store();
    store.create_secret(&definition("s"), &record("define")).await.unwrap();
    let now = store.now().await.unwrap();
    let odd = Duration::from_nanos(1_234_567_891);
    let new = new_lease(u128::MAX - 5, "s", now, MINUTE * 60 + odd);
    let begun = store.begin(&new, &claimant("host:1"), &record("create")).await.unwrap();
    assert_eq!((begun.state, begun.fence, begun.attempts), (LeaseState::Intent, 1, 0));
    assert_eq!(begun.claimed_by.as_deref(), Some("host:1"));
    assert!(begun.claimed_until > Some(now) && begun.due_at > Some(now));
    assert_eq!(begun.principal, new.principal);
    let read = async || store.lease(new.id).await.unwrap().unwrap();
    assert_eq!(read().await, begun);
    let advance = async |change: Change| {
        let lease = store.advance(new.id, 1, &change, &record("act")).await.unwrap();
        assert_eq!(read().await, lease, "{change:?}");
        lease
    };
    let lease = advance(grant(new.expires_at + MINUTE)).await;
    assert_eq!((lease.state, lease.expires_at), (LeaseState::Active, begun.expires_at));
    assert_eq!(lease.sealed.as_deref(), Some([0, 1, 255].as_slice()));
    assert_eq!((lease.due_at, lease.claimed_until), (Some(lease.expires_at), None));
    let lease = advance(Change::Renew(begun.expires_at + MINUTE * 30)).await;
    assert_eq!(lease.expires_at, begun.expires_at + MINUTE * 30);
    assert_eq!(lease.due_at, Some(lease.expires_at));
    let lease = advance(Change::Renew(begun.expires_at + MINUTE * 9000)).await;
    assert_eq!(lease.expires_at, begun.max_expires_at);
    let lease = advance(Change::Revoke).await;
    assert_eq!((lease.state, lease.sealed), (LeaseState::Revoking, None));
    let at = now + MINUTE * 7;
    let failure = "DeleteConflict".to_owned();
    let lease = advance(Change::Retry { failure: failure.clone(), at }).await;
    assert_eq!((lease.attempts, lease.failure), (1, Some(failure)));
    let lease = advance(Change::Removed).await;
    assert_eq!((lease.state, lease.due_at, lease.failure), (LeaseState::Revoked, None, None));
    let log = store.trail(&new.id.to_string().to_lowercase()).await.unwrap();
    assert_eq!(log.len(), 7);
    assert!(log.iter().all(|line| line.subject == new.id.to_string()));
    assert_eq!(store.verify(&new.id.to_string()).await.unwrap(), None);
}

pub(crate) async fn what_the_state_does_not_allow_changes_nothing(bed: &impl Bed) {
    let store = bed.store();
    let lease = active(store, 1, MINUTE * 60).await;
    for change in [grant(lease.expires_at), Change::Removed, Change::Refuse("no".to_owned())] {
        let refused = store.advance(lease.id, 1, &change, &record("act")).await;
        assert_eq!(conflict(refused), Conflict::WrongState, "{change:?}");
    }
    bed.pass(MINUTE * 61).await;
    let renewal = Change::Renew(lease.max_expires_at);
    let refused = store.advance(lease.id, 1, &renewal, &record("renew")).await;
    assert!(refused.as_ref().unwrap_err().message().contains("expired"), "{refused:?}");
    assert_eq!(conflict(refused), Conflict::WrongState);
    let found = store.lease(lease.id).await.unwrap().unwrap();
    assert_eq!((found.state, found.access_key_id), (lease.state, lease.access_key_id));
    assert_eq!(store.trail(&lease.id.to_string()).await.unwrap().len(), 2);
}

pub(crate) async fn an_unknown_lease_and_a_second_one_are_conflicts(bed: &impl Bed) {
    let store = bed.store();
    let lease = active(store, 1, MINUTE * 60).await;
    let now = store.now().await.unwrap();
    let new = new_lease(1, "s", now, MINUTE);
    let second = store.begin(&new, &claimant("b"), &record("create")).await;
    assert_eq!(conflict(second), Conflict::LeaseExists);
    let unknown = LeaseId(99);
    assert_eq!(store.lease(unknown).await.unwrap(), None);
    let advanced = store.advance(unknown, 1, &Change::Revoke, &record("revoke")).await;
    assert_eq!(conflict(advanced), Conflict::NoSuchLease);
    assert_eq!(conflict(store.claim(unknown, &claimant("b")).await), Conflict::NoSuchLease);
    assert_eq!(store.trail(&unknown.to_string()).await.unwrap(), []);
    assert_eq!(store.verify(&unknown.to_string()).await.unwrap(), None);
    assert_eq!(store.lease(lease.id).await.unwrap(), Some(lease));
}

pub(crate) async fn a_lease_needs_a_definition_in_use(bed: &impl Bed) {
    let store = bed.store();
    let now = store.now().await.unwrap();
    let begin = async |version| {
        let mut new = new_lease(1, "s", now, MINUTE);
        new.secret_version = version;
        store.begin(&new, &claimant("a"), &record("create")).await
    };
    assert_eq!(conflict(begin(1).await), Conflict::NoSuchSecret);
    store.create_secret(&definition("s"), &record("define")).await.unwrap();
    assert_eq!(conflict(begin(2).await), Conflict::NoSuchSecret);
    store.delete_secret("s", &record("delete")).await.unwrap();
    assert_eq!(conflict(begin(1).await), Conflict::NoSuchSecret);
    assert_eq!(store.leases(&LeaseFilter::default(), None, 9).await.unwrap(), []);
    assert_eq!(store.trail(&LeaseId(1).to_string()).await.unwrap(), []);
}

pub(crate) async fn of_two_claimants_one_wins_and_the_other_waits(bed: &impl Bed) {
    let store = bed.store();
    let lease = active(store, 1, MINUTE * 60).await;
    let (a, b) = (claimant("a"), claimant("b"));
    let (one, other) = tokio::join!(store.claim(lease.id, &a), store.claim(lease.id, &b));
    let won = [one.unwrap(), other.unwrap()].into_iter().flatten().collect::<Vec<_>>();
    assert_eq!(won.len(), 1);
    assert_eq!(won[0].fence, 2);
    let stale = store.advance(lease.id, 1, &Change::Revoke, &record("revoke")).await;
    assert_eq!(conflict(stale), Conflict::FenceLost);
    store.advance(lease.id, 2, &Change::Release, &record("release")).await.unwrap();
    assert_eq!(store.claim(lease.id, &b).await.unwrap().unwrap().fence, 3);
}

pub(crate) async fn a_claim_that_ran_out_is_lost_to_the_next(bed: &impl Bed) {
    let store = bed.store();
    let lease = active(store, 1, MINUTE * 60).await;
    let first = store.claim(lease.id, &claimant("a")).await.unwrap().unwrap();
    // Revoking keeps the claim: the work begins with it.
    store.advance(lease.id, first.fence, &Change::Revoke, &record("revoke")).await.unwrap();
    assert_eq!(store.claim(lease.id, &claimant("b")).await.unwrap(), None);
    assert_eq!(store.claim_due(&claimant("b"), 9, &[]).await.unwrap(), []);
    bed.pass(MINUTE * 3).await;
    let second = store.claim(lease.id, &claimant("b")).await.unwrap().unwrap();
    assert_eq!((second.fence, second.claimed_by.as_deref()), (first.fence + 1, Some("b")));
    let late = store.advance(lease.id, first.fence, &Change::Removed, &record("revoke")).await;
    assert_eq!(conflict(late), Conflict::FenceLost);
    let done = store.advance(lease.id, second.fence, &Change::Removed, &record("revoke")).await;
    assert_eq!(done.unwrap().state, LeaseState::Revoked);
    assert_eq!(store.verify(&lease.id.to_string()).await.unwrap(), None);
}

pub(crate) async fn a_claim_never_lasts_for_ever(bed: &impl Bed) {
    let store = bed.store();
    let lease = active(store, 1, MINUTE * 60).await;
    let greedy = Claimant { name: "c".to_owned(), hold: Duration::MAX };
    assert!(store.claim(lease.id, &greedy).await.unwrap().is_some());
    bed.pass(MINUTE * 60 * 25).await;
    assert_eq!(store.claim_due(&greedy, 9, &[]).await.unwrap().len(), 1);
    bed.pass(MINUTE * 60 * 25).await;
    assert!(store.claim(lease.id, &claimant("d")).await.unwrap().is_some());
}

pub(crate) async fn a_wish_to_take_back_is_written_down_whoever_works_on_the_lease(bed: &impl Bed) {
    let store = bed.store();
    let lease = active(store, 1, MINUTE * 60).await;
    let held = store.claim(lease.id, &claimant("renewer")).await.unwrap().unwrap();
    let seize = async |name| store.seize(lease.id, &claimant(name), &record("revoke")).await;
    let seized = seize("revoker").await.unwrap().unwrap();
    assert_eq!((seized.state, seized.fence), (LeaseState::Revoking, held.fence + 1));
    assert_eq!(seized.claimed_by.as_deref(), Some("revoker"));
    let late = Change::Renew(lease.expires_at + MINUTE);
    let refused = store.advance(lease.id, held.fence, &late, &record("renew")).await;
    assert_eq!(Conflict::of(&refused.unwrap_err()), Some(Conflict::FenceLost));
    assert_eq!(seize("another").await.unwrap(), None, "it is being taken back");
    assert_eq!(store.lease(lease.id).await.unwrap(), Some(seized.clone()));
    bed.pass(MINUTE * 3).await;
    let again = seize("another").await.unwrap().unwrap();
    assert_eq!(again.fence, seized.fence + 1);
    store.advance(lease.id, again.fence, &Change::Removed, &record("revoke")).await.unwrap();
    let over = seize("another").await.unwrap_err();
    assert_eq!(Conflict::of(&over), Some(Conflict::WrongState));
    let none = store.seize(LeaseId(9), &claimant("a"), &record("revoke")).await.unwrap_err();
    assert_eq!(Conflict::of(&none), Some(Conflict::NoSuchLease));
    let trail = store.trail(&lease.id.to_string()).await.unwrap();
    assert_eq!(trail.iter().filter(|entry| entry.action == "revoke").count(), 3);
    assert_eq!(store.verify(&lease.id.to_string()).await.unwrap(), None);
}

pub(crate) async fn accounts_that_are_left_alone_keep_their_users_and_no_sessions(bed: &impl Bed) {
    let store = bed.store();
    let here = active(store, 1, MINUTE * 10).await;
    let other = active(store, 2, MINUTE * 20).await;
    let session = active(store, 3, MINUTE * 30).await;
    for (lease, set) in
        [(&other, "account_id = '222222222222'"), (&session, "kind = 'assumed-role'")]
    {
        let id = lease.id.0 % 10;
        bed.execute(&format!("UPDATE lease SET {set} WHERE name = 'user-{id}'")).await;
    }
    let due = async |except: &[String]| store.next_due(MINUTE * 600, except).await.unwrap();
    let except = [here.principal.account_id.clone(), "333333333333".to_owned()];
    assert_eq!(due(&[]).await, here.due_at);
    assert_eq!(due(&except).await, other.due_at);
    bed.pass(MINUTE * 31).await;
    let claimed = async |except: &[String]| {
        let claimed = store.claim_due(&claimant("a"), 9, except).await.unwrap();
        claimed.iter().map(|lease| lease.id).collect::<Vec<_>>()
    };
    assert_eq!(claimed(&except).await, [other.id, session.id]);
    assert_eq!(claimed(&except).await, []);
    assert_eq!(claimed(&[]).await, [here.id]);
}

pub(crate) async fn a_row_that_makes_no_sense_stops_no_other(bed: &impl Bed) {
    let store = bed.store();
    for number in [1, 2, 3] {
        active(store, number, MINUTE * 10).await;
    }
    assert_eq!(bed.execute("UPDATE lease SET state = 'odd' WHERE name = 'user-1'").await, 1);
    bed.pass(MINUTE * 11).await;
    let claimed = async |limit| {
        let claimed = store.claim_due(&claimant("a"), limit, &[]).await.unwrap();
        claimed.iter().map(|lease| lease.id.0).collect::<Vec<_>>()
    };
    // Even where it is the first.
    assert_eq!((claimed(1).await, claimed(1).await, claimed(9).await), (vec![], vec![2], vec![3]));
    assert!(store.next_due(MINUTE * 600, &[]).await.unwrap() > Some(store.now().await.unwrap()));
    let listed = store.leases(&LeaseFilter::default(), None, 9).await.unwrap();
    assert!(listed.iter().map(|lease| lease.id.0).eq([2, 3]));
    let error = store.lease(LeaseId(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
}

pub(crate) async fn a_note_is_a_line_of_its_log_and_changes_nothing_else(bed: &impl Bed) {
    let store = bed.store();
    let lease = active(store, 1, MINUTE * 60).await;
    let id = lease.id.to_string();
    for subject in [id.as_str(), &id.to_lowercase(), "s", STORE_SUBJECT, STORE_SUBJECT] {
        let before = store.trail(subject).await.unwrap().len();
        store.note(subject, &record("reap")).await.unwrap();
        let trail = store.trail(subject).await.unwrap();
        assert_eq!(trail.len(), before + 1, "{subject}");
        assert_eq!(trail.last().unwrap().action, "reap");
        assert_eq!(store.verify(subject).await.unwrap(), None, "{subject}");
    }
    assert_eq!(store.lease(lease.id).await.unwrap(), Some(lease));
    for (subject, conflict) in [
        (LeaseId(9).to_string(), Conflict::NoSuchLease),
        ("nothing".to_owned(), Conflict::NoSuchSecret),
    ] {
        let error = store.note(&subject, &record("reap")).await.unwrap_err();
        assert_eq!(Conflict::of(&error), Some(conflict));
        assert_eq!(store.trail(&subject).await.unwrap(), []);
    }
}

pub(crate) async fn what_is_due_is_claimed_once_and_in_order(bed: &impl Bed) {
    let store = bed.store();
    for (number, minutes) in [(1, 30), (2, 10), (3, 20), (4, 40), (5, 15)] {
        active(store, number, MINUTE * minutes).await;
    }
    assert_eq!(store.claim_due(&claimant("a"), 9, &[]).await.unwrap(), []);
    bed.pass(MINUTE * 31).await;
    let claimed = async |name, limit| {
        let claimed = store.claim_due(&claimant(name), limit, &[]).await.unwrap();
        assert!(claimed.iter().all(|lease| lease.claimed_by.as_deref() == Some(name)));
        claimed.iter().map(|lease| lease.id.0).collect::<Vec<_>>()
    };
    assert_eq!(claimed("a", 2).await, [2, 5]);
    assert_eq!(claimed("b", 9).await, [3, 1]);
    assert_eq!(claimed("c", 9).await, [0_u128; 0]);
    assert_eq!(claimed("c", 0).await, [0_u128; 0]);
    bed.pass(MINUTE * 3).await;
    assert_eq!(claimed("c", 9).await.into_iter().collect::<BTreeSet<_>>(), [1, 2, 3, 5].into());
    let lease = store.lease(LeaseId(2)).await.unwrap().unwrap();
    assert_eq!(lease.fence, 3);
}

pub(crate) async fn the_next_due_time_counts_claims(bed: &impl Bed) {
    let store = bed.store();
    assert_eq!(store.next_due(MINUTE * 600, &[]).await.unwrap(), None);
    let early = active(store, 1, MINUTE * 30).await;
    let late = active(store, 2, MINUTE * 35).await;
    assert_eq!(store.next_due(MINUTE * 600, &[]).await.unwrap(), early.due_at);
    assert_eq!(store.next_due(MINUTE * 29, &[]).await.unwrap(), None);
    bed.pass(MINUTE * 31).await;
    let claimed = store.claim_due(&claimant("a"), 9, &[]).await.unwrap();
    // Whoever claimed it may die: then it is due when the claim runs out.
    assert_eq!(store.next_due(MINUTE * 600, &[]).await.unwrap(), claimed[0].claimed_until);
    let at = claimed[0].claimed_until.unwrap() + MINUTE * 60;
    for change in [Change::Revoke, Change::Retry { failure: "x".to_owned(), at }] {
        store.advance(early.id, 2, &change, &record("revoke")).await.unwrap();
    }
    let found = store.lease(late.id).await.unwrap().unwrap();
    assert_eq!(store.next_due(MINUTE * 600, &[]).await.unwrap(), found.due_at);
    store.advance(late.id, 1, &Change::Forget, &record("forget")).await.unwrap();
    assert_eq!(store.next_due(MINUTE * 600, &[]).await.unwrap(), Some(at));
    store.advance(early.id, 2, &Change::Forget, &record("forget")).await.unwrap();
    assert_eq!(store.next_due(MINUTE * 600, &[]).await.unwrap(), None);
}

pub(crate) async fn leases_are_listed_by_filter_and_page(bed: &impl Bed) {
    let store = bed.store();
    let now = store.now().await.unwrap();
    for name in ["s", "t"] {
        store.create_secret(&definition(name), &record("define")).await.unwrap();
    }
    for number in 1..=24 {
        let secret = if number % 2 == 0 { "s" } else { "t" };
        let ttl = MINUTE * u32::try_from(number).unwrap();
        let mut new = new_lease(number, secret, now, ttl);
        new.identity = ["alice", "bob", "carol"][number as usize % 3].to_owned();
        store.begin(&new, &claimant("a"), &record("create")).await.unwrap();
        if number % 4 < 2 {
            store.advance(new.id, 1, &grant(new.expires_at), &record("create")).await.unwrap();
        }
        if number % 8 == 0 {
            store.advance(new.id, 1, &Change::Revoke, &record("revoke")).await.unwrap();
        }
    }
    let list = async |filter: &LeaseFilter, limit| {
        let mut found = Vec::new();
        loop {
            let page = store.leases(filter, found.last().copied(), limit).await.unwrap();
            if page.is_empty() {
                return found.iter().map(|id: &LeaseId| id.0).collect::<Vec<_>>();
            }
            assert!(page.len() <= limit as usize);
            found.extend(page.iter().map(|lease| lease.id));
        }
    };
    let all = LeaseFilter::default();
    assert_eq!(list(&all, 5).await, (1..=24).collect::<Vec<_>>());
    let secret = LeaseFilter { secret: Some("s".to_owned()), ..all.clone() };
    assert_eq!(list(&secret, 5).await, (2..=24).step_by(2).collect::<Vec<_>>());
    let states = vec![LeaseState::Revoking, LeaseState::Active];
    let states = LeaseFilter { states, ..all.clone() };
    let expected = (1..=24).filter(|number| number % 4 < 2).collect::<Vec<u128>>();
    assert_eq!(list(&states, 3).await, expected);
    let identity = LeaseFilter { identity: Some("bob".to_owned()), ..all.clone() };
    assert_eq!(list(&identity, 3).await, (1..=24).step_by(3).collect::<Vec<_>>());
    let everything = LeaseFilter {
        secret: Some("s".to_owned()),
        states: vec![LeaseState::Active],
        identity: Some("bob".to_owned()),
        expires_before: Some(now + MINUTE * 12 + Duration::from_secs(30)),
    };
    assert_eq!(list(&everything, 1).await, [4]);
    let none = LeaseFilter { secret: Some("%' OR 1=1 --".to_owned()), ..all };
    assert_eq!(list(&none, 1).await, [0_u128; 0]);
    assert_eq!(store.leases(&none, None, 0).await.unwrap(), []);
}

pub(crate) async fn a_hundred_tasks_at_once_all_get_through(bed: &impl Bed) {
    let store = bed.store();
    store.create_secret(&definition("s"), &record("define")).await.unwrap();
    let now = store.now().await.unwrap();
    let issue = async |number| {
        let new = new_lease(number, "s", now, MINUTE);
        let begun = store.begin(&new, &claimant("a"), &record("create")).await.unwrap();
        let change = grant(new.expires_at);
        store.advance(new.id, begun.fence, &change, &record("create")).await.unwrap();
        // One in the middle fails, and fails alone.
        let failed = store.advance(new.id, 77, &Change::Revoke, &record("revoke")).await;
        assert_eq!(conflict(failed), Conflict::FenceLost);
    };
    join_all((1..=100).map(issue)).await;
    assert_eq!(store.leases(&LeaseFilter::default(), None, 999).await.unwrap().len(), 100);
    bed.pass(MINUTE * 2).await;
    let workers = ["a", "b", "c", "d"].repeat(5);
    let claim = async |name| store.claim_due(&claimant(name), 7, &[]).await.unwrap();
    let claimed = join_all(workers.into_iter().map(claim)).await;
    let claimed = claimed.into_iter().flatten().map(|lease| lease.id).collect::<Vec<_>>();
    let distinct = claimed.iter().collect::<BTreeSet<_>>();
    assert_eq!(distinct.len(), claimed.len(), "a lease was claimed twice");
    assert_eq!(claimed.len(), 100);
    for number in [1, 50, 100] {
        let subject = LeaseId(number).to_string();
        assert_eq!(store.trail(&subject).await.unwrap().len(), 2);
        assert_eq!(store.verify(&subject).await.unwrap(), None);
    }
}

pub(crate) async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut futures = futures.map(Box::pin).collect::<Vec<_>>();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, slot) in futures.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *slot = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

pub(crate) async fn tampering_with_the_log_shows(bed: &impl Bed) {
    let store = bed.store();
    let flaw = async |subject: &str| store.verify(subject).await.unwrap();
    let mut number = 100;
    for (sql, expected) in [
        ("UPDATE audit SET actor = 'nobody' WHERE sequence = 2", TrailFlaw::Changed(2)),
        ("UPDATE audit SET at = at + 1 WHERE sequence = 1", TrailFlaw::Changed(1)),
        ("UPDATE audit SET outcome = 'refused' WHERE sequence = 3", TrailFlaw::Changed(3)),
        ("UPDATE audit SET sequence = 9 WHERE sequence = 2", TrailFlaw::Missing(2)),
        ("DELETE FROM audit WHERE sequence = 2", TrailFlaw::Missing(2)),
        ("DELETE FROM audit WHERE sequence = 3", TrailFlaw::CutOff(3)),
        ("DELETE FROM audit WHERE sequence > 0", TrailFlaw::CutOff(3)),
        ("UPDATE lease SET log_sequence = 2", TrailFlaw::Longer(2)),
        ("DELETE FROM lease", TrailFlaw::NoEnd),
    ] {
        number += 1;
        let lease = active(store, number, MINUTE).await;
        store.advance(lease.id, 1, &Change::Revoke, &record("revoke")).await.unwrap();
        let subject = lease.id.to_string();
        assert_eq!(flaw(&subject).await, None);
        assert!(bed.execute(sql).await > 0, "{sql}");
        assert_eq!(flaw(&subject).await, Some(expected), "{sql}");
        bed.execute("DELETE FROM lease").await;
        bed.execute("DELETE FROM audit").await;
        bed.execute("DELETE FROM definition").await;
        bed.execute("DELETE FROM definition_version").await;
    }
}

pub(crate) async fn odd_text_is_kept_as_it_is(bed: &impl Bed) {
    let store = bed.store();
    store.create_secret(&definition("s"), &record("define")).await.unwrap();
    let now = store.now().await.unwrap();
    for (number, text) in (1..).zip(["", "'; DROP TABLE lease; --", "ünï\u{1f511}\n\t\"\\", "$1"])
    {
        let mut new = new_lease(number, "s", now, MINUTE);
        new.identity = text.to_owned();
        new.note = text.to_owned();
        let mut log = record("create");
        log.detail = text.to_owned();
        let begun = store.begin(&new, &claimant(text), &log).await.unwrap();
        assert_eq!((begun.identity.as_str(), begun.note.as_str()), (text, text));
        let filter = LeaseFilter { identity: Some(text.to_owned()), ..LeaseFilter::default() };
        assert_eq!(store.leases(&filter, None, 9).await.unwrap(), [begun]);
        assert_eq!(store.trail(&new.id.to_string()).await.unwrap()[0].detail, text);
    }
}

pub(crate) async fn a_caller_that_goes_away_leaves_the_store_whole(bed: &impl Bed) {
    let store = bed.store();
    let lease = active(store, 1, MINUTE * 60).await;
    for polls in 0..6 {
        let (change, log) = (Change::Renew(lease.expires_at), record("renew"));
        let mut advance = store.advance(lease.id, 1, &change, &log);
        for _ in 0..polls {
            let once = std::future::poll_fn(|context| {
                std::task::Poll::Ready(advance.as_mut().poll(context).is_ready())
            });
            if once.await {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    store.advance(lease.id, 1, &Change::Revoke, &record("revoke")).await.unwrap();
    assert_eq!(store.verify(&lease.id.to_string()).await.unwrap(), None);
    store.create_secret(&definition("after"), &record("define")).await.unwrap();
    assert!(store.lease(lease.id).await.unwrap().is_some());
}
