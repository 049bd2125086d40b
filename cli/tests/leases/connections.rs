use rolecall_kit::names;
use serde_json::Value;

use super::{define, leased_users, sandbox, take, whoami};

/// Defines and uses a secret by this connection.
fn leases_by(sandbox: &crate::support::Sandbox, connection: &str) {
    let name = format!("by-{}-{}", connection.split(':').next().unwrap(), connection.len());
    sandbox.run(&["secret", "create", &name, "--connection", connection]).good();
    let given = sandbox.run(&["lease", "create", &name, "--json"]).json();
    let text = |name: &str| given["credentials"][name].as_str().unwrap().to_owned();
    whoami(sandbox, &text("AccessKeyId"), &text("SecretAccessKey")).good();
    let id = given["lease"]["id"].as_str().unwrap();
    sandbox.run(&["lease", "revoke", id]).good();
    assert!(leased_users(sandbox).is_empty());
}

#[test]
fn every_connection_is_reached() {
    let sandbox = sandbox().set("ADMIN_SECRET", names::ADMIN_SECRET);
    let file = sandbox.file("secret", names::ADMIN_SECRET).display().to_string();
    let key = names::ADMIN_KEY;
    leases_by(&sandbox, &format!("access-key:{key}=env:ADMIN_SECRET"));
    let by_file = format!("access-key:{key}=file://{file}");
    let leases = names::LEASES;
    leases_by(&sandbox, &format!("role:{leases},source={by_file}"));
    // Its session is in the cache that all share.
    assert_eq!(sandbox.cache_entries().len(), 1);
    let calls = sandbox.kit.count("AssumeRole");
    let again = format!("role:{leases},source=access-key:{key}=env:ADMIN_SECRET");
    sandbox.run(&["secret", "create", "again", "--connection", &again]).good();
    sandbox.run(&["secret", "check", "again"]).good();
    assert_eq!(sandbox.kit.count("AssumeRole"), calls);
    let all = "arn:aws:iam::aws:policy/AdministratorAccess";
    sandbox.kit.change_world(|world| {
        for role in &mut world.roles {
            role.iam.policies.attached.push(all.to_owned());
        }
    });
    leases_by(&sandbox, &format!("web-identity:{}={}", names::WEB, sandbox.token_file()));
    let external = format!("role:{},external-id={}", names::EXTERNAL, names::EXTERNAL_ID);
    leases_by(&sandbox, &format!("{external},source=profile:alice"));
}

#[test]
fn the_default_chain_and_endpoints_of_profiles_count() {
    let sandbox = sandbox().unset("AWS_ENDPOINT_URL_IAM").unset("AWS_ENDPOINT_URL_STS");
    let url = sandbox.kit.url();
    sandbox.add_config(&format!(
        "[profile there]\nrole_arn = {leases}\nsource_profile = admin\nservices = kit\n\
         [services kit]\niam =\n  endpoint_url = {url}\nsts =\n  endpoint_url = {url}\n\
         [default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n\
         endpoint_url = {url}\n",
        leases = names::LEASES,
        key = names::ADMIN_KEY,
        secret = names::ADMIN_SECRET,
    ));
    leases_by(&sandbox, "profile:there");
    sandbox.run(&["secret", "create", "by-default"]).good();
    let id =
        sandbox.run(&["lease", "create", "by-default", "--json"]).json()["lease"]["id"].clone();
    sandbox.run(&["lease", "revoke", id.as_str().unwrap()]).good();
}

#[test]
fn a_check_prints_the_very_policy_that_is_missing() {
    let sandbox = sandbox();
    let by = |profile| format!("role:{},source=profile:{profile}", names::LEASES);
    sandbox.run(&["secret", "create", "good", "--connection", &by("alice"), "--check"]).good();
    let args = ["secret", "create", "bad", "--connection", "profile:alice", "--check"];
    let checked = sandbox.run(&[&args[..], &["--group", names::GROUP]].concat());
    assert_eq!(checked.code(), 5, "{checked:?}");
    assert!(checked.stderr.contains("CreateUser"), "{checked:?}");
    let policy = &checked.stdout[checked.stdout.find('{').unwrap()..];
    let policy: Value = serde_json::from_str(policy).unwrap();
    let actions = policy["Statement"][0]["Action"].to_string();
    assert!(actions.contains("iam:CreateUser"), "{policy}");
    let resource = policy["Statement"][0]["Resource"].as_str().unwrap();
    assert!(resource.starts_with("arn:aws:iam::111111111111:user/rolecall/"), "{resource}");
    assert!(leased_users(&sandbox).is_empty());
    // It is there, to be checked again once that is allowed.
    assert_eq!(sandbox.run(&["secret", "check", "bad", "--json"]).code(), 5);
}

/// What role `Leases` may do, less some actions.
fn take_away(sandbox: &crate::support::Sandbox, actions: &[&str]) {
    sandbox.kit.change_world(|world| {
        let role = world.roles.iter_mut().find(|role| role.name == "Leases").unwrap();
        let policy = role.iam.policies.inline.values_mut().next().unwrap();
        for action in actions {
            let quoted = format!("\"iam:{action}\"");
            assert!(policy.contains(&quoted), "{action}");
            *policy = policy.replace(&quoted, "\"iam:None\"");
        }
    });
}

