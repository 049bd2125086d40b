//! IAM on a bad day: lag, throttling, lost replies.

use std::collections::BTreeSet;

use rolecall_kit::{Fault, FaultRule, IamSettings, Kit, Lag, Rate, names};

use super::support::{admin, call, control, iam, other_admin, send, try_iam};
use super::{ACCOUNT, READ_ONLY, kit};

const USER: (&str, &str) = ("UserName", "lease");

fn calls(calls: u32) -> Lag {
    Lag { calls, seconds: 0 }
}

#[test]
fn a_new_key_is_refused_until_it_has_come_everywhere() {
    let kit = kit();
    kit.freeze(1_790_000_000);
    iam(&kit, &admin(), "CreateUser", &[USER]).ok();
    let who = |keys| call(&kit, keys, "GetCallerIdentity", &[]);

    kit.set_iam(IamSettings { new_keys: calls(2), ..IamSettings::default() });
    let keys = iam(&kit, &admin(), "CreateAccessKey", &[USER]).keys();
    for _ in 0..2 {
        who(&keys).is(403, "InvalidClientTokenId", "invalid");
    }
    who(&keys).ok();

    let new_keys = Lag { seconds: 30, calls: 0 };
    kit.set_iam(IamSettings { new_keys, ..IamSettings::default() });
    let keys = iam(&kit, &admin(), "CreateAccessKey", &[USER]).keys();
    who(&keys).is(403, "InvalidClientTokenId", "");
    kit.advance(29);
    iam(&kit, &keys, "GetUser", &[]).is(403, "InvalidClientTokenId", "");
    kit.advance(1);
    who(&keys).ok();
    who(&keys).ok();
}

#[test]
fn a_new_user_is_not_found_at_first_except_to_take_it_away() {
    let kit = kit();
    kit.set_iam(IamSettings { new_users: calls(3), lists: calls(1), ..IamSettings::default() });
    iam(&kit, &admin(), "CreateUser", &[USER]).ok();
    iam(&kit, &admin(), "CreateUser", &[USER]).is(409, "EntityAlreadyExists", "");
    iam(&kit, &admin(), "GetUser", &[USER]).is(404, "NoSuchEntity", "lease");
    let attach = [USER, ("PolicyArn", READ_ONLY)];
    iam(&kit, &admin(), "AttachUserPolicy", &attach).is(404, "NoSuchEntity", "lease");
    iam(&kit, &admin(), "CreateAccessKey", &[USER]).is(404, "NoSuchEntity", "lease");
    iam(&kit, &admin(), "GetUser", &[USER]).ok();
    let list = || iam(&kit, &admin(), "ListUsers", &[]).all("UserName").contains(&"lease");
    assert_eq!((list(), list()), (false, true));
    iam(&kit, &admin(), "CreateAccessKey", &[USER]).ok();
    let keys = || iam(&kit, &admin(), "ListAccessKeys", &[USER]).all("AccessKeyId").len();
    assert_eq!((keys(), keys()), (0, 1));

    iam(&kit, &admin(), "CreateUser", &[("UserName", "other")]).ok();
    iam(&kit, &admin(), "DeleteUser", &[("UserName", "other")]).ok();
    kit.reset();
    iam(&kit, &admin(), "CreateUser", &[("UserName", "other")]).ok();
    iam(&kit, &admin(), "GetUser", &[("UserName", "other")]).ok();
}

#[test]
fn a_new_login_profile_cannot_be_deleted_at_once() {
    let kit = kit();
    kit.set_iam(IamSettings { new_login_profiles: calls(1), ..IamSettings::default() });
    iam(&kit, &admin(), "CreateUser", &[USER]).ok();
    iam(&kit, &admin(), "CreateLoginProfile", &[USER, ("Password", "12345678")]).ok();
    iam(&kit, &admin(), "DeleteLoginProfile", &[USER]).is(
        409,
        "EntityTemporarilyUnmodifiable",
        "cannot be modified while login profile is being created",
    );
    iam(&kit, &admin(), "DeleteLoginProfile", &[USER]).ok();
}

#[test]
fn each_account_has_as_many_calls_as_its_buckets_hold() {
    let kit = kit();
    kit.freeze(1_790_000_000);
    let rate = |operation: &str, per_second, burst| Rate {
        operation: operation.into(),
        per_second,
        burst,
    };
    let rates = vec![rate("*", 2.0, 4.0), rate("CreateUser", 1.0, 1.0)];
    kit.set_iam(IamSettings { rates, ..IamSettings::default() });
    let create = |n: u32| iam(&kit, &admin(), "CreateUser", &[("UserName", &format!("u{n}"))]);
    create(0).ok();
    create(1).is(400, "Throttling", "Rate exceeded");
    let list = || iam(&kit, &admin(), "ListUsers", &[]);
    assert_eq!((0..5).filter(|_| list().status == 200).count(), 3);
    list().is(400, "Throttling", "Rate exceeded");
    // STS has limits of its own, and so has the other account.
    call(&kit, &admin(), "GetCallerIdentity", &[]).ok();
    iam(&kit, &other_admin(), "ListUsers", &[]).ok();
    kit.advance(1);
    create(1).ok();
    assert_eq!((0..5).filter(|_| list().status == 200).count(), 1);
    assert_eq!(kit.count("CreateUser"), 3);
    assert!(!kit.iam_users(ACCOUNT).iter().any(|user| user.name == "u2"));
}

