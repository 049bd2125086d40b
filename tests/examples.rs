//! The programs in examples/, which `cargo test` builds, against the kit; and docs/rust.md.

#![expect(clippy::unwrap_used, reason = "a broken kit fails its test")]
#![allow(clippy::disallowed_methods, reason = "it runs programs")]

use std::path::{Path, PathBuf};
use std::process::Command;

use rolecall_kit::rolesanywhere::NewCertificate;
use rolecall_kit::{Kit, World, names};

struct Machine {
    kit: Kit,
    home: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let (kit, home) = (Kit::start(World::default()), tempfile::tempdir().unwrap());
        let config = format!(
            "[profile alice]\naws_access_key_id = {}\naws_secret_access_key = {}\n\
             [profile admin]\naws_access_key_id = {}\naws_secret_access_key = {}\n\
             [profile hop]\nrole_arn = {}\nsource_profile = alice\n",
            names::ALICE_KEY,
            names::ALICE_SECRET,
            names::ADMIN_KEY,
            names::ADMIN_SECRET,
            names::HOP,
        );
        let machine = Self { kit, home };
        machine.write(".aws/config", &config);
        machine
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// What an example prints that succeeds.
    fn run(&self, example: &str, arguments: &[&str]) -> String {
        let url = self.kit.url();
        let done = Command::new(folder().join(example))
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_PROFILE", "alice")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL_STS", &url)
            .env("AWS_ENDPOINT_URL_IAM", &url)
            .env("AWS_ENDPOINT_URL_ROLESANYWHERE", &url)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{example}: {} {error}", done.status);
        String::from_utf8(done.stdout).unwrap()
    }
}

/// Where cargo puts examples: beside the folder of this test.
fn folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("examples")
}

#[test]
fn credentials_of_a_profile() {
    let said = Machine::new().run("credentials", &["hop"]);
    assert!(said.starts_with("ASIA") && said.contains("of account 222222222222"), "{said}");
}

#[test]
fn credentials_for_a_certificate() {
    let machine = Machine::new();
    let issued = machine.kit.issue(&NewCertificate::default());
    let certificate = machine.write("host.pem", &issued.certificate);
    let key = machine.write("host.key", issued.private_key.unwrap().expose());
    let (anchor, profile, role) = (names::TRUST_ANCHOR, names::PROFILE, names::WORKLOAD);
    let said = machine.run("roles_anywhere", &[anchor, profile, role, &certificate, &key]);
    assert!(said.starts_with("ASIA") && said.contains(role), "{said}");
}

#[test]
fn proof_of_identity() {
    let machine = Machine::new();
    let said = machine.run("prove_identity", &[names::ACCOUNT, &machine.kit.url()]);
    assert_eq!(said, "come in: arn:aws:iam::111111111111:user/alice\n");
}

#[test]
fn a_user_on_lease() {
    let machine = Machine::new();
    for _ in 0..2 {
        let said = machine.run("lease_user", &["admin"]);
        assert!(said.starts_with("AKIA") && said.ends_with("is revoked\n"), "{said}");
    }
}

#[test]
fn the_page_for_rust_shows_the_program_that_runs_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let (page, program) = (read("docs/rust.md"), read("examples/credentials.rs"));
    let (_, program) = program.split_once("\n\n").unwrap();
    assert!(page.contains(&format!("```rust\n{program}```")), "docs/rust.md is out of date");
}
