use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[cfg(unix)]
use super::hearing::Interruption;
use crate::{
    Context, CredentialsError, ErrorKind, PerProcess, Program, Result, Secret, SecretInput,
};

type Answer = dyn Fn(&str) -> Result<Secret> + Send + Sync;

/// How long a person has to answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// The longest answer of a program.
const ANSWER_LIMIT: usize = 4096;

/// Whether questions hear the process's signals. Those are the whole process's, and so is this.
static HEARS_SIGNALS: AtomicBool = AtomicBool::new(false);

/// A process has one terminal. Held while a question is on it; the child of a fork does not wait for
/// a question of its parent's.
static TERMINAL: PerProcess<Mutex<()>> = PerProcess::empty();

/// Questions to a person: the terminal, a function of the caller's, or a program.
#[derive(Clone)]
pub struct Prompt {
    asked: Asked,
    /// Set for good once the terminal is another program's. Clones share it.
    terminal_is_taken: Arc<AtomicBool>,
}

#[derive(Clone)]
enum Asked {
    Terminal,
    Function(Arc<Answer>),
    Program(Arc<Program>, Duration),
}

/// Whether a terminal shows what is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// As for a name.
    On,
    /// As for a password.
    Off,
}

impl Prompt {
    /// Asks on the controlling terminal; an answer is waited for two minutes.
    pub fn terminal() -> Self {
        Self { asked: Asked::Terminal, terminal_is_taken: Arc::default() }
    }

    /// From here on a secret question hears what would end the process (SIGHUP, SIGINT, SIGQUIT,
    /// SIGTERM), and switches the terminal's echo on first. For programs that have no handlers of
    /// their own, and never for a library: a handler that is registered after a question does not
    /// keep the signal from ending the process. Without this, and where the system does not say
    /// what is handled, a process that is killed at a question leaves the echo off.
    pub fn hear_signals() {
        HEARS_SIGNALS.store(true, Ordering::SeqCst);
    }

    /// Asks `answer`, which gets the question. It may block, as a person may.
    pub fn from_fn(answer: impl Fn(&str) -> Result<Secret> + Send + Sync + 'static) -> Self {
        Self { asked: Asked::Function(Arc::new(answer)), terminal_is_taken: Arc::default() }
    }

    /// Answers every question with what `input` gives, read anew each time.
    pub fn from_input(input: SecretInput, context: &Context) -> Self {
        let context = context.clone();
        Self::from_fn(move |_| input.read(&context))
    }

    /// Asks nothing more on the terminal, which another program has from here on: the two would
    /// take each other's input. Other ways to answer stay.
    pub fn leave_terminal(&self) {
        self.terminal_is_taken.store(true, Ordering::SeqCst);
    }

    /// Answers every question with what `program` prints within `deadline`.
    pub fn from_program(program: Program, deadline: Duration) -> Self {
        let asked = Asked::Program(Arc::new(program), deadline);
        Self { asked, terminal_is_taken: Arc::default() }
    }

    /// Nobody is there to answer.
    pub fn none() -> Self {
        Self::from_fn(|question| Err(nobody(question)))
    }

    /// Asks `question`, without echo, and gives the answer without white space around it.
    ///
    /// # Errors
    /// `NotConfigured` is never one of them: a question that cannot be asked, or an empty answer,
    /// is `InvalidConfiguration`; no answer in time is `TimedOut`.
    pub async fn ask(&self, question: &str) -> Result<Secret> {
        // Nothing typed before the question is taken for its answer.
        let answer = self.put(question, Echo::Off, Before::Discard).await?;
        answer.ok_or_else(|| {
            CredentialsError::new(ErrorKind::InvalidConfiguration, "prompt", "the answer was empty")
        })
    }

    /// Asks one of several questions in a row, of which any may be passed over: an empty answer is
    /// `None`. Answers typed ahead, as by pasting them all, are taken.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn ask_or_pass(&self, question: &str, echo: Echo) -> Result<Option<Secret>> {
        self.put(question, echo, Before::Keep).await
    }

    async fn put(&self, question: &str, echo: Echo, before: Before) -> Result<Option<Secret>> {
        let function = match &self.asked {
            Asked::Program(program, deadline) => {
                return program.secret(ANSWER_LIMIT, *deadline).await.map(Some);
            }
            Asked::Function(answer) => Some(answer.clone()),
            Asked::Terminal => None,
        };
        let (is_taken, question) = (self.terminal_is_taken.clone(), question.to_owned());
        // A question that nobody waits for any more is taken off the terminal.
        let (_awaited, abandoned) = Abandoned::tell()?;
        let answer = tokio::task::spawn_blocking(move || match function {
            Some(answer) => answer(&question),
            None => alone(|| match is_taken.load(Ordering::SeqCst) {
                true => Err(taken(&question)),
                false => ask_terminal(&question, echo, before, &abandoned),
            }),
        });
        let answer = answer.await.map_err(|error| {
            CredentialsError::new(ErrorKind::Internal, "prompt", "the question was not answered")
                .with_source(error)
        })??;
        Ok(Some(answer.trimmed()).filter(|answer| !answer.expose().is_empty()))
    }
}

