//! AWS CLI's kubeconfig files, before and after `aws eks update-kubeconfig`, each file a test of its
//! own: read in place, changed on a machine of its own, compared byte for byte.

#![allow(clippy::panic, reason = "so tests fail")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use libtest_mimic::{Arguments, Failed, Trial};
use rolecall::core::http::{HttpClient, HttpError, Request, Response};
use rolecall::core::{Env, Fs};
use rolecall::eks::{KubeconfigUpdate, UpdateKubeconfig};
use rolecall::{Context, CredentialsError, ErrorKind, SessionOptions, block_on};
use serde_json::json;

/// Files whose change is recorded, and the file that records it.
const RECORDED: [(&str, &str); 8] = [
    ("valid_empty_existing", "output_single"),
    ("valid_old_api_version", "output_single"),
    ("valid_existing", "output_combined"),
    ("valid_old_data", "output_combined"),
    ("valid_changed_ordering", "output_combined_changed_ordering"),
    // Nothing is left to do in these.
    ("output_single", "output_single"),
    ("output_combined", "output_combined"),
    ("output_combined_changed_ordering", "output_combined_changed_ordering"),
];
const PLACE: &str = "/home/.kube/config";

fn main() {
    let arguments = Arguments::from_args();
    let names = Fs::real().list(&folder()).unwrap_or_default();
    assert!(!names.is_empty(), "there are no cases in {}", folder().display());
    let mut trials: Vec<Trial> = names
        .into_iter()
        .map(|name| Trial::test(format!("kubeconfig::{name}"), move || case(&name)))
        .collect();
    trials.push(Trial::test("kubeconfig::no file", || {
        let machine = Machine::new(None);
        machine.update()?;
        same(&machine.text(), &read("output_single"))
    }));
    trials.push(Trial::test("kubeconfig::recorded files exist", || {
        RECORDED.iter().flat_map(|(a, b)| [a, b]).for_each(|name| drop(read(name)));
        Ok(())
    }));
    libtest_mimic::run(&arguments, trials).exit();
}

fn case(name: &str) -> Result<(), Failed> {
    let before = read(name);
    let machine = Machine::new(Some(&before));
    if name.starts_with("invalid_") {
        let error = match machine.update() {
            Ok(()) => return Err("it was changed".into()),
            Err(error) => error,
        };
        if error.kind() != ErrorKind::InvalidConfiguration || error.place().is_none() {
            return Err(format!("another error: {error}").into());
        }
        return same(&machine.text(), &before);
    }
    machine.update()?;
    let after = machine.text();
    if let Some((_, recorded)) = RECORDED.iter().find(|(recorded, _)| *recorded == name) {
        return same(&after, &read(recorded));
    }
    // No change of these is recorded: what was there stays, but for what had to change.
    let mut rest = after.lines();
    for line in before.lines() {
        let line = match line {
            line if line.starts_with("current-context:") => {
                "current-context: arn:aws:eks:region:111222333444:cluster/ExampleCluster"
            }
            "contexts: null" => "contexts:",
            line => line,
        };
        if !rest.any(|other| other == line) {
            return Err(format!("the line {line:?} is gone from\n{after}").into());
        }
    }
    let again = Machine::new(Some(&after));
    again.update()?;
    same(&again.text(), &after)
}

fn same(is: &str, wanted: &str) -> Result<(), Failed> {
    if is == wanted { Ok(()) } else { Err(format!("it is\n{is}\nand not\n{wanted}").into()) }
}

fn folder() -> PathBuf {
    rolecall_kit::conformance("kubeconfig")
}

fn read(name: &str) -> String {
    let bytes = Fs::real().read(&folder().join(name), 1 << 20);
    String::from_utf8(bytes.unwrap_or_else(|error| panic!("{name}: {error}")).to_vec())
        .unwrap_or_else(|_| panic!("{name} is not UTF-8"))
}

/// A machine with a kubeconfig, and an EKS that knows one cluster.
struct Machine {
    context: Context,
    _folder: tempfile::TempDir,
}

impl Machine {
    fn new(kubeconfig: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let fs = Fs::rooted(folder.path());
        let env = Env::from_pairs([
            ("HOME", "/home"),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI"),
            ("AWS_REGION", "us-west-2"),
        ]);
        let context = Context { env, fs, http: Arc::new(Eks), ..Context::fake() };
        if let Some(text) = kubeconfig {
            context.fs.create_folder(Path::new("/home/.kube")).expect("a folder");
            context.fs.write(Path::new(PLACE), text.as_bytes()).expect("a file");
        }
        Self { context, _folder: folder }
    }

    fn update(&self) -> Result<(), CredentialsError> {
        let wanted =
            UpdateKubeconfig { name: "ExampleCluster".to_owned(), ..UpdateKubeconfig::default() };
        let options =
            SessionOptions { context: Some(self.context.clone()), ..SessionOptions::default() };
        let update: KubeconfigUpdate = block_on(wanted.plan(options))??;
        block_on(update.write())?.map(drop)
    }

    fn text(&self) -> String {
        let bytes = self.context.fs.read(Path::new(PLACE), 1 << 20).expect("the file is there");
        String::from_utf8(bytes.to_vec()).expect("it is UTF-8")
    }
}

/// The cluster that the files speak of.
#[derive(Debug)]
struct Eks;

#[async_trait]
impl HttpClient for Eks {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        assert_eq!(request.uri(), "https://eks.us-west-2.amazonaws.com/clusters/ExampleCluster");
        let output = read("output_single");
        let data = output.lines().find_map(|line| line.split_once("authority-data: "));
        let cluster = json!({"cluster": {
            "arn": "arn:aws:eks:region:111222333444:cluster/ExampleCluster",
            "status": "ACTIVE",
            "endpoint": "https://endpoint.amazonaws.com",
            "certificateAuthority": {"data": data.map(|(_, data)| data)},
        }});
        Ok(Response::new(cluster.to_string().into_bytes().into()))
    }
}
