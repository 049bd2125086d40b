//! Users, their tags and boundaries.

use rolecall_kit::{Quotas, names};

use super::support::{admin, call, iam, other_admin, post_to, root};
use super::{ACCOUNT, kit};

#[test]
fn a_user_is_made_seen_changed_and_deleted() {
    let kit = kit();
    kit.freeze(1_790_000_000);
    let values = [
        ("UserName", "lease-1"),
        ("Path", "/rolecall/a/"),
        ("PermissionsBoundary", names::BOUNDARY),
        ("Tags.member.1.Key", "lease"),
        ("Tags.member.1.Value", "one / two = 3@x"),
        ("Tags.member.2.Key", "empty"),
        ("Tags.member.2.Value", ""),
    ];
    let made = iam(&kit, &admin(), "CreateUser", &values);
    assert!(made.ok().body.starts_with(
        "<CreateUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n  <CreateUserResult>"
    ));
    assert_eq!(made.text("Arn"), "arn:aws:iam::111111111111:user/rolecall/a/lease-1");
    assert_eq!(made.text("CreateDate"), "2026-09-21T14:13:20Z");
    let id = made.text("UserId");
    assert!(id.starts_with("AIDA") && id.len() == 21, "{id}");

    let seen = iam(&kit, &admin(), "GetUser", &values[..1]);
    assert_eq!(seen.ok().text("UserId"), id);
    assert_eq!(seen.text("PermissionsBoundaryArn"), names::BOUNDARY);
    assert_eq!(seen.all("Key"), ["empty", "lease"]);
    assert_eq!(seen.all("Value"), ["", "one / two = 3@x"]);

    let listed = iam(&kit, &admin(), "ListUsers", &[("PathPrefix", "/rolecall/")]);
    assert_eq!(listed.ok().all("UserName"), ["lease-1"]);
    assert!(!listed.body.contains("Tags") && !listed.body.contains("Boundary"), "{}", listed.body);

    iam(&kit, &admin(), "DeleteUserPermissionsBoundary", &values[..1]).ok();
    assert_eq!(iam(&kit, &admin(), "GetUser", &values[..1]).get("PermissionsBoundary"), None);
    let bounded = [values[0], ("PermissionsBoundary", "arn:aws:iam::aws:policy/Nonsense")];
    iam(&kit, &admin(), "PutUserPermissionsBoundary", &bounded).is(
        404,
        "NoSuchEntity",
        "Scope ARN",
    );
    let bounded = [values[0], ("PermissionsBoundary", "arn:aws:iam::aws:policy/AWSDenyAll")];
    iam(&kit, &admin(), "PutUserPermissionsBoundary", &bounded).ok();

    let renamed = [values[0], ("NewUserName", "Lease-2"), ("NewPath", "/b/")];
    iam(&kit, &admin(), "UpdateUser", &renamed).ok();
    let seen = iam(&kit, &admin(), "GetUser", &[("UserName", "Lease-2")]);
    assert_eq!((seen.ok().text("Path"), seen.text("UserId")), ("/b/", id));
    let deleted = iam(&kit, &admin(), "DeleteUser", &[("UserName", "Lease-2")]);
    assert!(!deleted.ok().body.contains("Result"), "{}", deleted.body);
    for action in ["GetUser", "DeleteUser", "ListUserTags"] {
        iam(&kit, &admin(), action, &[("UserName", "Lease-2")]).is(
            404,
            "NoSuchEntity",
            "The user with name Lease-2 cannot be found.",
        );
    }
}

#[test]
fn names_are_unique_whatever_their_case_but_only_in_their_account() {
    let kit = kit();
    iam(&kit, &admin(), "CreateUser", &[("UserName", "Lease")]).ok();
    iam(&kit, &admin(), "CreateUser", &[("UserName", "lEASE")]).is(
        409,
        "EntityAlreadyExists",
        "User with name lEASE already exists.",
    );
    iam(&kit, &admin(), "UpdateUser", &[("UserName", "bob"), ("NewUserName", "LEASE")]).is(
        409,
        "EntityAlreadyExists",
        "",
    );
    iam(&kit, &admin(), "GetUser", &[("UserName", "lease")]).is(404, "NoSuchEntity", "");
    let other = iam(&kit, &other_admin(), "CreateUser", &[("UserName", "lease")]);
    assert_eq!(other.ok().text("Arn"), "arn:aws:iam::222222222222:user/lease");
    iam(&kit, &other_admin(), "GetUser", &[("UserName", "Lease")]).is(404, "NoSuchEntity", "");
    assert_eq!(kit.iam_users("222222222222").len(), 2);
}

