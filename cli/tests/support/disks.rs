use std::process::{Command, Stdio};

use super::{Finished, Running, Sandbox};

/// What the script below ends with if the program harmed a file, and if there can be no disk.
const HARMED: i32 = 99;
const NO_DISK: i32 = 98;

/// What a folder lies on while the program runs.
#[derive(Clone, Copy)]
pub(crate) enum Disk {
    Full,
    ReadOnly,
}

impl Sandbox {
    /// Runs the program while `folder`, below HOME, lies on a disk of its own with its files as they
    /// are. The program must leave `file` there byte for byte, and nothing new beside it but SQLite's
    /// `file-…`.
    pub(crate) fn run_on(&self, disk: Disk, folder: &str, file: &str, args: &[&str]) -> Finished {
        let make = match disk {
            Disk::Full => "! cat /dev/zero > \"$folder/full\" 2> /dev/null",
            Disk::ReadOnly => "mount -o remount,bind,ro \"$folder\"",
        };
        // The disk goes with the namespace: what is on it can be looked at from within alone.
        let script = format!(
            "folder=$1; file=$2; shift 2; kept=$folder.kept\n\
             rm -rf \"$kept\"; cp -a \"$folder\" \"$kept\" || exit {NO_DISK}\n\
             mount -t tmpfs -o size=512k none \"$folder\" || exit {NO_DISK}\n\
             cp -a \"$kept/.\" \"$folder\" || exit {NO_DISK}\n\
             {make} || exit {NO_DISK}\n\
             \"$@\"; code=$?\n\
             rm -f \"$folder/full\"\n\
             cmp \"$folder/$file\" \"$kept/$file\" || exit {HARMED}\n\
             list() {{ ls -A \"$1\" | grep -v \"^$file-\"; }}\n\
             test \"$(list \"$folder\")\" = \"$(list \"$kept\")\" || exit {HARMED}\n\
             exit $code"
        );
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "sh", "-c", &script, "sh"]);
        command.arg(self.home().join(folder)).arg(file);
        command.arg(env!("CARGO_BIN_EXE_rolecall")).args(args);
        self.dress(&mut command);
        let finished = Running::start(command.stdin(Stdio::null()), b"").finish();
        let code = finished.code();
        assert_ne!(code, HARMED, "{args:?} did not leave {folder} as it was: {finished:?}");
        // Without a namespace there is no exit code of the script's, but unshare says why.
        let has_disk = code != NO_DISK && !finished.stderr.contains("unshare: ");
        assert!(
            has_disk,
            "this test must be root with CAP_SYS_ADMIN, or have user namespaces: {finished:?}"
        );
        finished
    }
}
