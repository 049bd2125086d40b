//! Random sequences of changes, on each store and on a model in memory.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rolecall_secrets::{
    Change, Claimant, Conflict, Lease, LeaseFilter, LeaseId, LeaseState, change,
};

use crate::bed::{Bed, MINUTE, PostgresBed, SqliteBed, definition, grant, new_lease, record};

#[derive(Clone, Debug)]
enum Step {
    Begin { number: u128, ttl: u32 },
    Advance { number: u128, stale: bool, what: u8, minutes: u32 },
    Claim { number: u128 },
    Seize { number: u128 },
    ClaimDue { limit: u32 },
    Pass { tens: u32 },
    List { secret: Option<bool>, state: Option<u8>, after: u128, limit: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    let number = || 1..6_u128;
    let minutes = || (1..9_u32).prop_map(|tens| tens * 10 + 5);
    prop_oneof![
        3 => (number(), minutes()).prop_map(|(number, ttl)| Step::Begin { number, ttl }),
        6 => (number(), prop::bool::weighted(0.1), 0..8_u8, minutes()).prop_map(
            |(number, stale, what, minutes)| Step::Advance { number, stale, what, minutes }
        ),
        2 => number().prop_map(|number| Step::Claim { number }),
        1 => number().prop_map(|number| Step::Seize { number }),
        2 => (0..4_u32).prop_map(|limit| Step::ClaimDue { limit }),
        2 => (1..4_u32).prop_map(|tens| Step::Pass { tens }),
        1 => (any::<Option<bool>>(), prop::option::of(0..7_u8), 0..6_u128, 0..5_u32).prop_map(
            |(secret, state, after, limit)| Step::List { secret, state, after, limit }
        ),
    ]
}

fn claimant() -> Claimant {
    Claimant { name: "a".to_owned(), hold: MINUTE * 13 }
}

#[derive(Default)]
struct Model {
    leases: BTreeMap<LeaseId, Lease>,
    /// How much time has passed.
    passed: Duration,
}

fn secret_of(number: u128) -> &'static str {
    if number.is_multiple_of(2) { "s" } else { "t" }
}

fn what(what: u8, now: SystemTime, minutes: u32) -> Change {
    let at = now + MINUTE * minutes;
    match what {
        0 => grant(at),
        1 => Change::Refuse("no".to_owned()),
        2 => Change::Renew(at),
        3 => Change::Revoke,
        4 => Change::Retry { failure: "why".to_owned(), at },
        5 => Change::Removed,
        6 => Change::Forget,
        _ => Change::Release,
    }
}

/// The lease, and its times as whole minutes after `start`: all are whole minutes in the model, and
/// up to a minute more where a database's clock runs meanwhile.
fn comparable(lease: &Lease, start: SystemTime) -> (Lease, Vec<Option<i64>>) {
    let mut bare = lease.clone();
    let times = [
        Some(lease.created_at),
        Some(lease.expires_at),
        Some(lease.max_expires_at),
        lease.due_at,
        lease.claimed_until,
    ];
    let minutes = times.map(|time| {
        time.map(|time| {
            let seconds = match time.duration_since(start) {
                Ok(after) => i64::try_from(after.as_secs()).unwrap(),
                Err(before) => -i64::try_from(before.duration().as_secs()).unwrap(),
            };
            (seconds + 5).div_euclid(60)
        })
    });
    let none = SystemTime::UNIX_EPOCH;
    (bare.created_at, bare.expires_at, bare.max_expires_at) = (none, none, none);
    (bare.due_at, bare.claimed_until) = (None, None);
    (bare, minutes.to_vec())
}

