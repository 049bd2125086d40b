use std::path::Path;
use std::sync::{Arc, Mutex};

use rolecall_core::{Env, Fs, Prompt};

use super::*;

struct Machine {
    _folder: tempfile::TempDir,
    context: Context,
}

impl Machine {
    fn new(config: &str, credentials: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let context = Context {
            fs: Fs::rooted(folder.path()),
            env: Env::from_pairs([("HOME", "/home")]),
            ..Context::fake()
        };
        context.fs.create_folder(Path::new("/home/.aws")).unwrap();
        for (name, text) in [("config", config), ("credentials", credentials)] {
            if !text.is_empty() {
                context.fs.write(&Path::new("/home/.aws").join(name), text.as_bytes()).unwrap();
            }
        }
        Self { _folder: folder, context }
    }

    fn settings(&self, profile: Option<&str>) -> Settings {
        Settings::new(self.context.clone(), profile.map(str::to_owned))
    }

    /// Both files; empty if there is none.
    fn files(&self) -> [String; 2] {
        ["config", "credentials"].map(|name| {
            let bytes = self.context.fs.read(&Path::new("/home/.aws").join(name), 1 << 20);
            bytes.map(|b| String::from_utf8(b.to_vec()).unwrap()).unwrap_or_default()
        })
    }

    /// Answers the questions of `configure`, and gives them.
    fn ask(&mut self, profile: &str, answers: &[&str]) -> (Vec<String>, Result<Vec<Warning>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<String> = answers.iter().map(|a| (*a).to_owned()).collect();
        let log = asked.clone();
        self.context.prompt = Prompt::from_fn(move |question| {
            let mut asked = log.lock().unwrap();
            asked.push(question.to_owned());
            Ok(answers[asked.len() - 1].as_str().into())
        });
        let done = crate::block_on(self.settings(Some(profile)).ask()).unwrap();
        let asked = asked.lock().unwrap().clone();
        (asked, done)
    }
}

const CONFIG: &str = "[default]\nregion = d\n[profile dev]\nregion = r # c\nempty =\ns3 =\n  a = 1\n\
                      [plugins]\nfoo = bar\n";

#[test]
fn names_are_read_as_aws_cli_reads_them() {
    let machine = Machine::new(CONFIG, "[dev]\naws_access_key_id = AKID\n[only]\nk = v\n");
    let value = |text: &str| Some(Setting::Value(text.into()));
    for (profile, path, expected) in [
        (None, "region", value("d")),
        (Some("dev"), "region", value("r")),
        (Some("dev"), "REGION", None),
        (Some("dev"), "aws_access_key_id", value("AKID")),
        (Some("dev"), "empty", value("")),
        (Some("dev"), "s3", Some(Setting::Group)),
        (Some("dev"), "s3.a", value("1")),
        (Some("dev"), "s3.b", None),
        (Some("dev"), "default.region", value("d")),
        (None, "s3.a", None),
        (None, "dev.region", value("r")),
        (None, "dev.s3.a", value("1")),
        (None, "profile.dev.s3", Some(Setting::Group)),
        (None, "profile.dev.s3.a", value("1")),
        (None, "profile.nobody.region", None),
        (Some("nobody"), "profile.dev.region", value("r")),
        (None, "plugins.foo", value("bar")),
        (None, "only.k", value("v")),
    ] {
        let found = machine.settings(profile).get(&path.parse().unwrap()).unwrap();
        assert_eq!(found, expected, "{path} of {profile:?}");
    }
    let missing = machine.settings(Some("nobody")).get(&"region".parse().unwrap()).unwrap_err();
    assert!(missing.to_string().contains("profile nobody: there is no such profile"));
    for path in ["", ".", "profile.x", "default.", "a..b"] {
        assert!(path.parse::<SettingPath>().is_err(), "{path}");
    }
    assert!(machine.settings(None).get(&"dev.a.b.c".parse().unwrap()).is_err());
}

#[test]
fn names_are_written_as_aws_cli_writes_them() {
    for (profile, path, expected) in [
        (None, "region", ["[default]\nregion = v\n", ""]),
        (Some("p"), "region", ["[profile p]\nregion = v\n", ""]),
        (Some("p"), "default.region", ["[default]\nregion = v\n", ""]),
        (Some("p"), "s3.a", ["[profile p]\ns3 =\n    a = v\n", ""]),
        (None, "profile.p.s3.a", ["[profile p]\ns3 =\n    a = v\n", ""]),
        (None, "profile.p.aws_session_token", ["", "[p]\naws_session_token = v\n"]),
        (None, "plugins.foo", ["[plugins]\nfoo = v\n", ""]),
    ] {
        let machine = Machine::new("", "");
        let assignment = Assignment::new(path.parse().unwrap(), "v");
        let set = machine.settings(profile);
        crate::block_on(set.set(&[assignment])).unwrap().unwrap();
        assert_eq!(machine.files(), expected, "{path} of {profile:?}");
    }
}

#[test]
fn what_is_the_name_of_no_region_is_set_and_told() {
    for (path, value, is_told) in [
        ("region", "eu-west-1", false),
        ("region", "mx-nowhere-12", false),
        ("region", "us-gov-west-1", false),
        ("region", "fips-us-east-1", false),
        ("region", "aws-global", false),
        ("region", "", false),
        ("s3.region", "frankfurt", false),
        ("output", "frankfurt", false),
        ("region", "frankfurt", true),
        ("profile.p.region", "eu-west", true),
        ("sso_region", "eu_west_1", true),
        ("region", "US-EAST-1", true),
    ] {
        let machine = Machine::new("", "");
        let assignment = Assignment::new(path.parse().unwrap(), value);
        let warnings = crate::block_on(machine.settings(None).set(&[assignment])).unwrap().unwrap();
        let told = warnings.iter().filter(|w| w.message.contains("no region of AWS")).count();
        assert_eq!(told, usize::from(is_told), "{path} {value}: {warnings:?}");
        assert!(machine.files()[0].contains(value), "{path} {value}");
    }
}

