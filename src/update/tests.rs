use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rolecall_core::{Clock, Env, Fs, Process, ProcessOutput, timestamp};

use super::*;

const CREDENTIALS: &str = "/home/.aws/credentials";

struct Machine {
    _folder: tempfile::TempDir,
    context: Context,
    /// How often the source was asked.
    asked: Arc<AtomicUsize>,
    /// When something was written, in seconds since the start.
    written: Mutex<Vec<u64>>,
}

/// What the source answers: `Err` is its exit code; else key id, token and seconds.
type Answer = std::result::Result<(&'static str, &'static str, Option<u64>), u8>;

impl Machine {
    /// A machine whose profile `source` is a program that gives one answer after the other, the
    /// last one again and again.
    fn new(answers: &[Answer]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fs = Fs::rooted(folder.path());
        fs.create_folder(Path::new("/home/.aws")).unwrap();
        let config = "[profile source]\ncredential_process = p\n";
        fs.write(Path::new("/home/.aws/config"), config.as_bytes()).unwrap();
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        let clock = Clock::manual(start);
        let asked = Arc::new(AtomicUsize::new(0));
        let process = {
            let (asked, clock, answers) = (asked.clone(), clock.clone(), answers.to_vec());
            Process::fake(move |_| {
                let number = asked.fetch_add(1, Ordering::SeqCst);
                let answer = answers.get(number).or(answers.last()).copied().unwrap();
                let stdout = answer.map_or(String::new(), |(key, token, seconds)| {
                    let end = seconds.map(|s| {
                        let end = timestamp::format(clock.now() + Duration::from_secs(s));
                        format!(", \"Expiration\": \"{end}\"")
                    });
                    let token = match token {
                        "none" => String::new(),
                        token => format!(", \"SessionToken\": \"{token}\""),
                    };
                    format!(
                        "{{\"Version\": 1, \"AccessKeyId\": \"{key}\", \"SecretAccessKey\": \
                         \"s\"{token}{}}}",
                        end.unwrap_or_default()
                    )
                });
                Ok(ProcessOutput {
                    status: "exit status".to_owned(),
                    success: answer.is_ok(),
                    stdout: zeroize::Zeroizing::new(stdout.into_bytes()),
                })
            })
        };
        let context = Context {
            env: Env::from_pairs([("HOME", "/home")]),
            fs,
            process,
            clock,
            ..Context::fake()
        };
        Self { _folder: folder, context, asked, written: Mutex::default() }
    }

    fn updater(&self, target: &str) -> Result<Updater> {
        let source = SessionOptions {
            profile: Some("source".to_owned()),
            context: Some(self.context.clone()),
            ..SessionOptions::default()
        };
        Updater::new(target, source)
    }

    fn write(&self, text: &str) {
        self.context.fs.write(Path::new(CREDENTIALS), text.as_bytes()).unwrap();
    }

