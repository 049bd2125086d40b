use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Finished, Running, Sandbox};

impl Sandbox {
    /// Writes `~/.aws/credentials`.
    pub(crate) fn credentials(&self, text: &str) {
        self.file(".aws/credentials", text);
    }

    /// Reads a file of `~/.aws`; empty if there is none.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.home().join(".aws").join(name)).unwrap_or_default()
    }

    /// Runs the program where no file may have a single byte.
    pub(crate) fn run_with_no_bytes_allowed(&self, args: &[&str]) -> Finished {
        let mut command = Command::new("sh");
        let script = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_rolecall")]).args(args);
        self.dress(&mut command);
        Running::start(command.stdin(Stdio::null()), b"").finish()
    }

    /// Nothing but what belongs there may be in `~/.aws`.
    #[track_caller]
    pub(crate) fn assert_no_left_overs(&self) {
        let names = fs::read_dir(self.home().join(".aws")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<_> = names.filter(|name| Path::new(name).extension().is_some()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
