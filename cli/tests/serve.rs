//! `rolecall serve`: credentials over HTTP.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rolecall_kit::{Fault, FaultRule, names};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Answer, Needles, Running, Sandbox, Serving, ask};

const CREDENTIALS: &str = "meta-data/iam/security-credentials";

/// The kit's session behind an answer.
fn key(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    let document = answer.json();
    for field in ["SecretAccessKey", "Token", "Expiration"] {
        assert!(document[field].as_str().is_some_and(|text| !text.is_empty()), "{document}");
    }
    document["AccessKeyId"].as_str().unwrap().to_owned()
}

#[test]
fn imds_and_container_give_what_export_gives() {
    let sandbox = Sandbox::new();
    let expected = sandbox.export("final").json();
    let serving = Serving::start(&sandbox, &["--profile", "final"]);
    assert_eq!(serving.imds(CREDENTIALS).body, "Final");
    for answer in [
        serving.imds(&format!("{CREDENTIALS}/Final")),
        serving.container("/creds"),
        serving.container("/creds/final"),
    ] {
        let given = answer.json();
        for (ours, exported) in [
            ("AccessKeyId", "AccessKeyId"),
            ("SecretAccessKey", "SecretAccessKey"),
            ("Token", "SessionToken"),
        ] {
            assert_eq!(given[ours], expected[exported]);
        }
        let end = given["Expiration"].as_str().unwrap().trim_end_matches('Z');
        assert!(expected["Expiration"].as_str().unwrap().starts_with(end), "{end}");
    }
    assert_eq!(serving.container("/creds").json()["RoleArn"], names::FINAL);
    assert_eq!(serving.imds("meta-data/placement/region").body, "us-east-1");
    serving.stop().good();
}

#[test]
fn rolecall_itself_gets_credentials_from_it() {
    let sandbox = Sandbox::new();
    let serving = Serving::start(&sandbox, &["--profile", "final"]);
    let container = &serving.about["profiles"][0]["container"];
    for variables in [&serving.about["imds"], container] {
        let mut command = sandbox.command(&["whoami", "--json"]);
        command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_EC2_METADATA_DISABLED", "false");
        for (name, value) in variables.as_object().unwrap() {
            command.env(name, value.as_str().unwrap());
        }
        let identity = Running::start(&mut command, b"").finish().json();
        assert_eq!(identity["Account"], "444444444444", "{variables}");
    }
    serving.stop().good();
}

#[test]
fn several_profiles_are_served_by_one_process() {
    let sandbox = Sandbox::new();
    let serving = Serving::start(&sandbox, &["--profile", "hop", "--profile", "deploy"]);
    let roles: Vec<_> =
        serving.about["profiles"].as_array().unwrap().iter().map(|p| p["role"].clone()).collect();
    assert_eq!(roles, ["Hop", "Deploy"]);
    let (hop, deploy) =
        (key(&serving.container("/creds/hop")), key(&serving.container("/creds/deploy")));
    assert_ne!(hop, deploy);
    assert_eq!(key(&serving.container("/creds")), hop);
    assert_eq!(serving.imds(CREDENTIALS).body, "Hop");
    assert_eq!(key(&serving.imds(&format!("{CREDENTIALS}/Deploy"))), deploy);
    assert_eq!(key(&serving.imds(&format!("{CREDENTIALS}/deploy"))), deploy);
    serving.stop().good();
}

#[test]
fn without_a_profile_the_default_chain_is_served() {
    let sandbox = Sandbox::new()
        .set("AWS_ACCESS_KEY_ID", names::ALICE_KEY)
        .set("AWS_SECRET_ACCESS_KEY", names::ALICE_SECRET);
    let serving = Serving::start(&sandbox, &[]);
    let given = serving.container("/creds/default").json();
    assert_eq!(given["AccessKeyId"], names::ALICE_KEY);
    assert_eq!(given["Token"], "");
    assert_eq!(serving.imds(CREDENTIALS).body, "default");
}

