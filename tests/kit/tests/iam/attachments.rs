//! Everything that may be attached to a user, and keeps it from being deleted.

use rolecall_kit::sigv4::uri_encode;
use rolecall_kit::{ByHand, Kit, Quotas, names};

use super::support::{Answer, admin, control, iam, try_iam};
use super::{ACCOUNT, READ_ONLY, kit, policy};

const USER: (&str, &str) = ("UserName", "lease");

fn with_user() -> Kit {
    let kit = kit();
    iam(&kit, &admin(), "CreateUser", &[USER, ("Path", "/rolecall/")]).ok();
    kit
}

fn ask(kit: &Kit, action: &str, more: &[(&str, &str)]) -> Answer {
    iam(kit, &admin(), action, &[&[USER], more].concat())
}

#[test]
fn each_of_nine_kinds_must_go_before_the_user() {
    let kit = with_user();
    let ids = kit.add_by_hand(&ByHand::everything(ACCOUNT, "lease")).unwrap();
    let id = |name: &str| ids[name].as_str().unwrap().to_owned();
    let mfa_devices = ["virtual_mfa", "hardware_mfa", "security_key"].map(id);
    let refused = |message: &str| {
        ask(&kit, "DeleteUser", &[]).is(409, "DeleteConflict", message);
    };
    // Every list shows what is to be removed, which is then removed, and is not there twice.
    let sweep = |list: &str, shown: &str, conflict: &str, delete: &str, by: (&str, &str)| {
        refused(conflict);
        let listed = ask(&kit, list, &[]);
        assert!(listed.ok().all(shown).contains(&by.1), "{list}: {}", listed.body);
        ask(&kit, delete, &[by]).ok();
        ask(&kit, delete, &[by]).is(404, "NoSuchEntity", "");
    };
    refused("must delete login profile first");
    ask(&kit, "GetLoginProfile", &[]).ok();
    ask(&kit, "DeleteLoginProfile", &[]).ok();
    ask(&kit, "DeleteLoginProfile", &[]).is(404, "NoSuchEntity", "Login Profile for User lease");
    ask(&kit, "GetLoginProfile", &[]).is(404, "NoSuchEntity", "");
    let by = ("AccessKeyId", &*id("access_key"));
    sweep("ListAccessKeys", "AccessKeyId", "access keys", "DeleteAccessKey", by);
    let by = ("CertificateId", &*id("signing_certificate"));
    sweep("ListSigningCertificates", by.0, "signing cert", "DeleteSigningCertificate", by);
    let by = ("SSHPublicKeyId", &*id("ssh_public_key"));
    sweep("ListSSHPublicKeys", by.0, "SSH public keys", "DeleteSSHPublicKey", by);
    let by = ("ServiceSpecificCredentialId", &*id("service_specific_credential"));
    let (list, delete) = ("ListServiceSpecificCredentials", "DeleteServiceSpecificCredential");
    sweep(list, by.0, "service specific", delete, by);
    for by in &mfa_devices {
        let by = ("SerialNumber", by.as_str());
        sweep("ListMFADevices", by.0, "MFA device", "DeactivateMFADevice", by);
    }
    refused("must delete policies first");
    assert_eq!(ask(&kit, "ListUserPolicies", &[]).all("member"), ["ByHand"]);
    ask(&kit, "DeleteUserPolicy", &[("PolicyName", "ByHand")]).ok();
    let by = ("PolicyArn", "arn:aws:iam::aws:policy/AWSDenyAll");
    sweep("ListAttachedUserPolicies", by.0, "detach all policies", "DetachUserPolicy", by);
    let by = ("GroupName", names::GROUP);
    sweep("ListGroupsForUser", by.0, "from group", "RemoveUserFromGroup", by);
    ask(&kit, "DeleteUser", &[]).ok();

    // The virtual device is still there, without a user.
    let left = iam(&kit, &admin(), "ListVirtualMFADevices", &[("AssignmentStatus", "Unassigned")]);
    assert_eq!(left.ok().all("SerialNumber"), [mfa_devices[0].as_str()]);
    let device = [("SerialNumber", mfa_devices[0].as_str())];
    iam(&kit, &admin(), "DeleteVirtualMFADevice", &device).ok();
    iam(&kit, &admin(), "DeleteVirtualMFADevice", &device).is(404, "NoSuchEntity", "");
    assert!(!kit.iam_users(ACCOUNT).iter().any(|user| user.name == "lease"));
}

#[test]
fn a_virtual_device_in_use_is_not_deleted() {
    let kit = kit();
    let alice = [("SerialNumber", names::ALICE_MFA)];
    iam(&kit, &admin(), "DeleteVirtualMFADevice", &alice).is(409, "DeleteConflict", "deactivate");
    let all = iam(&kit, &admin(), "ListVirtualMFADevices", &[]);
    assert_eq!(all.ok().all("SerialNumber"), [names::ALICE_MFA]);
    assert_eq!(all.all("UserName"), ["alice"]);
}