#[test]
fn names_paths_and_tags_are_judged() {
    let kit = kit();
    let long = "x".repeat(65);
    let longer = format!("/{}/", "x".repeat(511));
    let key = "k".repeat(129);
    let value = "v".repeat(257);
    let tag = |key: &'static str| [("Tags.member.1.Key", key), ("Tags.member.1.Value", "v")];
    let create = |values: &[(&str, &str)]| {
        let given = values.iter().any(|(name, _)| *name == "UserName");
        let name = if given { None } else { Some(("UserName", "ok")) };
        iam(&kit, &admin(), "CreateUser", &values.iter().copied().chain(name).collect::<Vec<_>>())
    };
    for (values, message) in [
        (vec![("UserName", "a b")], "The specified value for userName is invalid. It must contain"),
        (vec![("UserName", "ä")], "The specified value for userName is invalid."),
        (vec![("UserName", "")], "length greater than or equal to 1"),
        (vec![("UserName", long.as_str())], "length less than or equal to 64"),
        (vec![("Path", "rolecall/")], "The specified value for path is invalid. It must begin"),
        (vec![("Path", "/rolecall")], "The specified value for path is invalid."),
        (vec![("Path", "/a b/")], "The specified value for path is invalid."),
        (vec![("Path", longer.as_str())], "length less than or equal to 512"),
        (vec![("Tags.member.1.Key", "k")], "'tags.1.member.value'"),
        (vec![("Tags.member.1.Key", key.as_str()), ("Tags.member.1.Value", "")], "equal to 128"),
        (vec![("Tags.member.1.Key", "k"), ("Tags.member.1.Value", &value)], "equal to 256"),
        (tag("a;b").to_vec(), "regular expression"),
    ] {
        create(&values).is(400, "ValidationError", message);
    }
    create(&tag("aws:x")).is(400, "InvalidInput", "aws: prefixed");
    let twice = [tag("Team"), [("Tags.member.2.Key", "tEAM"), ("Tags.member.2.Value", "v")]];
    create(&twice.concat()).is(400, "InvalidInput", "Duplicate tag keys");
    create(&[("PermissionsBoundary", "arn:aws:iam::111111111111:policy/None")]).is(
        404,
        "NoSuchEntity",
        "does not exist or is not attachable",
    );
    assert_eq!(kit.iam_users(ACCOUNT).len(), 3);
    for name in ["a+=,.@_-Z9", &long[1..]] {
        create(&[("UserName", name)]).ok();
    }
}

