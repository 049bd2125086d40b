//! What is particular to the store in one file.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rolecall_core::{Context, Env, ErrorKind, Result};
use rolecall_secrets::{
    Change, Conflict, Doubt, LeaseFilter, LeaseId, STORE_SUBJECT, SqliteStore, Store,
};

use crate::bed::{
    Bed, MINUTE, SqliteBed, active, claimant, context, definition, grant, new_lease, record,
};

async fn refused(context: &Context, path: &Path) -> (ErrorKind, String) {
    let opened = SqliteStore::open_patiently(context.clone(), path, MINUTE / 600).await;
    let error = opened.unwrap_err();
    assert_eq!(error.place(), Some(path.display().to_string().as_str()), "{error}");
    assert!(error.help().is_some(), "{error}");
    (error.kind(), error.message().to_owned())
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn every_file_is_its_owners_alone() {
    let bed = SqliteBed::new().await;
    active(bed.store(), 1, MINUTE).await;
    let folder = bed.path.parent().unwrap();
    assert_eq!(mode(folder), 0o700);
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.collect::<Vec<_>>();
    assert!(files.len() >= 3, "{files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
}

#[tokio::test]
async fn what_is_no_store_of_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("text"), "not a database, and long enough to have a header ".repeat(9))
        .unwrap();
    set_mode(&at("text"), 0o600);
    let (kind, message) = refused(&context, &at("text")).await;
    assert_eq!(kind, ErrorKind::InvalidConfiguration);
    assert!(message.contains("not a lease store"), "{message}");
    assert!(std::fs::read_to_string(at("text")).unwrap().starts_with("not a database"));

    let theirs = rusqlite::Connection::open(at("theirs")).unwrap();
    theirs.execute_batch("CREATE TABLE theirs (a)").unwrap();
    let (kind, message) = refused(&context, &at("theirs")).await;
    assert_eq!(kind, ErrorKind::InvalidConfiguration);
    assert!(message.contains("another program"), "{message}");

    std::fs::create_dir(at("folder")).unwrap();
    let (_, message) = refused(&context, &at("folder")).await;
    assert!(message.contains("no regular file"), "{message}");
    symlink("nowhere", at("dangling")).unwrap();
    let (_, message) = refused(&context, &at("dangling")).await;
    assert!(message.contains("no regular file"), "{message}");
    assert!(!at("nowhere").exists());
    let (kind, _) = refused(&context, &at("text/below")).await;
    assert_eq!(kind, ErrorKind::InvalidConfiguration);
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let bed = SqliteBed::new().await;
    bed.raw().pragma_update(None, "user_version", 99).unwrap();
    let (kind, message) = refused(&bed.context, &bed.path).await;
    assert_eq!(kind, ErrorKind::InvalidConfiguration);
    assert!(message.contains("version 99"), "{message}");
}

