use std::io;
use std::thread::JoinHandle;

use signal_hook::consts::signal::{
    SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH,
};
use signal_hook::iterator::{Handle, SignalsInfo};
use signal_hook::low_level::siginfo::{Cause, Origin};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::Fs;
use super::hearing::{Hearing, has, signals_in};

const TO_PASS_ON: [i32; 8] =
    [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT];

/// The signals that this process gets, from its making until it is dropped. So long they do not do
/// what they would do by themselves; afterwards they do again, even if others have come to handle
/// them since: who wants to handle a signal does so before. Where the system does not say what was
/// handled before, a signal that was heard once does nothing by itself any more.
#[derive(Debug)]
pub struct Signals {
    arrivals: UnboundedReceiver<Signal>,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
    _hearing: Hearing,
}

/// A signal that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its number.
    pub number: i32,
    /// Whether the terminal sent it (Ctrl-C, a new size): it then went to all programs there.
    pub by_terminal: bool,
}

impl Signal {
    /// Whether a child in the same terminal has it already. A hang-up is told to the session's
    /// leader alone.
    pub fn has_reached_child(self) -> bool {
        self.by_terminal && self.number != SIGHUP
    }
}

impl Signals {
    /// Listens for what a parent passes on to its child: HUP, INT, QUIT, TERM, USR1, USR2, WINCH
    /// and CONT. What this process was started to ignore stays ignored, as under `nohup`.
    ///
    /// # Errors
    /// As the system says.
    pub fn to_pass_on(fs: &Fs) -> io::Result<Self> {
        let ignored = signals_in(fs, "SigIgn:").unwrap_or(0);
        let is_heard = |number: &i32| !has(ignored, *number);
        Self::listen(TO_PASS_ON.into_iter().filter(is_heard))
    }

    /// Listens for what asks a server to stop: INT and TERM.
    ///
    /// # Errors
    /// As the system says.
    pub fn to_stop() -> io::Result<Self> {
        Self::listen([SIGINT, SIGTERM])
    }

    fn listen(numbers: impl IntoIterator<Item = i32>) -> io::Result<Self> {
        let numbers: Vec<_> = numbers.into_iter().collect();
        let hearing = Hearing::of(&numbers)?;
        let mut signals =
            SignalsInfo::<signal_hook::iterator::exfiltrator::WithOrigin>::new(numbers)?;
        let handle = signals.handle();
        let (sender, arrivals) = unbounded_channel();
        let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for Origin { signal, cause, .. } in &mut signals {
                let by_terminal = matches!(cause, Cause::Kernel);
                if sender.send(Signal { number: signal, by_terminal }).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { arrivals, handle, thread: Some(thread), _hearing: hearing })
    }

    /// The next one that has arrived already.
    pub fn arrived(&mut self) -> Option<Signal> {
        self.arrivals.try_recv().ok()
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Signal {
        match self.arrivals.recv().await {
            Some(signal) => signal,
            // The thread ends with this value and no sooner.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal as Raw, getpid, kill_process};

    use super::*;

    // One test: signals go to the whole process.
    #[tokio::test]
    async fn signals_of_processes_arrive_and_are_told_from_the_terminals() {
        let mut signals = Signals::listen([SIGUSR1, SIGWINCH]).unwrap();
        kill_process(getpid(), Raw::USR1).unwrap();
        assert_eq!(signals.next().await, Signal { number: SIGUSR1, by_terminal: false });
    }
}
