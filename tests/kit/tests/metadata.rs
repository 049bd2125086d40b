//! The metadata service and the containers' endpoints.

#![expect(clippy::unwrap_used, reason = "a broken kit fails its test")]

mod support;

use http::HeaderMap;
use rolecall_kit::{Fault, FaultRule, Imds, ImdsTokens, Kit, World, names};
use support::{Answer, Keys, call, control, send};

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
const EXTENDED: &str = "/latest/meta-data/iam/security-credentials-extended/";

fn kit() -> Kit {
    Kit::start(World::default())
}

fn with(change: impl FnOnce(&mut Imds)) -> Kit {
    let kit = kit();
    kit.change_world(|world| change(&mut world.imds));
    kit
}

fn ask(port: u16, method: &str, path: &str, headers: &[(&'static str, &str)]) -> Answer {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        all.insert(*name, value.parse().unwrap());
    }
    send(port, method, path, &all, "").unwrap()
}

fn token(kit: &Kit) -> Answer {
    let ttl = [("x-aws-ec2-metadata-token-ttl-seconds", "60")];
    ask(kit.imds_port(), "PUT", "/latest/api/token", &ttl)
}

fn get(kit: &Kit, token: &str, path: &str) -> Answer {
    ask(kit.imds_port(), "GET", path, &[("x-aws-ec2-metadata-token", token)])
}

fn keys(answer: &Answer) -> Keys {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    Keys { id: text("AccessKeyId"), secret: text("SecretAccessKey"), token: Some(text("Token")) }
}

#[test]
fn a_token_opens_the_way_to_credentials_that_sts_knows() {
    let kit = kit();
    let given = token(&kit);
    assert_eq!(given.headers["x-aws-ec2-metadata-token-ttl-seconds"], "60");
    let token = given.body;
    assert_eq!(get(&kit, &token, ROLES).body, "Instance");
    let first = keys(&get(&kit, &token, &format!("{ROLES}Instance")));
    let who = call(&kit, &first, "GetCallerIdentity", &[]);
    let arn = "arn:aws:sts::111111111111:assumed-role/Instance/i-0a1b2c3d4e5f60718";
    assert_eq!(who.text("Arn"), arn);
    let again = get(&kit, &token, &format!("{EXTENDED}Instance"));
    assert_eq!(keys(&again).id, first.id, "they are kept until shortly before their end");
    assert!(again.body.contains("\"AccountId\": \"111111111111\""), "{}", again.body);
    assert_eq!(get(&kit, &token, &format!("{ROLES}Other")).status, 404);
    let operations: Vec<String> = kit.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(operations[..3], ["imds:token", "imds:roles", "imds:credentials"]);
    let secrets = control(&kit, "GET", "secrets", "").to_string();
    assert!(secrets.contains(&token) && secrets.contains(&first.secret));
}

#[test]
fn requests_are_refused_as_by_the_real_one() {
    let kit = kit();
    let port = kit.imds_port();
    let put =
        |headers: &[(&'static str, &str)]| ask(port, "PUT", "/latest/api/token", headers).status;
    let ttl = "x-aws-ec2-metadata-token-ttl-seconds";
    assert_eq!(put(&[]), 400);
    assert_eq!(put(&[(ttl, "0")]), 400);
    assert_eq!(put(&[(ttl, "21601")]), 400);
    assert_eq!(put(&[(ttl, "60"), ("x-forwarded-for", "192.0.2.1")]), 403);
    assert_eq!(ask(port, "GET", "/latest/api/token", &[]).status, 405);
    assert_eq!(ask(port, "POST", ROLES, &[]).status, 405);
    assert_eq!(ask(port, "GET", ROLES, &[]).status, 401);
    assert_eq!(get(&kit, "nonsense", ROLES).status, 401);
    let old = token(&kit).body;
    kit.advance(60);
    assert_eq!(get(&kit, &old, ROLES).status, 401);
    let old = token(&kit).body;
    control(&kit, "POST", "expire-imds-tokens", "");
    assert_eq!(get(&kit, &old, ROLES).status, 401);
}

#[test]
fn settings_change_what_it_does() {
    let off = with(|imds| imds.enabled = false);
    assert_eq!(token(&off).status, 403);
    let optional = with(|imds| imds.tokens = ImdsTokens::Optional);
    assert_eq!(ask(optional.imds_port(), "GET", ROLES, &[]).body, "Instance");
    let old = with(|imds| imds.tokens = ImdsTokens::Unknown);
    assert_eq!(token(&old).status, 404);
    assert_eq!(ask(old.imds_port(), "GET", ROLES, &[]).body, "Instance");
    let bare = with(|imds| imds.role = None);
    let token_of = token(&bare).body;
    assert_eq!(get(&bare, &token_of, ROLES).status, 404);
    control(&bare, "POST", "world", r#"{"imds": {"extended": false}}"#);
    assert_eq!(get(&bare, &token_of, ROLES).body, "Instance");
    assert_eq!(get(&bare, &token_of, EXTENDED).status, 404);
}

#[test]
fn with_a_hop_limit_of_one_the_answer_to_put_is_lost_and_no_other() {
    let kit = with(|imds| imds.hop_limit = 1);
    let port = kit.imds_port();
    std::thread::scope(|scope| {
        let lost = scope.spawn(move || {
            let mut headers = HeaderMap::new();
            headers.insert("x-aws-ec2-metadata-token-ttl-seconds", "60".parse().unwrap());
            send(port, "PUT", "/latest/api/token", &headers, "")
        });
        assert!(kit.wait_for("imds:token", 1));
        assert_eq!(ask(port, "GET", ROLES, &[]).status, 401);
        assert!(!lost.is_finished());
        drop(kit);
        assert!(lost.join().unwrap().is_none());
        #[expect(clippy::disallowed_methods, reason = "the test is its own client")]
        let again = std::net::TcpStream::connect(("127.0.0.1", port));
        assert!(again.is_err());
    });
}

#[test]
fn faults_strike_here_too() {
    let kit = kit();
    let fail = Fault::Fail { status: 500, code: "InternalError".into(), message: "later".into() };
    kit.inject(FaultRule::next("imds:token", 1, fail));
    assert_eq!(token(&kit).status, 500);
    kit.inject(FaultRule::next("container:ecs", 1, Fault::Throttle));
    let url: http::Uri = kit.container_url().parse().unwrap();
    assert_eq!(ask(kit.container_port(), "GET", url.path(), &[]).status, 400);
    assert_eq!(ask(kit.container_port(), "GET", url.path(), &[]).status, 200);
}

#[test]
fn containers_get_credentials_by_path_or_by_token() {
    let kit = kit();
    let port = kit.container_port();
    let id = kit.world().container.id;
    let ecs = keys(&ask(port, "GET", &format!("/v2/credentials/{id}"), &[]));
    let who = call(&kit, &ecs, "GetCallerIdentity", &[]);
    assert_eq!(who.text("Arn"), "arn:aws:sts::111111111111:assumed-role/Task/container");
    let pod = |token: &str| ask(port, "GET", "/v1/credentials", &[("authorization", token)]);
    let found = pod(names::POD_TOKEN);
    keys(&found);
    assert!(found.body.contains("\"AccountId\":\"111111111111\""), "{}", found.body);
    assert_eq!(pod("nonsense").status, 400);
    assert_eq!(ask(port, "GET", "/v1/credentials", &[]).status, 400);
    assert_eq!(ask(port, "GET", "/v2/credentials/other", &[]).status, 400);
    assert_eq!(ask(port, "GET", "/elsewhere", &[]).status, 404);
    assert_eq!(ask(port, "POST", "/v1/credentials", &[]).status, 405);
}
