use std::os::unix::fs::{PermissionsExt, symlink};

use rolecall_core::{Env, Fs};

use super::*;

const CLUSTER: &str = "arn:aws:eks:eu-west-1:111111111111:cluster/prod";

struct Machine {
    folder: tempfile::TempDir,
    context: Context,
}

impl Machine {
    fn new(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let variables = [("HOME", "/home")].iter().chain(variables).copied();
        let context = Context {
            env: Env::from_pairs(variables),
            fs: Fs::rooted(folder.path()),
            ..Context::fake()
        };
        Self { folder, context }
    }

    fn put(&self, path: &str, text: &str) {
        let path = Path::new(path);
        self.context.fs.create_folder(path.parent().unwrap()).unwrap();
        self.context.fs.write(path, text.as_bytes()).unwrap();
    }

    fn text(&self, path: &str) -> String {
        let bytes = self.context.fs.read(Path::new(path), LARGEST).unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own files")]
    fn mode(&self, path: &str) -> u32 {
        self.folder.path().join(path).metadata().unwrap().permissions().mode() & 0o777
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own files")]
    fn set_mode(&self, path: &str, mode: u32) {
        let path = self.folder.path().join(path);
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(path, permissions).unwrap();
    }

    fn choose(&self) -> Result<Chosen> {
        Kubeconfigs::of(&self.context, None)?.choose(CLUSTER, "prod")
    }

    async fn write(&self, path: &str) -> Result<bool> {
        write(&self.context, Path::new(path), &entries()).await
    }

    fn names(&self, folder: &str) -> Vec<String> {
        self.context.fs.list(Path::new(folder)).unwrap()
    }
}

fn entries() -> Entries {
    Entries {
        cluster_name: CLUSTER.to_owned(),
        cluster: Value::map([("server", Value::text("https://x.test"))]),
        user_name: CLUSTER.to_owned(),
        user: Value::map([("exec", Value::map([("command", Value::text("aws"))]))]),
        context_name: "prod".to_owned(),
    }
}

const OTHER: &str = "clusters:\n- name: other\n  cluster: {}\n";

fn with_cluster() -> String {
    OTHER.replace("other", CLUSTER)
}

#[test]
fn an_earlier_file_with_another_current_context_is_told_of() {
    let machine = Machine::new(&[("KUBECONFIG", "/a:/b:/c")]);
    machine.put("/c", &with_cluster());
    assert_eq!(machine.choose().unwrap().overruled_by, None);
    for (text, is_told) in [
        ("current-context: prod\n", false),
        ("current-context: \"\"\n", false),
        ("current-context:\n", false),
        ("current-context: dev\n", true),
    ] {
        machine.put("/b", text);
        let told = machine.choose().unwrap().overruled_by;
        assert_eq!(told, is_told.then(|| PathBuf::from("/b")), "{text}");
    }
    machine.put("/a", "current-context: prod\n");
    assert_eq!(machine.choose().unwrap().overruled_by, None, "kubectl believes the first");
    machine.put("/c", "current-context: dev\n");
    assert_eq!(machine.choose().unwrap().overruled_by, None, "the first is written");
}

#[test]
fn the_file_that_has_the_cluster_is_chosen_else_the_first() {
    let machine = Machine::new(&[("KUBECONFIG", "/a::/b: :~/c")]);
    assert_eq!(machine.choose().unwrap().path, Path::new("/a"));
    machine.put("/b", OTHER);
    machine.put("/home/c", &with_cluster());
    let chosen = machine.choose().unwrap();
    assert_eq!((chosen.path.as_path(), chosen.has_cluster), (Path::new("/home/c"), true));
    machine.put("/a", &with_cluster());
    assert_eq!(machine.choose().unwrap().path, Path::new("/a"));
}

#[test]
fn a_flag_goes_before_the_variable_and_that_before_the_home_folder() {
    let machine = Machine::new(&[("KUBECONFIG", "/a")]);
    let named = Kubeconfigs::of(&machine.context, Some(Path::new("~/mine"))).unwrap();
    assert_eq!(named.paths, [Path::new("/home/mine")]);
    for listed in ["", " ", ":", " : "] {
        let machine = Machine::new(&[("KUBECONFIG", listed)]);
        assert_eq!(machine.choose().unwrap().path, Path::new("/home/.kube/config"), "{listed:?}");
    }
    let machine = Machine::new(&[("HOME", "")]);
    let error = machine.choose().map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("HOME"), "{error}");
}

#[test]
fn files_that_cannot_be_understood_are_passed_over_unless_one_is_the_last_way() {
    let machine = Machine::new(&[("KUBECONFIG", "/bad:/good")]);
    machine.put("/bad", "clusters:\n- String\n");
    machine.put("/good", &with_cluster());
    let chosen = machine.choose().unwrap();
    assert_eq!(chosen.path, Path::new("/good"));
    assert_eq!(chosen.warnings.len(), 1);
    assert!(chosen.warnings[0].to_string().contains("/bad:2"), "{}", chosen.warnings[0]);
    machine.put("/good", OTHER);
    let error = machine.choose().map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("/bad:2"), "{error}");
}