    fn read(&self) -> String {
        let bytes = self.context.fs.read(Path::new(CREDENTIALS), 1 << 20).unwrap_or_default();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// Runs until `asks` answers were taken; gives what was reported.
    fn run(&self, asks: usize) -> (Result<()>, Vec<String>) {
        let reports = Mutex::new(Vec::new());
        let updater = self.updater("default").unwrap();
        let start = self.context.clock.now();
        let report = |update: Update<'_>| {
            let text = match update {
                Update::Written { credentials, next } => {
                    let ends = credentials.expires_at();
                    // Neither too late nor without an end.
                    assert!(next.is_none() == ends.is_none() && next <= ends);
                    let passed = self.context.clock.now().duration_since(start).unwrap();
                    self.written.lock().unwrap().push(passed.as_secs());
                    credentials.access_key_id().to_owned()
                }
                Update::Failed { error, .. } => format!("{:?}", error.kind()),
            };
            reports.lock().unwrap().push(text);
        };
        let stop = async {
            while self.asked.load(Ordering::SeqCst) < asks {
                tokio::task::yield_now().await;
            }
            // Once more, so that what was given is written.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        };
        let done = crate::block_on(updater.run_until(stop, report)).unwrap();
        (done, reports.into_inner().unwrap())
    }
}

fn section(key: &str, token: &str) -> String {
    format!("aws_access_key_id = {key}\naws_secret_access_key = s\naws_session_token = {token}\n")
}

#[test]
fn the_keys_are_written_and_everything_else_is_kept() {
    for (before, after) in [
        (String::new(), format!("[default]\n{}", section("K", "t"))),
        (
            "# mine\n[a]\nk = v\n\n[default]\nregion = r".to_owned(),
            format!("# mine\n[a]\nk = v\n\n[default]\nregion = r\n{}", section("K", "t")),
        ),
        (
            format!("[default]\n{}[last]\r\nk = v", section("OLD", "old")),
            format!("[default]\n{}[last]\r\nk = v", section("K", "t")),
        ),
        (
            "[default]\naws_security_token = old\naws_session_token=old # c\n".to_owned(),
            "[default]\naws_session_token = t # c\naws_access_key_id = K\n\
             aws_secret_access_key = s\n"
                .to_owned(),
        ),
    ] {
        let machine = Machine::new(&[Ok(("K", "t", Some(3600)))]);
        machine.write(&before);
        let written = crate::block_on(machine.updater("default").unwrap().once()).unwrap();
        assert_eq!(written.unwrap().access_key_id(), "K");
        assert_eq!(machine.read(), after);
    }
}

#[test]
fn a_failed_refresh_leaves_the_file_alone() {
    let old = format!("[default]\n{}", section("OLD", "old"));
    let answers: [Answer; 4] =
        [Err(1), Ok(("", "t", Some(60))), Ok(("K", "", Some(60))), Ok(("K", "t", Some(0)))];
    for answer in answers {
        let machine = Machine::new(&[answer]);
        machine.write(&old);
        let once = crate::block_on(machine.updater("default").unwrap().once()).unwrap();
        // A token that is empty is none at all: such credentials are whole.
        if once.is_ok() {
            assert_eq!(answer, Ok(("K", "", Some(60))));
            assert!(!machine.read().contains("token"));
        } else {
            assert_eq!(machine.read(), old, "{answer:?}");
        }
    }
}

#[test]
fn credentials_are_replaced_shortly_before_their_end() {
    let hour = |key| Ok((key, "t", Some(3600)));
    let machine = Machine::new(&[hour("K1"), hour("K2"), hour("K3")]);
    let (done, reports) = machine.run(3);
    done.unwrap();
    assert_eq!(reports[..3], ["K1", "K2", "K3"]);
    assert!(machine.read().contains("K3"));
    let written = machine.written.lock().unwrap();
    for (one, next) in written.iter().zip(&written[1..3]) {
        // Each has 9 to 14 minutes left when it is replaced.
        let lived = (next - one) / 60;
        assert!((46..=51).contains(&lived), "{written:?}");
    }
    assert!(machine.context.clock.sleeps().iter().all(|s| *s <= LONGEST_SLEEP));
}

#[test]
fn a_short_session_is_used_and_not_replaced_at_once() {
    let short = |key| Ok((key, "t", Some(900)));
    let machine = Machine::new(&[short("K1"), short("K2")]);
    machine.run(2).0.unwrap();
    let written = machine.written.lock().unwrap();
    assert!((690..830).contains(&written[1]), "{written:?}");
}

#[test]
fn what_fails_is_tried_again_with_pauses_that_grow() {
    let mut answers: Vec<Answer> = vec![Ok(("K1", "t", Some(900)))];
    answers.extend([Err(1); 30]);
    answers.push(Ok(("K2", "t", Some(900))));
    let machine = Machine::new(&answers);
    let (done, reports) = machine.run(32);
    done.unwrap();
    assert_eq!(reports.first().unwrap(), "K1");
    assert!(reports.iter().any(|report| report == "K2"), "{reports:?}");
    let failed = reports.iter().filter(|report| !report.starts_with('K')).count();
    // While the old are good the session answers with them, and nothing has failed yet.
    assert!((1..31).contains(&failed), "{reports:?}");
    assert!(machine.read().contains("K2"));
    let sleeps = machine.context.clock.sleeps();
    assert!(sleeps.iter().any(|s| *s < Duration::from_secs(2)), "{sleeps:?}");
}

#[test]
fn a_first_failure_that_will_not_pass_ends_it() {
    let machine = Machine::new(&[Ok(("K", "t", Some(0)))]);
    let (done, reports) = machine.run(10);
    assert_eq!(done.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!((reports.len(), machine.read().as_str()), (0, ""));
    // One that may pass does not.
    let machine = Machine::new(&[Err(1), Err(1), Ok(("K", "t", Some(3600)))]);
    let (done, reports) = machine.run(3);
    done.unwrap();
    assert_eq!(reports[..3], ["Unavailable", "Unavailable", "K"]);
}

#[test]
fn credentials_that_do_not_end_are_written_once() {
    let machine = Machine::new(&[Ok(("K", "t", None))]);
    let (done, reports) = machine.run(10);
    done.unwrap();
    assert_eq!(reports, ["K"]);
}

#[test]
fn a_file_that_cannot_be_written_ends_the_first_try() {
    let machine = Machine::new(&[Ok(("K", "t", Some(3600)))]);
    let old = "[default]\naws_session_token =\n a = b\n";
    machine.write(old);
    let (done, _) = machine.run(10);
    assert_eq!(done.unwrap_err().kind(), ErrorKind::InvalidConfiguration);
    assert_eq!(machine.read(), old);
}

#[test]
fn a_section_is_not_refreshed_from_itself() {
    let machine = Machine::new(&[Err(1)]);
    machine.write(&format!("[source]\n{}[default]\n{0}", section("K", "t")));
    let config = Path::new("/home/.aws/config");
    machine.context.fs.write(config, b"").unwrap();
    let keys_of_a_user = "[source]\naws_access_key_id = AKIA\naws_secret_access_key = s\n";
    let beside_an_old_token = format!("{keys_of_a_user}aws_session_token = old\n");
    let session = format!("[source]\n{}", section("K", "t"));
    for text in [keys_of_a_user, &beside_an_old_token, &session] {
        machine.write(text);
        let error = machine.updater("source").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.message().contains("would be overwritten"), "{error}");
        assert!(error.help().unwrap().contains("--from"), "{error}");
        assert_eq!(machine.read(), text);
        assert!(machine.updater("default").is_ok());
    }
    assert!(machine.updater("a b").is_err());
    // Something else that is wrong is told as what it is.
    machine.write(&format!("[default]\n{}", section("K", "t")));
    let error = machine.updater("default").unwrap_err();
    assert!(error.to_string().contains("profile source: there is no such"), "{error}");
}

/// The source of an update of `target`, and why the profile was passed over.
fn source_of(machine: &Machine, target: &str, from: Option<&str>) -> (Source, Option<String>) {
    let source = SessionOptions {
        profile: from.map(str::to_owned),
        context: Some(machine.context.clone()),
        ..SessionOptions::default()
    };
    let updater = Updater::new(target, source).unwrap();
    let plan = updater.session.plan();
    let profile = plan.passed_over.iter().find(|link| link.name == "profile");
    (plan.source.clone(), profile.map(|link| link.reason.clone()))
}

#[test]
fn what_was_written_is_not_the_source_of_the_next_run() {
    let hop = "role_arn = arn:aws:iam::123456789012:role/r\n";
    for (target, from, config) in [
        ("default", None, String::new()),
        ("default", None, "[default]\nregion = r\n".to_owned()),
        ("default", None, "[default]\ncredential_process = p\n".to_owned()),
        ("default", None, format!("[default]\n{hop}credential_source = Ec2InstanceMetadata\n")),
        // The target lies on the way to the source.
        (
            "middle",
            Some("far"),
            format!(
                "[profile far]\n{hop}source_profile = middle\n\
                 [profile middle]\n{hop}credential_source = Ec2InstanceMetadata\n"
            ),
        ),
    ] {
        let mut machine = Machine::new(&[Err(1)]);
        machine.context.env =
            Env::from_pairs([("HOME", "/home"), ("AWS_REGION", "eu-west-1"), ("AWS_PROFILE", "")]);
        let path = Path::new("/home/.aws/config");
        machine.context.fs.write(path, config.as_bytes()).unwrap();
        let (first, _) = source_of(&machine, target, from);
        for _ in 0..2 {
            machine.write(&format!("# mine\n[{target}]\n{}", section("ASIA", "t")));
            let (next, reason) = source_of(&machine, target, from);
            assert_eq!(next, first, "{config}");
            // It is said where the profile has nothing else.
            let is_told = reason.is_some_and(|reason| reason.contains("credentials:3) are to be"));
            assert_eq!(is_told, config.is_empty() || config.contains("region"), "{config}");
        }
    }
}

#[test]
fn another_profiles_session_keys_are_a_source_like_any() {
    let machine = Machine::new(&[Err(1)]);
    machine.write(&format!("[other]\n{}", section("ASIA", "t")));
    let (source, _) = source_of(&machine, "default", Some("other"));
    assert!(matches!(source, Source::StaticKeys { profile, .. } if profile == "other"));
}

#[test]
fn long_lived_keys_are_replaced_only_where_that_is_wanted() {
    let user = "aws_access_key_id = AKIA1\naws_secret_access_key = s\n";
    for (keys, is_lost) in [
        (user.to_owned(), true),
        (format!("{user}aws_session_token = old\n"), true),
        ("aws_access_key_id = ID\naws_secret_access_key = s\n".to_owned(), true),
        (section("ASIA1", "t"), false),
        (
            "aws_access_key_id = ID\naws_secret_access_key = s\naws_security_token = t\n"
                .to_owned(),
            false,
        ),
        ("aws_access_key_id = AKIA1\n".to_owned(), false),
    ] {
        let machine = Machine::new(&[Ok(("K", "t", Some(3600)))]);
        let text = format!("[default]\n{keys}");
        machine.write(&text);
        let mut updater = machine.updater("default").unwrap();
        let once = crate::block_on(updater.once()).unwrap();
        assert_eq!(once.is_err(), is_lost, "{keys}");
        if let Err(error) = once {
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.message().contains("long-lived keys"), "{error}");
            assert!(error.help().unwrap().contains("--profile default"), "{error}");
            assert_eq!(machine.read(), text);
        }
        updater.replaces_long_lived_keys = true;
        crate::block_on(updater.once()).unwrap().unwrap();
        assert!(machine.read().contains("aws_access_key_id = K\n"));
    }
}

