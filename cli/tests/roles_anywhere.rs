//! Certificates of IAM Roles Anywhere as the source of profiles.

use std::fs;

use rolecall_kit::rolesanywhere::{CertificateFault, NewCertificate};
use rolecall_kit::{Fault, FaultRule, Kit, Options, World, names};
use serde_json::Value;

use crate::support::{Expected, Needles, Running, Sandbox, flags, request_flags};

/// How often Roles Anywhere was asked.
fn calls(sandbox: &Sandbox) -> u64 {
    sandbox.kit.count("CreateSession")
}

/// A profile whose line was written for AWS's helper, which is nowhere on this machine.
fn add_profile(sandbox: &Sandbox, name: &str, more: &str) -> usize {
    let line = flags().join(" ");
    let program = "/opt/aws/aws_signing_helper credential-process";
    sandbox.add_config(&format!("[profile {name}]\ncredential_process = {program} {line} {more}\n"))
}

fn arn(sandbox: &Sandbox, profile: &str) -> String {
    let identity = sandbox.run(&["whoami", "--profile", profile, "--json"]).json();
    identity["Arn"].as_str().unwrap().to_owned()
}

#[test]
fn a_line_for_the_helper_runs_without_the_helper_and_is_cached() {
    let sandbox = Sandbox::with_certificate();
    add_profile(&sandbox, "host", "");
    let first = sandbox.export("host").json();
    assert!(arn(&sandbox, "host").contains(":assumed-role/Workload/"));
    assert_eq!(calls(&sandbox), 1);

    // Neither the key nor AWS is needed for what is in the cache.
    fs::remove_file(sandbox.home().join("host.key")).unwrap();
    let kit_is_gone = sandbox.set("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1");
    assert_eq!(kit_is_gone.export("host").json(), first);
    assert_eq!(calls(&kit_is_gone), 1);
    let listed = kit_is_gone.run(&["cache", "list", "--json"]).json();
    assert!(listed.to_string().contains(names::WORKLOAD), "{listed}");
}

#[test]
fn two_hundred_processes_make_one_session() {
    let sandbox = Sandbox::with_certificate();
    add_profile(&sandbox, "host", "");
    let hold = Fault::Hold { gate: "start".to_owned() };
    sandbox.kit.inject(FaultRule::next("CreateSession", 1, hold));
    let profile = ["export", "--profile", "host"];
    let line = [&["credential-process"], &flags()[..], &["--with-proxy"]].concat();
    // Half of them ask for the same by flags.
    let started: Vec<Running> = (0..200)
        .map(|number| sandbox.start(if number % 2 == 0 { &profile } else { &line }))
        .collect();
    assert!(sandbox.kit.wait_for("CreateSession", 1));
    sandbox.kit.open("start");
    let mut printed: Vec<_> = started.into_iter().map(|r| r.finish().good().stdout).collect();
    printed.dedup();
    assert_eq!(printed.len(), 1, "not all got the same");
    assert_eq!(calls(&sandbox), 1);
}

#[test]
fn explain_says_that_this_program_answers_and_what_is_wrong() {
    let sandbox = Sandbox::with_certificate();
    let line = add_profile(&sandbox, "host", "");
    let found = sandbox.run(&["explain", "--profile", "host", "--json"]).json();
    let source = &found["source"];
    assert_eq!(source["kind"], "roles-anywhere");
    assert_eq!(source["certificate"], "host.pem");
    assert_eq!(source["role_arn"], names::WORKLOAD);
    assert_eq!(source["trust_anchor_arn"], names::TRUST_ANCHOR);
    assert_eq!(source["profile_arn"], names::PROFILE);
    assert_eq!(source["region"], "us-east-1");
    assert_eq!(source["origin"]["line"], line + 1);
    assert_eq!(found["problems"], serde_json::json!([]), "{found}");

    for (fault, says, help) in [
        (CertificateFault::Expired, "expired", "renew it"),
        (CertificateFault::Ca, "authority", "get a certificate"),
        (CertificateFault::NoDigitalSignature, "digitalSignature", "get a certificate"),
    ] {
        let fault = Some(fault);
        sandbox.issue("host", &NewCertificate { fault, ..NewCertificate::default() });
        let wrong = Expected { code: 4, kind: "InvalidConfiguration", says: &[says], help };
        wrong.of_profile(&sandbox, "host");
        wrong.explained(&sandbox, "host");
    }
    sandbox.issue("host", &NewCertificate::default());
    sandbox.issue("other", &NewCertificate::default());
    fs::copy(sandbox.home().join("other.key"), sandbox.home().join("host.key")).unwrap();
    let mismatch = Expected {
        code: 4,
        kind: "InvalidConfiguration",
        says: &["do not belong together"],
        help: "public keys",
    };
    mismatch.of_profile(&sandbox, "host");
    mismatch.explained(&sandbox, "host");
    assert_eq!(calls(&sandbox), 0);
}