/// Asks when no other question of this process is on the terminal: two at once would take each
/// other's answers, and the second would find the echo off and leave it so. Each wait is bounded by
/// the patience with those before.
fn alone<T>(ask: impl FnOnce() -> T) -> T {
    let terminal = TERMINAL.get_or_make(Mutex::default);
    let _turn = terminal.lock().unwrap_or_else(PoisonError::into_inner);
    ask()
}

/// Says that nobody waits for an answer any more: the other end of its pair was dropped.
#[cfg(unix)]
struct Abandoned(std::os::unix::net::UnixStream);

#[cfg(unix)]
impl Abandoned {
    /// What is held while somebody waits, and what tells of its end.
    fn tell() -> Result<(std::os::unix::net::UnixStream, Self)> {
        let pair = std::os::unix::net::UnixStream::pair().map_err(|error| {
            let message = format!("no question can be asked: {error}");
            CredentialsError::new(ErrorKind::Internal, "prompt", message).with_source(error)
        });
        pair.map(|(awaited, abandoned)| (awaited, Self(abandoned)))
    }
}

#[cfg(not(unix))]
struct Abandoned;

#[cfg(not(unix))]
impl Abandoned {
    fn tell() -> Result<((), Self)> {
        Ok(((), Self))
    }
}

/// A person has pressed Ctrl-C at a question: the source of its error, for runtimes where that is
/// more than a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

impl Interrupted {
    /// Whether that is underneath `error`.
    pub fn is_cause_of(error: &CredentialsError) -> bool {
        let first = std::error::Error::source(error);
        std::iter::successors(first, |&error| error.source()).any(|error| error.is::<Self>())
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ctrl-C was pressed")
    }
}

impl std::error::Error for Interrupted {}

/// What to do with what was typed before a question.
#[derive(Clone, Copy)]
enum Before {
    Discard,
    Keep,
}

fn taken(question: &str) -> CredentialsError {
    CredentialsError::new(
        ErrorKind::InvalidConfiguration,
        "prompt",
        format!("the terminal is the command's, so nobody can be asked: {question}"),
    )
    .with_help("give the answer by --mfa-code file://PATH or env:NAME, or start the command anew")
}

fn nobody(question: &str) -> CredentialsError {
    CredentialsError::new(
        ErrorKind::InvalidConfiguration,
        "prompt",
        format!("there is no terminal to ask: {question}"),
    )
    .with_help(
        "give the answer by mfa_code (--mfa-code file://PATH, - or env:NAME), or name a program \
         that prints it: mfa_process in the profile",
    )
}

#[cfg(not(unix))]
fn ask_terminal(question: &str, _: Echo, _: Before, _: &Abandoned) -> Result<Secret> {
    Err(nobody(question))
}

#[cfg(unix)]
fn ask_terminal(
    question: &str,
    echo: Echo,
    before: Before,
    Abandoned(abandoned): &Abandoned,
) -> Result<Secret> {
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;

    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let tty = rustix::fs::open("/dev/tty", flags, Mode::empty()).map_err(|_| nobody(question))?;
    let broken = |error: Errno| {
        CredentialsError::new(ErrorKind::Unavailable, "prompt", "the terminal went away")
            .with_source(std::io::Error::from(error))
    };
    // Before the question, so that nothing typed in answer to it is shown or lost.
    let (interruption, quiet) = match echo {
        // Where signals cannot be heard the question is put all the same.
        Echo::Off => (interruption(), Some(Quiet::start(&tty, before).map_err(broken)?)),
        Echo::On => (None, None),
    };
    let asked = rustix::io::write(&tty, question.as_bytes()).map_err(broken);
    let stops: Vec<_> =
        interruption.as_ref().map(Interruption::wake).into_iter().chain([abandoned]).collect();
    let answer = asked.and_then(|_| read_line(&tty, &stops, PATIENCE));
    let ended = if quiet.is_some() || answer.is_err() {
        drop(quiet);
        rustix::io::write(&tty, b"\n").map_err(broken)
    } else {
        Ok(0)
    };
    if let Some(signal) = interruption.and_then(Interruption::end) {
        let message = format!("the question was broken off by {signal}");
        return Err(CredentialsError::new(ErrorKind::Denied, "prompt", message));
    }
    ended.and(answer)
}