#[test]
fn managed_policies_must_exist_and_are_ten_at_most() {
    let kit = with_user();
    let attach = |arn: &str| ask(&kit, "AttachUserPolicy", &[("PolicyArn", arn)]);
    for arn in ["arn:aws:iam::aws:policy/Nonsense", "arn:aws:iam::222222222222:policy/team/ReadS3"]
    {
        attach(arn).is(404, "NoSuchEntity", "does not exist or is not attachable");
    }
    attach("arn:aws:s3:::my-bucket/with/letters").is(400, "InvalidInput", "is not valid.");
    attach("short").is(400, "ValidationError", "policyArn");
    attach(names::POLICY).ok();
    attach(names::POLICY).ok();
    let in_path = ask(&kit, "ListAttachedUserPolicies", &[("PathPrefix", "/team/")]);
    assert_eq!(in_path.ok().all("PolicyName"), ["ReadS3"]);
    for name in [
        "ReadOnlyAccess",
        "SecurityAudit",
        "IAMFullAccess",
        "IAMReadOnlyAccess",
        "AmazonS3FullAccess",
        "AmazonS3ReadOnlyAccess",
        "AmazonSQSFullAccess",
        "AWSDenyAll",
        "job-function/ViewOnlyAccess",
    ] {
        attach(&format!("arn:aws:iam::aws:policy/{name}")).ok();
    }
    attach(names::BOUNDARY).is(409, "LimitExceeded", "Cannot exceed quota for PoliciesPerUser: 10");
    let known = iam(&kit, &admin(), "GetPolicy", &[("PolicyArn", names::POLICY)]);
    assert_eq!((known.ok().text("Path"), known.text("AttachmentCount")), ("/team/", "1"));
    let unknown = [("PolicyArn", "arn:aws:iam::111111111111:policy/None")];
    iam(&kit, &admin(), "GetPolicy", &unknown).is(404, "NoSuchEntity", "was not found.");
    ask(&kit, "DetachUserPolicy", &[("PolicyArn", names::BOUNDARY)]).is(404, "NoSuchEntity", "");
    let nobody = [("UserName", "nobody"), ("PolicyArn", READ_ONLY)];
    iam(&kit, &admin(), "AttachUserPolicy", &nobody).is(
        404,
        "NoSuchEntity",
        "user with name nobody",
    );
}

#[test]
fn inline_policies_are_read_and_their_letters_counted_without_white_space() {
    let kit = with_user();
    let put = |name: &str, document: &str| {
        ask(&kit, "PutUserPolicy", &[("PolicyName", name), ("PolicyDocument", document)])
    };
    let spaced = format!("{}\n{}", policy("Deny", "s3:*", "*", "{}"), " \t\r\n".repeat(1000));
    put("one", &spaced).ok();
    let seen = ask(&kit, "GetUserPolicy", &[("PolicyName", "one")]);
    let encoded = uri_encode(spaced.as_bytes());
    assert!(encoded.starts_with("%7B%22"), "{encoded}");
    assert_eq!(seen.ok().text("PolicyDocument"), encoded);
    // 2,048 letters in all, and one more.
    let filled = |length: usize| {
        let document = policy("Deny", "s3:*", "arn:aws:s3:::", "{}");
        let fill = "x".repeat(length - document.len());
        document.replace("arn:aws:s3:::", &format!("arn:aws:s3:::{fill}"))
    };
    let left = 2048 - policy("Deny", "s3:*", "*", "{}").len();
    put("two", &filled(left + 1)).is(
        409,
        "LimitExceeded",
        "Maximum policy size of 2048 bytes exceeded for user lease",
    );
    put("two", &filled(left)).ok();
    // What is replaced does not count twice.
    put("two", &filled(left)).ok();
    put("three", &policy("Deny", "s3:*", "*", "{}")).is(409, "LimitExceeded", "");
    for bad in ["{", "[]", r#"{"Version":"2012-10-17"}"#, &filled(200).replace("Deny", "Maybe")] {
        put("two", bad).is(400, "MalformedPolicyDocument", "Syntax errors in policy.");
    }
    put("two", "snow ☃").is(400, "ValidationError", "policyDocument");
    put("a b", &filled(200)).is(400, "ValidationError", "policyName is invalid");
    let listed = ask(&kit, "ListUserPolicies", &[("MaxItems", "1")]);
    assert_eq!((listed.all("member"), listed.text("IsTruncated")), (vec!["one"], "true"));
    let rest = ask(&kit, "ListUserPolicies", &[("Marker", listed.text("Marker"))]);
    assert_eq!(rest.all("member"), ["two"]);
    for action in ["GetUserPolicy", "DeleteUserPolicy"] {
        ask(&kit, action, &[("PolicyName", "none")]).is(
            404,
            "NoSuchEntity",
            "The user policy with name none cannot be found.",
        );
    }
}