#[test]
fn explain_tells_who_asks_whom_what_is_kept_and_what_stands_in_the_open() {
    let sandbox = Sandbox::with_certificate();
    add_profile(&sandbox, "host", "--pkcs8-password hunter2");
    sandbox.add_config("[profile other]\nregoin = a\n[profile another]\nroel_arn = a\n");
    let explain = || sandbox.run(&["explain", "--profile", "host", "--json"]).good().json();
    let found = explain();
    let source = &found["source"];
    assert_eq!(source["endpoint"], sandbox.kit.url(), "{found}");
    assert!(source["subject"].as_str().unwrap().starts_with("CN="), "{found}");
    assert!(source["certificate_until"].is_string() && source["serial"].is_string(), "{found}");
    assert_eq!(found["cached_until"], Value::Null);
    let warnings = found["warnings"].to_string();
    assert!(warnings.contains("--pkcs8-password stands in the file in the open"), "{warnings}");
    assert!(warnings.contains("2 settings of other profiles are misspelt"), "{warnings}");
    assert!(!warnings.contains("hunter2") && !warnings.contains("regoin"), "{warnings}");
    let first = sandbox.export("host");
    assert!(first.stderr.contains("--pkcs8-password stands in the profile"), "{first:?}");
    assert_eq!(sandbox.export("host").stderr, "", "what is kept needs no password");
    assert!(explain()["cached_until"].is_string());
    let text = sandbox.run(&["explain", "--profile", "host"]).good().stdout;
    for line in ["Asked    http", "Holder   CN=", "Cached   good until "] {
        assert!(text.contains(line), "{text}");
    }
    let doctor = sandbox.run(&["doctor"]).stdout;
    assert!(doctor.contains("regoin") && doctor.contains("roel_arn"), "{doctor}");
}

#[test]
fn a_path_that_a_shell_would_change_is_told_with_the_path() {
    let sandbox = Sandbox::with_certificate();
    add_profile(&sandbox, "host", "--private-key ~/host.key");
    let wrong = Expected {
        code: 4,
        kind: "InvalidConfiguration",
        says: &["~/host.key", "cannot be read"],
        help: "write the whole path",
    };
    wrong.of_profile(&sandbox, "host");
    wrong.explained(&sandbox, "host");
}

#[test]
fn a_slip_is_told_where_the_helper_is_this_program_by_a_link_or_a_copy() {
    let sandbox = Sandbox::with_certificate();
    let ours = env!("CARGO_BIN_EXE_rolecall");
    let folder = |name: &str| {
        let folder = sandbox.home().join(name);
        fs::create_dir(&folder).unwrap();
        folder.join("aws_signing_helper")
    };
    let (soft, hard, copy) = (folder("soft"), folder("hard"), folder("copy"));
    std::os::unix::fs::symlink(ours, &soft).unwrap();
    fs::copy(ours, &copy).unwrap();
    fs::hard_link(&copy, &hard).unwrap();
    let line = flags().join(" ");
    for (name, program) in [("soft", soft), ("hard", hard), ("copy", copy)] {
        let program = program.display();
        sandbox.add_config(&format!(
            "[profile {name}]\ncredential_process = {program} credential-process {line} \
             --sesion-duration 900\n"
        ));
        let wrong = Expected {
            code: 4,
            kind: "InvalidConfiguration",
            says: &["there is no flag --sesion-duration"],
            help: "mend the line",
        };
        wrong.of_profile(&sandbox, name);
        wrong.explained(&sandbox, name);
    }
    assert_eq!(calls(&sandbox), 0);
}

