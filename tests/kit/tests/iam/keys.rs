//! Access keys, at IAM and at STS.

use rolecall_kit::names;

use super::support::{Keys, admin, call, iam};
use super::{ACCOUNT, kit};

const USER: (&str, &str) = ("UserName", "lease");

#[test]
fn a_key_works_until_it_is_made_inactive_or_deleted() {
    let kit = kit();
    kit.freeze(1_790_000_000);
    let made = iam(&kit, &admin(), "CreateUser", &[USER, ("Path", "/rolecall/a/")]);
    let key = iam(&kit, &admin(), "CreateAccessKey", &[USER]);
    assert_eq!(key.ok().text("Status"), "Active");
    let keys = key.keys();
    assert!(keys.id.starts_with("AKIA") && keys.id.len() == 20, "{}", keys.id);
    assert_eq!(keys.secret.len(), 40);

    let used = || iam(&kit, &admin(), "GetAccessKeyLastUsed", &[("AccessKeyId", &keys.id)]);
    assert_eq!((used().ok().get("LastUsedDate"), used().text("ServiceName")), (None, "N/A"));
    let me = call(&kit, &keys, "GetCallerIdentity", &[]);
    assert_eq!(me.ok().text("Arn"), "arn:aws:iam::111111111111:user/rolecall/a/lease");
    assert_eq!(me.text("UserId"), made.text("UserId"));
    assert_eq!(used().text("LastUsedDate"), "2026-09-21T14:13:20Z");
    assert_eq!((used().text("ServiceName"), used().text("UserName")), ("sts", "lease"));

    let set = |status: &str| {
        let values = [USER, ("AccessKeyId", &keys.id), ("Status", status)];
        iam(&kit, &admin(), "UpdateAccessKey", &values)
    };
    set("Inactive").ok();
    call(&kit, &keys, "GetCallerIdentity", &[]).is(403, "InvalidClientTokenId", "invalid");
    assert_eq!(iam(&kit, &admin(), "ListAccessKeys", &[USER]).all("Status"), ["Inactive"]);
    set("Active").ok();
    set("Asleep").is(400, "ValidationError", "enum value set: [Active, Inactive]");
    call(&kit, &keys, "GetCallerIdentity", &[]).ok();
    let session = call(&kit, &keys, "GetSessionToken", &[]).keys();
    call(&kit, &session, "GetCallerIdentity", &[]).ok();

    let delete = [USER, ("AccessKeyId", keys.id.as_str())];
    let other = [("UserName", "alice"), delete[1]];
    iam(&kit, &admin(), "DeleteAccessKey", &other).is(
        404,
        "NoSuchEntity",
        "The Access Key with id",
    );
    iam(&kit, &admin(), "DeleteAccessKey", &delete).ok();
    iam(&kit, &admin(), "DeleteAccessKey", &delete).is(
        404,
        "NoSuchEntity",
        "The Access Key with id",
    );
    used().is(404, "NoSuchEntity", "The Access Key with id");
    call(&kit, &keys, "GetCallerIdentity", &[]).is(403, "InvalidClientTokenId", "");
    // What the key's user had of STS ends with the user, and no other of that name has it.
    call(&kit, &session, "GetCallerIdentity", &[]).ok();
    iam(&kit, &admin(), "DeleteUser", &[USER]).ok();
    call(&kit, &session, "GetCallerIdentity", &[]).is(403, "InvalidClientTokenId", "");
    iam(&kit, &admin(), "CreateUser", &[USER, ("Path", "/rolecall/a/")]).ok();
    call(&kit, &session, "GetCallerIdentity", &[]).is(403, "InvalidClientTokenId", "");
}

#[test]
fn a_user_has_two_keys_at_most_and_each_secret_is_told_once() {
    let kit = kit();
    iam(&kit, &admin(), "CreateUser", &[USER]).ok();
    let keys: Vec<Keys> =
        (0..2).map(|_| iam(&kit, &admin(), "CreateAccessKey", &[USER]).keys()).collect();
    let off = [USER, ("AccessKeyId", keys[0].id.as_str()), ("Status", "Inactive")];
    iam(&kit, &admin(), "UpdateAccessKey", &off).ok();
    iam(&kit, &admin(), "CreateAccessKey", &[USER]).is(
        409,
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
    );
    let listed = iam(&kit, &admin(), "ListAccessKeys", &[USER]);
    assert_eq!(listed.ok().all("AccessKeyId").len(), 2);
    let shown = format!("{}{:?}{:?}", listed.body, kit.iam_users(ACCOUNT), kit.calls());
    for key in &keys {
        assert!(!shown.contains(&key.secret));
        assert!(kit.secrets().iter().any(|secret| secret.expose() == key.secret));
        iam(&kit, &admin(), "DeleteAccessKey", &[USER, ("AccessKeyId", &key.id)]).ok();
        assert!(kit.secrets().iter().any(|secret| secret.expose() == key.secret));
    }
    assert_eq!(call(&kit, &keys[1], "GetCallerIdentity", &[]).status, 403);
    let info = [("AccessKeyId", names::ALICE_KEY)];
    call(&kit, &admin(), "GetAccessKeyInfo", &info).ok();
}
