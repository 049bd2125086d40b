//! `eks get-token` and `eks update-kubeconfig`, against the kit's EKS and its clusters' API servers.

use std::fs;

use rolecall_kit::names;
use serde_json::Value;

use crate::support::{Expected, Sandbox, ask};

const ARN: &str = "arn:aws:eks:us-east-1:111111111111:cluster/prod";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new().set("AWS_PROFILE", "alice");
    let url = sandbox.kit.url();
    sandbox.set("AWS_ENDPOINT_URL_EKS", url)
}

/// What the API server of a cluster answers to a token.
fn status_of(sandbox: &Sandbox, cluster: &str, token: &str) -> u16 {
    let line = format!("GET /k8s/{cluster}/api/v1/namespaces");
    ask(sandbox.kit.port(), &line, &[&format!("Authorization: Bearer {token}")]).status
}

/// Who the last call to an API server was, or why it was refused.
fn last_caller(sandbox: &Sandbox) -> String {
    let calls = sandbox.kit.calls();
    let call = calls.iter().rev().find(|call| call.service == "kubernetes").unwrap();
    call.principal.clone().unwrap_or_else(|| call.params["refused_because"].clone())
}

fn token(sandbox: &Sandbox, args: &[&str]) -> String {
    let args = [&["eks", "get-token", "--token-only"], args].concat();
    sandbox.run(&args).good().stdout.trim_end().to_owned()
}

#[test]
fn a_cluster_takes_the_token_and_knows_its_maker() {
    let sandbox = sandbox();
    let json = sandbox.run(&["eks", "get-token", "--cluster-name", "prod"]).json();
    assert_eq!(json["kind"], "ExecCredential");
    assert_eq!(json["apiVersion"], "client.authentication.k8s.io/v1beta1");
    let token = json["status"]["token"].as_str().unwrap();
    assert_eq!(status_of(&sandbox, "prod", token), 200);
    assert_eq!(last_caller(&sandbox), "arn:aws:iam::111111111111:user/alice");
    // Making it asked nobody; checking it asked STS.
    assert_eq!(sandbox.kit.count("GetCallerIdentity"), 1);
}

#[test]
fn a_token_is_for_one_cluster_and_for_a_quarter_of_an_hour() {
    let sandbox = sandbox();
    let token = token(&sandbox, &["--cluster-id", names::LOCAL_CLUSTER_ID]);
    assert_eq!(status_of(&sandbox, names::LOCAL_CLUSTER_ID, &token), 200);
    assert_eq!(status_of(&sandbox, "prod", &token), 401);
    assert!(last_caller(&sandbox).contains("SignatureDoesNotMatch"), "{}", last_caller(&sandbox));
    sandbox.kit.advance(14 * 60);
    assert_eq!(status_of(&sandbox, names::LOCAL_CLUSTER_ID, &token), 200);
    sandbox.kit.advance(2 * 60);
    assert_eq!(status_of(&sandbox, names::LOCAL_CLUSTER_ID, &token), 401);
    assert!(last_caller(&sandbox).contains("expired"), "{}", last_caller(&sandbox));
}

#[test]
fn a_cluster_lets_in_only_whom_it_knows() {
    let sandbox = sandbox();
    let token = token(&sandbox, &["--cluster-name", "prod", "--profile", "deploy"]);
    assert_eq!(status_of(&sandbox, "prod", &token), 401);
    assert!(last_caller(&sandbox).contains("has no access"), "{}", last_caller(&sandbox));
    for junk in ["", "k8s-aws-v1.", "k8s-aws-v1.!!", "k8s-aws-v2.aHR0cHM6Ly94Lz94"] {
        assert_eq!(status_of(&sandbox, "prod", junk), 401, "{junk}");
    }
}

#[test]
fn a_role_is_assumed_once_and_then_kept() {
    let sandbox = sandbox();
    for flag in ["--role-arn", "--role", "-r"] {
        let token = token(&sandbox, &["-i", "prod", flag, names::HOP]);
        assert_eq!(status_of(&sandbox, "prod", &token), 200);
        let arn = "arn:aws:sts::222222222222:assumed-role/Hop/EKSGetTokenAuth";
        assert_eq!(last_caller(&sandbox), arn);
    }
    assert_eq!(sandbox.kit.count("AssumeRole"), 1);
    let flags = ["token", "-i", "prod", "-r", names::EXTERNAL, "-e", names::EXTERNAL_ID];
    sandbox.run(&[&["eks"], &flags[..], &["-s", "me", "--token-only"]].concat()).good();
    let calls = sandbox.kit.calls();
    let call = calls.iter().rev().find(|call| call.operation == "AssumeRole").unwrap();
    assert_eq!(call.params["RoleSessionName"], "me");
}