#[test]
fn a_check_names_what_is_missing_and_nothing_else() {
    for (missing, untried) in [
        (&["CreateUser"][..], 16),
        (&["TagUser"], 16),
        (&["ListUsers"], 0),
        (&["GetUser"], 0),
        (&["CreateAccessKey"], 1),
        (&["GetAccessKeyLastUsed"], 0),
        (&["AddUserToGroup", "AttachUserPolicy", "PutUserPolicy"], 0),
        (&["DeleteUser", "ListGroupsForUser"], 0),
        (&["DeleteAccessKey"], 1),
        (&["DetachUserPolicy", "DeleteUserPolicy", "RemoveUserFromGroup"], 1),
    ] {
        let sandbox = sandbox();
        take_away(&sandbox, missing);
        let by = format!("role:{},source=profile:alice", names::LEASES);
        let args = ["secret", "create", "app", "--connection", &by, "--group", names::GROUP];
        sandbox.run(&[&args[..], &["--policy-arn", names::POLICY]].concat()).good();
        let checked = sandbox.run(&["secret", "check", "app", "--json"]);
        assert_eq!(checked.code(), 5, "{checked:?}");
        let probe: Value = serde_json::from_str(&checked.stdout).unwrap();
        let mut sorted = missing.to_vec();
        sorted.sort_unstable();
        assert_eq!(probe["missing"], serde_json::json!(sorted));
        let names = probe["untried"].as_array().unwrap();
        assert_eq!(names.len(), untried, "{missing:?}: {names:?}");
        // With what it prints, nothing is missing.
        let policy = probe["policy"].to_string();
        sandbox.kit.change_world(|world| {
            let role = world.roles.iter_mut().find(|role| role.name == "Leases").unwrap();
            role.iam.policies.inline.insert("Missing".to_owned(), policy);
        });
        sandbox.run(&["secret", "check", "app"]).good();
    }
}

#[test]
fn a_check_is_right_where_new_users_are_not_seen_at_once() {
    let sandbox = sandbox();
    let new_users = rolecall_kit::Lag { seconds: 0, calls: 3 };
    let settings = rolecall_kit::IamSettings { new_users, ..rolecall_kit::IamSettings::default() };
    sandbox.kit.set_iam(settings);
    let by = format!("role:{},source=profile:alice", names::LEASES);
    sandbox.run(&["secret", "create", "app", "--connection", &by, "--check"]).good();
    let lease = take(&sandbox, &[]);
    sandbox.run(&["lease", "revoke", &lease.id]).good();
    assert!(leased_users(&sandbox).is_empty());
}

#[test]
fn a_certificate_of_roles_anywhere_is_a_connection() {
    let sandbox = super::with_admin(crate::support::Sandbox::with_certificate());
    let line = crate::support::flags().join(" ");
    sandbox.add_config(&format!(
        "[profile host]\ncredential_process = aws_signing_helper credential-process {line}\n"
    ));
    sandbox.kit.change_world(|world| {
        let all = "arn:aws:iam::aws:policy/AdministratorAccess".to_owned();
        let role = world.roles.iter_mut().find(|role| role.name == "Workload").unwrap();
        role.iam.policies.attached.push(all);
    });
    leases_by(&sandbox, "profile:host");
    assert_eq!(sandbox.kit.count("CreateSession"), 1, "its session is in the cache");
    let by_role = format!("role:{},source=profile:host", names::HOP);
    sandbox.run(&["secret", "create", "far", "--connection", &by_role]).good();
    assert_eq!(sandbox.kit.count("CreateSession"), 1);
}

#[test]
fn users_at_paths_of_the_past_are_reaped_too() {
    let sandbox = sandbox();
    define(&sandbox, &["--path", "/old/"]);
    let lease = take(&sandbox, &[]);
    sandbox.run(&["lease", "forget", &lease.id, "--yes"]).good();
    sandbox.run(&["secret", "update", "app", "--path", "/new/"]).good();
    sandbox
        .run(&[
            "secret",
            "update",
            "app",
            "--connection",
            "role:arn:aws:iam::111111111111:role/Leases,source=profile:admin",
        ])
        .good();
    sandbox.kit.change_world(|world| {
        for user in &mut world.users {
            user.iam.created -= 3600;
        }
    });
    let removed = sandbox.run(&["lease", "reap", "--remove", "--json"]).json();
    assert_eq!(removed["orphans"][0]["user_name"], lease.user.as_str());
    assert!(leased_users(&sandbox).is_empty());
    let audit = sandbox.run(&["lease", "audit", &lease.id, "--verify"]).good();
    assert!(audit.stdout.contains("reap"), "{audit:?}");
}

