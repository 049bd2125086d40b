//! What policies allow, at IAM and at STS.

use rolecall_kit::{IamSettings, Kit, Lag, extended_date, names};

use super::support::{Keys, admin, alice, assume, call, iam};
use super::{ACCOUNT, kit, policy};

const HOUR: i64 = 3600;

/// A user of IAM with a key and an inline policy.
fn user(kit: &Kit, name: &str, document: &str) -> Keys {
    iam(kit, &admin(), "CreateUser", &[("UserName", name), ("Path", "/rolecall/")]).ok();
    if !document.is_empty() {
        put(kit, name, "main", document);
    }
    iam(kit, &admin(), "CreateAccessKey", &[("UserName", name)]).keys()
}

fn put(kit: &Kit, user: &str, name: &str, document: &str) {
    let values = [("UserName", user), ("PolicyName", name), ("PolicyDocument", document)];
    iam(kit, &admin(), "PutUserPolicy", &values).ok();
}

#[test]
fn what_no_policy_allows_is_denied_in_awss_words() {
    let kit = kit();
    iam(&kit, &alice(), "ListUsers", &[("PathPrefix", "/a/")]).is(
        403,
        "AccessDenied",
        "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: iam:ListUsers on resource: arn:aws:iam::111111111111:user/a/ because no identity-based policy allows the iam:ListUsers action",
    );
    iam(&kit, &alice(), "CreateUser", &[("UserName", "x"), ("Path", "/p/")]).is(
        403,
        "AccessDenied",
        "iam:CreateUser on resource: arn:aws:iam::111111111111:user/p/x because",
    );
    iam(&kit, &alice(), "GetUser", &[("UserName", "bob")]).is(
        403,
        "AccessDenied",
        "iam:GetUser on resource: user bob because no identity-based policy allows",
    );
    iam(&kit, &alice(), "GetUser", &[("UserName", "nobody")]).is(
        403,
        "AccessDenied",
        "user nobody",
    );
    iam(&kit, &alice(), "GetAccountSummary", &[]).is(403, "AccessDenied", "on resource: *");
    assert_eq!(kit.iam_users(ACCOUNT).len(), 3);
    kit.change_world(|world| {
        world.users[0].iam.policies.attached = vec!["arn:aws:iam::aws:policy/IAMFullAccess".into()];
        world.users[0].denied_actions.push("iam:DeleteUser".into());
    });
    iam(&kit, &alice(), "ListUsers", &[]).ok();
    iam(&kit, &alice(), "DeleteUser", &[("UserName", "bob")]).is(
        403,
        "AccessDenied",
        "with an explicit deny in an identity-based policy",
    );
}

#[test]
fn the_role_for_leases_may_do_its_work_in_its_path_and_nothing_else() {
    let kit = kit();
    let leases = assume(&kit, &alice(), names::LEASES, &[]).keys();
    let here = [("UserName", "a"), ("Path", "/rolecall/store/")];
    let tagged = [here[0], here[1], ("Tags.member.1.Key", "k"), ("Tags.member.1.Value", "v")];
    iam(&kit, &leases, "CreateUser", &tagged).ok();
    for (action, more) in [
        ("GetUser", vec![]),
        ("AttachUserPolicy", vec![("PolicyArn", names::POLICY)]),
        ("AddUserToGroup", vec![("GroupName", names::GROUP)]),
        ("CreateAccessKey", vec![]),
        ("ListMFADevices", vec![]),
        ("ListServiceSpecificCredentials", vec![]),
        ("DetachUserPolicy", vec![("PolicyArn", names::POLICY)]),
    ] {
        iam(&kit, &leases, action, &[&here[..1], &more].concat()).ok();
    }
    iam(&kit, &leases, "ListUsers", &[("PathPrefix", "/rolecall/")]).ok();
    for (action, values) in [
        ("CreateUser", vec![("UserName", "b")]),
        ("CreateUser", vec![("UserName", "b"), ("Path", "/rolecall2/")]),
        ("GetUser", vec![("UserName", "bob")]),
        ("DeleteUser", vec![("UserName", "bob")]),
        ("CreateLoginProfile", vec![("UserName", "a"), ("Password", "12345678")]),
        ("CreateGroup", vec![("GroupName", "g")]),
        // Of a user that is not there, the path is not known, so that the path allows nothing.
        ("GetUser", vec![("UserName", "nobody")]),
    ] {
        iam(&kit, &leases, action, &values).is(
            403,
            "AccessDenied",
            "User: arn:aws:sts::111111111111:assumed-role/Leases/test is not authorized",
        );
    }
    let infisical = assume(&kit, &alice(), names::LEASES_INFISICAL, &[]).keys();
    iam(&kit, &infisical, "GetUser", &here[..1]).ok();
    iam(&kit, &infisical, "ListMFADevices", &here[..1]).is(403, "AccessDenied", "ListMFADevices");
    // A role with policies may do at STS what they allow, and who it is it may always ask.
    call(&kit, &leases, "GetCallerIdentity", &[]).ok();
    assume(&kit, &leases, names::HOP, &[]).is(403, "AccessDenied", "sts:AssumeRole");
}

