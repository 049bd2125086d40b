use std::path::Path;
use std::time::Duration;

use rolecall::ErrorKind;
use rolecall::core::{Process, ProcessOutput};
use rolecall_kit::names;

use crate::support::Machine;

const CONFIG: &str = "\
[profile file]
role_arn = arn:aws:iam::111111111111:role/Saml
saml_assertion = file:///home/assertion
[profile env]
role_arn = arn:aws:iam::111111111111:role/Saml
saml_assertion = env:ASSERTION
saml_principal_arn = arn:aws:iam::111111111111:saml-provider/KitIdp
duration_seconds = 1800
[profile process]
role_arn = arn:aws:iam::111111111111:role/Saml
saml_process = idp --password hunter2
[profile other]
role_arn = arn:aws:iam::111111111111:role/Other
saml_assertion = file:///home/assertion
";
const ROLE_SESSION: &str = "arn:aws:sts::111111111111:assumed-role/Saml/me";

fn machine() -> Machine {
    let machine = Machine::new(CONFIG);
    machine.write("/home/assertion", &assertion(&machine));
    machine
}

fn assertion(machine: &Machine) -> String {
    machine.kit.saml_assertion(names::SAML, names::SAML_PROVIDER, "me")
}

#[test]
fn an_assertion_in_a_file_is_traded_once() {
    let machine = machine();
    assert_eq!(machine.explain("file").0["problems"], serde_json::json!([]));
    let found = machine.run("file").unwrap();
    assert_eq!(machine.caller(&found), ROLE_SESSION);
    // The session outlives the assertion, and so does its cache.
    machine.pass(Duration::from_secs(2400));
    machine.context.fs.remove(Path::new("/home/assertion")).unwrap();
    assert_eq!(machine.run("file").unwrap().access_key_id(), found.access_key_id());
    assert_eq!(machine.kit.count("AssumeRoleWithSAML"), 1);
    let (json, _) = machine.explain("file");
    assert!(json["problems"][0]["message"].as_str().unwrap().contains("/home/assertion"));
    machine.pass(Duration::from_secs(1200));
    assert_eq!(machine.error("file").kind(), ErrorKind::InvalidConfiguration);
}

#[test]
fn an_assertion_comes_from_a_variable_or_a_program_too() {
    let mut machine = machine();
    machine.set("ASSERTION", &assertion(&machine));
    let found = machine.run("env").unwrap();
    assert_eq!(machine.caller(&found), ROLE_SESSION);
    assert_eq!(machine.kit.calls()[0].params["DurationSeconds"], "1800");

    let text = assertion(&machine);
    machine.context.process = Process::fake(move |argv| {
        assert_eq!(argv, ["idp", "--password", "hunter2"]);
        let status = "exit status: 0".to_owned();
        Ok(ProcessOutput { status, success: true, stdout: text.clone().into_bytes().into() })
    });
    let found = machine.run("process").unwrap();
    assert_eq!(machine.caller(&found), ROLE_SESSION);
    assert_eq!(machine.kit.count("AssumeRoleWithSAML"), 2);
    let (json, text) = machine.explain("process");
    assert_eq!(json["source"]["assertion"], "saml_process");
    assert!(!text.contains("hunter2"));
}

#[test]
fn an_assertion_that_is_late_changed_or_for_others_is_refused_with_what_to_do() {
    let machine = machine();
    let error = machine.error("other");
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains(names::SAML), "{error}");
    assert!(error.place().unwrap().contains("profile other"), "{error}");
    assert_eq!(machine.kit.count("AssumeRoleWithSAML"), 0);

    machine.pass(Duration::from_secs(301));
    let error = machine.error("file");
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.help().unwrap().contains("get a new one"), "{error}");
}