#[test]
fn the_policy_of_the_guide_is_enough() {
    let sandbox = sandbox();
    let by = format!("role:{},source=profile:alice", names::LEASES);
    let args = ["secret", "create", "app", "--connection", &by, "--group", names::GROUP];
    sandbox.run(&[&args[..], &["--policy-arn", names::POLICY]].concat()).good();
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/leases.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let policy = guide.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let store = sandbox.run(&["lease", "store", "--json"]).json()["id"].clone();
    let policy =
        policy.replace("STORE", store.as_str().unwrap()).replace("ACCOUNT", names::ACCOUNT);
    sandbox.kit.change_world(|world| {
        let role = world.roles.iter_mut().find(|role| role.name == "Leases").unwrap();
        role.iam.policies.inline = [("Guide".to_owned(), policy)].into();
    });
    sandbox.run(&["secret", "check", "app"]).good();
    let lease = take(&sandbox, &[]);
    sandbox.run(&["lease", "renew", &lease.id]).good();
    sandbox.run(&["lease", "reap"]).good();
    sandbox.run(&["lease", "revoke", &lease.id]).good();
    assert!(leased_users(&sandbox).is_empty());
}

#[test]
fn sessions_are_leased_and_say_that_they_cannot_be_taken_back() {
    let sandbox = sandbox();
    let role = ["--kind", "assumed-role", "--role-arn", names::EXTERNAL, "--external-id"];
    let kinds: [(&str, &[&str]); 3] = [
        ("role", &[&role[..], &[names::EXTERNAL_ID]].concat()),
        ("federated", &["--kind", "federation-token"]),
        ("session", &["--kind", "session-token"]),
    ];
    for (name, kind) in kinds {
        let args = ["secret", "create", name, "--connection", "profile:alice"];
        sandbox.run(&[&args[..], kind].concat()).good();
        let made = sandbox.run(&["lease", "create", name, "--ttl", "15m"]).good();
        assert!(made.stderr.contains("cannot be taken back"), "{made:?}");
        assert!(made.stdout.contains("SessionToken"), "{made:?}");
        let list = sandbox.run(&["lease", "list", "--secret", name, "--json"]).json();
        let id = list["leases"][0]["id"].as_str().unwrap();
        assert_eq!(list["leases"][0]["revocable"], false);
        for verb in ["revoke", "renew"] {
            let refused = sandbox.run(&["lease", verb, id]);
            assert_eq!(refused.code(), 4, "{refused:?}");
            assert!(refused.stderr.contains("session"), "{refused:?}");
        }
    }
}

#[test]
fn orphans_are_found_by_their_path_and_removed_when_asked() {
    let sandbox = sandbox();
    define(&sandbox, &[]);
    let lease = take(&sandbox, &[]);
    let running = take(&sandbox, &[]);
    let unsure = sandbox.run(&["lease", "forget", &lease.id]);
    assert!(unsure.code() == 2 && unsure.stderr.contains("AWS may still hold"), "{unsure:?}");
    let forgotten = sandbox.run(&["lease", "forget", &lease.id, "--yes"]).good();
    assert!(forgotten.stderr.contains(&lease.user), "{forgotten:?}");
    let reap = |args: &[&str]| sandbox.run(&[&["lease", "reap"], args].concat()).good();
    assert_eq!(reap(&["--json"]).json()["orphans"], Value::Array(Vec::new()), "it is too young");
    sandbox.kit.change_world(|world| {
        for user in &mut world.users {
            user.iam.created -= 3600;
        }
    });
    let found = reap(&[]);
    assert!(found.stdout.contains(&lease.user) && found.stderr.contains("--remove"), "{found:?}");
    assert!(!found.stdout.contains(&running.user), "{found:?}");
    assert_eq!(leased_users(&sandbox).len(), 2);
    assert!(reap(&["--remove", "--max", "0"]).stdout.contains("found"));
    let removed = reap(&["--remove", "--secret", "app", "--json"]).json();
    assert_eq!(removed["orphans"][0]["fate"], "removed");
    let left = leased_users(&sandbox);
    assert!(left.len() == 1 && left[0].name == running.user, "{left:?}");
}

#[test]
fn who_gives_no_mfa_code_is_asked_for_one() {
    let sandbox = sandbox();
    let define = ["secret", "create", "app", "--connection", "profile:alice"];
    let kind = ["--kind", "session-token", "--mfa-serial", names::ALICE_MFA];
    let made = sandbox.run(&[define.as_slice(), &kind, &["--check"]].concat()).good();
    assert!(made.stderr.contains("not tried, as it needs an MFA code"), "{made:?}");
    // Nobody is there to answer, and nothing was asked for.
    let refused = sandbox.run(&["lease", "create", "app"]);
    assert_ne!(refused.code(), 0);
    for part in [names::ALICE_MFA, "--mfa-code"] {
        assert!(refused.stderr.contains(part), "{refused:?}");
    }
    assert_eq!(sandbox.kit.count("GetSessionToken"), 0);
    let code = sandbox.home().join("code");
    std::fs::write(&code, names::ALICE_MFA_CODES[0]).unwrap();
    take(&sandbox, &["--mfa-code", &format!("file://{}", code.display())]);
    assert_eq!(sandbox.kit.count("GetSessionToken"), 1);
}