#[tokio::test]
async fn a_place_where_others_can_write_is_refused() {
    let bed = SqliteBed::new().await;
    for mode in [0o602, 0o620] {
        set_mode(&bed.path, mode);
        assert!(refused(&bed.context, &bed.path).await.1.contains("by others"), "{mode:o}");
    }
    set_mode(&bed.path, 0o600);
    set_mode(bed.path.parent().unwrap(), 0o1777);
    assert!(refused(&bed.context, &bed.path).await.1.contains("by others"));
    let link = bed.folder.path().join("link");
    symlink(&bed.path, &link).unwrap();
    assert!(refused(&bed.context, &link).await.1.contains("by others"), "behind a link");
    set_mode(bed.path.parent().unwrap(), 0o700);
    SqliteStore::open(bed.context.clone(), &link).await.unwrap();
    let shared = bed.folder.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    set_mode(&shared, 0o777);
    assert!(refused(&bed.context, &shared.join("new.db")).await.1.contains("by others"));
    assert!(!shared.join("new.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_another_process_keeps_locked_says_so_and_can_be_read() {
    let bed = SqliteBed::new().await;
    let lease = active(bed.store(), 1, MINUTE).await;
    let store = SqliteStore::open_patiently(bed.context.clone(), &bed.path, MINUTE / 600).await;
    let store = store.unwrap();
    let other = bed.raw();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.claim(lease.id, &claimant("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("locked by another process"), "{error}");
    assert_eq!(store.lease(lease.id).await.unwrap().as_ref(), Some(&lease));
    other.execute_batch("ROLLBACK").unwrap();
    assert!(store.claim(lease.id, &claimant("a")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_restored_copy_is_known_until_it_is_accepted() {
    let bed = SqliteBed::new().await;
    let info = bed.store().info().await.unwrap();
    assert_eq!((info.epoch, info.doubt, info.id.len()), (1, None, 12));
    let untouched = bed.store().accept_restored(&record("accept")).await.unwrap();
    assert_eq!(untouched, info);
    let lease = active(bed.store(), 1, MINUTE * 60).await;
    let backup = bed.folder.path().join("backup.db");
    let quoted = backup.display().to_string();
    bed.raw().execute("VACUUM INTO ?1", [&quoted]).unwrap();
    set_mode(&backup, 0o600);
    let reopen =
        async |context: &Context| SqliteStore::open(context.clone(), &backup).await.unwrap();
    // Renewed after the backup: revoking by the backup's time would be too early.
    let renewal = Change::Renew(lease.max_expires_at);
    bed.store().advance(lease.id, 1, &renewal, &record("renew")).await.unwrap();
    let (home, context, path) =
        (bed.folder.path().to_owned(), bed.context.clone(), bed.path.clone());
    let folder = bed.close();
    let original = SqliteStore::open(context.clone(), &path).await.unwrap();
    assert_eq!(original.info().await.unwrap().doubt, None);

    let store = reopen(&context).await;
    assert_eq!(store.info().await.unwrap().doubt, Some(Doubt::Restored));
    // Working on with it does not hide it.
    for number in 10..20 {
        active(&store, number, MINUTE).await;
    }
    drop(store);
    let store = reopen(&context).await;
    assert_eq!(store.info().await.unwrap().doubt, Some(Doubt::Restored));
    let accepted = store.accept_restored(&record("accept")).await.unwrap();
    assert_eq!((accepted.epoch, accepted.doubt), (2, None));
    assert_eq!(store.verify(STORE_SUBJECT).await.unwrap(), None);
    assert_eq!(store.trail(STORE_SUBJECT).await.unwrap().len(), 1);
    drop(store);
    assert_eq!(reopen(&context).await.info().await.unwrap().doubt, None);
    // The other one of the two is the wrong one from here on.
    assert_eq!(original.info().await.unwrap().doubt, Some(Doubt::Restored));

    let elsewhere = Env::from_pairs([("HOME", home.join("other").display().to_string())]);
    let elsewhere = Context { env: elsewhere, ..context.clone() };
    let store = reopen(&elsewhere).await;
    assert_eq!(store.info().await.unwrap().doubt, Some(Doubt::NeverSeen));
    assert_eq!(reopen(&context).await.info().await.unwrap().doubt, None);
    drop(folder);
}

/// Runs a test of this program that is a part of another one, as a process of its own.
fn part(name: &str, path: &Path, number: u32) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("sqlite::{name}"), "--ignored", "--nocapture"]);
    command.env("STORE", path).env("NUMBER", number.to_string()).env("RUST_BACKTRACE", "0");
    command.stdout(Stdio::piped());
    command
}

fn part_of() -> Option<(Context, std::path::PathBuf, u32)> {
    let env = Env::real();
    let (path, number) = (env.get("STORE")?, env.get("NUMBER")?.parse().ok()?);
    let path = std::path::PathBuf::from(path);
    Some((context(path.parent().unwrap().parent().unwrap()), path, number))
}

/// Issues leases and says each that is written.
async fn issue(store: &SqliteStore, from: u128, count: u128) {
    let tasks = (0..4).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in (from..from + count).filter(|number| number % 4 == task) {
                let now = store.now().await.unwrap();
                let new = new_lease(number, "s", now, MINUTE);
                let begun = store.begin(&new, &claimant("a"), &record("create")).await.unwrap();
                let change = grant(new.expires_at);
                store.advance(begun.id, begun.fence, &change, &record("create")).await.unwrap();
                println!("issued {number}");
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a part of other tests"]
async fn part_that_issues_leases() {
    let Some((context, path, number)) = part_of() else { return };
    let store = SqliteStore::open(context, &path).await.unwrap();
    issue(&store, u128::from(number) * 1_000_000, 250).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_share_a_store_and_none_starves() {
    let bed = SqliteBed::new().await;
    bed.store().create_secret(&definition("s"), &record("define")).await.unwrap();
    let start = |number| part("part_that_issues_leases", &bed.path, number).spawn().unwrap();
    let children = (1..=3).map(start).collect::<Vec<_>>();
    let store = SqliteStore::open(bed.context.clone(), &bed.path).await.unwrap();
    issue(&store, 9_000_000, 250).await;
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let found = bed.store().leases(&LeaseFilter::default(), None, 9999).await.unwrap();
    assert_eq!(found.len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_kill_at_any_moment() {
    let bed = SqliteBed::new().await;
    bed.store().create_secret(&definition("s"), &record("define")).await.unwrap();
    for round in 1..=8 {
        let mut child = part("part_that_issues_leases", &bed.path, round).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let number = |line: String| line.split_once("issued ")?.1.parse::<u128>().ok();
        let mut issued = Vec::new();
        while issued.len() < (round * round * 3) as usize {
            issued.extend(number(lines.next().unwrap().unwrap()));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        issued.extend(lines.map_while(std::io::Result::ok).filter_map(number));
        let store = SqliteStore::open(bed.context.clone(), &bed.path).await.unwrap();
        for number in issued {
            let lease = store.lease(LeaseId(number)).await.unwrap().unwrap();
            assert_eq!(lease.access_key_id.as_deref(), Some("AKIDEXAMPLE"), "{lease:?}");
        }
        for lease in store.leases(&LeaseFilter::default(), None, 9999).await.unwrap() {
            assert_eq!(store.verify(&lease.id.to_string()).await.unwrap(), None);
        }
        assert_eq!(store.info().await.unwrap().doubt, None);
    }
    let sound = "PRAGMA integrity_check";
    let sound = bed.raw().query_row(sound, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(sound, "ok");
}

#[tokio::test]
#[ignore = "a part of another test"]
async fn part_that_may_only_read() {
    let Some((context, path, _)) = part_of() else { return };
    let (kind, message) = refused(&context, &path).await;
    assert_eq!(kind, ErrorKind::InvalidConfiguration);
    println!("refused: {message}");
}

#[tokio::test]
async fn a_store_that_may_only_be_read_says_so() {
    let bed = SqliteBed::new().await;
    let folder = bed.path.parent().unwrap().to_owned();
    let is_root = rustix::process::geteuid().is_root();
    let run = || {
        let mut command = part("part_that_may_only_read", &bed.path, 0);
        if is_root {
            // Root may write everywhere.
            std::os::unix::process::CommandExt::uid(&mut command, 65534);
            std::os::unix::process::CommandExt::gid(&mut command, 65534);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && said.contains("read-only"), "{said}");
    };
    if is_root {
        for path in [bed.folder.path(), &folder, &bed.path] {
            std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
        }
    }
    set_mode(&bed.path, 0o400);
    run();
    set_mode(&bed.path, 0o600);
    set_mode(&folder, 0o500);
    run();
    std::fs::remove_file(&bed.path).unwrap();
    run();
    set_mode(&folder, 0o700);
}

#[tokio::test]
#[ignore = "a part of other tests"]
async fn part_that_is_refused() {
    let Some((context, path, _)) = part_of() else { return };
    println!("{}", refused(&context, &path).await.1);
}

#[tokio::test]
async fn a_store_of_somebody_else_is_refused() {
    let bed = SqliteBed::new().await;
    let folder = bed.path.parent().unwrap();
    if rustix::process::geteuid().is_root() {
        for path in [bed.path.as_path(), folder] {
            std::os::unix::fs::chown(path, Some(65534), None).unwrap();
            let (_, message) = refused(&bed.context, &bed.path).await;
            assert!(message.contains("belongs to user 65534"), "{message}");
            std::os::unix::fs::chown(path, Some(0), None).unwrap();
        }
        return;
    }
    // Nobody else can give a file away, but can have root's in its place: in a user namespace it
    // belongs to 65534.
    for (mine, roots) in [(bed.path.as_path(), "/etc/passwd"), (folder, "/usr")] {
        let script = "mount --rbind \"$1\" \"$2\" && shift 2 && exec \"$@\"";
        let part = part("part_that_is_refused", &bed.path, 0);
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", roots]);
        command.arg(mine).arg(part.get_program()).args(part.get_args());
        command.envs(part.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let is_told = said.contains("belongs to user 65534");
        assert!(is_told, "this test must be root, or have user namespaces: {output:?}");
    }
}

#[tokio::test]
async fn a_damaged_row_is_an_error_and_no_panic() {
    let bed = SqliteBed::new().await;
    let lease = active(bed.store(), 1, MINUTE).await;
    for sql in [
        "UPDATE lease SET state = 'odd'",
        "UPDATE lease SET state = 'active', attempts = -1",
        "UPDATE lease SET attempts = 0, fence = -7",
        "UPDATE lease SET fence = 1, secret_version = 99999999999",
        "UPDATE definition_version SET definition = '{'",
    ] {
        bed.execute(sql).await;
        let outcomes: [Result<bool>; 2] = [
            bed.store().lease(lease.id).await.map(|_| true),
            bed.store().secret("s", None).await.map(|_| true),
        ];
        let error = outcomes.into_iter().find_map(Result::err).unwrap();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{sql}: {error}");
        assert_eq!(Conflict::of(&error), None);
    }
}

#[test]
fn a_store_outlives_the_runtime_it_was_opened_in() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s/leases.db");
    let first = runtime();
    let store = first.block_on(SqliteStore::open(context(folder.path()), &path)).unwrap();
    first.block_on(store.create_secret(&definition("s"), &record("define"))).unwrap();
    first.shutdown_timeout(Duration::from_secs(5));
    let found = runtime().block_on(store.secret("s", None)).unwrap();
    assert!(found.is_some());
}