/// What hears the end of the process, if it is to be heard at all.
#[cfg(unix)]
fn interruption() -> Option<Interruption> {
    HEARS_SIGNALS.load(Ordering::SeqCst).then(|| Interruption::listen().ok()).flatten()
}

/// Reads up to the end of line, waiting at most `patience` for each byte, and no longer than until
/// something can be read from one of `stops` or that is closed.
#[cfg(unix)]
fn read_line(
    tty: &impl std::os::fd::AsFd,
    stops: &[&std::os::unix::net::UnixStream],
    patience: Duration,
) -> Result<Secret> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use zeroize::Zeroizing;

    // A session token is far shorter.
    const LONGEST: usize = 16 * 1024;
    let fail = |kind, message| Err(CredentialsError::new(kind, "prompt", message));
    // Full size from the start: growing would leave copies of a secret behind.
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = Zeroizing::new([0_u8; 1]);
    loop {
        let limit = Timespec { tv_sec: patience.as_secs().cast_signed(), tv_nsec: 0 };
        let tty_ready = PollFd::new(tty, PollFlags::IN);
        let stops_ready = stops.iter().map(|stop| PollFd::new(*stop, PollFlags::IN));
        let mut awaited: Vec<_> = std::iter::once(tty_ready).chain(stops_ready).collect();
        match poll(&mut awaited, Some(&limit)) {
            Ok(0) => return fail(ErrorKind::TimedOut, "no answer within two minutes"),
            Ok(_) if awaited.iter().skip(1).any(|stop| !stop.revents().is_empty()) => {
                return fail(ErrorKind::Denied, "the question was broken off");
            }
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return fail(ErrorKind::Unavailable, "the terminal went away"),
        }
        match rustix::io::read(tty, &mut *byte) {
            Ok(1) => match byte[0] {
                b'\n' | b'\r' => break,
                // Backspace.
                0x7f | 0x08 => _ = line.pop(),
                // Ctrl-C.
                0x03 => {
                    let refused = fail(ErrorKind::Denied, "the question was refused");
                    return refused.map_err(|error| error.with_source(Interrupted));
                }
                // Ctrl-D, Ctrl-Z, Ctrl-\.
                0x04 | 0x1a | 0x1c => {
                    return fail(ErrorKind::Denied, "the question was refused");
                }
                typed if line.len() < LONGEST => line.push(typed),
                _ => return fail(ErrorKind::InvalidConfiguration, "the answer is too long"),
            },
            // Ctrl-D where the terminal itself reads the line.
            Ok(_) if line.is_empty() => {
                return fail(ErrorKind::Denied, "the question was refused");
            }
            Ok(_) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return fail(ErrorKind::Unavailable, "the terminal went away"),
        }
    }
    match std::str::from_utf8(&line) {
        Ok(text) => Ok(Secret::from(text)),
        Err(_) => fail(ErrorKind::InvalidConfiguration, "the answer was not UTF-8"),
    }
}

/// Switches the echo off, and on again when dropped. Signals of the keyboard are off too: they are
/// keys that refuse the question. Those that would end the process are heard by [`Interruption`].
#[cfg(unix)]
struct Quiet<'a, T: std::os::fd::AsFd>(&'a T, rustix::termios::Termios);

#[cfg(unix)]
impl<'a, T: std::os::fd::AsFd> Quiet<'a, T> {
    fn start(tty: &'a T, typed_before: Before) -> rustix::io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(tty)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG | LocalModes::ICANON);
        let actions = match typed_before {
            Before::Discard => OptionalActions::Flush,
            Before::Keep => OptionalActions::Drain,
        };
        tcsetattr(tty, actions, &quiet)?;
        Ok(Self(tty, before))
    }
}

