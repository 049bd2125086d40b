//! A home folder of its own, a clean environment, and a program that cannot run for ever.

mod certificates;
mod disks;
mod finished;
mod needles;
mod profile_files;
mod running;
mod serving;
mod terminal;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rolecall_kit::{Kit, World, names};
use tempfile::TempDir;

pub(crate) use certificates::{flags, request_flags};
pub(crate) use disks::Disk;
pub(crate) use finished::{Expected, Finished};
pub(crate) use needles::Needles;
pub(crate) use running::Running;
pub(crate) use serving::{Answer, Serving, ask};
pub(crate) use terminal::Terminal;

/// A machine with nothing on it but PATH, and an AWS that its config names.
pub(crate) struct Sandbox {
    pub(crate) kit: Kit,
    home: TempDir,
    env: BTreeMap<String, String>,
}

impl Sandbox {
    /// With the default world: profile `alice` has her keys, and `hop`, `deploy` and `final` are
    /// the chain of three roles from them.
    pub(crate) fn new() -> Self {
        Self::with_kit(Kit::start(World::default()))
    }

    /// With an AWS of the test's own.
    pub(crate) fn with_kit(kit: Kit) -> Self {
        let home = TempDir::new().expect("a temporary folder");
        let url = kit.url();
        let env = [
            ("PATH", std::env::var("PATH").expect("PATH is set")),
            ("HOME", path_text(home.path())),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL_STS", url),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let sandbox = Self { kit, home, env };
        sandbox.config(&chain());
        sandbox
    }

    /// Sets a variable of the program's environment.
    pub(crate) fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    /// Takes a variable out of the program's environment.
    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.home().join(".aws/cli/cache")
    }

    /// Writes `~/.aws/config`.
    pub(crate) fn config(&self, text: &str) -> PathBuf {
        self.file(".aws/config", text)
    }

    /// Appends to `~/.aws/config`, and says on which line the text begins.
    pub(crate) fn add_config(&self, text: &str) -> usize {
        let path = self.home().join(".aws/config");
        let before = fs::read_to_string(&path).expect("a config");
        self.config(&format!("{before}{text}"));
        before.lines().count() + 1
    }

    /// Writes a file below HOME, as the user would: for nobody else's eyes.
    pub(crate) fn file(&self, path: &str, text: &str) -> PathBuf {
        let path = self.home().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(&path, text).expect("a file");
        set_mode(&path, 0o600);
        path
    }

    /// A pipe below HOME, and the hold of a program on it that never writes.
    pub(crate) fn silent_pipe(&self, path: &str) -> (PathBuf, fs::File) {
        let path = self.home().join(path);
        let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
        assert!(made.success(), "no pipe at {}", path.display());
        let held = fs::File::options().read(true).write(true).open(&path).expect("a pipe");
        (path, held)
    }

    /// Writes a program below HOME.
    pub(crate) fn script(&self, name: &str, text: &str) -> String {
        let path = self.file(name, &format!("#!/bin/sh\n{text}\n"));
        set_mode(&path, 0o700);
        path_text(&path)
    }

    /// A file with a web identity token that role `Web` takes.
    pub(crate) fn token_file(&self) -> String {
        let subject = format!("{}default:app", names::OIDC_SUBJECT_PREFIX);
        let token = self.kit.web_identity_token(&subject, names::OIDC_AUDIENCE);
        path_text(&self.file("token", &token))
    }

    /// Adds profile `web`: a web identity.
    pub(crate) fn add_web_profile(&self) {
        let (role, token) = (names::WEB, self.token_file());
        self.add_config(&format!(
            "[profile web]\nrole_arn = {role}\nweb_identity_token_file = {token}\n"
        ));
    }

    /// The program, ready to start.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
        command.args(args);
        self.dress(&mut command);
        command
    }

    /// Gives another program the sandbox's environment.
    pub(crate) fn dress(&self, command: &mut Command) {
        command.env_clear().envs(&self.env).current_dir(self.home());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }

    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running::start(&mut self.command(args), b"")
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Finished {
        self.start(args).finish()
    }

    /// The same with something on standard input.
    pub(crate) fn run_with_input(&self, args: &[&str], input: &str) -> Finished {
        Running::start(self.command(args).stdin(Stdio::piped()), input.as_bytes()).finish()
    }

    /// Runs `export --profile NAME`.
    pub(crate) fn export(&self, profile: &str) -> Finished {
        self.run(&["export", "--profile", profile])
    }

    /// Every entry of the cache, which must all be whole.
    pub(crate) fn cache_entries(&self) -> Vec<serde_json::Value> {
        let Ok(entries) = fs::read_dir(self.cache()) else { return Vec::new() };
        let paths = entries.map(|entry| entry.expect("a folder that can be listed").path());
        let entries = paths.filter(|path| path.extension().is_some_and(|e| e == "json"));
        // It may be removed between the two calls.
        let texts = entries.filter_map(|path| Some((fs::read(&path).ok()?, path)));
        texts
            .map(|(text, path)| {
                let entry: serde_json::Value = serde_json::from_slice(&text)
                    .unwrap_or_else(|error| panic!("torn: {path:?}: {error}"));
                assert!(entry["Credentials"]["SessionToken"].is_string(), "not whole: {path:?}");
                entry
            })
            .collect()
    }
}

/// `alice`, and the three roles that follow each other from her.
fn chain() -> String {
    let mut text = format!(
        "[profile alice]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        names::ALICE_KEY,
        names::ALICE_SECRET
    );
    let hops = [
        ("hop", names::HOP, "alice"),
        ("deploy", names::DEPLOY, "hop"),
        ("final", names::FINAL, "deploy"),
    ];
    for (name, role, source) in hops {
        write!(text, "[profile {name}]\nrole_arn = {role}\nsource_profile = {source}\n")
            .expect("text");
    }
    text
}

pub(crate) fn path_text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(path, permissions).expect("permissions");
}