#[test]
fn tags_are_replaced_removed_and_limited() {
    let kit = kit();
    iam(&kit, &admin(), "CreateUser", &[("UserName", "u")]).ok();
    let tag = |from: usize, to: usize, value: &str| {
        let pairs: Vec<(String, String)> = (from..to)
            .enumerate()
            .flat_map(|(at, n)| {
                let name = format!("Tags.member.{}", at + 1);
                [
                    (format!("{name}.Key"), format!("k{n:02}")),
                    (format!("{name}.Value"), value.into()),
                ]
            })
            .collect();
        let mut values = vec![("UserName", "u")];
        values.extend(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        iam(&kit, &admin(), "TagUser", &values)
    };
    tag(0, 51, "a").is(400, "ValidationError", "length less than or equal to 50");
    tag(0, 30, "a").ok();
    tag(20, 50, "b").ok();
    tag(50, 51, "c").is(409, "LimitExceeded", "50");
    let upper = [("UserName", "u"), ("Tags.member.1.Key", "K00"), ("Tags.member.1.Value", "z")];
    iam(&kit, &admin(), "TagUser", &upper).ok();
    let first = iam(&kit, &admin(), "ListUserTags", &[("UserName", "u"), ("MaxItems", "2")]);
    assert_eq!(first.ok().all("Key"), ["K00", "k01"]);
    assert_eq!((first.all("Value"), first.text("IsTruncated")), (vec!["z", "a"], "true"));
    let untag = [("UserName", "u"), ("TagKeys.member.1", "K49"), ("TagKeys.member.2", "none")];
    iam(&kit, &admin(), "UntagUser", &untag).ok();
    let all = iam(&kit, &admin(), "ListUserTags", &[("UserName", "u")]);
    assert_eq!((all.all("Key").len(), all.text("IsTruncated")), (49, "false"));
    assert_eq!(kit.iam_users(ACCOUNT)[3].tags["k48"], "b");
}

#[test]
fn lists_come_in_pages_that_others_changes_do_not_shift() {
    let kit = kit();
    for n in 0..7 {
        let name = format!("u{n}");
        iam(&kit, &admin(), "CreateUser", &[("UserName", &name), ("Path", "/p/")]).ok();
    }
    iam(&kit, &admin(), "CreateUser", &[("UserName", "other"), ("Path", "/q/")]).ok();
    let list = |marker: Option<&str>| {
        let mut values = vec![("PathPrefix", "/p/"), ("MaxItems", "3")];
        values.extend(marker.map(|marker| ("Marker", marker)));
        iam(&kit, &admin(), "ListUsers", &values)
    };
    let first = list(None);
    assert_eq!(first.ok().all("UserName"), ["u0", "u1", "u2"]);
    // What comes and goes on pages already read moves nothing on the next.
    iam(&kit, &admin(), "DeleteUser", &[("UserName", "u1")]).ok();
    iam(&kit, &admin(), "DeleteUser", &[("UserName", "u2")]).ok();
    let second = list(first.get("Marker"));
    assert_eq!(second.ok().all("UserName"), ["u3", "u4", "u5"]);
    let third = list(second.get("Marker"));
    assert_eq!((third.ok().all("UserName"), third.get("Marker")), (vec!["u6"], None));
    assert_eq!(third.text("IsTruncated"), "false");
    list(Some("nonsense")).is(400, "ValidationError", "Invalid Marker");
    let marker = [("UserName", "u0"), ("Marker", first.text("Marker"))];
    iam(&kit, &admin(), "ListAccessKeys", &marker).is(400, "ValidationError", "Invalid Marker");
    for max in ["0", "1001"] {
        iam(&kit, &admin(), "ListUsers", &[("MaxItems", max)]).is(
            400,
            "ValidationError",
            "maxItems",
        );
    }
    kit.set_iam(rolecall_kit::IamSettings { page_limit: Some(1), ..Default::default() });
    assert_eq!(list(None).all("UserName"), ["u0"]);
}

#[test]
fn an_account_is_full_at_its_quota() {
    let kit = kit();
    kit.change_world(|world| {
        world.accounts[0].quotas = Quotas { users: 4, groups: 2, ..Quotas::default() };
    });
    iam(&kit, &admin(), "CreateUser", &[("UserName", "fourth")]).ok();
    iam(&kit, &admin(), "CreateUser", &[("UserName", "fifth")]).is(
        409,
        "LimitExceeded",
        "Cannot exceed quota for UsersPerAccount: 4",
    );
    iam(&kit, &admin(), "CreateGroup", &[("GroupName", "third")]).is(409, "LimitExceeded", ": 2");
    let summary = iam(&kit, &admin(), "GetAccountSummary", &[]);
    let (keys, values) = (summary.ok().all("key"), summary.all("value"));
    let of = |key: &str| values[keys.iter().position(|known| *known == key).unwrap()];
    assert_eq!((of("Users"), of("UsersQuota")), ("4", "4"));
    assert_eq!((of("Groups"), of("AccessKeysPerUserQuota")), ("2", "2"));
    assert_eq!((of("GroupsPerUserQuota"), of("UserPolicySizeQuota")), ("10", "2048"));
    iam(&kit, &other_admin(), "CreateUser", &[("UserName", "u")]).ok();
}

#[test]
fn who_calls_without_a_name_asks_about_itself() {
    let kit = kit();
    assert_eq!(iam(&kit, &admin(), "GetUser", &[]).ok().text("UserName"), "admin");
    assert_eq!(
        iam(&kit, &root(), "GetUser", &[]).ok().text("Arn"),
        "arn:aws:iam::111111111111:root"
    );
    iam(&kit, &admin(), "DeleteUser", &[("UserName", "root")]).is(404, "NoSuchEntity", "root");
    iam(&kit, &admin(), "CreateUser", &[("UserName", "root")]).ok();
    iam(&kit, &admin(), "DeleteUser", &[("UserName", "root")]).ok();
    iam(&kit, &root(), "GetUser", &[]).ok();
    let leases = super::support::assume(&kit, &admin(), names::LEASES, &[]).keys();
    iam(&kit, &leases, "GetUser", &[]).is(400, "ValidationError", "Must specify userName");
}

#[test]
fn requests_are_signed_for_iam_in_its_region() {
    let kit = kit();
    let body = "Action=ListUsers&Version=2010-05-08";
    post_to(&kit, "sts", Some(&admin()), body, &[]).unwrap().is(
        403,
        "SignatureDoesNotMatch",
        "correct service: 'iam'",
    );
    post_to(&kit, "iam", None, body, &[]).unwrap().is(403, "MissingAuthenticationToken", "");
    let sts = "Action=GetCallerIdentity&Version=2011-06-15";
    post_to(&kit, "iam", Some(&admin()), sts, &[]).unwrap().is(
        403,
        "SignatureDoesNotMatch",
        "'sts'",
    );
    post_to(&kit, "iam", Some(&admin()), "Action=ListUsers", &[]).unwrap().is(
        400,
        "InvalidAction",
        "NO_VERSION_SPECIFIED",
    );
    iam(&kit, &admin(), "AssumeRole", &[]).is(400, "InvalidAction", "2010-05-08");
    iam(&kit, &admin(), "ListUsers", &[("Foo", "1")]).is(400, "InvalidQueryParameter", "Foo");
    kit.change_world(|world| world.accounts[0].partition = "aws-cn".into());
    iam(&kit, &admin(), "ListUsers", &[]).is(403, "SignatureDoesNotMatch", "cn-north-1");

    // IAM takes no user's session without MFA, and no federated user.
    let kit = super::kit();
    let session = call(&kit, &admin(), "GetSessionToken", &[]).keys();
    iam(&kit, &session, "ListUsers", &[]).is(403, "InvalidClientTokenId", "");
    let federated = call(&kit, &admin(), "GetFederationToken", &[("Name", "fed")]).keys();
    iam(&kit, &federated, "ListUsers", &[]).is(403, "InvalidClientTokenId", "");
}
