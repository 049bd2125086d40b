use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use rolecall::core::{Process, ProcessOutput};
use rolecall::{Session, SessionOptions, block_on};
use rolecall_kit::{Role, Trust, names};

use crate::support::{Machine, Person};

const FIVE: std::ops::RangeInclusive<u32> = 1..=5;

/// Alice's keys, five roles that she assumes side by side and five that follow each other, all with
/// her one device. Those that she assumes herself insist on it.
fn machine() -> Machine {
    let mut config = format!(
        "[profile alice]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        names::ALICE_KEY,
        names::ALICE_SECRET
    );
    let mut roles = Vec::new();
    let alice = "arn:aws:iam::111111111111:user/alice".to_owned();
    let mut add = |name: String, source: &str, principal: &str, mfa| {
        let arn = format!("arn:aws:iam::111111111111:role/{name}");
        let serial = names::ALICE_MFA;
        write!(
            config,
            "[profile {name}]\nrole_arn = {arn}\nsource_profile = {source}\nmfa_serial = {serial}\n"
        )
        .unwrap();
        let trust = Trust { principals: vec![principal.to_owned()], mfa, ..Trust::default() };
        let account = names::ACCOUNT.to_owned();
        let (path, max_session_duration) = ("/".to_owned(), 43_200);
        roles.push(Role { account, name, path, max_session_duration, trust, ..Role::default() });
        arn
    };
    for number in FIVE {
        add(format!("side{number}"), "alice", &alice, true);
    }
    let mut before = ("alice".to_owned(), alice.clone());
    for number in FIVE {
        let name = format!("chain{number}");
        let arn = add(name.clone(), &before.0, &before.1, number == 1);
        before = (name, arn);
    }
    let machine = Machine::new(&config);
    machine.kit.change_world(|world| world.roles.extend(roles));
    machine
}

fn run(machine: &Machine, person: &Person, profile: &str) -> String {
    let options = SessionOptions { prompt: Some(person.prompt()), ..machine.options(profile) };
    machine.caller(&machine.get(options).unwrap())
}

fn add(machine: &Machine, text: &str) {
    let path = std::path::Path::new("/home/.aws/config");
    let before = machine.context.fs.read(path, 1 << 20).unwrap();
    machine.write("/home/.aws/config", &(String::from_utf8_lossy(&before).into_owned() + text));
}

#[test]
fn five_profiles_chained_on_one_device_ask_once() {
    let (machine, person) = (machine(), Person::default());
    for number in FIVE {
        let arn = run(&machine, &person, &format!("chain{number}"));
        assert!(arn.contains(&format!(":assumed-role/chain{number}/")), "{arn}");
    }
    assert_eq!((person.asked(), machine.kit.count("GetSessionToken")), (1, 1));
    assert_eq!(machine.kit.count("AssumeRole"), 5);
}

#[test]
fn five_profiles_side_by_side_ask_once_until_the_session_ends() {
    let (machine, person) = (machine(), Person::default());
    for number in FIVE {
        run(&machine, &person, &format!("side{number}"));
    }
    assert_eq!((person.asked(), machine.kit.count("GetSessionToken")), (1, 1));
    // Their own sessions end, the device's does not.
    machine.pass(Duration::from_secs(11 * 3600));
    for number in FIVE {
        run(&machine, &person, &format!("side{number}"));
    }
    assert_eq!((person.asked(), machine.kit.count("AssumeRole")), (1, 10));
    machine.pass(Duration::from_secs(3600));
    for number in FIVE {
        run(&machine, &person, &format!("side{number}"));
    }
    assert_eq!((person.asked(), machine.kit.count("GetSessionToken")), (2, 2));
}

#[test]
fn five_at_once_ask_once() {
    let (machine, person) = (machine(), Person::default());
    // Time is the machine's: those who wait must not run ahead of the one who asks.
    let mut context = machine.context.clone();
    let now = context.clock.now();
    context.clock = rolecall::core::Clock::real();
    context.clock.correct(now);
    let start = Barrier::new(5);
    std::thread::scope(|scope| {
        for number in FIVE {
            let options = SessionOptions {
                prompt: Some(person.prompt()),
                context: Some(context.clone()),
                ..machine.options(&format!("side{number}"))
            };
            let (start, machine) = (&start, &machine);
            scope.spawn(move || {
                start.wait();
                machine.get(options).unwrap();
            });
        }
    });
    assert_eq!((person.asked(), machine.kit.count("GetSessionToken")), (1, 1));
}

#[test]
fn a_roles_own_cache_comes_first() {
    let (machine, person) = (machine(), Person::default());
    let first = run(&machine, &person, "side1");
    let folder = std::path::Path::new("/home/.aws/cli/cache");
    for name in machine.context.fs.list(folder).unwrap() {
        let path = format!("/home/.aws/cli/cache/{name}");
        let about = machine.read(&path)["Rolecall"]["About"].as_str().unwrap().to_owned();
        if about.starts_with("MFA session") {
            machine.context.fs.remove(std::path::Path::new(&path)).unwrap();
        }
    }
    assert_eq!(run(&machine, &person, "side1"), first);
    assert_eq!(person.asked(), 1);
    run(&machine, &person, "side2");
    assert_eq!(person.asked(), 2);
}

