use super::*;
use crate::{Env, Fs};

struct Machine {
    folder: tempfile::TempDir,
    context: Context,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let context = Context {
            fs: Fs::rooted(folder.path()),
            env: Env::from_pairs([("HOME", "/home")]),
            ..Context::fake()
        };
        Self { folder, context }
    }

    fn write(&self, name: &str, text: &str) {
        self.context.fs.create_folder(Path::new("/home/.aws")).unwrap();
        self.context.fs.write(&Path::new("/home/.aws").join(name), text.as_bytes()).unwrap();
    }

    fn read(&self, name: &str) -> String {
        let bytes = self.context.fs.read(&Path::new("/home/.aws").join(name), 1 << 20);
        String::from_utf8(bytes.unwrap().to_vec()).unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own files")]
    fn mode(&self, path: &str) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        self.folder.path().join(path).metadata().unwrap().permissions().mode() & 0o777
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own files")]
    fn chmod(&self, path: &str, mode: u32) {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(self.folder.path().join(path), mode).unwrap();
    }
}

fn set(file: FileKind, key: &str, value: &str) -> Edit {
    let section = SectionName::profile("x").unwrap();
    let change = Change::Set(key.parse().unwrap(), SettingValue::new(value.into()).unwrap());
    Edit { file, section, change }
}

fn both() -> [Edit; 2] {
    [set(FileKind::Config, "region", "r"), set(FileKind::Credentials, "key", "k")]
}

#[tokio::test]
async fn what_is_missing_is_made_for_its_owner_alone() {
    let machine = Machine::new();
    edit_files(&machine.context, &both()).await.unwrap();
    assert_eq!(machine.read("config"), "[profile x]\nregion = r\n");
    assert_eq!(machine.read("credentials"), "[x]\nkey = k\n");
    let modes = ["home/.aws", "home/.aws/config", "home/.aws/credentials"];
    assert_eq!(modes.map(|path| machine.mode(path)), [0o700, 0o600, 0o600]);
}

#[tokio::test]
async fn the_config_file_keeps_its_permissions_and_the_credentials_file_gets_no_wider() {
    let machine = Machine::new();
    for name in ["config", "credentials"] {
        machine.write(name, "");
        machine.chmod(&format!("home/.aws/{name}"), 0o644);
    }
    edit_files(&machine.context, &both()).await.unwrap();
    let modes = ["home/.aws/config", "home/.aws/credentials"];
    assert_eq!(modes.map(|path| machine.mode(path)), [0o644, 0o600]);
}

#[tokio::test]
async fn a_file_that_is_right_already_is_not_written() {
    let machine = Machine::new();
    machine.write("config", "[profile x]\nregion=r # mine\n");
    machine.chmod("home/.aws/config", 0o444);
    edit_files(&machine.context, &[set(FileKind::Config, "region", "r")]).await.unwrap();
    let error = edit_files(&machine.context, &[set(FileKind::Config, "region", "s")]).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.to_string().contains("/home/.aws/config: it is read-only"), "{error}");
}

#[tokio::test]
async fn nothing_is_written_if_either_file_makes_no_sense() {
    let machine = Machine::new();
    machine.write("config", "[profile x]\nnonsense\n");
    let error = edit_files(&machine.context, &both()).await.unwrap_err();
    assert!(error.to_string().contains("config:2: "), "{error}");
    assert!(machine.context.fs.read(Path::new("/home/.aws/credentials"), 9).is_err());
}

#[tokio::test]
async fn a_death_at_any_call_leaves_old_files_or_new_ones() {
    let (old, new) = ("[profile x]\nregion = old\n", "[profile x]\nregion = r\n");
    let (old_keys, new_keys) = ("[x]\nkey = old\n", "[x]\nkey = k\n");
    for calls in 0.. {
        let machine = Machine::new();
        machine.write("config", old);
        machine.write("credentials", old_keys);
        let mut dying = machine.context.clone();
        dying.fs = machine.context.fs.clone().dying_after(calls);
        let edited = edit_files(&dying, &both()).await;
        let (config, keys) = (machine.read("config"), machine.read("credentials"));
        assert!([old, new].contains(&config.as_str()), "{config}");
        assert!([old_keys, new_keys].contains(&keys.as_str()), "{keys}");
        // The config file may name what is in the other: never the other way round.
        assert!((&*config, &*keys) != (new, old_keys), "after {calls} calls");
        if edited.is_ok() {
            assert_eq!((config.as_str(), keys.as_str()), (new, new_keys));
            assert!(calls > 10, "every step must go through the seam: {calls}");
            break;
        }
    }
}