#[test]
fn making_a_user_with_tags_is_an_action_more() {
    let kit = kit();
    let keys = user(&kit, "maker", &policy("Allow", "iam:CreateUser", "*", "{}"));
    iam(&kit, &keys, "CreateUser", &[("UserName", "plain")]).ok();
    let tags = [("Tags.member.1.Key", "k"), ("Tags.member.1.Value", "v")];
    iam(&kit, &keys, "CreateUser", &[&[("UserName", "tagged")], &tags[..]].concat()).is(
        403,
        "AccessDenied",
        "iam:TagUser on resource: arn:aws:iam::111111111111:user/tagged",
    );
}

#[test]
fn conditions_on_tags_boundaries_and_policies_hold() {
    let kit = kit();
    let condition = format!(
        r#"{{"StringEquals": {{"aws:RequestTag/owner": "${{aws:username}}"}},
            "ArnEquals": {{"iam:PermissionsBoundary": "{}"}}}}"#,
        names::BOUNDARY
    );
    let keys = user(&kit, "maker", &policy("Allow", "iam:*User", "*", &condition));
    let owner = |name| [("Tags.member.1.Key", "owner"), ("Tags.member.1.Value", name)];
    let boundary = [("PermissionsBoundary", names::BOUNDARY)];
    let create = |values: &[&[(&str, &str)]]| {
        iam(&kit, &keys, "CreateUser", &[&[("UserName", "made")], &values.concat()[..]].concat())
    };
    create(&[&owner("maker")]).is(403, "AccessDenied", "iam:CreateUser");
    create(&[&owner("other"), &boundary]).is(403, "AccessDenied", "iam:CreateUser");
    create(&[&owner("maker"), &boundary]).ok();

    let mine = r#"{"StringEquals": {"aws:ResourceTag/Owner": "maker"}}"#;
    put(&kit, "maker", "mine", &policy("Allow", "iam:GetUser", "*", mine));
    iam(&kit, &keys, "GetUser", &[("UserName", "made")]).ok();
    iam(&kit, &keys, "GetUser", &[("UserName", "bob")]).is(403, "AccessDenied", "user bob");
    let only = format!(r#"{{"ArnLike": {{"iam:PolicyARN": "{}"}}}}"#, names::POLICY);
    put(&kit, "maker", "attach", &policy("Allow", "iam:AttachUserPolicy", "*", &only));
    let attach =
        |arn| iam(&kit, &keys, "AttachUserPolicy", &[("UserName", "made"), ("PolicyArn", arn)]);
    attach(names::POLICY).ok();
    attach("arn:aws:iam::aws:policy/AdministratorAccess").is(
        403,
        "AccessDenied",
        "AttachUserPolicy",
    );
}