#[test]
fn replies_are_lost_before_or_after_the_work() {
    let kit = kit();
    let there = |kit: &Kit| kit.iam_users(ACCOUNT).iter().any(|user| user.name == "lease");
    kit.inject(FaultRule::next("CreateUser", 1, Fault::Close));
    assert!(try_iam(&kit, &admin(), "CreateUser", &[USER]).is_none());
    assert!(!there(&kit));
    kit.inject(FaultRule { after: 1, ..FaultRule::next("CreateUser", 1, Fault::LoseReply) });
    iam(&kit, &admin(), "CreateUser", &[("UserName", "first")]).ok();
    assert!(try_iam(&kit, &admin(), "CreateUser", &[USER]).is_none());
    assert!(there(&kit));
    iam(&kit, &admin(), "CreateUser", &[USER]).is(409, "EntityAlreadyExists", "");

    // Each lost reply of CreateAccessKey leaves a key that nobody knows.
    kit.inject(FaultRule::next("CreateAccessKey", 2, Fault::LoseReply));
    for _ in 0..2 {
        assert!(try_iam(&kit, &admin(), "CreateAccessKey", &[USER]).is_none());
    }
    iam(&kit, &admin(), "CreateAccessKey", &[USER]).is(409, "LimitExceeded", "");
    let statuses: Vec<u16> = kit.calls().iter().map(|call| call.status).collect();
    assert_eq!(statuses, [0, 200, 0, 409, 0, 0, 409]);
}

#[test]
fn a_reply_may_be_held_when_the_work_is_done() {
    let kit = kit();
    kit.inject(FaultRule::next("CreateUser", 1, Fault::HoldReply { gate: "a".into() }));
    std::thread::scope(|scope| {
        let held = scope.spawn(|| iam(&kit, &admin(), "CreateUser", &[USER]));
        assert!(kit.wait_for_work("CreateUser", 1));
        assert!(!held.is_finished());
        assert_eq!(kit.iam_users(ACCOUNT).len(), 4);
        kit.open("a");
        held.join().unwrap().ok();
    });
}

#[test]
fn errors_are_iams_own_and_may_strike_the_service_as_a_whole() {
    let kit = kit();
    let fail = |status, code: &str| Fault::Fail {
        status,
        code: code.into(),
        message: "for a test".into(),
    };
    kit.inject(FaultRule { after: 1, ..FaultRule::next("iam:*", 1, fail(500, "ServiceFailure")) });
    kit.inject(FaultRule::next("DeleteUser", 1, fail(409, "ConcurrentModification")));
    call(&kit, &admin(), "GetCallerIdentity", &[]).ok();
    iam(&kit, &admin(), "ListUsers", &[]).ok();
    let answer = iam(&kit, &admin(), "ListUsers", &[]);
    answer.is(500, "ServiceFailure", "for a test");
    assert!(answer.body.contains("https://iam.amazonaws.com/doc/2010-05-08/"), "{}", answer.body);
    assert_eq!(answer.text("Type"), "Receiver");
    iam(&kit, &admin(), "DeleteUser", &[("UserName", "bob")]).is(409, "ConcurrentModification", "");
    assert_eq!(kit.iam_users(ACCOUNT).len(), 3);
}

#[test]
fn the_control_interface_sets_all_of_it() {
    let kit = kit();
    let body = r#"{"new_keys": {"calls": 1}, "rates": [{"per_second": 0.5, "burst": 9}], "page_limit": 2}"#;
    control(&kit, "POST", "iam/settings", body);
    let shown = control(&kit, "GET", "iam/settings", "");
    assert_eq!((&shown["rates"][0]["operation"], &shown["page_limit"]), (&"*".into(), &2.into()));
    assert_eq!(iam(&kit, &admin(), "ListUsers", &[]).all("UserName").len(), 2);
    iam(&kit, &admin(), "CreateUser", &[USER]).ok();
    let keys = iam(&kit, &admin(), "CreateAccessKey", &[USER]).keys();
    call(&kit, &keys, "GetCallerIdentity", &[]).is(403, "InvalidClientTokenId", "");
    control(&kit, "POST", "iam/settings", "{}");
    assert_eq!(iam(&kit, &admin(), "ListUsers", &[]).all("UserName").len(), 4);
    for bad in [r#"{"rate": []}"#, r#"{"rates": [{"burst": 1}]}"#, "["] {
        let path = "/_kit/iam/settings";
        assert_eq!(
            send(kit.port(), "POST", path, &http::HeaderMap::new(), bad).unwrap().status,
            400
        );
    }
}

#[test]
fn bad_requests_of_every_operation_get_answers() {
    let kit = kit();
    let junk = [
        vec![],
        vec![("UserName", "lease")],
        vec![("UserName", "\u{0}")],
        vec![("Tags.member.1.Key", "x")],
        vec![("MaxItems", "99999999999999999999")],
        vec![("Marker", "////")],
        vec![("PolicyArn", "::::::::::::::::::::::")],
        vec![
            ("UserName", "alice"),
            ("PolicyName", "p"),
            ("PolicyDocument", "{\"Statement\":[[]]}"),
        ],
    ];
    let mut seen = BTreeSet::new();
    for action in [
        "GetUser",
        "CreateUser",
        "ListUsers",
        "TagUser",
        "UntagUser",
        "AttachUserPolicy",
        "PutUserPolicy",
        "ListMFADevices",
        "SimulatePrincipalPolicy",
        "GetPolicy",
        "GetGroup",
        "DeleteVirtualMFADevice",
        "GetAccessKeyLastUsed",
        "UpdateAccessKey",
        "Nonsense",
        "",
    ] {
        for values in &junk {
            let answer = iam(&kit, &admin(), action, values);
            assert!(answer.status < 500, "{action} {values:?}: {}", answer.body);
            seen.insert(answer.status);
        }
    }
    assert!(seen.contains(&400) && seen.contains(&404), "{seen:?}");
    call(&kit, &admin(), "GetCallerIdentity", &[]).ok();
    assert!(names::LEASES.contains(ACCOUNT));
}