#[test]
fn groups_have_members_and_users_ten_groups() {
    let kit = with_user();
    kit.change_world(|world| {
        world.accounts[0].quotas = Quotas { groups_per_user: 2, ..Quotas::default() };
    });
    let add = |group: &str| ask(&kit, "AddUserToGroup", &[("GroupName", group)]);
    add("None").is(404, "NoSuchEntity", "The group with name None cannot be found.");
    add(names::GROUP).ok();
    add(names::GROUP).ok();
    add(names::GROUP_WITH_PATH).ok();
    let made = iam(&kit, &admin(), "CreateGroup", &[("GroupName", "Third"), ("Path", "/x/")]);
    assert_eq!(made.ok().text("Arn"), "arn:aws:iam::111111111111:group/x/Third");
    iam(&kit, &admin(), "CreateGroup", &[("GroupName", "third")]).is(
        409,
        "EntityAlreadyExists",
        "Group with name third already exists.",
    );
    add("Third").is(409, "LimitExceeded", "Cannot exceed quota for GroupsPerUser: 2");
    let group = iam(&kit, &admin(), "GetGroup", &[("GroupName", names::GROUP)]);
    assert_eq!(
        (group.ok().text("GroupName"), group.all("UserName")),
        (names::GROUP, vec!["lease"])
    );
    assert!(group.text("GroupId").starts_with("AGPA"));
    let groups = ask(&kit, "ListGroupsForUser", &[]);
    assert_eq!(groups.ok().all("GroupName"), [names::GROUP_WITH_PATH, names::GROUP]);
    ask(&kit, "RemoveUserFromGroup", &[("GroupName", "Third")]).is(404, "NoSuchEntity", "not in");
    ask(&kit, "RemoveUserFromGroup", &[("GroupName", names::GROUP)]).ok();
    assert_eq!(Quotas::default().groups_per_user, 10);
}

#[test]
fn a_login_profile_is_made_once_and_its_password_kept_from_the_record() {
    let kit = with_user();
    let password = [("Password", "correct horse"), ("PasswordResetRequired", "true")];
    let made = ask(&kit, "CreateLoginProfile", &password);
    assert_eq!(made.ok().text("PasswordResetRequired"), "true");
    ask(&kit, "CreateLoginProfile", &password).is(409, "EntityAlreadyExists", "lease");
    assert!(!format!("{:?}", kit.calls()).contains("correct horse"));
    assert!(kit.secrets().iter().any(|secret| secret.expose() == "correct horse"));
}

#[test]
fn the_control_interface_adds_and_shows_the_same() {
    let kit = with_user();
    let body =
        r#"{"user": "lease", "login_profile": true, "virtual_mfa": true, "tags": {"a": "b"}}"#;
    let ids = control(&kit, "POST", "iam/by-hand", body);
    let users = control(&kit, "GET", "iam/users/111111111111", "");
    let lease = users.as_array().unwrap().iter().find(|user| user["name"] == "lease").unwrap();
    assert_eq!(lease["login_profile"], true);
    assert_eq!(lease["mfa_devices"][0], ids["virtual_mfa"]);
    assert_eq!((&lease["tags"]["a"], &lease["path"]), (&"b".into(), &"/rolecall/".into()));
    assert_eq!(control(&kit, "GET", "iam/users/222222222222", "").as_array().unwrap().len(), 1);
    assert_eq!(control(&kit, "GET", "iam/users", "").as_array().unwrap().len(), 5);
    assert!(kit.add_by_hand(&ByHand { user: "nobody".into(), ..ByHand::default() }).is_err());
    let group = ByHand { groups: vec!["None".into()], user: "lease".into(), ..ByHand::default() };
    assert!(kit.add_by_hand(&group).is_err());

    assert_eq!(kit.operations("iam"), ["CreateUser"]);
    assert!(try_iam(&kit, &admin(), "GetUser", &[USER]).is_some());
    assert_eq!(
        control(&kit, "GET", "operations/iam", "").to_string(),
        r#"["CreateUser","GetUser"]"#
    );
    assert_eq!(kit.calls()[1].params["UserName"], "lease");
    assert_eq!((kit.calls()[1].service, kit.calls()[1].number), ("iam", 2));
    assert_eq!(kit.count("GetUser"), 1);
    control(&kit, "POST", "reset", r#"{"world": true}"#);
    assert_eq!(kit.iam_users(ACCOUNT).len(), 3);
}