#[test]
fn what_it_wrote_itself_is_replaced_also_without_a_token() {
    let machine = Machine::new(&[Ok(("K1", "none", Some(900))), Ok(("K2", "none", Some(900)))]);
    let (done, reports) = machine.run(2);
    done.unwrap();
    assert_eq!(reports[..2], ["K1", "K2"]);
}

#[test]
fn files_that_are_pipes_are_read_once() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let keys = section("K", "t");
    std::io::Write::write_all(&mut writer, format!("[default]\n{keys}").as_bytes()).unwrap();
    drop(writer);
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
    let mut machine = Machine::new(&[Err(1)]);
    machine.context.fs = Fs::real();
    machine.context.env = Env::from_pairs([
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", path.as_str()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    let options = SessionOptions {
        profile: Some("default".to_owned()),
        context: Some(machine.context.clone()),
        ..SessionOptions::default()
    };
    let error = Updater::new("default", options).unwrap_err();
    assert!(error.message().contains("would be overwritten"), "{error}");
}

#[test]
fn session_keys_of_a_file_are_looked_at_every_minute() {
    let machine = Machine::new(&[Err(1)]);
    let other = |key| format!("[other]\n{}", section(key, "t"));
    machine.write(&other("ASIA1"));
    let options = SessionOptions {
        profile: Some("other".to_owned()),
        context: Some(machine.context.clone()),
        ..SessionOptions::default()
    };
    let updater = Updater::new("default", options).unwrap();
    let mut seen = Vec::new();
    let stopped = Mutex::new(false);
    let report = |update: Update<'_>| {
        let Update::Written { credentials, next } = update else { panic!("{update:?}") };
        assert_eq!(next, Some(machine.context.clock.now() + KEYS_REREAD_AFTER));
        seen.push(credentials.access_key_id().to_owned());
        match seen.len() {
            1 => machine.write(&other("ASIA2")),
            _ => *stopped.lock().unwrap() = true,
        }
    };
    let stop = async {
        while !*stopped.lock().unwrap() {
            tokio::task::yield_now().await;
        }
    };
    crate::block_on(updater.run_until(stop, report)).unwrap().unwrap();
    assert_eq!(seen, ["ASIA1", "ASIA2"]);
    assert!(machine.read().contains("[default]\naws_access_key_id = ASIA2\n"));
}

