//! `configure roles-anywhere`: profiles and trust policies.

use std::io::Write;

use rolecall_kit::names;
use rolecall_kit::rolesanywhere::NewCertificate;

use crate::support::{Expected, Sandbox, Terminal, flags, request_flags};

const CONFIGURE: [&str; 4] = ["configure", "roles-anywhere", "--profile", "host"];

#[test]
fn a_profile_is_written_that_works_here_and_with_the_helper() {
    let sandbox = Sandbox::with_certificate();
    std::fs::create_dir(sandbox.home().join("my keys")).unwrap();
    sandbox.issue("my keys/host", &NewCertificate::default());
    let identity = ["--certificate", "my keys/host.pem", "--private-key", "my keys/host.key"];
    let args = [&CONFIGURE[..], &identity, &request_flags(names::WORKLOAD)].concat();
    let said = sandbox.run(&args).good().stderr;
    let file = sandbox.home().join(".aws/config");
    let file = file.display();
    let expected = format!("wrote profile host to {file}; try: rolecall whoami --profile host");
    assert!(said.contains(&expected), "{said}");
    let config = std::fs::read_to_string(sandbox.home().join(".aws/config")).unwrap();
    let line = config.lines().find(|line| line.starts_with("credential_process")).unwrap();
    let expected = format!(
        "credential_process = aws_signing_helper credential-process \
         --certificate \"{0}/my keys/host.pem\" --private-key \"{0}/my keys/host.key\" {1}",
        sandbox.home().display(),
        request_flags(names::WORKLOAD).join(" ")
    );
    assert_eq!(line, expected);
    let identity = sandbox.run(&["whoami", "--profile", "host", "--json"]).json();
    assert!(identity["Arn"].as_str().unwrap().contains(":assumed-role/Workload/"));

    // A second time it is replaced; AWS CLI runs the program, which it finds by its path.
    let program = sandbox.helper();
    sandbox.run(&[&args[..], &["--program", &program, "--with-proxy"]].concat()).good();
    let config = std::fs::read_to_string(sandbox.home().join(".aws/config")).unwrap();
    assert_eq!(config.matches("credential_process").count(), 1, "{config}");
    assert!(config.contains(&program) && config.contains("--with-proxy"), "{config}");
    assert_eq!(sandbox.kit.count("CreateSession"), 1);
    sandbox.export("host").good();
    assert_eq!(sandbox.kit.count("CreateSession"), 1);
}

#[test]
fn what_is_missing_is_asked_for() {
    let sandbox = Sandbox::with_certificate();
    let mut terminal = Terminal::open();
    let running = terminal.start(&sandbox, &CONFIGURE);
    for (question, answer) in [
        ("Certificate", "host.pem"),
        ("Private key", "host.key"),
        ("ARN of the trust anchor", names::TRUST_ANCHOR),
        ("ARN of the Roles Anywhere profile", names::PROFILE),
        ("ARN of the role", names::WORKLOAD),
    ] {
        terminal.wait_for(question);
        writeln!(terminal.person, "{answer}").unwrap();
    }
    running.finish().good();
    sandbox.export("host").good();
    assert_eq!(sandbox.kit.count("CreateSession"), 1);
}

#[test]
fn what_a_profile_should_not_hold_is_refused() {
    let sandbox = Sandbox::with_certificate();
    let before = std::fs::read(sandbox.home().join(".aws/config")).unwrap();
    let all = [&CONFIGURE[..], &flags()].concat();
    let wrong = |more: &[&str], says: &str, help: &str| {
        Expected { code: 4, kind: "InvalidConfiguration", says: &[says], help }
            .from(&sandbox, &[&all[..], more].concat());
    };
    wrong(&["--pkcs8-password", "hunter2"], "no place for a password", "file://PATH or env:NAME");
    wrong(&["--certificate", "-"], "no standard input", "name a file");
    wrong(&["--certificate", "it's $5\\"], "no way of quoting", "without quotes");
    let silent = sandbox.run(&CONFIGURE);
    assert_eq!(silent.code(), 4, "{silent:?}");
    assert!(silent.stderr.contains("give --certificate"), "{silent:?}");
    assert_eq!(std::fs::read(sandbox.home().join(".aws/config")).unwrap(), before);
}