#[test]
fn arguments_of_a_kubeconfig_by_aws_cli_are_taken() {
    let sandbox = sandbox().unset("AWS_REGION");
    let args = ["--region", "us-east-1", "eks", "get-token", "--cluster-name", "prod"];
    sandbox.run(&[&args[..], &["--output", "json", "--role", names::HOP]].concat()).json();
}

#[test]
fn get_token_says_what_is_wrong() {
    let sandbox = sandbox();
    for args in [
        &["eks", "get-token"][..],
        &["eks", "get-token", "--cluster-name", "a", "--cluster-id", "b"],
        &["eks", "get-token", "--cluster-name", "a", "--output", "text"],
        &["eks", "get-token", "--cluster-name", "a", "--external-id", "x"],
        &["eks"],
        &["eks", "update-kubeconfig"],
        &["eks", "update-kubeconfig", "--name", "a", "--command", "kubectl"],
    ] {
        assert_eq!(sandbox.run(args).code(), 2, "{args:?}");
    }
    let get_token = ["eks", "get-token", "--cluster-name"];
    let denied = Expected {
        code: 5,
        kind: "Denied",
        says: &["AssumeRole", "AccessDenied", "--role-arn"],
        help: "trust policy",
    };
    denied.from(&sandbox, &[&get_token[..], &["prod", "--role-arn", names::FINAL]].concat());
    let unfit =
        Expected { code: 4, kind: "InvalidConfiguration", says: &["cluster's name"], help: "" };
    unfit.from(&sandbox, &[&get_token[..], &["a b"]].concat());
}

#[test]
fn the_client_is_told_about_old_and_unknown_versions() {
    let info = r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1alpha1"}"#;
    let sandbox = sandbox().set("KUBERNETES_EXEC_INFO", info);
    let done = sandbox.run(&["eks", "get-token", "--cluster-name", "prod"]).good();
    let json: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(json["apiVersion"], "client.authentication.k8s.io/v1alpha1");
    assert!(done.stderr.contains("Kubeconfig user entry is using deprecated"), "{done:?}");
}