#[tokio::test]
async fn one_call_that_fails_leaves_both_files_as_they_were() {
    let (old, new) = ("[profile x]\nregion = old\n", "[profile x]\nregion = r\n");
    let (old_keys, new_keys) = ("[x]\nkey = old\n", "[x]\nkey = k\n");
    let mut failed = 0;
    for calls in 0.. {
        let machine = Machine::new();
        machine.write("config", old);
        machine.write("credentials", old_keys);
        let mut failing = machine.context.clone();
        failing.fs = machine.context.fs.clone().failing_once_after(calls);
        let edited = edit_files(&failing, &both()).await;
        let (config, keys) = (machine.read("config"), machine.read("credentials"));
        match edited {
            Ok(()) => assert_eq!((&*config, &*keys), (new, new_keys), "call {calls}"),
            Err(error) => {
                failed += 1;
                assert_eq!((&*config, &*keys), (old, old_keys), "call {calls}: {error}");
                assert!(!error.to_string().contains("changed already"), "{error}");
            }
        }
        if !failing.fs.is_dead() {
            break;
        }
    }
    assert!(failed > 10, "every step must go through the seam: {failed}");
}

#[tokio::test]
async fn a_second_rename_that_fails_takes_the_first_back_also_behind_a_link() {
    for was_there in [true, false] {
        let mut failures = 0;
        for calls in 0.. {
            let machine = Machine::new();
            machine.write("config", "");
            let link = machine.folder.path().join("home/.aws/credentials");
            std::os::unix::fs::symlink("keys", &link).unwrap();
            let target = Path::new("/home/.aws/keys");
            if was_there {
                machine.context.fs.write(target, b"# mine").unwrap();
            }
            let mut failing = machine.context.clone();
            failing.fs = machine.context.fs.clone().failing_once_after(calls);
            let edited = edit_files(&failing, &both()).await;
            assert!(link.is_symlink(), "call {calls}: the link was removed");
            let keys = machine.context.fs.read(target, 99).ok();
            if edited.is_err() {
                let old: Option<&[u8]> = was_there.then_some(b"# mine");
                assert_eq!(keys.as_ref().map(|b| b.as_slice()), old, "call {calls}");
                assert_eq!(machine.read("config"), "", "call {calls}");
                failures += 1;
            }
            if !failing.fs.is_dead() {
                assert!(keys.is_some() && failures > 5, "{failures}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_regular_file_is_told_before_any_lock() {
    let mut machine = Machine::new();
    machine.context.fs = Fs::real();
    machine.context.env =
        Env::from_pairs([("HOME", "/none"), ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")]);
    let error = edit_files(&machine.context, &both()[1..]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.message().contains("/dev/null is not a regular file"), "{error}");
    assert!(!Path::new("/dev/.null.lock").exists());
}

#[tokio::test]
async fn a_lock_that_cannot_be_made_is_told_as_such() {
    let machine = Machine::new();
    machine.write("config", "");
    machine.context.fs.create_folder(Path::new("/home/.aws/.config.lock")).unwrap();
    let error = edit_files(&machine.context, &both()[..1]).await.unwrap_err();
    let says = "cannot lock /home/.aws/config with /home/.aws/.config.lock: ";
    assert!(error.message().starts_with(says), "{error}");
}

#[test]
fn each_reason_why_a_file_cannot_be_written_has_its_own_advice() {
    use io::ErrorKind as Io;
    for (reason, kind, advice) in [
        (Io::PermissionDenied, ErrorKind::InvalidConfiguration, "chmod u+w"),
        (Io::ReadOnlyFilesystem, ErrorKind::InvalidConfiguration, "chmod u+w"),
        (Io::ResourceBusy, ErrorKind::InvalidConfiguration, "a mount of its own"),
        (Io::StorageFull, ErrorKind::Internal, "make room on the disk"),
        (Io::QuotaExceeded, ErrorKind::Internal, "make room on the disk"),
        (Io::FileTooLarge, ErrorKind::Internal, "ulimit -f"),
    ] {
        let error = unwritable(Path::new("/file"), reason.into());
        assert_eq!((error.kind(), error.provider()), (kind, "profile files"), "{reason}");
        let help = error.help().unwrap();
        assert!(help.starts_with("nothing was changed; ") && help.contains(advice), "{help}");
    }
}

#[tokio::test]
async fn what_is_not_allowed_is_not_written_and_asked_about_what_is_there() {
    let machine = Machine::new();
    machine.write("credentials", "[x]\nkey = old\n");
    let key: SettingKey = "key".parse().unwrap();
    let section = SectionName::profile("x").unwrap();
    let refuse = |_: FileKind, document: &Document| {
        let old = document.get(&section, &key)?.unwrap();
        Err(refused(format!("there is {}", old.expose())))
    };
    let error = edit_files_if(&machine.context, &both()[1..], refuse).await.unwrap_err();
    assert_eq!(error.message(), "there is old");
    assert_eq!(machine.read("credentials"), "[x]\nkey = old\n");
    let same = [set(FileKind::Credentials, "key", "old")];
    edit_files_if(&machine.context, &same, refuse).await.unwrap();
}

#[tokio::test]
async fn a_lock_that_is_never_given_back_is_named_in_the_end() {
    let machine = Machine::new();
    for name in [".config.lock", ".credentials.lock"] {
        let path = Path::new("/home/.aws").join(name);
        let held = machine.context.fs.try_lock(&path).unwrap();
        let error = edit_files(&machine.context, &both()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains(name), "{error}");
        drop(held);
    }
    edit_files(&machine.context, &both()).await.unwrap();
    let names = machine.context.fs.list(Path::new("/home/.aws")).unwrap();
    assert_eq!(names, ["config", "credentials"]);
}

#[tokio::test]
async fn the_lock_is_the_files_own_whoever_s_home_it_is() {
    let machine = Machine::new();
    let real = Path::new("/shared/real");
    machine.context.fs.create_folder(Path::new("/shared")).unwrap();
    machine.context.fs.write(real, b"").unwrap();
    std::os::unix::fs::symlink("real", machine.folder.path().join("shared/link")).unwrap();
    let held = machine.context.fs.try_lock(Path::new("/shared/.real.lock")).unwrap();
    for (home, name) in [("/a", "/shared/real"), ("/b", "/shared/link")] {
        let mut other = machine.context.clone();
        other.env = Env::from_pairs([("HOME", home), ("AWS_SHARED_CREDENTIALS_FILE", name)]);
        let edit = [set(FileKind::Credentials, "key", home)];
        let error = edit_files(&other, &edit).await.unwrap_err();
        assert!(error.message().contains("/shared/.real.lock"), "{error}");
    }
    drop(held);
}

#[tokio::test]
async fn what_needs_no_change_needs_no_lock() {
    let machine = Machine::new();
    edit_files(&machine.context, &both()).await.unwrap();
    let _held = machine.context.fs.try_lock(Path::new("/home/.aws/.config.lock")).unwrap();
    edit_files(&machine.context, &both()).await.unwrap();
    assert!(machine.context.clock.sleeps().is_empty());
}

#[tokio::test]
async fn where_one_file_cannot_be_written_neither_is() {
    for (bad, good) in [("config", "credentials"), ("credentials", "config")] {
        let machine = Machine::new();
        machine.write(bad, "");
        machine.chmod(&format!("home/.aws/{bad}"), 0o444);
        let error = edit_files(&machine.context, &both()).await.unwrap_err();
        assert!(error.message().contains(&format!("/home/.aws/{bad}: ")), "{error}");
        assert!(error.help().unwrap().starts_with("nothing was changed"), "{error}");
        let names = machine.context.fs.list(Path::new("/home/.aws")).unwrap();
        assert_eq!(names, [bad], "{good} was made, or something left behind");
    }
}

#[test]
fn what_was_written_is_taken_back_or_told() {
    for old in [Some("old"), None] {
        let machine = Machine::new();
        let path = Path::new("/home/.aws/credentials");
        machine.write("credentials", "new");
        let written = [Changed {
            path,
            target: path.to_owned(),
            old: old.map(|old| old.as_bytes().to_vec().into()),
            new: Document::parse(FileKind::Credentials, path, b"").unwrap(),
            widest: 0o600,
        }];
        let mut dead = machine.context.clone();
        dead.fs = dead.fs.dying_after(0);
        let first = || unwritable(Path::new("/c"), io::ErrorKind::ResourceBusy.into());
        let told = take_back(&dead, &written, first());
        assert!(told.message().contains("credentials is changed already"), "{told}");
        assert!(!told.help().unwrap().contains("nothing was changed"), "{told}");
        assert_eq!(machine.read("credentials"), "new");
        let told = take_back(&machine.context, &written, first());
        assert!(told.help().unwrap().contains("nothing was changed"), "{told}");
        let bytes = machine.context.fs.read(path, 9).ok();
        assert_eq!(bytes.as_ref().map(|b| b.as_slice()), old.map(str::as_bytes));
    }
}

#[tokio::test]
async fn one_file_is_not_both() {
    let mut machine = Machine::new();
    machine.context.env =
        Env::from_pairs([("AWS_CONFIG_FILE", "/one"), ("AWS_SHARED_CREDENTIALS_FILE", "/one")]);
    let error = edit_files(&machine.context, &both()).await.unwrap_err();
    assert!(error.message().contains("/one is the config and"), "{error}");
    edit_files(&machine.context, &both()[..1]).await.unwrap();
}

#[tokio::test]
async fn files_that_are_named_need_no_home() {
    let mut machine = Machine::new();
    machine.context.env = Env::from_pairs([
        ("AWS_CONFIG_FILE", "/other/a"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/other/b"),
    ]);
    edit_files(&machine.context, &both()).await.unwrap();
    assert_eq!(machine.mode("other"), 0o700);
    assert_eq!(machine.mode("other/b"), 0o600);
}
