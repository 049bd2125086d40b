use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::Finished;

/// Far more than anything here takes, also where a hundred processes share two cores.
const LIMIT: Duration = Duration::from_secs(60);

/// A program that has been started. Whatever it does, it ends.
pub(crate) struct Running {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Running {
    pub(crate) fn start(command: &mut Command, input: &[u8]) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        if let Some(mut stdin) = child.stdin.take() {
            // The program may have ended without reading it.
            let _ = stdin.write_all(input);
        }
        Self { child, stdout, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is there to be killed");
    }

    /// Waits for its end, but no longer than `limit`; says whether it came.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        let process = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty());
        let process = process.expect("a child has a descriptor");
        let limit = Timespec::try_from(limit).expect("a time that fits");
        let ready = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit));
        ready.expect("a descriptor can be waited for") > 0
    }

    /// Waits for its end, which must come in time.
    pub(crate) fn finish(self) -> Finished {
        self.finish_within(LIMIT)
    }

    pub(crate) fn finish_within(mut self, limit: Duration) -> Finished {
        let pid = Pid::from_child(&self.child);
        let (done, over) = channel::<()>();
        let watch = thread::spawn(move || {
            let in_time = over.recv_timeout(limit) != Err(RecvTimeoutError::Timeout);
            if !in_time {
                // It may have ended just now.
                let _ = kill_process(pid, Signal::KILL);
            }
            in_time
        });
        let status = self.child.wait().expect("a child can be waited for");
        drop(done);
        let in_time = watch.join().expect("the watch does not fail");
        let read = |output: Receiver<String>| {
            // A program that it left behind may keep the pipe open.
            let text = output.recv_timeout(LIMIT);
            text.unwrap_or_else(|_| panic!("somebody still holds its output"))
        };
        let finished = Finished { status, stdout: read(self.stdout), stderr: read(self.stderr) };
        assert!(in_time, "it hung and was killed after {limit:?}\n{}", finished.stderr);
        assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
        finished
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).expect("a pipe can be read");
        }
        // Nobody may be waiting for it any more.
        let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receive
}
