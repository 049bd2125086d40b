//! The program in the place of AWS's helper: its commands, its flags, its output.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use rolecall_kit::names;
use rolecall_kit::rolesanywhere::{KeyType, NewCertificate};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Running, Sandbox, Serving, Terminal, flags, request_flags};

const KEYS: [KeyType; 4] = [KeyType::P256, KeyType::P384, KeyType::P521, KeyType::Rsa2048];

/// Runs openssl, which must be content.
fn openssl(sandbox: &Sandbox, args: &str) {
    let mut command = Command::new("openssl");
    command.args(args.split(' '));
    sandbox.dress(&mut command);
    Running::start(&mut command, b"").finish().good();
}

#[test]
fn by_whatever_link_it_is_called_it_is_the_helper() {
    let sandbox = Sandbox::with_certificate();
    let program = sandbox.helper();
    fs::create_dir(sandbox.home().join("links")).unwrap();
    let link = sandbox.home().join("links/aws_signing_helper");
    symlink(env!("CARGO_BIN_EXE_rolecall"), &link).unwrap();
    let copy = sandbox.home().join("links/aws_signing_helper.exe");
    fs::copy(&program, &copy).unwrap();
    let mut printed = Vec::new();
    for program in [program.as_ref(), link.as_os_str(), copy.as_os_str()] {
        let mut command = Command::new(program);
        command.arg("credential-process").args(flags());
        sandbox.dress(&mut command);
        let answer = Running::start(&mut command, b"").finish().json();
        assert_eq!(answer["Version"], 1);
        for field in ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"] {
            assert!(answer[field].is_string(), "{answer}");
        }
        printed.push(answer);
    }
    assert!(printed.iter().all(|answer| *answer == printed[0]));
    assert_eq!(sandbox.kit.count("CreateSession"), 1);
}

