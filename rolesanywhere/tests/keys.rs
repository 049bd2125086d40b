//! Keys wherever they may lie, each of which makes a session against an AWS on loopback.

#![cfg(feature = "pkcs11")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken machine fails its test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rolecall_core::endpoint::{ConfiguredUrl, EndpointOptions};
use rolecall_core::http::{WebClient, WebSettings};
use rolecall_core::{Context, Env, Fs, Prompt, ProvideCredentials, Secret, SecretInput};
use rolecall_kit::rolesanywhere::{KeyType, NewCertificate};
use rolecall_kit::{Kit, World, names};
use rolecall_rolesanywhere::{IdentitySource, RolesAnywhere, RolesAnywhereProvider};

/// Where the inner process finds tokens and certificates.
const FOLDER: &str = "ROLECALL_TEST_KEYS";
/// The kinds that SoftHSM is given.
const KEYS: [(&str, KeyType); 2] = [("rsa", KeyType::Rsa2048), ("ec", KeyType::P256)];

/// Runs a program of the peers, which must be content.
fn run(folder: &Path, program: &str, arguments: &str, input: &[u8]) -> Vec<u8> {
    #[expect(clippy::disallowed_methods, reason = "fixtures are made by other programs")]
    let mut command = Command::new(program);
    command.args(arguments.split_whitespace()).current_dir(folder);
    command.env("SOFTHSM2_CONF", folder.join("softhsm2.conf"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("{program} is needed ({error}): tests/peers/install.sh FOLDER installs it")
    });
    // A program that does not read its input closes it: no failure.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments}: {said}");
    output.stdout
}

/// Runs a test of [`inner`] in a process of its own that sees the tokens, and feeds its standard
/// input.
#[expect(clippy::disallowed_methods, reason = "the module reads its own variable")]
fn run_inner(folder: &Path, test: &str, input: &[u8]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("inner::{test}"), "--ignored", "--nocapture"]);
    command.env("SOFTHSM2_CONF", folder.join("softhsm2.conf")).env(FOLDER, folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{errors}");
}

/// Writes a certificate and its key, `NAME.pem` and `NAME.key`, of a kit's authority.
fn issue(kit: &Kit, folder: &Path, name: &str, key: KeyType) {
    let issued = kit.issue(&NewCertificate { key, ..NewCertificate::default() });
    let fs = Fs::real();
    fs.write(&folder.join(format!("{name}.pem")), issued.certificate.as_bytes()).unwrap();
    let key = issued.private_key.unwrap();
    fs.write(&folder.join(format!("{name}.key")), key.expose().as_bytes()).unwrap();
}

/// A machine's provider: whoever is asked answers `1234`, and is counted.
fn provider(
    kit: &Kit,
    env: Env,
    source: IdentitySource,
    asked: &Arc<AtomicUsize>,
) -> RolesAnywhereProvider {
    let counter = asked.clone();
    let prompt = Prompt::from_fn(move |question| {
        assert!(question.starts_with("PIN of "), "{question}");
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(Secret::from("1234"))
    });
    let http = Arc::new(WebClient::new(WebSettings::default(), Fs::real()));
    let context = Context { env, prompt, http, ..Context::real() };
    let request = RolesAnywhere {
        trust_anchor_arn: names::TRUST_ANCHOR.to_owned(),
        profile_arn: names::PROFILE.to_owned(),
        role_arn: names::WORKLOAD.to_owned(),
        ..RolesAnywhere::default()
    };
    let url = Some(ConfiguredUrl::new(kit.url().to_string(), "test"));
    let endpoint = request.endpoint(&EndpointOptions { url, ..EndpointOptions::default() });
    RolesAnywhereProvider::new(context, endpoint.unwrap(), source, request)
}

async fn check(kit: &Kit, env: Env, source: IdentitySource, people: usize) {
    let (before, asked) = (kit.count("CreateSession"), Arc::default());
    let shown = format!("{source:?}");
    let provider = provider(kit, env, source, &asked);
    provider.provide_credentials().await.unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert_eq!(kit.count("CreateSession"), before + 1, "{shown}");
    assert_eq!(asked.load(Ordering::SeqCst), people, "{shown}");
}

fn none() -> Env {
    Env::from_pairs::<&str, &str>([])
}

fn source(certificate: &str, key: Option<&str>, password: Option<&str>) -> IdentitySource {
    IdentitySource {
        certificate: Some(IdentitySource::locate(certificate)),
        private_key: key.map(IdentitySource::locate),
        password: password.map(|text| text.parse().unwrap()),
        ..IdentitySource::default()
    }
}