#[cfg(unix)]
impl<T: std::os::fd::AsFd> Drop for Quiet<'_, T> {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        // Nothing can be done if the terminal is gone.
        let _ = tcsetattr(self.0, OptionalActions::Now, &self.1);
    }
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prompt")
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::hearing::{ENDING, has, signals_in};
    use super::*;

    #[tokio::test]
    async fn the_answer_loses_white_space_around_it() {
        let prompt = Prompt::from_fn(|question| {
            assert_eq!(question, "code? ");
            Ok(Secret::from(" 123456\n"))
        });
        assert_eq!(prompt.ask("code? ").await.unwrap().expose(), "123456");
    }

    #[tokio::test]
    async fn an_empty_answer_passes_a_question_over_only_where_it_may() {
        let prompt = Prompt::from_fn(|_| Ok(Secret::from(" \n")));
        assert_eq!(prompt.ask_or_pass("name? ", Echo::On).await.unwrap(), None);
        let error = prompt.ask("code? ").await.unwrap_err();
        assert_eq!(error.message(), "the answer was empty");
    }

    #[tokio::test]
    async fn nobody_there_is_an_error_that_says_what_to_do() {
        let error = Prompt::none().ask("code? ").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.help().unwrap().contains("--mfa-code"));
    }

    #[test]
    fn a_child_does_not_wait_for_a_question_that_its_parent_puts() {
        use std::sync::mpsc::channel;
        use std::thread;

        let _alone = crate::fork::FORKING.lock().unwrap();
        let ((begin, begun), (end, ended), (tell, told)) = (channel(), channel(), channel());
        let asking = thread::spawn(move || {
            alone(|| {
                begin.send(()).unwrap();
                ended.recv().unwrap();
            });
        });
        begun.recv().unwrap();
        crate::forked();
        thread::spawn(move || alone(|| tell.send(())));
        told.recv_timeout(Duration::from_secs(60)).unwrap();
        end.send(()).unwrap();
        asking.join().unwrap();
    }

    #[tokio::test]
    async fn a_terminal_that_is_left_is_not_asked() {
        let prompt = Prompt::terminal();
        prompt.clone().leave_terminal();
        let error = prompt.ask("code? ").await.unwrap_err();
        assert!(error.message().contains("the command's"), "{error}");
        let other = Prompt::from_fn(|_| Ok(Secret::from("1")));
        other.leave_terminal();
        assert_eq!(other.ask("code? ").await.unwrap().expose(), "1");
    }

    #[test]
    fn a_library_s_question_leaves_the_process_s_signals_alone() {
        let handled = || signals_in(&crate::Fs::real(), "SigCgt:").unwrap();
        let before = ENDING.map(|number| has(handled(), number));
        assert!(interruption().is_none());
        assert_eq!(ENDING.map(|number| has(handled(), number)), before);
    }

    #[test]
    fn one_question_at_a_time_is_on_the_terminal() {
        use std::sync::mpsc::channel;
        let _alone = crate::fork::FORKING.lock().unwrap();
        let order = Mutex::new(Vec::new());
        let (first_asks, is_asked) = channel();
        let (answer, answered) = channel::<()>();
        std::thread::scope(|scope| {
            let order = &order;
            scope.spawn(move || {
                alone(|| {
                    first_asks.send(()).unwrap();
                    answered.recv().unwrap();
                    order.lock().unwrap().push(1);
                });
            });
            is_asked.recv().unwrap();
            scope.spawn(|| alone(|| order.lock().unwrap().push(2)));
            let is_taken = TERMINAL.look(|terminal| terminal.try_lock().is_err());
            assert_eq!(is_taken, Some(true), "a second question would be shown");
            answer.send(()).unwrap();
        });
        assert_eq!(*order.lock().unwrap(), [1, 2]);
    }

    #[test]
    fn control_c_refuses_and_backspace_corrects() {
        for (typed, is_interrupted) in
            [(b"12\x03".as_slice(), true), (b"12\x04", false), (b"", false)]
        {
            let (reader, writer) = std::io::pipe().unwrap();
            rustix::io::write(&writer, typed).unwrap();
            drop(writer);
            let error = read_line(&reader, &[], PATIENCE).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert_eq!(Interrupted::is_cause_of(&error), is_interrupted, "{typed:?}");
        }
        let (reader, writer) = std::io::pipe().unwrap();
        rustix::io::write(&writer, b"129\x7f3\n").unwrap();
        assert_eq!(read_line(&reader, &[], PATIENCE).unwrap().expose(), "123");
    }

    #[test]
    fn reads_one_line_and_gives_up_when_none_comes() {
        let (reader, writer) = std::io::pipe().unwrap();
        rustix::io::write(&writer, b"123456\nmore").unwrap();
        assert_eq!(read_line(&reader, &[], PATIENCE).unwrap().expose(), "123456");
        let (reader, _writer) = std::io::pipe().unwrap();
        let (stop, mut stopper) = std::os::unix::net::UnixStream::pair().unwrap();
        std::io::Write::write_all(&mut stopper, b"x").unwrap();
        let error = read_line(&reader, &[&stop], PATIENCE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        let (awaited, Abandoned(abandoned)) = Abandoned::tell().unwrap();
        drop(awaited);
        let error = read_line(&reader, &[&abandoned], PATIENCE).unwrap_err();
        assert_eq!(error.message(), "the question was broken off");
        assert_eq!(
            read_line(&reader, &[], Duration::ZERO).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
    }
}