#[test]
fn keys_of_the_environment_and_other_regions_share_the_session() {
    let (mut machine, person) = (machine(), Person::default());
    add(
        &machine,
        &format!(
            "[profile env]\nrole_arn = arn:aws:iam::111111111111:role/side1\nregion = us-east-1\n\
             credential_source = Environment\nmfa_serial = {}\n",
            names::ALICE_MFA
        ),
    );
    run(&machine, &person, "side2");
    machine.set("AWS_ACCESS_KEY_ID", names::ALICE_KEY);
    machine.set("AWS_SECRET_ACCESS_KEY", names::ALICE_SECRET);
    run(&machine, &person, "env");
    assert_eq!(person.asked(), 1);
}

#[test]
fn where_a_session_cannot_serve_the_role_is_given_the_code() {
    let (mut machine, person) = (machine(), Person::default());
    let role = |name: &str, more: &str| {
        let serial = names::ALICE_MFA;
        format!(
            "[profile {name}]\nrole_arn = arn:aws:iam::111111111111:role/side1\n\
             mfa_serial = {serial}\n{more}\n"
        )
    };
    add(&machine, &role("long", "source_profile = alice\nduration_seconds = 7200"));
    add(&machine, &role("own", "source_profile = alice\nmfa_session = false"));
    add(&machine, &role("env", "credential_source = Environment"));
    assert!(machine.explain("long").0["mfa_session"].is_null());
    run(&machine, &person, "long");
    run(&machine, &person, "own");
    // A user's session without MFA, which cannot call GetSessionToken.
    let session = machine.get(machine.options("alice")).unwrap();
    let sts = Session::new(SessionOptions { ..machine.options("alice") }).unwrap().sts().unwrap();
    assert!(session.session_token().is_none());
    let session = block_on(sts.get_session_token(&Default::default())).unwrap().unwrap();
    let session = session.credentials;
    machine.set("AWS_ACCESS_KEY_ID", session.access_key_id());
    machine.set("AWS_SECRET_ACCESS_KEY", session.secret_access_key().expose());
    machine.set("AWS_SESSION_TOKEN", session.session_token().unwrap().expose());
    run(&machine, &person, "env");
    assert_eq!(person.asked(), 3);
    assert_eq!(machine.kit.count("GetSessionToken"), 1);
    let calls = machine.kit.calls();
    let with_code = calls.iter().filter(|call| call.params.contains_key("TokenCode"));
    assert_eq!(
        with_code.map(|call| call.operation.as_str()).collect::<Vec<_>>(),
        ["AssumeRole"; 3]
    );
}

#[test]
fn a_program_gives_the_code_unless_the_caller_has_a_prompt_of_its_own() {
    let (mut machine, person) = (machine(), Person::default());
    add(
        &machine,
        &format!(
            "[profile program]\nrole_arn = arn:aws:iam::111111111111:role/side1\n\
             source_profile = alice\nmfa_serial = {}\nmfa_process = otp --secret hunter2\n",
            names::ALICE_MFA
        ),
    );
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    machine.context.process = Process::fake(move |argv| {
        assert_eq!(argv, ["otp", "--secret", "hunter2"]);
        let code = names::ALICE_MFA_CODES[5 - counted.fetch_add(1, Ordering::SeqCst)];
        let stdout = format!("{code}\n").into_bytes().into();
        Ok(ProcessOutput { status: "exit status: 0".to_owned(), success: true, stdout })
    });
    machine.run("program").unwrap();
    machine.run("side2").unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    let (json, text) = machine.explain("program");
    assert_eq!(json["mfa_session"], names::ALICE_MFA);
    assert!(json["hops"][0]["mfa_process"].as_bool().unwrap());
    assert!(text.contains("one session of") && !text.contains("hunter2"), "{text}");
    machine.pass(Duration::from_secs(12 * 3600));
    run(&machine, &person, "program");
    assert_eq!((runs.load(Ordering::SeqCst), person.asked()), (1, 1));
}

#[test]
fn without_files_one_session_is_kept_in_memory() {
    let (machine, person) = (machine(), Person::default());
    let prompt = Some(person.prompt());
    let options = SessionOptions { prompt, no_disk_cache: true, ..machine.options("side1") };
    let session = Session::new(options).unwrap();
    for _ in 0..5 {
        session.credentials_blocking().unwrap();
        machine.pass(Duration::from_secs(3600));
    }
    assert_eq!((person.asked(), machine.kit.count("AssumeRole")), (1, 5));
}

#[test]
fn without_files_nobody_is_asked_while_the_role_is_good() {
    let (machine, person) = (machine(), Person::default());
    add(
        &machine,
        &format!(
            "[profile own]\nrole_arn = arn:aws:iam::111111111111:role/side1\nmfa_session = false\n\
             source_profile = alice\nmfa_serial = {}\n",
            names::ALICE_MFA
        ),
    );
    let prompt = Some(person.prompt());
    let options = SessionOptions { prompt, no_disk_cache: true, ..machine.options("own") };
    let session = Session::new(options).unwrap();
    session.credentials_blocking().unwrap();
    // The source's keys never end; the role's last an hour.
    machine.pass(Duration::from_secs(54 * 60));
    session.credentials_blocking().unwrap();
    assert_eq!(person.asked(), 1);
    machine.pass(Duration::from_secs(2 * 60));
    session.credentials_blocking().unwrap();
    assert_eq!(person.asked(), 2);
}
