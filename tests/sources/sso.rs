use std::time::Duration;

use rolecall::update::{Update, Updater};
use rolecall::{ErrorKind, Session, block_on};
use rolecall_kit::{Fault, FaultRule, SsoLogin, names};
use serde_json::{Value, json};

use crate::support::Machine;

const CONFIG: &str = "\
[profile work]
sso_session = dev
sso_account_id = 111111111111
sso_role_name = Developer
[sso-session dev]
sso_start_url = https://kit.awsapps.example/start
sso_region = us-east-2
[profile hop]
role_arn = arn:aws:iam::222222222222:role/Hop
source_profile = work
[profile old]
sso_start_url = https://kit.awsapps.example/start
sso_region = us-east-2
sso_account_id = 111111111111
sso_role_name = Developer
[profile login]
login_session = arn:aws:iam::111111111111:user/alice
";
/// SHA-1 of `dev`.
const TOKEN: &str = "/home/.aws/sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json";
/// SHA-1 of the start URL.
const OLD_TOKEN: &str = "/home/.aws/sso/cache/946af3c391328ea4bb4d0d4569711caba11bf58e.json";
/// SHA-1 of `{"accountId":"111111111111","roleName":"Developer","sessionName":"dev"}`.
const ENTRY: &str = "/home/.aws/cli/cache/76a63eb3f405961efc8c6ca7498316cc91e1de0a.json";

fn machine() -> Machine {
    let machine = Machine::new(CONFIG);
    let login = SsoLogin { region: "us-east-2".to_owned(), ..SsoLogin::default() };
    machine.write(TOKEN, &machine.kit.sso_login(&login).to_string());
    machine
}

fn calls(machine: &Machine) -> u64 {
    machine.kit.count("GetRoleCredentials")
}

#[test]
fn a_session_profile_is_asked_for_once_and_cached_as_aws_cli_does() {
    let machine = machine();
    let found = machine.run("work").unwrap();
    assert!(machine.caller(&found).contains("assumed-role/AWSReservedSSO_Developer_"));
    assert_eq!(machine.run("work").unwrap().access_key_id(), found.access_key_id());
    assert_eq!(calls(&machine), 1);
    let mut entry = machine.read(ENTRY);
    assert!(entry.as_object_mut().unwrap().remove("Rolecall").is_some());
    let expected = json!({
        "ProviderType": "sso",
        "Credentials": {
            "AccessKeyId": found.access_key_id(),
            "SecretAccessKey": found.secret_access_key().expose(),
            "SessionToken": found.session_token().unwrap().expose(),
            "Expiration": "2026-01-01T01:00:00Z",
            "AccountId": names::ACCOUNT,
        },
    });
    assert_eq!(entry, expected);
    machine.pass(Duration::from_secs(3600));
    assert_ne!(machine.run("work").unwrap().access_key_id(), found.access_key_id());
    assert_eq!((calls(&machine), machine.kit.count("CreateToken")), (2, 1));
}

#[test]
fn an_entry_of_aws_cli_is_taken_even_without_a_token() {
    let machine = Machine::new(CONFIG);
    let entry = json!({"ProviderType": "sso", "Credentials": {
        "AccessKeyId": "ASIAOFAWSCLI", "SecretAccessKey": "s", "SessionToken": "t",
        "Expiration": "2026-01-01T01:00:00Z",
    }});
    machine.write(ENTRY, &entry.to_string());
    let found = machine.run("work").unwrap();
    assert_eq!(found.access_key_id(), "ASIAOFAWSCLI");
    assert_eq!(found.account_id(), Some(names::ACCOUNT));
    assert_eq!(calls(&machine), 0);
}

#[test]
fn a_role_is_assumed_from_it() {
    let machine = machine();
    let found = machine.run("hop").unwrap();
    assert!(machine.caller(&found).starts_with("arn:aws:sts::222222222222:assumed-role/Hop/"));
}