/// Each in a process of its own, as a login counts for the whole process.
#[test]
fn keys_in_tokens() {
    for (name, key) in KEYS {
        for test in ["a_person_types_the_pin", "the_pin_is_in_a_file", "certificate_in_the_token"] {
            let folder = tempfile::tempdir().unwrap();
            let at = folder.path();
            let fs = Fs::real();
            let tokens = at.join("tokens");
            fs.create_folder(&tokens).unwrap();
            let configuration =
                format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
            fs.write(&at.join("softhsm2.conf"), configuration.as_bytes()).unwrap();
            fs.write(&at.join("pin"), b"1234\n").unwrap();
            // The inner process starts the kit with the same authority.
            issue(&Kit::start(World::default()), at, "host", key);
            let util = |arguments: &str| run(at, "softhsm2-util", arguments, b"");
            util("--init-token --free --label keys --so-pin 0000 --pin 1234");
            run(at, "openssl", "pkcs8 -topk8 -nocrypt -in host.key -out host.p8", b"");
            util("--import host.p8 --token keys --pin 1234 --label host --id 01");
            run(at, "openssl", "x509 -in host.pem -outform DER -out host.der", b"");
            let module = module();
            let write = "--token-label keys --write-object host.der --type cert --id 01 --label c";
            let tool = format!("--module {} --login --pin 1234 {write}", module.display());
            run(at, "pkcs11-tool", &tool, b"");
            println!("{name}: {test}");
            run_inner(at, test, b"");
        }
    }
}

fn module() -> PathBuf {
    let module = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/libsofthsm2.so"]
        .into_iter()
        .map(PathBuf::from)
        .chain([PathBuf::from("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")])
        .find(|path| path.exists());
    module.unwrap_or_else(|| panic!("SoftHSM is needed: tests/peers/install.sh FOLDER installs it"))
}

#[test]
fn keys_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    issue(&Kit::start(World::default()), at, "host", KeyType::P256);
    let key = Fs::real().read(&at.join("host.key"), 100_000).unwrap();
    run_inner(at, "the_key_is_on_standard_input", &key);
}

#[tokio::test]
async fn keys_from_files_variables_and_bytes() {
    let kit = Kit::start(World::default());
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let path = |name: &str| at.join(name).display().to_string();
    for key in [KeyType::P521, KeyType::Rsa4096] {
        issue(&kit, at, "host", key);
        // As ACM exports keys: PBES2 whose PBKDF2 leaves out its PRF.
        let acm = "pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA1 -passout pass:hunter2";
        run(at, "openssl", &format!("{acm} -in host.key -out acm.key"), b"");
        let parsed = run(at, "openssl", "asn1parse -in acm.key", b"");
        let parsed = String::from_utf8(parsed).unwrap();
        assert!(parsed.contains("PBKDF2") && !parsed.contains("hmacWith"), "{parsed}");
        let text = |name: &str| {
            let bytes = Fs::real().read(&at.join(name), 100_000).unwrap();
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        let (certificate, file) = (path("host.pem"), path("host.key"));
        check(&kit, none(), source(&certificate, Some(&file), None), 0).await;
        let acm = path("acm.key");
        check(&kit, none(), source(&certificate, Some(&acm), Some("hunter2")), 0).await;
        let variables = Env::from_pairs([("KEY", text("host.key")), ("CERT", text("host.pem"))]);
        check(&kit, variables, source("env:CERT", Some("env:KEY"), None), 0).await;
        let (pair, key) = (text("host.pem"), text("host.key"));
        check(&kit, none(), source(&pair, Some(&key), None), 0).await;
        let bytes = IdentitySource {
            certificate: Some(SecretInput::Literal((pair + &key).into())),
            ..IdentitySource::default()
        };
        check(&kit, none(), bytes, 0).await;
    }
}

/// Run by the others.
mod inner {
    use super::*;

    fn file(name: &str) -> String {
        let folder = Context::real().env.get(FOLDER).expect("run by another test");
        Path::new(&folder).join(name).display().to_string()
    }

    async fn token(certificate: &str, key: Option<&str>, people: usize) {
        let kit = Kit::start(World::default());
        let source =
            IdentitySource { pkcs11_module: Some(module()), ..source(certificate, key, None) };
        check(&kit, none(), source, people).await;
    }

    #[tokio::test]
    #[ignore = "keys_in_tokens runs it"]
    async fn a_person_types_the_pin() {
        token(&file("host.pem"), Some("pkcs11:token=keys;object=host"), 1).await;
    }

    #[tokio::test]
    #[ignore = "keys_in_tokens runs it"]
    async fn the_pin_is_in_a_file() {
        let key = format!("pkcs11:token=keys;object=host?pin-source=file:{}", file("pin"));
        token(&file("host.pem"), Some(&key), 0).await;
    }

    #[tokio::test]
    #[ignore = "keys_in_tokens runs it"]
    async fn certificate_in_the_token() {
        token("pkcs11:token=keys;id=%01", None, 1).await;
    }

    #[tokio::test]
    #[ignore = "keys_from_standard_input runs it"]
    async fn the_key_is_on_standard_input() {
        let kit = Kit::start(World::default());
        check(&kit, none(), source(&file("host.pem"), Some("-"), None), 0).await;
    }
}
