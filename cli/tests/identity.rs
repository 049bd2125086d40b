//! Tokens that prove who this is, and the check of them, as programs.

use rolecall_kit::{Imds, ImdsTokens, Kit, World, names};
use serde_json::Value;

use crate::support::{Expected, Finished, Sandbox, ask, path_text};

const MANY: [&[&str]; 5] = [
    &["akeyless"],
    &["vault", "--role", "dev", "--server-id", "vault.example.com"],
    &["infisical", "--identity-id", "id-1"],
    &["eks", "--cluster-name", "prod"],
    &["rolecall", "--audience", "login.example.com"],
];
const SERVER: [&str; 6] = [
    "--server-id",
    "vault.example.com",
    "--cluster-name",
    "prod",
    "--audience",
    "login.example.com",
];

fn token(sandbox: &Sandbox, profile: &str, format: &[&str]) -> String {
    let args = [&["identity", "token", "--profile", profile, "--format"], format].concat();
    sandbox.run(&args).good().stdout.trim_end().to_owned()
}

/// Checks a token, as a server that asks the kit.
fn verify(sandbox: &Sandbox, token: &str, flags: &[&str]) -> Finished {
    let url = sandbox.kit.url();
    let common = ["identity", "verify", "--sts-url", &url];
    sandbox.run_with_input(&[&common[..], &SERVER, flags].concat(), token)
}

const ACCOUNT: [&str; 2] = ["--bound-aws-account-id", names::ACCOUNT];

#[test]
fn a_token_of_every_dialect_is_made_and_verified() {
    let sandbox = Sandbox::new();
    for format in MANY {
        let token = token(&sandbox, "alice", format);
        let found = verify(&sandbox, &token, &[&ACCOUNT[..], &["--json"]].concat()).json();
        assert_eq!(found["identity"]["arn"], "arn:aws:iam::111111111111:user/alice", "{found}");
        assert_eq!(found["format"], format[0]);
    }
    let role = token(&sandbox, "deploy", MANY[0]);
    let flags = ["--bound-aws-account-id", "333333333333", "--unique-identifier", "role_name"];
    let found = verify(&sandbox, &role, &flags).good().stdout;
    assert!(found.contains("assumed-role") && found.contains("subject"), "{found}");
    assert!(found.lines().any(|line| line.starts_with("subject") && line.ends_with("Deploy")));
}