#[test]
fn what_it_says_can_be_read_by_a_shell_and_holds_no_token() {
    let sandbox = Sandbox::new();
    let serving = Serving::start(&sandbox, &["--profile", "hop"]);
    let (port, token) = (serving.port, serving.authorization());
    let file = sandbox.home().join(format!(".aws/rolecall/serve/{port}.token"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let uri = format!("http://127.0.0.1:{port}/creds/hop");
    let expected = json!({
        "port": port,
        "imds": {"AWS_EC2_METADATA_SERVICE_ENDPOINT": format!("http://127.0.0.1:{port}/")},
        "profiles": [{"profile": "hop", "role": "Hop", "container": {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": uri,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file.display().to_string(),
        }}],
    });
    assert_eq!(serving.about, expected);
    assert!(token.len() >= 32, "{token}");
    let said = serving.stop().good().stderr;
    assert!(!said.contains(&token));
    assert!(!file.exists(), "the token outlived the server");
    let script = format!("{said}echo $AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let mut shell = std::process::Command::new("sh");
    sandbox.dress(shell.args(["-c", &script]));
    assert_eq!(Running::start(&mut shell, b"").finish().good().stdout.trim(), uri);
}

#[test]
fn one_endpoint_can_be_served_alone() {
    let sandbox = Sandbox::new();
    let imds = Serving::start(&sandbox, &["--profile", "hop", "--imds"]);
    assert_eq!(imds.about["profiles"][0]["container"], Value::Null);
    assert_eq!(ask(imds.port, "GET /creds", &["Authorization: x"]).status, 404);
    assert!(!sandbox.home().join(".aws/rolecall/serve").exists());
    let file = sandbox.home().join("token").display().to_string();
    let ecs = Serving::start(&sandbox, &["--profile", "hop", "--ecs", "--token-file", &file]);
    assert_eq!(ecs.about["imds"], Value::Null);
    assert_eq!(ask(ecs.port, "PUT /latest/api/token", &[]).status, 404);
    key(&ecs.container("/creds"));
    assert!(Path::new(&file).exists());
}

#[test]
fn a_token_file_is_announced_so_that_it_is_found_from_anywhere() {
    let sandbox = Sandbox::new();
    let args = ["--profile", "hop", "--ecs", "--token-file", "./token"];
    let serving = Serving::start(&sandbox, &args);
    let variables = serving.about["profiles"][0]["container"].clone();
    let file = Path::new(variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"].as_str().unwrap());
    assert!(file.is_absolute() && file.starts_with(sandbox.home()), "{file:?}");
    key(&serving.container("/creds"));
    let said = serving.stop().good().stderr;
    assert!(said.contains(&format!("{}\n", file.display())), "{said}");
    assert!(!file.exists(), "the token outlived the server");
}

#[test]
fn only_who_calls_this_machine_by_its_name_and_knows_a_token_is_answered() {
    let sandbox = Sandbox::new();
    let serving = Serving::start(&sandbox, &["--profile", "hop"]);
    let authorization = format!("Authorization: {}", serving.authorization());
    let path = format!("GET /latest/{CREDENTIALS}/Hop");
    for (line, headers, status) in [
        ("GET /creds", &["Host: evil.example", &authorization][..], 403),
        ("GET /creds", &["Host: evil.example:80", &authorization], 403),
        ("PUT /latest/api/token", &["Host: evil.example"], 403),
        ("PUT /latest/api/token", &["X-Forwarded-For: 10.0.0.1"], 400),
        ("PUT /latest/api/token", &["X-aws-ec2-metadata-token-ttl-seconds: 0"], 400),
        ("GET /creds", &[], 401),
        ("GET /creds", &["Authorization: wrong"], 401),
        (&path, &[], 401),
        (&path, &["X-aws-ec2-metadata-token: wrong"], 401),
        ("POST /latest/api/token", &[], 405),
    ] {
        let answer = ask(serving.port, line, headers);
        assert_eq!(answer.status, status, "{line} {headers:?}");
        assert!(!answer.body.contains("AccessKeyId"), "{answer:?}");
    }
    let finished = serving.stop().good();
    let needles = Needles::new(&sandbox.kit, &[&authorization[15..]]);
    needles.assert_absent("standard error", &finished.stderr);
}

/// A profile whose program gives `K1`, `K2`, … for two seconds each; it fails while `broken` is
/// there. All at once, as other programs look at the files while the test writes them.
fn counting_sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let script = sandbox.script(
        "count",
        "test -e broken && exit 1\n\
         echo x >> calls\n\
         n=$(wc -l < calls)\n\
         end=$(date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%S.%NZ)\n\
         echo \"{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"K$n\\\",\\\"SecretAccessKey\\\":\\\"hunter2-of-the-script\\\",\\\"SessionToken\\\":\\\"hunter2-token\\\",\\\"Expiration\\\":\\\"$end\\\"}\"",
    );
    sandbox.add_config(&format!("[profile count]\ncredential_process = {script}\n"));
    sandbox
}

/// Asks again and again until an answer is as wanted.
fn until(serving: &Serving, is_wanted: impl Fn(&Answer) -> bool) -> Answer {
    let start = Instant::now();
    loop {
        let answer = serving.container("/creds");
        if is_wanted(&answer) {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "the last answer: {answer:?}");
    }
}

#[test]
fn credentials_are_renewed_while_they_are_served() {
    let sandbox = counting_sandbox();
    let serving = Serving::start(&sandbox, &["--profile", "count"]);
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let answer = serving.container("/creds");
        let key = key(&answer);
        if seen.last() != Some(&key) {
            seen.push(key);
        }
    }
    let number = |key: &String| key[1..].parse::<usize>().unwrap();
    let numbers: Vec<_> = seen.iter().map(number).collect();
    assert!(numbers.is_sorted(), "{seen:?}");
    serving.stop().good();
    // Hundreds asked, and the program was run when it was time.
    let calls = fs::read_to_string(sandbox.home().join("calls")).unwrap().lines().count();
    assert!(calls <= numbers[3] + 1, "{calls} {seen:?}");
}

#[test]
fn a_source_that_fails_is_an_error_until_it_works_again() {
    let sandbox = counting_sandbox();
    let serving = Serving::start(&sandbox, &["--profile", "count", "--debug"]);
    sandbox.file("broken", "");
    let failed = until(&serving, |answer| answer.status != 200);
    assert!((500..=504).contains(&failed.status), "{failed:?}");
    let document = failed.json();
    assert!(document["Code"].is_string() && document["Message"].is_string(), "{document}");
    for field in ["AccessKeyId", "SecretAccessKey", "Token"] {
        assert!(document.get(field).is_none(), "{document}");
    }
    assert!(serving.imds(&format!("{CREDENTIALS}/count")).status >= 500);
    fs::remove_file(sandbox.home().join("broken")).unwrap();
    until(&serving, |answer| answer.status == 200);
    let token = serving.authorization();
    let said = serving.stop().good().stderr;
    assert!(said.contains("no credentials") && said.contains("answered"), "{said}");
    for secret in ["hunter2-of-the-script", "hunter2-token", &token] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn what_is_wrong_with_a_profile_shows_at_the_start() {
    let sandbox = Sandbox::new();
    sandbox.add_config(&format!(
        "[profile keys]\naws_access_key_id = {}\naws_secret_access_key = wrong\n\
         [profile wrong]\nrole_arn = {}\nsource_profile = keys\n[profile empty]\nregion = x\n",
        names::ALICE_KEY,
        names::HOP
    ));
    for (args, code) in [
        (&["--profile", "wrong"][..], 5),
        (&["--profile", "hop", "--profile", "wrong"], 5),
        (&["--profile", "empty"], 3),
        (&["--profile", "no-such"], 4),
        (&["--profile", "hop", "--profile", "hop"], 4),
        (&["--profile", "hop", "--hop-limit", "0"], 2),
        (&["--profile", "hop", "--port", "65536"], 2),
    ] {
        let finished = sandbox.run(&[&["serve", "--no-cache", "--port", "0"], args].concat());
        assert_eq!(finished.code(), code, "{args:?} {finished:?}");
        assert!(finished.stdout.is_empty(), "{finished:?}");
        // It is said once.
        let said = finished.stderr.to_lowercase();
        assert!(code == 2 || said.matches("rolecall").count() == 1, "{finished:?}");
    }
    let other = Serving::start(&sandbox, &["--profile", "hop"]);
    let port = other.port.to_string();
    let finished = sandbox.run(&["serve", "--profile", "hop", "--port", &port]);
    assert_eq!(finished.code(), 4);
    assert!(finished.stderr.contains(&port) && finished.stderr.contains("help: "), "{finished:?}");
    assert_eq!(other.authorization().len(), 64, "the first one's token is still there");
}

#[test]
fn a_source_that_cannot_be_reached_at_the_start_may_come_later() {
    let sandbox = Sandbox::new().set("AWS_MAX_ATTEMPTS", "1");
    sandbox.kit.inject(FaultRule::always("AssumeRole", Fault::Close));
    let serving = Serving::start(&sandbox, &["--profile", "hop"]);
    let answer = until(&serving, |answer| answer.status != 200);
    assert_eq!((answer.status, &answer.json()["Code"]), (502, &json!("Unavailable")));
    sandbox.kit.clear_faults();
    key(&until(&serving, |answer| answer.status == 200));
    // Many asked, and one call was made a second.
    assert!(sandbox.kit.count("AssumeRole") < 10, "{}", sandbox.kit.count("AssumeRole"));
    let said = serving.stop().good().stderr;
    assert!(said.contains("no credentials yet; serving all the same"), "{said}");
}

#[test]
fn either_signal_stops_it() {
    for signal in [Signal::TERM, Signal::INT] {
        let sandbox = Sandbox::new();
        let serving = Serving::start(&sandbox, &["--profile", "hop"]);
        key(&serving.container("/creds"));
        serving.stop_with(signal).good();
    }
}