#[test]
fn all_assignments_are_made_or_none() {
    let mut machine = Machine::new("", "");
    machine.context.env = Env::from_pairs([("HOME", "/home"), ("KEY", "hunter2"), ("BAD", "a\nb")]);
    let set = |texts: &[&str]| {
        let assignments: Result<Vec<_>> = texts.iter().map(|t| Assignment::parse(t)).collect();
        crate::block_on(machine.settings(None).set(&assignments?)).unwrap()
    };
    let good = "aws_secret_access_key=env:KEY";
    for bad in ["region", "region=a # b", "a b=c", "aws_session_token=env:BAD", "a.b.c=d"] {
        let error = set(&[good, bad]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert_eq!(machine.files(), ["", ""]);
    }
    set(&[good, "region=env:KEY", "output="]).unwrap();
    let [config, credentials] = machine.files();
    assert_eq!(config, "[default]\nregion = env:KEY\noutput = \n");
    assert_eq!(credentials, "[default]\naws_secret_access_key = hunter2\n");
}

#[test]
fn a_secret_in_the_open_is_told_from_one_that_is_read() {
    let exposed = |text| Assignment::parse(text).unwrap().exposed().map(ToString::to_string);
    assert_eq!(exposed("aws_session_token=x").as_deref(), Some("aws_session_token"));
    assert_eq!(exposed("aws_session_token=-"), None);
    assert_eq!(exposed("region=x"), None);
    assert!(!format!("{:?}", Assignment::parse("aws_session_token=hunter2")).contains("hunter2"));
}

#[test]
fn a_setting_that_the_credentials_file_hides_is_pointed_out() {
    let machine = Machine::new("", "[default]\nregion = old\n");
    let assignment = [Assignment::parse("region=new").unwrap()];
    let warnings = crate::block_on(machine.settings(None).set(&assignment)).unwrap().unwrap();
    assert_eq!(warnings.len(), 1);
    let text = warnings[0].to_string();
    assert!(text.starts_with("/home/.aws/credentials:2: region is set here too"), "{text}");
}

#[test]
fn questions_and_files_are_aws_clis() {
    let mut machine = Machine::new("", "");
    let (asked, done) = machine.ask("p", &["AKIDWXYZ", "hunter2WXYZ", "eu-west-1", "json"]);
    assert_eq!(done.unwrap(), []);
    assert_eq!(
        asked,
        [
            "AWS Access Key ID [None]: ",
            "AWS Secret Access Key [None]: ",
            "Default region name [None]: ",
            "Default output format [None]: ",
        ]
    );
    let keys = "[p]\naws_access_key_id = AKIDWXYZ\naws_secret_access_key = hunter2WXYZ\n";
    let config = "[profile p]\nregion = eu-west-1\noutput = json\n";
    assert_eq!(machine.files(), [config, keys]);

    let (asked, done) = machine.ask("p", &["", "", "eu-west-1", ""]);
    assert_eq!(done.unwrap(), []);
    assert_eq!(asked[0], "AWS Access Key ID [****************WXYZ]: ");
    assert_eq!(asked[1], "AWS Secret Access Key [****************WXYZ]: ");
    assert_eq!(asked[2..], ["Default region name [eu-west-1]: ", "Default output format [json]: "]);
    assert_eq!(machine.files(), [config, keys]);
}

#[test]
fn a_session_token_is_asked_for_where_it_is_needed() {
    let mut machine = Machine::new("", "");
    let (asked, done) = machine.ask("default", &["ASIA1", "s", "t", "", ""]);
    assert_eq!(done.unwrap(), []);
    assert_eq!(asked[2], "AWS Session Token [None]: ");
    let keys = "[default]\naws_access_key_id = ASIA1\naws_secret_access_key = s\n\
                aws_session_token = t\n";
    assert_eq!(machine.files(), ["[default]\n", keys]);

    let (asked, done) = machine.ask("default", &["AKIA1", "", "", "", ""]);
    assert_eq!(asked[2], "AWS Session Token [****************t]: ");
    let warnings = done.unwrap();
    assert!(warnings[0].to_string().contains("credentials:4: the session token was kept"));
    // What it says to run takes it away, whichever profile is the usual one.
    let hint = "`rolecall configure set --profile default aws_session_token \"\"`";
    assert!(warnings[0].to_string().contains(hint), "{warnings:?}");

    let (asked, done) = machine.ask("default", &["ASIA2", "", "u", "", ""]);
    assert_eq!((asked.len(), done.unwrap()), (5, vec![]));
    assert!(machine.files()[1].contains("aws_session_token = u\n"));
}

#[test]
fn without_a_terminal_nothing_is_written_and_the_help_says_what_to_do() {
    let machine = Machine::new("", "");
    let error = crate::block_on(machine.settings(None).ask()).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.help().unwrap().contains("--set KEY=VALUE"), "{error}");
    assert_eq!(machine.files(), ["", ""]);
}

#[test]
fn an_answer_that_no_file_can_hold_changes_nothing() {
    let mut machine = Machine::new("", "");
    let (_, done) = machine.ask("p", &["AKID", "hunter2 # mine", "", ""]);
    let error = done.unwrap_err();
    assert!(error.to_string().contains("AWS Secret Access Key"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert_eq!(machine.files(), ["", ""]);
}