#[test]
fn what_only_the_helper_knows_is_left_to_the_helper() {
    let sandbox = Sandbox::with_certificate();
    let answer = r#"{"Version":1,"AccessKeyId":"ASIAOFTHEHELPER00000","SecretAccessKey":"s","SessionToken":"t"}"#;
    let program = sandbox.script("opt/aws_signing_helper", &format!("echo '{answer}'"));
    let line = |more: &str| format!("{program} credential-process {} {more}", flags().join(" "));
    sandbox.file(
        "tpm.key",
        "-----BEGIN TSS2 PRIVATE KEY-----\nMAA=\n-----END TSS2 PRIVATE KEY-----\n",
    );
    sandbox.add_config(&format!(
        "[profile known]\ncredential_process = {}\n\
         [profile new-flag]\ncredential_process = {}\n\
         [profile tpm]\ncredential_process = {}\n",
        line(""),
        line("--from-the-future 1"),
        line("--private-key tpm.key"),
    ));
    let key = |finished: Value| finished["AccessKeyId"].as_str().unwrap().to_owned();
    for profile in ["new-flag", "tpm"] {
        assert_eq!(key(sandbox.export(profile).json()), "ASIAOFTHEHELPER00000", "{profile}");
    }
    assert_eq!(calls(&sandbox), 0);
    let explained = sandbox.run(&["explain", "--profile", "new-flag"]).good().stdout;
    assert!(explained.contains("credential_process ("), "{explained}");
    assert!(explained.contains("there is no flag --from-the-future"), "{explained}");
    assert_ne!(key(sandbox.export("known").json()), "ASIAOFTHEHELPER00000");
    assert_eq!(calls(&sandbox), 1);

    let sandbox = sandbox.set("ROLECALL_USE_SIGNING_HELPER", "true");
    assert_eq!(key(sandbox.export("known").json()), "ASIAOFTHEHELPER00000");
    let explained = sandbox.run(&["explain", "--profile", "known", "--json"]).json();
    assert_eq!(explained["source"]["kind"], "process");
}

#[test]
fn roles_follow_a_certificate() {
    let sandbox = Sandbox::with_certificate();
    add_profile(&sandbox, "host", "");
    let line = flags().join(" ");
    sandbox.add_config(&format!(
        "[profile first]\nrole_arn = {hop}\nsource_profile = host\n\
         [profile second]\nrole_arn = {deploy}\nsource_profile = first\n\
         [profile itself]\nrole_arn = {hop}\nsource_profile = itself\n\
         credential_process = aws_signing_helper credential-process {line}\n",
        hop = names::HOP,
        deploy = names::DEPLOY
    ));
    assert!(arn(&sandbox, "second").contains(":assumed-role/Deploy/"));
    assert!(arn(&sandbox, "first").contains(":assumed-role/Hop/"));
    assert_eq!((calls(&sandbox), sandbox.kit.count("AssumeRole")), (1, 2));
    // Another source at the same role is another session: it is not taken from the cache.
    sandbox.export("hop").good();
    assert_eq!(sandbox.kit.count("AssumeRole"), 3);
}

#[test]
fn each_identity_has_a_session_of_its_own() {
    let sandbox = Sandbox::with_certificate();
    let agent = NewCertificate { common_name: "build-agent".into(), ..NewCertificate::default() };
    sandbox.issue("agent", &agent);
    let with = |name: &str, role: &'static str, more: &[&str]| {
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        let identity = ["credential-process", "--certificate", &certificate, "--private-key", &key];
        let args = [&identity[..], &request_flags(role), more].concat();
        sandbox.run(&args).json()["AccessKeyId"].as_str().unwrap().to_owned()
    };
    let all = [
        with("host", names::WORKLOAD, &[]),
        with("agent", names::WORKLOAD, &[]),
        with("agent", names::BUILD_AGENT, &[]),
        with("agent", names::BUILD_AGENT, &["--session-duration", "900"]),
    ];
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!((different.len(), calls(&sandbox)), (4, 4));
    // A renewed certificate goes on with the session of the one before it.
    sandbox.issue("agent", &agent);
    assert_eq!(with("agent", names::WORKLOAD, &[]), all[1]);
    assert_eq!(calls(&sandbox), 4);
    with("host", names::WORKLOAD, &["--no-cache"]);
    assert_eq!(calls(&sandbox), 5);
}