#[test]
fn what_is_in_a_token_is_shown_without_its_secrets() {
    let sandbox = Sandbox::new();
    for format in MANY {
        let args = ["identity", "token", "--profile", "hop", "--debug", "--json", "--format"];
        let made = sandbox.run(&[&args[..], format].concat()).good();
        let token: Value = serde_json::from_str(&made.stdout).unwrap();
        assert_eq!(token["format"], format[0]);
        let text = token["token"].as_str().unwrap();
        let view = made.stderr.lines().find(|line| line.contains("the token holds")).unwrap();
        assert!(view.contains(r#""signature":"[redacted]""#), "{view}");
        assert!(view.contains("[redacted, "), "the session token: {view}");
        assert!(!made.stderr.contains(text));
        let shown = sandbox.run_with_input(&["identity", "inspect", "--json"], text).json();
        assert_eq!(shown["region"], "us-east-1");
        assert_eq!(shown["signature"], "[redacted]");
    }
    let inspect = |flags: &[&str]| {
        let args = ["identity", "token", "--profile", "hop", "--format"];
        let token = sandbox.run(&[&args[..], flags].concat()).good().stdout;
        sandbox.run_with_input(&["identity", "inspect", "--json"], &token).json()
    };
    assert_eq!(inspect(&["vault", "--role", "dev"])["role"], "dev");
    assert_eq!(inspect(&["vault"])["role"], Value::Null);
    assert_eq!(inspect(&["infisical", "--identity-id", "m-1"])["identity_id"], "m-1");
}

#[test]
fn a_refusal_says_which_check_failed_and_why() {
    let sandbox = Sandbox::new();
    let alice = token(&sandbox, "alice", MANY[0]);
    let flags = ["--bound-aws-account-id", names::OTHER_ACCOUNT, "--explain"];
    let refused = verify(&sandbox, &alice, &flags);
    assert_eq!(refused.code(), 5);
    let lines: Vec<_> = refused.stdout.lines().collect();
    let failed: Vec<_> = lines.iter().filter(|line| line.starts_with("failed")).collect();
    assert_eq!(failed.len(), 1, "{lines:#?}");
    assert!(failed[0].contains("account: the account 111111111111 is not among"), "{failed:?}");
    assert!(lines.iter().any(|line| line.starts_with("passed       sts")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("not-reached  arn")), "{lines:#?}");
    assert!(refused.stderr.contains("account-not-bound"), "{}", refused.stderr);

    // Refused before the network: STS was asked once, above.
    let asked = sandbox.kit.count("GetCallerIdentity");
    let flags = [&ACCOUNT[..], &["--format", "vault"]].concat();
    let refused = verify(&sandbox, &alice, &flags);
    assert!(refused.stderr.contains("format-not-allowed"), "{}", refused.stderr);
    for junk in ["x", "{}", "k8s-aws-v1.x"] {
        assert_eq!(verify(&sandbox, junk, &ACCOUNT).code(), 5);
    }
    assert_eq!(sandbox.kit.count("GetCallerIdentity"), asked);
}

#[test]
fn flags_that_make_no_sense_are_bad_usage() {
    let sandbox = Sandbox::new();
    for (args, says) in [
        (&["token", "--format", "eks"][..], "--cluster-name"),
        (&["token", "--format", "rolecall"], "--audience"),
        (&["token", "--format", "infisical"], "--identity-id"),
        (&["token", "--format", "akeyless", "--server-id", "x"], "--format vault"),
        (&["token"], "--format"),
        (&["verify", "--jwks", "x"], "--issuer"),
    ] {
        let finished = sandbox.run(&[&["identity"], args].concat());
        assert_eq!(finished.code(), 2, "{args:?}: {finished:?}");
        assert!(finished.stderr.contains(says), "{args:?}: {}", finished.stderr);
    }
}

#[test]
fn bounds_are_linted() {
    let sandbox = Sandbox::new();
    let lint = |flags: &[&str]| sandbox.run(&[&["identity", "lint"], flags].concat());
    let good = lint(&["--bound-aws-account-id", names::ACCOUNT, "--bound-role-id", "AROAX"]);
    assert!(good.good().stdout.contains("Nothing is wrong"));
    let crossing = lint(&[
        "--bound-aws-account-id",
        "111111111111,222222222222",
        "--bound-role-name",
        "Deploy",
        "--json",
    ])
    .json();
    assert_eq!(crossing["lints"][0]["code"], "crosses-accounts");
    let wrong = lint(&["--bound-arn", "arn:aws:iam::*:role/x"]);
    assert_eq!(wrong.code(), 4);
    assert!(
        wrong.stdout.contains("arn-wildcard-account") && wrong.stdout.contains("account-missing")
    );
    let none = verify(&sandbox, "x", &[]);
    assert_eq!(none.code(), 4, "{none:?}");
}

#[test]
fn a_web_identity_token_is_fetched_and_verified_by_the_issuers_keys() {
    let sandbox = Sandbox::new();
    let fetched = sandbox
        .run(&[
            "sts",
            "--profile",
            "alice",
            "get-web-identity-token",
            "--audience",
            "https://app.example.com",
            "--signing-algorithm",
            "ES384",
        ])
        .json();
    let token = fetched["WebIdentityToken"].as_str().unwrap().to_owned();
    let issuer = format!("{}/_kit/oidc", sandbox.kit.url());
    let port = sandbox.kit.url().rsplit(':').next().unwrap().parse().unwrap();
    let keys = ask(port, "GET /_kit/oidc/.well-known/jwks.json", &[]);
    let keys = path_text(&sandbox.file("jwks.json", &keys.body));
    let verify = |audience: &str| {
        let args = [
            "identity",
            "verify",
            "--json",
            "--jwks",
            &keys,
            "--issuer",
            &issuer,
            "--audience",
            audience,
        ];
        sandbox.run_with_input(&args, &token)
    };
    let claims = verify("https://app.example.com").json();
    assert_eq!(claims["subject"], "arn:aws:iam::111111111111:user/alice", "{claims}");
    let refused = verify("https://other.example.com");
    assert_eq!(refused.code(), 5);
    assert!(refused.stderr.contains("jwt-audience"), "{}", refused.stderr);
}

#[test]
fn a_token_that_cannot_be_made_in_a_container_says_how_to_raise_the_hop_limit() {
    let imds = Imds { hop_limit: 1, tokens: ImdsTokens::Required, ..Imds::default() };
    let sandbox = Sandbox::with_kit(Kit::start(World { imds, ..World::default() }));
    let url = sandbox.kit.imds_url();
    let sandbox =
        sandbox.unset("AWS_EC2_METADATA_DISABLED").set("AWS_EC2_METADATA_SERVICE_ENDPOINT", url);
    sandbox.config("");
    let expected = Expected {
        code: 4,
        kind: "InvalidConfiguration",
        says: &["a hop further away", "hop limit", "containers"],
        help: "aws ec2 modify-instance-metadata-options --instance-id",
    };
    expected.from(&sandbox, &["identity", "token", "--format", "akeyless"]);
    let said = sandbox.run(&["identity", "token", "--format", "akeyless"]).stderr;
    assert!(said.contains("--http-put-response-hop-limit 2"), "{said}");
}

/// Adds a method for the kit's first account, and gives its access id.
fn method(sandbox: &Sandbox, name: &str, flags: &[&str]) -> String {
    let url = sandbox.kit.url();
    let create = ["identity", "method", "create", "aws-iam", "--json", "--name", name];
    let bounds = ["--bound-aws-account-id", names::ACCOUNT, "--sts-url", &url];
    let made = sandbox.run(&[&create[..], &bounds, flags].concat()).json();
    made["access_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_profile_logs_in_by_a_method_once_and_its_session_is_kept() {
    let sandbox = Sandbox::new();
    let flags = ["--bound-user-name", "alice", "--unique-identifier", "user_name"];
    let id = method(&sandbox, "ci", &[&flags[..], &["--jwt-ttl", "15m"]].concat());
    let unsaved = Expected {
        code: 3,
        kind: "NotConfigured",
        says: &["profile alice names no auth method"],
        help: "identity configure --profile alice",
    };
    unsaved.from(&sandbox, &["identity", "auth", "--profile", "alice"]);
    let save = ["identity", "configure", "--profile", "alice", "--access-id", &id];
    sandbox.run(&[&save[..], &["--access-type", "aws_iam"]].concat()).good();
    let config = std::fs::read_to_string(sandbox.home().join(".aws/config")).unwrap();
    assert!(config.contains(&format!("rolecall_access_id = {id}")), "{config}");

    let auth = || sandbox.run(&["identity", "auth", "--profile", "alice"]).good().stdout;
    let session = auth();
    assert_eq!(auth(), session, "it is kept");
    assert_eq!(sandbox.kit.count("GetCallerIdentity"), 1);
    let folder = sandbox.home().join(".aws/rolecall/sessions");
    let kept: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap()).collect();
    assert_eq!(kept.len(), 1);
    let mode = std::os::unix::fs::PermissionsExt::mode(&kept[0].metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    let claims = sandbox.run_with_input(&["identity", "session", "--json"], &session).json();
    assert_eq!((&claims["subject"], &claims["method"]), (&"alice".into(), &"ci".into()));
    assert_eq!(claims["sub_claims"]["account_id"], names::ACCOUNT);
    let keys = sandbox.run(&["identity", "jwks"]).json();
    assert_eq!(keys["keys"][0]["alg"], "EdDSA");

    // Who is not let in gets no session, and is told which bound it is.
    let url = sandbox.kit.url();
    let narrow = ["identity", "method", "update", "aws-iam", "--name", "ci", "--sts-url", &url];
    sandbox.run(&[&narrow[..], &["--bound-user-name", "bob"]].concat()).good();
    let refused = Expected {
        code: 5,
        kind: "Denied",
        says: &["user-name-not-bound", "auth method ci"],
        help: "check the bounds",
    };
    refused.from(&sandbox, &["identity", "auth", "--profile", "alice"]);
    let ended = sandbox.run_with_input(&["identity", "session"], &session);
    assert_eq!(ended.code(), 5, "{ended:?}");
    let past = ["identity", "method", "update", "aws-iam", "--name", "ci", "--access-expires", "1"];
    let over = sandbox.run(&past).good();
    assert!(over.stderr.contains("has ended: nobody can log in by it"), "{over:?}");
    sandbox.run(&["identity", "method", "delete", "--name", "ci"]).good();
    let gone = Expected {
        code: 4,
        kind: "InvalidConfiguration",
        says: &[&id, "of profile alice is gone"],
        help: "identity configure --profile alice",
    };
    gone.from(&sandbox, &["identity", "auth", "--profile", "alice"]);
}

#[test]
fn methods_are_listed_shown_and_deleted() {
    let sandbox = Sandbox::new();
    let id = method(&sandbox, "b", &["--bound-role-name", "Deploy", "--bound-role-name", "Build"]);
    method(&sandbox, "a", &["--format", "vault,akeyless", "--server-id", "vault.example.com"]);
    let list = sandbox.run(&["identity", "method", "list", "--json"]).json();
    let names: Vec<_> =
        list["auth_methods"].as_array().unwrap().iter().map(|m| &m["name"]).collect();
    assert_eq!(names, ["a", "b"]);
    let table = sandbox.run(&["identity", "method", "list"]).good().stdout;
    assert!(table.contains(&id) && table.contains("vault, akeyless"), "{table}");
    for name in ["b", &id] {
        let shown = sandbox.run(&["identity", "method", "show", "--name", name]).good().stdout;
        assert!(shown.contains("Deploy, Build"), "{shown}");
    }
    let protect = ["identity", "method", "update", "aws-iam", "--name", "b", "--delete-protection"];
    sandbox.run(&protect).good();
    let delete = ["identity", "method", "delete", "--name", "b"];
    assert_eq!(sandbox.run(&delete).code(), 5);
    sandbox.run(&[&protect[..], &["false"]].concat()).good();
    sandbox.run(&delete).good();
    let gone = sandbox.run(&["identity", "method", "show", "--name", "b"]);
    assert_eq!(gone.code(), 4, "{gone:?}");
    let wrong = sandbox.run(&["identity", "method", "create", "aws-iam", "--name", "x"]);
    assert!(wrong.code() == 4 && wrong.stderr.contains("no account is bound"), "{wrong:?}");
    let trail = sandbox.run(&["lease", "audit", "@method/b", "--verify", "--json"]).json();
    assert_eq!(trail["is_whole"], true, "{trail}");
    assert_eq!(trail["entries"].as_array().unwrap().len(), 4);
}

#[test]
fn a_lease_that_asks_for_a_session_is_refused_without_one() {
    let sandbox = Sandbox::new();
    let id = method(&sandbox, "ci", &[]);
    let url = sandbox.kit.url();
    let sandbox = sandbox.set("AWS_ENDPOINT_URL_IAM", url);
    sandbox.add_config(&format!(
        "[profile admin]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        names::ADMIN_KEY,
        names::ADMIN_SECRET
    ));
    let access = format!("{id},user_name=alice");
    let define = ["secret", "create", "app", "--profile", "admin", "--group", names::GROUP];
    for nobody in ["ci", "p-nobody,user_name=alice"] {
        let unknown = Expected {
            code: 4,
            kind: "InvalidConfiguration",
            says: &["no auth method with the access id"],
            help: &format!("{id} (ci)"),
        };
        unknown.from(&sandbox, &[&define[..], &["--access", nobody]].concat());
    }
    sandbox.run(&[&define[..], &["--access", &access]].concat()).good();
    let shown = sandbox.run(&["secret", "show", "app"]).good().stdout;
    assert!(shown.contains(&access), "{shown}");
    let lease = ["lease", "create", "app", "--json"];
    let refused = sandbox.run(&lease);
    assert!(refused.code() == 5 && refused.stderr.contains("logged in"), "{refused:?}");
    for (profile, code) in [("admin", 5), ("alice", 0)] {
        let auth = ["identity", "auth", "--profile", profile, "--access-id", "ci"];
        let session = sandbox.run(&auth).good().stdout;
        let made = sandbox.run_with_input(&[&lease[..], &["--session", "-"]].concat(), &session);
        assert_eq!(made.code(), code, "{profile}: {made:?}");
        if code == 0 {
            let lease = made.json();
            assert_eq!(lease["lease"]["identity"], "arn:aws:iam::111111111111:user/alice");
            let renew = ["lease", "renew", lease["lease"]["id"].as_str().unwrap(), "--ttl", "1m"];
            assert_eq!(sandbox.run(&renew).code(), 5, "without a session");
            let with = [&renew[..], &["--session", "-"]].concat();
            sandbox.run_with_input(&with, &session).good();
            let keys = sandbox.run(&["identity", "jwks"]).json();
            let kid = keys["keys"][0]["kid"].as_str().unwrap();
            let left = sandbox.run(&["identity", "jwks", "--remove", kid]).good();
            assert!(left.stderr.contains(&format!("{kid} is dropped")), "{left:?}");
            assert_eq!(left.json()["keys"], serde_json::json!([]));
            let ended = sandbox.run_with_input(&with, &session);
            assert!(ended.code() == 5 && ended.stderr.contains("key was dropped"), "{ended:?}");
        }
    }
}

#[test]
fn a_token_is_taken_once_where_a_store_remembers_it() {
    let sandbox = Sandbox::new();
    let token = token(&sandbox, "alice", MANY[0]);
    let flags = [&ACCOUNT[..], &["--store", "used.db"]].concat();
    verify(&sandbox, &token, &flags).good();
    let again = verify(&sandbox, &token, &flags);
    assert!(again.code() == 5 && again.stderr.contains("replayed"), "{again:?}");
    assert_eq!(sandbox.kit.count("GetCallerIdentity"), 1);
}

#[test]
fn what_does_not_count_for_a_jwt_is_refused_beside_it() {
    let sandbox = Sandbox::new();
    let jwt = ["identity", "verify", "--jwks", "keys", "--issuer", "https://x", "--audience", "me"];
    for flags in [&ACCOUNT[..], &["--store", "x.db"], &["--max-age", "5"], &["--explain"]] {
        let refused = sandbox.run_with_input(&[&jwt[..], flags].concat(), "a.b.c");
        assert_eq!(refused.code(), 2, "{}", refused.stderr);
        assert!(refused.stderr.contains(flags[0]), "{}", refused.stderr);
    }
    let late = sandbox.run_with_input(&["identity", "verify", "--max-age", "901"], "");
    assert_eq!(late.code(), 2, "{}", late.stderr);
}