#[test]
fn a_profile_without_a_session_has_a_token_by_its_url() {
    let machine = machine();
    let error = machine.error("old");
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.message().contains(OLD_TOKEN), "{error}");
    assert_eq!(error.help(), Some("run: aws sso login --profile old"));
    assert!(error.place().unwrap().contains("/home/.aws/config:"), "{error}");
    let login = SsoLogin { refreshable: false, ..SsoLogin::default() };
    // Whoever comes in the same moment shares the failure.
    machine.pass(Duration::from_secs(1));
    machine.write(OLD_TOKEN, &machine.kit.sso_login(&login).to_string());
    machine.run("old").unwrap();
}

#[test]
fn what_has_ended_is_explained_offline() {
    let machine = machine();
    let (json, text) = machine.explain("work");
    assert_eq!(json["problems"], json!([]), "{text}");
    let mut file = machine.read(TOKEN);
    file["refreshToken"] = Value::Null;
    machine.write(TOKEN, &file.to_string());
    machine.pass(Duration::from_secs(3601));
    let (json, text) = machine.explain("work");
    assert_eq!(json["problems"][0]["kind"], "Denied");
    assert_eq!(json["problems"][0]["help"], "run: aws sso login --sso-session dev");
    assert!(text.contains("2026-01-01T01:00:00Z"), "{text}");
    assert_eq!(machine.error("work").kind(), ErrorKind::Denied);
    assert!(machine.kit.calls().is_empty());
}

#[test]
fn a_login_session_is_still_refused_with_what_to_do() {
    let error = machine().error("login");
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.help().unwrap().contains("aws configure export-credentials"), "{error}");
}

#[test]
fn update_wakes_when_the_session_gives_new_ones_and_not_before() {
    let machine = machine();
    let clock = machine.context.clock.clone();
    let updater = Updater::new("copy", machine.options("work")).unwrap();
    let mut written = Vec::new();
    let (sender, receiver) = std::sync::mpsc::channel();
    let report = |update: Update<'_>| {
        let Update::Written { credentials, next } = update else { panic!("{update:?}") };
        let left = credentials.expires_at().unwrap().duration_since(next.unwrap()).unwrap();
        // Within the last five minutes, but well before their end.
        assert!((120..300).contains(&left.as_secs()), "{left:?}");
        written.push((clock.now(), next.unwrap()));
        let pass = next.unwrap().duration_since(clock.now()).unwrap();
        machine.kit.advance(pass.as_secs().cast_signed());
        if written.len() == 3 {
            sender.send(()).unwrap();
        }
    };
    let stop = async {
        while receiver.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
    };
    block_on(updater.run_until(stop, report)).unwrap().unwrap();
    for pair in written.windows(2) {
        // It got new ones the first time it looked.
        let late = pair[1].0.duration_since(pair[0].1).unwrap_or_default();
        assert!(late < Duration::from_secs(1), "{late:?}");
    }
    assert_eq!(calls(&machine), 3);
}

#[test]
fn a_renewal_that_nobody_waits_for_any_more_is_written_before_the_runtime_ends() {
    let machine = machine();
    let before = machine.read(TOKEN);
    machine.pass(Duration::from_secs(3601));
    let gate = "renewal".to_owned();
    machine.kit.inject(FaultRule::next("CreateToken", 1, Fault::Hold { gate }));
    let session = Session::new(machine.options("work")).unwrap();
    let (called, is_called) = tokio::sync::oneshot::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| called.send(machine.kit.wait_for("CreateToken", 1)).unwrap());
        block_on(async {
            tokio::select! {
                done = session.credentials() => panic!("{done:?}"),
                called = is_called => assert!(called.unwrap()),
            }
            machine.kit.open("renewal");
        })
        .unwrap();
    });
    assert_ne!(machine.read(TOKEN)["refreshToken"], before["refreshToken"]);
}