#[test]
fn a_refusal_says_what_aws_said() {
    let sandbox = Sandbox::with_certificate();
    let args = [
        &["credential-process", "--certificate", "host.pem", "--private-key", "host.key"][..],
        &request_flags(names::BUILD_AGENT),
    ];
    Expected { code: 5, kind: "Denied", says: &["CreateSession", "AccessDenied"], help: "" }
        .from(&sandbox, &args.concat());
}

#[test]
fn the_other_side_is_verified_unless_a_user_insists() {
    let kit = Kit::start_with(Options {
        tls: true,
        ..Options { world: World::default(), ..Options::default() }
    });
    let sandbox = Sandbox::with_kit(kit.unwrap());
    let url = sandbox.kit.tls_url().unwrap();
    let authority = sandbox.file("ca.pem", sandbox.kit.ca_pem().unwrap());
    sandbox.issue("host", &NewCertificate::default());
    let sandbox = sandbox.set("AWS_MAX_ATTEMPTS", "1");
    let endpoint = ["--endpoint", &url];
    let args = [&["credential-process"], &flags()[..], &endpoint].concat();

    let refused = sandbox.run(&args);
    assert_eq!(refused.code(), 6, "{refused:?}");
    assert!(refused.stderr.contains("certificate"), "{refused:?}");
    let insisted = sandbox.run(&[&args[..], &["--no-verify-ssl"]].concat());
    let warning = "rolecall: warning: --no-verify-ssl: the other side is not verified";
    assert_eq!(insisted.stderr.matches(warning).count(), 1, "{insisted:?}");
    let unverified = insisted.json();
    // So does a profile's line, by whichever command it is run.
    add_profile(&sandbox, "host", &format!("--endpoint {url} --no-verify-ssl"));
    for command in [
        &["export", "--profile", "host"][..],
        &["credential-process", "--profile", "host"],
        &["exec", "--profile", "host", "--", "true"],
    ] {
        let finished = sandbox.run(command).good();
        assert_eq!(finished.stderr.matches(warning).count(), 1, "{command:?}: {finished:?}");
    }
    let listed = sandbox.run(&["cache", "list", "--json"]).json();
    assert_eq!(listed["entries"], serde_json::json!([]));
    // Who verifies is not given what others got unverified.
    assert_eq!(sandbox.run(&args).code(), 6);
    let sandbox = sandbox.set("AWS_CA_BUNDLE", authority.to_str().unwrap());
    assert_ne!(sandbox.run(&args).json(), unverified);
}

#[test]
fn a_certificate_that_ends_soon_is_told_when_it_is_used_and_explained() {
    let sandbox = Sandbox::with_certificate();
    add_profile(&sandbox, "host", "");
    let soon = NewCertificate { not_after: 3 * 3600, not_before: -90 * 3600, ..Default::default() };
    sandbox.issue("host", &soon);
    let warning = "rolecall: warning: the certificate ends soon: CN=workload,";
    let cold = sandbox.export("host").good();
    assert!(cold.stderr.contains(warning) && cold.stderr.contains("in 2 hours"), "{cold:?}");
    // What is in the cache is all the same.
    assert_eq!(sandbox.export("host").good().stderr, "");
    let update = [&["update", "--once", "--no-cache", "--profile", "x"], &flags()[..]].concat();
    let update = sandbox.run(&update).good();
    assert!(update.stderr.contains("the certificate ends soon"), "{update:?}");
    let explained = sandbox.run(&["explain", "--profile", "host", "--json"]).good();
    assert_eq!(explained.stderr, "");
    let explained = explained.json();
    let found = &explained["warnings"][0];
    let message = found["message"].as_str().unwrap();
    assert!(message.contains("ends soon") && message.ends_with("in 2 hours"), "{found}");
    assert!(found["help"].as_str().unwrap().contains("renew"), "{found}");
    assert_eq!(explained["problems"], serde_json::json!([]));
}