/// Does the steps on both. `moves_the_past`: the bed lets time pass by moving what is stored.
async fn run(bed: &impl Bed, moves_the_past: bool, steps: Vec<Step>) {
    let store = bed.store();
    for name in ["s", "t"] {
        store.create_secret(&definition(name), &record("define")).await.unwrap();
    }
    let start = store.now().await.unwrap();
    let mut model = Model::default();
    for step in steps {
        let now = start + model.passed;
        // Where time passes by moving what is stored, the store's now stays.
        let (store_now, shift) =
            if moves_the_past { (start, model.passed) } else { (now, Duration::ZERO) };
        let check = |found: &Lease, expected: &Lease| {
            let found = comparable(found, start.checked_sub(shift).unwrap());
            assert_eq!(found, comparable(expected, start), "{step:?}");
        };
        match &step {
            Step::Begin { number, ttl } => {
                let mut new = new_lease(*number, secret_of(*number), store_now, MINUTE * *ttl);
                let begun = store.begin(&new, &claimant(), &record("create")).await;
                if model.leases.contains_key(&new.id) {
                    assert_eq!(Conflict::of(&begun.unwrap_err()), Some(Conflict::LeaseExists));
                    continue;
                }
                new.expires_at = now + MINUTE * *ttl;
                new.max_expires_at = now + MINUTE * *ttl * 3;
                let expected = new.begin(&claimant(), now);
                check(&begun.unwrap(), &expected);
                model.leases.insert(new.id, expected);
            }
            Step::Advance { number, stale, what: kind, minutes } => {
                let id = LeaseId(*number);
                let fence = model.leases.get(&id).map_or(1, |lease| lease.fence);
                let fence = if *stale { fence + 1 } else { fence };
                let asked = what(*kind, store_now, *minutes);
                let done = store.advance(id, fence, &asked, &record("act")).await;
                let expected = match model.leases.get(&id) {
                    None => Err(Conflict::NoSuchLease),
                    Some(_) if *stale => Err(Conflict::FenceLost),
                    Some(lease) => change(lease, &what(*kind, now, *minutes), now)
                        .map_err(|_| Conflict::WrongState),
                };
                match (done, expected) {
                    (Ok(found), Ok(lease)) => {
                        check(&found, &lease);
                        model.leases.insert(id, lease);
                    }
                    (Err(error), Err(conflict)) => {
                        assert_eq!(Conflict::of(&error), Some(conflict), "{step:?}");
                    }
                    (done, expected) => panic!("{step:?}: {done:?} and not {expected:?}"),
                }
            }
            Step::Seize { number } => {
                let id = LeaseId(*number);
                let seized = store.seize(id, &claimant(), &record("revoke")).await;
                let expected = match model.leases.get(&id) {
                    None => Err(Conflict::NoSuchLease),
                    Some(lease) => lease.seized(&claimant(), now).map_err(|_| Conflict::WrongState),
                };
                match (seized, expected) {
                    (Ok(None), Ok(None)) => {}
                    (Ok(Some(found)), Ok(Some(lease))) => {
                        check(&found, &lease);
                        model.leases.insert(id, lease);
                    }
                    (Err(error), Err(conflict)) => {
                        assert_eq!(Conflict::of(&error), Some(conflict), "{step:?}");
                    }
                    (seized, expected) => panic!("{step:?}: {seized:?} and not {expected:?}"),
                }
            }
            Step::Claim { number } => {
                let id = LeaseId(*number);
                let claimed = store.claim(id, &claimant()).await;
                match model.leases.get_mut(&id) {
                    None => {
                        let conflict = Conflict::of(&claimed.unwrap_err());
                        assert_eq!(conflict, Some(Conflict::NoSuchLease));
                    }
                    Some(lease) => {
                        let expected = lease.claimed(&claimant(), now);
                        let claimed = claimed.unwrap();
                        assert_eq!(claimed.is_some(), expected.is_some(), "{step:?}");
                        if let (Some(claimed), Some(expected)) = (claimed, expected) {
                            check(&claimed, &expected);
                            *lease = expected;
                        }
                    }
                }
            }
            Step::ClaimDue { limit } => {
                let claimed = store.claim_due(&claimant(), *limit, &[]).await.unwrap();
                let free_at = |lease: &Lease| {
                    lease.due_at.map(|due| due.max(lease.claimed_until.unwrap_or(due)))
                };
                let is_due = |lease: &&Lease| free_at(lease).is_some_and(|at| at <= now);
                let mut due = model.leases.values().filter(is_due).collect::<Vec<_>>();
                due.sort_by_key(|lease| free_at(lease));
                let last = due.get(claimed.len().wrapping_sub(1)).and_then(|lease| free_at(lease));
                assert_eq!(claimed.len(), due.len().min(*limit as usize), "{step:?}");
                for lease in claimed {
                    let old = &model.leases[&lease.id];
                    // Of those that have been due equally long, any.
                    assert!(free_at(old) <= last, "{step:?}: {lease:?} before others");
                    let expected = old.claimed(&claimant(), now).unwrap();
                    check(&lease, &expected);
                    model.leases.insert(lease.id, expected);
                }
            }
            Step::Pass { tens } => {
                bed.pass(MINUTE * 10 * *tens).await;
                model.passed += MINUTE * 10 * *tens;
            }
            Step::List { secret, state, after, limit } => {
                let filter = LeaseFilter {
                    secret: secret.map(|even| if even { "s" } else { "t" }.to_owned()),
                    states: state
                        .map(|state| LeaseState::ALL[state as usize])
                        .into_iter()
                        .collect(),
                    ..LeaseFilter::default()
                };
                let found = store.leases(&filter, Some(LeaseId(*after)), *limit).await.unwrap();
                let expected = model.leases.values().filter(|lease| {
                    lease.id.0 > *after
                        && filter.secret.as_ref().is_none_or(|secret| *secret == lease.secret)
                        && (filter.states.is_empty() || filter.states.contains(&lease.state))
                });
                let expected = expected.take(*limit as usize).collect::<Vec<_>>();
                assert_eq!(found.len(), expected.len(), "{step:?}");
                for (found, expected) in found.iter().zip(expected) {
                    check(found, expected);
                }
            }
        }
    }
    for (id, lease) in &model.leases {
        let found = store.lease(*id).await.unwrap().unwrap();
        assert_eq!((found.state, found.fence), (lease.state, lease.fence));
        assert_eq!(store.verify(&id.to_string()).await.unwrap(), None);
    }
}

fn check<B: Bed>(cases: u32, moves_the_past: bool, new: impl AsyncFn() -> B) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.unwrap();
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let checked = runner.run(&prop::collection::vec(step(), 1..60), |steps| {
        runtime.block_on(async { run(&new().await, moves_the_past, steps).await });
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn sqlite_does_what_the_model_does() {
    check(64, false, SqliteBed::new);
}

#[test]
fn postgres_does_what_the_model_does() {
    check(24, true, PostgresBed::new);
}