#[test]
fn version_help_and_bad_usage() {
    let sandbox = Sandbox::new();
    let run = |args: &[&str]| sandbox.start_helper(args).finish();
    let version = run(&["version"]).good().stdout;
    assert_eq!(version, format!("{}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(sandbox.run(&["version"]).good().stdout, version);
    assert_eq!(run(&["--version"]).good().stdout, version);
    let finished = sandbox.run(&["sign-string"]);
    assert_eq!(finished.code(), 2, "{finished:?}");
    assert!(finished.stderr.contains("Usage: rolecall sign-string"), "{finished:?}");
    for args in [&[][..], &["--help"], &["help"]] {
        assert!(run(args).good().stdout.contains("read-certificate-data"), "{args:?}");
    }
    let help = run(&["serve", "--help"]).good().stdout;
    assert!(help.contains("--hop-limit NUMBER") && help.contains("--trust-anchor-arn ARN"));
    for (args, says) in [
        (&["credential-process", "--unknown"][..], "no flag --unknown"),
        (&["credential-process", "-certificate", "x"], "short flags"),
        (
            &["credential-process", "--role-arn", "r"],
            "--certificate, --trust-anchor-arn, --profile-arn are missing",
        ),
        (&["sign-string"], "--private-key is missing; it is enough"),
        (&["sign-string", "--digest", "MD5"], "SHA256, SHA384 or SHA512"),
        (&["dance"], "no command"),
    ] {
        let finished = run(args);
        assert_eq!(finished.code(), 2, "{finished:?}");
        assert!(finished.stderr.contains(says), "{finished:?}");
    }
}

#[test]
fn a_wrong_line_of_a_profile_is_told_where_no_helper_reads_it() {
    let sandbox = Sandbox::with_certificate();
    sandbox.add_config(&format!(
        "[profile typo]\ncredential_process = aws_signing_helper credential-process \
         --sesion-duration 900 {}\n[profile lacking]\ncredential_process = aws_signing_helper \
         credential-process --certificate host.pem\n",
        flags().join(" ")
    ));
    for (profile, says) in [
        ("typo", "did you mean --session-duration?"),
        ("lacking", "--trust-anchor-arn, --profile-arn, --role-arn are missing"),
    ] {
        for command in ["export", "explain"] {
            let finished = sandbox.run(&[command, "--profile", profile]);
            assert_eq!(finished.code(), 4, "{finished:?}");
            let said = format!("{}{}", finished.stdout, finished.stderr);
            assert!(said.contains(says) && said.contains(".aws/config:"), "{finished:?}");
        }
    }
}

#[test]
fn a_flag_with_a_wrong_value_is_named() {
    let sandbox = Sandbox::with_certificate();
    for (flag, value) in [
        ("--trust-anchor-arn", names::PROFILE),
        ("--role-arn", "junk"),
        ("--session-duration", "60"),
        ("--role-session-name", "a b"),
        ("--region", "sa-east-1"),
    ] {
        let args = [&["credential-process"], &flags()[..], &[flag, value]].concat();
        let finished = sandbox.run(&args);
        assert_eq!(finished.code(), 4, "{finished:?}");
        assert!(finished.stderr.contains(&format!("  in: {flag}\n")), "{finished:?}");
    }
}

#[test]
fn a_signature_of_each_kind_of_key_is_good_in_each_form() {
    let sandbox = Sandbox::new();
    for key in KEYS {
        sandbox.issue("host", &NewCertificate { key, ..NewCertificate::default() });
        openssl(&sandbox, "pkey -in host.key -pubout -out public.pem");
        for digest in ["SHA256", "SHA384", "SHA512"] {
            let sign = |format: &str| {
                let flags = ["sign-string", "--private-key", "host.key", "--digest", digest];
                let all = [&flags[..], &["--format", format]].concat();
                let mut command = Command::new(sandbox.helper());
                command.args(all);
                sandbox.dress(&mut command);
                let output = command.stderr(Stdio::inherit()).output().unwrap();
                assert!(output.status.success());
                output.stdout
            };
            let hex = String::from_utf8(sign("text")).unwrap();
            assert!(hex.bytes().all(|b| b.is_ascii_hexdigit()) && hex.len() > 100, "{hex}");
            let quoted: String = serde_json::from_slice(&sign("json")).unwrap();
            assert!(quoted.bytes().all(|b| b.is_ascii_hexdigit()), "{quoted}");
            fs::write(sandbox.home().join("signature"), sign("bin")).unwrap();
            fs::write(sandbox.home().join("text"), signed_text(&sandbox, key)).unwrap();
            let digest = digest.to_lowercase();
            openssl(
                &sandbox,
                &format!("dgst -{digest} -verify public.pem -signature signature text"),
            );
        }
    }
}

#[test]
fn a_key_that_does_not_fit_its_certificate_does_not_sign() {
    let sandbox = Sandbox::new();
    sandbox.issue("host", &NewCertificate::default());
    sandbox.issue("other", &NewCertificate::default());
    let sign = |key: &str| {
        sandbox.run(&["sign-string", "--certificate", "host.pem", "--private-key", key])
    };
    sign("host.key").good();
    let finished = sign("other.key");
    assert_eq!(finished.code(), 4, "{finished:?}");
    assert!(finished.stderr.contains("do not belong together"), "{finished:?}");
    assert!(finished.stdout.is_empty(), "{finished:?}");
}

/// The helper's fixed text: openssl says what the public key is.
fn signed_text(sandbox: &Sandbox, key: KeyType) -> Vec<u8> {
    let form = match key {
        KeyType::Rsa2048 => {
            "rsa -pubin -in public.pem -RSAPublicKey_out -outform DER -out public.der"
        }
        _ => {
            "ec -pubin -in public.pem -conv_form uncompressed -pubout -outform DER -out public.der"
        }
    };
    openssl(sandbox, form);
    let der = fs::read(sandbox.home().join("public.der")).unwrap();
    let point = match key {
        KeyType::P256 => 65,
        KeyType::P384 => 97,
        KeyType::P521 => 133,
        _ => der.len(),
    };
    fs::write(sandbox.home().join("hashed"), [b"IAM RA", &der[der.len() - point..]].concat())
        .unwrap();
    openssl(sandbox, "dgst -sha256 -binary -out hash hashed");
    let hash = fs::read(sandbox.home().join("hash")).unwrap();
    [b"AWS Roles Anywhere Credential Helper Signing Test1", hash.as_slice()].concat()
}

#[test]
fn a_certificate_is_shown_as_the_helper_shows_it() {
    let sandbox = Sandbox::new();
    for (key, kind) in [(KeyType::P384, "EC"), (KeyType::Rsa2048, "RSA")] {
        let issued = sandbox.kit.issue(&NewCertificate { key, ..NewCertificate::default() });
        sandbox.file("c.pem", &issued.certificate);
        let args = ["read-certificate-data", "--certificate", "c.pem"];
        let printed = sandbox.start_helper(&args).finish().good().stdout;
        let data: Value = serde_json::from_str(&printed).unwrap();
        assert!(!printed.contains('\n'), "{printed}");
        assert_eq!(data["keyType"], kind);
        assert_eq!(data["serialNumber"], issued.serial);
        let algorithms = ["SHA256", "SHA384", "SHA512"].map(|digest| format!("{kind}{digest}"));
        assert_eq!(data["supportedAlgorithms"], serde_json::json!(algorithms));
        let encoded: String =
            issued.certificate.lines().filter(|line| !line.starts_with("-----")).collect();
        assert_eq!(data["certificateData"], encoded);
        assert_eq!(sandbox.run(&args).json(), data);
    }
}

/// Encrypts `host.key` with a password.
fn encrypt(sandbox: &Sandbox, password: &str) {
    sandbox.file("password", &format!("{password}\n"));
    openssl(
        sandbox,
        "pkcs8 -topk8 -v2 aes-256-cbc -in host.key -out locked.key -passout file:password",
    );
    fs::rename(sandbox.home().join("locked.key"), sandbox.home().join("host.key")).unwrap();
}

#[test]
fn a_password_comes_from_anywhere_and_is_warned_of_in_the_open() {
    let sandbox = Sandbox::with_certificate().set("PASSWORD", "hunter2-of-the-key");
    encrypt(&sandbox, "hunter2-of-the-key");
    let sign = ["sign-string", "--private-key", "host.key", "--pkcs8-password"];
    for (input, is_warned_of) in
        [("file://password", false), ("env:PASSWORD", false), ("hunter2-of-the-key", true)]
    {
        let args = [&sign[..], &[input]].concat();
        for finished in [sandbox.run(&args), sandbox.start_helper(&args).finish()] {
            let finished = finished.good();
            assert_eq!(finished.stderr.contains("--pkcs8-password"), is_warned_of, "{finished:?}");
            assert!(!finished.stderr.contains("hunter2"), "{finished:?}");
        }
    }
    let args = [&sign[..], &["-"]].concat();
    sandbox.run_with_input(&args, "hunter2-of-the-key\n").good();
    let wrong = sandbox.run_with_input(&args, "hunter3\n");
    assert_eq!(wrong.code(), 5, "{wrong:?}");
    // A code for MFA is no password, and could lock a token.
    let options = ["--mfa-code", "env:PASSWORD", "--no-cache"];
    let all = [&options[..], &["credential-process"], &flags()].concat();
    let asked = sandbox.run(&all);
    assert_eq!(asked.code(), 4, "{asked:?}");
    // Nobody is there to be asked.
    let silent = sandbox.run(&["sign-string", "--private-key", "host.key"]);
    assert_eq!(silent.code(), 4, "{silent:?}");
    assert!(silent.stderr.contains("--pkcs8-password file://PATH"), "{silent:?}");
}

#[test]
fn a_password_is_asked_for_once_a_session() {
    let sandbox = Sandbox::with_certificate();
    encrypt(&sandbox, "hunter2-of-the-key");
    let args = [&["credential-process"], &flags()[..]].concat();
    let mut terminal = Terminal::open();
    let running = terminal.start(&sandbox, &args);
    terminal.wait_for("Password of host.key: ");
    writeln!(terminal.person, "hunter2-of-the-key").unwrap();
    let printed = running.finish().json();
    while terminal.look(0) {}
    assert!(!terminal.seen.contains("hunter2"), "{:?}", terminal.seen);
    assert_eq!(sandbox.run(&args).json(), printed);
    assert_eq!(sandbox.kit.count("CreateSession"), 1);
}

#[test]
fn update_writes_the_section_that_is_named() {
    let sandbox = Sandbox::with_certificate();
    let file = sandbox.file(".aws/credentials", "[other]\naws_access_key_id = AKIAOTHER\n");
    let args = [&["update", "--once"], &flags()[..]].concat();
    sandbox.start_helper(&args).finish().good();
    sandbox.start_helper(&[&args[..], &["--profile", "work"]].concat()).finish().good();
    let args = [&args[..], &["--profile", "mine"]].concat();
    sandbox.run(&args).good();
    let text = fs::read_to_string(file).unwrap();
    assert!(text.starts_with("[other]\naws_access_key_id = AKIAOTHER\n"), "{text}");
    for profile in ["default", "work", "mine"] {
        let identity = sandbox.run(&["whoami", "--profile", profile, "--json"]).json();
        assert!(identity["Arn"].as_str().unwrap().contains(":assumed-role/Workload/"));
    }
    assert_eq!(sandbox.kit.count("CreateSession"), 1);
}

#[test]
fn serve_is_imds_with_the_roles_name() {
    let sandbox = Sandbox::with_certificate();
    let serving = Serving::start(&sandbox, &flags());
    let path = "meta-data/iam/security-credentials";
    assert_eq!(serving.imds(path).body, "Workload");
    let document = serving.imds(&format!("{path}/Workload")).json();
    for (field, value) in [("Code", "Success"), ("Type", "AWS-HMAC")] {
        assert_eq!(document[field], value);
    }
    assert_eq!(serving.container("/creds").json()["RoleArn"], names::WORKLOAD);
    assert_eq!(sandbox.kit.count("CreateSession"), 1);
    let said = serving.stop_with(Signal::TERM).good().stderr;
    assert!(said.contains("# the certificate in host.pem\n"), "{said}");
}

/// SoftHSM's module, which `tests/peers/install.sh` installs.
const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// A token with the key of `host.pem`, and the folder that it lies in. The PIN lies in `pin`.
fn with_token() -> (Sandbox, std::path::PathBuf) {
    let sandbox = Sandbox::with_certificate();
    fs::create_dir(sandbox.home().join("tokens")).unwrap();
    let folder = sandbox.home().join("tokens");
    let config = format!("directories.tokendir = {}\n", folder.display());
    let config = sandbox.file("softhsm2.conf", &config);
    let sandbox = sandbox.set("SOFTHSM2_CONF", config.to_str().unwrap());
    sandbox.file("pin", "4321\n");
    for args in [
        "--init-token --free --label kit --so-pin 8765 --pin 4321",
        "--import host.key --token kit --label host --id 01 --pin 4321",
    ] {
        let mut command = Command::new("softhsm2-util");
        command.args(args.split(' '));
        sandbox.dress(&mut command);
        Running::start(&mut command, b"").finish().good();
    }
    (sandbox, folder)
}

/// Starts a command of the helper with a key in the token.
fn start_with_key(sandbox: &Sandbox, command: &[&str], key: &str) -> Running {
    let key = ["--private-key", key, "--pkcs11-lib", SOFTHSM];
    sandbox.start_helper(&[command, &flags()[..], &key].concat())
}

#[test]
fn serve_with_a_pin_that_is_refused_ends_before_it_serves() {
    let (sandbox, _) = with_token();
    for (key, code, says) in [
        ("pkcs11:token=kit;object=host?pin-value=not-the-pin", 5, "the PIN is wrong"),
        ("pkcs11:token=kit;object=hosts?pin-value=4321", 4, "there are: \"host\" (id 01)"),
    ] {
        let served = start_with_key(&sandbox, &["serve", "--port", "0"], key).finish();
        assert_eq!(served.code(), code, "{served:?}");
        assert!(served.stderr.contains(says) && !served.stderr.contains("export"), "{served:?}");
        assert!(!served.stderr.contains("not-the-pin"), "{served:?}");
    }
    assert_eq!(sandbox.kit.count("CreateSession"), 0);
}

#[test]
fn a_key_in_a_token_is_needed_once_a_session() {
    let (sandbox, folder) = with_token();
    let key = |pin: &str| format!("pkcs11:token=kit;object=host?{pin}");
    let pin = sandbox.home().join("pin");
    let good = key(&format!("pin-source=file:{}", pin.display()));
    let run = |key: &str| start_with_key(&sandbox, &["credential-process"], key).finish();
    let wrong = run(&key("pin-value=not-the-pin"));
    assert_eq!(wrong.code(), 5, "{wrong:?}");
    assert!(!wrong.stderr.contains("not-the-pin"), "{wrong:?}");
    let first = run(&good).json();
    // What is in the cache needs neither token nor PIN.
    fs::remove_dir_all(folder).unwrap();
    fs::remove_file(pin).unwrap();
    assert_eq!(run(&good).json(), first);
    assert_eq!(sandbox.kit.count("CreateSession"), 1);
}

#[test]
fn a_selector_chooses_among_several_certificates() {
    let sandbox = Sandbox::new();
    let named = |name: &str| NewCertificate { common_name: name.to_owned(), ..Default::default() };
    let [one, two] = ["one", "two"].map(|name| sandbox.kit.issue(&named(name)));
    sandbox.file("all.pem", &format!("{}{}", one.certificate, two.certificate));
    sandbox.file("two.key", two.private_key.as_ref().unwrap().expose());
    let print = |selector: &str| {
        let url = sandbox.kit.url();
        let args = [
            &["credential-process", "--certificate", "all.pem", "--private-key", "two.key"][..],
            &["--endpoint", &url, "--cert-selector", selector],
            &crate::support::request_flags(names::WORKLOAD),
        ];
        sandbox.run(&args.concat())
    };
    let second = print(&format!("Key=x509Serial,Value={}", two.serial_hex)).json();
    let other = print(&format!("Key=x509Serial,Value={}", one.serial_hex));
    assert_eq!(other.code(), 4, "{other:?}");
    assert_eq!(print("Key=x509Serial").code(), 4);
    // Each key has its own session, also where all certificates lie in one file.
    sandbox.file("one.key", one.private_key.as_ref().unwrap().expose());
    let with_key = |key: &str| {
        let url = sandbox.kit.url();
        let args = ["credential-process", "--certificate", "all.pem", "--private-key", key];
        let args = [&args[..], &["--endpoint", &url]].concat();
        let request = crate::support::request_flags(names::WORKLOAD);
        sandbox.run(&[&args[..], &request].concat()).json()["AccessKeyId"].clone()
    };
    let (first_key, second_key) = (with_key("one.key"), with_key("two.key"));
    assert_ne!(first_key, second_key);
    assert_ne!(second["AccessKeyId"], first_key);
    assert_eq!((with_key("one.key"), with_key("two.key")), (first_key, second_key));
    // What is read of the file is what is selected.
    let data = |selector: &str| {
        let args = ["read-certificate-data", "--certificate", "all.pem", "--cert-selector"];
        sandbox.run(&[&args[..], &[selector]].concat())
    };
    let serial = data(&format!("Key=x509Serial,Value={}", two.serial_hex)).json();
    assert_eq!(serial["serialNumber"], two.serial);
    let listed = data("Key=x509Issuer,Value=CN=nobody");
    assert_eq!(listed.code(), 4, "{listed:?}");
    assert!(listed.stderr.contains("CN=nobody`; there are 2: CN=one"), "{listed:?}");
    // To AWS's helper it is one of Windows' store or macOS's.
    let args = ["sign-string", "--cert-selector", "Key=x509Serial,Value=1f"];
    let store = sandbox.start_helper(&args).finish();
    assert_eq!(store.code(), 4, "{store:?}");
    assert!(store.stderr.contains("not supported yet"), "{store:?}");
}

#[test]
fn a_password_from_standard_input_serves_every_opening() {
    let sandbox = Sandbox::with_certificate();
    let store = "pkcs12 -export -in host.pem -inkey host.key -out host.p12 -passout pass:hunter2";
    openssl(&sandbox, store);
    let identity = "--certificate host.p12 --private-key host.p12 --pkcs8-password -";
    let identity: Vec<_> = identity.split(' ').collect();
    let flags = [&identity[..], &request_flags(names::WORKLOAD)].concat();
    let line = [&["credential-process"], &flags[..], &["--no-cache"]].concat();
    let answer = sandbox.run_with_input(&line, "hunter2\n").json();
    assert_eq!(answer["Version"], 1);
    let mut command = sandbox.command(&[&["serve", "--port", "0", "--json"], &flags[..]].concat());
    let (reader, writer) = std::io::pipe().unwrap();
    command.stdin(Stdio::piped()).stdout(writer);
    let serving = Serving::of(Running::start(&mut command, b"hunter2\n"), reader);
    assert_eq!(serving.container("/creds").status, 200);
}

#[test]
fn a_pin_in_a_uri_is_in_no_output_and_no_profile() {
    let sandbox = Sandbox::with_certificate();
    let request = request_flags(names::WORKLOAD);
    for uri in ["pkcs11:object=a;pin-value=hunter2", "PKCS11:object=a?pin-value=hunter2"] {
        let line = format!("aws_signing_helper credential-process --certificate {uri}");
        sandbox
            .config(&format!("[profile a]\ncredential_process = {line} {}\n", request.join(" ")));
        for args in [&["explain", "--profile", "a"][..], &["export", "--profile", "a", "--debug"]] {
            let said = sandbox.run(args);
            assert!(!format!("{}{}", said.stdout, said.stderr).contains("hunter2"), "{said:?}");
        }
        let read = ["credential-process", "--certificate", uri];
        let said = sandbox.run(&[&read[..], &request].concat());
        assert!(said.stderr.contains("can see the value of --certificate"), "{said:?}");
        assert!(!said.stderr.contains("hunter2"), "{said:?}");
        let write = ["configure", "roles-anywhere", "--profile", "b", "--certificate", uri];
        let said = sandbox.run(&[&write[..], &request].concat());
        assert!(said.stderr.contains("no place for a PIN"), "{said:?}");
        assert!(!said.stderr.contains("hunter2"), "{said:?}");
    }
}