/// The next one may be another.
#[test]
fn what_comes_through_a_pipe_is_not_kept_for_the_next() {
    let sandbox = Sandbox::with_certificate();
    let agent = NewCertificate { common_name: "build-agent".into(), ..Default::default() };
    sandbox.issue("agent", &agent);
    let run = |name: &str| {
        let read = |end: &str| fs::read_to_string(sandbox.home().join(format!("{name}.{end}")));
        let identity = ["credential-process", "--certificate", "-"];
        let args = [&identity[..], &request_flags(names::WORKLOAD)].concat();
        let input = read("pem").unwrap() + &read("key").unwrap();
        sandbox.run_with_input(&args, &input).json()["AccessKeyId"].clone()
    };
    assert_ne!(run("host"), run("agent"));
    assert_eq!(calls(&sandbox), 2);
}

#[test]
fn a_warm_call_opens_no_key() {
    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
    let sandbox = Sandbox::with_certificate();
    let args = [&["credential-process"], &flags()[..]].concat();
    let first = sandbox.run(&args).json();
    let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, sandbox.home().join("host.key"), WatchFlags::OPEN).unwrap();
    assert_eq!(sandbox.run(&args).json(), first);
    let mut opened = [0; 256];
    let none = rustix::io::read(&watch, &mut opened).unwrap_err();
    assert_eq!(none, rustix::io::Errno::AGAIN);
    // It would be seen.
    sandbox.run(&[&args[..], &["--no-cache"]].concat()).good();
    assert!(rustix::io::read(&watch, &mut opened).unwrap() > 0);
}

#[test]
fn the_proxy_counts_for_rolecall_and_by_a_flag_for_the_helper() {
    let sandbox = Sandbox::with_certificate();
    let sandbox = sandbox.set("HTTP_PROXY", "http://127.0.0.1:1").set("AWS_MAX_ATTEMPTS", "1");
    let fresh = [&["credential-process"], &flags()[..]].concat();
    assert_eq!(sandbox.run(&fresh).code(), 6);
    assert_eq!(sandbox.start_helper(&[&fresh[..], &["--with-proxy"]].concat()).finish().code(), 6);
    assert_eq!(calls(&sandbox), 0);
    add_profile(&sandbox, "host", "");
    sandbox.export("host").good();
    assert_eq!(calls(&sandbox), 1);
    sandbox.start_helper(&fresh).finish().good();
}

#[test]
fn debugging_shows_no_secret() {
    let sandbox = Sandbox::with_certificate();
    add_profile(&sandbox, "host", "");
    let key = fs::read_to_string(sandbox.home().join("host.key")).unwrap();
    let body = key.lines().nth(1).unwrap();
    let certificate = [&["credential-process"], &flags()[..]].concat();
    let sign = ["sign-string", "--private-key", "host.key"];
    for args in [&["export", "--profile", "host", "--no-cache"][..], &certificate, &sign] {
        let args = [args, &["--debug"]].concat();
        let mut all = vec![sandbox.run(&args)];
        if args[0] != "export" {
            all.push(sandbox.start_helper(&args).finish());
        }
        for finished in all {
            let finished = finished.good();
            assert!(!finished.stderr.is_empty() || args[0] == "sign-string", "{args:?}");
            Needles::new(&sandbox.kit, &[body]).assert_absent("the log", &finished.stderr);
        }
    }
}

#[test]
fn profile_and_certificate_do_not_go_together() {
    let sandbox = Sandbox::with_certificate();
    for args in [
        &["credential-process", "--profile", "alice", "--certificate", "host.pem"][..],
        &["serve", "--profile", "alice", "--certificate", "host.pem"],
        &["update", "--from", "alice", "--certificate", "host.pem"],
        &["credential-process", "--certificate", "host.pem"],
        &["credential-process", "--session-duration", "1h"],
        &["sign-string"],
        &["read-certificate-data"],
    ] {
        let finished = sandbox.run(args);
        assert_eq!(finished.code(), 2, "{args:?}: {finished:?}");
    }
    let tpm = ["sign-string", "--private-key", "handle:0x81000101"];
    Expected {
        code: 4,
        kind: "InvalidConfiguration",
        says: &["TPM", "not supported yet"],
        help: "AWS's own aws_signing_helper",
    }
    .from(&sandbox, &tpm);
}