#[test]
fn what_could_not_work_is_not_written() {
    let sandbox = Sandbox::with_certificate();
    sandbox.issue("other", &NewCertificate::default());
    sandbox.file("junk.pem", "no certificate\n");
    let before = std::fs::read(sandbox.home().join(".aws/config")).unwrap();
    let all = [&CONFIGURE[..], &flags()].concat();
    for (more, says) in [
        (&["--certificate", "none.pem"][..], "none.pem"),
        (&["--private-key", "none.key"], "none.key"),
        (&["--private-key", "other.key"], "do not belong together"),
        (&["--certificate", "junk.pem"], "junk.pem"),
        (&["--trust-anchor-arn", names::PROFILE], "is that of a Roles Anywhere profile"),
        (&["--profile-arn", "junk"], "is no ARN"),
        (&["--role-arn", names::TRUST_ANCHOR], "is that of a trust anchor"),
        (&["--region", "sa-east-1"], "the region sa-east-1 was asked"),
        (&["--session-duration", "60"], "60 seconds"),
        (&["--endpoint", "nowhere"], "--endpoint"),
    ] {
        let finished = sandbox.run(&[&all[..], more].concat());
        assert_eq!(finished.code(), 4, "{finished:?}");
        assert!(finished.stderr.contains(says), "{says}: {finished:?}");
        assert_eq!(std::fs::read(sandbox.home().join(".aws/config")).unwrap(), before);
    }
    // The trust anchor's own region says nothing new.
    let region = names::TRUST_ANCHOR.split(':').nth(3).unwrap();
    sandbox.run(&[&all[..], &["--region", region]].concat()).good();
    let config = std::fs::read_to_string(sandbox.home().join(".aws/config")).unwrap();
    assert!(!config.contains("--region"), "{config}");
}

#[test]
fn access_keys_of_the_profile_are_not_passed_over_silently() {
    let sandbox = Sandbox::with_certificate();
    sandbox.add_config(
        "[profile host]\naws_access_key_id = AKIAHOST\naws_secret_access_key = secret\n",
    );
    let args = [&CONFIGURE[..], &flags()].concat();
    let finished = sandbox.run(&args);
    assert_eq!(finished.code(), 4, "{finished:?}");
    for says in ["has access keys of its own", ".aws/config:", "--force"] {
        assert!(finished.stderr.contains(says), "{finished:?}");
    }
    sandbox.run(&[&args[..], &["--force"]].concat()).good();
}

#[test]
fn settings_that_go_before_the_line_are_warned_of() {
    let sandbox = Sandbox::with_certificate();
    sandbox.add_config(&format!(
        "[profile host]\nrole_arn = {}\nsource_profile = alice\n",
        names::HOP
    ));
    let finished = sandbox.run(&[&CONFIGURE[..], &flags()].concat()).good();
    assert!(finished.stderr.contains("go before credential_process"), "{finished:?}");
    let env = [&CONFIGURE[..], &flags(), &["--pkcs8-password", "env:PASSWORD"]].concat();
    let finished = sandbox.run(&env).good();
    assert!(finished.stderr.contains("this profile is for rolecall"), "{finished:?}");
}

#[test]
fn the_trust_policy_is_for_the_certificates_subject() {
    let sandbox = Sandbox::new();
    sandbox.issue(
        "host",
        &NewCertificate {
            common_name: "host-1".to_owned(),
            organizational_units: vec!["Backup".to_owned()],
            intermediates: 1,
            ..NewCertificate::default()
        },
    );
    let print = ["configure", "roles-anywhere", "--print-trust-policy"];
    let certificate = ["--certificate", "host.pem", "--trust-anchor-arn", names::TRUST_ANCHOR];
    let policy = sandbox.run(&[&print[..], &certificate].concat()).json();
    let statement = &policy["Statement"][0];
    assert_eq!(statement["Principal"]["Service"], "rolesanywhere.amazonaws.com");
    let conditions = &statement["Condition"];
    for (attribute, value) in [("CN", "host-1"), ("O", "Kit"), ("OU", "Backup")] {
        let key = format!("aws:PrincipalTag/x509Subject/{attribute}");
        assert_eq!(conditions["StringEquals"][key], value);
    }
    assert_eq!(conditions["ArnEquals"]["aws:SourceArn"], names::TRUST_ANCHOR);

    // As a role's trust policy it lets in this subject, and no other.
    sandbox.kit.change_world(|world| {
        let workload = world.roles.iter_mut().find(|role| role.name == "Workload").unwrap();
        workload.trust.policy = Some(policy);
    });
    let url = sandbox.kit.url();
    let get = || {
        let args = [&["credential-process", "--no-cache", "--endpoint", &url], &flags()[..]];
        sandbox.run(&args.concat())
    };
    get().good();
    sandbox.issue("host", &NewCertificate::default());
    assert_eq!(get().code(), 5);

    let wrong = ["--certificate", "host.pem", "--trust-anchor-arn", names::PROFILE];
    let finished = sandbox.run(&[&print[..], &wrong].concat());
    assert_eq!(finished.code(), 4, "{finished:?}");
}
