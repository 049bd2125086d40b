use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Command;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::{Running, Sandbox};

/// A terminal: what a person sees and types at one end, the program's at the other.
pub(crate) struct Terminal {
    pub(crate) person: File,
    pub(crate) program: OwnedFd,
    pub(crate) seen: String,
}

impl Terminal {
    pub(crate) fn open() -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let program = rustix::fs::open(name, flags, Mode::empty()).unwrap();
        Self { person: person.into(), program, seen: String::new() }
    }

    /// Starts the program with this as its controlling terminal.
    pub(crate) fn start(&self, sandbox: &Sandbox, args: &[&str]) -> Running {
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_rolecall")]).args(args);
        sandbox.dress(&mut command);
        Running::start(command.stdin(self.program.try_clone().unwrap()), b"")
    }

    /// Reads what is shown: `false` if nothing comes within so many seconds.
    pub(crate) fn look(&mut self, seconds: i64) -> bool {
        let limit = Timespec { tv_sec: seconds, tv_nsec: 0 };
        let ready = poll(&mut [PollFd::new(&self.person, PollFlags::IN)], Some(&limit)).unwrap();
        if ready > 0 {
            let mut bytes = [0; 1024];
            let read = self.person.read(&mut bytes).unwrap();
            self.seen += std::str::from_utf8(&bytes[..read]).unwrap();
        }
        ready > 0
    }

    pub(crate) fn wait_for(&mut self, text: &str) {
        while !self.seen.contains(text) {
            assert!(self.look(30), "only this was shown: {:?}", self.seen);
        }
    }

    pub(crate) fn echoes(&self) -> bool {
        tcgetattr(&self.program).unwrap().local_modes.contains(LocalModes::ECHO)
    }
}