/// A certificate whose key refuses its PIN after the first signature.
#[cfg(feature = "roles-anywhere")]
mod key {
    use rolecall_core::http::{WebClient, WebSettings};
    use rolecall_kit::rolesanywhere::NewCertificate;
    use rolecall_kit::{Kit, World, names};
    use rolecall_rolesanywhere::{
        Certificate, Digest, Identity, IdentityReader, IdentitySource, KeyKind, RolesAnywhere,
        SharedSigner, Signer,
    };

    use super::*;
    use crate::RolesAnywhereOptions;

    #[derive(Debug)]
    struct Locking {
        key: SharedSigner,
        signed: AtomicUsize,
    }

    #[async_trait::async_trait]
    impl Signer for Locking {
        fn kind(&self) -> KeyKind {
            self.key.kind()
        }

        fn public_key(&self) -> &[u8] {
            self.key.public_key()
        }

        async fn sign(&self, digest: Digest, message: &[u8]) -> Result<Vec<u8>> {
            match self.signed.fetch_add(1, Ordering::SeqCst) {
                0 => self.key.sign(digest, message).await,
                _ => Err(CredentialsError::new(ErrorKind::Denied, "private key", "a wrong PIN")),
            }
        }
    }

    #[test]
    fn a_key_that_refuses_its_pin_ends_it() {
        let kit = Kit::start(World::default());
        let mut machine = Machine::new(&[Err(1)]);
        machine.context.http = Arc::new(WebClient::new(WebSettings::default(), Fs::real()));
        let now = machine.context.clock.now();
        kit.freeze(now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().cast_signed());
        let issued = kit.issue(&NewCertificate::default());
        let pair = issued.certificate + issued.private_key.unwrap().expose();
        let source = IdentitySource {
            certificate: Some(IdentitySource::locate(&pair)),
            ..IdentitySource::default()
        };
        let reader = IdentityReader::new(machine.context.clone(), source);
        let read = crate::block_on(reader.identity()).unwrap().unwrap();
        let leaf = Certificate::from_der(read.leaf().der()).unwrap();
        let key = Locking { key: read.signer().clone(), signed: AtomicUsize::new(0) };
        let options = RolesAnywhereOptions {
            request: RolesAnywhere {
                trust_anchor_arn: names::TRUST_ANCHOR.to_owned(),
                profile_arn: names::PROFILE.to_owned(),
                role_arn: names::WORKLOAD.to_owned(),
                ..RolesAnywhere::default()
            },
            identity: Identity::new(Arc::new(key), vec![leaf], now).unwrap().into(),
            endpoint_url: Some(kit.url().to_string()),
            ..RolesAnywhereOptions::default()
        };
        let source = SessionOptions {
            roles_anywhere: Some(options),
            context: Some(machine.context.clone()),
            ..SessionOptions::default()
        };
        let updater = Updater::new("default", source).unwrap();
        let mut written = 0;
        let report = |update: Update<'_>| match update {
            Update::Written { .. } => written += 1,
            // It would go on for ever.
            Update::Failed { error, .. } => panic!("{error}"),
        };
        let done = crate::block_on(updater.run_until(std::future::pending(), report)).unwrap();
        let error = done.unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Denied, "a wrong PIN"));
        assert!(written >= 1);
        assert!(machine.read().contains("aws_session_token"));
    }
}