#[test]
fn update_kubeconfig_writes_a_file_and_says_which() {
    let sandbox = sandbox();
    let path = sandbox.home().join(".kube/config");
    let update = ["eks", "update-kubeconfig", "--name", "prod"];
    let done = sandbox.run(&update).good();
    assert_eq!(done.stdout, format!("Added new context {ARN} to {}\n", path.display()));
    let text = fs::read_to_string(&path).unwrap();
    let server = format!("    server: {}/k8s/prod\n  name: {ARN}\n", sandbox.kit.url());
    for part in [
        &server,
        "      command: aws\n      env:\n      - name: AWS_PROFILE\n        value: alice\n",
        "      - --cluster-name\n      - prod\n      - --output\n      - json\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let flags =
        ["--alias", "p", "--user-alias", "u", "--command", "rolecall", "--role-arn", names::HOP];
    let done =
        sandbox.run(&[&update[..], &flags, &["--proxy-url", "http://p:1", "--verbose"]].concat());
    let done = done.good();
    assert!(done.stdout.starts_with(&format!("Updated context p in {}\n", path.display())));
    assert!(done.stdout.contains("Entries:\n\ncontext:\n  cluster: arn:"), "{}", done.stdout);
    let text = fs::read_to_string(&path).unwrap();
    for part in [
        "current-context: p\n",
        "- name: u\n  user:\n    exec:\n",
        &format!("      - --role\n      - {}\n      command: rolecall\n", names::HOP),
        "    proxy-url: http://p:1\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let none = ["--json", "--alias", "", "--user-alias", ""];
    let json = sandbox.run(&[&update[..], &none].concat()).json();
    assert_eq!((&json["context"], &json["updated"]), (&ARN.into(), &true.into()));
    let again = sandbox.run(&[&update[..], &none].concat()).json();
    assert_eq!((&again["updated"], &again["changed"]), (&false.into(), &false.into()));
    let again = sandbox.run(&[&update[..], &none[1..]].concat()).good().stdout;
    assert!(again.contains("nothing was changed"), "{again}");
    let nonsense = Expected {
        code: 4,
        kind: "InvalidConfiguration",
        says: &["--role-arn", "nonsense"],
        help: "arn:aws:iam::ACCOUNT:role/NAME",
    };
    nonsense.from(&sandbox, &[&update[..], &["--role-arn", "nonsense"]].concat());
    let first = sandbox.file("first", "current-context: dev\n");
    let both = format!("{}:{}", first.display(), path.display());
    let told = sandbox.set("KUBECONFIG", both).run(&update).good();
    assert!(told.stderr.contains("kubectl takes the current context of"), "{}", told.stderr);
}

#[test]
fn a_local_cluster_is_known_by_its_id() {
    let sandbox = sandbox();
    let args = ["eks", "update-kubeconfig", "--name", names::LOCAL_CLUSTER, "--dry-run"];
    let done = sandbox.run(&args).good();
    let part = format!("      - --cluster-id\n      - {}\n", names::LOCAL_CLUSTER_ID);
    assert!(done.stdout.contains(&part), "{}", done.stdout);
    assert!(!sandbox.home().join(".kube").exists());
}

#[test]
fn the_file_of_the_list_that_has_the_cluster_is_changed() {
    let sandbox = sandbox();
    let with = format!("# mine\nclusters:\n- name: {ARN}\n  cluster: {{}}\n");
    let bad = sandbox.file("bad", "This is not a kubeconfig\n");
    let second = sandbox.file("second", &with);
    let sandbox = sandbox.set("KUBECONFIG", format!("{}:{}", bad.display(), second.display()));
    let done = sandbox.run(&["eks", "update-kubeconfig", "--name", "prod"]).good();
    assert!(done.stderr.contains("passed over"), "{done:?}");
    assert!(done.stdout.ends_with(&format!("in {}\n", second.display())), "{done:?}");
    assert!(fs::read_to_string(&second).unwrap().starts_with("# mine\nclusters:\n"));
    assert_eq!(fs::read_to_string(&bad).unwrap(), "This is not a kubeconfig\n");
}

#[test]
fn update_kubeconfig_says_what_is_wrong() {
    let sandbox = sandbox();
    let bad = sandbox.file("bad.yaml", "clusters:\n- String\n");
    let bad = bad.to_str().unwrap();
    for (args, code, kind, says, help) in [
        (&["nobody"][..], 4, "InvalidConfiguration", "ResourceNotFoundException", "region"),
        (&["new"], 6, "Unavailable", "CREATING", "cluster-active"),
        (&["../x"], 4, "InvalidConfiguration", "a cluster's name", "ARN"),
        (
            &["prod", "--kubeconfig", bad],
            4,
            "InvalidConfiguration",
            "bad.yaml:2",
            "nothing was changed",
        ),
        (
            &["prod", "--region", "eu-west-1"],
            4,
            "InvalidConfiguration",
            "No cluster found",
            "region",
        ),
        (&["prod", "--endpoint-url", "ftp://x"], 4, "InvalidConfiguration", "URL", ""),
    ] {
        let args = [&["eks", "update-kubeconfig", "--name"], args].concat();
        Expected { code, kind, says: &[says], help }.from(&sandbox, &args);
    }
    sandbox.kit.change_world(|world| {
        for user in &mut world.users {
            user.denied_actions.push("eks:*".to_owned());
        }
    });
    let denied = Expected {
        code: 5,
        kind: "Denied",
        says: &["AccessDeniedException", "eks:DescribeCluster"],
        help: "--assume-role-arn",
    };
    denied.from(&sandbox, &["eks", "update-kubeconfig", "--name", "prod"]);
    assert!(!sandbox.home().join(".kube").exists());
}

#[test]
fn another_account_is_asked_with_a_role_of_it() {
    let sandbox = sandbox();
    sandbox.kit.change_world(|world| {
        let mut cluster = world.eks_clusters[0].clone();
        cluster.account = "222222222222".to_owned();
        cluster.name = "theirs".to_owned();
        world.eks_clusters.push(cluster);
    });
    let args = ["eks", "update-kubeconfig", "--name", "theirs", "--assume-role-arn", names::HOP];
    sandbox.run(&args).good();
    let calls = sandbox.kit.calls();
    let call = calls.iter().find(|call| call.operation == "AssumeRole").unwrap();
    assert_eq!(call.params["RoleSessionName"], "EKSDescribeClusterSession");
    let text = fs::read_to_string(sandbox.home().join(".kube/config")).unwrap();
    // Tokens are made with the caller's own keys: that is what --role-arn is for.
    assert!(!text.contains("--role") && text.contains(":222222222222:cluster/theirs"), "{text}");
}
