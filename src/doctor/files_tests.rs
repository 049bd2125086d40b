use super::super::testing::{Machine, has, has_not};
use super::*;

const KEYS: &str = "[default]\naws_access_key_id = AKIA1\naws_secret_access_key = hunter2\n";
const CONFIG: &str = "/home/.aws/config";
const CREDENTIALS: &str = "/home/.aws/credentials";
const ENTRY: &str = "/home/.aws/cli/cache/a.json";

fn found(machine: &Machine) -> Vec<Finding> {
    check(&machine.context, Some(&machine.setup().profiles))
}

#[test]
fn what_is_closed_to_others_is_well() {
    let machine = Machine::new(&[]).config(KEYS).file(CREDENTIALS, "").file(ENTRY, "{}");
    assert_eq!(found(&machine), []);
}

#[test]
fn secrets_that_others_can_read_are_told() {
    let machine = Machine::new(&[]).config(KEYS).file(CREDENTIALS, "");
    let machine = machine.mode(CONFIG, 0o644).mode(CREDENTIALS, 0o640);
    let all = found(&machine);
    for path in [CONFIG, CREDENTIALS] {
        let what = format!("{path} can be read by other users");
        has(&all, &what, "mode 6", &format!("chmod 600 {path}"));
    }
    // Without secrets it may be read, and still not be changed.
    let plain = Machine::new(&[]).config("[default]\nregion = us-east-1\n");
    assert_eq!(found(&plain.mode(CONFIG, 0o644)), []);
    let plain = Machine::new(&[]).config("[default]\nregion = us-east-1\n").mode(CONFIG, 0o664);
    has(&found(&plain), "can be changed by other users", "mode 664", "chmod 600");
}

#[test]
fn folders_and_what_is_in_them_are_looked_at() {
    let machine = Machine::new(&[]).file(ENTRY, "{}").file("/home/.aws/cli/cache/b.json", "{}");
    let machine = machine.file("/home/.aws/sso/cache/t.json", "{}");
    let machine = machine.mode(ENTRY, 0o644).mode("/home/.aws/sso/cache/t.json", 0o604);
    let all = found(&machine);
    has(&all, "1 files with secrets", ENTRY, "find /home/.aws/cli/cache -type f -exec chmod 600");
    has(&all, "1 files with secrets", "sso/cache/t.json", "find /home/.aws/sso/cache");
    has_not(&all, "can be changed");
    let all = found(&machine.mode("/home/.aws/cli/cache", 0o777));
    has(&all, "/home/.aws/cli/cache can be changed", "mode 777", "chmod 700");
}

#[test]
fn a_file_in_place_of_the_cache_is_told() {
    let machine = Machine::new(&[]).file("/home/.aws/cli/cache", "");
    has(&found(&machine), "cli/cache is no folder", "in its place", "mv /home/.aws/cli/cache");
    let machine = Machine::new(&[]).file("/home/.aws/cli", "");
    has(&found(&machine), "cli/cache cannot be made", "/home/.aws/cli is no folder", "HOME");
}

#[test]
fn links_to_nothing_are_told() {
    let machine = Machine::new(&[]).link("gone", CREDENTIALS);
    has(&found(&machine), "is a symbolic link to nothing", "broken", "rm /home/.aws/credentials");
    let machine = Machine::new(&[]).file("/home/real", "").link("../real", CREDENTIALS);
    assert_eq!(found(&machine), []);
}

#[test]
fn owners_and_permissions_that_a_test_cannot_make_are_judged() {
    let facts = FileFacts {
        kind: PathKind::Folder,
        mode: 0o500,
        foreign_owner: Some(1234),
        is_writable: false,
        modified: None,
    };
    let all = judge(Path::new("/a b"), Role::Folder, &facts);
    has(&all, "belongs to another user", "user 1234", "chown \"$(id -u)\" '/a b'");
    has(&all, "cannot be written", "mode 500", "chmod 700 '/a b'");
}

#[test]
fn a_token_file_that_is_missing_is_told() {
    let variable = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token");
    let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/");
    let all = found(&Machine::new(&[variable, uri]));
    has(&all, "names /token, which does not exist", "", "Pod Identity");
    assert!(matches!(all[0].severity, super::super::Severity::Error(_)));
    let all = found(&Machine::new(&[variable]));
    assert_eq!(all[0].severity, super::super::Severity::Warning);
    assert_eq!(found(&Machine::new(&[variable, uri]).file("/token", "t")), []);
}