#[test]
fn boundaries_and_session_policies_limit_what_is_allowed() {
    let kit = kit();
    let keys = user(&kit, "bounded", &policy("Allow", "iam:*", "*", "{}"));
    iam(&kit, &keys, "GetUser", &[]).ok();
    let boundary = [("UserName", "bounded"), ("PermissionsBoundary", names::BOUNDARY)];
    iam(&kit, &admin(), "PutUserPermissionsBoundary", &boundary).ok();
    iam(&kit, &keys, "GetUser", &[]).is(
        403,
        "AccessDenied",
        "because no permissions boundary allows the iam:GetUser action",
    );
    let boundary = [boundary[0], ("PermissionsBoundary", "arn:aws:iam::aws:policy/AWSDenyAll")];
    iam(&kit, &admin(), "PutUserPermissionsBoundary", &boundary).ok();
    iam(&kit, &keys, "GetUser", &[]).is(
        403,
        "AccessDenied",
        "with an explicit deny in a permissions boundary",
    );

    let narrow = policy("Allow", "iam:ListUsers", "*", "{}");
    let leases = assume(&kit, &alice(), names::LEASES, &[("Policy", &narrow)]).keys();
    iam(&kit, &leases, "ListUsers", &[]).ok();
    iam(&kit, &leases, "GetAccountSummary", &[]).is(
        403,
        "AccessDenied",
        "because no session policy allows the iam:GetAccountSummary action",
    );
    let deny = [("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/AWSDenyAll")];
    let leases = assume(&kit, &alice(), names::LEASES, &deny).keys();
    iam(&kit, &leases, "ListUsers", &[]).is(403, "AccessDenied", "deny in a session policy");
}

#[test]
fn groups_and_managed_policies_allow_and_deny() {
    let kit = kit();
    let keys = user(&kit, "u", "");
    iam(&kit, &keys, "GetUser", &[]).is(403, "AccessDenied", "");
    kit.change_world(|world| {
        let group = world.groups.iter_mut().find(|group| group.name == names::GROUP).unwrap();
        group.policies.inline.insert("get".into(), policy("Allow", "iam:GetUser", "*", "{}"));
    });
    iam(&kit, &admin(), "AddUserToGroup", &[("UserName", "u"), ("GroupName", names::GROUP)]).ok();
    iam(&kit, &keys, "GetUser", &[]).ok();
    let deny = [("UserName", "u"), ("PolicyArn", "arn:aws:iam::aws:policy/AWSDenyAll")];
    iam(&kit, &admin(), "AttachUserPolicy", &deny).ok();
    iam(&kit, &keys, "GetUser", &[]).is(403, "AccessDenied", "explicit deny");
    iam(&kit, &admin(), "DetachUserPolicy", &deny).ok();
    iam(&kit, &keys, "GetUser", &[]).ok();
}