#[tokio::test]
async fn a_new_file_is_its_owners_alone_and_an_old_one_keeps_its_permissions() {
    let machine = Machine::new(&[]);
    machine.write("/home/.kube/config").await.unwrap();
    assert_eq!(machine.mode("home/.kube/config"), 0o600);
    assert_eq!(machine.mode("home/.kube"), 0o700);
    assert_eq!(machine.names("/home/.kube"), ["config"]);
    machine.put("/old", OTHER);
    machine.set_mode("old", 0o640);
    machine.write("/old").await.unwrap();
    assert_eq!(machine.mode("old"), 0o640);
    assert!(machine.text("/old").starts_with(OTHER));
}

#[tokio::test]
async fn a_link_stays_one() {
    let machine = Machine::new(&[]);
    machine.put("/real/config", OTHER);
    symlink("real/config", machine.folder.path().join("link")).unwrap();
    machine.write("/link").await.unwrap();
    assert!(machine.folder.path().join("link").is_symlink());
    assert!(machine.text("/real/config").contains(CLUSTER));
}

#[tokio::test]
async fn a_file_that_says_it_already_is_not_written() {
    let machine = Machine::new(&[]);
    machine.write("/home/config").await.unwrap();
    machine.set_mode("home/config", 0o400);
    machine.write("/home/config").await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_read_or_written_is_said_and_left_alone() {
    let machine = Machine::new(&[]);
    machine.put("/read-only", OTHER);
    machine.set_mode("read-only", 0o400);
    let folder = machine.folder.path().join("folder");
    machine.put("/folder/x", "");
    assert!(folder.is_dir());
    machine.put("/text", "This is not a yaml file\n");
    let huge = format!("# {}\n", "x".repeat(5 << 20));
    machine.put("/huge", &huge);
    machine.context.fs.write(Path::new("/latin"), b"clusters: [] # \xe4\n").unwrap();
    machine.put("/file/config", "");
    for (path, said) in [
        ("/read-only", "read-only"),
        ("/folder", "directory"),
        ("/text", "a mapping"),
        ("/huge", "4 MiB"),
        ("/latin", "not UTF-8 at byte 15"),
        ("/file/config/below", "cannot"),
    ] {
        let error = machine.write(path).await.unwrap_err();
        assert!(error.to_string().contains(said), "{path}: {error}");
        assert!(error.to_string().contains("nothing was changed") || said == "4 MiB", "{error}");
    }
    assert_eq!(machine.text("/read-only"), OTHER);
    assert_eq!(machine.mode("read-only"), 0o400);
}

#[tokio::test]
async fn a_failure_at_any_call_leaves_the_old_file_or_the_new_one() {
    let done = {
        let machine = Machine::new(&[]);
        machine.put("/home/config", OTHER);
        machine.write("/home/config").await.unwrap();
        machine.text("/home/config")
    };
    let mut reached = 0;
    for calls in 0..100 {
        let machine = Machine::new(&[]);
        machine.put("/home/config", OTHER);
        let fs = machine.context.fs.clone().dying_after(calls);
        let context = Context { fs: fs.clone(), ..machine.context.clone() };
        let outcome = write(&context, Path::new("/home/config"), &entries()).await;
        let text = machine.text("/home/config");
        assert!(text == OTHER || text == done, "{calls}: {text}");
        // What comes after the new file is in its place is no failure.
        assert!(outcome.is_err() || text == done, "{calls}");
        if !fs.is_dead() {
            break;
        }
        reached = calls;
    }
    assert!(reached > 5, "{reached}");
}

#[tokio::test]
async fn a_lock_is_waited_for_and_the_file_then_read_again() {
    let machine = Machine::new(&[]);
    machine.put("/home/config", OTHER);
    let lock = machine.context.fs.try_lock(Path::new("/home/.config.lock")).unwrap().unwrap();
    let error = machine.write("/home/config").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(machine.text("/home/config"), OTHER);
    drop(lock);
    machine.write("/home/config").await.unwrap();
}
