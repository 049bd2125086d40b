use std::time::Duration;

use rolecall::{Credentials, ErrorKind, Session, SessionOptions, block_on};
use rolecall_kit::names;

use crate::support::Machine;

/// Where `deploy` is assumed with session keys in the credentials file.
fn machine() -> Machine {
    Machine::new(&format!(
        "[profile alice]\naws_access_key_id = {}\naws_secret_access_key = {}\n\
         [profile hop]\nrole_arn = {}\nsource_profile = alice\n\
         [profile deploy]\nrole_arn = {}\nsource_profile = saml\n",
        names::ALICE_KEY,
        names::ALICE_SECRET,
        names::HOP,
        names::DEPLOY
    ))
}

fn new_keys(machine: &Machine) -> Credentials {
    let options = SessionOptions { no_disk_cache: true, ..machine.options("hop") };
    machine.get(options).unwrap()
}

fn write(machine: &Machine, keys: &Credentials) {
    let (id, secret) = (keys.access_key_id(), keys.secret_access_key().expose());
    let token = keys.session_token().unwrap().expose();
    let text = format!(
        "[saml]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n\
         aws_session_token = {token}\n"
    );
    machine.write("/home/.aws/credentials", &text);
}

#[test]
fn a_long_run_takes_the_session_keys_that_another_program_has_written_since() {
    let machine = machine();
    write(&machine, &new_keys(&machine));
    let session = Session::new(machine.options("deploy")).unwrap();
    let role = || block_on(session.credentials()).unwrap();
    let first = role().unwrap();
    // Longer than the keys last. What was planned with has ended.
    machine.pass(Duration::from_secs(3601));
    assert_eq!(role().unwrap_err().kind(), ErrorKind::Denied);
    write(&machine, &new_keys(&machine));
    machine.pass(Duration::from_secs(120));
    let second = role().unwrap();
    assert_ne!(first.access_key_id(), second.access_key_id());
    assert!(machine.caller(&second).contains("assumed-role/Deploy/"));
}

#[test]
fn what_other_keys_than_the_planned_gave_is_not_in_the_cache_as_theirs() {
    let machine = machine();
    let planned = new_keys(&machine);
    write(&machine, &planned);
    let session = Session::new(machine.options("deploy")).unwrap();
    machine.pass(Duration::from_secs(120));
    write(&machine, &new_keys(&machine));
    let with_others = block_on(session.credentials()).unwrap().unwrap();
    // Whoever plans with the first keys gets nothing that came of the others,
    write(&machine, &planned);
    let with_planned = machine.run("deploy").unwrap();
    assert_ne!(with_planned.access_key_id(), with_others.access_key_id());
    // and what came of the planned is in the cache.
    let cached = machine.run("deploy").unwrap();
    assert_eq!(cached.access_key_id(), with_planned.access_key_id());
}