#[test]
fn the_dead_mans_policy_denies_everything_once_the_time_is_over() {
    let kit = kit();
    kit.freeze(1_790_000_000);
    let keys = user(&kit, "lease", &policy("Allow", "*", "*", "{}"));
    let expiry = extended_date(kit.now() + HOUR);
    let dead = format!(r#"{{"DateGreaterThan": {{"aws:CurrentTime": "{expiry}"}}}}"#);
    put(&kit, "lease", "dead-man", &policy("Deny", "*", "*", &dead));
    kit.change_world(|world| {
        let hop = world.roles.iter_mut().find(|role| role.name == "Hop").unwrap();
        hop.trust.principals.push("arn:aws:iam::111111111111:root".into());
    });
    let alive = || {
        iam(&kit, &keys, "GetUser", &[]).ok();
        assume(&kit, &keys, names::HOP, &[]).ok();
        call(&kit, &keys, "GetSessionToken", &[]).ok();
    };
    alive();
    kit.advance(HOUR);
    alive();
    kit.advance(1);
    let words = "with an explicit deny in an identity-based policy";
    iam(&kit, &keys, "GetUser", &[]).is(403, "AccessDenied", words);
    iam(&kit, &keys, "CreateAccessKey", &[]).is(403, "AccessDenied", words);
    assume(&kit, &keys, names::HOP, &[]).is(403, "AccessDenied", words);
    call(&kit, &keys, "GetSessionToken", &[]).is(403, "AccessDenied", words);
    call(&kit, &keys, "GetCallerIdentity", &[]).ok();

    // Renewal rewrites it.
    let later = extended_date(kit.now() + HOUR);
    let dead = format!(r#"{{"DateGreaterThan": {{"aws:CurrentTime": "{later}"}}}}"#);
    put(&kit, "lease", "dead-man", &policy("Deny", "*", "*", &dead));
    alive();
}

#[test]
fn made_users_need_permission_at_sts_unless_a_role_of_their_account_names_them() {
    let kit = kit();
    let keys = user(&kit, "u", "");
    let arn = "arn:aws:iam::111111111111:user/rolecall/u";
    kit.change_world(|world| {
        for role in &mut world.roles {
            if ["Hop", "External"].contains(&role.name.as_str()) {
                role.trust.principals.push(arn.into());
                role.trust.external_id = None;
            }
        }
    });
    // Hop is in another account.
    assume(&kit, &keys, names::HOP, &[]).is(
        403,
        "AccessDenied",
        "because no identity-based policy allows the sts:AssumeRole action",
    );
    assume(&kit, &keys, names::EXTERNAL, &[]).ok();
    // Trusting the account leaves it to the account's policies.
    kit.change_world(|world| {
        let long = world.roles.iter_mut().find(|role| role.name == "Long").unwrap();
        long.trust.principals = vec!["arn:aws:iam::111111111111:root".into()];
    });
    assume(&kit, &keys, names::LONG, &[]).is(403, "AccessDenied", "no identity-based policy");
    assume(&kit, &alice(), names::LONG, &[]).ok();
    call(&kit, &keys, "GetSessionToken", &[]).ok();
    call(&kit, &keys, "GetFederationToken", &[("Name", "fed")]).is(403, "AccessDenied", "");
    put(&kit, "u", "hop", &policy("Allow", "sts:AssumeRole", names::HOP, "{}"));
    assume(&kit, &keys, names::HOP, &[]).ok();
}

#[test]
fn simulation_tells_what_is_allowed() {
    let kit = kit();
    let ask = |values: &[(&str, &str)]| {
        let source = [("PolicySourceArn", names::LEASES)];
        iam(&kit, &admin(), "SimulatePrincipalPolicy", &[&source, values].concat())
    };
    let answer = ask(&[
        ("ActionNames.member.1", "iam:CreateUser"),
        ("ActionNames.member.2", "iam:CreateGroup"),
        ("ResourceArns.member.1", "arn:aws:iam::111111111111:user/rolecall/s/x"),
        ("ResourceArns.member.2", "arn:aws:iam::111111111111:user/x"),
    ]);
    assert_eq!(
        answer.ok().all("EvalDecision"),
        ["allowed", "implicitDeny", "implicitDeny", "implicitDeny"]
    );
    let deny = policy("Deny", "iam:*", "*", r#"{"Bool": {"aws:SecureTransport": "false"}}"#);
    let values = [
        ("ActionNames.member.1", "iam:ListUsers"),
        ("PolicyInputList.member.1", deny.as_str()),
        ("ContextEntries.member.1.ContextKeyName", "aws:SecureTransport"),
        ("ContextEntries.member.1.ContextKeyValues.member.1", "false"),
        ("ContextEntries.member.1.ContextKeyType", "boolean"),
    ];
    assert_eq!(ask(&values).ok().all("EvalDecision"), ["explicitDeny"]);
    assert_eq!(ask(&values[..2]).ok().all("EvalDecision"), ["allowed"]);
    let nobody = [
        ("PolicySourceArn", "arn:aws:iam::111111111111:user/nobody"),
        ("ActionNames.member.1", "iam:GetUser"),
    ];
    iam(&kit, &admin(), "SimulatePrincipalPolicy", &nobody).is(404, "NoSuchEntity", "nobody");
}

#[test]
fn a_user_that_is_not_seen_yet_has_no_path_either() {
    let kit = kit();
    let leases = assume(&kit, &alice(), names::LEASES, &[]).keys();
    let new_users = Lag { seconds: 0, calls: 2 };
    kit.set_iam(IamSettings { new_users, ..IamSettings::default() });
    let made = [("UserName", "x"), ("Path", "/rolecall/s/")];
    iam(&kit, &leases, "CreateUser", &made).ok();
    for _ in 0..2 {
        iam(&kit, &leases, "GetUser", &[("UserName", "x")]).is(403, "AccessDenied", "user x");
    }
    iam(&kit, &leases, "GetUser", &[("UserName", "x")]).ok();
    // Who is not limited to a path is told that there is none.
    iam(&kit, &admin(), "CreateUser", &[("UserName", "y")]).ok();
    for _ in 0..2 {
        iam(&kit, &admin(), "GetUser", &[("UserName", "y")]).is(404, "NoSuchEntity", "y");
    }
    iam(&kit, &admin(), "GetUser", &[("UserName", "y")]).ok();
}
